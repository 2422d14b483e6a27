"""Sharpness-aware minimisation: the gradient at the worst place nearby."""

from typing import Any

import jax
import keras

from kohort.parts.around import Around


@keras.saving.register_keras_serializable(package="kohort")
class SharpnessAware(Around):
    """Steps by the gradient at θ + ρ·g/‖g‖, g being the gradient at θ (Foret et al. 2021), on the JAX backend.

    The loss and metrics of training are those at that place; statistics of BatchNormalization come from it, too.

    Args:
        network: A built network.
        rho: ρ, how far "nearby" reaches; 0.05 in the paper.
        **kwargs: Those of `keras.Model`.

    Raises:
        ValueError: ρ is below 0.
    """

    def __init__(self, network: keras.Model, rho: float = 0.05, **kwargs: Any):
        if not 0.0 <= rho < float("inf"):
            raise ValueError(f"rho must be a number of at least 0. Got {rho}.")
        super().__init__(network, **kwargs)
        self.rho = rho
        self.adopt()

    def compute_loss_and_updates(
        self, trainable_variables: Any, *others: Any, training: bool = False, **named: Any
    ) -> Any:
        """The loss at the worst place nearby; elsewhere than in training, the loss."""
        ordinary: Any = super().compute_loss_and_updates
        if not training:
            return ordinary(trainable_variables, *others, training=training, **named)

        def loss(weights: Any) -> Any:
            return ordinary(weights, *others, training=True, **named)[0]

        gradients = jax.grad(loss)(trainable_variables)
        squares = [keras.ops.sum(keras.ops.square(keras.ops.cast(g, "float32"))) for g in gradients]
        scale = self.rho / (keras.ops.sqrt(sum(squares)) + 1e-12)
        moved = [
            weight + jax.lax.stop_gradient(keras.ops.cast(scale, weight.dtype) * gradient)
            for weight, gradient in zip(trainable_variables, gradients, strict=True)
        ]
        return ordinary(moved, *others, training=True, **named)

    def get_config(self) -> dict[str, Any]:
        """What makes the same model again."""
        return super().get_config() | {"rho": self.rho}
