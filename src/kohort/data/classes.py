"""Targets that are classes, and those that are measured numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kohort.errors import DataError

AS_CLASSES = 20
"""Whole numbers of so few values are classes."""


def check_task(task: str | None) -> None:
    """Refuses what is no task.

    Raises:
        DataError: It is none.
    """
    if task not in (None, "classification", "regression"):
        raise DataError(f"task must be 'classification' or 'regression'. Got {task!r}.")


def are_classes(numbers: np.ndarray) -> bool:
    """Whether numbers are classes, by what they look like.

    >>> are_classes(np.array([1.0, 2.0, 1.0])), are_classes(np.array([1.5, 2.0])), are_classes(np.arange(50))
    (True, False, False)
    """
    return bool((numbers == np.round(numbers)).all()) and len(np.unique(numbers)) <= AS_CLASSES


def names_of(values: Sequence[Any]) -> tuple[str, ...]:
    """The names of classes, each another.

    >>> names_of([1.0, 2.0]), names_of(["yes", "no"]), names_of([0.1234567, 0.1234568])
    (('1', '2'), ('yes', 'no'), ('0.1234567', '0.1234568'))
    """
    names = tuple(f"{own:g}" if isinstance(own, float) else str(own) for own in values)
    return names if len(set(names)) == len(names) else tuple(map(repr, values))
