"""Adam as the default choice: how much a learning rate that was not searched for costs, beside SGD and momentum."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras.optimizers import SGD, Adam

from kohort.data import Dataset, named
from kohort.data.generated import spirals
from kohort.data.mnist1d import mnist1d
from kohort.lab.apparatus.choosing import choice_of_others, chosen_by_others
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.apparatus.training import curve, trained
from kohort.lab.claim import Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

CLOSE = 0.02
"""A rate is good enough if it costs less than two points of accuracy."""

OPTIMISERS: dict[str, Callable[[float], Any]] = {
    "SGD": SGD,
    "momentum 0.9": partial(SGD, momentum=0.9),
    "Adam": Adam,
}
DEFAULTS = {"SGD": 0.01, "momentum 0.9": 0.01, "Adam": 0.001}
"""Keras' own rates."""

MOST = 1.0
"""The upper end of the four decades, from 0.0001 on, in which somebody may set a rate unsearched."""


def _datasets(scale: Scale) -> dict[str, tuple[Dataset, int]]:
    """Name -> the rows and the passes over them."""
    return {
        "digits": (named("digits"), scale.of(15, 4)),
        "MNIST-1D": (mnist1d(scale.of(1500, 400)), scale.of(25, 8)),
        "spirals": (spirals(600, turns=0.75), scale.of(60, 20)),
    }


def _accuracies(data: Dataset, epochs: int, rates: tuple[float, ...], scale: Scale) -> dict[str, np.ndarray]:
    """Optimiser -> validation accuracy after the last epoch, of shape (rates, seeds); a diverged run is at chance."""

    def network(optimiser: Callable[[float], Any], rate: float) -> keras.Model:
        return perceptron(optimiser(rate), inputs=data.x.shape[1], outputs=data.outputs, widths=(64, 32))

    recipes = {
        f"{name} {rate:.3g}": partial(network, optimiser, rate)
        for name, optimiser in OPTIMISERS.items()
        for rate in rates
    }
    runs = trained(recipes, data, scale, epochs=epochs, diagnostics=False)
    found: dict[str, np.ndarray] = {}
    for name in OPTIMISERS:
        last = np.stack([curve(runs, f"{name} {rate:.3g}")[:, -1] for rate in rates])
        lost = np.stack([curve(runs, f"{name} {rate:.3g}", "loss")[:, -1] for rate in rates])
        found[name] = np.where(np.isfinite(last) & np.isfinite(lost), last, 1.0 / data.outputs)
    return found


def _at_one_rate(shortfall: np.ndarray) -> np.ndarray:
    """Each seed's shortfall on the worst set, at the rate for which the worst set is least bad under the other seeds.

    Args:
        shortfall: Of shape (sets, rates, seeds).
    """
    found = np.empty(shortfall.shape[2])
    for seed in range(len(found)):
        mean = np.delete(shortfall, seed, axis=2).mean(axis=2)
        rate = int(mean.max(axis=0).argmin())
        found[seed] = shortfall[mean[:, rate].argmax(), rate, seed]
    return found


def _at_worst_rate(shortfall: np.ndarray) -> np.ndarray:
    """Each seed's shortfall, mean of the sets, at the rate that falls shortest under the other seeds.

    Args:
        shortfall: Of shape (sets, rates, seeds).
    """
    mean = shortfall.mean(axis=0)
    seeds = range(mean.shape[1])
    return np.array([mean[choice_of_others(mean, seed, greater_is_better=True), seed] for seed in seeds])


def measure(scale: Scale) -> Evidence:
    """Trains each optimiser at rates over five decades on three sets, and tells what each rate costs."""
    rates = tuple(10.0 ** (half / 2.0) for half in range(-8, 3, scale.of(1, 2)))
    step = scale.of(0.5, 1.0)
    datasets = _datasets(scale)
    accuracies = {name: _accuracies(data, epochs, rates, scale) for name, (data, epochs) in datasets.items()}
    best = {
        name: chosen_by_others(np.concatenate(list(every.values()))[:, :, None]) for name, every in accuracies.items()
    }
    shortfall = {
        optimiser: np.stack([best[name] - every[optimiser] for name, every in accuracies.items()])
        for optimiser in OPTIMISERS
    }  # (datasets, rates, seeds)
    widths: dict[str, np.ndarray] = {}
    for optimiser in OPTIMISERS:
        own = np.stack([chosen_by_others(every[optimiser][:, :, None]) for every in accuracies.values()])
        values = np.stack([every[optimiser] for every in accuracies.values()])
        widths[optimiser] = step * (values > own[:, None] - CLOSE).sum(axis=1).mean(axis=0)
    defaults = {name: int(np.argmin(np.abs(np.array(rates) - rate))) for name, rate in DEFAULTS.items()}
    return {
        "width": Measured(widths),
        "mean shortfall": Measured({name: own.mean(axis=(0, 1)) for name, own in shortfall.items()}),
        "shortfall at the default rate": Measured(
            {name: shortfall[name][:, place].mean(axis=0) for name, place in defaults.items()}
        ),
        "worst set at one rate": Measured({name: _at_one_rate(own) for name, own in shortfall.items()}),
        "worst rate of four decades": Measured(
            {name: _at_worst_rate(own[:, np.array(rates) < 1.01 * MOST]) for name, own in shortfall.items()}
        ),
        "shortfall": Measured({name: own.mean(axis=0).T for name, own in shortfall.items()}, rates),
    }


