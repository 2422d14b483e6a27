"""An interval over seeds that stays right however one stops adding seeds."""

import numpy as np

from kohort.statistics.intervals import LEVEL, Interval

EFFECT_SCALE = 1.0  # c: narrowest near 20 seeds for effects of about one standard deviation of the differences


def confidence_sequence(differences: np.ndarray, level: float = LEVEL, *, c: float = EFFECT_SCALE) -> Interval:
    """A t confidence sequence: with probability `level` it holds the mean at every number of seeds at once.

    For each μ the likelihood ratio of Student's t with effect size μ/σ ~ N(0, 1/c²) against 0,

        G_n(μ) = √(c² / (n + c²)) · [ (σ̂² + (x̄ − μ)²) / (σ̂² + (x̄ − μ)² c² / (n + c²)) ]^(n/2),   σ̂² = Σ (x − x̄)² / n,

    is a nonnegative martingale of mean 1 in what the x tell up to scale (the test martingale of Wang & Ramdas 2025,
    "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance", Gaussian mixture
    over the effect size), so by Ville's inequality it ever exceeds 1 / α with probability at most α. Solving
    G_n(μ) ≤ 1/α for μ gives x̄ ± σ̂ √((q − 1)(n + c²) / (n + c² − q c²)) with q = ((n + c²) / (α² c²))^(1/n), the whole
    line where the denominator is not positive. The statement is about all n at once: a rule for stopping that looks
    at other things than these x, as ours does, changes nothing.

    Args:
        differences: Normal and independent, of shape (seeds,).
        level: Coverage in (0, 1).
        c: The inverse spread of the effect sizes that it is made narrow for.

    >>> confidence_sequence(np.array([1.0, 2.0, 3.0, 2.0, 1.0, 3.0])).low < 0.9
    True
    """
    n = len(differences)
    mean, spread = float(differences.mean()), float(differences.std())
    q = float(((n + c**2) / ((1.0 - level) ** 2 * c**2)) ** (1.0 / n))
    room = n + c**2 - q * c**2
    if n < 2 or room <= 0.0:
        return Interval(mean, -float("inf"), float("inf"), n, level)
    half = spread * float(np.sqrt((q - 1.0) * (n + c**2) / room))
    return Interval(mean, mean - half, mean + half, n, level)
