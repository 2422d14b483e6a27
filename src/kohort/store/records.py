"""Records: files with all that is known of runs that ended together, whole in themselves.

A record is a safetensors file, so nothing is unpickled. Its header tells what the study is and how each run came out,
its arrays are the runs' weights, logs and outcomes, and a hash covers both: a study whose SQLite file is lost is made
anew from its records.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from kohort.errors import StudyError
from kohort.store import disk

LAYOUT = "1"
"""The version of this layout."""


def write_record(folder: Path, told: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> tuple[str, int, str]:
    """Writes a record.

    Args:
        folder: The folder `records`.
        told: What belongs into its header, as JSON values.
        arrays: Its arrays by name.

    Returns:
        The file's name, length and SHA-256.
    """
    contents = packed(told, arrays)
    name = f"{uuid.uuid4().hex}.safetensors"
    disk.write(folder / name, contents)
    return name, len(contents), hashlib.sha256(contents).hexdigest()


def packed(told: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The contents of a file with a header and arrays, under one hash, as `read_record` reads it."""
    content = json.dumps(told, sort_keys=True)
    header = {"kohort_record": LAYOUT, "content": content, "sha256": _digest(content, arrays)}
    # np.ascontiguousarray would give a single number an axis
    return save({name: np.asarray(array, order="C") for name, array in arrays.items()}, metadata=header)


def read_record(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a record tells, and its arrays.

    Raises:
        StudyError: It is not there, damaged, or of a later layout.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 – it is no mapping
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)) from error
    if header.get("kohort_record") not in (LAYOUT, None):
        raise StudyError(
            f"{path}: a record must be of layout {LAYOUT}. Got {header['kohort_record']}. Update Kohort to read it."
        )
    content = header.get("content", "")
    if header.get("sha256") != _digest(content, arrays):
        raise _damaged(path, "its hash is another")
    return json.loads(content), arrays


def read_arrays(path: Path, names: Sequence[str], sha256: str) -> list[np.ndarray]:
    """Some arrays of a record.

    Args:
        path: The record.
        names: Which.
        sha256: The hash of these, as `digest_of` gave it.

    Raises:
        StudyError: The record is not there or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = [file.get_tensor(name) for name in names]
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise _damaged(path, str(error)) from error
    if digest_of(found) != sha256:
        raise _damaged(path, "the hash of its weights is another")
    return found


def digest_of(arrays: Sequence[np.ndarray]) -> str:
    """SHA-256 of arrays, their types and shapes, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.asarray(array).tobytes())
    return digest.hexdigest()


def _digest(content: str, arrays: Mapping[str, np.ndarray]) -> str:
    names = sorted(arrays)
    told = "\n".join([content, *names, digest_of([arrays[name] for name in names])])
    return hashlib.sha256(told.encode()).hexdigest()


def _damaged(path: Path, why: str) -> StudyError:
    told = why.strip().splitlines()[0].rstrip(".") if why.strip() else "it cannot be read"
    return StudyError(f"{path}: the record is damaged: {told}. Run the study again: its runs are then trained anew.")
