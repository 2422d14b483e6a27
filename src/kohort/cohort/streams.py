"""Streams of batches: generators, `PyDataset`, tf.data, torch `DataLoader`, Grain, read through Keras' own adapters.

A batch is drawn once and given to every member, so a stream may be larger than memory and as slow as it likes. What
is random about a stream belongs to it and not to a member: it is drawn as `fit` would for the first of them.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from keras import tree
from keras.src.backend.jax.trainer import JAXEpochIterator
from keras.src.trainers.data_adapters import data_adapter_utils
from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDataset

from kohort.cohort.arrays import Arrays
from kohort.errors import DataError, NotSupportedError
from kohort.seeds import (
    PythonState,
    global_randomness,
    global_randomness_restored,
    make_numpy_generator_global,
    set_global_randomness,
    unpacked_python_state,
)


def is_stream(x: Any, y: Any = None) -> bool:
    """Whether Keras would read batches from `x` instead of cutting arrays into batches."""
    if x is None or can_convert_arrays((x, y)):
        return False
    listed = x if isinstance(x, list | tuple | dict) else None
    return listed is None


class _Unhurried(JAXEpochIterator):
    """Keras' iterator, without the batch that it fetches ahead on accelerators: that is done here."""

    def _get_iterator(self) -> Any:
        return self.data_adapter.get_jax_iterator()


class Stream:
    """A source of batches.

    Args:
        x: What Keras reads batches from.
        steps: Batches of an epoch; None: until it ends.
        shuffle: Whether Keras shuffles the batches of a `PyDataset`.
        class_weight: Class -> weight of its rows.
        name: What messages call it.
        **arrays: `y`, `sample_weight`: only to be refused as Keras refuses them.

    Raises:
        DataError: Keras does not take it, or it is empty.
    """

    def __init__(
        self, x: Any, *, steps: int | None, shuffle: bool, class_weight: Any = None, name: str = "x", **arrays: Any
    ):
        self.name = name
        self._randomness: tuple[Any, ...] | None = None
        try:
            self._iterator = _Unhurried(
                x=x, steps_per_epoch=steps, shuffle=shuffle, class_weight=class_weight, **arrays
            )
        except (ValueError, TypeError) as error:
            raise DataError(f"Keras does not take {name}: {error}") from error
        self._shuffled: int = (x.num_batches or 0) if isinstance(x, PyDataset) and shuffle else 0  # so many batches

    @property
    def shuffled(self) -> bool:
        """Whether the order of its batches is drawn by Keras, and so depends on the seed in `fit`."""
        return bool(self._shuffled)

    @property
    def num_batches(self) -> int | None:
        """Batches of an epoch, if that is known."""
        return self._iterator.num_batches

    def first_batch(self) -> Arrays:
        """The batch at which models are built and traced; drawn as `fit` draws it, and drawn again in training."""
        with global_randomness_restored():
            batch = next(self.epoch(), None)
            self.reset()
        if batch is None:
            raise DataError(f"{self.name} must yield at least one batch. Got none.")
        return batch

    def draw_for_building(self) -> None:
        """Draws from Python's `random` what looking at the first batch of a model that is not built yet draws."""
        if self._shuffled:
            random.shuffle(list(range(self._shuffled)))

    def begin_from(self, python_state: PythonState, generator: np.random.RandomState) -> None:
        """Lets the stream draw from generators of its own that begin where these stand."""
        with global_randomness_restored():
            random.setstate(unpacked_python_state(python_state))
            make_numpy_generator_global(generator)
            self._randomness = global_randomness()

    def reset(self) -> None:
        """Back to the first batch, where the source can do that."""
        self._iterator.reset()

    def epoch(self) -> Iterator[Arrays]:
        """The batches of one epoch."""
        with self._iterator.catch_stop_iteration():
            steps = iter(self._iterator)
            while True:
                with self._own_randomness():
                    found = next(steps, None)
                    batch = None if found is None else next(found[2])
                if batch is None:
                    return
                yield self._checked(batch)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        if self._randomness is None:
            yield
            return
        with global_randomness_restored():
            set_global_randomness(self._randomness)
            yield
            self._randomness = global_randomness()

    def _checked(self, batch: Any) -> Arrays:
        whole = data_adapter_utils.unpack_x_y_sample_weight(batch)
        if any(not isinstance(leaf, np.ndarray | jax.Array) for leaf in tree.flatten(whole) if leaf is not None):
            raise NotSupportedError(f"{self.name} must yield dense arrays. Got a sparse one. Yield x.toarray().")
        leaves, structure = jax.tree.flatten(data_adapter_utils.pack_x_y_sample_weight(*whole))
        if not leaves or not all(np.ndim(leaf) for leaf in leaves):
            raise DataError(f"{self.name} must yield batches of arrays with rows first. Got {batch!r:.200}.")
        return Arrays(tuple(np.asarray(leaf) for leaf in leaves), structure)


def shape_of(batch: Arrays) -> tuple[Any, ...]:
    """What two batches must have in common to be taken by the same compiled step."""
    return (batch.structure, *((leaf.shape, leaf.dtype) for leaf in batch.leaves))


def chunks(batches: Iterator[Arrays], most: Callable[[Arrays], int]) -> Iterator[list[Arrays]]:
    """Consecutive batches of one shape together, up to so many as `most` says of the first of them."""
    chunk: list[Arrays] = []
    for batch in batches:
        if chunk and (shape_of(batch) != shape_of(chunk[0]) or len(chunk) == most(chunk[0])):
            yield chunk
            chunk = []
        chunk.append(batch)
        if len(chunk) == most(chunk[0]):
            yield chunk
            chunk = []
    if chunk:
        yield chunk