CLAIM = Claim(
    number=2,
    name="adam-default",
    title="Adam is the default choice: a rate that was not searched for costs it least",
    quoted="Adam: default choice.",
    why="Adam divides each step by the size of the gradients, so that its rate is the length of a step for each weight "
    "and does not depend on how large gradients are. The right rate of SGD does. A default "
    "choice should need no search: it should be good at the rate it comes with, at a wide range of rates, and on "
    "several sets at the same rate.",
    experiment="A network with hidden layers of 64 and 32 units on the digits (15 epochs), 1,500 rows of MNIST-1D "
    "(25) and 600 points of two spirals (60), batches of 32, by SGD, SGD with momentum 0.9 and Adam, each with the "
    "same eleven rates from 0.0001 to 10. The shortfall of a rate is what its validation accuracy after the last "
    "epoch falls short of the best optimiser and rate of that set; a width counts the rates within two points of the "
    "optimiser's own best, in decades, on the mean of the sets. The best is chosen by the other seeds, and so is the "
    "worst set of a rate (at first it was each seed's own worst, which is never below zero and so told against all "
    "but the best); a run that diverges is at chance. Keras' own rates are 0.01 for SGD, with and without momentum, "
    "and 0.001 for Adam. Of the rates from 0.0001 to 1 the worst is taken as well, on the mean of the sets and found "
    "by the other seeds; this, with its prediction, was added after a first run.",
    predictions=(
        Prediction(
            "the rates within 2 points of the best span a quarter of a decade more for Adam than for SGD",
            lambda e: e["width"]["Adam"] - e["width"]["SGD"],
            above=0.25,
            unit=" decades",
        ),
        Prediction(
            "they span more for Adam than for momentum",
            lambda e: e["width"]["Adam"] - e["width"]["momentum 0.9"],
            above=0.0,
            unit=" decades",
        ),
        Prediction(
            "the mean shortfall over all rates is lower for Adam than for SGD",
            lambda e: e["mean shortfall"]["Adam"] - e["mean shortfall"]["SGD"],
            below=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "the mean shortfall over all rates is lower for Adam than for momentum",
            lambda e: e["mean shortfall"]["Adam"] - e["mean shortfall"]["momentum 0.9"],
            below=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "at Keras' own rate Adam is short by 2 points less than SGD",
            lambda e: e["shortfall at the default rate"]["Adam"] - e["shortfall at the default rate"]["SGD"],
            below=-0.02,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "at Keras' own rate Adam is less than 2 points short of the best of all",
            lambda e: e["shortfall at the default rate"]["Adam"],
            below=CLOSE,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "with one rate for all sets Adam's worst set is less short than SGD's",
            lambda e: e["worst set at one rate"]["Adam"] - e["worst set at one rate"]["SGD"],
            below=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "at the worst of the rates from 0.0001 to 1 Adam is less short than SGD at its worst",
            lambda e: e["worst rate of four decades"]["Adam"] - e["worst rate of four decades"]["SGD"],
            below=0.0,
            unit=" points",
            scale=100.0,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "shortfall",
            "What a rate costs",
            "How much validation accuracy each rate falls short of the best optimiser and rate, mean of the three "
            "sets. 0 is the best; the flatter and lower a curve, the less a wrong rate costs.",
            "shortfall of accuracy",
            "learning rate",
            log_x=True,
        ),
        Drawing(
            "width",
            "How wide the range of good rates is",
            "Decades of rates within two points of the optimiser's own best, mean of the three sets.",
            "decades",
        ),
        Drawing(
            "shortfall at the default rate",
            "At the rate that Keras gives them",
            "How much validation accuracy is lacking to the best optimiser and rate, mean of the three sets. The "
            "predictions speak of Adam and SGD; momentum stands beside.",
            "shortfall of accuracy",
        ),
        Drawing(
            "worst rate of four decades",
            "At the worst of the rates from 0.0001 to 1",
            "How much validation accuracy is lacking at the rate that costs each optimiser most, mean of the three "
            "sets.",
            "shortfall of accuracy",
        ),
    ),
    code="""\
import keras, kohort
from keras.optimizers import SGD, Adam

def network(optimizer):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

rates = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
recipes = {f"{kind.__name__} {rate:g}": lambda kind=kind, rate=rate: network(kind(rate))
           for kind in (SGD, Adam) for rate in rates}
print(kohort.Study(recipes, kohort.data.named("digits"), seeds=5, epochs=15).run())
""",
    sources=(
        "Kingma & Ba (2015), Adam: a method for stochastic optimization, §2.1",
        "Schmidt, Schneider & Hennig (2021), Descending through a crowded valley, §3",
    ),
)
