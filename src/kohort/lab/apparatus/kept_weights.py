"""Weights as they were at the end of some epochs: what no log tells can then be measured, and settings chosen by it."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from kohort.lab.apparatus.few_rows import FewRows
from kohort.lab.apparatus.sub_networks import Weights


class KeptWeights(keras.callbacks.Callback):
    """Keeps the weights at the end of some epochs.

    Args:
        epochs: Which, counted from 1.
    """

    def __init__(self, epochs: Sequence[int]):
        super().__init__()
        self.epochs = epochs
        self.kept: list[Weights] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps them if the epoch is one of these."""
        if epoch + 1 in self.epochs:
            model: Any = self.model
            self.kept.append(model.get_weights())


def weights_by_setting(
    rows: FewRows, recipes: Mapping[str, Any], *, seeds: Sequence[int], epochs: int, batch_size: int = 20
) -> list[list[Weights]]:
    """Networks by setting, a recipe and one of four epochs: after an eighth, a quarter, a half and all of the training.

    Args:
        rows: What to learn.
        recipes: Builders that differ in what is to be chosen, such as the learning rate.
        seeds: Of the networks of each recipe.
        epochs: How many there are.
        batch_size: Rows of a batch.

    Returns:
        For each setting the weights of each seed's network.
    """
    looks = [epochs // 8, epochs // 4, epochs // 2, epochs]
    options: dict[str, Any] = {"seeds": seeds, "epochs": epochs, "batch_size": batch_size, "validation_freq": epochs}
    runs = rows.fit(recipes, callbacks=lambda *_: [KeptWeights(looks)], **options)
    return [
        [runs[name, seed].callbacks[0].kept[look] for seed in seeds] for name in recipes for look in range(len(looks))
    ]
