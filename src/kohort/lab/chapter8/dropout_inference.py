"""Dropout is for training only – and where the scale is put right, in training or at test time, is a convention."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from kohort.data import named
from kohort.lab import answers
from kohort.lab.apparatus.choosing import choice_of_others
from kohort.lab.apparatus.few_rows import FewRows, few_rows
from kohort.lab.apparatus.kept_weights import weights_by_setting
from kohort.lab.apparatus.networks import compiled, perceptron
from kohort.lab.apparatus.sub_networks import Weights, drawn_masks, logits, softmax
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

ROWS = 200
"""Of the digits; drawn anew for each seed."""

RATE = 0.5
"""Of dropout; the p of the chapter."""

LEARNING_RATES = (0.001, 0.003, 0.01)
"""Of Adam; each form of dropout gets its best."""

LEFT_ON = (0.0, 0.1, 0.25, 0.5, 0.75)
"""Rates of dropout at test time."""

PASSES = 50
"""Over the rows held out, where dropout stays on."""


class ClassicDropout(keras.layers.Layer):
    """Dropout as in the paper of 2014: what is kept is not scaled in training, so it must be at test time.

    Args:
        rate: The share of units that are dropped.
        seed: Fixes the masks; drawn as Keras draws it if None.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The inputs, in training with a share of them set to 0."""
        if not training:
            return inputs
        drawn = keras.random.uniform(ops.shape(inputs), seed=self.seed_generator)
        return ops.where(drawn >= self.rate, inputs, ops.zeros_like(inputs))


def _inverted(rate: float) -> keras.Model:
    return perceptron(keras.optimizers.Adam(rate), dropout=RATE)


def _classic(rate: float) -> keras.Model:
    stack: list[Any] = [keras.layers.Input((64,))]
    for width in (128, 64):
        stack += [keras.layers.Dense(width, "relu", kernel_initializer="he_normal"), ClassicDropout(RATE)]
    stack.append(keras.layers.Dense(10, "softmax", kernel_initializer="he_normal"))
    return compiled(keras.Sequential(stack), keras.optimizers.Adam(rate))


def _scaled(weights: Weights, rows: FewRows, factor: float = 1.0) -> np.ndarray:
    """Probabilities of one pass without dropout, the hidden activations multiplied by a factor."""
    masks = [np.full((1, 1, 1), factor, np.float32)] * 2
    return softmax(logits(weights, rows.held_x, masks))[0]


def _mean_activation(layer: keras.layers.Layer, weights: Weights, rows: FewRows) -> float:
    """The mean of the first hidden layer's activations after a dropout at work, by that before it."""
    hidden = np.maximum(rows.held_x @ weights[0] + weights[1], 0.0)
    dropped = layer(np.tile(hidden, (20, 1)), training=True)
    return float(np.mean(np.asarray(dropped), dtype=np.float64) / hidden.mean(dtype=np.float64))


def _differ(first: np.ndarray, second: np.ndarray) -> float:
    """The share of rows that two passes give different classes."""
    return float(np.mean(first.argmax(axis=-1) != second.argmax(axis=-1)))


def _scatter(passes: np.ndarray, rows: FewRows) -> tuple[float, float]:
    """Standard deviations over passes: of the true class's probability, the mean over rows, and of the accuracy."""
    of_truth = passes[:, np.arange(len(rows.held_y)), rows.held_y]  # (passes, rows)
    accuracies = [rows.accuracy(own) for own in passes]
    return float(of_truth.std(axis=0, ddof=1, dtype=np.float64).mean()), float(np.std(accuracies, ddof=1))


def _passes(model: keras.Model, rows: FewRows, training: bool) -> np.ndarray:
    """Probabilities of shape (passes, rows, classes)."""
    found = np.asarray(model(np.tile(rows.held_x, (PASSES, 1)), training=training))
    return found.reshape(PASSES, len(rows.held_y), -1)


def _predicted(inverted: Weights, classic: Weights, rows: FewRows) -> dict[str, np.ndarray]:
    """Probabilities by the way of predicting; where dropout stays on, of shape (passes, rows, classes)."""
    model = _inverted(LEARNING_RATES[0])
    model.set_weights([*inverted])
    on = _passes(model, rows, training=True)
    return {
        "inverted, off": np.asarray(model(rows.held_x, training=False)),
        "inverted, left on": on,
        "inverted, mean of 50 passes": on.mean(axis=0),
        "inverted, scaled once more": _scaled(inverted, rows, 1.0 - RATE),
        "classic, scaled": _scaled(classic, rows, 1.0 - RATE),
        "classic, not scaled": _scaled(classic, rows),
    }


