"""Seeing for oneself: members of a cohort beside plain `fit`, and which recipes share a program."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import keras
import numpy as np

from kohort.cohort.arrays import fit_arrays
from kohort.cohort.callbacks import copies
from kohort.cohort.capture import check_can_train, check_compiled
from kohort.cohort.groups import obstacle
from kohort.cohort.members import Training, build_member, keras_randomness_restored
from kohort.cohort.order import Course, Data
from kohort.cohort.reasons import in_words
from kohort.errors import DataError
from kohort.fitting import fit
from kohort.recipes.recipe import as_recipes
from kohort.runtime import check_backend
from kohort.seeds import as_seeds
from kohort.training import Request

FIRST_EPOCH = 1e-5
"""How far a loss may be off after the first epoch, relative to its size (at least 1): some steps of rounding."""

LATER = 1e-3
"""The same later on, and for weights: each step starts from the rounding of the one before."""


@dataclass(frozen=True)
class Beside:
    """One member beside plain `fit`.

    Attributes:
        recipe: The recipe's name.
        seed: The seed.
        epochs: Epochs trained, in the cohort and by `fit`.
        loss: For each epoch, the largest difference of a loss, relative to its size (at least 1).
        metrics: For each epoch, the largest difference of another log; 0 where there is none.
        weights: For each epoch, the largest difference of a weight, relative to the largest of its array (at least 1).
    """

    recipe: str
    seed: int
    epochs: tuple[int, int]
    loss: tuple[float, ...]
    metrics: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def parts_at(self) -> int | None:
        """The first epoch, counted from 1, that differs by more than rounding; None if none does."""
        for number, (loss, weights) in enumerate(zip(self.loss, self.weights, strict=True), start=1):
            if not (loss <= (FIRST_EPOCH if number == 1 else LATER) and weights <= LATER):
                return number
        return None if self.epochs[0] == self.epochs[1] else min(self.epochs) + 1

    @property
    def verdict(self) -> str:
        """In words."""
        if self.parts_at is None:
            return "the same, to rounding"
        if self.parts_at == 1:
            return "DIFFERENT from the first epoch"
        return f"the same to rounding until epoch {self.parts_at - 1}, then rounding has grown"


@dataclass(frozen=True)
class Check:
    """Members beside `fit`; printing it gives a table.

    Attributes:
        members: Who was compared.
    """

    members: tuple[Beside, ...]

    @property
    def passed(self) -> bool:
        """Whether every member began as `fit` does and stopped when it does, or parted only where rounding grew."""
        return all(member.parts_at is None or member.parts_at > 1 for member in self.members)

    def __str__(self) -> str:
        head = ("recipe", "seed", "epochs", "loss, epoch 1", "loss, worst", "metrics, worst", "weights, worst", "")
        rows = [
            (
                own.recipe,
                str(own.seed),
                str(own.epochs[0]) if own.epochs[0] == own.epochs[1] else f"{own.epochs[0]} / {own.epochs[1]}",
                f"{own.loss[0]:.1e}" if own.loss else "–",
                *(f"{max(values, default=0.0):.1e}" for values in (own.loss, own.metrics, own.weights)),
                own.verdict,
            )
            for own in self.members
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        told = "every member is what fit gives" if self.passed else "NOT every member is what fit gives"
        return "\n".join([*(line.rstrip() for line in lines), "", f"{len(self.members)} members beside fit: {told}."])


class _Remembers(keras.callbacks.Callback):
    """Keeps the weights of each epoch."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.weights: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model: Any = self.model
        self.weights.append([np.array(values) for values in model.get_weights()])


def check_against_fit(
    recipes: Any,
    x: Any,
    y: Any = None,
    *,
    members: int = 1,
    seeds: int | Iterable[int] | None = None,
    callbacks: Any = None,
    devices: int | None = None,
    **arguments: Any,
) -> Check:
    """Trains recipes in cohorts and some of their members again by plain `fit`, and shows how far they are apart.

    Args:
        recipes: As for `kohort.fit`; models that are given are cloned.
        x: As for `kohort.fit`; a stream must be one that can be read again.
        y: As for `kohort.fit`.
        members: How many seeds of each recipe to train again.
        seeds: The seeds to train in cohorts; as many as `members` if None.
        callbacks: As for `kohort.fit`.
        devices: As for `kohort.fit`.
        **arguments: The other arguments of `fit`: `epochs`, `batch_size`, `validation_split`, …

    Returns:
        What differs by epoch, and a verdict for each member; print it for a table.

    Raises:
        KohortError: As `kohort.fit`.

    >>> print(kohort.check_against_fit(recipes, x, y, members=2, epochs=5))  # doctest: +SKIP
    """
    check_backend()
    if not isinstance(members, int | np.integer) or isinstance(members, bool) or members < 1:
        raise DataError(f"members must be a whole number of at least 1. Got {members!r}.")
    if isinstance(x, Generator):
        raise DataError("a generator can be read only once. Got one as x. Pass arrays, or a keras.utils.PyDataset.")
    asked, _ = as_recipes(recipes)
    wanted = as_seeds(members if seeds is None else seeds)
    if members > len(wanted):
        raise DataError(f"members must not be more than the seeds. Got members={members} and {len(wanted)} seeds.")
    again = wanted[:members]
    fits = {name: value for name, value in arguments.items() if name != "on_unsupported"}

    def heard(recipe: str, seed: int | None) -> list[Any]:
        return [*copies(callbacks, recipe, seed, ()), _Remembers()]

    given = {recipe.name: recipe.given or recipe.build for recipe in asked}
    runs = fit(given, x, y, seeds=wanted, callbacks=heard, devices=devices, **{**arguments, "verbose": 0})
    beside = []
    for recipe in asked:
        for seed in again:
            with keras_randomness_restored():
                keras.utils.set_random_seed(seed)
                model = recipe.build()
                own = [*copies(callbacks, f"{recipe.name}-by-fit", seed, ()), _Remembers()]
                model.fit(x, y, callbacks=own, **{**fits, "verbose": 0})
            run = runs[recipe.name, seed]
            beside.append(_beside(run, model.history.history, run.callbacks[-1].weights, own[-1].weights))
    return Check(tuple(beside))


