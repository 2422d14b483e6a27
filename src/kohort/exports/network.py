"""A trained network as a file: Keras' own, or ONNX."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from kohort.errors import DataError, NotSupportedError
from kohort.extras import require
from kohort.parts.around import predicting
from kohort.parts.monte_carlo import MonteCarloDropout
from kohort.recipes import compiling, embedding
from kohort.run import Run

KNOWN = (compiling, embedding)
"""Besides `kohort.parts`, the modules whose classes Keras must know to load a network that has some of them."""

PACKAGES = ("jax2onnx", "onnx", "onnxruntime")
"""What an ONNX file needs: Keras makes it with the first, on JAX without TensorFlow or PyTorch; the last checks it."""


MADE_UP = 8
"""Rows on which a network's file is compared with it where none are told."""


def export(network: Any, path: str | Path, *, rows: Any = None) -> Path:
    """Writes a trained network as the file's name says: `.keras`, which goes on training, or `.onnx`, which predicts.

    An ONNX file is written by `model.export(format="onnx")`, run by ONNX Runtime, and kept only if what it predicts is
    within 1e-5 of what the network does. It takes rows as the network does: those of a study are scaled.

    Args:
        network: A trained `keras.Model`, or a run of `kohort.fit` or of a study.
        path: The file, which is replaced if it is there.
        rows: Rows, as the network sees them, on which the ONNX file is compared with the network; by default eight of
            normal numbers and categories; of inputs of whole numbers 0, which is a number of any category.

    Returns:
        The file.

    Raises:
        DataError: The name ends otherwise, or the file cannot be written.
        KohortError: ONNX is asked for, and the packages of `kohort[onnx]` are not installed.
        NotSupportedError: ONNX has no such network: it draws when it predicts, an operation is missing, or what the
            file predicts is something else.
        StudyError: The run's weights were not kept.

    >>> network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> with TemporaryDirectory() as folder:
    ...     export(network, f"{folder}/network.keras").name
    'network.keras'
    """
    path = Path(path)
    if path.suffix not in WRITERS:
        raise DataError(f"a network's file must end in {' or '.join(WRITERS)}. Got {path.name!r}.")
    if path.suffix == ".onnx":
        require("an ONNX file", "onnx", *PACKAGES)
    model = network.model() if isinstance(network, Run) else network
    if not isinstance(model, keras.Model):
        raise DataError(f"a network must be a trained keras.Model or a run. Got {type(network).__name__}.")
    try:
        WRITERS[path.suffix](model, path, rows)
    except OSError as error:
        raise DataError(f"{path}: the network cannot be written: {error}. Name another file.") from error
    return path


def load_network(path: str | Path) -> Any:
    """A trained network from its `.keras` file, with all that Keras lacks of its recipe.

    `keras.saving.load_model` does as well where the recipe is made of Keras alone, or `kohort.exports.network` has been
    imported.

    Args:
        path: The file.

    Returns:
        The compiled `keras.Model`.

    Raises:
        DataError: It is not there, or no such file.
    """
    try:
        return keras.saving.load_model(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the file must be a network that Keras has saved. Got: {error}.") from error


def _write_keras(model: keras.Model, path: Path, rows: Any) -> None:
    model.save(path)


def _write_onnx(model: Any, path: Path, rows: Any) -> None:
    model = predicting(model)
    drawing = [layer.name for layer in model._flatten_layers() if isinstance(layer, MonteCarloDropout)]
    if drawing:
        raise NotSupportedError(
            f"a network must predict the same each time to be an ONNX file. Got one that draws in {drawing[0]!r}. "
            "Write it as .keras."
        )
    rows = _made_up(model) if rows is None else rows
    try:
        predicted = keras.tree.map_structure(keras.ops.convert_to_numpy, model(rows, training=False))
    except ValueError as error:
        raise DataError(f"rows must be such as the network takes. Got {error} Pass others.") from error
    file = import_module("kohort.exports.onnx_file")
    with TemporaryDirectory() as folder:
        made = Path(folder) / "network.onnx"
        try:
            model.export(made, format="onnx", verbose=False)
            contents = file.mended(made)
        except Exception as error:
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise NotSupportedError(
                f"a network must be made of what jax2onnx knows to be an ONNX file. Got: {told[0]}. Write it as .keras."
            ) from error
    file.check(contents, keras.tree.flatten(rows), keras.tree.flatten(predicted))
    path.write_bytes(contents)


def _made_up(model: Any) -> Any:
    """Rows for each input, the same each time."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise DataError(
            "rows must be told for a model that does not know its inputs. Got one that is not built, or a subclass of "
            "keras.Model. Pass rows=x."
        )
    random = np.random.default_rng(0)
    rows = []
    for own in inputs:
        kind = np.dtype(keras.backend.standardize_dtype(own.dtype))
        numbers = random.normal(size=(MADE_UP, *(size or 1 for size in own.shape[1:])))
        rows.append(numbers.astype(kind) if kind.kind == "f" else np.zeros(numbers.shape, kind))
    for layer in model._flatten_layers():
        for position, levels in layer.columns if isinstance(layer, embedding.CategoryEmbedding) else ():
            rows[0][:, position] = random.integers(levels, size=MADE_UP)
    return rows[0] if len(rows) == 1 else rows


WRITERS: Mapping[str, Callable[[keras.Model, Path, Any], None]] = {".keras": _write_keras, ".onnx": _write_onnx}
"""How a file of each ending is written."""
