"""Architectures that everybody knows from papers and Keras' own examples, written anew and made tiny."""

from typing import Any

import jax
import keras
from keras import layers

from tests.subjects.data import CLASSES, IMAGES, LABELS, NUMBERS, ROWS, SEQUENCES, TOKENS, VECTORS, YES
from tests.subjects.subject import FIT, Options, Subject

ops: Any = keras.ops  # whose annotations allow for None and for backends that are not there


def classifier(model: keras.Model, rate: float = 0.05) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate, 0.9), loss, metrics=["accuracy"])
    return model


def resnet() -> keras.Model:
    """Two residual blocks, the second of half the size behind a projection (He et al. 2016, v1)."""

    def block(x: Any, filters: int, stride: int) -> Any:
        shortcut = x
        if stride > 1:
            shortcut = layers.Conv2D(filters, 1, stride, use_bias=False)(x)
            shortcut = layers.BatchNormalization(momentum=0.9)(shortcut)
        x = layers.Conv2D(filters, 3, stride, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x) + shortcut)

    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    x = layers.GlobalAveragePooling2D()(block(block(x, 4, 1), 8, 2))
    return classifier(keras.Model(inputs, layers.Dense(CLASSES)(x)))


def mobilenet() -> keras.Model:
    """Depthwise and pointwise convolutions in turn (Howard et al. 2017)."""
    inputs = keras.Input((8, 8, 2))
    x = layers.Conv2D(4, 3, 2, "same", use_bias=False)(inputs)
    for filters, stride in ((6, 1), (8, 2)):
        x = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv2D(filters, 1, use_bias=False)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return classifier(keras.Model(inputs, layers.Flatten()(layers.Conv2D(CLASSES, 1)(x))))


def lstm_classifier() -> keras.Model:
    """Words, both directions, yes or no."""
    stack = [
        layers.Input((6,), dtype="int32"),
        layers.Embedding(10, 4, mask_zero=True),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True, dropout=0.2)),
        layers.Bidirectional(layers.LSTM(3)),
        layers.Dense(1, "sigmoid"),
    ]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


