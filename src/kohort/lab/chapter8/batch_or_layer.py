"""Normalising over the batch or over the features: which suits which network and which size of batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.data.dataset import Dataset
from kohort.data.mnist1d import mnist1d
from kohort.lab import answers
from kohort.lab.apparatus.choosing import chosen_by_others
from kohort.lab.apparatus.few_rows import few_rows
from kohort.lab.apparatus.networks import convolutional, perceptron, recurrent, transformer
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

ROWS = 1024
USUAL = 32
SMALLEST, LARGEST = 2, 256
WIDTH = 16
"""Numbers of a token in the Transformer, and units of the LSTM."""

EPOCHS, LOOKS = 24, 6
"""Of every training, whatever the size of batch, and how often it is looked at."""

RATES = (0.001, 0.003, 0.01)
"""Of Adam with batches of 32; of others they are multiplied by the root of the size, as Adam's noise asks for."""

HIGHER = (0.003, 0.01, 0.03)
"""Those of the convolutional network, whose best rate lay at the edge of the others."""

REMEMBERED = 320
"""Rows over which BatchNorm's running statistics are averaged, whatever the size of batch."""


@dataclass(frozen=True)
class _Kind:
    """A kind of network: how it is built, its data, and with which sizes of batch it is trained."""

    build: Callable[..., keras.Model]
    data: Callable[[], Dataset]
    batches: tuple[int, ...]
    few: tuple[int, ...]
    rates: tuple[float, ...] = RATES


def _images() -> Dataset:
    digits = named("digits")
    return replace(digits, x=digits.x.reshape(-1, 8, 8))


def _lines() -> Dataset:
    return mnist1d(ROWS + 1000)


KINDS = {
    "perceptron": _Kind(perceptron, partial(named, "digits"), (2, 8, 32, 256), (2, 32)),
    "convolutions": _Kind(convolutional, _images, (2, 8, 32, 256), (2, 32), HIGHER),
    "Transformer": _Kind(partial(transformer, blocks=1, width=WIDTH), _lines, (2, 32, 256), (32,)),
    "LSTM": _Kind(partial(recurrent, units=WIDTH), _lines, (2, 32, 256), (32,)),
}


def _norms(batch: int) -> dict[str, Any]:
    return {
        "BatchNorm": partial(layers.BatchNormalization, momentum=1.0 - batch / REMEMBERED),
        "LayerNorm": layers.LayerNormalization,
    }


def _built(build: Callable[..., keras.Model], rate: float, norm: Any) -> keras.Model:
    return build(keras.optimizers.Adam(rate), norm=norm)


