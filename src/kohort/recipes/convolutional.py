"""Convolutional networks for images and sequences, with each technique as an argument."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from kohort.recipes.compiling import compiled
from kohort.recipes.design import Design, Problem
from kohort.recipes.networks import first_layers, head, through, told

SMALL_ENOUGH = 7  # positions along an axis; further halving leaves little to tell apart
FIRST_FILTERS = 16
MOST_FILTERS = 128


def cnn_network(
    problem: Problem,
    *,
    filters: Sequence[int] | None = None,
    kernel_size: int | None = None,
    dense: int = 64,
    sequence: bool | None = None,
    **block: Any,
) -> keras.Model:
    """A convolutional network that is not compiled yet.

    Blocks of convolution, normalisation if asked, activation, max pooling by two and spatial dropout if asked, until
    no axis is longer than 7; then a fully connected block, in which the other kinds of dropout act, and the output.
    Rows of one axis are sequences, of two images without colour unless `sequence` says otherwise, of three images
    (height, width, channels).

    Args:
        problem: What it is for.
        filters: Filters of each convolution; by default 16 and twice as many after each halving, as far as 128.
        kernel_size: Positions that a filter sees along an axis; by default 3 of an image and 5 of a sequence.
        dense: Units of the fully connected block.
        sequence: Whether rows of two axes are sequences (length, channels).
        **block: Fields of `Block` and `Augmentation`.
    """
    own, augmentation = told(problem, block)
    channels = len(problem.inputs) == 3 or (sequence and len(problem.inputs) == 2)
    shape = problem.inputs if channels else (*problem.inputs, 1)
    images = len(shape) == 3
    size = kernel_size or (3 if images else 5)
    convolution: Any = layers.Conv2D if images else layers.Conv1D
    pooling: Any = layers.MaxPooling2D if images else layers.MaxPooling1D
    dropout: Any = layers.SpatialDropout2D if images else layers.SpatialDropout1D
    quiet = own.without_noise()

    inputs = keras.Input(problem.inputs)
    x = through(first_layers(problem, own, augmentation, channel=not channels), inputs)
    for number in filters or _filters(shape):
        kernel = {"padding": "same", "kernel_initializer": own.initializer, **own.kernel(len(shape))}
        linear = convolution(number, size, use_bias=own.norm != "batch", **kernel)
        shortcut = convolution(number, 1, use_bias=False, **kernel)
        x = own.joined(x, [linear, *quiet.after(number)], shortcut)
        if min(x.shape[1:-1]) > 1:
            x = pooling(2)(x)
        if own.spatial_dropout:
            x = dropout(own.spatial_dropout)(x)
    x = through([layers.Flatten(), *own.dense(dense)], x)
    return keras.Model(inputs, through(head(problem, own), x))


def _filters(shape: Sequence[int]) -> list[int]:
    longest, filters = max(shape[:-1]), [FIRST_FILTERS]
    while (longest := longest // 2) > SMALL_ENOUGH:
        filters.append(min(2 * filters[-1], MOST_FILTERS))
    return filters


def cnn(
    inputs: Sequence[int], outputs: int, *, steps: int = 10_000, learning_rate: float = 1e-3, **arguments: Any
) -> keras.Model:
    """A compiled convolutional network: He initialisation, ReLU, Adam.

    Args:
        inputs: The shape of one row: (length,), (height, width) or (height, width, channels); with `sequence=True`
            also (length, channels).
        outputs: The number of classes; 1 for a regression.
        steps: Training steps to come, for the momentum of BatchNormalization.
        learning_rate: Adam's η; 0.001 is Keras' default.
        **arguments: Those of `cnn_network`: `filters=(16, 32)`, `spatial_dropout=0.2`, `norm="batch"`, …
    """
    problem = Problem(tuple(inputs), outputs, "regression" if outputs == 1 else "multiclass", steps, 1)
    return compiled(cnn_network(problem, **arguments), Design(rate=learning_rate), problem)
