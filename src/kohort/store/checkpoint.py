"""Where a cohort stood when its process ended: two files in turn, so that one is always whole."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kohort.errors import StudyError
from kohort.store import disk
from kohort.store.records import packed, read_record

SECONDS_BETWEEN = 30.0
"""At least so many seconds lie between two checkpoints: what a killed process loses at the most."""

MOST_SHARE = 50.0
"""And so many times what the last one took, so that checkpoints take 2 % of the time at the most."""


class Checkpoint:
    """The checkpoints of one cohort.

    Args:
        folder: Where they lie.
        identity: What the cohort is: all that decides its members' numbers.
        recipes: Its recipes.
        seeds: Its seeds.
        remarks: Takes what goes wrong, in sentences.
    """

    def __init__(self, folder: Path, identity: str, recipes: Sequence[str], seeds: Sequence[int], remarks: list[str]):
        told = json.dumps([identity, list(recipes), list(seeds)])
        self._told = hashlib.sha256(told.encode()).hexdigest()
        self._paths = [folder / f"{self._told[:32]}-{turn}.safetensors" for turn in (0, 1)]
        self._turn, self._remarks = 0, remarks
        self._due = time.monotonic() + SECONDS_BETWEEN

    def load(self) -> tuple[int, dict[str, np.ndarray]] | None:
        """How many epochs were trained, and the arrays of the latest whole checkpoint; None if there is none."""
        found: list[tuple[int, int, dict[str, np.ndarray]]] = []
        for turn, path in enumerate(self._paths):
            if not path.exists():
                continue
            try:
                told, arrays = read_record(path)
            except StudyError as error:
                self._remarks.append(f"{path}: {error} An earlier checkpoint, or none, is used.")
                continue
            if told["cohort"] == self._told:
                found.append((told["epochs"], turn, arrays))
        if not found:
            return None
        epochs, turn, arrays = max(found, key=lambda one: one[0])
        self._turn = 1 - turn
        return epochs, arrays

    def is_due(self) -> bool:
        """Whether it is time for the next."""
        return time.monotonic() >= self._due

    def save(self, epochs: int, arrays: Callable[[], Mapping[str, np.ndarray]]) -> bool:
        """Keeps where the cohort stands. Where the disk refuses, that is remarked, and the training goes on.

        Args:
            epochs: How many epochs are trained.
            arrays: Gives its arrays.

        Returns:
            Whether it is kept.
        """
        started, kept = time.monotonic(), False
        try:
            disk.make_folder(self._paths[0].parent)
            disk.write(self._paths[self._turn], packed({"cohort": self._told, "epochs": epochs}, arrays()))
            self._turn, kept = 1 - self._turn, True
        except (OSError, MemoryError) as error:
            self._remarks.append(f"{self._paths[0].parent}: no checkpoint was kept after epoch {epochs}: {error}.")
        took = time.monotonic() - started
        self._due = time.monotonic() + max(SECONDS_BETWEEN, MOST_SHARE * took)
        return kept

    def remove(self) -> None:
        """Removes them; the cohort has ended."""
        for path in self._paths:
            if path.exists():
                disk.remove(path)
