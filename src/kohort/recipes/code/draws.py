"""Which of the seeds that Keras draws while a model is built went into which of its layers.

Initialisers and generators take theirs from Python's `random` in the order in which they are made. So code that makes
them in the same order has the same weights and the same noise under the same `keras.utils.set_random_seed`.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from kohort.errors import RecipeError
from kohort.seeds import global_randomness, global_randomness_restored

MOST = 10_000  # seeds of a model; a builder that draws otherwise is not followed further


class Draws:
    """The seeds of a model in the order in which they were drawn.

    Args:
        seeds: The seeds, each once.
    """

    def __init__(self, seeds: list[int]):
        self._numbers = {seed: number for number, seed in enumerate(seeds)}
        self._found: dict[int, tuple[Any, list[int]]] = {}  # with the object, lest another gets its id

    def of(self, thing: Any, but_for: Any = None) -> list[int]:
        """The numbers of the draws that went into a layer, an optimiser or another object, counted from 0.

        Args:
            thing: The object.
            but_for: An object in it that is left out.
        """
        if id(thing) not in self._found:
            seeds = _seeds_in(thing, {id(but_for)})
            found = sorted({self._numbers[seed] for seed in seeds if seed in self._numbers})
            self._found[id(thing)] = (thing, found)
        return self._found[id(thing)][1]


def _seeds_in(thing: Any, seen: set[int]) -> Iterator[int]:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, keras.random.SeedGenerator):
        state: Any = keras.ops.convert_to_numpy(thing.state)
        yield int(state[0])
    elif isinstance(thing, list | tuple):
        for item in thing:
            yield from _seeds_in(item, seen)
    elif isinstance(thing, dict):
        for item in thing.values():
            yield from _seeds_in(item, seen)
    elif isinstance(thing, keras.initializers.Initializer):
        seed = getattr(thing, "seed", None)
        if isinstance(seed, int | np.integer):
            yield int(seed)
        else:
            yield from _seeds_in(seed, seen)
    elif isinstance(thing, keras.layers.Layer | keras.optimizers.Optimizer):
        for value in vars(thing).values():
            if not isinstance(value, keras.optimizers.Optimizer):  # an optimiser's inner one is written apart
                yield from _seeds_in(value, seen)


def followed(build: Callable[[], Any]) -> tuple[Any, Draws]:
    """What a function makes, and the seeds that were drawn meanwhile; the user's generators are left as they were.

    Args:
        build: Makes a model.

    Raises:
        RecipeError: It draws in other ways than Keras' objects do.
    """
    with global_randomness_restored():
        keras.utils.set_random_seed(0)
        before = global_randomness()
        made = build()
        after = global_randomness()
        if after[1] != before[1]:
            raise RecipeError(
                "a network must draw by Keras' initialisers and generators alone. Its builder draws from NumPy. "
                "Take that out of it."
            )
        random.seed(0)
        seeds: list[int] = []
        while random.getstate() != after[0]:
            if len(seeds) == MOST:
                raise RecipeError(
                    "a network must draw by Keras' initialisers and generators alone. Its builder draws from Python's "
                    "random. Take that out of it."
                )
            seeds += _seeds_in(keras.random.SeedGenerator(), set())
    return made, Draws(seeds)
