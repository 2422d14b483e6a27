"""Arrays with a name, and how they are cut into training, validation and test rows."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from sklearn.model_selection import train_test_split

from kohort.errors import DataError

TEST_SHARE = 0.2  # of all rows
VALIDATION_SHARE = 0.2  # of the rows that are not test, as the textbook's validation_split=0.2
TEST_SEED = 8  # the test rows are drawn once, whatever the seed of a run; the number of the book's chapter


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to learn from, for classification.

    Attributes:
        name: What reports call it.
        x: Inputs, float32 of shape (rows, …).
        y: Class numbers from 0, int32 of shape (rows,).
        classes: The classes' names, by number.
        scaling: `"none"`: inputs are used as they are; `"standard"`: in each split every feature is centred and
            divided by its standard deviation over the *training* rows.
        source: Where it comes from.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    scaling: Literal["none", "standard"] = "none"
    source: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.x, np.ndarray) or not isinstance(self.y, np.ndarray) or self.y.dtype.kind not in "iu":
            raise DataError(
                f"dataset {self.name!r}: x and y must be NumPy arrays, y of whole numbers. "
                f"Got {type(self.x).__name__} and {type(self.y).__name__} of {getattr(self.y, 'dtype', 'objects')}."
            )
        if self.y.size == 0:
            raise DataError(f"dataset {self.name!r} must have rows. Got none.")
        if self.x.shape[:1] != self.y.shape or self.x.ndim < 2:
            raise DataError(
                f"dataset {self.name!r}: x must be (rows, features) and y (rows,). "
                f"Got x {list(self.x.shape)}, y {list(self.y.shape)}."
            )
        if not np.isfinite(self.x).all():
            raise DataError(f"dataset {self.name!r}: x must be finite. Got NaN or infinite values.")
        if self.y.min() < 0 or self.y.max() >= len(self.classes):
            raise DataError(
                f"dataset {self.name!r}: y must hold class numbers from 0 to {len(self.classes) - 1}. "
                f"Got numbers from {self.y.min()} to {self.y.max()}."
            )

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.y)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the arrays' bytes, in hexadecimal: equal data, equal fingerprint."""
        digest = hashlib.sha256()
        for array in (self.x, self.y):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def scaled(self, training_rows: np.ndarray) -> np.ndarray:
        """All inputs as a network sees them whose training rows are these, float32 of the shape of `x`."""
        if self.scaling == "none":
            return self.x
        mean = self.x[training_rows].mean(axis=0, dtype=np.float64)
        spread = self.x[training_rows].std(axis=0, dtype=np.float64)
        return ((self.x - mean) / np.where(spread > 0, spread, 1.0)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows a run trains on, validates on and is judged by.

    Attributes:
        train: Row numbers, int32.
        validation: Row numbers, int32.
        test: Row numbers, int32, the same for every seed.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def sizes(rows: int, batch_size: int) -> tuple[int, int, int]:
    """How many rows train, validate and test.

    About a fifth is for test and a fifth of the rest for validation. Training and validation rows are whole
    batches: a last, smaller batch would be another program to compile for nothing; the rows over go to the test.

    Raises:
        DataError: There are too few rows.

    >>> sizes(1797, 32)
    (1152, 288, 357)
    """
    free = rows - round(TEST_SHARE * rows)
    validation = max(1, round(VALIDATION_SHARE * free / batch_size)) * batch_size
    train = round((free - validation) / batch_size) * batch_size
    if rows - train - validation < TEST_SHARE * rows / 2:
        train -= batch_size
    if train < batch_size:
        raise DataError(
            f"the data must have enough rows for a batch of training, one of validation and a test. Got {rows} rows "
            f"and batch_size={batch_size}. Pass a batch size of at most {max(1, rows // 5)}."
        )
    return train, validation, rows - train - validation


def split(dataset: Dataset, seed: int, batch_size: int) -> Split:
    """The rows of one seed: the test rows drawn once, the others cut anew for each seed, all stratified by class.

    Raises:
        DataError: There are too few rows, or a class has too few to appear in every part.
    """
    train, validation, test = sizes(dataset.rows, batch_size)
    counts = np.bincount(dataset.y, minlength=len(dataset.classes))
    if min(validation, test) < len(dataset.classes):
        raise DataError(
            f"validation and test must have a row for each of the {len(dataset.classes)} classes of {dataset.name!r}. "
            f"Got {validation} validation rows and {test} test rows. Bring more rows or fewer classes."
        )
    if counts.min() < 3:
        rare = dataset.classes[int(counts.argmin())]
        raise DataError(
            f"each class must have at least 3 rows, one for each of training, validation and test. "
            f"Got {counts.min()} of class {rare!r} in {dataset.name!r}. Remove the class or add rows."
        )
    everything = np.arange(dataset.rows)
    rest, tested = train_test_split(everything, test_size=test, random_state=TEST_SEED, stratify=dataset.y)
    trained, validated = train_test_split(
        rest, train_size=train, test_size=validation, random_state=seed, stratify=dataset.y[rest]
    )
    parts = (trained, validated, tested)
    return Split(*(np.asarray(part, dtype=np.int32) for part in parts))
