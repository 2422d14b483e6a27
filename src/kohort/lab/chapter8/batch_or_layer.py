"""Normalising over the batch or over the features: which suits which network and which size of batch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.data.dataset import Dataset
from kohort.data.mnist1d import mnist1d
from kohort.lab.apparatus.choosing import chosen_by_others
from kohort.lab.apparatus.few_rows import few_rows
from kohort.lab.apparatus.networks import convolutional, perceptron, recurrent, transformer
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

ROWS = 512
USUAL = 32
RATES = (0.001, 0.003, 0.01)
"""Of Adam with batches of 32; of others they are multiplied by the root of the size, as Adam's noise asks for."""

HIGHER = (0.003, 0.01, 0.03)
"""Those of the convolutional network, whose best rate lay at the edge of the others."""

REMEMBERED = 320
"""Rows over which BatchNorm's running statistics are averaged, whatever the size of batch."""


@dataclass(frozen=True)
class _Kind:
    """A kind of network: how it is built, its data, and with which sizes of batch it is trained for how many epochs."""

    build: Callable[..., keras.Model]
    data: Callable[[], Dataset]
    batches: tuple[int, ...]
    few: tuple[int, ...]
    epochs: int
    rates: tuple[float, ...] = RATES


def _images() -> Dataset:
    digits = named("digits")
    return replace(digits, x=digits.x.reshape(-1, 8, 8))


def _lines() -> Dataset:
    return mnist1d(ROWS + 1000)


KINDS = {
    "perceptron": _Kind(perceptron, partial(named, "digits"), (2, 8, 32, 128), (2, 32), 12),
    "convolutions": _Kind(convolutional, _images, (2, 8, 32, 128), (2, 32), 12, HIGHER),
    "Transformer": _Kind(partial(transformer, blocks=1), _lines, (8, 32, 128), (32,), 24),
    "LSTM": _Kind(recurrent, _lines, (8, 32, 128), (32,), 24),
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
    looks: dict[str, int] = {"epochs": scale.of(kind.epochs, 2), "validation_freq": scale.of(kind.epochs // 6, 2)}
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


def _better(network: str, batch: int, one: str, other: str) -> Callable[[Evidence], np.ndarray]:
    """By how much one normalisation does better than the other."""

    def difference(evidence: Evidence) -> np.ndarray:
        told = evidence[network].at(batch)
        return told[one] - told[other]

    return difference


def _lost(evidence: Evidence) -> np.ndarray:
    told = evidence["perceptron"]
    return told.at(USUAL)["LayerNorm"] - told.at(2)["LayerNorm"]


def _agrees(evidence: Evidence) -> str:
    """Whether the numbers of sequence models go along with what is usual."""
    gains = [
        float((evidence[name].at(USUAL)["LayerNorm"] - evidence[name].at(USUAL)["BatchNorm"]).mean())
        for name in ("Transformer", "LSTM")
    ]
    if min(gains) > 0:
        return "So it was here."
    return "Here it was not so for these two: what is usual for long texts need not hold on small data; try both."


def _answer(evidence: Evidence) -> str:
    def both(network: str, batch: int) -> str:
        batch_norm, layer_norm = (
            float(evidence[network].at(batch)[norm].mean()) for norm in ("BatchNorm", "LayerNorm")
        )
        return f"{batch_norm:.1%} with BatchNorm and {layer_norm:.1%} with LayerNorm"

    return (
        "BatchNorm takes mean and variance of each feature over the rows of a batch; LayerNorm takes them over the "
        "features of each row, so that rows do not depend on one another and training and prediction are alike. That "
        "matters most where batches are small: with batches of 2, accuracy on held-out rows was "
        f"{both('perceptron', 2)} in a perceptron, and {both('convolutions', 2)} in a convolutional network, whose "
        f"maps give BatchNorm many values for each feature. With batches of {USUAL} it was {both('perceptron', USUAL)} "
        f"in the perceptron, {both('convolutions', USUAL)} with convolutions, {both('Transformer', USUAL)} in a "
        f"Transformer and {both('LSTM', USUAL)} in an LSTM, both on short rows of one length. Usual are BatchNorm in "
        "perceptrons and convolutional networks with batches of 16 or more, and LayerNorm in Transformers and "
        f"recurrent networks, whose sequences differ in length. {_agrees(evidence)}"
    )


def _drawing(network: str, title: str, told: str) -> Drawing:
    return Drawing(
        network,
        title,
        f"Accuracy on 1,000 held-out rows by size of batch, {told}; each at its best of three rates and six epochs.",
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
    experiment=f"{ROWS} training rows and 1,000 held out: the chapter's perceptron and a small convolutional network "
    "on the digits (12 epochs, batches of 2, 8, 32, 128), a Transformer with one block and an LSTM on MNIST-1D, cut "
    "into ten pieces (24 epochs, batches of 8, 32, 128). Each with BatchNorm and with Keras' LayerNorm (over the last "
    "axis: the features of a token, the maps at a place). Adam; three rates for each, multiplied by the root of the "
    "size of batch; rate and epoch are chosen on the other seeds, of six looks. (At first the convolutional network "
    "had the rates of the others, of which the highest suited it best; and the Transformer had two blocks and 20 "
    "seeds, which took too long and said the same; with the first rates, convolutions with batches of 32 were "
    "undecided.) So that running statistics are not what is compared, their momentum is such that they look back over "
    f"{REMEMBERED} rows with every size of batch. Seeds differ in weights and batch orders; the rows are the same.",
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
        Prediction(
            "with batches of 32 a perceptron does better with BatchNorm",
            _better("perceptron", USUAL, "BatchNorm", "LayerNorm"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "with batches of 2 convolutions do better with LayerNorm",
            _better("convolutions", 2, "LayerNorm", "BatchNorm"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "with batches of 32 convolutions do better with BatchNorm",
            _better("convolutions", USUAL, "BatchNorm", "LayerNorm"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "with batches of 32 a Transformer does better with LayerNorm",
            _better("Transformer", USUAL, "LayerNorm", "BatchNorm"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "with batches of 32 an LSTM does better with LayerNorm",
            _better("LSTM", USUAL, "LayerNorm", "BatchNorm"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
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
    untested="Batches of 256; batches below 8 for the Transformer and the LSTM, and sequences of different lengths.",
    answers=(Answer(5, _answer),),
    seeds=10,
)
