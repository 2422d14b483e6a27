"""The best validation accuracy of all epochs, which the chapter prints, beside that of fresh rows at the same epoch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from kohort.data.generated import moons
from kohort.data.mnist1d import mnist1d
from kohort.fitting import fit
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.claim import Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.run import Run

BLOCKS, BLOCK = 40, 25
"""The rows that are not trained on: so many blocks of so many rows, each for validation in some draws."""

ROWS = (25, 50, 100, 200, 400)
"""Validation rows; the last leave 24 blocks, which are always the fresh rows."""

USUAL = 50
"""Validation rows where their number is not what is asked."""

EPOCHS = (1, 2, 5, 10, 20, 50)

DRAWS = 400
"""Choices of validation blocks that are averaged for each run: choosing them costs no training."""

DATA: dict[str, tuple[Callable[..., Any], int]] = {
    "moons": (partial(moons, label_noise=0.2), 200),
    "MNIST-1D": (mnist1d, 400),
}
"""What draws the rows, and how many of them train."""


@keras.saving.register_keras_serializable("kohort")
class BlockAccuracy(keras.metrics.Metric):
    """The accuracy of each batch by itself: batch after batch of validation, the same rows in each epoch.

    Args:
        blocks: Batches of validation.
        rows: Rows of a batch.
        name: Its name.
        **options: As metrics take them.
    """

    def __init__(self, blocks: int = BLOCKS, rows: int = BLOCK, name: str = "blocks", **options: Any):
        super().__init__(name=name, **options)
        self.blocks, self.rows = blocks, rows
        self.right: Any = self.add_variable((blocks,), "zeros", name="right")
        self.seen: Any = self.add_variable((), "zeros", name="seen")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts the right answers of one more batch."""
        given = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        right: Any = ops.sum(ops.cast(given == ops.cast(ops.reshape(y_true, (-1,)), "int32"), "float32"))
        own = ops.cast(ops.arange(self.blocks, dtype="float32") == self.seen, "float32")
        self.right.assign(self.right + right * own)
        self.seen.assign(self.seen + 1.0)

    def result(self) -> dict[str, Any]:
        """Name of a block -> its accuracy."""
        return {f"block {place}": self.right[place] / self.rows for place in range(self.blocks)}

    def get_config(self) -> dict[str, Any]:
        """What makes the same metric again."""
        return super().get_config() | {"blocks": self.blocks, "rows": self.rows}


def _network(rate: float, **options: Any) -> keras.Model:
    model = perceptron(keras.optimizers.Adam(rate), **options)
    model.compile(model.optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", BlockAccuracy()])
    return model


def _recipes(inputs: int, outputs: int, quick: bool) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "none": {},
        "dropout": {"dropout": 0.5},
        "L2": {"penalty": keras.regularizers.L2(0.01)},
        "batch norm": {"norm": keras.layers.BatchNormalization},
    }
    return {
        f"{kind} {rate:g}": partial(_network, rate, inputs=inputs, outputs=outputs, **kinds[kind])
        for kind in list(kinds)[: 2 if quick else 4]
        for rate in (1e-3, 3e-3)
    }


def _by_block(run: Run) -> np.ndarray:
    """The accuracy of each block after each epoch, of shape (epochs, blocks)."""
    return np.stack([run.history[f"val_block {place}"] for place in range(BLOCKS)], axis=1)


def _promised(validated: np.ndarray, fresh: np.ndarray) -> float:
    """What the best validation accuracy promises above fresh rows at the same place, the mean over draws.

    Args:
        validated: Accuracy on validation rows, of shape (places to choose from, draws).
        fresh: On fresh rows, of the same shape.
    """
    best = validated.argmax(axis=0)[None]
    return float(np.mean(np.take_along_axis(validated - fresh, best, axis=0)))


