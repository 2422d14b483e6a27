"""What the blocks of all networks have in common: how kernels begin and are kept small, what follows a linear map."""

from dataclasses import dataclass, replace
from math import gcd
from typing import Any, Literal

import keras
from keras import layers

from kohort.parts import MonteCarloDropout, PreciseBatchNormalization

Norm = Literal["batch", "layer", "group"]
Tensor = Any


def batchnorm_momentum(steps: int) -> float:
    """A momentum for BatchNormalization's running statistics that suits so many training steps.

    The statistics start at mean 0 and variance 1 and keep momentum^t of that after t steps. Keras' default 0.99
    suits thousands of steps; after 30 it still keeps 74 %. Here no more than a hundredth is kept after a tenth of the
    training, and 0.99 is the largest.

    >>> round(batchnorm_momentum(1800), 3), batchnorm_momentum(100_000)
    (0.975, 0.99)
    """
    return min(0.99, 0.01 ** (10.0 / max(steps, 10)))


@dataclass(frozen=True)
class Block:
    """How a hidden block is made: a linear map, then normalisation, activation and noise, each where it is asked for.

    Attributes:
        activation: What follows the normalisation.
        initializer: How kernels begin; He's suits ReLU (He et al. 2015).
        l1: λ of Keras' penalty λ·‖W‖₁ on every kernel, or None for no penalty.
        l2: λ of Keras' penalty λ·‖W‖², or None. The textbook's λ/2·‖W‖² is this with half of its λ.
        max_norm: The largest norm of a unit's incoming weights, or None.
        norm: What is normalised: each unit over the batch, each row over its units, or over groups of them.
        groups: How many groups; the next smaller number that divides the units is taken.
        dropout: The fraction of units set to 0 in each training step.
        spatial_dropout: The fraction of channels set to 0 after each convolution.
        gaussian_dropout: The rate of multiplicative normal noise.
        gaussian_noise: The standard deviation of additive normal noise.
        alpha_dropout: The rate of dropout that keeps SELU's mean and variance.
        monte_carlo_dropout: The rate of dropout that is at work in prediction, too.
        passes: Over how many passes predictions are then the mean.
        skip: Whether a block's input is added to its output.
        stochastic_depth: The fraction of rows for which a block is left out and its input alone goes on, in training.
        precise_from: From which training step on the statistics of BatchNormalization are those of all rows seen since;
            None: they are running averages.
        steps: Training steps to come, for the momentum of BatchNormalization.
    """

    activation: str = "relu"
    initializer: str = "he_normal"
    l1: float | None = None
    l2: float | None = None
    max_norm: float | None = None
    norm: Norm | None = None
    groups: int = 8
    dropout: float = 0.0
    spatial_dropout: float = 0.0
    gaussian_dropout: float = 0.0
    gaussian_noise: float = 0.0
    alpha_dropout: float = 0.0
    monte_carlo_dropout: float = 0.0
    passes: int = 20
    skip: bool = False
    stochastic_depth: float = 0.0
    precise_from: int | None = None
    steps: int = 10_000

    @property
    def penalty(self) -> Any:
        """The penalty on kernels."""
        if self.l1 is None:
            return None if self.l2 is None else keras.regularizers.L2(self.l2)
        return keras.regularizers.L1(self.l1) if self.l2 is None else keras.regularizers.L1L2(self.l1, self.l2)

    def kernel(self, axes: int) -> dict[str, Any]:
        """What a linear layer is told of its kernel.

        Args:
            axes: How many axes of the kernel lead into a unit: 1 of a dense layer, 3 of a convolution of images.
        """
        constraint: Any = keras.constraints.MaxNorm
        kept = constraint(self.max_norm, axis=list(range(axes))) if self.max_norm else None
        return {"kernel_regularizer": self.penalty, "kernel_constraint": kept}

    def without_noise(self) -> "Block":
        """The same without noise after the activation, for convolutions, which spatial dropout suits better."""
        quiet = ("dropout", "gaussian_dropout", "gaussian_noise", "alpha_dropout", "monte_carlo_dropout")
        return replace(self, **dict.fromkeys(quiet, 0.0))

    def dense(self, units: int) -> list[Any]:
        """The layers of a fully connected block."""
        linear = layers.Dense(
            units, kernel_initializer=self.initializer, use_bias=self.norm != "batch", **self.kernel(1)
        )
        return [linear, *self.after(units)]

    def after(self, units: int) -> list[Any]:
        """What follows a linear map of so many units, but for spatial dropout."""
        noise = {
            layers.GaussianNoise: self.gaussian_noise,
            layers.GaussianDropout: self.gaussian_dropout,
            layers.AlphaDropout: self.alpha_dropout,
            layers.Dropout: self.dropout,
            MonteCarloDropout: self.monte_carlo_dropout,
        }
        return [
            *self.normalisation(units),
            layers.Activation(self.activation),
            *(layer(strength) for layer, strength in noise.items() if strength),
        ]

    def normalisation(self, units: int) -> list[Any]:
        """The normalisation of pre-activations, where there is one."""
        if self.norm == "batch":
            momentum = batchnorm_momentum(self.steps)
            if self.precise_from is not None:
                return [PreciseBatchNormalization(self.precise_from, momentum=momentum)]
            return [layers.BatchNormalization(momentum=momentum)]
        if self.norm == "layer":
            return [layers.LayerNormalization()]
        return [layers.GroupNormalization(gcd(self.groups, units))] if self.norm == "group" else []

    def joined(self, x: Tensor, block: list[Any], shortcut: Any) -> Tensor:
        """A block's output for a symbolic input, with the input added where `skip` says so.

        Args:
            x: The input.
            block: The layers.
            shortcut: A linear layer that gives the input the shape of the output where they differ.
        """
        out = x
        for layer in block:
            out = layer(out)
        if not self.skip:
            return out
        if self.stochastic_depth:
            out = layers.Dropout(self.stochastic_depth, noise_shape=(None, *[1] * (len(out.shape) - 1)))(out)
        return layers.add([out, x if out.shape == x.shape else shortcut(x)])
