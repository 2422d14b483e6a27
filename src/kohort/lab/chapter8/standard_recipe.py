"""BatchNorm, ReLU and He's initialisation beside the other 17 recipes that can be put together, at three depths."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.lab.apparatus.choosing import choice_of_others, chosen_by_others
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.apparatus.training import curve, trained
from kohort.lab.claim import Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

WIDTH = 32
"""Units of each hidden layer."""

DEPTHS = (2, 6, 12)
"""Hidden layers."""

RATES = (0.002, 0.01, 0.05, 0.25, 1.25)
"""Of SGD with momentum 0.9."""

CHANCE = 0.1
"""The accuracy that a run which diverged counts as."""

LEARNS = 0.2
"""The accuracy from which a recipe learns; one that stays below at every rate has no best rate."""

SMALL = 0.01
"""The standard deviation of the small normal initialisation, whatever the layer's width."""

NORMS: dict[str, Any] = {"BatchNorm": layers.BatchNormalization, "plain": None}
ACTIVATIONS = {"ReLU": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}
INITIALISATIONS = {
    "He": lambda: keras.initializers.HeNormal(),
    "Glorot": lambda: keras.initializers.GlorotUniform(),
    "small": lambda: keras.initializers.RandomNormal(stddev=SMALL),
}

Parts = tuple[str, str, str]
"""A normalisation, an activation, an initialisation."""

ALL: tuple[Parts, ...] = tuple(product(NORMS, ACTIVATIONS, INITIALISATIONS))
STANDARD: Parts = ("BatchNorm", "ReLU", "He")
BEST_OTHER = "best of the other 17"
DRAWS, ROWS = 100, 64
"""Networks drawn for each seed, and rows passed through each, to look at the signal before any training."""


def _network(parts: Parts, depth: int, rate: float) -> keras.Model:
    norm, activation, initialisation = parts
    return perceptron(
        keras.optimizers.SGD(rate, momentum=0.9),
        widths=(WIDTH,) * depth,
        norm=NORMS[norm],
        activation=ACTIVATIONS[activation],
        initializer=INITIALISATIONS[initialisation](),
    )


def _scores(depth: int, scale: Scale) -> dict[Parts, np.ndarray]:
    """Validation accuracies of each recipe at one depth, of shape (rates, seeds, epochs)."""
    rates = scale.of(RATES, RATES[1:2])
    recipes = {
        f"{', '.join(parts)}, {rate:g}": partial(_network, parts, depth, rate) for parts in ALL for rate in rates
    }
    options: dict[str, Any] = {"epochs": scale.of(30, 6), "batch_size": 64, "diagnostics": False}
    runs = trained(recipes, named("digits"), scale, **options)

    def score(name: str) -> np.ndarray:
        return np.where(np.isfinite(curve(runs, name, "val_loss")), curve(runs, name), CHANCE)

    return {parts: np.stack([score(f"{', '.join(parts)}, {rate:g}") for rate in rates]) for parts in ALL}


def _deviation(initialisation: str, inputs: int) -> float:
    """The standard deviation of the weights of a layer from so many inputs to as many as each hidden layer has."""
    return {"He": (2.0 / inputs) ** 0.5, "Glorot": (2.0 / (inputs + WIDTH)) ** 0.5, "small": SMALL}[initialisation]


def _signal(parts: Parts, seed: int, x: np.ndarray) -> np.ndarray:
    """The mean square of what enters each layer's activation, as a share of the first layer's, of shape (layers,)."""
    norm, activation, initialisation = parts
    generator = np.random.default_rng([18, seed])
    signal = np.broadcast_to(x[generator.choice(len(x), ROWS, replace=False)], (DRAWS, ROWS, x.shape[1]))
    squares = []
    for _ in range(DEPTHS[-1]):
        inputs = signal.shape[-1]
        weights = generator.normal(0.0, _deviation(initialisation, inputs), (DRAWS, inputs, WIDTH))
        z = signal @ weights
        if norm == "BatchNorm":
            z = (z - z.mean(axis=1, keepdims=True)) / np.sqrt(z.var(axis=1, keepdims=True) + 1e-3)
        squares.append(np.mean(z**2))
        signal = np.maximum(z, 0.0) if activation == "ReLU" else np.tanh(z)
    return np.array(squares) / squares[0]


def _signals(scale: Scale) -> Measured:
    shown: tuple[Parts, ...] = (
        *(("plain", *own) for own in product(("ReLU", "tanh"), INITIALISATIONS)),
        ("BatchNorm", "ReLU", "He"),
        ("BatchNorm", "ReLU", "small"),
    )
    x = named("digits").x.astype(np.float64)
    return Measured(
        {", ".join(parts): np.stack([_signal(parts, seed, x) for seed in range(scale.seeds)]) for parts in shown},
        np.arange(1, DEPTHS[-1] + 1),
    )


