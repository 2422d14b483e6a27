"""One seed fixes everything random of a run: weights, masks, batch orders, splits.

Keras draws from two global generators. Initialisers and dropout layers take their seeds from Python's `random`,
in the order in which the layers are made; the batch order of each epoch is one `np.random.permutation(rows)`.
`keras.utils.set_random_seed(seed)` seeds both. A member of a cohort owns the state that NumPy's generator had once
its model was built, and goes on drawing from it as `fit` would; so its orders do not depend on who trains beside it.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from kohort.errors import DataError

Shuffle = bool | Literal["batch"]
"""`True`: a new order of all rows each epoch. `"batch"`: only within each batch. `False`: the order of the rows."""

LARGEST_SEED = 2**32 - 1  # what np.random.seed, hence keras.utils.set_random_seed, can take


def as_seeds(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """The seeds that an argument `seeds` means.

    Args:
        seeds: A number n, meaning the seeds 0 … n−1, or the seeds themselves.

    Returns:
        The seeds, in the order given.

    Raises:
        DataError: There is none, one is no whole number in [0, 2³² − 1], or one appears twice.

    >>> as_seeds(3), as_seeds([7, 3])
    ((0, 1, 2), (7, 3))
    """
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        if seeds < 1:
            raise DataError(
                f"seeds must be a number of at least 1, or the seeds themselves. Got seeds={seeds}. "
                "Pass seeds=20 for the seeds 0 to 19, or seeds=[0] for the single seed 0."
            )
        return tuple(range(int(seeds)))
    if isinstance(seeds, str | bytes | bool) or not isinstance(seeds, Iterable):
        raise DataError(f"seeds must be a whole number or several whole numbers. Got seeds={seeds!r}.")
    given = tuple(seeds)
    if not given:
        raise DataError("seeds must hold at least one seed. Got none. Pass seeds=20 for the seeds 0 to 19.")
    for seed in given:
        if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or not 0 <= seed <= LARGEST_SEED:
            raise DataError(f"each seed must be a whole number from 0 to {LARGEST_SEED}. Got {seed!r}.")
    whole = tuple(int(seed) for seed in given)
    if len(set(whole)) < len(whole):
        twice = next(seed for seed in whole if whole.count(seed) > 1)
        raise DataError(f"each seed must appear once. Got {twice} twice: two equal runs are not two observations.")
    return whole


class BatchOrders:
    """The orders in which one member sees the training rows, epoch after epoch, as `fit` draws them.

    Args:
        rows: Number of training rows.
        batch_size: Rows of a full batch.
        shuffle: As the argument of `model.fit`.
        generator: NumPy's legacy generator in the state in which `fit` would start its first epoch.
    """

    def __init__(self, rows: int, batch_size: int, shuffle: Shuffle, generator: np.random.RandomState):
        self.rows = rows
        self.batch_size = batch_size
        self.shuffle: Shuffle = shuffle
        self.generator = generator

    def next_epoch(self) -> np.ndarray:
        """The row numbers of one epoch in training order, int32 of shape (rows,); a last partial batch at the end."""
        if self.shuffle == "batch":
            starts = range(0, self.rows, self.batch_size)
            stops = [min(start + self.batch_size, self.rows) for start in starts]
            drawn = [
                self.generator.permutation(stop - start) + start for start, stop in zip(starts, stops, strict=True)
            ]
            return np.concatenate(drawn).astype(np.int32)
        if self.shuffle:
            return self.generator.permutation(self.rows).astype(np.int32)
        return np.arange(self.rows, dtype=np.int32)

    def draw_for_building(self) -> None:
        """The one draw that `fit` spends on looking at the first batch of a model that is not built yet."""
        if self.shuffle == "batch":
            self.generator.permutation(min(self.batch_size, self.rows))
        elif self.shuffle:
            self.generator.permutation(self.rows)


class RowBatches:
    """The batches of one member, epoch after epoch, where an epoch may be shorter than a pass over the rows.

    With `steps_per_epoch` Keras goes on in the same order in the next epoch, and draws a new one when the rows are
    used up; an epoch in which they run out ends there.

    Args:
        orders: The member's orders.
        steps_per_epoch: Batches of an epoch; None: all.
    """

    def __init__(self, orders: BatchOrders, steps_per_epoch: int | None):
        self.orders = orders
        self.steps_per_epoch = steps_per_epoch
        self._left: list[np.ndarray] = []

    def next_epoch(self) -> list[np.ndarray]:
        """The row numbers of each batch of the next epoch."""
        if not self._left:
            rows, size = self.orders.next_epoch(), self.orders.batch_size
            self._left = [rows[start : start + size] for start in range(0, len(rows), size)]
        count = self.steps_per_epoch or len(self._left)
        taken, self._left = self._left[:count], self._left[count:]
        return taken


PythonState = tuple[int, bytes, float | None]
"""Where a generator of Python's `random` stands, in a tenth of the memory of `random.getstate()`: many members each
keep one."""


def packed_python_state(state: tuple[Any, ...]) -> PythonState:
    """What `random.getstate()` gave, packed."""
    version, words, gauss = state
    return version, np.array(words, np.uint32).tobytes(), gauss


def unpacked_python_state(state: PythonState) -> tuple[Any, ...]:
    """What `random.setstate` takes."""
    version, words, gauss = state
    return version, tuple(np.frombuffer(words, np.uint32).tolist()), gauss


def numpy_generator_now() -> np.random.RandomState:
    """A generator of its own that continues where NumPy's global one stands."""
    generator = np.random.RandomState()
    generator.set_state(np.random.get_state())
    return generator


def make_numpy_generator_global(generator: np.random.RandomState) -> None:
    """Lets NumPy's global generator continue where `generator` stands."""
    np.random.set_state(generator.get_state())


def global_randomness() -> tuple[Any, ...]:
    """Where the global generators of Python and NumPy stand, to compare or to go back to."""
    state: Any = np.random.get_state()
    name, keys, *rest = state
    return random.getstate(), (name, keys.tobytes(), *rest)


def set_global_randomness(state: tuple[Any, ...]) -> None:
    """Puts the global generators of Python and NumPy where they stood."""
    python_state, (name, keys, *rest) = state
    random.setstate(python_state)
    np.random.set_state((name, np.frombuffer(keys, np.uint32), *rest))


@contextmanager
def global_randomness_restored(only_after_an_error: bool = False) -> Iterator[None]:
    """Leaves the user's `random` and `np.random` as they were, whatever is seeded or drawn inside.

    Args:
        only_after_an_error: What is drawn inside counts, unless it ends with an error.
    """
    before = global_randomness()
    restore = True
    try:
        yield
        restore = not only_after_an_error
    finally:
        if restore:
            set_global_randomness(before)
