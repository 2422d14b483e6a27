"""A compiled Keras model, seen as a state of arrays and two pure functions on it.

Keras' JAX trainer has pure steps already: `train_step(state, batch)` and `test_step(state, batch)`, where the state is
the values of the trainable variables, the non-trainable ones, the optimiser's and the metrics'. Everything a user can
ask of Keras is inside: losses, penalties, dropout generators, BatchNormalization statistics, schedules, clipping.
Kohort writes no training step of its own; it traces Keras' to jaxprs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import keras
import numpy as np
from jax.extend.core import ClosedJaxpr

from kohort.cohort.arrays import Arrays
from kohort.cohort.columns import Columns
from kohort.cohort.unify import Different, unify
from kohort.errors import NotSupportedError, RecipeError
from kohort.seeds import global_randomness, set_global_randomness

OR_FIT = "pass on_unsupported='fit' to train it alone with model.fit"

LOOKS_AT_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)
"""What JAX raises where Python code asks for a value, or an array's shape depends on one, while it is traced."""

State = list[Any]
"""The state's arrays: trainable, non-trainable, optimiser, metrics, each in Keras' order."""


@dataclass(frozen=True)
class Parts:
    """How many arrays of a state belong to which part."""

    trainable: int
    non_trainable: int
    optimizer: int
    metrics: int

    @property
    def test(self) -> list[int]:
        """The positions that a test step reads and writes: all but the optimiser's."""
        weights = self.trainable + self.non_trainable
        return [*range(weights), *range(weights + self.optimizer, self.total)]

    @property
    def metric_positions(self) -> range:
        """The positions of the metrics in a whole state."""
        return range(self.total - self.metrics, self.total)

    @property
    def total(self) -> int:
        """The number of arrays in a whole state."""
        return self.trainable + self.non_trainable + self.optimizer + self.metrics


def variables(model: keras.Model) -> list[Any]:
    """The Keras variables behind a state, in its order."""
    return [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
        *model.metrics_variables,
    ]


def state_of(model: keras.Model) -> State:
    """The model's present state."""
    return [variable.value for variable in variables(model)]


def put_state(model: keras.Model, state: Sequence[Any]) -> None:
    """Gives the model's variables the values of a state."""
    for variable, value in zip(variables(model), state, strict=True):
        variable.assign(value)


def parts_of(model: keras.Model) -> Parts:
    """The sizes of the parts of the model's state."""
    return Parts(
        len(model.trainable_variables),
        len(model.non_trainable_variables),
        len(model.optimizer.variables),
        len(model.metrics_variables),
    )


def check_compiled(model: Any, recipe: str) -> None:
    """Refuses what is no compiled Keras model.

    Raises:
        RecipeError: The recipe gave something else.
    """
    if not isinstance(model, keras.Model):
        raise RecipeError(
            f"recipe {recipe!r} must give a compiled keras.Model. Got {type(model).__name__}. "
            "Return the model from the builder, after model.compile(...)."
        )
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise RecipeError(
            f"recipe {recipe!r} must give a compiled model. Got one without an optimizer or a loss. "
            "Call model.compile(optimizer=..., loss=..., metrics=[...]) in the builder."
        )


def check_can_train(model: keras.Model, recipe: str) -> None:
    """Refuses, before anything is trained, a compiled model that no cohort can train.

    Raises:
        NotSupportedError: `fit` trains it, but a cohort cannot.
    """
    if model.run_eagerly:
        raise NotSupportedError(
            f"recipe {recipe!r} was compiled with run_eagerly=True, but a cohort trains as one compiled program. "
            f"Remove run_eagerly from model.compile(), or {OR_FIT}."
        )
    for method in ("fit", "evaluate", "make_train_function", "make_test_function"):
        if getattr(type(model), method) is not getattr(keras.Model, method):
            raise NotSupportedError(
                f"recipe {recipe!r}: its class {type(model).__name__} has its own {method}(), which a cohort would not "
                f"run. Move what it does to train_step or test_step, or {OR_FIT}."
            )
    if keras.distribution.distribution() is not None:
        raise NotSupportedError(
            f"recipe {recipe!r}: a keras.distribution is set, and a cohort spreads its members over devices itself. "
            "Call keras.distribution.set_distribution(None)."
        )


@dataclass(frozen=True)
class Step:
    """A training or test step as a jaxpr.

    Attributes:
        jaxpr: Its inputs are the state's arrays and the batch's, its outputs the logs, the new state's arrays, and the
            gradients that the optimiser is given.
        logs: The logs, in order.
        gradients: How many gradients there are; none of a test step, or where a step of the user's own hides them.
    """

    jaxpr: ClosedJaxpr
    logs: Columns
    gradients: int


