"""Adam's two limits beside what they should be: RMSprop where there is no first moment, momentum with one divisor."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers import SGD, Adam, RMSprop

from kohort.data import named
from kohort.fitting import fit
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.apparatus.training import weights_of
from kohort.lab.claim import Scale

TINY = 1e-30
"""In the place of Adam's and RMSprop's ε, so that neither matters."""

HUGE = 1e5
"""An ε beside which no gradient counts, so that all weights have the same divisor."""


def adam_limits(scale: Scale) -> dict[str, np.ndarray]:
    """The relative difference of trained weights: of Adam from RMSprop and momentum, as it is and in its limits."""
    data = named("wdbc")
    x = ((data.x - data.x.mean(axis=0)) / data.x.std(axis=0))[:512]
    root: Any = BiasOf(0.003, 0.999, 0.5)
    undone: Any = BiasOf(0.1 * HUGE, 0.9, 1.0)
    optimisers: dict[str, Callable[[], Any]] = {
        "Adam": lambda: Adam(0.003),
        "Adam, β1 = 0": lambda: Adam(0.003, beta_1=0.0, epsilon=TINY),
        "RMSprop": lambda: RMSprop(root, rho=0.999, epsilon=TINY),
        "Adam, same divisor": lambda: Adam(undone, beta_2=0.0, epsilon=HUGE),
        "momentum": lambda: SGD(0.01, momentum=0.9),
    }

    def network(optimiser: Callable[[], Any]) -> keras.Model:
        return perceptron(
            optimiser(), inputs=30, outputs=2, widths=(16,), activation="tanh", initializer="glorot_uniform"
        )

    runs = fit(
        {name: partial(network, own) for name, own in optimisers.items()},
        x.astype(np.float32),
        data.y[:512],
        seeds=scale.seeds,
        epochs=scale.of(20, 5),
        verbose=0,
    )

    def apart(one: str, other: str) -> np.ndarray:
        reference = weights_of(runs, other)
        return np.linalg.norm(weights_of(runs, one) - reference, axis=1) / np.linalg.norm(reference, axis=1)

    return {
        "Adam and RMSprop": apart("Adam", "RMSprop"),
        "Adam with β1 = 0 and RMSprop": apart("Adam, β1 = 0", "RMSprop"),
        "Adam and momentum": apart("Adam", "momentum"),
        "Adam with one divisor and momentum": apart("Adam, same divisor", "momentum"),
    }


@keras.saving.register_keras_serializable("kohort.lab")
class BiasOf(keras.optimizers.schedules.LearningRateSchedule):
    """rate·(1 − βᵗ)^power at the update t, from 1: the factor by which Adam corrects a moving mean's bias.

    Args:
        rate: The rate that it approaches.
        beta: The mean's β.
        power: ½ for the correction of a second moment, 1 to undo that of a first.
    """

    def __init__(self, rate: float, beta: float, power: float):
        super().__init__()
        self.rate, self.beta, self.power = rate, beta, power

    def __call__(self, step: Any) -> Any:
        """The rate at a step, counted from 0."""
        now: Any = ops.cast(step, "float32")
        left: Any = ops.power(1.0 - self.beta ** (now + 1.0), self.power)
        return self.rate * left

    def get_config(self) -> dict[str, Any]:
        """What makes the same schedule again."""
        return {"rate": self.rate, "beta": self.beta, "power": self.power}
