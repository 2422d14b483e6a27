"""Verdicts: what a table of runs says of each recipe against the baseline, by a fixed rule, in words.

The rule: let [l, u] be the simultaneous interval of the improvement and δ the smallest effect that matters. Inside
(−δ, δ): no difference that matters. Else l > 0: helps. u < 0: hurts. Otherwise: not enough evidence. Fewer than 6
seeds: numbers and no verdict, for a sign-flip p over n seeds is at least 2^(1 − n).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kohort.statistics.confidence_sequence import confidence_sequence
from kohort.statistics.effect_size import cohens_d, probability_of_improvement
from kohort.statistics.estimates import Estimates
from kohort.statistics.intervals import LEVEL, Interval
from kohort.statistics.multiplicity import adjusted_p, holm, nominal_level
from kohort.statistics.paired import seed_estimates, sign_flips
from kohort.statistics.population import (
    Components,
    MeanSquares,
    mean_squares,
    population_estimates,
    product_weight_draws,
)
from kohort.statistics.power import Settlement, settlement, settling_seeds
from kohort.statistics.ranks import RankInterval, rank_intervals
from kohort.statistics.spending import LookDraws, Looks, look_draws
from kohort.statistics.table import ScoreTable, all_contrasts, contrasts_with, named_contrasts

Kind = Literal["helps", "hurts", "no difference that matters", "not enough evidence", "no verdict"]
Estimand = Literal["P", "S"]

FEWEST_SEEDS = 6  # 2^(1 − 6) = 0.031 is the first below 0.05
HALF_A_POINT = 0.005  # of a share: what a reader of accuracies with one digit would call a difference
ONE_PERCENT = 0.01  # of the baseline's error, where scores are no shares


RESAMPLES = 10_000
"""Draws that verdicts come from; they leave a p of 0.05 uncertain by 0.002 (one standard error)."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one recipe against the baseline. Improvement is positive, also where lower is better.

    Attributes:
        recipe: The recipe, with its strength in its name.
        baseline: What it is compared with.
        kind: The verdict.
        estimand: `"P"`: on the population behind the test rows; `"S"`: on these test rows alone, or, where each seed
            drew its own, on such rows.
        interval: The improvement with its simultaneous interval, from which the verdict comes.
        seeds_interval: The improvement with its interval under estimand S; a confidence sequence where seeds came in
            rounds.
        p: Of this comparison on its own.
        adjusted_p: Of this comparison as one of the family, by max-|T|.
        holm_p: The same by Holm.
        sign_flip_p: Of estimand S as one of the family; NaN where seeds drew their own test rows.
        effect_size: Mean difference over the standard deviation of differences, corrected for few seeds.
        probability: P(a run of the recipe scores above a run of the baseline).
        smallest_effect: δ.
        components: What the error is made of; None under S.
        settlement: What would settle it; None where it is settled, and where there is no verdict.
        seeds: How many.
        rows: How many test rows, where known.
        metric: What is measured.
        in_points: Whether numbers are shares, said as percentage points.
        greater_is_better: Whether a recipe wants the score high.
        resplit_test: Whether each seed drew its own test rows.
    """

    recipe: str
    baseline: str
    kind: Kind
    estimand: Estimand
    interval: Interval
    seeds_interval: Interval
    p: float
    adjusted_p: float
    holm_p: float
    sign_flip_p: float
    effect_size: float
    probability: Interval
    smallest_effect: float
    components: Components | None
    settlement: Settlement | None
    seeds: int
    rows: int | None
    metric: str = "accuracy"
    in_points: bool = True
    greater_is_better: bool = True
    resplit_test: bool = False

    @property
    def estimate(self) -> float:
        """The improvement seen."""
        return self.interval.mean

    @property
    def settled(self) -> bool:
        """Whether the rule came to an end."""
        return self.kind in ("helps", "hurts", "no difference that matters")

    @property
    def smallest_effect_rows(self) -> int | None:
        """δ as a number of test rows, at least one; None where the score is no share or rows are not known."""
        return max(1, round(self.smallest_effect * self.rows)) if self.in_points and self.rows else None

    def words(self) -> str:
        """The verdict as one would say it."""
        return in_words(self)

    __str__ = words


@dataclass(frozen=True)
class Verdicts:
    """All verdicts of a table.

    Attributes:
        baseline: What recipes are compared with.
        verdicts: One for each other recipe, in the order of the table.
        ranks: The ranks of every recipe, the baseline among them, that the data do not exclude; empty for fewer than
            6 seeds.
        estimand: Where the verdicts come from.
        level: Coverage of the intervals together.
        smallest_effect: δ.
        seeds: How many.
        rows: How many test rows, where known.
        metric: What is measured.
        train_rows: How many rows a run trained on, where known.
        looks: The looks taken, this one among them; None where there was one look only.
    """

    baseline: str
    verdicts: tuple[Verdict, ...]
    ranks: tuple[RankInterval, ...]
    estimand: Estimand
    level: float
    smallest_effect: float
    seeds: int
    rows: int | None
    metric: str
    train_rows: int | None = None
    looks: Looks | None = None

    def __getitem__(self, recipe: str) -> Verdict:
        for verdict in self.verdicts:
            if verdict.recipe == recipe:
                return verdict
        raise KeyError(f"no verdict on {recipe!r}; there are verdicts on {', '.join(v.recipe for v in self.verdicts)}")

    def __str__(self) -> str:
        return "\n".join(verdict.words() for verdict in self.verdicts)


def judge(
    table: ScoreTable,
    baseline: str,
    *,
    smallest_effect: float | None = None,
    level: float = LEVEL,
    resplit_test: bool = False,
    resamples: int = RESAMPLES,
    looks: Looks | None = None,
    seed: int = 0,
) -> Verdicts:
    """Compares every recipe of a table with the baseline.

    Verdicts come from estimand P (`population.py`) where the table has rows, else from S (`paired.py`), and then speak
    of these test rows only.

    Args:
        table: The runs' outcomes.
        baseline: One of its recipes.
        smallest_effect: δ > 0, in units of the score; None for half a point (0.005) where scores are shares, and for
            1 % of the baseline's mean size where they are not.
        level: With which probability all intervals hold together; 0.95, the custom of the field.
        resplit_test: Whether each seed drew its own test rows. Then S is estimated with the variance of Nadeau & Bengio
            (2003), which needs `train_rows` and the number of test rows, and rows are not looked at one by one.
        resamples: How many; 10,000 leave a p of 0.05 uncertain by 0.002 (one standard error).
        looks: Where seeds came in rounds: the schedule, with the looks taken before this one.
        seed: Fixes every random draw, so that the same table gives the same verdicts.

    Raises:
        ValueError: The baseline is not in the table or alone in it, an option is outside its domain, or the table has
            another number of seeds than the look that is due.
    """
    others = _checked(table, baseline, smallest_effect, level, resplit_test, resamples, looks)
    at, sign = table.index(baseline), 1.0 if table.greater_is_better else -1.0
    scores = sign * table.scores
    delta = smallest_effect if smallest_effect is not None else _smallest_effect(table, at)
    contrasts, pairs = contrasts_with(at, len(table.recipes)), all_contrasts(len(table.recipes))
    seeds, alpha = len(table.seeds), 1.0 - level
    in_p = table.rows is not None and not resplit_test and seeds > 1
    test_to_train = (table.n_rows or 0) / (table.train_rows or 1) if resplit_test else 0.0

    def stream(number: int) -> np.random.Generator:
        return np.random.default_rng([seed, number])

    over_seeds = seed_estimates(scores, contrasts, resamples, stream(0), test_to_train=test_to_train)
    squares = None
    estimates, paired = over_seeds, seed_estimates(scores, pairs, resamples, stream(0), test_to_train=test_to_train)
    if in_p:
        outcomes = sign * table.linear_rows
        squares = mean_squares(outcomes)
        draws = product_weight_draws(outcomes, resamples, stream(1))
        estimates = population_estimates(outcomes, contrasts, draws, squares)
        paired = population_estimates(outcomes, pairs, draws, squares)

    p = estimates.p()
    if looks is None:
        nominal, adjusted = nominal_level(estimates, alpha, stream(2)), adjusted_p(estimates, stream(2))
        s_half = over_seeds.half_widths(nominal_level(over_seeds, alpha, stream(3)))
        s_intervals = [
            Interval(float(mean), float(mean - half), float(mean + half), seeds, level)
            for mean, half in zip(over_seeds.estimate, s_half, strict=True)
        ]
    else:
        seen = look_draws(looks, estimates, *_information(looks, squares, estimates, contrasts), stream(2))
        nominal = _nominal_at_look(looks, seen, alpha, len(contrasts))
        adjusted = seen.before + (seen.smallest[:, None] <= p).mean(axis=0)
        each = 1.0 - alpha / len(contrasts)  # Bonferroni: a confidence sequence each
        s_intervals = [confidence_sequence(scores[one] - scores[other], each) for one, other in contrasts]
    flips = sign_flips(scores[contrasts[:, 0]] - scores[at], resamples, stream(4))
    half = estimates.half_widths(nominal)
    # a forecast is about the looks to come, the last of which may err more often than this one
    ahead = nominal if looks is None else max(nominal, looks.left_for_last(alpha) / len(contrasts))
    if not in_p and not resplit_test:
        adjusted = flips.adjusted if looks is None else adjusted
    holm_p = holm(p) if np.isfinite(p).all() else p

    verdicts = []
    for index, recipe in enumerate(others):
        estimate, width = float(estimates.estimate[index]), float(half[index])
        interval = Interval(estimate, estimate - width, estimate + width, seeds, level)
        kind = _kind(interval, delta, seeds)
        components = _components(squares, contrasts[index : index + 1]) if squares is not None else None
        verdicts.append(
            Verdict(
                recipe=recipe,
                baseline=baseline,
                kind=kind,
                estimand="P" if in_p else "S",
                interval=interval,
                seeds_interval=s_intervals[index],
                p=float(p[index]),
                adjusted_p=float(adjusted[index]),
                holm_p=float(holm_p[index]),
                sign_flip_p=float("nan") if resplit_test else float(flips.adjusted[index]),
                effect_size=cohens_d(scores[contrasts[index, 0]] - scores[at]),
                probability=probability_of_improvement(
                    scores[contrasts[index, 0]], scores[at], level, resamples=min(resamples, 2_000), seed=seed
                ),
                smallest_effect=delta,
                components=components,
                settlement=_settlement(
                    kind, table, interval, delta, components, estimates, over_seeds, index, ahead, test_to_train
                ),
                seeds=seeds,
                rows=table.n_rows,
                metric=table.metric,
                in_points=table.is_share,
                greater_is_better=table.greater_is_better,
                resplit_test=resplit_test,
            )
        )
    ranks = ()
    if seeds >= FEWEST_SEEDS:
        ranks = rank_intervals(table.recipes, pairs, paired, nominal_level(paired, alpha, stream(5)))
    return Verdicts(
        baseline,
        tuple(verdicts),
        ranks,
        "P" if in_p else "S",
        level,
        delta,
        seeds,
        table.n_rows,
        table.metric,
        table.train_rows,
        None if looks is None else looks.taken(nominal),
    )


def _kind(interval: Interval, delta: float, seeds: int) -> Kind:
    if seeds < FEWEST_SEEDS:
        return "no verdict"
    if -delta < interval.low and interval.high < delta:
        return "no difference that matters"
    if interval.low > 0.0:
        return "helps"
    if interval.high < 0.0:
        return "hurts"
    return "not enough evidence"


def _smallest_effect(table: ScoreTable, baseline: int) -> float:
    if table.is_share:
        return HALF_A_POINT
    size = ONE_PERCENT * abs(float(table.scores[baseline].mean()))
    if size == 0.0:
        raise ValueError(
            f"the baseline's mean {table.metric} is 0, of which 1 % is no smallest effect. "
            "Say what matters: smallest_effect=…"
        )
    return size


def _components(squares: MeanSquares, contrast: np.ndarray) -> Components:
    seed, row, interaction = squares.components(contrast)
    return Components(float(seed[0]), float(row[0]), float(interaction[0]))


def _information(
    looks: Looks, squares: MeanSquares | None, estimates: Estimates, contrasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """1 / variance and degrees of freedom of each difference at each look so far, as seen from now."""
    information, df = [], []
    for seeds in looks.seeds[: len(looks.nominal) + 1]:
        if squares is None:
            information.append(np.full(len(contrasts), float(seeds)))
            df.append(np.full(len(contrasts), seeds - 1.0))
            continue
        parts = [_components(squares, contrasts[index : index + 1]) for index in range(len(contrasts))]
        variance = np.array([part.variance(seeds, squares.rows) for part in parts])
        information.append(np.where(variance > 0.0, 1.0 / np.where(variance > 0.0, variance, 1.0), float(seeds)))
        df.append(np.array([part.df(seeds, squares.rows) for part in parts]))
    return np.array(information), np.array(df)


def _nominal_at_look(looks: Looks, seen: LookDraws, alpha: float, contrasts: int) -> float:
    look = len(looks.nominal)
    due = looks.spent(alpha, look) - looks.spent(alpha, look - 1)
    if look == 0 and contrasts == 1:
        return due
    return float(np.quantile(seen.smallest, due, method="weibull"))


def _settlement(
    kind: Kind,
    table: ScoreTable,
    interval: Interval,
    delta: float,
    components: Components | None,
    estimates: Estimates,
    over_seeds: Estimates,
    index: int,
    nominal: float,
    test_to_train: float,
) -> Settlement | None:
    if kind != "not enough evidence":
        return None
    seeds = len(table.seeds)
    if components is not None and table.rows is not None:
        few = float(estimates.discordant[index])
        return settlement(interval.mean, delta, components, seeds, table.rows.shape[2], nominal, few)
    variance = float(over_seeds.standard_error[index] ** 2 / (1.0 / seeds + test_to_train))
    more = settling_seeds(interval.mean, delta, variance, seeds, nominal, test_to_train=test_to_train)
    return Settlement(more, None)


def _checked(
    table: ScoreTable,
    baseline: str,
    smallest_effect: float | None,
    level: float,
    resplit_test: bool,
    resamples: int,
    looks: Looks | None,
) -> list[str]:
    others = list(named_contrasts(table, baseline))
    if not others:
        raise ValueError(f"a verdict needs a recipe besides the baseline. Got {baseline!r} alone.")
    if smallest_effect is not None and not (np.isfinite(smallest_effect) and smallest_effect > 0.0):
        raise ValueError(f"smallest_effect must be above 0, in units of the score. Got {smallest_effect}.")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1). Got {level}.")
    if resamples < 100:
        raise ValueError(f"resamples must be 100 or more, for a quantile to be had. Got {resamples}.")
    if resplit_test and not (table.train_rows and table.n_rows):
        raise ValueError(
            "with resplit_test=True the table must say train_rows and test_rows, from which the variance is corrected. "
            f"Got train_rows={table.train_rows}, test_rows={table.n_rows}."
        )
    if looks is not None and resplit_test:
        raise ValueError("looks need test rows that stay the same. Got resplit_test=True; leave one of the two out.")
    if looks is not None and looks.now != len(table.seeds):
        raise ValueError(f"the look that is due has {looks.now} seeds. Got a table with {len(table.seeds)}.")
    return others


def in_words(verdict: Verdict) -> str:
    """A verdict as a person would say it; shares as percentage points, other scores in their own units."""
    write = _writer(verdict)
    low, high = verdict.interval.low, verdict.interval.high
    percent = f"{100 * verdict.interval.level:g} %"
    ground = f"{verdict.seeds} seed{'s' if verdict.seeds > 1 else ''}"
    if verdict.rows:
        ground += f", {verdict.rows:,} test rows" + (" drawn for each" if verdict.resplit_test else "")
    where = "" if verdict.estimand == "P" or verdict.resplit_test else " on these test rows"
    metric = verdict.metric.replace("_", " ")
    said = f"{write(verdict.estimate, True)} points" if verdict.in_points else f"{write(verdict.estimate, True)}"
    if verdict.kind in ("helps", "hurts"):
        if verdict.greater_is_better:
            size = f"{said} of test {metric}"
        else:
            turn = 1.0 if verdict.kind == "helps" else -1.0
            low, high = sorted((turn * low, turn * high))
            size = f"test {metric} {'lower' if turn > 0 else 'higher'} by {write(abs(verdict.estimate))}"
        interval = f"{percent} interval {write(low)} to {write(high)}"
        return f"{verdict.recipe} {verdict.kind}{where}: {size} ({interval}; {ground})"
    span = f"{write(verdict.estimate, True)}, {write(low)} to {write(high)}"
    if not verdict.greater_is_better:
        span = f"improvement in {metric} {span}"
    if verdict.kind == "no difference that matters":
        return f"{verdict.recipe}: {verdict.kind}{where} ({span}; {_smallest_in_words(verdict)} would)"
    if verdict.kind == "not enough evidence":
        return f"{verdict.recipe}: {verdict.kind}{where} ({span}); {_settlement_in_words(verdict)}"
    numbers = said if np.isnan(low) else f"{said}, {percent} interval {write(low)} to {write(high)}"
    if not verdict.greater_is_better:
        numbers = f"improvement in {metric} {numbers}"
    return f"{verdict.recipe}: no verdict from {ground} ({numbers}); a verdict needs {FEWEST_SEEDS} seeds"


def _writer(verdict: Verdict):
    """How this verdict's numbers are written: one digit of a percentage point, more where the interval is narrow."""
    scale = 100.0 if verdict.in_points else 1.0
    width = scale * (verdict.interval.high - verdict.interval.low)
    if not np.isfinite(width) or width <= 0.0:
        width = scale * verdict.smallest_effect
    digits = max(0, 1 - int(np.floor(np.log10(width))))
    if verdict.in_points:
        digits = min(max(1, digits if width < 0.5 else 1), 3)
    nearest = min(abs(scale * verdict.interval.low), abs(scale * verdict.interval.high))
    if verdict.kind in ("helps", "hurts"):
        while nearest > 0.0 and round(nearest, digits) == 0.0 and digits < 6:
            digits += 1  # an interval that leaves 0 out should not seem to touch it

    def write(value: float, signed: bool = False) -> str:
        rounded = round(scale * value, digits) + 0.0  # + 0.0: no "−0.0"
        text = f"{rounded:{'+' if signed and rounded else ''},.{digits}f}"
        return text.replace("-", "−")

    return write


