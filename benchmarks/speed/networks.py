"""The tasks' networks in Keras, on whichever backend it runs."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from benchmarks.speed.tasks import Network


def builder(network: Network, steps_per_execution: int = 1) -> Callable[[], keras.Model]:
    """A function that returns the network, compiled."""

    def build() -> keras.Model:
        model = keras.Sequential([layers.Input(network.inputs), *_layers(network)])
        loss = "sparse_categorical_crossentropy"
        adam = keras.optimizers.Adam(0.001)
        model.compile(adam, loss, metrics=["accuracy"], steps_per_execution=steps_per_execution)
        return model

    return build


def _layers(network: Network) -> list[Any]:
    images = len(network.inputs) == 2
    convolution: Any = layers.Conv2D if images else layers.Conv1D
    pooling: Any = layers.MaxPooling2D if images else layers.MaxPooling1D
    spatial: Any = layers.SpatialDropout2D if images else layers.SpatialDropout1D
    own: dict[str, Any] = {"kernel_initializer": "he_normal", "use_bias": not network.batchnorm}
    if network.l2:
        own["kernel_regularizer"] = keras.regularizers.L2(network.l2)
    stack: list[Any] = [layers.Reshape((*network.inputs, 1))] if network.filters else []
    for filters in network.filters:
        stack.append(convolution(filters, 3 if images else 5, padding="same", **own))
        stack += [layers.BatchNormalization()] if network.batchnorm else []
        stack += [layers.Activation("relu"), pooling(2)]
        stack += [spatial(network.spatial_dropout)] if network.spatial_dropout else []
    stack += [layers.Flatten()] if network.filters else []
    for width in network.widths:
        stack.append(layers.Dense(width, **own))
        stack += [layers.BatchNormalization()] if network.batchnorm else []
        stack.append(layers.Activation("relu"))
        stack += [layers.Dropout(network.dropout)] if network.dropout else []
    return [*stack, layers.Dense(network.outputs, "softmax", kernel_initializer="he_normal")]
