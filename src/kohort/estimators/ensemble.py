"""Trained networks of one architecture that predict together, and travel as weights and a description."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import keras
import numpy as np

from kohort.data.dataset import Targets
from kohort.data.encoding import Encoding
from kohort.run import Run

ROWS_AT_ONCE = 128
"""Rows of a batch of predictions, the last filled up: one program for any number of rows, and no row's prediction
depends on how many others there are, to the last bit."""


@dataclass(frozen=True, eq=False)
class Network:
    """One network of an ensemble.

    Attributes:
        seed: The seed that it was trained with.
        weights: Its weights, as `model.get_weights()` orders them.
        encoding: How it sees rows.
        targets: How it learnt targets; without the targets themselves.
    """

    seed: int
    weights: tuple[np.ndarray, ...] = field(repr=False)
    encoding: Encoding = field(repr=False)
    targets: Targets = field(repr=False)


def network_of(run: Run, encoding: Encoding, targets: Targets) -> Network:
    """The network of a run.

    Args:
        run: The run.
        encoding: How it sees rows.
        targets: The targets as it learnt them.
    """
    assert run.seed is not None
    return Network(run.seed, tuple(run.weights), encoding, Targets(targets.values[:0], targets.centre, targets.spread))


class Ensemble:
    """Networks of one recipe.

    Pickled, it is weights and Keras' own description of the network, which is built again when it is first needed.

    Args:
        model: A model of their architecture.
        networks: The networks.
    """

    def __init__(self, model: keras.Model, networks: Sequence[Network]):
        self.networks = tuple(networks)
        self._model: keras.Model | None = model
        self._architecture = ""
        self._one_at_a_time = Lock()  # the networks take turns in one model

    def __getstate__(self) -> dict[str, Any]:
        return {"networks": self.networks, "_architecture": self._described()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _model=None, _one_at_a_time=Lock())

    def _described(self) -> str:
        return self._architecture if self._model is None else self._model.to_json()

    def model(self, network: Network) -> keras.Model:
        """A network as a Keras model of its own."""
        model = _built(self._described())
        model.set_weights(list(network.weights))
        return model

    def inputs(self, cells: np.ndarray) -> list[np.ndarray]:
        """Cells as each network sees them; one array where all see the same.

        Args:
            cells: As `Encoding` takes them.
        """
        seen: dict[int, np.ndarray] = {}
        for network in self.networks:
            if id(network.encoding) not in seen:
                seen[id(network.encoding)] = network.encoding(cells)
        return [seen[id(network.encoding)] for network in self.networks]

    def __call__(self, cells: np.ndarray) -> np.ndarray:
        """What the networks predict together.

        Args:
            cells: As `Encoding` takes them.

        Returns:
            The mean over networks of probabilities, or of numbers in units of the target, float64 of shape
            (rows, outputs).
        """
        total: Any = 0.0
        seen = self.inputs(cells)
        with self._one_at_a_time:
            if self._model is None:
                self._model = _built(self._architecture)
            for network, inputs in zip(self.networks, seen, strict=True):
                self._model.set_weights(list(network.weights))
                total = total + network.targets.in_units(_outputs(self._model, inputs)).astype(np.float64)
        return total / len(self.networks)


def _built(architecture: str) -> keras.Model:
    return keras.models.model_from_json(architecture)


def _outputs(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    spare = -len(inputs) % ROWS_AT_ONCE
    filled = np.concatenate([inputs, np.zeros((spare, *inputs.shape[1:]), inputs.dtype)])
    batches = [model.predict_on_batch(batch) for batch in np.split(filled, len(filled) // ROWS_AT_ONCE)]
    return np.concatenate(batches)[: len(inputs)]
