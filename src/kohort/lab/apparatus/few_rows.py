"""Few training rows, drawn anew for each seed, and many held out: where networks overfit, regularisers show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kohort.data.dataset import Dataset
from kohort.fitting import fit
from kohort.run import Run

MOST_HELD_OUT = 1000
"""Rows that judge: with so many an accuracy of 0.9 is known to a point."""


@dataclass(frozen=True, eq=False)
class FewRows:
    """The rows of one seed, as a network sees them.

    Attributes:
        x: Inputs to train on, of shape (rows, …).
        y: Their classes.
        held_x: Inputs that judge.
        held_y: Their classes.
    """

    x: np.ndarray
    y: np.ndarray
    held_x: np.ndarray
    held_y: np.ndarray

    def accuracy(self, probabilities: np.ndarray) -> float:
        """The share of the rows held out, or of all passes over them, that get the right class.

        Args:
            probabilities: Of shape (…, rows, classes).
        """
        return float(np.mean(probabilities.argmax(axis=-1) == self.held_y))

    def log_loss(self, probabilities: np.ndarray) -> float:
        """The mean cross-entropy on the rows held out, probabilities below 10⁻⁷ counting as 10⁻⁷, as in Keras.

        Args:
            probabilities: Of shape (…, rows, classes).
        """
        own = probabilities[..., np.arange(len(self.held_y)), self.held_y]
        return float(-np.log(np.maximum(own, 1e-7)).mean())

    def fit(self, recipes: Mapping[str, Any], **options: Any) -> Mapping[tuple[str, int], Run]:
        """Recipes trained on these rows and validated on those held out, the same program for all seeds' rows.

        Args:
            recipes: Builders of compiled models by name.
            **options: As `kohort.fit` takes them: `seeds`, `epochs`, `batch_size`, `callbacks`.
        """
        held_out = {"validation_data": (self.held_x, self.held_y), "validation_batch_size": len(self.held_y)}
        return fit(recipes, self.x, self.y, verbose=0, **held_out, **options)


def few_rows(dataset: Dataset, rows: int, seed: int) -> FewRows:
    """Draws training rows, of each class alike as far as they go, and those held out.

    Args:
        dataset: Where from; scaled by the training rows where it asks for that.
        rows: How many train.
        seed: Fixes the draw.
    """
    order = np.random.default_rng(seed).permutation(dataset.rows)
    place = np.empty(dataset.rows)
    for label in range(len(dataset.classes)):
        own = np.flatnonzero(dataset.y[order] == label)
        place[own] = (np.arange(len(own)) + 0.5) / len(own)  # how much of its class a row has before it
    order = order[np.argsort(place, kind="stable")]
    train, held_out = order[:rows], order[rows : rows + MOST_HELD_OUT]
    inputs = dataset.inputs(train)
    return FewRows(inputs[train], dataset.y[train], inputs[held_out], dataset.y[held_out])
