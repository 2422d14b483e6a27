"""What a study's runs say about its recipes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kohort.run import Run
from kohort.statistics.intervals import Interval, mean_interval
from kohort.statistics.paired import paired_difference


@dataclass(frozen=True)
class RecipeSummary:
    """One recipe over its seeds. Accuracies are in [0, 1].

    Attributes:
        recipe: Its name.
        seeds: The seeds, in order.
        test: Test accuracy of each run, with its final weights, in the order of the seeds.
        test_mean: Their mean, with Student's interval over seeds.
        test_spread: Their standard deviation, with denominator n − 1; NaN for one run.
        difference: Test accuracy minus the baseline's, paired by seed; None for the baseline.
        best_validation: max(val_accuracy) over epochs of each run: what the textbook's loop prints.
        train: Training accuracy in the last epoch of each run, as `fit` reports it: with dropout on.
        diverged: How many runs diverged. They count with the accuracy that their weights have.
    """

    recipe: str
    seeds: tuple[int, ...]
    test: tuple[float, ...]
    test_mean: Interval
    test_spread: float
    difference: Interval | None
    best_validation: tuple[float, ...]
    train: tuple[float, ...]
    diverged: int


@dataclass(frozen=True)
class Comparison:
    """Recipes side by side.

    Attributes:
        baseline: The recipe that the others are compared with.
        recipes: A summary of each, in the order of the study.
        test_rows: How many rows each test accuracy is a share of.
    """

    baseline: str
    recipes: tuple[RecipeSummary, ...]
    test_rows: int

    @property
    def naive_pick(self) -> RecipeSummary:
        """The recipe that the textbook's loop would pick: best validation epoch of the first seed alone."""
        return max(self.recipes, key=lambda summary: summary.best_validation[0])


def compare(runs: Mapping[tuple[str, int], Run], baseline: str) -> Comparison:
    """Summarises runs that were tested.

    Args:
        runs: (recipe, seed) -> run, each with `test` and a `val_accuracy` in its history.
        baseline: The name of a recipe among them.

    Raises:
        ValueError: The baseline has no runs, or a run was not tested.
    """
    grouped: dict[str, dict[int, Run]] = {}
    for (recipe, seed), run in runs.items():
        grouped.setdefault(recipe, {})[seed] = run
    if baseline not in grouped:
        raise ValueError(f"the baseline must be one of {', '.join(grouped)}. Got {baseline!r}.")
    scores = {name: {seed: _accuracy(run) for seed, run in own.items()} for name, own in grouped.items()}
    summaries = []
    for name, own in grouped.items():
        test = tuple(scores[name].values())
        summaries.append(
            RecipeSummary(
                recipe=name,
                seeds=tuple(own),
                test=test,
                test_mean=mean_interval(test),
                test_spread=float(np.std(test, ddof=1)) if len(test) > 1 else float("nan"),
                difference=None if name == baseline else paired_difference(scores[name], scores[baseline]),
                best_validation=tuple(_best(run.history["val_accuracy"]) for run in own.values()),
                train=tuple(run.history["accuracy"][-1] for run in own.values()),
                diverged=sum(not run.outcome.finished for run in own.values()),
            )
        )
    first = next(iter(runs.values())).test
    assert first is not None
    return Comparison(baseline, tuple(summaries), len(first.rows))


def _accuracy(run: Run) -> float:
    if run.test is None:
        raise ValueError(f"each run must have been tested. Got one of recipe {run.recipe!r}, seed {run.seed}, without.")
    return run.test.score


def _best(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return max(finite) if finite else float("nan")
