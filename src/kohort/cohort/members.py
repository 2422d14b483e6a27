"""The members of a cohort: each with the weights, masks and batch orders of its own seed, as `fit` would give them.

`set_random_seed(seed); model = build(); model.fit(...)` draws in a fixed order: building draws seeds of initialisers
and dropout layers from Python's `random`; `fit` looks at a first batch if the model is not built yet, which draws one
permutation from NumPy, and builds the rest; then each epoch draws one permutation. `build_member` repeats just that.

Building a Keras model takes some 30 ms, its weights less than one. So a recipe is built for two seeds, and for the
others only its random numbers are drawn again, by the very initialisers that Keras called (`Redraw`). Whether that is
right is not assumed: the second real build must come out bit for bit as the redraw says, and every draw from Python's
and NumPy's generators must have become a weight or a mask; else each member is really built. Of every member that is
really built, the training step is compared with the first one's, constants included: a builder that draws may build
another network under each seed, and is refused. Where every draw is accounted for and the configuration says all that
a step does, comparing configurations suffices, and saves a trace.
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import (
    OR_FIT,
    State,
    Traced,
    check_can_train,
    check_compiled,
    refuse_to_look_at_values,
    state_of,
    trace_step,
    variables,
)
from kohort.cohort.configuration import configuration
from kohort.cohort.initial import drawn, quick_initialisers
from kohort.cohort.unify import Different, unify
from kohort.errors import KohortError, NotSupportedError, RecipeError
from kohort.seeds import (
    BatchOrders,
    PythonState,
    Shuffle,
    global_randomness_restored,
    make_numpy_generator_global,
    numpy_generator_now,
    packed_python_state,
)

Builder = Callable[[], keras.Model]

DRAWS_LOOKED_FOR = 10_000  # seeds that one model may draw; a deep ResNet draws some hundreds


@dataclass(frozen=True)
class Member:
    """A run about to be trained.

    Attributes:
        recipe: The position of its recipe in the cohort.
        seed: Its seed; None where a given model is trained from the weights it has.
        state: Its initial state, in the order of `capture.variables`.
        orders: The batch orders of its epochs.
        python_state: Where Python's `random` stands once it is built; None: wherever the process' own stands.
    """

    recipe: int
    seed: int | None
    state: State
    orders: BatchOrders
    python_state: PythonState | None = None


@dataclass(frozen=True)
class Training:
    """What all members of a call share: the arguments of `fit` that decide how batches are drawn.

    Attributes:
        arrays: The rows; of a stream, its first batch.
        batch_size: Rows of a batch.
        shuffle: As the argument of `fit`; False for a stream.
        draw: What looking at a first batch of a stream draws from Python's `random`.
    """

    arrays: Arrays
    batch_size: int
    shuffle: Shuffle
    draw: Callable[[], None] | None = None


@contextmanager
def keras_randomness_restored(only_after_an_error: bool = False) -> Iterator[None]:
    """Leaves Python's, NumPy's and Keras' global random state as they were; see `global_randomness_restored`."""
    names = ("global_random_seed", "global_seed_generator")
    held = {name: global_state.get_global_attribute(name) for name in names}
    restore = True
    with global_randomness_restored(only_after_an_error):
        try:
            yield
            restore = not only_after_an_error
        finally:
            for name, value in held.items() if restore else ():
                global_state.set_global_attribute(name, value)


