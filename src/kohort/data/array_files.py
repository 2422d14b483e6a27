"""`.npz` files -> datasets."""

import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kohort.data.classes import are_classes, check_task, names_of
from kohort.data.dataset import Dataset
from kohort.errors import DataError

INPUTS = (("x_train", "x_test"), ("X_train", "X_test"), ("x",), ("X",), ("data",), ("images",))
TARGETS = (("y_train", "y_test"), ("y",), ("Y",), ("target",), ("labels",))


def load_arrays(path: str | Path, *, task: Literal["classification", "regression"] | None = None) -> Dataset:
    """A dataset from an `.npz` file: inputs `x` and targets `y`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Text and integers are classes, and so are floating-point numbers that are whole and of 20 values at the most; other
    numbers are a regression. Bytes (uint8) are pixels and divided by 255; rows of
    other numbers that are plain vectors are scaled by the training rows. Nothing is unpickled.

    Args:
        path: The file. Where it has train and test arrays, the test rows are those; the others are cut anew for each
            seed into training and validation.
        task: What is learnt, if not what the targets look like.

    Raises:
        DataError: The file cannot be read, lacks the arrays, or they do not fit together.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as held:
            kept = {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path.name}: the arrays cannot be read: {said}.") from error
    x, y = _found(kept, INPUTS, path.name, "inputs"), _found(kept, TARGETS, path.name, "targets")
    if len(x) != len(y):
        raise DataError(f"{path.name}: inputs and targets must be told alike. Got train and test of one of them only.")
    return from_arrays(path.name, x, y, f"{path.name}, {sum(map(len, x)):,} rows", task)


def from_arrays(
    title: str,
    inputs: tuple[np.ndarray, ...],
    targets: tuple[np.ndarray, ...],
    source: str,
    task: str | None = None,
) -> Dataset:
    """A dataset from arrays of any kind, as `load_arrays` reads them.

    Args:
        title: What the dataset and errors are called by.
        inputs: The rows; or those that are no test rows, and the test rows.
        targets: What belongs to them, of shape (rows,) or (rows, 1).
        source: Where they come from.
        task: What is learnt, if not what the targets look like.

    Raises:
        DataError: They cannot be learnt from, or do not fit together.
    """
    check_task(task)
    checked = [_checked(title, x, y) for x, y in zip(inputs, targets, strict=True)]
    if len({(x.dtype, x.shape[1:]) for x, _ in checked}) > 1:
        (one, _), (other, _) = checked
        raise DataError(
            f"{title}: training and test inputs must be of one kind. "
            f"Got {one.dtype} {list(one.shape)} and {other.dtype} {list(other.shape)}."
        )
    x, y = (np.concatenate(parts) for parts in zip(*checked, strict=True))
    if not np.isfinite(x).all():
        raise DataError(f"{title}: inputs must be finite. Got NaN or infinite values.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{title}: targets must be finite. Got NaN or infinite values.")
    tested = np.arange(len(x)) >= len(checked[0][0]) if len(checked) > 1 else None
    pixels = x.dtype == np.uint8
    remarks = [f"{len(x):,} rows of shape {list(x.shape[1:])}{', bytes divided by 255' if pixels else ''}."]
    scaled = x.astype(np.float32)
    if pixels:
        scaled /= np.float32(255)
    scaling = "none" if pixels or x.ndim > 2 else "standard"
    told: dict[str, Any] = {"scaling": scaling, "source": source, "tested": tested}
    if task == "regression" or (task is None and y.dtype.kind == "f" and not are_classes(y)):
        if y.dtype.kind not in "uifb":
            raise DataError(f"{title}: targets of a regression must be numbers. Got {y.dtype}.")
        remarks.append(f"A regression, from {y.min():g} to {y.max():g}.")
        return Dataset(title, scaled, y.astype(np.float32), (), remarks=tuple(remarks), **told)
    names, codes = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{title}: there must be two classes at least. Got {names[0]!s} in every row.")
    classes = names_of(names.tolist())
    remarks.append(f"A classification into {len(classes)} classes.")
    return Dataset(title, scaled, codes.astype(np.int32), classes, remarks=tuple(remarks), **told)


def _checked(title: str, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if x.dtype.kind not in "uifb" or x.ndim < 2 or y.ndim != 1 or len(x) != len(y) or not len(x):
        raise DataError(
            f"{title}: inputs must be numbers of shape (rows, …) and targets of shape (rows,). "
            f"Got {x.dtype} {list(x.shape)} and {y.dtype} {list(y.shape)}."
        )
    return x, y


def _found(
    kept: dict[str, np.ndarray], names: tuple[tuple[str, ...], ...], title: str, what: str
) -> tuple[np.ndarray, ...]:
    for together in names:
        if together[0] in kept:
            return tuple(kept[name] for name in together if name in kept)
    wanted = " or ".join(own[0] for own in names)
    raise DataError(f"{title}: {what} must be called {wanted}. Got {', '.join(sorted(kept)) or 'no array'}.")