def _accuracies(kind: _Kind, batch: int, scale: Scale) -> dict[str, np.ndarray]:
    """Held-out accuracy with each normalisation, of shape (seeds,), at the rate and epoch that suit the other seeds."""
    rates = [rate * float(np.sqrt(batch / USUAL)) for rate in scale.of(kind.rates, kind.rates[1:2])]
    norms = _norms(batch)
    recipes = {
        f"{name}, {rate:g}": partial(_built, kind.build, rate, norm) for name, norm in norms.items() for rate in rates
    }
    rows = few_rows(kind.data(), ROWS, 0)
    looks: dict[str, int] = {"epochs": scale.of(EPOCHS, 2), "validation_freq": scale.of(EPOCHS // LOOKS, 2)}
    runs = rows.fit(recipes, seeds=scale.seeds, batch_size=batch, **looks)

    def scores(name: str) -> np.ndarray:
        every = [[runs[f"{name}, {rate:g}", seed].history for seed in range(scale.seeds)] for rate in rates]
        losses, shares = (
            np.array([[own[log] for own in one] for one in every]) for log in ("val_loss", "val_accuracy")
        )
        return np.where(np.isfinite(losses), shares, 0.1)

    return {name: chosen_by_others(scores(name)) for name in norms}


def measure(scale: Scale) -> Evidence:
    """Trains the four kinds of networks with both normalisations and several sizes of batch."""
    evidence = {}
    for name, kind in KINDS.items():
        batches = scale.of(kind.batches, kind.few)
        found = [_accuracies(kind, batch, scale) for batch in batches]
        told = {norm: np.stack([one[norm] for one in found], axis=1) for norm in found[0]}
        evidence[name] = Measured(told, batches)
    return evidence


def _at(accuracy: Measured, batch: int) -> Mapping[str, np.ndarray]:
    """Accuracies with a size of batch; of a quick look, which has few sizes, with the nearest."""
    assert accuracy.points is not None
    return accuracy.at(float(accuracy.points[np.abs(np.log(accuracy.points / batch)).argmin()]))


def _better(network: str, batch: int, one: str, other: str) -> Callable[[Evidence], np.ndarray]:
    """By how much one normalisation does better than the other."""

    def difference(evidence: Evidence) -> np.ndarray:
        told = _at(evidence[network], batch)
        return told[one] - told[other]

    return difference


def _lost(evidence: Evidence) -> np.ndarray:
    told = evidence["perceptron"]
    return _at(told, USUAL)["LayerNorm"] - _at(told, SMALLEST)["LayerNorm"]


def _prefers(network: str, place: str, batch: int, norm: str) -> Prediction:
    """That one normalisation does better than the other."""
    other = {"LayerNorm": "BatchNorm", "BatchNorm": "LayerNorm"}[norm]
    does = "do" if network == "convolutions" else "does"
    return Prediction(
        f"with batches of {batch} {place} {does} better with {norm}",
        _better(network, batch, norm, other),
        above=0.0,
        unit=" points",
        scale=100.0,
    )


def _drawing(network: str, title: str, told: str) -> Drawing:
    return Drawing(
        network,
        title,
        f"Accuracy on held-out rows by size of batch, {told}; each at its best of three rates and six epochs. All see "
        "every row equally often, so that large batches make fewer steps.",
        "accuracy",
        "rows of a batch",
        log_x=True,
    )


CLAIM = Claim(
    number=17,
    name="batch-or-layer",
    title="LayerNorm does not need a batch: it suits Transformers, LSTMs and small batches, BatchNorm the others",
    quoted="LayerNorm (used in Transformers) normalises over feature dimension instead of batch dimension.",
    why="With two rows in a batch, BatchNorm makes of each feature little more than which of the two is larger. The "
    "fewer rows, the noisier its statistics, and the less they are like those it predicts with. LayerNorm never sees "
    "the batch. But it ties all features of a row together and takes away how large the row is as a whole, which may "
    "be needed. In a convolutional network each place of a map counts for BatchNorm like a row, so that even small "
    "batches hold many values.",
    experiment=f"{ROWS:,} training rows: the chapter's perceptron and a small convolutional network on the digits (the "
    "other 773 judge; batches of 2, 8, 32, 256), a Transformer with one block and an LSTM, both with a width of "
    f"{WIDTH}, on MNIST-1D, cut into ten pieces (1,000 others judge; batches of 2, 32, 256). All have the same "
    f"{EPOCHS} epochs, so that each sees "
    "every row equally often: with batches of 256 that is 96 steps, with batches of 2 it is 12,288. (The same number "
    "of steps would have shown small batches a small part of the rows.) Each with BatchNorm and with Keras' LayerNorm "
    "(over the last axis: the features of a token, the maps at a place). Adam; three rates for each, multiplied by the "
    "root of the size of batch; rate and epoch are chosen on the other seeds, of six looks. So that running statistics "
    f"are not what is compared, their momentum is such that they look back over {REMEMBERED} rows with every size of "
    "batch. Seeds differ in weights and batch orders; the rows are the same. (At first the convolutional network "
    "had the rates of the others, of which the highest suited it best; and the Transformer had two blocks, which took "
    "too long and said the same; with the first rates, convolutions with batches of 32 were undecided. A second "
    "run had 10 seeds, 512 rows, 12 epochs on the digits, a width of 32, and no batches above 128, nor below 8 for the "
    "Transformer and the LSTM; with 512 rows, a batch of 256 would have had two steps an epoch. For more seeds and "
    "sizes of batch these two were made narrower, and batches of 128 left out.) A quick look has batches of 2 and 32, "
    "of 32 only for the Transformer and the LSTM, and judges each prediction at the nearest size.",
    predictions=(
        Prediction(
            "with batches of 2 a perceptron does at least 2 points better with LayerNorm",
            _better("perceptron", 2, "LayerNorm", "BatchNorm"),
            above=0.02,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "from batches of 32 to batches of 2 a perceptron with LayerNorm loses less than 2 points",
            _lost,
            below=0.02,
            unit=" points",
            scale=100.0,
        ),
        _prefers("perceptron", "a perceptron", USUAL, "BatchNorm"),
        _prefers("convolutions", "convolutions", SMALLEST, "LayerNorm"),
        _prefers("convolutions", "convolutions", USUAL, "BatchNorm"),
        _prefers("Transformer", "a Transformer", USUAL, "LayerNorm"),
        _prefers("LSTM", "an LSTM", USUAL, "LayerNorm"),
        _prefers("Transformer", "a Transformer", SMALLEST, "LayerNorm"),
        _prefers("LSTM", "an LSTM", SMALLEST, "LayerNorm"),
        _prefers("perceptron", "a perceptron", LARGEST, "BatchNorm"),
        _prefers("convolutions", "convolutions", LARGEST, "BatchNorm"),
        _prefers("Transformer", "a Transformer", LARGEST, "LayerNorm"),
        _prefers("LSTM", "an LSTM", LARGEST, "LayerNorm"),
    ),
    measure=measure,
    drawings=(
        _drawing("perceptron", "In a perceptron", "the chapter's network on the digits"),
        _drawing("convolutions", "In a convolutional network", "two blocks on the digits"),
        _drawing("Transformer", "In a Transformer", "one block on MNIST-1D"),
        _drawing("LSTM", "In an LSTM", "on MNIST-1D"),
    ),
    code="""\
import keras, kohort

def network(norm):
    layers = [keras.Input((64,)), keras.layers.Dense(128), norm(), keras.layers.Activation("relu"),
              keras.layers.Dense(64), norm(), keras.layers.Activation("relu"),
              keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

recipes = {norm.__name__: lambda norm=norm: network(norm)
           for norm in (keras.layers.BatchNormalization, keras.layers.LayerNormalization)}
data = kohort.data.named("digits")
for size in (2, 32):
    runs = kohort.fit(recipes, data.x, data.y, seeds=5, epochs=5, batch_size=size, validation_split=0.5)
    for name in recipes:
        print(size, name, [round(run.history["val_accuracy"][-1], 3) for run in runs.of(name)])
""",
    sources=(
        "Ba, Kiros & Hinton (2016), Layer normalization, §3 and §6",
        "Ioffe (2017), Batch renormalization, §4.2",
        "Wu & He (2018), Group normalization, §4.1",
        "Shen, Yao, Gholami, Mahoney & Keutzer (2020), PowerNorm: rethinking batch normalization in Transformers, §3",
    ),
    untested="Sequences of different lengths, and equal numbers of steps instead of epochs.",
    answers=(Answer(5, answers.batch_or_layer),),
)
