"""L2 spreads weights, L1 makes them sparse – and how L1 is minimised decides whether weights become exactly zero."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kohort.data import named
from kohort.lab import answers
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.apparatus.training import of_each, tested, trained
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.parts import Proximal
from kohort.run import WEIGHT_EDGES, Run

STRENGTH = 1e-3
"""Of both penalties; the loss itself is about 0.1 at the end."""

RATE = 0.1
"""Of SGD; with batches of 32 the digits are learnt by heart in 60 epochs."""


def _builders() -> dict[str, Callable[[], keras.Model]]:
    def by_sgd(penalty: Any = None) -> keras.Model:
        return perceptron(keras.optimizers.SGD(RATE), penalty=penalty)

    return {
        "none": by_sgd,
        "L2": lambda: by_sgd(keras.regularizers.L2(STRENGTH)),
        "L1, subgradient": lambda: by_sgd(keras.regularizers.L1(STRENGTH)),
        "L1, proximal": lambda: perceptron(Proximal(keras.optimizers.SGD(RATE), l1=STRENGTH)),
        "L1, subgradient in Adam": lambda: perceptron("adam", penalty=keras.regularizers.L1(STRENGTH)),
        "L1, proximal after Adam": lambda: perceptron(Proximal(keras.optimizers.Adam(), l1=STRENGTH)),
    }


def _kernels(run: Run) -> np.ndarray:
    return np.concatenate([own.ravel() for own in run.weights if own.ndim == 2])


def _concentration(weights: np.ndarray) -> float:
    """The share of the sum of squares that the largest tenth of the weights holds: 0.1 if all are alike."""
    squares = np.sort(weights.astype(np.float64) ** 2)[::-1]
    return float(squares[: len(squares) // 10].sum() / squares.sum())


def measure(scale: Scale) -> Evidence:
    """Trains the recipes on the digits and looks at their kernels."""
    recipes = _builders()
    runs = trained(recipes, named("digits"), scale, epochs=scale.of(60, 10))
    centres = np.sqrt(WEIGHT_EDGES[len(WEIGHT_EDGES) // 2 : -1] * WEIGHT_EDGES[len(WEIGHT_EDGES) // 2 + 1 :])

    def shares(run: Run) -> np.ndarray:
        counts, _ = np.histogram(np.abs(_kernels(run)), WEIGHT_EDGES[len(WEIGHT_EDGES) // 2 :])
        return 100.0 * counts / len(_kernels(run))

    def each(number: Callable[[Run], Any]) -> dict[str, np.ndarray]:
        return {name: of_each(runs, name, number) for name in recipes}

    return {
        "exact zeros": Measured(each(lambda run: np.mean(_kernels(run) == 0.0))),
        "near zeros": Measured(each(lambda run: np.mean(np.abs(_kernels(run)) < 1e-3))),
        "norm": Measured(each(lambda run: np.linalg.norm(_kernels(run)))),
        "concentration": Measured(each(lambda run: _concentration(_kernels(run)))),
        "accuracy": Measured({name: tested(runs, name) for name in recipes}),
        "histogram": Measured(each(shares), centres),
    }


CLAIM = Claim(
    number=5,
    name="l1-sparsity",
    title="L2 makes weights small and spread, L1 makes many of them exactly zero",
    quoted="L2 … penalises large weights, encourages small distributed weights. L1 … promotes sparsity (many weights → "
    "exactly 0).",
    why="The gradient of λ/2·w² is λw: it fades as a weight becomes small, so none arrives at zero. That of λ|w| is "
    "±λ however small the weight, so a weight that the loss pulls less than λ ends at zero. But a step of fixed "
    "length along ±λ jumps over zero and back; only a step that stops there (soft thresholding, the proximal operator "
    "of λ|w|) yields exact zeros.",
    experiment="The chapter's network (64-128-64-10, He, ReLU) on the digits that ship with scikit-learn, 60 epochs "
    f"of SGD (η = {RATE:g}): without a penalty, with Keras' L2({STRENGTH:g}), with Keras' L1({STRENGTH:g}), and with "
    "L1 of the same strength by proximal steps. Each seed has a split of its own. After the last epoch all kernels "
    "are looked at. The experiment was first written with Adam, where the two ways of L1 do not minimise the same "
    "thing: Adam divides the penalty's gradient by that of the loss, a proximal step after it is not divided, and at "
    "this strength hardly moves a weight. The predictions were kept, the optimiser became SGD; Adam's numbers are "
    "shown beside.",
    predictions=(
        Prediction(
            "L2 shrinks the norm of the kernels to less than 0.8 of that without a penalty",
            lambda e: e["norm"]["L2"] / e["norm"]["none"],
            below=0.8,
            kind="ratio",
            unit=" times",
        ),
        Prediction(
            "L2 leaves fewer than 0.1 % exact zeros",
            lambda e: e["exact zeros"]["L2"],
            below=0.001,
            unit=" %",
            scale=100.0,
        ),
        Prediction(
            "L1 leaves ten points more weights below 0.001 than L2",
            lambda e: e["near zeros"]["L1, subgradient"] - e["near zeros"]["L2"],
            above=0.1,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "under L1 the largest tenth holds 10 points more of the sum of squares than under L2",
            lambda e: e["concentration"]["L1, proximal"] - e["concentration"]["L2"],
            above=0.1,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "L1 by subgradients leaves fewer than 0.1 % exact zeros",
            lambda e: e["exact zeros"]["L1, subgradient"],
            below=0.001,
            unit=" %",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "L1 by proximal steps makes more than half of the weights exactly zero",
            lambda e: e["exact zeros"]["L1, proximal"],
            above=0.5,
            unit=" %",
            scale=100.0,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "histogram",
            "How large the weights are",
            "The share of all kernels' weights by magnitude, mean over seeds with its 95 % interval. Exact zeros have "
            "no place on a logarithmic axis.",
            "% of the weights",
            "magnitude of a weight",
            log_x=True,
        ),
        Drawing(
            "exact zeros",
            "Weights that are exactly zero",
            "The share of the kernels' weights that are zero to the last bit, at the end.",
            "share of the weights",
        ),
    ),
    code="""\
import keras, kohort
from kohort.parts import Proximal

def network(optimizer=keras.optimizers.SGD(0.1), penalty=None):
    layers = [keras.Input((64,)), keras.layers.Dense(128, "relu", kernel_regularizer=penalty),
              keras.layers.Dense(10, "softmax", kernel_regularizer=penalty)]
    model = keras.Sequential(layers)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

recipes = {"L1": lambda: network(penalty=keras.regularizers.L1(1e-3)),
           "proximal": lambda: network(Proximal(keras.optimizers.SGD(0.1), l1=1e-3))}
data = kohort.data.named("digits")
runs = kohort.fit(recipes, data.x, data.y, seeds=20, epochs=60)
for name in recipes:
    print(name, [float((run.weights[0] == 0).mean()) for run in runs.of(name)])
""",
    sources=(
        "Tibshirani (1996), Regression shrinkage and selection via the lasso",
        "Parikh & Boyd (2014), Proximal algorithms, §6.5.2",
    ),
    answers=(Answer(1, answers.l1_sparsity),),
)
