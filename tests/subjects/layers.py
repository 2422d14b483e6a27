"""Layers: each between a Dense that it must pass gradients to and a classifier that it must feed.

All train with plain SGD, under which rounding stays as small as it is. (Adam would turn a gradient that is nothing but
rounding, such as that of a bias before BatchNormalization, into whole steps.)
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.subjects.data import CLASSES, FILMS, IMAGES, LABELS, SEQUENCES, TOKENS, VECTORS, VOLUMES
from tests.subjects.subject import FIT, TRAINING, Options, Subject

Make = Callable[[], Any]


def classifier(stack: list[Any]) -> keras.Model:
    """Compiles a stack of layers with a linear classifier on top."""
    model = keras.Sequential([*stack, layers.Flatten(), layers.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def layer(feature: str, x: np.ndarray, make: Make, options: Options = TRAINING, **told: Any) -> Subject:
    """A row for one layer (or a list of them) on inputs of a given rank, behind a Dense over the last axis."""

    def build() -> keras.Model:
        first = layers.Embedding(10, 4) if x is TOKENS else layers.Dense(x.shape[-1])
        return classifier([layers.Input(x.shape[1:], dtype=x.dtype.name), first, *listed(make())])

    return Subject(feature, "layers", build, x, LABELS, options, slow=True, **told)


acting = partial(layer, options=FIT)
"""A row for a layer that acts otherwise in training than in validation, or has a state that is not trained."""


def first_layer(feature: str, x: np.ndarray, make: Make, options: Options = TRAINING, **told: Any) -> Subject:
    """A row for a layer that takes the data itself."""

    def build() -> keras.Model:
        return classifier([layers.Input(x.shape[1:], dtype=x.dtype.name), *listed(make())])

    return Subject(feature, "layers", build, x, LABELS, options, slow=True, **told)


def listed(made: Any) -> list[Any]:
    return made if isinstance(made, list) else [made]


def calling(
    feature: str, x: np.ndarray, join: Callable[[Any, Any], Any], options: Options = TRAINING, **told: Any
) -> Subject:
    """A row for a layer that is called with two tensors, each behind a Dense of its own."""

    def build() -> keras.Model:
        inputs = keras.Input(x.shape[1:])
        joined = join(layers.Dense(4)(inputs), layers.Dense(4)(inputs))
        model = keras.Model(inputs, layers.Dense(CLASSES)(layers.Flatten()(joined)))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
        return model

    return Subject(feature, "layers", build, x, LABELS, options, slow=True, **told)


CORE = (
    layer("Dense", VECTORS, lambda: layers.Dense(4, activation="relu")),
    layer("EinsumDense", SEQUENCES, lambda: layers.EinsumDense("abc,cd->abd", (6, 3), bias_axes="d")),
    layer("Embedding", TOKENS, list),
    layer("Lambda", VECTORS, lambda: layers.Lambda(lambda t: t * t)),
    layer("Activation", VECTORS, lambda: layers.Activation("gelu")),
    layer("ReLU, LeakyReLU and ELU", VECTORS, lambda: [layers.ReLU(6.0), layers.LeakyReLU(), layers.ELU()]),
    layer("PReLU", VECTORS, lambda: layers.PReLU(alpha_initializer="he_normal")),
    layer("Softmax", SEQUENCES, lambda: layers.Softmax(axis=1)),
    layer("Identity", VECTORS, layers.Identity),
)

CONVOLUTION = (
    layer("Conv1D", SEQUENCES, lambda: layers.Conv1D(3, 3, strides=2, padding="same")),
    layer("Conv1D, causal and dilated", SEQUENCES, lambda: layers.Conv1D(3, 2, dilation_rate=2, padding="causal")),
    layer("Conv2D", IMAGES, lambda: layers.Conv2D(3, 3, padding="same", activation="relu")),
    layer("Conv2D with strides", IMAGES, lambda: layers.Conv2D(3, 3, strides=(2, 1))),
    layer("Conv2D with groups", IMAGES, lambda: layers.Conv2D(4, 3, groups=2)),
    layer("Conv3D", VOLUMES, lambda: layers.Conv3D(3, 2)),
    layer("DepthwiseConv1D", SEQUENCES, lambda: layers.DepthwiseConv1D(3, depth_multiplier=2)),
    layer("DepthwiseConv2D", IMAGES, lambda: layers.DepthwiseConv2D(3, depth_multiplier=2)),
    layer("SeparableConv1D", SEQUENCES, lambda: layers.SeparableConv1D(3, 3)),
    layer("SeparableConv2D", IMAGES, lambda: layers.SeparableConv2D(3, 3)),
    layer("Conv1DTranspose", SEQUENCES, lambda: layers.Conv1DTranspose(3, 3, strides=2)),
    layer("Conv2DTranspose", IMAGES, lambda: layers.Conv2DTranspose(3, 3, strides=2)),
    layer("Conv3DTranspose", VOLUMES, lambda: layers.Conv3DTranspose(2, 2, strides=2)),
)

POOLING = (
    layer("MaxPooling1D", SEQUENCES, lambda: layers.MaxPooling1D(2)),
    layer("MaxPooling2D", IMAGES, lambda: layers.MaxPooling2D(3, strides=2, padding="same")),
    layer("MaxPooling3D", VOLUMES, lambda: layers.MaxPooling3D(2)),
    layer("AveragePooling1D", SEQUENCES, lambda: layers.AveragePooling1D(2)),
    layer("AveragePooling2D", IMAGES, lambda: layers.AveragePooling2D(3, strides=2, padding="same")),
    layer("AveragePooling3D", VOLUMES, lambda: layers.AveragePooling3D(2)),
    layer("GlobalMaxPooling1D", SEQUENCES, layers.GlobalMaxPooling1D),
    layer("GlobalMaxPooling2D", IMAGES, layers.GlobalMaxPooling2D),
    layer("GlobalMaxPooling3D", VOLUMES, layers.GlobalMaxPooling3D),
    layer("GlobalAveragePooling1D", SEQUENCES, layers.GlobalAveragePooling1D),
    layer("GlobalAveragePooling2D", IMAGES, layers.GlobalAveragePooling2D),
    layer("GlobalAveragePooling3D", VOLUMES, layers.GlobalAveragePooling3D),
    layer("AdaptiveAveragePooling2D", IMAGES, lambda: layers.AdaptiveAveragePooling2D(3)),
    layer("AdaptiveMaxPooling2D", IMAGES, lambda: layers.AdaptiveMaxPooling2D(3)),
)

NORMALISATION = (
    acting("BatchNormalization", VECTORS, lambda: layers.BatchNormalization(momentum=0.9)),
    acting("BatchNormalization of images", IMAGES, lambda: layers.BatchNormalization(momentum=0.9)),
    layer("LayerNormalization", SEQUENCES, layers.LayerNormalization),
    layer("RMSNormalization", SEQUENCES, layers.RMSNormalization),
    layer("GroupNormalization", SEQUENCES, lambda: layers.GroupNormalization(2)),
    layer("UnitNormalization", SEQUENCES, layers.UnitNormalization),
    acting("SpectralNormalization", VECTORS, lambda: layers.SpectralNormalization(layers.Dense(5), power_iterations=2)),
)

REGULARISATION = (
    acting("Dropout", VECTORS, lambda: layers.Dropout(0.4)),
    acting("Dropout with a seed and a noise shape", SEQUENCES, lambda: layers.Dropout(0.4, (None, 1, 4), seed=3)),
    acting("SpatialDropout1D", SEQUENCES, lambda: layers.SpatialDropout1D(0.4)),
    acting("SpatialDropout2D", IMAGES, lambda: layers.SpatialDropout2D(0.4)),
    acting("SpatialDropout3D", VOLUMES, lambda: layers.SpatialDropout3D(0.4)),
    acting("AlphaDropout", VECTORS, lambda: layers.AlphaDropout(0.4)),
    acting("GaussianDropout", VECTORS, lambda: layers.GaussianDropout(0.4)),
    acting("GaussianNoise", VECTORS, lambda: layers.GaussianNoise(0.4)),
    acting("ActivityRegularization", VECTORS, lambda: layers.ActivityRegularization(l1=0.01, l2=0.01)),
)


def two_directions() -> Any:
    """Forwards an LSTM, backwards a GRU, their outputs added."""
    backwards = layers.GRU(3, go_backwards=True)
    return layers.Bidirectional(layers.LSTM(3), backward_layer=backwards, merge_mode="sum")


def stateful() -> keras.Model:
    """Each batch begins with the state in which the last one ended, validation too."""
    return classifier([layers.Input((6, 4), batch_size=16), layers.LSTM(3, stateful=True)])


RECURRENCE = (
    layer("SimpleRNN", SEQUENCES, lambda: layers.SimpleRNN(3)),
    layer("LSTM", SEQUENCES, lambda: layers.LSTM(3)),
    acting("LSTM with dropout", SEQUENCES, lambda: layers.LSTM(3, dropout=0.3, recurrent_dropout=0.3)),
    layer("LSTM, unrolled", SEQUENCES, lambda: layers.LSTM(3, unroll=True, return_sequences=True)),
    layer("GRU", SEQUENCES, lambda: layers.GRU(3, return_sequences=True)),
    acting("GRU with dropout", SEQUENCES, lambda: layers.GRU(3, dropout=0.3, recurrent_dropout=0.3)),
    layer("GRU, backwards", SEQUENCES, lambda: layers.GRU(3, go_backwards=True, reset_after=False)),
    layer("Masking", SEQUENCES, lambda: [layers.ReLU(threshold=1.0), layers.Masking(), layers.LSTM(3)]),
    first_layer("Embedding with a mask", TOKENS, lambda: [layers.Embedding(10, 4, mask_zero=True), layers.GRU(3)]),
    acting("Bidirectional", SEQUENCES, lambda: layers.Bidirectional(layers.LSTM(3, dropout=0.2))),
    layer("Bidirectional, two layers of its own", SEQUENCES, two_directions),
    Subject("LSTM, stateful", "layers", stateful, SEQUENCES, LABELS, FIT, slow=True),
    layer("RNN of stacked cells", SEQUENCES, lambda: layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)])),
    layer("TimeDistributed", SEQUENCES, lambda: layers.TimeDistributed(layers.Dense(3, activation="tanh"))),
    layer("ConvLSTM1D", SEQUENCES[:, :, :, None], lambda: layers.ConvLSTM1D(2, 3)),
    acting("ConvLSTM2D", FILMS, lambda: layers.ConvLSTM2D(2, 3, dropout=0.2)),
    layer("RepeatVector", VECTORS, lambda: [layers.RepeatVector(3), layers.SimpleRNN(3)]),
)


ATTENTION = (
    calling("MultiHeadAttention", SEQUENCES, lambda a, b: layers.MultiHeadAttention(2, 3)(a, b)),
    calling(
        "MultiHeadAttention with dropout",
        SEQUENCES,
        lambda a, b: layers.MultiHeadAttention(2, 3, dropout=0.3)(a, b),
        options=FIT,
    ),
    calling(
        "MultiHeadAttention, causal",
        SEQUENCES,
        lambda a, b: layers.MultiHeadAttention(2, 3)(a, b, use_causal_mask=True),
    ),
    calling("GroupQueryAttention", SEQUENCES, lambda a, b: layers.GroupQueryAttention(3, 4, 2)(a, b)),
    calling("Attention", SEQUENCES, lambda a, b: layers.Attention(use_scale=True, dropout=0.2)([a, b]), options=FIT),
    calling("AdditiveAttention", SEQUENCES, lambda a, b: layers.AdditiveAttention()([a, b])),
)

RESHAPING = (
    layer("UpSampling1D", SEQUENCES, lambda: layers.UpSampling1D(2)),
    layer("UpSampling2D", IMAGES, lambda: layers.UpSampling2D(2)),
    layer("UpSampling2D, bilinear", IMAGES, lambda: layers.UpSampling2D(2, interpolation="bilinear")),
    layer("UpSampling3D", VOLUMES, lambda: layers.UpSampling3D(2)),
    layer("ZeroPadding1D", SEQUENCES, lambda: layers.ZeroPadding1D(1)),
    layer("ZeroPadding2D", IMAGES, lambda: layers.ZeroPadding2D(1)),
    layer("ZeroPadding3D", VOLUMES, lambda: layers.ZeroPadding3D(1)),
    layer("Cropping1D", SEQUENCES, lambda: layers.Cropping1D(1)),
    layer("Cropping2D", IMAGES, lambda: layers.Cropping2D(1)),
    layer("Cropping3D", VOLUMES, lambda: layers.Cropping3D(1)),
    layer("Reshape and Permute", SEQUENCES, lambda: [layers.Reshape((4, 6)), layers.Permute((2, 1)), layers.Dense(2)]),
    layer("Resizing", IMAGES, lambda: layers.Resizing(5, 5)),
    layer("CenterCrop", IMAGES, lambda: layers.CenterCrop(5, 5)),
)

MERGING = (
    calling("Add", VECTORS, lambda a, b: layers.Add()([a, b])),
    calling("Subtract", VECTORS, lambda a, b: layers.Subtract()([a, b])),
    calling("Multiply", VECTORS, lambda a, b: layers.Multiply()([a, b])),
    calling("Average", VECTORS, lambda a, b: layers.Average()([a, b])),
    calling("Maximum and Minimum", VECTORS, lambda a, b: layers.Minimum()([layers.Maximum()([a, b]), 2.0 * b])),
    calling("Concatenate", VECTORS, lambda a, b: layers.Concatenate()([a, b])),
    calling("Dot", VECTORS, lambda a, b: layers.Dot(1, normalize=True)([a, b])),
)

LAYERS = (
    *CORE,
    *CONVOLUTION,
    *POOLING,
    *NORMALISATION,
    *REGULARISATION,
    *RECURRENCE,
    *ATTENTION,
    *RESHAPING,
    *MERGING,
)
