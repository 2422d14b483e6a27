"""Networks for a problem, with each technique as an argument."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import keras
from keras import layers

from kohort.parts import MeanOfPasses, Passes
from kohort.recipes.augmentation import Augmentation
from kohort.recipes.blocks import Block
from kohort.recipes.compiling import compiled
from kohort.recipes.design import Design, Problem
from kohort.recipes.embedding import CategoryEmbedding


def mlp_network(
    problem: Problem,
    *,
    widths: Sequence[int] = (128, 64),
    width: int | None = None,
    depth: int | None = None,
    **block: Any,
) -> keras.Model:
    """A multi-layer perceptron that is not compiled yet.

    Each hidden block is Dense, then normalisation if asked (before the activation, as Ioffe & Szegedy 2015), the
    activation, and dropout if asked. The output is softmax with a unit per class, or linear.

    Args:
        problem: What it is for.
        widths: Units of the hidden layers; 128-64 is the textbook's network.
        width: Units of every hidden layer, instead of `widths`; 128 where only `depth` is told.
        depth: How many hidden layers of that width; 2 where only `width` is told.
        **block: Fields of `Block` and `Augmentation`.
    """
    if width is not None or depth is not None:
        widths = [width or 128] * (depth or 2)
    own, augmentation = told(problem, block)
    start = [*first_layers(problem, own, augmentation)]
    if len(problem.inputs) > 1:
        start.append(layers.Flatten())
    if problem.embedded:
        start.append(CategoryEmbedding(problem.embedded))
    if not own.skip:
        hidden = [layer for width in widths for layer in own.dense(width)]
        return keras.Sequential([layers.Input(problem.inputs), *start, *hidden, *head(problem, own)])
    inputs = keras.Input(problem.inputs)
    x = through(start, inputs)
    for width in widths:
        x = own.joined(x, own.dense(width), layers.Dense(width, use_bias=False, **own.kernel(1)))
    return keras.Model(inputs, through(head(problem, own), x))


def told(problem: Problem, arguments: dict[str, Any]) -> tuple[Block, Augmentation]:
    """What blocks are made of and how rows are changed, from the arguments of a network."""
    ahead = {field.name for field in fields(Augmentation)}
    block = {name: value for name, value in arguments.items() if name not in ahead}
    changed = {name: value for name, value in arguments.items() if name in ahead}
    return Block(steps=problem.steps, **block), Augmentation(**changed)


def first_layers(problem: Problem, block: Block, augmentation: Augmentation, channel: bool = False) -> list[Any]:
    """What comes before the first block.

    Args:
        problem: What the network is for.
        block: How its blocks are made.
        augmentation: How rows are changed.
        channel: Whether rows without channels get one in any case.
    """
    start: list[Any] = []
    if len(problem.inputs) < 3 and (channel or augmentation.of_images):
        start.append(layers.Reshape((*problem.inputs, 1)))
    start += augmentation.layers()
    return [*start, Passes(block.passes)] if block.monte_carlo_dropout else start


def head(problem: Problem, block: Block) -> list[Any]:
    """The last layers."""
    activation = "linear" if problem.task == "regression" else "softmax"
    last = layers.Dense(problem.outputs, activation=activation, **block.kernel(1))
    return [last, MeanOfPasses(block.passes)] if block.monte_carlo_dropout else [last]


def through(stack: Sequence[Any], x: Any) -> Any:
    """What a stack of layers makes of a symbolic input."""
    for layer in stack:
        x = layer(x)
    return x


def mlp(
    inputs: Sequence[int], outputs: int, *, steps: int = 10_000, learning_rate: float = 1e-3, **arguments: Any
) -> keras.Model:
    """A compiled multi-layer perceptron: He initialisation, ReLU, Adam.

    Args:
        inputs: The shape of one row.
        outputs: The number of classes; 1 for a regression.
        steps: Training steps to come, for the momentum of BatchNormalization.
        learning_rate: Adam's η; 0.001 is Keras' default.
        **arguments: Those of `mlp_network`: `widths=(128, 64)`, `dropout=0.3`, `l2=0.001`, `norm="batch"`, …

    >>> len(mlp((64,), 10, dropout=0.5).layers)
    7
    """
    problem = Problem(tuple(inputs), outputs, "regression" if outputs == 1 else "multiclass", steps, 1)
    return compiled(mlp_network(problem, **arguments), Design(rate=learning_rate), problem)
