"""Augmentation regularises where rows are few, if it changes them as the task does; a wrong one does not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.data.dataset import Dataset
from kohort.lab.apparatus.choosing import chosen_by_others
from kohort.lab.apparatus.few_rows import FewRows, few_rows
from kohort.lab.apparatus.networks import compiled, convolutional, perceptron
from kohort.lab.claim import Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.run import Run

SIZES = (50, 200, 800)
"""Training rows: each is a part of the next, and all divide the last, so that an epoch has as many steps for each."""

FEW, MANY = SIZES[0], SIZES[-1]

EPOCHS = 20
"""Of 800 rows in 40 steps: each of 50 rows is seen 16 times an epoch, each of 800 once."""

NONE, RIGHT, WRONG = "none", "right", "mirror"


@dataclass(frozen=True)
class Task:
    """Rows to learn, and what learns them.

    Attributes:
        data: Draws the dataset.
        network: Adam's rate and the first layers -> a compiled network.
        rates: Of Adam; each augmentation gets its best.
        augmentations: Kind -> makes the first layers.
        right: What the right augmentation is called.
    """

    data: Callable[[], Dataset]
    network: Callable[..., keras.Model]
    rates: tuple[float, ...]
    augmentations: Mapping[str, Callable[[], list[Any]]]
    right: str

    def words(self, kind: str) -> str:
        """What a kind of augmentation is called in figures."""
        return self.right if kind == RIGHT else kind


def _images() -> Dataset:
    digits = named("digits")
    return replace(digits, x=digits.x.reshape(-1, 8, 8))


def _convolutional(rate: float, first: Callable[[], list[Any]]) -> keras.Model:
    return convolutional(keras.optimizers.Adam(rate), first=first())


def _perceptron(rate: float, first: Callable[[], list[Any]]) -> keras.Model:
    network = perceptron(keras.optimizers.Adam(rate), inputs=40)
    return compiled(keras.Sequential([keras.Input((40,)), *first(), *network.layers]), network.optimizer)


def _shifted() -> list[Any]:
    """A whole pixel of 8 each way, or none; what comes in is black."""
    return [layers.RandomTranslation(0.125, 0.125, fill_mode="constant", interpolation="nearest")]


def _as_image(change: Callable[[], Any]) -> Callable[[], list[Any]]:
    """A line of 40 points changed as an image of one row."""
    return lambda: [layers.Reshape((1, 40, 1)), change(), layers.Reshape((40,))]


_mirrored = partial(layers.RandomFlip, "horizontal")
_moved = partial(layers.RandomTranslation, 0.0, 0.25, fill_mode="wrap", interpolation="nearest")

TASKS = {
    "digits": Task(
        _images,
        _convolutional,
        (0.003, 0.01, 0.03),
        {NONE: list, RIGHT: _shifted, WRONG: lambda: [_mirrored()]},
        "shift",
    ),
    "MNIST-1D": Task(
        partial(named, "mnist1d"),
        _perceptron,
        (0.001, 0.003, 0.01),
        {NONE: list, RIGHT: _as_image(_moved), WRONG: _as_image(_mirrored)},
        "shift",
    ),
}


def _first(rows: FewRows, count: int) -> FewRows:
    """The first of the training rows, repeated until they are as many as all of them; the same rows judge."""
    times = len(rows.x) // count
    return replace(rows, x=np.concatenate([rows.x[:count]] * times), y=np.concatenate([rows.y[:count]] * times))


def _each(runs: Mapping[tuple[str, int], Run], kind: str, number: Callable[[Run, int], Any]) -> np.ndarray:
    """Something of each run of a kind of augmentation, told the run and its seed; of shape (rates, seeds, …)."""
    by_rate: dict[str, list[Any]] = {}
    for (recipe, seed), run in runs.items():
        if recipe.startswith(f"{kind} "):
            by_rate.setdefault(recipe, []).append(number(run, seed))
    return np.array(list(by_rate.values()), np.float64)


def _learnt(name: str, runs: Mapping[tuple[str, int], Run], drawn: Sequence[FewRows]) -> dict[str, np.ndarray]:
    """The training accuracy at the end, logged and of the rows as they are; the mean over rates."""
    plain = TASKS[name].network(0.001, list)

    def unchanged(run: Run, seed: int) -> float:
        plain.set_weights(run.weights)  # augmentation has none
        given = np.asarray(plain(drawn[seed].x[:FEW])).argmax(axis=-1)
        return float(np.mean(given == drawn[seed].y[:FEW]))

    def logged(run: Run, seed: int) -> float:
        return run.history["accuracy"][-1]

    words = TASKS[name].right
    return {
        f"{name}, {NONE}": _each(runs, NONE, logged).mean(axis=0),
        f"{name}, {words}": _each(runs, RIGHT, logged).mean(axis=0),
        f"{name}, {words}; rows as they are": _each(runs, RIGHT, unchanged).mean(axis=0),
    }


def _trained(
    drawn: Sequence[FewRows], size: int, recipes: Mapping[str, Any], scale: Scale
) -> dict[tuple[str, int], Run]:
    """All recipes on the first rows of each seed; in a quick look, where these are the same, in one call."""
    options: dict[str, Any] = {"epochs": scale.of(EPOCHS, 4), "batch_size": 20, "validation_freq": 4}
    if scale.quick:
        return dict(_first(drawn[0], size).fit(recipes, seeds=scale.seeds, **options))
    runs: dict[tuple[str, int], Run] = {}
    for seed, rows in enumerate(drawn):
        runs |= _first(rows, size).fit(recipes, seeds=[seed], **options)
    return runs


def measure(scale: Scale) -> Evidence:
    """Trains with each augmentation on more and more rows, and looks at how well the few are learnt by heart."""
    sizes = scale.of(SIZES, (FEW, MANY))
    accuracy: dict[str, Measured] = {}
    learnt: dict[str, np.ndarray] = {}
    for name, task in TASKS.items():
        recipes = {
            f"{kind} {rate:g}": partial(task.network, rate, first)
            for kind, first in task.augmentations.items()
            for rate in scale.of(task.rates, task.rates[1:2])
        }
        data = task.data()
        drawn = [few_rows(data, MANY, 0 if scale.quick else seed) for seed in range(scale.seeds)]
        curves: dict[str, list[np.ndarray]] = {task.words(kind): [] for kind in task.augmentations}
        for size in sizes:
            runs = _trained(drawn, size, recipes, scale)
            for kind in task.augmentations:
                scores = _each(runs, kind, lambda run, _: run.history["val_accuracy"])
                curves[task.words(kind)].append(chosen_by_others(scores))
            if size == FEW:
                learnt |= _learnt(name, runs, drawn)
        values = {kind: np.stack(own, axis=1) for kind, own in curves.items()}
        accuracy[f"accuracy on {name}"] = Measured(values, sizes)
    return {**accuracy, "training accuracy": Measured(learnt)}


def _gains(evidence: Evidence, name: str, kind: str = RIGHT) -> np.ndarray:
    """What an augmentation adds to the accuracy, of shape (seeds, sizes)."""
    accuracy = evidence[f"accuracy on {name}"]
    return accuracy[TASKS[name].words(kind)] - accuracy[NONE]


def _gain(evidence: Evidence, name: str) -> np.ndarray:
    """What the right augmentation adds with few rows."""
    at = evidence[f"accuracy on {name}"].at(FEW)
    return at[TASKS[name].right] - at[NONE]


def _helps(name: str, points: float) -> Prediction:
    return Prediction(
        f"{name}: with {FEW} rows, {TASKS[name].right} adds more than {100 * points:g} points",
        lambda e: _gain(e, name),
        above=points,
        unit=" points",
        scale=100.0,
    )


def _shrinks(name: str) -> Prediction:
    return Prediction(
        f"{name}: {TASKS[name].right} adds more with {FEW} rows than with {MANY}",
        lambda e: _gains(e, name)[:, 0] - _gains(e, name)[:, -1],
        above=0.0,
        unit=" points",
        scale=100.0,
        beside=True,
    )


def _does_not_help(name: str) -> Prediction:
    return Prediction(
        f"{name}: mirroring half of the rows adds less than half a point, the mean over sizes",
        lambda e: _gains(e, name, WRONG).mean(axis=1),
        below=0.005,
        unit=" points",
        scale=100.0,
        beside=True,
    )


def _by_heart(evidence: Evidence) -> np.ndarray:
    """By how much augmentation lowers the training accuracy that `fit` logs, the mean over both tasks."""
    own = evidence["training accuracy"]
    return np.mean([own[f"{name}, {NONE}"] - own[f"{name}, {task.right}"] for name, task in TASKS.items()], axis=0)


CLAIM = Claim(
    number=9,
    name="augmentation",
    title="Data augmentation is a powerful regulariser for images",
    quoted="Data augmentation is also a powerful regulariser for image tasks.",
    why="A digit that is moved or turned a little is still that digit. A network that sees each row changed in another "
    "way each time cannot learn the rows by heart, and learns that such changes do not matter. Rows of their own tell "
    "the same, so the more there are, the less there is to add. A change that the task does not know, such as a "
    "mirrored digit, is another matter: it takes up the network's room, and makes some classes alike.",
    experiment="Two tasks. The digits of 8 × 8 pixels with two blocks of 3 × 3 convolution (16 and 32 maps): shifts "
    "of up to a pixel, or mirroring half of the images. MNIST-1D, lines of 40 points whose digit may lie anywhere, "
    "with the chapter's perceptron: shifts of up to 10 points, what leaves at one end coming in at the other, or "
    "mirroring half of the lines. 50, 200 or 800 training rows are drawn anew for each seed, the small sets being "
    "parts of the large ones; about 1,000 other rows judge, unchanged. Few rows are repeated until there are 800, so "
    f"that each size has {EPOCHS} epochs of 40 steps of Adam. Each augmentation at each size gets the rate (of three) "
    "and the epoch (of every fourth) that are best under the other seeds. A quick look has the same rows for all "
    "seeds, one rate and four epochs. The digits were first shifted, turned and zoomed, in a network with batch "
    "normalisation: with 50 rows that lost 5.6 points. But three interpolations take a third of the contrast between "
    "neighbouring pixels of such small images, and statistics of blurred batches do not fit clean rows, so that this "
    "told of blur and not of augmentation. Whole pixels replaced them, without normalisation; the predictions stayed. "
    "A first run of this had 12 seeds, now there are 20.",
    predictions=(
        _helps("digits", 0.01),
        _helps("MNIST-1D", 0.02),
        _shrinks("digits"),
        _shrinks("MNIST-1D"),
        _does_not_help("digits"),
        _does_not_help("MNIST-1D"),
        Prediction(
            "the training accuracy that is logged is lower with augmentation",
            _by_heart,
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy on digits",
            "Digits: accuracy by number of training rows",
            "A convolutional network on held-out digits, with its best rate and epoch. The distance of two curves is "
            "what an augmentation adds.",
            "accuracy",
            "training rows",
            log_x=True,
        ),
        Drawing(
            "accuracy on MNIST-1D",
            "MNIST-1D: accuracy by number of training rows",
            "A perceptron, which does not know by itself that a digit may lie anywhere on its line.",
            "accuracy",
            "training rows",
            log_x=True,
        ),
        Drawing(
            "training accuracy",
            f"How well {FEW} rows are learnt by heart",
            "Training accuracy of the last epoch, the mean over rates, as fit logs it: with augmentation, of rows "
            "that were changed. Below it, the same networks on the training rows as they are.",
            "training accuracy",
        ),
    ),
    code="""\
