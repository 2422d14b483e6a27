"""What the same runs would have cost one after another by `model.fit`, timed on a few epochs of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import keras
import numpy as np

from kohort.recipes.recipe import Recipe
from kohort.run import FitPace

EPOCHS = 3
"""Epochs that are timed: the first compiles, the others tell the pace."""

MOST = 8
"""Recipes that are timed; of more, some that are spread evenly, and the others take the mean of these."""


@dataclass(frozen=True)
class OnRows:
    """What `fit` is given.

    Attributes:
        training: (x, y) to train on.
        validation: (x, y) to validate with.
        batch_size: Rows of a batch.
        seed: What is seeded with.
    """

    training: tuple[Any, Any]
    validation: tuple[Any, Any]
    batch_size: int
    seed: int


class _Clock(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.ends.append(time.perf_counter())


def paces(recipes: Sequence[Recipe], rows: OnRows) -> Mapping[str, FitPace]:
    """The pace of `fit` of each recipe, as the textbook's loop would use it: built, compiled, trained and validated.

    Args:
        recipes: The recipes.
        rows: What they train on.
    """
    every = -(-len(recipes) // MOST)
    timed = {recipe.name: pace(recipe, rows) for recipe in recipes[::every]}
    mean = FitPace(*(float(np.mean([getattr(own, name) for own in timed.values()])) for name in ("first", "epoch")))
    return {recipe.name: timed.get(recipe.name, mean) for recipe in recipes}


def pace(recipe: Recipe, rows: OnRows) -> FitPace:
    """The pace of `fit` of one recipe."""
    clock = _Clock()
    started = time.perf_counter()
    keras.utils.set_random_seed(rows.seed)
    model = recipe.build()
    model.fit(
        *rows.training,
        batch_size=rows.batch_size,
        epochs=EPOCHS,
        validation_data=rows.validation,
        verbose=cast(Any, 0),
        callbacks=[*(make() for make in recipe.callbacks), clock],
    )
    first = clock.ends[0] - started
    later = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]
    return FitPace(first, float(np.median(later)) if later else first)