def _by_rate_left_on(weights: Weights, rows: FewRows, seed: int) -> tuple[list[float], list[float]]:
    """The accuracy of single passes and of their mean, by the rate of dropout at test time."""
    single, mean = [], []
    for rate in LEFT_ON:
        passes = softmax(logits(weights, rows.held_x, drawn_masks(weights, PASSES, rate, np.random.default_rng(seed))))
        single.append(rows.accuracy(passes))
        mean.append(rows.accuracy(passes.mean(axis=0)))
    return single, mean


def measure(scale: Scale) -> Evidence:
    """Trains both forms of dropout on few digits, and predicts with it off, left on and wrongly scaled."""
    data = [few_rows(named("digits"), ROWS, seed) for seed in range(scale.seeds)]
    networks: dict[str, list[Weights]] = {}
    for form, build, factor in (("inverted", _inverted, 1.0), ("classic", _classic, 1.0 - RATE)):
        recipes = {f"{rate:g}": partial(build, rate) for rate in LEARNING_RATES}
        kept = [
            weights_by_setting(rows, recipes, seeds=[seed], epochs=scale.of(100, 30)) for seed, rows in enumerate(data)
        ]
        scores = np.array(
            [
                [rows.accuracy(_scaled(own, rows, factor)) for (own,) in of_seed]
                for rows, of_seed in zip(data, kept, strict=True)
            ]
        ).T
        networks[form] = [kept[seed][choice_of_others(scores, seed)][0] for seed in range(scale.seeds)]
    found: dict[str, dict[str, list[Any]]] = {}

    def note(quantity: str, condition: str, value: Any) -> None:
        found.setdefault(quantity, {}).setdefault(condition, []).append(value)

    for seed, rows in enumerate(data):
        inverted, classic = networks["inverted"][seed], networks["classic"][seed]
        predicted = _predicted(inverted, classic, rows)
        for name, own in predicted.items():
            note("accuracy", name, rows.accuracy(own))
            note("log loss", name, rows.log_loss(own))
        again = _predicted(inverted, classic, rows)["inverted, off"]
        note("passes differ", "off", _differ(predicted["inverted, off"], again))
        note(
            "passes differ", "left on", _differ(predicted["inverted, left on"][1:], predicted["inverted, left on"][:-1])
        )
        model = _inverted(LEARNING_RATES[0])
        model.set_weights([*inverted])
        for name, passes in (
            ("off", _passes(model, rows, training=False)),
            ("left on", predicted["inverted, left on"]),
        ):
            probability, accuracy = _scatter(passes, rows)
            note("scatter of the true class's probability", name, probability)
            note("scatter of the accuracy of a pass", name, accuracy)
        note("activation", "inverted", _mean_activation(keras.layers.Dropout(RATE, seed=seed), inverted, rows))
        note("activation", "classic", _mean_activation(ClassicDropout(RATE, seed=seed), classic, rows))
        single, mean = _by_rate_left_on(inverted, rows, seed)
        note("accuracy by rate left on", "one pass", single)
        note("accuracy by rate left on", "mean of 50 passes", mean)
    return {
        quantity: Measured(own, LEFT_ON if quantity == "accuracy by rate left on" else None)
        for quantity, own in found.items()
    }


def _more_scatter(evidence: Evidence, of: str) -> np.ndarray:
    """By how much passes scatter more with dropout left on than when it is off."""
    own = evidence[f"scatter of {of}"]
    return own["left on"] - own["off"]