def _by_part(accuracies: Mapping[Parts, np.ndarray]) -> dict[str, np.ndarray]:
    """The mean accuracy of all recipes with each part, in the deepest network."""

    def mean(found: Iterable[np.ndarray]) -> np.ndarray:
        return np.mean([own[:, -1] for own in found], axis=0)

    return {
        part: mean(own for parts, own in accuracies.items() if part in parts)
        for part in (*NORMS, *ACTIVATIONS, *INITIALISATIONS)
    }


def _edges(scores: list[np.ndarray]) -> Measured:
    """The share of each seed's choices at the lowest and highest rate, over recipes and depths that learn.

    Args:
        scores: Of each recipe and depth, of shape (rates, seeds, epochs).
    """
    rates, seeds, epochs = scores[0].shape
    chosen = np.array([[choice_of_others(own, seed) // epochs for seed in range(seeds)] for own in scores])
    learn = np.array([chosen_by_others(own) >= LEARNS for own in scores])  # as `chosen`, (recipes and depths, seeds)
    low, high = chosen == 0, chosen == rates - 1
    told = {"lowest rate": low, "highest rate": high, "either": low | high}
    return Measured(
        {
            **{name: (own & learn).sum(axis=0) / learn.sum(axis=0) for name, own in told.items()},
            "either, with recipes that never learn": (low | high).mean(axis=0),
            "never learn": 1.0 - learn.mean(axis=0),
        }
    )


def measure(scale: Scale) -> Evidence:
    """Trains all recipes at each depth on the digits, and passes rows through untrained networks."""
    depths = scale.of(DEPTHS, DEPTHS[:1])
    scores = [_scores(depth, scale) for depth in depths]
    accuracies = {parts: np.stack([chosen_by_others(own[parts]) for own in scores], axis=1) for parts in ALL}
    rivals = [np.concatenate([own[parts] for parts in ALL if parts != STANDARD]) for own in scores]
    by_activation = {
        f"accuracy, {activation}": {
            f"{norm}, {start}": own for (norm, other, start), own in accuracies.items() if other == activation
        }
        for activation in ACTIVATIONS
    }
    by_activation["accuracy, ReLU"][BEST_OTHER] = np.stack([chosen_by_others(own) for own in rivals], axis=1)
    return {
        **{quantity: Measured(own, depths) for quantity, own in by_activation.items()},
        "accuracy by part": Measured(_by_part(accuracies)),
        "signal": _signals(scale),
        "choices at the edge": _edges([one for own in scores for one in own.values()]),
    }


def _ahead(evidence: Evidence) -> np.ndarray:
    """How much better the standard recipe is than the best other one, of shape (seeds, depths)."""
    return evidence["accuracy, ReLU"]["BatchNorm, He"] - evidence["accuracy, ReLU"][BEST_OTHER]


def _shallower(evidence: Evidence) -> np.ndarray:
    """The mean over all depths but the largest; of a quick look, which has one depth, that one."""
    ahead = _ahead(evidence)
    return ahead[:, : max(ahead.shape[1] - 1, 1)].mean(axis=1)


def _better(one: str, other: str) -> Any:
    return lambda e: e["accuracy by part"][one] - e["accuracy by part"][other]


CLAIM = Claim(
    number=18,
    name="standard-recipe",
    title="BatchNorm, ReLU and He's initialisation are the recipe to train deep networks with",
    quoted="BatchNorm + ReLU + He init is the standard recipe for training deep networks.",
    why="A signal that each layer multiplies by a number other than 1 vanishes or explodes with depth, and so does the "
    "gradient on its way back. ReLU passes a gradient unchanged where it is positive; a sigmoid multiplies it by a "
    "quarter at most. Weights of variance 2 / inputs (He) make up for the half of the signal that ReLU takes away. "
    "BatchNorm sets the scale anew in each layer, so with it a bad start should cost little.",
    experiment="Perceptrons with 2, 6 and 12 hidden layers of 32 on the digits: BatchNorm before the activation or "
    "nothing; ReLU, tanh or sigmoid; He's normal, Glorot's uniform or a normal initialisation of standard deviation "
    f"{SMALL:g}. That is 18 recipes a depth, each with the same five rates of SGD with momentum 0.9 "
    f"({', '.join(f'{rate:g}' for rate in RATES)}), 30 epochs and batches of 64. A recipe is judged by its validation "
    "accuracy at the rate and epoch that do best under the other seeds. The best other recipe is chosen in the same "
    "way, among all rates and epochs of the other 17. A run that diverged has the accuracy of chance. A first run had "
    "the three middle rates only, and whether a better one lay outside was not looked at. So the grid was widened on "
    "both sides, and the choices that fall on its lowest or highest rate are counted, over all recipes and depths "
    f"that learn (one that stays below an accuracy of {LEARNS:g} at every rate has no best rate). For the signal, "
    f"{DRAWS} untrained networks a seed are drawn with weights of the same variance, and {ROWS} digits are passed "
    "through each. A quick look tries the smallest depth and one rate, so that all its "
    "choices lie at the edge.",
    predictions=(
        Prediction(
            "in the shallower networks the standard recipe is at most a point behind the best other",
            _shallower,
            above=-0.01,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "in the deepest network the standard recipe is at most a point behind the best other",
            lambda e: _ahead(e)[:, -1],
            above=-0.01,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "over all recipes of the deepest network, BatchNorm is at least 10 points better than none",
            _better("BatchNorm", "plain"),
            above=0.1,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "over all recipes of the deepest network, ReLU is better than tanh",
            _better("ReLU", "tanh"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "over all recipes of the deepest network, He is better than Glorot",
            _better("He", "Glorot"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "with BatchNorm and ReLU, He and Glorot are within a point in the deepest network",
            lambda e: (e["accuracy, ReLU"]["BatchNorm, He"] - e["accuracy, ReLU"]["BatchNorm, Glorot"])[:, -1],
            above=-0.01,
            below=0.01,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "with He and ReLU the signal of the twelfth layer is half to twice that of the first",
            lambda e: e["signal"]["plain, ReLU, He"][:, -1],
            above=0.5,
            below=2.0,
            unit=" times",
            beside=True,
        ),
        Prediction(
            "fewer than 10 % of choices lie at the edge of the grid of rates",
            lambda e: e["choices at the edge"]["either"],
            below=0.1,
            unit=" %",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy, ReLU",
            "Recipes with ReLU, by depth",
            "Validation accuracy on the digits, each recipe at its best rate and epoch. The best of the other 17 may "
            "have another activation. Chance is 0.1.",
            "validation accuracy",
            "hidden layers",
        ),
        Drawing(
            "accuracy by part",
            "What each part adds in the deepest network",
            "The mean validation accuracy of all recipes with a part: 9 with and 9 without BatchNorm, 6 with each "
            "activation and with each initialisation.",
            "validation accuracy",
        ),
        Drawing(
            "signal",
            "The signal before any training",
            "The mean square of what enters each layer's activation, as a share of the first layer's; the mean over "
            "networks of each seed. A level line is what initialisations aim at.",
            "share of the first layer's",
            "hidden layer",
            log_y=True,
        ),
        Drawing(
            "choices at the edge",
            "Is the grid of rates wide enough?",
            "The share of recipes and depths whose best rate is the lowest or the highest of the grid; at an edge, a "
            "better rate may lie outside. Where a recipe never learns, all rates are alike and the choice says "
            "nothing: the first three rows leave these out. Each seed's choice is made by the other seeds, so that "
            "points differ little, and less than those of a new experiment would.",
            "share of choices",
        ),
    ),
    code="""\
import keras, kohort

def network(norm, activation, start, rate, depth=6):
    layers = [keras.Input((64,))]
    for _ in range(depth):
        layers += [keras.layers.Dense(32, kernel_initializer=start),
                   *([keras.layers.BatchNormalization()] if norm else []), keras.layers.Activation(activation)]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

recipes = {f"{'BatchNorm' if norm else 'plain'} {activation} {start} {rate}":
           lambda parts=(norm, activation, start, rate): network(*parts)
           for norm in (True, False) for activation in ("relu", "tanh")
           for start in ("he_normal", "glorot_uniform") for rate in (0.01, 0.05, 0.25)}
print(kohort.Study(recipes, kohort.data.named("digits"), seeds=5, epochs=20).run())
""",
    sources=(
        "He, Zhang, Ren & Sun (2015), Delving deep into rectifiers, §2.2",
        "Glorot & Bengio (2010), Understanding the difficulty of training deep feedforward neural networks, §4.2",
        "Ioffe & Szegedy (2015), Batch normalization: accelerating deep network training by reducing internal "
        "covariate shift, §3.3",
        "Hanin & Rolnick (2018), How to start training: the effect of initialization and architecture, §3",
    ),
    untested="Networks of tens of layers, convolutions and large sets of photographs, with which the recipe became "
    "standard.",
)
