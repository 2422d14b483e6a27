"""What a study's runs say about its recipes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kohort.notebook import table_html
from kohort.run import Evaluation, Run
from kohort.statistics.intervals import Interval, mean_interval
from kohort.statistics.optimism import Regret, optimism, regret
from kohort.statistics.spending import Looks
from kohort.statistics.table import ScoreTable
from kohort.statistics.units import Units
from kohort.statistics.verdict import RESAMPLES, Verdict, Verdicts, judge

FEWEST_FOR_REGRET = 4  # seeds are halved, and a half needs two


@dataclass(frozen=True)
class RecipeSummary:
    """One recipe over its seeds. Scores are in the metric's own units: accuracies in [0, 1].

    Attributes:
        recipe: Its name.
        seeds: The seeds, in order.
        test: Test score of each run, with its final weights, in the order of the seeds.
        test_mean: Their mean, with Student's interval over seeds.
        test_spread: Their standard deviation, with denominator n − 1; NaN for one run.
        verdict: What is to be said of it against the baseline; None for the baseline, and where a run has no score.
        best_validation: The best epoch's validation score of each run, max(val_accuracy): what the textbook's loop
            prints; NaN where the metric was not logged.
        optimism: How much that promises above the run's own test score, mean over seeds; None where it was not logged.
        train: The training score in the last epoch of each run, as `fit` reports it: with dropout on.
        diverged: How many runs diverged. They count with the score that their weights have.
    """

    recipe: str
    seeds: tuple[int, ...]
    test: tuple[float, ...]
    test_mean: Interval
    test_spread: float
    verdict: Verdict | None
    best_validation: tuple[float, ...]
    optimism: Interval | None
    train: tuple[float, ...]
    diverged: int


@dataclass(frozen=True)
class Comparison:
    """Recipes side by side.

    Attributes:
        baseline: The recipe that the others are compared with.
        recipes: A summary of each, in the order of the study.
        test_rows: How many rows each test score is taken from.
        metric: What is measured.
        greater_is_better: Whether one wants it high.
        in_points: Whether scores are shares of 1, written as percentages.
        verdicts: All verdicts with the ranks; None where there is nothing to compare.
        regret: What choosing by the best validation epoch of one seed costs on fresh seeds; None where too few seeds,
            one recipe alone, or runs without a score leave it unknown.
    """

    baseline: str
    recipes: tuple[RecipeSummary, ...]
    test_rows: int
    metric: str
    greater_is_better: bool
    in_points: bool
    verdicts: Verdicts | None
    regret: Regret | None

    @property
    def names(self) -> list[str]:
        """The recipes' names, in the order of the study."""
        return [summary.recipe for summary in self.recipes]

    @property
    def units(self) -> Units:
        """How its scores are written."""
        return Units(self.metric, self.in_points)

    def _repr_html_(self) -> str:
        """A table for notebooks: mean and spread of each recipe, its improvement and the verdict."""
        units = self.units
        rows = []
        for own in self.recipes:
            scored = f"{units.score(own.test_mean.mean)} ± {units.score(own.test_spread)}"
            gap = ("", "") if own.verdict is None else (units.span(own.verdict.interval), own.verdict.kind)
            rows.append((own.recipe, scored, *gap))
        heads = ("recipe", f"test {units.heading}, mean ± sd", f"improvement on {self.baseline} (95 %)", "verdict")
        n = self.recipes[0].test_mean.n
        return table_html(heads, rows, f"{n} seed{'s' if n > 1 else ''}, {self.test_rows} test rows")

    @property
    def naive_pick(self) -> RecipeSummary:
        """The recipe that the textbook's loop would pick: best validation epoch of the first seed alone."""
        sign = 1.0 if self.greater_is_better else -1.0

        def promised(summary: RecipeSummary) -> float:
            value = sign * summary.best_validation[0]
            return -np.inf if np.isnan(value) else value

        return max(self.recipes, key=promised)

    @property
    def best(self) -> RecipeSummary:
        """The recipe with the best mean test score."""
        sign = 1.0 if self.greater_is_better else -1.0
        scored = [summary for summary in self.recipes if np.isfinite(summary.test_mean.mean)] or list(self.recipes)
        return max(scored, key=lambda summary: sign * summary.test_mean.mean)

    @property
    def unjudged(self) -> tuple[str, ...]:
        """Recipes of which no verdict can be given because a run of theirs has no finite score."""
        return tuple(summary.recipe for summary in self.recipes if not np.isfinite(summary.test).all())