@dataclass(frozen=True)
class Traced:
    """One recipe's steps for the batch sizes of a training, and what they start from.

    Attributes:
        parts: The sizes of the state's parts.
        train: The training step for each batch size.
        test: The test step for each batch size; empty without validation.
        metrics: The metric state with which each epoch begins.
    """

    parts: Parts
    train: dict[int, Step]
    test: dict[int, Step]
    metrics: tuple[np.ndarray, ...]

    @cached_property
    def columns(self) -> tuple[Columns, Columns]:
        """The logs of training, and those of validation."""
        test = next(iter(self.test.values())).logs if self.test else Columns()
        return next(iter(self.train.values())).logs, test

    @property
    def logs(self) -> tuple[str, ...]:
        """The names of an epoch's logs, as in Keras' history: training first, then `val_`."""
        train, test = self.columns
        return (*train.names, *(f"val_{name}" for name in test.names))


def batch_sizes(rows: int, batch_size: int) -> list[int]:
    """The sizes of batches that occur in an epoch: the full one, and the last if it is smaller."""
    sizes = [batch_size] if rows >= batch_size else []
    return [*sizes, rows % batch_size] if rows % batch_size else sizes


def trace(
    model: keras.Model,
    recipe: str,
    training: Arrays,
    validation: Arrays | None,
    batch_size: int,
    validation_batch_size: int | None = None,
) -> Traced:
    """Traces a built model's steps.

    Args:
        model: Compiled and built, as `fit` has it before its first epoch. Its variables are left as they are.
        recipe: Its name, for messages.
        training: The arrays to train on.
        validation: The arrays to validate with after each epoch, if any.
        batch_size: Rows of a full batch.
        validation_batch_size: Rows of a full batch of validation; as in training if None.
    """
    metrics = _metrics_at_start(model, recipe)
    parts = parts_of(model)
    if not model.jit_compile:
        _check_that_steps_are_alike(model, recipe, training, batch_sizes(training.rows, batch_size)[0])
    train = {n: trace_step(model, recipe, training, n) for n in batch_sizes(training.rows, batch_size)}
    test = {}
    if validation is not None:
        sizes = batch_sizes(validation.rows, validation_batch_size or batch_size)
        test = {n: trace_step(model, recipe, validation, n, False) for n in sizes}
    return Traced(parts, train, test, metrics)


def _metrics_at_start(model: keras.Model, recipe: str) -> tuple[np.ndarray, ...]:
    """The metric state after `reset_metrics`, which must not depend on what was before."""
    before = [variable.value for variable in model.metrics_variables]
    resets = []
    for moved in (1, 0):
        for variable, value in zip(model.metrics_variables, before, strict=True):
            variable.assign(np.asarray(value) + np.asarray(moved, value.dtype))  # NumPy: nothing to compile
        model.reset_metrics()
        resets.append([np.array(variable.value) for variable in model.metrics_variables])
    for variable, value, one, other in zip(model.metrics_variables, before, *resets, strict=True):
        variable.assign(value)
        if one.tobytes() != other.tobytes():
            raise NotSupportedError(
                f"recipe {recipe!r}: the metric state {variable.path!r} must begin anew in each epoch. Got a "
                f"reset_state() that leaves it. Reset it there, or {OR_FIT}."
            )
    return tuple(resets[1])


def _check_that_steps_are_alike(model: keras.Model, recipe: str, data: Arrays, size: int) -> None:
    """Refuses a model that Keras runs uncompiled and whose Python code does something else in every step.

    Keras leaves a model uncompiled where it was told to or where a layer does not claim to support XLA (RandomRotation
    and others, which need no more than TensorFlow lacks). Such a step can be compiled all the same if it is always the
    same step: if tracing it draws nothing from Python's or NumPy's generators and gives the same jaxpr twice.
    """
    before = global_randomness()
    first = trace_step(model, recipe, data, size).jaxpr
    drawn = global_randomness() != before
    second = trace_step(model, recipe, data, size).jaxpr
    set_global_randomness(before)
    try:
        changed = "other numbers" if unify([first, second]).lifted else ""
    except Different as error:
        changed = str(error)
    if drawn or changed:
        why = "it draws from Python's or NumPy's generator" if drawn else f"each is another: {changed}"
        raise NotSupportedError(
            f"recipe {recipe!r} is run uncompiled by Keras, and its steps cannot be compiled as one, since {why}. "
            f"Draw from keras.random with a SeedGenerator, replace the layer{_unsupported(model)}, or {OR_FIT}."
        )


def _unsupported(model: keras.Model) -> str:
    return "".join(f" {layer.name!r}" for layer in model._flatten_layers() if not layer.supports_jit)


