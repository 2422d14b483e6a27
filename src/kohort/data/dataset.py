"""Rows to learn from, with a name and a target, as networks see them."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from kohort.data.columns import Column, embedded
from kohort.data.encoding import inputs
from kohort.errors import DataError

Task = Literal["binary", "multiclass", "regression"]

FURTHEST = 1e15
"""Standard deviations; the square of an error is still far from what float32 can hold."""

POWERS = {
    "root_mean_squared_error": 1,
    "rmse": 1,
    "mean_absolute_error": 1,
    "mae": 1,
    "mean_squared_error": 2,
    "mse": 2,
    "r2_score": 0,
}
"""Metrics of a regression that change by a power of the scale of the targets."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as a network learns them.

    Attributes:
        values: Class numbers, int32; or numbers centred and scaled by the training rows, float32.
        centre: The training rows' mean; 0 of classes.
        spread: Their standard deviation; 1 of classes.
    """

    values: np.ndarray
    centre: float = 0.0
    spread: float = 1.0

    def factor(self, metric: str) -> float | None:
        """What a score of learnt values is multiplied by to be one of the targets; None if no number does that.

        Args:
            metric: A metric of Keras by its name.

        >>> Targets(np.zeros(1), spread=10.0).factor("mean_squared_error")
        100.0
        """
        power = POWERS.get(metric)
        return None if power is None else self.spread**power

    def in_units(self, outputs: np.ndarray) -> np.ndarray:
        """What a network gives, in units of the targets; probabilities of classes as they are.

        >>> Targets(np.zeros(1, np.float32), 5.0, 10.0).in_units(np.array([[0.5]]))
        array([[10.]], dtype=float32)
        """
        if self.values.dtype.kind in "iu":
            return outputs
        return (outputs * self.spread + self.centre).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to learn from.

    Attributes:
        name: What reports call it.
        x: Inputs, float32 of shape (rows, …); of a table with `columns` its cells, float64, NaN where missing.
        y: Class numbers from 0, int32 of shape (rows,); of a regression numbers, float32.
        classes: The classes' names, by number; none of a regression.
        scaling: `"none"`: inputs are used as they are; `"standard"`: in each split every feature is centred and
            divided by its standard deviation over the *training* rows.
        source: Where it comes from.
        columns: What the columns of a table are; None where `x` is what networks see.
        groups: For each row the group it belongs to, int; no group is cut. None: rows belong together with no other.
        times: For each row when it was; the test rows are then the latest. None: rows have no order. Not with groups.
        tested: For each row whether it is a test row, where those who made the data have said so. None: test rows are
            drawn. Not with groups or times.
        remarks: What was found when the data was read, in sentences.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...] = ()
    scaling: Literal["none", "standard"] = "none"
    source: str = ""
    columns: tuple[Column, ...] | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    tested: np.ndarray | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.classes, tuple | list):
            raise DataError(
                f"dataset {self.name!r}: classes must be the classes' names, by number. Got {self.classes!r}. Pass "
                "a tuple of texts, and none where y are numbers to be foretold."
            )
        kinds, wanted = (
            ("iu", "whole numbers") if self.classes else ("f", "floating-point numbers, as it has no classes")
        )
        if not isinstance(self.x, np.ndarray) or not isinstance(self.y, np.ndarray) or self.y.dtype.kind not in kinds:
            raise DataError(
                f"dataset {self.name!r}: x and y must be NumPy arrays, y of {wanted}. "
                f"Got {type(self.x).__name__} and {type(self.y).__name__} of {getattr(self.y, 'dtype', 'objects')}."
            )
        if self.y.size == 0:
            raise DataError(f"dataset {self.name!r} must have rows. Got none.")
        if self.x.shape[:1] != self.y.shape or self.x.ndim < 2:
            raise DataError(
                f"dataset {self.name!r}: x must be (rows, features) and y (rows,). "
                f"Got x {list(self.x.shape)}, y {list(self.y.shape)}."
            )
        if self.columns is None and not np.isfinite(self.x).all():
            raise DataError(f"dataset {self.name!r}: x must be finite. Got NaN or infinite values.")
        if not self.classes and not np.isfinite(self.y).all():
            raise DataError(f"dataset {self.name!r}: y must be finite. Got NaN or infinite values.")
        if self.classes and (self.y.min() < 0 or self.y.max() >= len(self.classes)):
            raise DataError(
                f"dataset {self.name!r}: y must hold class numbers from 0 to {len(self.classes) - 1}. "
                f"Got numbers from {self.y.min()} to {self.y.max()}."
            )
        ways = {"groups": self.groups, "times": self.times, "tested": self.tested}
        told = [name for name, given in ways.items() if given is not None]
        if len(told) > 1:
            raise DataError(
                f"dataset {self.name!r}: rows are cut by groups, by times or as tested says. "
                f"Got {' and '.join(told)}. Pass one of them."
            )
        for name, given in ways.items():
            if given is not None and given.shape != self.y.shape:
                raise DataError(
                    f"dataset {self.name!r}: {name} must have one value for each of {len(self.y)} rows. "
                    f"Got an array of shape {list(given.shape)}."
                )

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.y)

    @property
    def task(self) -> Task:
        """What is learnt."""
        return "regression" if not self.classes else "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for a row: one per class, or one."""
        return len(self.classes) or 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a row as networks see it."""
        return self.x.shape[1:] if self.columns is None else (sum(column.width for column in self.columns),)

    @property
    def embedded(self) -> tuple[tuple[int, int], ...]:
        """The positions of inputs that are numbers of a category, and how many categories each has."""
        return embedded(self.columns) if self.columns is not None else ()

    @property
    def depends_on_split(self) -> bool:
        """Whether what a network sees depends on which rows it is trained on."""
        return self.columns is not None or self.scaling != "none" or self.task == "regression"

    @property
    def cut(self) -> str:
        """How its rows are cut into training, validation and test, in words."""
        if self.times is not None:
            return "the latest rows are the test, the latest of the others the validation, for every seed"
        drawn = "the test rows are drawn once, the others cut anew for each seed"
        left_out = "rows over whole batches are left out at random"
        if self.groups is not None:
            return f"{drawn}, no group being cut; {left_out}"
        fairly = f"stratified by {'class' if self.classes else 'the tenths of the target'}"
        if self.tested is not None:
            return f"the test rows are given, the others cut anew for each seed, {fairly}; {left_out}"
        return f"{drawn}, all {fairly}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that runs depend on, in hexadecimal: data, names of classes, scaling, and how rows are cut."""
        digest = hashlib.sha256()
        for name in ("x", "y", "groups", "times", "tested"):
            array = getattr(self, name)
            if array is not None:
                digest.update(f"{name}{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((self.columns, self.classes, self.scaling)).encode())
        return digest.hexdigest()

    def inputs(self, training_rows: np.ndarray) -> np.ndarray:
        """All rows as a network sees them whose training rows are these, float32 of shape (rows, …)."""
        if self.columns is not None:
            return inputs(self.x, self.columns, training_rows)
        if self.scaling == "none":
            return self.x
        mean = self.x[training_rows].mean(axis=0, dtype=np.float64)
        spread = self.x[training_rows].std(axis=0, dtype=np.float64)
        return ((self.x - mean) / np.where(spread > 0, spread, 1.0)).astype(np.float32)

    def inputs_of(self, rows: np.ndarray, training_rows: np.ndarray) -> np.ndarray:
        """Other rows as a network sees them whose training rows are these.

        Args:
            rows: Rows as `x` holds them.
            training_rows: The numbers of the network's training rows.

        Raises:
            DataError: They are not of the shape of `x`, or not finite where no column allows for missing cells.
        """
        rows = np.asarray(rows)
        if rows.shape[1:] != self.x.shape[1:] or rows.dtype.kind not in "uifb" or not len(rows):
            shape = ", ".join(map(str, self.x.shape[1:]))
            raise DataError(
                f"dataset {self.name!r}: rows must be numbers of shape (rows, {shape}). "
                f"Got {rows.dtype} {list(rows.shape)}."
            )
        if self.columns is None and not np.isfinite(rows).all():
            raise DataError(f"dataset {self.name!r}: rows must be finite. Got NaN or infinite values.")
        both = replace(
            self,
            x=np.concatenate([self.x, rows.astype(self.x.dtype)]),
            y=np.concatenate([self.y, self.y[:1].repeat(len(rows))]),
            groups=None,
            times=None,
            tested=None,
        )
        return both.inputs(training_rows)[self.rows :]

    def targets(self, training_rows: np.ndarray) -> Targets:
        """All targets as a network learns them whose training rows are these.

        Raises:
            DataError: A target of a regression is so far from the training rows' that float32 cannot hold it.
        """
        if self.classes:
            return Targets(self.y)
        y = self.y.astype(np.float64)
        centre, spread = float(y[training_rows].mean()), float(y[training_rows].std()) or 1.0
        scaled = (y - centre) / spread
        furthest = int(np.abs(scaled).argmax())
        if not abs(scaled[furthest]) < FURTHEST:
            raise DataError(
                f"dataset {self.name!r}: targets must be within {FURTHEST:g} standard deviations of the training rows' "
                f"mean. Got {self.y[furthest]:g} in row {furthest + 1}. Mend it, or leave the row out."
            )
        return Targets(scaled.astype(np.float32), centre, spread)


def check_dataset(given: object) -> None:
    """Refuses what is no dataset, and says how one is made.

    Raises:
        DataError: It is none.
    """
    if not isinstance(given, Dataset):
        raise DataError(
            f"the dataset must be a kohort.data.Dataset. Got {type(given).__name__}. A table or a file becomes one by "
            "kohort.data.load(table, target), arrays by kohort.data.Dataset(name, x, y, classes); kohort.data.named "
            "has small ones."
        )
