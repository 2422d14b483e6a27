"""Networks for a dataset, with each technique as an argument."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers


def batchnorm_momentum(steps: int) -> float:
    """A momentum for BatchNormalization's running statistics that suits so many training steps.

    The statistics start at mean 0 and variance 1 and keep momentum^t of that after t steps. Keras' default 0.99
    suits thousands of steps; after 30 it still keeps 74 %. Here no more than a hundredth is kept after a tenth of the
    training, and 0.99 is the largest.

    >>> round(batchnorm_momentum(1800), 3), batchnorm_momentum(100_000)
    (0.975, 0.99)
    """
    return min(0.99, 0.01 ** (10.0 / max(steps, 10)))


def mlp(
    inputs: Sequence[int],
    classes: int,
    *,
    widths: Sequence[int] = (128, 64),
    l2: float | None = None,
    dropout: float = 0.0,
    batchnorm: bool = False,
    steps: int = 10_000,
    learning_rate: float = 1e-3,
) -> keras.Model:
    """A compiled multi-layer perceptron for classification: He initialisation, ReLU, Adam.

    Each hidden block is Dense, then BatchNormalization if asked (before the activation, as Ioffe & Szegedy 2015), then
    ReLU, then Dropout if asked.

    Args:
        inputs: The shape of one row.
        classes: The number of classes, at least 2.
        widths: Units of the hidden layers; 128-64 is the textbook's network.
        l2: λ of Keras' penalty λ·‖W‖² on every kernel, or None for no penalty. The textbook's λ/2·‖W‖² is this with
            half of its λ. A penalty of 0 changes no number and lets all λ, 0 among them, share one compiled program.
        dropout: The fraction p of the hidden units set to 0 in each training step, in [0, 1).
        batchnorm: Normalise the pre-activations over the batch. The Dense layer before has no bias then: the
            normalisation subtracts it again.
        steps: Training steps to come, for the momentum of the running statistics.
        learning_rate: Adam's η; 0.001 is Keras' default.
    """
    penalty = None if l2 is None else keras.regularizers.L2(l2)
    momentum = batchnorm_momentum(steps)
    stack: list[Any] = [layers.Input(tuple(inputs))]
    if len(inputs) > 1:
        stack.append(layers.Flatten())
    for width in widths:
        stack.append(
            layers.Dense(width, kernel_initializer="he_normal", kernel_regularizer=penalty, use_bias=not batchnorm)
        )
        if batchnorm:
            stack.append(layers.BatchNormalization(momentum=momentum))
        stack.append(layers.Activation("relu"))
        if dropout:
            stack.append(layers.Dropout(dropout))
    stack.append(layers.Dense(classes, activation="softmax", kernel_regularizer=penalty))
    model = keras.Sequential(stack)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
