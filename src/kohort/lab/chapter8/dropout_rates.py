"""Which rate of dropout suits which network, from narrow to wide, on few and on more rows."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kohort.data import named
from kohort.lab.apparatus.choosing import choice_of_others, chosen_by_others
from kohort.lab.apparatus.few_rows import few_rows
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.claim import Beside, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

NARROW, SMALL, MIDDLE, LARGE = "16-8", "32-16", "128-64", "512-256"

NETWORKS = {
    NARROW: ((16, 8), 3200),
    SMALL: ((32, 16), 1600),
    MIDDLE: ((128, 64), 1600),
    LARGE: ((512, 256), 800),
}
"""Hidden layers and steps of training, by name; a wide network learns the few rows by heart in fewer steps."""

FEW, MORE = 200, 800
"""Training digits; more of them with the large network only."""

RATES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
"""Of dropout."""

LEARNING_RATES = (0.001, 0.003, 0.01)
"""Of Adam; each rate of dropout gets its best."""

BATCH = 40
"""Rows of a step."""

LOOKS = 20
"""Of a training, at which it may be judged."""

MATTERS = 0.005
"""The smallest difference of accuracy that matters: half a point."""


def _scores(widths: Sequence[int], rates: Sequence[float], rows: int, steps: int, scale: Scale) -> np.ndarray:
    """Accuracies on the rows held out, of shape (seeds, rates), each at its best learning rate and epoch."""
    learning_rates = scale.of(LEARNING_RATES, LEARNING_RATES[1:2])
    recipes = {
        f"{rate:g} {step:g}": lambda rate=rate, step=step: perceptron(
            keras.optimizers.Adam(step), widths=widths, dropout=rate
        )
        for rate in rates
        for step in learning_rates
    }
    epochs, looks = steps * BATCH // rows, scale.of(LOOKS, 2)
    options: dict[str, Any] = {"epochs": epochs, "validation_freq": epochs // looks, "batch_size": BATCH}
    logs = np.empty((len(recipes), scale.seeds, looks))
    for seed in range(scale.seeds):
        runs = few_rows(named("digits"), rows, seed).fit(recipes, seeds=[seed], **options)
        logs[:, seed] = [runs[name, seed].history["val_accuracy"] for name in recipes]
    by_rate = logs.reshape(len(rates), len(learning_rates), scale.seeds, looks)
    return np.stack([chosen_by_others(own) for own in by_rate], axis=1)


def _own_best(accuracies: np.ndarray, rates: Sequence[float]) -> np.ndarray:
    """For each seed the rate with its highest accuracy, the mean of rates that draw, of shape (seeds,).

    Args:
        accuracies: Of shape (seeds, rates).
        rates: Of dropout.
    """
    highest = accuracies == accuracies.max(axis=1, keepdims=True)
    return highest @ np.asarray(rates) / highest.sum(axis=1)


def measure(scale: Scale) -> Evidence:
    """Trains networks of four sizes with several rates of dropout, and finds the rate that is best."""
    rates = scale.of(RATES, (0.0, 0.3, 0.5))
    accuracy = {}
    for name in scale.of(tuple(NETWORKS), (SMALL, LARGE)):
        widths, steps = NETWORKS[name]
        accuracy[name] = _scores(widths, rates, FEW, scale.of(steps, 120), scale)
    widths, steps = NETWORKS[LARGE]
    more = _scores(widths, (0.0, 0.5), MORE, scale.of(steps, 120), scale)
    few = accuracy[LARGE][:, [rates.index(0.0), rates.index(0.5)]]
    each = np.arange(scale.seeds)
    best = {
        name: np.array([choice_of_others(own.T, seed) for seed in range(scale.seeds)]) for name, own in accuracy.items()
    }
    return {
        "accuracy": Measured(accuracy, rates),
        "accuracy at the best rate": Measured({name: own[each, best[name]] for name, own in accuracy.items()}),
        "best rate": Measured({name: np.array(rates)[own] for name, own in best.items()}),
        "each seed's own best rate": Measured({name: _own_best(own, rates) for name, own in accuracy.items()}),
        "accuracy by rows": Measured(
            {
                f"{rows} rows, {told}": own[:, place]
                for rows, own in ((FEW, few), (MORE, more))
                for place, told in enumerate(("none", "0.5"))
            }
        ),
    }


def _below_best(evidence: Evidence, network: str, rate: float) -> np.ndarray:
    """What a rate lacks to the best one, which the other seeds choose."""
    return evidence["accuracy"].at(rate)[network] - evidence["accuracy at the best rate"][network]


def _change(evidence: Evidence, network: str, before: float, after: float) -> np.ndarray:
    """What a higher rate adds to the accuracy."""
    return evidence["accuracy"].at(after)[network] - evidence["accuracy"].at(before)[network]


def _added(evidence: Evidence, rows: int) -> np.ndarray:
    """What 0.5 adds to the accuracy of the large network."""
    return evidence["accuracy by rows"][f"{rows} rows, 0.5"] - evidence["accuracy by rows"][f"{rows} rows, none"]


def _growth(evidence: Evidence) -> np.ndarray:
    """By how much each seed's own best rate grows when layers become four times as wide: a line's slope, (seeds,)."""
    best = evidence["each seed's own best rate"]
    width = np.array([np.log2(NETWORKS[name][0][0]) / 2.0 for name in best])
    apart = width - width.mean()
    return apart @ np.array(list(best.values())) / (apart @ apart)


def _errors(evidence: Evidence) -> str:
    errors = {name: 100.0 * (1.0 - float(own.mean())) for name, own in evidence["accuracy by rows"].items()}
    told = [
        f"{errors[f'{rows} rows, none']:.2f} % without and {errors[f'{rows} rows, 0.5']:.2f} % with dropout at 0.5 "
        f"({rows} rows)"
        for rows in (FEW, MORE)
    ]
    return f"errors of the large network: {' and '.join(told)}"


def _flat(evidence: Evidence) -> str:
    accuracy = evidence["accuracy"]
    means = np.array([own.mean(axis=0) for own in (accuracy[SMALL], accuracy[LARGE])])
    rates = accuracy.points if accuracy.points is not None else np.zeros(0)
    near = [rates[own >= own.max() - MATTERS] for own in means]
    told = [", ".join(f"{rate:g}" for rate in own) for own in near]
    return f"rates within half a point of the best: {told[0]} for the small network, {told[1]} for the large"


CLAIM = Claim(
    number=12,
    name="dropout-rates",
    title="Rates of dropout: 0.3 for smaller networks, 0.5 for fully connected layers",
    quoted="Typical rates: 0.3 for smaller networks, 0.5 for fully connected layers.",
    why="Dropout at a rate p leaves (1 − p) n of n units at work in each step. A wide layer has units to spare, and "
    "at 0.5 the masks of two steps differ most. A narrow one loses what it needs to fit the training rows "
    "at all: it underfits. So the best rate should grow with the width, and with few rows it should matter more. Where "
    "do the two numbers come from? 0.5 is the rate of the first papers, for hidden layers, with 0.2 for inputs (Hinton "
    "et al. 2012). Srivastava et al. (2014, §1) call it close to optimal for a wide range of networks and tasks: it "
    "was found by trying. What theory adds is that at 0.5 all sub-networks are equally likely, and that the variance "
    "of a mask of zeros and ones, p (1 − p), is largest. That makes 0.5 natural, not best; and what is kept is "
    "multiplied by 1 / (1 − p), so that the noise that a layer sees has the variance p / (1 − p), which goes on "
    "growing beyond 0.5. For 0.3 we know of no derivation, and of no paper that made it a standard. It lies inside the "
    "range that Srivastava et al. name as typical of hidden units: keep 0.5 to 0.8 of them, that is, drop 0.2 to 0.5 "
    "(appendix A.4). They also advise to make a layer wider by 1 / (1 − p); who leaves it small must take a lower p. "
    "Zaremba et al. (2014) chose by size, too: no dropout for an LSTM of 200 units a layer, 0.5 for one of 650, 0.65 "
    "for one of 1,500.",
    experiment=f"Perceptrons with hidden layers 16-8, 32-16, 128-64 and 512-256, dropout after both, on {FEW} digits "
    "that are drawn anew for each seed; 1,000 others judge. Six rates up to 0.7. Each rate gets 1,600 steps of "
    f"{BATCH} rows (3,200 in the narrowest network, 800 in the large one), and the learning rate of Adam (of three) "
    "and the epoch that are best under the other seeds. The large network (512-256) is also trained on "
    f"{MORE} digits, in as many steps. The best rate of a network is chosen by the other seeds too, so it promises "
    "nothing that a new seed would not keep. But the other seeds are nearly the same for each seed, and so are their "
    "choices. So whether the best rate grows with the width is judged by each seed's own best rate (the mean of rates "
    "that draw) and the slope of a line through the four networks, against the logarithm of the width: that scatters, "
    "and its interval is honest. Half a point of accuracy is taken as the smallest difference that matters. At first "
    "all had 400 steps (and there was a seventh rate, 0.4): 0.3 was then 1.4 points below the best rate in the small "
    "network (32-16), and 0.5 no better than none in the large one, and the verdict was that it depends. But the small "
    "network gained from more steps even without dropout. So the steps were raised, rates reduced to pay for it, and "
    "the predictions kept; that run had 16 seeds and no network narrower than 32-16.",
    predictions=(
        Prediction(
            "in the small network 0.3 is within half a point of the best rate",
            lambda e: _below_best(e, SMALL, 0.3),
            above=-MATTERS,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "in the large network 0.5 is within half a point of the best rate",
            lambda e: _below_best(e, LARGE, 0.5),
            above=-MATTERS,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "in the small network 0.3 is better than no dropout",
            lambda e: _change(e, SMALL, 0.0, 0.3),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "in the large network 0.5 is half a point better than no dropout",
            lambda e: _change(e, LARGE, 0.0, 0.5),
            above=MATTERS,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "in the small network 0.5 is half a point worse than 0.3",
            lambda e: _change(e, SMALL, 0.5, 0.3),
            above=MATTERS,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "going from 0.3 to 0.5 suits the large network better than the small one",
            lambda e: _change(e, LARGE, 0.3, 0.5) - _change(e, SMALL, 0.3, 0.5),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "in the large network 0.5 adds more with 200 rows than with 800",
            lambda e: _added(e, FEW) - _added(e, MORE),
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "the best rate grows with the width of the network",
            _growth,
            above=0.0,
            unit=" for each fourfold width",
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy",
            "Accuracy by rate of dropout",
            "On held-out digits, each rate with its best learning rate and epoch. Read where a curve begins to fall: "
            "what a network can bear depends on its width.",
            "accuracy",
            "rate of dropout",
        ),
        Drawing(
            "best rate",
            "The rate that the other seeds choose",
            "For each seed, the rate with the highest mean accuracy under all other seeds.",
            "rate of dropout",
        ),
        Drawing(
            "each seed's own best rate",
            "The best rate by width",
            "For each seed, the rate with which it was most accurate, from the narrowest network to the widest. Where "
            "the curve of accuracy is flat, chance decides, and seeds lie far apart.",
            "rate of dropout",
        ),
    ),
    code="""\
