"""What experiments share: recipes on a dataset with splits of their own for each seed, and their logs as arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kohort.data.dataset import Dataset
from kohort.errors import KohortError
from kohort.lab.claim import Scale
from kohort.run import Run
from kohort.study.study import Study

Runs = Mapping[tuple[str, int], Run]


def trained(
    recipes: Mapping[str, Any] | list[str], dataset: Dataset, scale: Scale, *, epochs: int, **options: Any
) -> Runs:
    """Recipes trained under all seeds of an experiment: each seed has a training and validation part of its own.

    Args:
        recipes: Builders of compiled models by name, or recipes as texts.
        dataset: What to learn.
        scale: How many seeds.
        epochs: Passes over the training rows.
        **options: As `kohort.Study` takes them: `batch_size`, `network`, `metric`.

    Raises:
        KohortError: A run could not be trained; one that diverged has ended like any other.
    """
    result = Study(recipes, dataset, seeds=scale.seeds, epochs=epochs, **options).run(verbose=0)
    if result.unfinished:
        raise KohortError(f"every run of an experiment must train. Got {result.unfinished[0]}.")
    return result.runs


def of_each(runs: Runs, recipe: str, number: Callable[[Run], Any]) -> np.ndarray:
    """Something of each run of a recipe, in the order of the seeds: of shape (seeds,), or (seeds, …)."""
    return np.array([number(run) for (name, _), run in runs.items() if name == recipe], np.float64)


def curve(runs: Runs, recipe: str, log: str = "val_accuracy") -> np.ndarray:
    """A log of a recipe by epoch, of shape (seeds, epochs)."""
    return of_each(runs, recipe, lambda run: run.history[log])


def weights_of(runs: Runs, recipe: str) -> np.ndarray:
    """All weights of each run after its last epoch, side by side, of shape (seeds, weights)."""
    return of_each(runs, recipe, lambda run: np.concatenate([own.ravel() for own in run.weights]))


def tested(runs: Runs, recipe: str) -> np.ndarray:
    """The score of each run's final weights on the test rows, of shape (seeds,)."""
    return of_each(runs, recipe, lambda run: np.nan if run.test is None else run.test.score)


def first_below(losses: np.ndarray, target: float) -> np.ndarray:
    """The first epoch, from 1, at whose end a loss is at most the target; one more than there were where it never is.

    Args:
        losses: Of shape (seeds, epochs).
        target: The loss to reach.

    >>> first_below(np.array([[0.9, 0.4, 0.2], [0.9, 0.8, 0.7]]), 0.5)
    array([2., 4.])
    """
    reached = losses <= target
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, losses.shape[1] + 1.0)
