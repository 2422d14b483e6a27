"""Networks under test, each a builder of a compiled model for 64 features and 10 classes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers

from kohort.recipes.networks import mlp

Builder = Callable[[], keras.Model]

TEXTBOOK: dict[str, Builder] = {
    "none": partial(mlp, (64,), 10, l2=0.0),
    "l2": partial(mlp, (64,), 10, l2=1e-3),
    "dropout": partial(mlp, (64,), 10, dropout=0.3),
    "batchnorm": partial(mlp, (64,), 10, norm="batch"),
}


def small(
    rate: float = 0.0,
    l2: float = 0.0,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    smoothing: float = 0.0,
    width: int = 16,
) -> keras.Model:
    """A network of one hidden layer whose every strength is an argument; labels must be one-hot."""
    stack: list[Any] = [
        layers.Input((64,)),
        layers.Dense(width, activation="relu", kernel_regularizer=keras.regularizers.L2(l2)),
    ]
    if rate:
        stack.append(layers.Dropout(rate))
    stack.append(layers.Dense(10, activation="softmax"))
    model = keras.Sequential(stack)
    model.compile(
        optimizer=keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=smoothing),
        metrics=["accuracy"],
    )
    return model