def build_model(build: Builder, recipe: str, seed: int | None, *, alone: bool = False) -> keras.Model:
    """Calls a recipe's builder, after `set_random_seed(seed)` unless the seed is None.

    Args:
        build: The builder.
        recipe: The recipe's name.
        seed: The seed.
        alone: Whether the model may be one that only `fit` can train.

    Raises:
        RecipeError: The builder raises, or what it returns is no compiled model.
        NotSupportedError: No cohort can train it.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    try:
        model = build()
    except KohortError:
        raise
    except Exception as error:
        refuse_to_look_at_values(error, recipe)
        raise RecipeError(f"recipe {recipe!r} does not build (seed {seed}): {type(error).__name__}: {error}") from error
    check_compiled(model, recipe)
    if not alone:
        check_can_train(model, recipe)
    return model


def finish_building(model: keras.Model, recipe: str, training: Training) -> BatchOrders:
    """Builds what `fit` would still build before its first epoch, drawing what it would draw.

    Returns:
        The orders of the epochs to come. NumPy's global generator is left where `fit` would begin them.
    """
    arrays, size = training.arrays, training.batch_size

    def first_batch() -> Iterator[tuple[int, int, list[Any]]]:
        orders = BatchOrders(arrays.rows, size, training.shuffle, numpy_generator_now())
        orders.draw_for_building()
        make_numpy_generator_global(orders.generator)
        if training.draw is not None:
            training.draw()
        yield 0, 0, [arrays.nested([leaf[:size] for leaf in arrays.leaves])]

    try:
        # Keras takes a batch from this iterator only if something is not built yet, as in fit
        model._symbolic_build(iterator=first_batch())
    except Exception as error:
        refuse_to_look_at_values(error, recipe)
        shapes = ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in arrays.leaves)
        raise RecipeError(f"recipe {recipe!r} does not take this data ({shapes}): {error}") from error
    return BatchOrders(arrays.rows, size, training.shuffle, numpy_generator_now())


def build_member(build: Builder, recipe: str, seed: int, training: Training) -> tuple[keras.Model, BatchOrders]:
    """A model with the weights of its seed, and its orders; the global generators are left as `fit` would find them."""
    model = build_model(build, recipe, seed)
    return model, finish_building(model, recipe, training)


class Recipients:
    """The members of one recipe, and its first model, whose traced steps stand for them all.

    Args:
        build: The recipe's builder.
        name: The recipe's name.
        seeds: The seeds, at least one.
        training: The shared arguments of `fit`.
        trace: Traces a built model's steps.
        draws_nothing: Whether the builder is known to make the same network under every seed.
    """

    def __init__(
        self,
        build: Builder,
        name: str,
        seeds: Sequence[int],
        training: Training,
        trace: Callable[[keras.Model], Traced],
        draws_nothing: bool = False,
    ):
        self.build = build
        self.name = name
        self.training = training
        with keras_randomness_restored():
            seen: list[_Seen] = []
            with quick_initialisers(lambda variable, initialiser: seen.append(_Seen(variable, initialiser))):
                self.model, orders = build_member(build, name, seeds[0], training)
            self.states = [state_of(self.model)]
            self.orders = [orders]
            self.python_states = [packed_python_state(random.getstate())]
            redraw = None
            if len(seeds) > 2:
                redraw = Redraw.of(self.model, seen, seeds[0], training)
            self.traced = trace(self.model)
            for seed in seeds[1:]:
                if redraw is not None and len(self.states) > 1:
                    state, orders, python_state = redraw(seed)
                else:
                    with quick_initialisers(lambda variable, initialiser: None):
                        model, orders = build_member(build, name, seed, training)
                    state, python_state = state_of(model), packed_python_state(random.getstate())
                    if not draws_nothing and not (
                        redraw is not None and redraw.drew_weights_only and self._says(model)
                    ):
                        self._check_same_step(model, seed)
                    self._check_own_weights(model, seed)
                    if redraw is not None and not redraw.gives(seed, state, orders):
                        redraw = None
                self.states.append(state)
                self.orders.append(orders)
                self.python_states.append(python_state)

    def _says(self, model: keras.Model) -> bool:
        """Whether a second build is the same network by what its configuration says, where that says all."""
        own, other = (configuration(built) for built in (self.model, model))
        return own is not None and own == other

    def _check_own_weights(self, model: keras.Model, seed: int) -> None:
        """Refuses a builder that hands out the same trainable weights again."""
        own = {id(variable) for variable in [*self.model.trainable_variables, *self.model.optimizer.variables]}
        shared = [variable.path for variable in model.trainable_variables if id(variable) in own]
        if shared:
            raise RecipeError(
                f"recipe {self.name!r} must build new weights at each call. Got the trainable variable {shared[0]!r} "
                f"again under seed {seed}. Make the layers inside the builder, or freeze what is shared."
            )

    def _check_same_step(self, model: keras.Model, seed: int) -> None:
        """Refuses a builder whose network, not only its weights, depends on the seed."""
        size = self.training.batch_size
        own = trace_step(model, self.name, self.training.arrays, size)
        try:
            different = "other numbers" if unify([self.traced.train[size].jaxpr, own.jaxpr]).lifted else ""
        except Different as error:
            different = str(error)
        if different:
            raise NotSupportedError(
                f"recipe {self.name!r} must build the same network under every seed. "
                f"Got another under seed {seed}: {different}. Give each network a recipe of its own, or {OR_FIT}."
            )


@dataclass(frozen=True)
class _Seen:
    variable: Any
    initialiser: Any


class Redraw:
    """Draws a recipe's initial state for another seed without building the model.

    Attributes:
        state: The initial state under the first seed; what no seed changes is taken from it.
        draws: How many seeds the build draws from Python's generator.
        weights: Positions in the state drawn by an initialiser: (position, initialiser, shape, dtype, which draw).
        generators: Positions in the state that hold a seed generator: (position, which draw).
        permutations: Whether building draws a permutation from NumPy.
    """

    def __init__(self, state: State, draws: int, training: Training, permuted: bool):
        self.state = state
        self.draws = draws
        self.training = training
        self.permuted = permuted
        self.weights: list[tuple[int, Any, Any, Any, int]] = []
        self.generators: list[tuple[int, int]] = []

    @classmethod
    def of(cls, model: keras.Model, seen: Sequence[_Seen], seed: int, training: Training) -> "Redraw | None":
        """What there is to redraw, right after the model was built; None if some draw is not accounted for."""
        if global_state.get_global_attribute("global_seed_generator") is not None:
            return None  # the builder itself drew from keras.random
        draws = _draws_until(random.getstate(), seed)
        permuted = _permutations_until(np.random.get_state(), seed, training)
        if draws is None or permuted is None or len(set(draws)) < len(draws):
            return None
        redraw = cls(state_of(model), len(draws), training, permuted)
        index_of = {draw: index for index, draw in enumerate(draws)}
        position_of = {id(variable): position for position, variable in enumerate(variables(model))}
        for note in seen:
            position = position_of.get(id(note.variable))
            own_seed = getattr(note.initialiser, "seed", None)
            drawn = index_of.get(own_seed) if isinstance(own_seed, int) else None
            if position is not None and drawn is not None:
                variable = note.variable
                redraw.weights.append((position, note.initialiser, variable.shape, variable.dtype, drawn))
        for position, variable in enumerate(variables(model)):
            if variable.path.endswith("seed_generator_state"):
                drawn = index_of.get(int(np.asarray(variable.value)[0]))
                if drawn is not None:
                    redraw.generators.append((position, drawn))
        used = {weight[-1] for weight in redraw.weights} | {drawn for _, drawn in redraw.generators}
        return redraw if len(used) == len(draws) else None

    def __call__(self, seed: int) -> tuple[State, BatchOrders, PythonState]:
        """The initial state and the batch orders of a seed, and where Python's `random` then stands."""
        generator = random.Random(seed)
        seeds = [_draw(generator) for _ in range(self.draws)]
        state = list(self.state)
        for position, initialiser, shape, dtype, index in self.weights:
            reseeded = copy.copy(initialiser)
            reseeded.seed = seeds[index]
            state[position] = drawn(reseeded, shape, dtype)
        for position, index in self.generators:
            masks = np.array(self.state[position])
            masks[0] = seeds[index]
            state[position] = masks
        training = self.training
        orders = BatchOrders(training.arrays.rows, training.batch_size, training.shuffle, np.random.RandomState(seed))
        if self.permuted:
            orders.draw_for_building()
        return state, orders, packed_python_state(generator.getstate())

    @property
    def drew_weights_only(self) -> bool:
        """Whether no mask or feature was drawn while the model was built: its generators have not moved."""
        return not any(np.asarray(self.state[position])[1:].any() for position, _ in self.generators)

    def gives(self, seed: int, state: State, orders: BatchOrders) -> bool:
        """Whether the redraw for a seed equals a real build bit for bit, orders included."""
        redrawn, own_orders, _ = self(seed)
        equal = all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in zip(redrawn, state, strict=True))
        return equal and _same_numpy_state(own_orders.generator.get_state(), orders.generator.get_state())


def _draw(generator: random.Random) -> int:
    return generator.randint(1, int(1e9))  # as keras.src.random.make_default_seed


def _draws_until(state: Any, seed: int) -> list[int] | None:
    """The seeds that were drawn between `random.seed(seed)` and a state of the generator."""
    generator = random.Random(seed)
    draws: list[int] = []
    while generator.getstate() != state:
        if len(draws) == DRAWS_LOOKED_FOR:
            return None
        draws.append(_draw(generator))
    return draws


def _permutations_until(state: Any, seed: int, training: Training) -> bool | None:
    """Whether building drew one permutation from NumPy (or none); None if it drew anything else."""
    orders = BatchOrders(training.arrays.rows, training.batch_size, training.shuffle, np.random.RandomState(seed))
    if _same_numpy_state(orders.generator.get_state(), state):
        return False
    orders.draw_for_building()
    return True if _same_numpy_state(orders.generator.get_state(), state) else None


def _same_numpy_state(own: Any, other: Any) -> bool:
    return own[0] == other[0] and own[2:] == other[2:] and bool(np.array_equal(own[1], other[1]))
