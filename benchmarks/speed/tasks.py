"""What is trained: networks that are written down once for all frameworks, on real data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parents[1] / "results" / "speed"


@dataclass(frozen=True)
class Network:
    """A network: convolutions, each normalised if asked and pooled by two, then hidden layers, then a softmax.

    He initialisation, ReLU, Adam at 0.001. Kernels see 3 × 3 cells of an image, 5 of a sequence.

    Attributes:
        inputs: The shape of a row.
        outputs: Classes.
        filters: Of each convolution.
        widths: Units of the hidden layers.
        l2: L2 strength of all kernels but the last.
        dropout: Rate after each hidden layer.
        spatial_dropout: Rate after each pooling.
        batchnorm: Whether each convolution and hidden layer is normalised.
    """

    inputs: tuple[int, ...]
    outputs: int
    widths: tuple[int, ...]
    filters: tuple[int, ...] = ()
    l2: float = 0.0
    dropout: float = 0.0
    spatial_dropout: float = 0.0
    batchnorm: bool = False

    def products(self, batch: int) -> list[tuple[int, int, int]]:
        """The matrix products of a training step, as (rows, inner, columns): forward, and both gradients.

        The first layer needs no gradient of its inputs. A convolution counts as the product that it is of patches.
        """
        found = []
        cells, channels = list(self.inputs), 1
        if self.filters:
            kernel = 3 ** len(cells) if len(cells) == 2 else 5
            for number, filters in enumerate(self.filters):
                patches, inner = batch * int(np.prod(cells)), kernel * channels
                found += [(patches, inner, filters), (inner, patches, filters)]
                found += [(patches, kernel * filters, channels)] if number else []
                cells, channels = [cell // 2 for cell in cells], filters
        width = int(np.prod(cells)) * channels
        for number, units in enumerate([*self.widths, self.outputs]):
            found += [(batch, width, units), (width, batch, units)]
            found += [(batch, units, width)] if number or self.filters else []
            width = units
        return found

    def flops(self, batch: int) -> int:
        """Floating-point operations of the matrix products of a training step."""
        return sum(2 * rows * inner * columns for rows, inner, columns in self.products(batch))


@dataclass(frozen=True)
class Task:
    """Recipes × seeds on one data set.

    Attributes:
        name: What it is called.
        recipes: Name -> network.
        seeds: How many.
        epochs: How many.
        batch: Rows of a batch.
        patience: Of early stopping with restored weights; None: all epochs.
        rows: Training rows that are used, the first ones; None: all.
        timed: Seeds that a loop is timed on; the rest is their mean.
    """

    name: str
    recipes: dict[str, Network]
    seeds: int
    epochs: int
    batch: int
    patience: int | None = None
    rows: int | None = None
    timed: int = 3

    @property
    def runs(self) -> int:
        """How many runs."""
        return len(self.recipes) * self.seeds


def _mlp(inputs: int, widths: tuple[int, ...], outputs: int = 10) -> dict[str, Network]:
    plain = {"inputs": (inputs,), "outputs": outputs, "widths": widths}
    return {
        "none": Network(**plain),
        "l2": Network(**plain, l2=0.001),
        "dropout": Network(**plain, dropout=0.3),
        "batchnorm": Network(**plain, batchnorm=True),
    }


def _some(recipes: dict[str, Network], *names: str) -> dict[str, Network]:
    return {name: recipes[name] for name in names}


_DIGITS = _mlp(64, (128, 64))
_IMAGES = Network((28, 28), 10, (64,), (16, 32), spatial_dropout=0.1, batchnorm=True)
_SEQUENCES = Network((40,), 10, (64,), (25, 25, 25))

TASKS = {
    task.name: task
    for task in (
        Task("digits-mlp", _DIGITS, seeds=20, epochs=50, batch=32),
        Task("adult-mlp", _some(_mlp(108, (256, 128), 2), "none", "dropout"), seeds=4, epochs=30, batch=256, timed=2),
        Task("mnist-mlp", _some(_mlp(784, (512, 256)), "none", "dropout"), seeds=4, epochs=2, batch=128, timed=2),
        Task("mnist-cnn", {"cnn": _IMAGES}, seeds=8, epochs=2, batch=64, rows=12_800, timed=2),
        Task(
            "mnist1d-cnn",
            {"none": _SEQUENCES, "dropout": Network((40,), 10, (64,), (25, 25, 25), dropout=0.3)},
            seeds=10,
            epochs=20,
            batch=100,
        ),
        Task(
            "strength-sweep",
            {
                f"l2={strength:.3g}": Network((64,), 10, (128, 64), l2=strength)
                for strength in np.geomspace(1e-6, 1, 100)
            },
            seeds=5,
            epochs=20,
            batch=32,
        ),
        Task(
            "strength-equal",
            {f"l2, number {number}": Network((64,), 10, (128, 64), l2=0.001) for number in range(100)},
            seeds=5,
            epochs=20,
            batch=32,
        ),
        Task(
            "early-stop",
            _some(_DIGITS, "none", "dropout"),
            seeds=20,
            epochs=200,
            batch=32,
            patience=5,
        ),
    )
}


def load(task: Task, folder: Path | None) -> dict[str, np.ndarray]:
    """A task's rows: x, y, x_val, y_val.

    Args:
        task: The task.
        folder: Where adult.npz and mnist.npz are.
    """
    source = task.name.split("-")[0]
    if source in ("digits", "strength", "early"):
        from kohort.data import named, split

        data = named("digits")
        part = split(data, 0, task.batch)
        found = (data.x[part.train], data.y[part.train], data.x[part.validation], data.y[part.validation])
    elif source == "mnist1d":
        from kohort.data import mnist1d

        data = mnist1d()
        found = (data.x[:4000], data.y[:4000], data.x[4000:], data.y[4000:])
    elif folder is None:
        raise SystemExit(f"{task.name} needs --data, a folder with {source}.npz")
    elif source == "mnist":
        arrays = np.load(folder / "mnist.npz")
        x, y = arrays["x_train"].astype(np.float32) / 255, arrays["y_train"].astype(np.int32)
        found = (x[:48_000], y[:48_000], x[48_000:50_000], y[48_000:50_000])
        if not task.recipes[next(iter(task.recipes))].filters:
            found = tuple(a.reshape(len(a), -1) if a.ndim == 3 else a for a in found)
    else:
        found = _adult(folder)
    x, y, x_val, y_val = (np.ascontiguousarray(array) for array in found)
    rows = task.rows or len(x)
    return {"x": x[:rows].astype(np.float32), "y": y[:rows], "x_val": x_val.astype(np.float32), "y_val": y_val}


def _adult(folder: Path) -> tuple[Any, ...]:
    """Adult's own split; numbers standardised, categories as one-hot columns, a missing cell as one of its own."""
    arrays = np.load(folder / "adult.npz")
    train = arrays["split"] == 0
    numbers = np.nan_to_num(arrays["X_num"])
    numbers = (numbers - numbers[train].mean(0)) / numbers[train].std(0)
    categories = [codes[:, None] == np.unique(codes)[None] for codes in arrays["X_cat"].T]
    x = np.concatenate([numbers, *categories], axis=1).astype(np.float32)
    y = arrays["y"].astype(np.int32)
    return x[train], y[train], x[~train][:4096], y[~train][:4096]