def compare(
    runs: Mapping[tuple[str, int], Run],
    baseline: str,
    *,
    smallest_effect: float | None = None,
    looks: Looks | None = None,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Summarises runs that were tested, and judges each recipe against the baseline.

    Penalties are in no score: a test score is a metric of labels and predictions.

    Args:
        runs: (recipe, seed) -> run, each with `test`; every recipe with the same seeds.
        baseline: The name of a recipe among them.
        smallest_effect: The smallest effect that matters; see `judge`.
        looks: Where seeds came in rounds: the schedule, with the looks taken before this one.
        resamples: How many the verdicts come from; see `judge`.

    Raises:
        ValueError: The baseline has no runs, a run was not tested, or recipes ran with different seeds.
    """
    grouped: dict[str, dict[int, Run]] = {}
    for (recipe, seed), run in runs.items():
        grouped.setdefault(recipe, {})[seed] = run
    if baseline not in grouped:
        raise ValueError(f"the baseline must be one of {', '.join(grouped)}. Got {baseline!r}.")
    seeds = tuple(grouped[baseline])
    for name, own in grouped.items():
        if tuple(own) != seeds:
            raise ValueError(
                f"recipes must have run with the same seeds, in one order. "
                f"Got {seeds} of {baseline!r} and {tuple(own)} of {name!r}."
            )
    first = _test(next(iter(runs.values())))
    tests = {name: [_test(run) for run in own.values()] for name, own in grouped.items()}
    scores = {name: np.array([test.score for test in own]) for name, own in tests.items()}
    table = _table(tests, scores, seeds, baseline)
    verdicts = None
    if table is not None:
        verdicts = judge(table, baseline, smallest_effect=smallest_effect, looks=looks, resamples=resamples)
    summaries = tuple(
        _summary(name, own, scores[name], first, verdicts if name != baseline else None)
        for name, own in grouped.items()
    )
    known = np.concatenate(list(scores.values()))
    known = known[np.isfinite(known)]
    in_points = first.greater_is_better and bool(((known >= 0.0) & (known <= 1.0)).all())
    lost = _regret(summaries, first.greater_is_better)
    return Comparison(
        baseline, summaries, len(first.rows), first.metric, first.greater_is_better, in_points, verdicts, lost
    )


def _table(
    tests: Mapping[str, Sequence[Evaluation]], scores: Mapping[str, np.ndarray], seeds: tuple[int, ...], baseline: str
) -> ScoreTable | None:
    """The outcomes of the recipes whose runs all have a score; None where nothing is left to compare."""
    judged = [name for name, own in scores.items() if np.isfinite(own).all()]
    if baseline not in judged or len(judged) < 2:
        return None
    first = tests[baseline][0]
    rows = np.stack([np.stack([test.outcomes for test in tests[name]]) for name in judged])
    values = np.stack([scores[name] for name in judged])
    several = rows.shape[2] > 1
    return ScoreTable(
        tuple(judged), seeds, values, rows if several else None, first.metric, first.greater_is_better, None, None
    )


def _summary(
    name: str, own: Mapping[int, Run], test: np.ndarray, first: Evaluation, verdicts: Verdicts | None
) -> RecipeSummary:
    promised = np.array([_best(run, first) for run in own.values()])
    judged = {} if verdicts is None else {verdict.recipe: verdict for verdict in verdicts.verdicts}
    known = np.isfinite(promised).all() and np.isfinite(test).all()
    return RecipeSummary(
        recipe=name,
        seeds=tuple(own),
        test=tuple(map(float, test)),
        test_mean=_mean(test),
        test_spread=float(np.std(test, ddof=1)) if len(test) > 1 else float("nan"),
        verdict=judged.get(name),
        best_validation=tuple(map(float, promised)),
        optimism=optimism(promised, test, greater_is_better=first.greater_is_better) if known else None,
        train=tuple(float(run.history.get(first.metric, [float("nan")])[-1]) for run in own.values()),
        diverged=sum(not run.outcome.finished for run in own.values()),
    )


def _mean(values: np.ndarray) -> Interval:
    if np.isfinite(values).all():
        return mean_interval(values)
    return Interval(float("nan"), float("nan"), float("nan"), len(values))


def _regret(summaries: Sequence[RecipeSummary], greater_is_better: bool) -> Regret | None:
    promised = np.array([summary.best_validation for summary in summaries])
    test = np.array([summary.test for summary in summaries])
    if len(summaries) < 2 or test.shape[1] < FEWEST_FOR_REGRET:
        return None
    if not (np.isfinite(promised).all() and np.isfinite(test).all()):
        return None
    return regret(tuple(summary.recipe for summary in summaries), promised, test, greater_is_better=greater_is_better)


def _test(run: Run) -> Evaluation:
    if run.test is None:
        raise ValueError(f"each run must have been tested. Got one of recipe {run.recipe!r}, seed {run.seed}, without.")
    return run.test


def _best(run: Run, first: Evaluation) -> float:
    values = [value for value in run.history.get(f"val_{first.metric}", []) if np.isfinite(value)]
    return (max if first.greater_is_better else min)(values, default=float("nan"))