CLAIM = Claim(
    number=11,
    name="dropout-inference",
    title="Dropout is off in prediction; inverted dropout needs no scaling there, the classic form needs 1 − p",
    quoted="At test time, scale activations by (1−p) (or equivalently use inverted dropout during training). … NOT "
    "applied during inference (model(x, training=False)). … Inverted dropout (Keras default): multiply by 1/(1−p) "
    "during training → no scaling needed at test time.",
    why="A mask keeps a unit with probability 1 − p, so the mean of what the next layer gets is 1 − p times what it "
    "would get without. Either training divides by 1 − p, or prediction multiplies by it; else the next layer sees, in "
    "prediction, inputs that are too large by 1/(1 − p). A mask in prediction adds noise that the labels know nothing "
    "of. A wrong scale need not change the class: with ReLU and small biases all logits grow by about the same factor, "
    "and the largest stays the largest. Then it is the probabilities that suffer.",
    experiment=f"The chapter's network (64-128-64-10, dropout {RATE:g} after both hidden layers) on {ROWS} digits that "
    "are drawn anew for each seed; 1,000 others judge. It is trained with Keras' Dropout and with a layer that drops "
    f"and does not scale. Each form gets the learning rate of Adam (of {len(LEARNING_RATES)}) and the epoch (of four "
    "up to 100) that are best under the other seeds when it predicts as it should. These networks then predict as "
    f"they should, with dropout left on ({PASSES} passes of model(x, training=True)), and wrongly scaled. The mean "
    "activation of the first hidden layer is measured after Keras' layer and after the other, with 20 masks for each "
    "row. How far passes scatter is their standard deviation: of the true class's probability for each row, the mean "
    "over rows, and of the accuracy of a pass over all rows. (A first run counted only the rows whose class changes; "
    "this was added after it, and predicted before it was measured.)",
    predictions=(
        Prediction(
            "left on, a single pass loses more than 2 points of accuracy",
            lambda e: e["accuracy"]["inverted, off"] - e["accuracy"]["inverted, left on"],
            above=0.02,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "left on, two passes give different classes to more than 5 % of the rows",
            lambda e: e["passes differ"]["left on"] - e["passes differ"]["off"],
            above=0.05,
            unit=" %",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "left on, the true class's probability scatters by more than 5 points from pass to pass",
            lambda e: _more_scatter(e, "the true class's probability"),
            above=0.05,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "left on, the accuracy of a pass scatters by 0.2 to 1 points: each row has its mask, and errors even out",
            lambda e: _more_scatter(e, "the accuracy of a pass"),
            above=0.002,
            below=0.01,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "inverted dropout keeps the mean activation to 1 %",
            lambda e: e["activation"]["inverted"],
            above=0.99,
            below=1.01,
            unit=" times",
        ),
        Prediction(
            "classic dropout halves the mean activation, to 1 %",
            lambda e: e["activation"]["classic"] / (1.0 - RATE),
            above=0.99,
            below=1.01,
            unit=" times 1 − p",
        ),
        Prediction(
            "classic dropout that is not scaled is half a point less accurate than scaled",
            lambda e: e["accuracy"]["classic, scaled"] - e["accuracy"]["classic, not scaled"],
            above=0.005,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "classic dropout that is not scaled has 1.5 times the log loss of scaled",
            lambda e: e["log loss"]["classic, not scaled"] / e["log loss"]["classic, scaled"],
            above=1.5,
            kind="ratio",
            unit=" times",
        ),
        Prediction(
            "classic dropout that is scaled is as accurate as inverted, to a point",
            lambda e: e["accuracy"]["classic, scaled"] - e["accuracy"]["inverted, off"],
            above=-0.01,
            below=0.01,
            unit=" points",
            scale=100.0,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy",
            "Ways of predicting",
            "Accuracy on held-out digits of the same networks when dropout is off, left on, or wrongly scaled.",
            "accuracy",
        ),
        Drawing(
            "log loss",
            "What a wrong scale does to probabilities",
            "Cross-entropy on held-out digits. A wrong scale makes probabilities too sure or not sure enough, even "
            "where it leaves the class as it is.",
            "log loss",
        ),
        Drawing(
            "scatter of the true class's probability",
            "What is said of the same row, pass after pass",
            f"The standard deviation of the true class's probability over {PASSES} passes, mean over rows, "
            "with dropout left on and with it off.",
            "standard deviation of the probability",
        ),
        Drawing(
            "accuracy by rate left on",
            "Dropout that stays on",
            f"A network that was trained with rate {RATE:g} predicts with other rates; 0 is off.",
            "accuracy",
            "rate at test time",
        ),
    ),
    code="""\
import kohort, numpy as np

data = kohort.data.named("digits")
result = kohort.Study(["dropout=0.5"], data, seeds=1, epochs=40, network="mlp").run()
model = result.model("dropout 0.5", 0)
rows = result.runs["dropout 0.5", 0].test.rows
for name, training in (("off", False), ("left on", True), ("left on, again", True)):
    found = np.argmax(model(data.x[rows], training=training), axis=-1)
    print(name, np.mean(found == data.y[rows]))
""",
    sources=(
        "Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), Dropout: a simple way to prevent neural "
        "networks from overfitting, §4 and §10",
        "Keras documentation, Dropout layer",
    ),
    answers=(Answer(3, answers.dropout_inference),),
)