def trace_step(model: keras.Model, recipe: str, data: Arrays, size: int, training: bool = True) -> Step:
    """Traces the training step, or the test step, of a built model for batches of `size` rows."""
    parts = parts_of(model)
    whole = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in state_of(model)]
    taken = list(range(parts.total)) if training else parts.test
    logged: list[Columns] = []
    gradients: list[Any] = []

    def flat_step(state: list[Any], batch: tuple[Any, ...]) -> list[Any]:
        nested = _nested(state, parts, training)
        with _gradients_noted(model, gradients):
            logs, new = (model.train_step if training else model.test_step)(nested, data.nested(batch))
        if not isinstance(logs, dict):
            raise NotSupportedError(
                f"recipe {recipe!r}: its {'train' if training else 'test'}_step must return a dict of logs. "
                f"Got {type(logs).__name__}."
            )
        flat = _flattened(logs)
        for name, value in flat.items():
            if isinstance(value, list | tuple):
                raise NotSupportedError(
                    f"recipe {recipe!r}: the log {name!r} must be a number or an array. Got a {type(value).__name__}. "
                    f"Return a dict of numbers, or {OR_FIT}."
                )
        logged.append(Columns(tuple(flat), tuple(np.shape(value) for value in flat.values())))
        # in Keras' order: JAX itself would sort the keys, and auto-named outputs sort differently in each model
        return [*flat.values(), *jax.tree.leaves(new), *gradients]

    try:
        jaxpr = jax.make_jaxpr(flat_step)([whole[i] for i in taken], data.batch(size))
    except (NotSupportedError, RecipeError):
        raise
    except Exception as error:
        refuse_to_look_at_values(error, recipe)
        kind = "training" if training else "validation"
        raise RecipeError(
            f"recipe {recipe!r} cannot take a step of {kind}{_where(error)}: {type(error).__name__}: {error}"
        ) from error
    if any(type(effect).__name__.startswith("Ordered") for effect in jaxpr.effects):
        raise NotSupportedError(
            f"recipe {recipe!r} talks to Python in a fixed order from inside its step (an ordered callback), which "
            f"members that train side by side cannot. Make the callback unordered, or {OR_FIT}."
        )
    return Step(jaxpr, logged[-1], len(gradients))


@contextmanager
def _gradients_noted(model: keras.Model, found: list[Any]) -> Iterator[None]:
    """Notes the gradients that the optimiser is given; its values are scaled where float16 is, and left out."""
    apply = model.optimizer.stateless_apply

    def noting(optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        found[:] = jax.tree.leaves(grads)
        return apply(optimizer_variables, grads, trainable_variables)

    found.clear()
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        yield
        return
    model.optimizer.__dict__["stateless_apply"] = noting
    try:
        yield
    finally:
        del model.optimizer.__dict__["stateless_apply"]


def _flattened(logs: dict[str, Any]) -> dict[str, Any]:
    """Logs that hold a dict of logs, opened as Keras opens them."""
    found: dict[str, Any] = {}
    for name, value in logs.items():
        found.update(_flattened(value) if isinstance(value, dict) else {name: value})
    return found


def refuse_to_look_at_values(error: BaseException, recipe: str) -> None:
    """Explains an error that was raised, somewhere below, because Python code asked for a value while it was traced.

    Raises:
        NotSupportedError: That was it; otherwise nothing is raised.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, LOOKS_AT_VALUES):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        raise NotSupportedError(
            f"recipe {recipe!r} looks at values{_where(error)}, or makes an array whose shape depends on them, which "
            f"no compiled step can. Use keras.ops (where, cond) instead of Python's if, or, if model.fit trains it "
            f"with run_eagerly=True, {OR_FIT}. JAX says: {_first_line(cause)}"
        ) from error


def _where(error: BaseException) -> str:
    """The innermost layer in whose code an error was raised, in words."""
    name, cause = "", error
    while cause is not None:
        trace = cause.__traceback__
        while trace is not None:
            owner = trace.tb_frame.f_locals.get("self")
            if isinstance(owner, keras.layers.Layer) and not isinstance(owner, keras.Model):
                name = f" in layer {owner.name!r} ({type(owner).__name__})"
            trace = trace.tb_next
        cause = cause.__cause__ or cause.__context__
    return name


def _first_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text if text.endswith(".") else f"{text}."


def _nested(state: Sequence[Any], parts: Parts, training: bool) -> tuple[list[Any], ...]:
    sizes = [parts.trainable, parts.non_trainable, *([parts.optimizer] if training else []), parts.metrics]
    ends = np.cumsum(sizes)
    return tuple(list(state[end - size : end]) for end, size in zip(ends, sizes, strict=True))


def finalized(model: keras.Model, state: State) -> State:
    """What `fit` does to the state when it ends: an optimiser with `use_ema` writes its averages into the weights."""
    if not _finalizes(model.optimizer):
        return state
    before = state_of(model)
    put_state(model, state)
    model.optimizer.finalize_variable_values(model.trainable_weights)
    after = [np.array(value) for value in state_of(model)]
    put_state(model, before)
    return after


def _finalizes(optimizer: Any) -> bool:
    """Whether the optimiser, or the one that it wraps, may change variables when training ends."""
    own = type(optimizer).finalize_variable_values is not keras.optimizers.Optimizer.finalize_variable_values
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):  # around every optimiser under mixed_float16
        own = False  # it hands on
    inner = getattr(optimizer, "inner_optimizer", None)
    return own or bool(optimizer.use_ema) or (inner is not None and _finalizes(inner))


def weight_positions(model: keras.Model) -> list[int]:
    """Where in a state the arrays of `model.get_weights()` stand."""
    position_of = {id(variable): position for position, variable in enumerate(variables(model))}
    return [position_of[id(variable)] for variable in model.weights]
