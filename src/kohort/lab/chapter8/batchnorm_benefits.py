"""The four benefits of batch normalisation: rate, initialisation, regularisation and speed, each measured alone."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.data.mnist1d import mnist1d
from kohort.lab.apparatus.choosing import choice_of_others, chosen_by_others
from kohort.lab.apparatus.ghost_batches import GroupedBatchNormalization
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.apparatus.training import Runs, curve, first_below, trained
from kohort.lab.claim import Beside, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

WIDTHS = (64,) * 5
RATES = tuple(float(f"{rate:.2g}") for rate in 10.0 ** np.arange(-2.0, 2.0, 0.5))
"""Of SGD on the digits, half a power of ten apart."""

BELOW = 0.0032
"""What counts as the largest rate of a seed that learns with none of them."""

LEARNT = 0.9
"""Accuracy; chance is 0.1, and a network without hidden layers reaches about 0.96."""

TARGET = 0.1
"""Training loss to reach; it begins at 2.3."""

SCALES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""What the standard deviation of He's initialisation is multiplied by, in all layers."""

SMALL_RATES = (0.1, 0.3, 1.0, 3.0)
"""Of SGD on MNIST-1D."""

PLACES: dict[str, dict[str, Any]] = {
    "none": {},
    "BatchNorm before": {"norm": layers.BatchNormalization},
    "BatchNorm after": {"norm": layers.BatchNormalization, "norm_after_activation": True},
}
"""Where batch normalisation stands: before the activation, as in the chapter, or after."""


def _deep(rate: float, scale: float = 1.0, **options: Any) -> keras.Model:
    he = keras.initializers.VarianceScaling(2.0 * scale**2, "fan_in", "truncated_normal")
    return perceptron(keras.optimizers.SGD(rate), widths=WIDTHS, initializer=he, **options)


def _accuracies(runs: Runs, names: list[str]) -> np.ndarray:
    """Validation accuracy at the end, of shape (names, seeds); that of a run that diverged is chance."""
    losses, shares = (
        np.stack([curve(runs, name, log)[:, -1] for name in names]) for log in ("val_loss", "val_accuracy")
    )
    return np.where(np.isfinite(losses), shares, 0.1)


def _largest(accuracies: np.ndarray, rates: tuple[float, ...]) -> np.ndarray:
    """The largest rate with which each seed learns, of shape (seeds,), from accuracies of shape (rates, seeds)."""
    return np.where(accuracies >= LEARNT, np.array(rates)[:, None], BELOW).max(axis=0)


def _on_digits(scale: Scale) -> dict[str, Measured]:
    epochs, digits = scale.of(30, 8), named("digits")
    rates, scales = scale.of(RATES, RATES[2::2][:3]), scale.of(SCALES, SCALES[::2])
    names = {place: [f"{place}, {rate:g}" for rate in rates] for place in PLACES}
    recipes = {f"{place}, {rate:g}": partial(_deep, rate, **told) for place, told in PLACES.items() for rate in rates}
    runs = trained(recipes, digits, scale, epochs=epochs, diagnostics=False)
    by_rate = {place: _accuracies(runs, names[place]) for place in PLACES}
    reached = {
        place: np.stack([first_below(curve(runs, name, "loss"), TARGET) for name in names[place]]) for place in PLACES
    }
    best = {place: [choice_of_others(by_rate[place], seed) for seed in range(scale.seeds)] for place in PLACES}
    others = {
        f"{place}, {rates[rate]:g}, {own:g}": partial(_deep, rates[rate], own, **told)
        for place, told in PLACES.items()
        for rate in sorted(set(best[place]))
        for own in scales
    }
    runs = trained(others, digits, scale, epochs=epochs, diagnostics=False)
    seeds = np.arange(scale.seeds)
    by_scale = {}
    for place in PLACES:
        tried = sorted(set(best[place]))
        found = np.stack(
            [_accuracies(runs, [f"{place}, {rates[rate]:g}, {own:g}" for own in scales]) for rate in tried]
        )
        by_scale[place] = found[[tried.index(rate) for rate in best[place]], :, seeds]
    return {
        "accuracy by rate": Measured({place: own.T for place, own in by_rate.items()}, rates),
        "largest rate": Measured({place: _largest(own, rates) for place, own in by_rate.items()}),
        "accuracy by scale": Measured(by_scale, scales),
        "spread": Measured({place: np.ptp(own, axis=1) for place, own in by_scale.items()}),
        "epochs to target": Measured(
            {place: chosen_by_others(own[:, :, None], greater_is_better=False) for place, own in reached.items()}
        ),
    }


