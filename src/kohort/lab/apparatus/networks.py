"""Small networks of four kinds, in which what a claim speaks of is an argument; compiled, ready for `fit`."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers

Normalisation = Callable[[], keras.layers.Layer] | None


def perceptron(
    optimizer: Any,
    *,
    inputs: int = 64,
    outputs: int = 10,
    widths: Sequence[int] = (128, 64),
    norm: Normalisation = None,
    norm_after_activation: bool = False,
    activation: str = "relu",
    initializer: Any = "he_normal",
    penalty: Any = None,
    dropout: float = 0.0,
) -> keras.Model:
    """Dense blocks: product, normalisation, activation, dropout; the chapter's network unless told otherwise.

    Args:
        optimizer: As `model.compile` takes it.
        inputs: Numbers of a row.
        outputs: Classes.
        widths: Units of the hidden layers.
        norm: Makes the normalisation of each block; none if None.
        norm_after_activation: Whether it stands after the activation rather than before.
        activation: Of the hidden layers.
        initializer: Of all kernels.
        penalty: The regulariser of all kernels.
        dropout: The share of hidden units that are dropped.
    """
    stack: list[Any] = [layers.Input((inputs,))]
    for width in widths:
        stack.append(
            layers.Dense(
                width,
                use_bias=norm is None or norm_after_activation,
                kernel_initializer=initializer,
                kernel_regularizer=penalty,
            )
        )
        inner = [layers.Activation(activation)]
        if norm is not None:
            inner.insert(int(norm_after_activation), norm())
        stack += inner
        if dropout:
            stack.append(layers.Dropout(dropout))
    stack.append(
        layers.Dense(outputs, activation="softmax", kernel_initializer=initializer, kernel_regularizer=penalty)
    )
    return compiled(keras.Sequential(stack), optimizer)


def convolutional(
    optimizer: Any,
    *,
    inputs: tuple[int, int] = (8, 8),
    outputs: int = 10,
    filters: Sequence[int] = (16, 32),
    norm: Normalisation = None,
    noise: Callable[[], keras.layers.Layer] | None = None,
    first: Sequence[keras.layers.Layer] = (),
) -> keras.Model:
    """Blocks of 3 × 3 convolution, normalisation, ReLU, noise; pooling between them, the mean of each map at the end.

    Args:
        optimizer: As `model.compile` takes it.
        inputs: Height and width of an image of one channel.
        outputs: Classes.
        filters: Maps of each block.
        norm: Makes the normalisation of each block.
        noise: Makes what stands after each activation: a dropout.
        first: Layers before the first block: augmentation.
    """
    stack: list[Any] = [layers.Input(inputs), layers.Reshape((*inputs, 1)), *first]
    for place, count in enumerate(filters):
        if place:
            stack.append(layers.MaxPooling2D())
        stack.append(layers.Conv2D(count, 3, padding="same", use_bias=norm is None, kernel_initializer="he_normal"))
        if norm is not None:
            stack.append(norm())
        stack.append(layers.Activation("relu"))
        if noise is not None:
            stack.append(noise())
    stack += [layers.GlobalAveragePooling2D(), layers.Dense(outputs, activation="softmax")]
    return compiled(keras.Sequential(stack), optimizer)


def transformer(
    optimizer: Any,
    *,
    inputs: int = 40,
    outputs: int = 10,
    tokens: int = 10,
    width: int = 32,
    heads: int = 4,
    blocks: int = 2,
    norm: Callable[[], keras.layers.Layer] | None = None,
    norm_first: bool = True,
) -> keras.Model:
    """A small Transformer encoder (Vaswani et al. 2017) on a row that is cut into tokens.

    Args:
        optimizer: As `model.compile` takes it.
        inputs: Numbers of a row; a multiple of `tokens`.
        outputs: Classes.
        tokens: Pieces of a row.
        width: Numbers of a token inside.
        heads: Of the attention.
        blocks: Of attention and perceptron.
        norm: Makes the normalisations; LayerNormalization if None.
        norm_first: Whether they stand before attention and perceptron (Xiong et al. 2020) or after the sums.
    """
    make = layers.LayerNormalization if norm is None else norm
    row = keras.Input((inputs,))
    x = Places()(layers.Dense(width)(layers.Reshape((tokens, inputs // tokens))(row)))
    for _ in range(blocks):
        attention = layers.MultiHeadAttention(heads, width // heads)
        inner, outer = layers.Dense(2 * width, activation="gelu"), layers.Dense(width)
        if norm_first:
            told = make()(x)
            x = x + attention(told, told)
            x = x + outer(inner(make()(x)))
        else:
            x = make()(x + attention(x, x))
            x = make()(x + outer(inner(x)))
    x = layers.GlobalAveragePooling1D()(make()(x) if norm_first else x)
    return compiled(keras.Model(row, layers.Dense(outputs, activation="softmax")(x)), optimizer)


@keras.saving.register_keras_serializable("kohort")
class Places(keras.layers.Layer):
    """Adds to each token what is learnt of its place; without it attention does not know the order of tokens."""

    def build(self, input_shape: Any) -> None:
        """Makes a vector for each place."""
        self.places = self.add_weight(shape=input_shape[1:], initializer="random_normal", name="places")

    def call(self, inputs: Any) -> Any:
        """The tokens, of shape (batch, tokens, width), and their places."""
        return inputs + self.places


def recurrent(
    optimizer: Any,
    *,
    inputs: int = 40,
    outputs: int = 10,
    steps: int = 10,
    units: int = 32,
    norm: Normalisation = None,
) -> keras.Model:
    """An LSTM over a row that is cut into steps, its input and its last state normalised if asked.

    Args:
        optimizer: As `model.compile` takes it.
        inputs: Numbers of a row; a multiple of `steps`.
        outputs: Classes.
        steps: Pieces of a row.
        units: Of the LSTM.
        norm: Makes the normalisations.
    """
    stack: list[Any] = [layers.Input((inputs,)), layers.Reshape((steps, inputs // steps)), layers.Dense(units)]
    if norm is not None:
        stack.append(norm())
    stack.append(layers.LSTM(units))
    if norm is not None:
        stack.append(norm())
    stack.append(layers.Dense(outputs, activation="softmax"))
    return compiled(keras.Sequential(stack), optimizer)


def compiled(model: keras.Model, optimizer: Any) -> keras.Model:
    """A classifier, compiled with accuracy."""
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