import keras, kohort

def network(width, rate):
    stack = [keras.Input((64,)), keras.layers.Dense(width, "relu"), keras.layers.Dropout(rate),
             keras.layers.Dense(width // 2, "relu"), keras.layers.Dropout(rate), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

data = kohort.data.named("digits")
for width in (32, 512):
    recipes = {rate: lambda rate=rate: network(width, float(rate)) for rate in ("0", "0.3", "0.5")}
    runs = kohort.fit(recipes, data.x[:200], data.y[:200], seeds=5, epochs=60,
                      validation_data=(data.x[200:], data.y[200:]))
    print(width, {rate: sum(run.history["val_accuracy"][-1] for run in runs.of(rate)) / 5 for rate in recipes})
""",
    sources=(
        "Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), Dropout: a simple way to prevent neural "
        "networks from overfitting, §1, §6.1.1, §7.3, §7.4 and appendix A.4",
        "Hinton, Srivastava, Krizhevsky, Sutskever & Salakhutdinov (2012), Improving neural networks by preventing "
        "co-adaptation of feature detectors",
        "Zaremba, Sutskever & Vinyals (2014), Recurrent neural network regularization, §4.1",
    ),
    untested="Dropout of the inputs; more rows were tried with the large network only; convolutions have a claim of "
    "their own (spatial-dropout).",
    beside=(
        Beside(
            theirs="MNIST: error 1.60 % for a standard network, 1.25 % with dropout and ReLU",
            source="Srivastava et al. (2014), table 2",
            ours=_errors,
            why="Theirs are 60,000 training rows of 28×28 pixels and three layers of 1,024 units, the standard "
            "network being another one (Simard et al. 2003, two layers of 800 logistic units). Ours are a few hundred "
            "rows of 8×8 pixels and 800 steps: errors cannot be compared, only which is smaller, and by what share.",
        ),
        Beside(
            theirs="MNIST: the error is flat where between 0.4 and 0.8 of the units are kept (dropout of 0.2 to 0.6)",
            source="Srivastava et al. (2014), §7.3",
            ours=_flat,
            why="Theirs is a network with three layers of 2,048 units. The flat part is that of a network with units "
            "to spare; a narrow one has none.",
        ),
    ),
)