class Positions(layers.Layer):
    """Adds to each place of a sequence a vector that it learns."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(shape=input_shape[1:], initializer="uniform")
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        return inputs + self.table


def encoder(x: Any, heads: int, width: int, rate: float) -> Any:
    """One block of a Transformer's encoder, normalised after each part (Vaswani et al. 2017)."""
    seen = layers.Dropout(rate)(layers.MultiHeadAttention(heads, width // heads)(x, x))
    x = layers.LayerNormalization(epsilon=1e-6)(x + seen)
    thought = layers.Dense(width)(layers.Dense(2 * width, "relu")(x))
    return layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(rate)(thought))


def transformer() -> keras.Model:
    inputs = keras.Input((6,), dtype="int32")
    x = encoder(Positions()(layers.Embedding(10, 8)(inputs)), 2, 8, 0.1)
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    return classifier(keras.Model(inputs, layers.Dense(CLASSES)(x)))


def autoencoder() -> keras.Model:
    """Half the size and back, towards the picture itself."""
    stack = [
        layers.Input((8, 8, 2)),
        layers.Conv2D(4, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(2),
        layers.Conv2DTranspose(4, 3, strides=2, activation="relu", padding="same"),
        layers.Conv2D(2, 3, activation="sigmoid", padding="same"),
    ]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["mae"])
    return model


def tabular() -> keras.Model:
    """Numbers and two categories, each category with its embedding."""
    numbers: Any = keras.Input((6,), name="numbers")
    categories: Any = keras.Input((2,), dtype="int32", name="categories")
    first = layers.Flatten()(layers.Embedding(10, 3)(categories[:, :1]))
    second = layers.Flatten()(layers.Embedding(10, 2)(categories[:, 1:]))
    x = layers.Concatenate()([layers.BatchNormalization(momentum=0.9)(numbers), first, second])
    x = layers.Dropout(0.2)(layers.Dense(8, "gelu", use_bias=False)(x))
    model = keras.Model([numbers, categories], layers.Dense(1)(x))
    model.compile(keras.optimizers.AdamW(0.01, weight_decay=0.01), "mse", metrics=["mae"])
    return model


TABLE = {"numbers": VECTORS, "categories": TOKENS[:, :2]}


def contrastive(same: Any, distance: Any) -> Any:
    """Hadsell, Chopra & LeCun 2006: like pairs attract, others repel one another up to a margin of 1."""
    return ops.mean(same * ops.square(distance) + (1.0 - same) * ops.square(ops.relu(1.0 - distance)))


def siamese() -> keras.Model:
    """One base for both pictures; how far apart it puts them is the output."""
    base = keras.Sequential([layers.Conv2D(3, 3, activation="tanh"), layers.GlobalAveragePooling2D(), layers.Dense(4)])
    left, right = keras.Input((8, 8, 2)), keras.Input((8, 8, 2))
    apart = ops.sum(ops.square(base(left) - base(right)), axis=1, keepdims=True)
    model = keras.Model([left, right], ops.sqrt(ops.maximum(apart, 1e-7)))
    model.compile(keras.optimizers.SGD(0.1), contrastive)
    return model


class Sampling(layers.Layer):
    """Draws from the normal law of a code, and adds its divergence from the standard one to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator()

    def call(self, code: Any) -> Any:
        mean, log_variance = code
        divergence = ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance
        self.add_loss(0.5 * ops.mean(ops.sum(divergence, axis=1)))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.generator)


class Variational(keras.Model):
    """A variational autoencoder (Kingma & Welling 2014) with a training step of its own; it is given no targets."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(5, "tanh")
        self.mean = layers.Dense(2)
        self.log_variance = layers.Dense(2)
        self.sampling = Sampling()
        self.decoder = keras.Sequential([layers.Dense(5, "tanh"), layers.Dense(6, "sigmoid")])
        self.total = keras.metrics.Mean(name="total")

    def call(self, inputs: Any) -> Any:
        hidden = self.hidden(inputs)
        return self.decoder(self.sampling([self.mean(hidden), self.log_variance(hidden)]))

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, non_trainable, optimizer, metrics = state
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)

        def loss_of(trainable: Any, non_trainable: Any) -> Any:
            called: Any = self.stateless_call(trainable, non_trainable, x, return_losses=True)
            picture, non_trainable, losses = called
            misses = ops.mean(ops.sum(keras.losses.binary_crossentropy(x[..., None], picture[..., None]), axis=1))
            return misses + sum(losses), non_trainable

        (loss, non_trainable), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, non_trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        own = len(self.total.variables)
        position = next(i for i, variable in enumerate(self.metrics_variables) if variable is self.total.variables[0])
        total = self.total.stateless_update_state(metrics[position : position + own], loss)
        metrics = [*metrics[:position], *total, *metrics[position + own :]]
        return {"total": self.total.stateless_result(total)}, (trainable, non_trainable, optimizer, metrics)


def variational() -> keras.Model:
    model = Variational()
    model.compile(keras.optimizers.Adam(0.01))
    return model


def patches(inputs: Any, width: int) -> Any:
    """A picture of 8 × 8 as 4 patches of 4 × 4, each as a vector of `width` numbers."""
    return layers.Reshape((4, width))(layers.Conv2D(width, 4, strides=4)(inputs))


def vision_transformer() -> keras.Model:
    """Patches with positions through an encoder (Dosovitskiy et al. 2021)."""
    inputs = keras.Input((8, 8, 2))
    x = layers.Flatten()(encoder(Positions()(patches(inputs, 8)), 2, 8, 0.1))
    return classifier(keras.Model(inputs, layers.Dense(CLASSES)(x)))


