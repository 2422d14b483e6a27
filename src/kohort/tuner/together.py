"""The networks of a greedy ensemble together: what they predict, and one Keras model of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np

from kohort.errors import DataError
from kohort.parts.around import Around
from kohort.study.predicting import Predictions, Rows
from kohort.tuner.ensemble import Greedy
from kohort.tuner.finalists import Network
from kohort.tuner.setting import Setting


@dataclass(frozen=True, eq=False)
class Together:
    """The networks of a greedy ensemble.

    Attributes:
        setting: What they trained on.
        networks: The finalists' networks.
        greedy: How often each counts.
    """

    setting: Setting
    networks: Sequence[Network] = field(repr=False)
    greedy: Greedy

    @cached_property
    def _shares(self) -> np.ndarray:
        """How often each network counts, in the smallest whole numbers."""
        return self.greedy.counts // np.gcd.reduce(self.greedy.counts)

    @property
    def _chosen(self) -> list[Network]:
        return [network for network, share in zip(self.networks, self._shares, strict=True) if share]

    def predictions(self, rows: Rows = "test") -> Predictions:
        """What they predict; a network that counts several times is told as often.

        Args:
            rows: `"test"`, `"validation"` (of the search; they were chosen on it), or rows as `Dataset.x` holds them.

        Raises:
            DataError: They are neither, or not of the shape of `x`.
        """
        own, learnt = self.setting.material.splits[0], self.setting.material.targets[0]
        if isinstance(rows, str):
            if rows not in ("test", "validation"):
                raise DataError(f"rows must be 'test', 'validation' or an array. Got {rows!r}.")
            told = [getattr(network, rows) for network in self._chosen]
        else:
            inputs = self.setting.dataset.inputs_of(rows, own.train)
            told = [learnt.in_units(network.run.model().predict(inputs, verbose=0)) for network in self._chosen]
        shares = self._shares[self._shares > 0]
        each = np.repeat(np.stack(told), shares, axis=0)
        seeds = tuple(np.repeat([network.seed for network in self._chosen], shares).tolist())
        judged = isinstance(rows, str) and rows == "test"
        evaluation = self.setting.evaluation(own.test, each.mean(axis=0)) if judged else None
        return Predictions("greedy ensemble", seeds, each, self.setting.dataset.classes, evaluation)

    def model(self) -> Any:
        """One `keras.Model` that gives the mean of what the networks give, for rows as they see them; not compiled."""
        (leaf,) = self.setting.material.inputs.leaves
        rows = keras.Input(leaf.shape[1:], dtype=str(leaf.dtype))
        outputs = []
        for number, network in enumerate(self._chosen):
            model = network.run.model()
            while isinstance(model, Around):  # which trains the network within in another way, and predicts as it does
                model = model.network
            model.name = f"network_{number}"
            outputs.append(model(rows))
        counted = [outputs[number] for number in np.repeat(np.arange(len(outputs)), self._shares[self._shares > 0])]
        return keras.Model(rows, keras.layers.Average()(counted) if len(counted) > 1 else counted[0], name="ensemble")