def _on_mnist1d(scale: Scale) -> dict[str, Measured]:
    options = {
        "none": {},
        "BatchNorm before": PLACES["BatchNorm before"],
        "BatchNorm before, groups of 8": {"norm": partial(GroupedBatchNormalization, 8)},
    }
    rates = scale.of(SMALL_RATES, SMALL_RATES[1:3])
    recipes = {
        f"{place}, {rate:g}": partial(_deep, rate, inputs=40, **told)
        for place, told in options.items()
        for rate in rates
    }
    rows, epochs = scale.of((3000, 100), (1000, 30))
    runs = trained(recipes, mnist1d(rows), scale, epochs=epochs, batch_size=128, diagnostics=False)

    def offered(place: str, rate: float, log: str) -> np.ndarray:
        name = f"{place}, {rate:g}"
        learnt = _accuracies(runs, [name]) > 0.15
        return curve(runs, name, log) if learnt.all() else np.full((scale.seeds, epochs), np.nan)

    def chosen(log: str) -> dict[str, np.ndarray]:
        return {place: chosen_by_others(np.stack([offered(place, rate, log) for rate in rates])) for place in options}

    return {"validation accuracy": Measured(chosen("val_accuracy")), "training accuracy": Measured(chosen("accuracy"))}


def measure(scale: Scale) -> Evidence:
    """Rates, initialisations and speed on the digits, regularisation on MNIST-1D."""
    return {**_on_digits(scale), **_on_mnist1d(scale)}


def _times(evidence: Evidence, quantity: str, more: str, less: str) -> float:
    told = evidence[quantity]
    return float(np.exp(np.mean(np.log(told[more] / told[less]))))


def _ours(evidence: Evidence) -> str:
    return (
        "each at its best rate, the plain network took "
        f"{_times(evidence, 'epochs to target', 'none', 'BatchNorm before'):.1f} times the epochs; the largest rate "
        f"that learns was {_times(evidence, 'largest rate', 'BatchNorm before', 'none'):.0f} times as large."
    )