def mixer() -> keras.Model:
    """Patches mix with one another, then their channels (Tolstikhin et al. 2021)."""
    inputs = keras.Input((8, 8, 2))
    x = patches(inputs, 6)
    across = layers.Permute((2, 1))(layers.LayerNormalization()(x))
    x = x + layers.Permute((2, 1))(layers.Dense(4)(layers.Dense(5, "gelu")(across)))
    x = x + layers.Dense(6)(layers.Dense(5, "gelu")(layers.LayerNormalization()(x)))
    return classifier(keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling1D()(x))))


def wavenet() -> keras.Model:
    """Causal convolutions that look twice as far in each block, gated (van den Oord et al. 2016)."""
    inputs = keras.Input((6, 4))
    x = layers.Conv1D(4, 2, padding="causal")(inputs)
    skipped = []
    for reach in (1, 2):
        gate = layers.Conv1D(4, 2, padding="causal", dilation_rate=reach, activation="sigmoid")(x)
        told = layers.Conv1D(4, 2, padding="causal", dilation_rate=reach, activation="tanh")(x) * gate
        skipped.append(layers.Conv1D(4, 1)(told))
        x = x + layers.Conv1D(4, 1)(told)
    last = layers.ReLU()(layers.Add()(skipped))[:, -1]
    return classifier(keras.Model(inputs, layers.Dense(CLASSES)(last)))


def unet() -> keras.Model:
    """Down, up, and across: a class for each pixel (Ronneberger et al. 2015)."""
    inputs = keras.Input((8, 8, 2))
    fine = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(fine))
    up = layers.UpSampling2D(2)(layers.SpatialDropout2D(0.2)(coarse))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.Concatenate()([up, fine]))
    return classifier(keras.Model(inputs, layers.Conv2D(CLASSES, 1)(x)))


BRIGHTEST = (IMAGES.sum(axis=-1) * 1.49).astype("int32")
"""A class of 0, 1 or 2 for each pixel, of shape (rows, 8, 8)."""


def sequence_to_sequence() -> keras.Model:
    """An LSTM reads, its state starts another, which answers (Sutskever et al. 2014)."""
    read, said = keras.Input((6,), dtype="int32"), keras.Input((6,), dtype="int32")
    _, *state = layers.LSTM(4, return_state=True)(layers.Embedding(10, 3)(read))
    answer = layers.LSTM(4, return_sequences=True)(layers.Embedding(10, 3)(said), initial_state=state)
    return classifier(keras.Model([read, said], layers.Dense(10)(answer)), 0.2)


def public(feature: str, build: Any, x: Any, y: Any, options: Options = FIT, **told: Any) -> Subject:
    return Subject(feature, "public", build, x, y, options, slow=True, **told)


assert ROWS % 2 == 0

PUBLIC = (
    public("ResNet", resnet, IMAGES, LABELS),
    public("MobileNet", mobilenet, IMAGES, LABELS),
    public("Text classification with bidirectional LSTM", lstm_classifier, TOKENS, YES),
    public("Text classification with a Transformer", transformer, TOKENS, LABELS),
    public("Vision Transformer", vision_transformer, IMAGES, LABELS),
    public("MLP-Mixer", mixer, IMAGES, LABELS),
    public("WaveNet", wavenet, SEQUENCES, LABELS),
    public("U-Net", unet, IMAGES, BRIGHTEST),
    public("Convolutional autoencoder", autoencoder, IMAGES, IMAGES),
    public("Variational autoencoder", variational, VECTORS, None, options={"batch_size": 16, "epochs": 2}),
    public("Siamese network, contrastive loss", siamese, [IMAGES, IMAGES[::-1].copy()], YES),
    public("Tabular data with embeddings", tabular, TABLE, NUMBERS),
    public("Sequence to sequence", sequence_to_sequence, [TOKENS, TOKENS[:, ::-1].copy()], TOKENS[::-1].copy()),
)
