"""Estimand S: differences between recipes on this data and these test rows, seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kohort.statistics.estimates import FEW_ROWS, Estimates
from kohort.statistics.intervals import LEVEL, Interval, mean_interval

EXACT_PATTERNS = 2**14  # all are enumerated up to here, 15 seeds; beyond it, as many as asked for are drawn
CHUNK = 2048  # patterns at once


def paired_difference(
    scores: Mapping[int, float], baseline: Mapping[int, float], level: float = LEVEL
) -> Interval | None:
    """The mean of score − baseline over the seeds that both have, with Student's interval over seeds.

    Recipes share splits and batch orders at equal seed, so the differences vary less than the scores. The interval
    answers: on this data and these test rows, what would more seeds give? It says nothing of other test rows.

    Args:
        scores: Seed -> score of a recipe.
        baseline: Seed -> score of the baseline.
        level: Coverage.

    Returns:
        The interval; None where no seed has a finite score in both.
    """
    shared = [seed for seed in scores if seed in baseline and np.isfinite(scores[seed]) and np.isfinite(baseline[seed])]
    if not shared:
        return None
    return mean_interval(np.array([scores[seed] - baseline[seed] for seed in shared]), level)


def seed_estimates(
    scores: np.ndarray,
    contrasts: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
    *,
    test_to_train: float = 0.0,
) -> Estimates:
    """Differences over seeds: mean d, its standard error √(s² (1/J + n_test / n_train)), J − 1 degrees of freedom.

    The second term is 0 where all runs share their test rows. Where each seed draws test rows of its own, runs share
    training rows and their scores are not independent; s²/J is then too small, and the term is the correction of
    Nadeau & Bengio (2003), with ρ = n_test / (n_test + n_train).

    How the differences go together is drawn with one normal multiplier per seed, shared by all recipes: Σ_j g_j (d_j −
    mean d) has the observed covariance. Signs would do so, too, but 6 seeds have only 32 patterns of them.

    Args:
        scores: Of shape (recipes, seeds).
        contrasts: Indices (recipe, other) of shape (contrasts, 2).
        resamples: How many draws.
        generator: Draws the multipliers.
        test_to_train: n_test / n_train where test rows are drawn anew for each seed, else 0.
    """
    one, other = contrasts.T
    differences = scores[one] - scores[other]  # (contrasts, seeds)
    seeds = differences.shape[1]
    mean = differences.mean(axis=1)
    residual = differences - mean[:, None]
    residual[np.ptp(differences, axis=1) <= 1e-12 * np.abs(scores).max(initial=0.0)] = 0.0  # rounding is no spread
    squares = (residual**2).sum(axis=1)
    variance = squares / (seeds - 1) if seeds > 1 else np.full(len(mean), np.nan)
    length = np.sqrt(squares)
    drawn = generator.standard_normal((resamples, seeds)) @ (residual / np.where(length > 0.0, length, 1.0)[:, None]).T
    return Estimates(
        estimate=mean,
        standard_error=np.sqrt(variance * (1.0 / seeds + test_to_train)),
        df=np.full(len(mean), max(seeds - 1.0, 1.0)),
        draws=drawn,
        discordant=np.full(len(mean), FEW_ROWS),
    )


@dataclass(frozen=True, eq=False)
class SignFlips:
    """p of paired differences by flipping the signs of whole seeds.

    Attributes:
        p: Of each difference on its own, of shape (contrasts,).
        adjusted: Single-step max-|T| over all differences, of the same shape.
        patterns: How many patterns of signs were looked at.
        exact: Whether these were all.
    """

    p: np.ndarray
    adjusted: np.ndarray
    patterns: int
    exact: bool


def sign_flips(differences: np.ndarray, resamples: int, generator: np.random.Generator) -> SignFlips:
    """Sign-flip test of paired differences, studentised, one sign per seed for all recipes.

    If a recipe and the baseline are exchangeable at every seed, each d_j is as likely as −d_j. T = √J mean(d) / s grows
    with u = (Σ d_j)² / (J Σ d_j²), of which Σ d_j² does not change with signs; the largest u over recipes is the
    largest |T| (Westfall & Young 1993, chapter 2). A pattern and its opposite give the same u, so half of them are
    enough, and with J seeds no p is below 2^(1 − J).

    Args:
        differences: Of shape (contrasts, seeds).
        resamples: How many patterns to draw where there are more than `EXACT_PATTERNS`; p is then
            (1 + #) / (1 + resamples).
        generator: Draws them.
    """
    contrasts, seeds = differences.shape
    squares = (differences**2).sum(axis=1)
    unit = (differences / np.sqrt(np.where(squares > 0.0, seeds * squares, 1.0))[:, None]).T  # (seeds, contrasts)
    seen = unit.sum(axis=0) ** 2 - 1e-12  # ties are ties although rounding differs
    exact = 2 ** (seeds - 1) <= EXACT_PATTERNS
    patterns = 2 ** (seeds - 1) if exact else resamples
    own, family = np.zeros(contrasts), np.zeros(contrasts)
    for start in range(0, patterns, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, patterns))
        if exact:
            signs = 1.0 - 2.0 * (numbers[:, None] >> np.arange(seeds) & 1)  # the last seed keeps its sign
        else:
            signs = 1.0 - 2.0 * generator.integers(0, 2, (len(numbers), seeds))
        u = (signs @ unit) ** 2
        own += (u >= seen).sum(axis=0)
        family += (u.max(axis=1)[:, None] >= seen).sum(axis=0)
    if exact:
        return SignFlips(own / patterns, family / patterns, patterns, True)
    return SignFlips((1.0 + own) / (1.0 + patterns), (1.0 + family) / (1.0 + patterns), patterns, False)