def _smallest_in_words(verdict: Verdict) -> str:
    delta = verdict.smallest_effect
    if not verdict.in_points:
        return f"{delta:.3g}"
    points = 100.0 * delta
    said = "half a point" if abs(points - 0.5) < 1e-9 else f"{points:.3g} point{'' if points == 1.0 else 's'}"
    rows = verdict.smallest_effect_rows
    return said if rows is None else f"{said}, or {rows:,} row{'' if rows == 1 else 's'},"


def _settlement_in_words(verdict: Verdict) -> str:
    open_ = verdict.settlement
    assert open_ is not None
    seeds = f"about {_about(open_.seeds):,} more seed{'' if open_.seeds == 1 else 's'}" if open_.seeds else ""
    rows = f"about {_about(open_.rows):,} more test row{'' if open_.rows == 1 else 's'}" if open_.rows else ""
    if seeds and rows:
        return f"{seeds}, or {rows}, could settle this"
    if seeds:
        return f"{seeds} could settle this"
    if rows:
        return f"more seeds cannot settle this, {rows} could"
    if verdict.estimand == "S":
        return "more seeds cannot settle this"
    return "neither more seeds nor more test rows alone can settle this, both together could"


def _about(number: int) -> int:
    """Rounded to two significant digits: a forecast is no more exact than that.

    >>> _about(3141), _about(14), _about(1996)
    (3100, 14, 2000)
    """
    return int(float(f"{number:.2g}"))
