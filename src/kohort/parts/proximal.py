"""L1 that reaches exact zeros: the proximal step (soft thresholding) after an optimiser's own."""

from collections.abc import Sequence
from typing import Any

import keras

from kohort.parts.wrapper import OptimizerWrapper

SPARED = ("bias", "gamma", "beta")


@keras.saving.register_keras_serializable(package="kohort")
class Proximal(OptimizerWrapper):
    """After each step, W ← sign(W)·max(|W| − η·λ, 0): proximal gradient descent on loss + λ·‖W‖₁.

    The subgradient of λ‖W‖₁ that a kernel regulariser adds moves weights by ±η·λ and steps over 0 again and again, so
    none is ever exactly 0; the proximal step stops there (Daubechies et al. 2004, ISTA; Parikh & Boyd 2014, section
    6.5.2; for adaptive optimisers Duchi et al. 2011, section 4.1). η is the inner optimiser's rate at that step. With
    plain SGD the stationary points are those of loss + λ‖W‖₁; with Adam, whose steps are scaled weight by weight, all
    weights are thresholded by the same η·λ nevertheless, as Loshchilov & Hutter (2019) decay all weights alike.

    Args:
        inner_optimizer: Any Keras optimiser.
        l1: λ, at least 0.
        spared: Words in the names of variables that are left alone; biases and the scales and shifts of
            normalisations by default.
        name: Its name.

    Raises:
        ValueError: λ is below 0.
    """

    def __init__(self, inner_optimizer: Any, l1: float = 1e-4, spared: Sequence[str] = SPARED, name: str | None = None):
        if not 0.0 <= l1 < float("inf"):
            raise ValueError(f"l1 must be a number of at least 0. Got {l1}.")
        super().__init__(inner_optimizer, name)
        self.l1, self.spared = l1, tuple(spared)

    def before(self, grads: Any, variables: list[Any]) -> None:
        """Notes the rate of the step to come; a schedule's rate has moved on after it."""
        self._threshold = keras.ops.cast(self.learning_rate, "float32") * self.l1

    def after(self, variables: list[Any]) -> None:
        """Thresholds the kernels."""
        for variable in variables:
            if not any(word in variable.name for word in self.spared):
                size = keras.ops.abs(variable) - keras.ops.cast(self._threshold, variable.dtype)
                variable.assign(keras.ops.sign(variable) * keras.ops.relu(size))

    def get_config(self) -> dict[str, Any]:
        """What makes the same optimiser again."""
        return super().get_config() | {"l1": self.l1, "spared": list(self.spared)}