import keras, kohort
from keras import layers

def network(*first):
    stack = [keras.Input((64,)), layers.Reshape((8, 8, 1)), *first, layers.Conv2D(16, 3, activation="relu"),
             layers.Conv2D(32, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(10, "softmax")]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

data = kohort.data.named("digits")
recipes = {"none": network, "mirror": lambda: network(layers.RandomFlip("horizontal")),
           "shift": lambda: network(layers.RandomTranslation(0.125, 0.125, fill_mode="constant"))}
runs = kohort.fit(recipes, data.x[:100], data.y[:100], seeds=5, epochs=150, batch_size=20,
                  validation_data=(data.x[800:], data.y[800:]), validation_freq=10)
print({name: sum(run.history["val_accuracy"][-1] for run in runs.of(name)) / 5 for name in recipes})
""",
    sources=(
        "The chapter, section 2",
        "Simard, Steinkraus & Platt (2003), Best practices for convolutional neural networks applied to visual "
        "document analysis, §2",
        "Geiping, Goldblum, Somepalli, Shwartz-Ziv, Goldstein & Wilson (2023), How much data are augmentations worth?",
        "Greydanus & Kobak (2024), Scaling down deep learning with MNIST-1D",
    ),
    untested="Photographs, mixing of rows (mixup, CutMix), and augmentation that is learnt.",
)
