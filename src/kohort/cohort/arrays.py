"""Arrays as `fit` takes them: cut by `validation_split`, weighted by class, converted, checked at the door.

Keras' own adapters do the conversion and the cutting, so that what a cohort trains on is what `fit` would have
trained on; the checks refuse what `fit` would silently train to NaN or to nonsense.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from keras.src.trainers.data_adapters import array_slicing, data_adapter_utils
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter, can_convert_arrays

from kohort.errors import DataError, NotSupportedError


@dataclass(frozen=True)
class Arrays:
    """Rows to train on or to validate with.

    Attributes:
        leaves: The arrays, each of shape (rows, …).
        structure: How they nest: the tuple `(x, y)` or `(x, y, sample_weight)` that a step takes.
    """

    leaves: tuple[np.ndarray, ...]
    structure: Any

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.leaves[0].shape[0]

    def batch(self, size: int) -> tuple[jax.ShapeDtypeStruct, ...]:
        """Shapes and dtypes of a batch of `size` rows, leaf by leaf, as JAX will see them."""
        return tuple(
            jax.ShapeDtypeStruct((size, *leaf.shape[1:]), jax.dtypes.canonicalize_dtype(leaf.dtype))
            for leaf in self.leaves
        )

    def nested(self, leaves: Any) -> Any:
        """The leaves of a batch, nested as a step takes them."""
        return jax.tree.unflatten(self.structure, leaves)

    def picked(self, rows: np.ndarray | slice) -> "Arrays":
        """Some of the rows."""
        return Arrays(tuple(leaf[rows] for leaf in self.leaves), self.structure)


def fit_arrays(
    x: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
) -> tuple[Arrays, Arrays | None]:
    """The training and validation arrays that `fit` makes of these arguments.

    Raises:
        DataError: An array holds NaN or infinity, lengths differ, or a part is empty.
        NotSupportedError: The data is a stream or sparse.
    """
    _refuse_what_is_no_array(x, y)
    if not isinstance(validation_split, int | float | np.number) or not 0.0 <= validation_split < 1.0:
        raise DataError(f"validation_split must be a number in [0, 1). Got {validation_split!r}.")
    if validation_split and validation_data is None:
        _same_rows({"x": x, "y": y, "sample_weight": sample_weight})
        rows = _rows(x)
        if int(np.floor(rows * (1.0 - validation_split))) == rows:
            raise DataError(
                f"validation_split={validation_split} of {rows} rows leaves no row to validate with. "
                f"Pass a split of at least {1 / rows:.3g}, or validation_data."
            )
        (x, y, sample_weight), validation_data = _as_keras_refuses(
            lambda: array_slicing.train_validation_split((x, y, sample_weight), validation_split=validation_split)
        )
    training = _converted(x, y, sample_weight, class_weight, "")
    return training, None if validation_data is None else validation_arrays(validation_data)


def validation_arrays(validation_data: Any) -> Arrays:
    """The arrays that `fit` makes of `validation_data`.

    Raises:
        DataError: It is no `(x, y)` or `(x, y, sample_weight)` of arrays that belong together and are finite.
    """
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise DataError(
            f"validation_data must be (x, y) or (x, y, sample_weight) of arrays. Got {_described(validation_data)}."
        )
    x, y, weight = data_adapter_utils.unpack_x_y_sample_weight(tuple(validation_data))
    _refuse_what_is_no_array(x, y)
    return _converted(x, y, weight, None, "validation ")


def _converted(x: Any, y: Any, sample_weight: Any, class_weight: Any, part: str) -> Arrays:
    _same_rows({f"{part}x": x, f"{part}y": y, f"{part}sample_weight": sample_weight})
    rows = _rows(x)
    if rows == 0:
        raise DataError(f"{part}data must have at least one row. Got none.")
    for name, value in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        _check_numbers(value, f"{part}{name}")

    def convert() -> Any:
        options = {"sample_weight": sample_weight, "class_weight": class_weight}
        adapter = ArrayDataAdapter(x, y, batch_size=rows, shuffle=False, **options)
        return next(iter(adapter.get_jax_iterator()))

    whole = _as_keras_refuses(convert)
    leaves, structure = jax.tree.flatten(whole)
    return Arrays(tuple(np.asarray(leaf) for leaf in leaves), structure)


def _as_keras_refuses(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise DataError(f"Keras does not take this data: {error}") from error


def _refuse_what_is_no_array(x: Any, y: Any) -> None:
    if x is None or not can_convert_arrays((x, y)):
        raise NotSupportedError(
            "x and y must be arrays, or lists or dicts of arrays, held in memory. "
            f"Got x={_described(x)}, y={_described(y)}. Wrap lists of numbers in np.array, or pass x alone if it is a "
            "stream of batches (a generator, PyDataset, tf.data, DataLoader)."
        )
    if any(data_adapter_utils.is_scipy_sparse(leaf) for leaf in jax.tree.leaves((x, y))):
        raise NotSupportedError("sparse arrays are not supported yet. Pass x.toarray().")


def _described(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"{type(value).__name__}{list(shape)}" if shape is not None else type(value).__name__


def _rows(value: Any, name: str = "x") -> int:
    leaf = next(leaf for leaf in jax.tree.leaves(value) if leaf is not None)
    if not np.shape(leaf):
        raise DataError(
            f"{name} must be an array with rows as its first axis. Got the number {leaf!r}, alone or listed."
        )
    return int(np.shape(leaf)[0])


def _same_rows(parts: Mapping[str, Any]) -> None:
    counted = {
        name: {_rows(leaf, name) for leaf in jax.tree.leaves(part)} for name, part in parts.items() if part is not None
    }
    if len(set().union(*counted.values())) > 1:
        told = ", ".join(f"{name} has {' and '.join(map(str, sorted(rows)))}" for name, rows in counted.items())
        raise DataError(f"all arrays must have the same number of rows. Got: {told}.")


def _check_numbers(value: Any, name: str) -> None:
    for leaf in jax.tree.leaves(value):
        array = np.asarray(leaf)
        if array.dtype.kind not in "fiub":
            raise DataError(
                f"{name} must hold numbers. Got dtype {array.dtype}. Encode text as numbers first, "
                "for example with keras.utils.FeatureSpace or a StringLookup layer."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))
            where = f"row {bad[0][0]}" + (f", column {', '.join(map(str, bad[0][1:]))}" if array.ndim > 1 else "")
            raise DataError(
                f"{name} must be finite. Got {array[tuple(bad[0])]} in {where} ({len(bad)} such values). "
                "Remove these rows or fill the values in. If the model deals with them itself, train it with model.fit."
            )
