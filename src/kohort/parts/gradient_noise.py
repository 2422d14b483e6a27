"""Gaussian noise on gradients, which fades as training goes on."""

from typing import Any

import keras

from kohort.parts.wrapper import OptimizerWrapper


@keras.saving.register_keras_serializable(package="kohort")
class GradientNoise(OptimizerWrapper):
    """Adds to each gradient a normal number of variance η/(1 + t)^γ at step t (Neelakantan et al. 2015).

    Args:
        inner_optimizer: Any Keras optimiser.
        eta: η, above or at 0; the paper tries 0.01, 0.3 and 1.
        gamma: γ; 0.55 in the paper.
        seed: Fixes the noise; drawn as Keras draws seeds if None.
        name: Its name.

    Raises:
        ValueError: η is below 0.
    """

    def __init__(
        self,
        inner_optimizer: Any,
        eta: float = 0.01,
        gamma: float = 0.55,
        seed: int | None = None,
        name: str | None = None,
    ):
        if not 0.0 <= eta < float("inf"):
            raise ValueError(f"eta must be a number of at least 0. Got {eta}.")
        super().__init__(inner_optimizer, name)
        self.eta, self.gamma, self.seed = eta, gamma, seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, variables: Any) -> None:
        """Takes the generator's state among the optimiser's variables, so that a compiled step carries it on."""
        if not self.built:
            self._track_variable(self.generator.state)
        super().build(variables)

    def changed(self, grads: Any, variables: list[Any]) -> list[Any]:
        """The gradients with noise."""
        step = keras.ops.cast(self.iterations, "float32")
        spread = keras.ops.sqrt(self.eta / keras.ops.power(1.0 + step, self.gamma))
        return [
            gradient
            if gradient is None
            else gradient + keras.ops.cast(spread, gradient.dtype) * self._normal(gradient.shape, gradient.dtype)
            for gradient in grads
        ]

    def _normal(self, shape: Any, dtype: Any) -> Any:
        return keras.random.normal(shape, dtype=keras.backend.standardize_dtype(dtype), seed=self.generator)

    def get_config(self) -> dict[str, Any]:
        """What makes the same optimiser again."""
        return super().get_config() | {"eta": self.eta, "gamma": self.gamma, "seed": self.seed}
