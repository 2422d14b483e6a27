"""Layers that prepare and augment data inside the model."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.subjects.data import CLASSES, LABELS, PHOTOS, TOKENS, VECTORS
from tests.subjects.layers import first_layer
from tests.subjects.subject import FIT, TRAINING, Options, Subject


def augmenting(feature: str, make: Callable[[], Any], options: Options = FIT, **told: Any) -> Subject:
    """A row for a layer that takes photographs of 0 … 255 and makes others of them in training."""

    def build() -> keras.Model:
        stack = [layers.Input(PHOTOS.shape[1:]), make(), layers.Rescaling(1.0 / 255)]
        stack += [layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(CLASSES)]
        model = keras.Sequential(stack)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"])
        return model

    return Subject(feature, "layers", build, PHOTOS, LABELS, options, slow=True, **told)


def adapted() -> Any:
    """A Normalization that has seen data, and so holds a mean and a variance."""
    layer = layers.Normalization()
    layer.adapt(VECTORS)
    return layer


def bins() -> Any:
    return [layers.Discretization([0.2, 0.5, 0.8]), layers.CategoryEncoding(4, "multi_hot")]


def mel_spectrogram() -> Any:
    return [layers.MelSpectrogram(16, 8, sampling_rate=64, num_mel_bins=4, max_freq=32), layers.Rescaling(0.01)]


WAVES = np.sin(np.outer(np.arange(1, 65), np.linspace(0.0, 0.1, 64))).astype("float32")

NEEDS_TENSORFLOW: dict[str, Any] = {
    "status": "keras fails",
    "words": "does not build .* requires TensorFlow",
    "why": "needs TensorFlow, also on JAX",
    "lacks": "tensorflow",
}

PREPARATION = (
    first_layer("Normalization, adapted", VECTORS, adapted),
    first_layer("Normalization, given", VECTORS, lambda: layers.Normalization(mean=0.5, variance=0.1)),
    first_layer("Rescaling", VECTORS, lambda: layers.Rescaling(2.0, offset=-1.0)),
    first_layer("Discretization and CategoryEncoding", VECTORS, bins),
    first_layer("CategoryEncoding, one hot", TOKENS, lambda: layers.CategoryEncoding(10, "one_hot")),
    first_layer("Hashing", TOKENS, lambda: [layers.Hashing(5), layers.Embedding(5, 2)], **NEEDS_TENSORFLOW),
    first_layer("IntegerLookup", TOKENS, lambda: layers.IntegerLookup(vocabulary=[1, 2, 3]), **NEEDS_TENSORFLOW),
    first_layer("STFTSpectrogram", WAVES[:, :, None], lambda: layers.STFTSpectrogram("magnitude", 16, 8, 16)),
    first_layer("MelSpectrogram", WAVES, mel_spectrogram),
)

DRAWS: dict[str, Any] = {
    "status": "slow path",
    "error": "NotSupportedError",
    "words": "draws from Python's or NumPy's generator",
    "why": "draws from Python's generator in every step, which no compiled step can",
}

AUGMENTATION = (
    augmenting("RandomFlip", layers.RandomFlip),
    augmenting("RandomRotation", lambda: layers.RandomRotation(0.2)),
    augmenting("RandomTranslation", lambda: layers.RandomTranslation(0.2, 0.2)),
    augmenting("RandomZoom", lambda: layers.RandomZoom(0.2)),
    augmenting("RandomShear", lambda: layers.RandomShear(0.2, 0.2)),
    augmenting(
        "RandomCrop",
        lambda: layers.RandomCrop(6, 6),
        status="keras fails",
        words="recipe",
        why="under JAX Keras 3.15 gives out images of another shape than the layer says",
    ),
    augmenting("RandomPerspective", lambda: layers.RandomPerspective(0.5)),
    augmenting(
        "RandomElasticTransform",
        lambda: layers.RandomElasticTransform(0.5),
        status="keras fails",
        words="recipe",
        why="Keras 3.15 gives JAX a padding mode that is no array",
    ),
    augmenting("RandomContrast", lambda: layers.RandomContrast(0.4)),
    augmenting("RandomBrightness", lambda: layers.RandomBrightness(0.4)),
    augmenting("RandomColorJitter", lambda: layers.RandomColorJitter((0, 255), 0.3, 0.3, (0.2, 0.8), 0.3)),
    augmenting("RandomColorDegeneration", lambda: layers.RandomColorDegeneration(0.5)),
    augmenting("RandomSaturation", lambda: layers.RandomSaturation(0.5)),
    augmenting("RandomHue", lambda: layers.RandomHue(0.3)),
    augmenting("RandomSharpness", lambda: layers.RandomSharpness(0.5)),
    augmenting("RandomGrayscale", lambda: layers.RandomGrayscale(0.5)),
    augmenting("RandomInvert", lambda: layers.RandomInvert(0.5)),
    augmenting("RandomPosterization", lambda: layers.RandomPosterization(4)),
    augmenting("RandomGaussianBlur", lambda: layers.RandomGaussianBlur(1.0, 3)),
    augmenting("RandomErasing", layers.RandomErasing),
    augmenting("AutoContrast", layers.AutoContrast),
    augmenting("Equalization", layers.Equalization),
    augmenting("Solarization", lambda: layers.Solarization(0.3)),
    augmenting("RandAugment", lambda: layers.RandAugment(num_ops=1), TRAINING | {"epochs": 1}),
    augmenting("AugMix", layers.AugMix, TRAINING | {"epochs": 1}, **DRAWS),
    augmenting("MixUp", layers.MixUp),
    augmenting("CutMix", layers.CutMix),
    augmenting("Pipeline", lambda: layers.Pipeline([layers.RandomFlip(), layers.RandomContrast(0.3)])),
)

AUGMENTING = (*PREPARATION, *AUGMENTATION)
