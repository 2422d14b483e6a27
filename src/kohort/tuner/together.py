"""The networks of a greedy ensemble together: what they predict, and one Keras model of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import keras
import numpy as np

from kohort.parts.around import predicting
from kohort.study.predicting import Predictions, Rows, check_rows
from kohort.tuner.ensemble import Greedy
from kohort.tuner.finalists import Network
from kohort.tuner.setting import Setting

T = TypeVar("T")


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
    def _counted(self) -> list[tuple[Network, int]]:
        """The networks that were chosen, and how often each counts, in the smallest whole numbers."""
        shares = self.greedy.counts // np.gcd.reduce(self.greedy.counts)
        return [(network, int(share)) for network, share in zip(self.networks, shares, strict=True) if share]

    def predictions(self, rows: Rows = "test") -> Predictions:
        """What they predict; a network that counts several times is told as often.

        Args:
            rows: `"test"`, `"validation"` (of the search; they were chosen on it), or rows as `Dataset.x` holds them.

        Raises:
            DataError: They are neither, or not of the shape of `x`.
        """
        check_rows(rows)
        own, learnt = self.setting.material.splits[0], self.setting.material.targets[0]
        if isinstance(rows, str):
            told = [getattr(network, rows) for network, _ in self._counted]
        else:
            inputs = self.setting.dataset.inputs_of(rows, own.train)
            told = [learnt.in_units(network.run.model().predict(inputs, verbose=0)) for network, _ in self._counted]
        each = np.stack(self._repeated(told))
        seeds = tuple(self._repeated([network.seed for network, _ in self._counted]))
        judged = isinstance(rows, str) and rows == "test"
        evaluation = self.setting.evaluation(own.test, each.mean(axis=0)) if judged else None
        return Predictions("greedy ensemble", seeds, each, self.setting.dataset.classes, evaluation)

    def model(self) -> Any:
        """One `keras.Model` that gives the mean of what the networks give, for rows as they see them; not compiled."""
        (leaf,) = self.setting.material.inputs.leaves
        rows = keras.Input(leaf.shape[1:], dtype=str(leaf.dtype))
        outputs = []
        for number, (network, _) in enumerate(self._counted):
            model = predicting(network.run.model())
            model.name = f"network_{number}"
            outputs.append(model(rows))
        counted = self._repeated(outputs)
        return keras.Model(rows, keras.layers.Average()(counted) if len(counted) > 1 else counted[0], name="ensemble")

    def _repeated(self, values: Sequence[T]) -> list[T]:
        """A value of each network that was chosen, as often as the network counts."""
        return [value for value, (_, share) in zip(values, self._counted, strict=True) for _ in range(share)]
