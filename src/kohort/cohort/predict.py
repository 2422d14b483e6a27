"""What trained members predict for rows that none of them was trained on.

Networks that differ only while they train (dropout, penalties, optimisers) predict alike, so a prediction leaves out
the arrays that it does not read, and all members that are then the same program up to numbers share one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal, get_opaque_trace_state

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import parts_of, state_of
from kohort.cohort.initial import LITTLE_EFFORT
from kohort.cohort.unify import Different, Unified, flat, unify

ROWS_AT_ONCE = 1024  # rows of a batch of predictions; bounds the memory, changes no number
NUMBERS_AT_ONCE = 2**24  # outputs of a call: some members' at a time, so that their memory is bounded


@dataclass(frozen=True)
class Prediction:
    """A network's `predict_step` for a batch of rows.

    Attributes:
        jaxpr: From the arrays of its state that it reads, and the inputs, to the outputs and, for each ReLU, whether
            its units are above zero for any row.
        reads: The positions of these arrays in the state.
    """

    jaxpr: ClosedJaxpr
    reads: tuple[int, ...]


def trace_prediction(model: keras.Model, x: Arrays, rows: int, units: bool = False) -> Prediction:
    """Traces a built model's prediction for a batch of rows.

    Args:
        model: The model.
        x: The inputs.
        rows: How many rows the batch has.
        units: Whether ReLU units are looked at; not where a ReLU is inside a loop, out of which nothing can be handed.
    """
    parts = parts_of(model)
    weights = state_of(model)[: parts.trainable + parts.non_trainable]

    def outputs(weights: list[Any], batch: Sequence[Any]) -> Any:
        state = (weights[: parts.trainable], weights[parts.trainable :])
        with _alive_noted(model) if units else nullcontext(()) as alive:
            predicted, _ = model.predict_step(state, (x.nested(list(batch)),))
        if len(jax.tree.leaves(predicted)) != 1:
            raise ValueError(f"a network must have one output. Got {len(jax.tree.leaves(predicted))}.")
        return predicted, list(alive)

    shapes = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in weights]
    traced = flat(jax.make_jaxpr(outputs)(shapes, x.batch(rows)))
    atoms = [*traced.outputs, *(atom for equation in traced.equations for atom in equation.invars)]
    used = {atom for atom in atoms if not isinstance(atom, Literal)}
    reads = tuple(position for position in range(len(weights)) if traced.inputs[position] in used)
    traced.inputs[: len(weights)] = [traced.inputs[position] for position in reads]
    return Prediction(traced.closed(), reads)


@contextmanager
def _alive_noted(model: keras.Model) -> Iterator[Sequence[Any]]:
    """Notes of each ReLU that the model goes through which units are above zero for any row of the batch."""
    found: list[Any] = []
    relu, outside = keras.activations.relu, get_opaque_trace_state(convention="nnx")

    def note(layer: Any, outputs: Any) -> Any:
        if get_opaque_trace_state(convention="nnx") != outside:
            return outputs
        channels = 1 if getattr(layer, "data_format", None) == "channels_first" else len(outputs.shape) - 1
        found.append(jnp.any(outputs > 0, axis=[axis for axis in range(len(outputs.shape)) if axis != channels]))
        return outputs

    held: list[tuple[Any, str, Any]] = []
    for layer in model._flatten_layers():
        own = layer.__dict__
        if own.get("activation") is relu:
            held.append((layer, "activation", relu))
            own["activation"] = lambda *inputs, layer=layer, **named: note(layer, relu(*inputs, **named))
        elif type(layer) is keras.layers.ReLU and not layer.negative_slope:
            held.append((layer, "call", None))
            own["call"] = lambda inputs, layer=layer: note(layer, type(layer).call(layer, inputs))
    try:
        yield found
    finally:
        for layer, name, before in held:
            if before is None:
                del layer.__dict__[name]
            else:
                layer.__dict__[name] = before


def predict(
    models: Sequence[keras.Model],
    model_of: Sequence[int],
    states: Sequence[Sequence[np.ndarray]],
    x: Arrays,
    rows: np.ndarray,
    *,
    units: bool = False,
) -> Iterator[tuple[int, np.ndarray, float]]:
    """The outputs of each member for its rows, and the share of its ReLU units that are dead on them.

    Args:
        models: Built models, one of each network.
        model_of: For each member, the position of its network among `models`.
        states: For each member, its trained state.
        x: The inputs that rows are picked from.
        rows: For each member, which rows, int (members, rows).
        units: Whether ReLU units are looked at.

    Yields:
        A member, its outputs, one array of shape (rows, …), and the share of ReLU units that are 0 for every row, NaN
        where none is looked at; not in the order of the members.
    """
    size = min(ROWS_AT_ONCE, rows.shape[1])
    predictions = [trace_prediction(model, x, size, units) for model in models]
    spare = -rows.shape[1] % size
    padded = np.concatenate([rows, rows[:, :1].repeat(spare, axis=1)], axis=1).astype(np.int32)
    effort = LITTLE_EFFORT if jax.default_backend() == "cpu" else None
    for together in _alike(predictions):
        unified = unify([predictions[index].jaxpr for index in together])
        members = [member for member, model in enumerate(model_of) if model in together]
        at_once = min(len(members), max(1, NUMBERS_AT_ONCE // _numbers(unified, padded.shape[1] // size)))
        program = jax.jit(_program(unified, size), compiler_options=effort)
        for first in range(0, len(members), at_once):
            now = members[first : first + at_once]
            filled = [*now, *now[:1] * (at_once - len(now))]  # one shape, one program
            reads = [[states[m][p] for p in predictions[model_of[m]].reads] for m in filled]
            weights = [np.stack(values) for values in zip(*reads, strict=True)]
            which = np.array([together.index(model_of[m]) for m in filled], np.int32)
            found = program(weights, which, padded[filled], list(unified.lifted), list(x.leaves))
            outputs, alive = np.asarray(found[0]), np.concatenate([np.zeros((at_once, 0), bool), *found[1]], axis=1)
            for place, member in enumerate(now):
                dead = 1.0 - float(np.mean(alive[place])) if alive.shape[1] else float("nan")
                yield member, outputs[place, : rows.shape[1]], dead


def _program(unified: Unified, size: int) -> Any:
    def predict_members(weights: Any, recipes: Any, rows: Any, lifted: Any, data: Any) -> Any:
        def member(own: tuple[Any, Any, Any]) -> Any:
            own_weights, recipe, own_rows = own
            numbers = [values[recipe] for values in lifted]

            def batch(picked: Any) -> Any:
                return unified(numbers, *own_weights, *(array[picked] for array in data))

            outputs, *alive = lax.map(batch, own_rows.reshape(-1, size))
            return outputs.reshape(-1, *outputs.shape[2:]), [units.any(axis=0) for units in alive]

        return lax.map(member, (weights, recipes, jnp.asarray(rows)))

    return predict_members


def _numbers(unified: Unified, batches: int) -> int:
    return batches * sum(aval.size for aval in unified.jaxpr.out_avals)  # pyright: ignore[reportAttributeAccessIssue]


def _alike(predictions: Sequence[Prediction]) -> list[list[int]]:
    """Which predictions are one program up to numbers."""
    groups: list[list[int]] = []
    for index, own in enumerate(predictions):
        for group in groups:
            try:
                unify([predictions[group[0]].jaxpr, own.jaxpr])
            except Different:
                continue
            group.append(index)
            break
        else:
            groups.append([index])
    return groups
