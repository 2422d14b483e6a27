"""What travels in a folder: nested values as JSON, and each of their arrays once, as an `.npy` file."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from kohort.errors import BackendError
from kohort.runtime import FIRST_LINE

REQUEST = "request.json"
RESULT = "result.json"


class Sender:
    """Writes values into a folder.

    Args:
        folder: Where to; it must exist.
        prefix: What the names of its files begin with.
    """

    def __init__(self, folder: Path, prefix: str):
        self.folder = folder
        self.prefix = prefix
        self._sent: dict[int, tuple[np.ndarray, str]] = {}  # the array is held so that its id stays its own

    def packed(self, value: Any, name: str) -> Any:
        """A value as JSON can say it; its arrays are written, the same array only once.

        Args:
            value: Numbers, text, None and NumPy arrays, nested in dicts, lists and tuples.
            name: What a message calls it.

        Raises:
            BackendError: Something in it cannot travel.
        """
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, np.ndarray):
            return {"array": self._file(value, name)}
        if isinstance(value, dict):
            return {"dict": [[self.packed(key, name), self.packed(item, name)] for key, item in value.items()]}
        for kind in (list, tuple):
            if isinstance(value, kind):
                return {kind.__name__: [self.packed(item, name) for item in value]}
        raise cannot_travel(f"{name}={_described(value)}")

    def _file(self, array: np.ndarray, name: str) -> str:
        if id(array) not in self._sent:
            if array.dtype.hasobject:
                raise cannot_travel(f"{name} of dtype {array.dtype}")
            file = f"{self.prefix}{len(self._sent)}.npy"
            np.save(self.folder / file, array, allow_pickle=False)
            self._sent[id(array)] = (array, file)
        return self._sent[id(array)][1]


def unpacked(packed: Any, folder: Path, mapped: bool = False) -> Any:
    """The value that was packed.

    Args:
        packed: What `Sender.packed` returned.
        folder: Where its arrays are.
        mapped: Whether arrays stay on disk and are mapped into memory, read-only.
    """
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "array":
        return np.load(folder / content, mmap_mode="r" if mapped else None, allow_pickle=False)
    if kind == "dict":
        return {unpacked(key, folder, mapped): unpacked(item, folder, mapped) for key, item in content}
    items = [unpacked(item, folder, mapped) for item in content]
    return tuple(items) if kind == "tuple" else items


def write(folder: Path, name: str, content: Any) -> None:
    """Writes JSON so that the file is either whole or not there."""
    unfinished = folder / f"{name}.unfinished"
    unfinished.write_text(json.dumps(content), "utf-8")
    unfinished.replace(folder / name)


def read(folder: Path, name: str) -> Any:
    """Reads what `write` has written."""
    return json.loads((folder / name).read_text("utf-8"))


def cannot_travel(what: str, instead: str = "") -> BackendError:
    """The error that says what a child process cannot be sent.

    Args:
        what: What it is, and why if that is not plain.
        instead: What else would do, beside the line to put first; a sentence.
    """
    return BackendError(
        "Keras does not run on JAX in this process, so kohort.fit trains in a child process, and what it is given must "
        f"travel there: arrays, models that serialise, builders from a module. Got {what}. {FIRST_LINE}"
        + (f" {instead}" if instead else "")
    )


def _described(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 80 else type(value).__name__