def _looked_at(right: np.ndarray, epochs: np.ndarray, draws: int, seed: int) -> tuple[list[float], ...]:
    """Optimism by epochs, by rows and by choice, with validation and fresh rows drawn again and again.

    Args:
        right: The accuracy of each block, of shape (recipes, epochs, blocks).
        epochs: How many epochs there are to choose from, of shape (points,).
        draws: How often blocks are drawn.
        seed: Fixes the draws.
    """
    blocks = np.tile(np.arange(BLOCKS), (draws, 1))
    order = right[:, :, np.random.default_rng(seed).permuted(blocks, axis=1)]  # recipes, epochs, draws, blocks
    fresh = order[..., ROWS[-1] // BLOCK :].mean(axis=-1)
    validated = {rows: order[..., : rows // BLOCK].mean(axis=-1) for rows in ROWS}

    def best(rows: int, most: int) -> float:
        each = zip(validated[rows], fresh, strict=True)
        return float(np.mean([_promised(own[:most], true[:most]) for own, true in each]))

    usual = validated[USUAL]
    last = float(np.mean(usual[:, -1] - fresh[:, -1]))
    of_all = _promised(usual.reshape(-1, draws), fresh.reshape(-1, draws))
    return (
        [best(USUAL, int(most)) for most in epochs],
        [best(rows, int(epochs[-1])) for rows in ROWS],
        [last, best(USUAL, int(epochs[-1])), of_all],
    )


def measure(scale: Scale) -> Evidence:
    """Draws rows anew for each seed, trains all recipes, and looks for the best epoch on small parts of other rows."""
    epochs = np.array(EPOCHS[: scale.of(len(EPOCHS), 4)])
    by_epochs, by_rows, by_choice = {}, {}, {}
    for name, (draw, training) in DATA.items():
        grown, shrunk, chosen = [], [], []
        for seed in range(scale.seeds):
            data = draw(training + BLOCKS * BLOCK, seed=seed)
            held_out = (data.x[training:], data.y[training:])
            runs = fit(
                _recipes(data.x.shape[1], len(data.classes), scale.quick),
                data.x[:training],
                data.y[:training],
                seeds=[seed],
                epochs=int(epochs[-1]),
                batch_size=BLOCK,
                validation_data=held_out,
                validation_batch_size=BLOCK,
                verbose=0,
            )
            right = np.stack([_by_block(run) for run in runs.values()])
            looked = _looked_at(right, epochs, scale.of(DRAWS, 50), seed)
            for found, own in zip((grown, shrunk, chosen), looked, strict=True):
                found.append(own)
        by_epochs[name], by_rows[name] = np.array(grown), np.array(shrunk)
        for place, choice in enumerate(("last epoch", "best epoch", "best epoch and recipe")):
            by_choice[f"{name}: {choice}"] = np.array(chosen)[:, place]
    return {
        "optimism by epochs": Measured(by_epochs, epochs),
        "optimism by rows": Measured(by_rows, ROWS),
        "optimism by choice": Measured(by_choice),
    }


def _at(measured: Measured, point: float) -> np.ndarray:
    """A curve at a point, the mean over data sets."""
    return np.mean(list(measured.at(point).values()), axis=0)


def _chosen(evidence: Evidence, choice: str) -> np.ndarray:
    return np.mean([evidence["optimism by choice"][f"{name}: {choice}"] for name in DATA], axis=0)


def _too_much(name: str) -> Prediction:
    return Prediction(
        f"{name}: the best epoch on {USUAL} validation rows promises more than a point too much",
        lambda e: e["optimism by choice"][f"{name}: best epoch"],
        above=0.01,
        unit=" points",
        scale=100.0,
    )


CLAIM = Claim(
    number=20,
    name="best-epoch-optimism",
    title="The best validation accuracy of all epochs promises too much",
    quoted="val_acc = max(h.history['val_accuracy']) … best val_acc = {val_acc:.4f}",
    why="The accuracy on n validation rows scatters around the true one by √(p(1 − p)/n). The largest of many such "
    "numbers lies above the largest true one, as the highest of many dice lies above 3.5: the maximum picks luck "
    "along with skill. More rows mean less luck to pick, more epochs and more recipes more chances to pick it.",
    experiment="Moons (20 % of the labels drawn anew, 200 training rows) and MNIST-1D (400), drawn anew for each "
    "seed, with 1,000 further rows. The chapter's network for 50 epochs of Adam: without a penalty, L2(0.01), dropout "
    "0.5, batch normalisation, each at the rates 0.001 and 0.003. After each epoch the accuracy on each 25 of the "
    "further rows is noted. Then, in 400 draws, some of these blocks are the validation rows, of which the best epoch "
    "is chosen, and 600 others are fresh rows. Optimism is the validation accuracy of the chosen epoch less the fresh "
    "accuracy of the same epoch, that is, of the same weights. Unless told otherwise the validation part has 50 rows, "
    "a recipe chooses among its own 50 epochs, and the mean over the eight recipes is shown. A quick look has four "
    "recipes and ten epochs.",
    predictions=(
        *(_too_much(name) for name in DATA),
        Prediction(
            "a single epoch, where there is nothing to choose, promises less than half a point too much or too little",
            lambda e: _at(e["optimism by epochs"], 1),
            above=-0.005,
            below=0.005,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "25 validation rows promise more than twice as much too much as 400",
            lambda e: (
                np.maximum(_at(e["optimism by rows"], 25), 1e-4) / np.maximum(_at(e["optimism by rows"], 400), 1e-4)
            ),
            above=2.0,
            kind="ratio",
            unit=" times",
            beside=True,
        ),
        Prediction(
            "optimism grows after the first five epochs",
            lambda e: _chosen(e, "best epoch") - _at(e["optimism by epochs"], 5),
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "choosing the recipe by it adds to it",
            lambda e: _chosen(e, "best epoch and recipe") - _chosen(e, "best epoch"),
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "optimism by choice",
            "What is promised too much",
            f"Accuracy on {USUAL} validation rows less that of the same weights on fresh rows: for the last epoch, for "
            "the best of all epochs, and for the best epoch of the best recipe.",
            "accuracy promised too much",
        ),
        Drawing(
            "optimism by rows",
            "More validation rows promise less",
            "Optimism of the best epoch against the size of the validation part. Both axes are logarithmic: a fall "
            "with the root of the rows is a straight line of slope −½.",
            "accuracy promised too much",
            "validation rows",
            log_x=True,
            log_y=True,
        ),
        Drawing(
            "optimism by epochs",
            "More epochs promise more",
            "Optimism of the best epoch against the number of epochs to choose from.",
            "accuracy promised too much",
            "epochs",
            log_x=True,
        ),
    ),
    code="""\
import keras, kohort, numpy as np
from kohort.data.generated import moons

def network():
    layers = [keras.Input((2,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential(layers)
    own = keras.metrics.SparseCategoricalAccuracy(name="of_50")  # weighted: of the validation rows alone
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=[own])
    return model

data = moons(2250, label_noise=0.2)
x, y, weights = data.x[200:], data.y[200:], np.repeat([1.0, 0.0], [50, 2000])
runs = kohort.fit(network, data.x[:200], data.y[:200], seeds=20, epochs=50, validation_data=(x, y, weights))
for run in runs.values():
    best = max(range(50), key=lambda epoch: run.history["val_of_50"][epoch])
    print(run.history["val_of_50"][best], run.history["val_accuracy"][best])  # of 50 rows; of all 2,050
""",
    sources=(
        "The chapter, worked example",
        "Cawley & Talbot (2010), On over-fitting in model selection and subsequent selection bias in performance "
        "evaluation, JMLR 11",
        "Varma & Simon (2006), Bias in error estimation when using cross-validation for model selection",
    ),
)