def _beside(run: Any, theirs: Mapping[str, list[float]], own_weights: Any, their_weights: Any) -> Beside:
    """Compares a run with what `fit` gave."""
    if sorted(run.history) != sorted(theirs):
        raise DataError(f"recipe {run.recipe!r} logs {sorted(run.history)} in a cohort and {sorted(theirs)} by fit.")
    logs = {name: (run.history[name], values) for name, values in theirs.items()}
    losses = {name: pair for name, pair in logs.items() if name.endswith("loss")}
    others = {name: pair for name, pair in logs.items() if name not in losses}
    epochs = len(own_weights), len(their_weights)
    weights = [
        max((_gap(a, b) for a, b in zip(ours, fits, strict=True)), default=0.0)
        for ours, fits in zip(own_weights, their_weights, strict=False)
    ]
    shown = len(weights)
    return Beside(
        run.recipe, run.seed, epochs, _by_epoch(losses, shown), _by_epoch(others, shown), tuple(map(float, weights))
    )


def _by_epoch(logs: Mapping[str, tuple[list[float], list[float]]], epochs: int) -> tuple[float, ...]:
    """For each epoch the largest gap; logs of validation are those of the last epochs where some have none."""
    gaps = [0.0] * epochs
    for ours, theirs in logs.values():
        pairs = list(zip(ours, theirs, strict=False))
        for number, (a, b) in enumerate(pairs):
            epoch = number if len(pairs) == epochs else min(epochs - 1, (number + 1) * epochs // len(pairs) - 1)
            gaps[epoch] = max(gaps[epoch], _gap(np.asarray(a), np.asarray(b)))
    return tuple(gaps)


def _gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference relative to the largest value (at least 1); infinite where only one is not finite."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if not a.size:
        return 0.0
    finite = np.isfinite(a) & np.isfinite(b)
    if (np.isfinite(a) != np.isfinite(b)).any():
        return float("inf")
    if not finite.any():
        return 0.0
    return float(np.abs(a[finite] - b[finite]).max() / max(1.0, np.abs(b[finite]).max()))


def why_separate(recipes: Any, x: Any, y: Any = None, *, batch_size: int = 32) -> dict[tuple[str, str], str]:
    """For any two recipes, why they do or do not train as one program.

    Args:
        recipes: A mapping of at least two names to builders or compiled models, as for `kohort.fit`.
        x: Arrays to train on, as for `kohort.fit`; some rows are enough.
        y: Targets, alike.
        batch_size: Rows of a batch.

    Returns:
        For each pair of names a sentence or two.

    Raises:
        KohortError: A recipe does not build or cannot be trained in a cohort.

    >>> kohort.why_separate(recipes, x, y)["dropout", "none"]  # doctest: +SKIP
    'dropout and none are separate programs: dropout has Dropout after layer 1 (Dense), none has not. …'
    """
    check_backend()
    asked, _ = as_recipes(recipes)
    if len(asked) < 2:
        raise DataError(f"there must be two recipes to compare. Got {len(asked)}.")
    arrays, _ = fit_arrays(x, y)
    size = min(batch_size, arrays.rows)
    options = Training(arrays.picked(slice(0, size)), size, False)
    request = Request(options, Data(options.arrays, None), Course(1))
    built = []
    for recipe in asked:
        if recipe.given is not None:
            check_compiled(recipe.given, recipe.name)
            check_can_train(recipe.given, recipe.name)
        with keras_randomness_restored():
            model, _ = build_member(recipe.build, recipe.name, 0, options)
        built.append((recipe.name, model, request.trace(recipe.name, model)))
    return {
        (a, b): in_words(own, other, (a, b), obstacle(traced, others))
        for (a, own, traced), (b, other, others) in combinations(built, 2)
    }