CLAIM = Claim(
    number=14,
    name="batchnorm-benefits",
    title="Batch normalisation allows higher rates, forgives initialisations, regularises mildly and is faster",
    quoted="Benefits: allows higher learning rates, reduces sensitivity to initialisation, acts as mild regulariser, "
    "accelerates convergence.",
    why="What a normalised layer gives out does not change when its weights are multiplied by a number. So a bad scale "
    "at the start does not multiply from layer to layer, and a step that is too large makes the weights long, which "
    "makes the next steps small in comparison. The mean and the variance of a batch depend on which rows happen to be "
    "in it: that is noise in each layer, much like that of dropout.",
    experiment="A perceptron with five hidden layers of 64 (ReLU, He) and SGD: plain, with BatchNorm before each "
    "activation, and after it. On the digits, 30 epochs with batches of 32: eight learning rates from 0.01 to 32. The "
    f"largest with which a seed ends above {LEARNT:.0%} is its largest rate; a run that diverged counts as chance. At "
    "the rate that does best under the other seeds, He's standard deviation is then multiplied by 0.1 to 10. Epochs "
    f"are those to a training loss of {TARGET:g}, each at the rate that is fastest under the other seeds. "
    "Regularisation is measured where there is something to overfit, on 3,000 rows of MNIST-1D, 100 epochs with "
    "batches of 128, four rates for each, epoch and rate chosen on the other seeds; a rate at which a seed ends near "
    "chance is not offered, so that this compares networks that learn. (At first the rates were three times smaller "
    "and all were offered: the best lay at the edge, where one plain network in 20 had died. Validation gain was then "
    "undecided, and the gain of noisier statistics was met; two more conditions were left out to save time.) To tell "
    "the noise of the batch from the rest, BatchNorm also takes its mean and variance from groups of 8 of the 128 "
    "rows: noisier statistics, the same batches.",
    predictions=(
        Prediction(
            "BatchNorm before the activation learns with more than 3 times the rate",
            lambda e: e["largest rate"]["BatchNorm before"] / e["largest rate"]["none"],
            above=3.0,
            kind="ratio",
            unit=" times",
        ),
        Prediction(
            "BatchNorm after the activation learns with more than 3 times the rate",
            lambda e: e["largest rate"]["BatchNorm after"] / e["largest rate"]["none"],
            above=3.0,
            kind="ratio",
            unit=" times",
        ),
        Prediction(
            "over scales of initialisation, accuracy varies by at least 20 points less with BatchNorm",
            lambda e: e["spread"]["none"] - e["spread"]["BatchNorm before"],
            above=0.2,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "each at its best rate, the plain network needs more than 1.5 times as many epochs",
            lambda e: e["epochs to target"]["none"] / e["epochs to target"]["BatchNorm before"],
            above=1.5,
            kind="ratio",
            unit=" times",
        ),
        Prediction(
            "BatchNorm raises validation accuracy by at least half a point",
            lambda e: e["validation accuracy"]["BatchNorm before"] - e["validation accuracy"]["none"],
            above=0.005,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "statistics of 8 rows, which are noisier, validate better than those of 128",
            lambda e: (
                e["validation accuracy"]["BatchNorm before, groups of 8"] - e["validation accuracy"]["BatchNorm before"]
            ),
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy by rate",
            "Which learning rates learn",
            "Validation accuracy on the digits after the last epoch, by learning rate of SGD. Chance is 0.1.",
            "accuracy",
            "learning rate",
            log_x=True,
        ),
        Drawing(
            "accuracy by scale",
            "Which initialisations learn",
            "Validation accuracy on the digits by what He's standard deviation was multiplied by, at the learning rate "
            "that suits the network at 1.",
            "accuracy",
            "times He's standard deviation",
            log_x=True,
        ),
        Drawing(
            "validation accuracy",
            "What it adds as a regulariser",
            "Validation accuracy on MNIST-1D, each at its best rate and epoch. Groups of 8 rows of the batch of 128 "
            "make the statistics noisier and change nothing else.",
            "accuracy",
        ),
    ),
    code="""\
import keras, kohort

def network(rate, norm):
    layers = [keras.Input((64,))]
    for _ in range(5):
        layers += [keras.layers.Dense(64, kernel_initializer="he_normal"),
                   *([keras.layers.BatchNormalization()] if norm else []), keras.layers.Activation("relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

recipes = {f"{norm} {rate}": lambda norm=norm, rate=rate: network(rate, norm == "BatchNorm")
           for norm in ("plain", "BatchNorm") for rate in (0.1, 1.0, 10.0)}
data = kohort.data.named("digits")
runs = kohort.fit(recipes, data.x, data.y, seeds=5, epochs=20, validation_split=0.2)
for name in recipes:
    print(name, [round(run.history["val_accuracy"][-1], 3) for run in runs.of(name)])
""",
    sources=(
        "Ioffe & Szegedy (2015), Batch normalization: accelerating deep network training by reducing internal "
        "covariate shift, §3.3, §3.4 and §4.2",
        "Bjorck, Gomes, Selman & Weinberger (2018), Understanding batch normalization, §3",
        "Hoffer, Hubara & Soudry (2017), Train longer, generalize better, §4",
        "Luo, Wang, Shao & Peng (2019), Towards understanding regularization in batch normalization, §2",
    ),
    beside=(
        Beside(
            "With BatchNorm and a learning rate 5 times as high, Inception reached the accuracy of the original "
            "(72.2 %) in 2.1 instead of 31 million steps, 14 times fewer; with 30 times the rate it reached 74.8 % in "
            "the end.",
            "Ioffe & Szegedy (2015), §4.2.2 and figure 3",
            _ours,
            "Inception is far deeper and was trained on a million photographs; its authors also removed dropout and "
            "reduced weight decay. A network of five layers with He's initialisation learns the digits well without "
            "any help.",
        ),
    ),
)
