"""What trained members predict for rows that none of them was trained on.

Networks that differ only while they train (dropout, penalties, optimisers) predict alike, so a prediction leaves out
the arrays that it does not read, and all members that are then the same program up to numbers share one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal

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
        jaxpr: From the arrays of its state that it reads, and the inputs, to the outputs.
        reads: The positions of these arrays in the state.
    """

    jaxpr: ClosedJaxpr
    reads: tuple[int, ...]


def trace_prediction(model: keras.Model, x: Arrays, rows: int) -> Prediction:
    """Traces a built model's prediction for a batch of rows."""
    parts = parts_of(model)
    weights = state_of(model)[: parts.trainable + parts.non_trainable]

    def outputs(weights: list[Any], batch: Sequence[Any]) -> Any:
        state = (weights[: parts.trainable], weights[parts.trainable :])
        predicted, _ = model.predict_step(state, (x.nested(list(batch)),))
        return predicted

    shapes = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in weights]
    traced = flat(jax.make_jaxpr(outputs)(shapes, x.batch(rows)))
    atoms = [*traced.outputs, *(atom for equation in traced.equations for atom in equation.invars)]
    used = {atom for atom in atoms if not isinstance(atom, Literal)}
    reads = tuple(position for position in range(len(weights)) if traced.inputs[position] in used)
    traced.inputs[: len(weights)] = [traced.inputs[position] for position in reads]
    return Prediction(traced.closed(), reads)


def predict(
    models: Sequence[keras.Model],
    model_of: Sequence[int],
    states: Sequence[Sequence[np.ndarray]],
    x: Arrays,
    rows: np.ndarray,
) -> Iterator[tuple[int, np.ndarray]]:
    """The outputs of each member for its rows.

    Args:
        models: Built models, one of each network.
        model_of: For each member, the position of its network among `models`.
        states: For each member, its trained state.
        x: The inputs that rows are picked from.
        rows: For each member, which rows, int (members, rows).

    Yields:
        A member and its outputs, one array of shape (rows, …); not in the order of the members.
    """
    size = min(ROWS_AT_ONCE, rows.shape[1])
    predictions = [trace_prediction(model, x, size) for model in models]
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
            outputs = np.asarray(program(weights, which, padded[filled], list(unified.lifted), list(x.leaves)))
            for member, own in zip(now, outputs, strict=False):
                yield member, own[: rows.shape[1]]


def _program(unified: Unified, size: int) -> Any:
    def predict_members(weights: Any, recipes: Any, rows: Any, lifted: Any, data: Any) -> Any:
        def member(own: tuple[Any, Any, Any]) -> Any:
            own_weights, recipe, own_rows = own
            numbers = [values[recipe] for values in lifted]

            def batch(picked: Any) -> Any:
                (predicted,) = unified(numbers, *own_weights, *(array[picked] for array in data))
                return predicted

            outputs = lax.map(batch, own_rows.reshape(-1, size))
            return outputs.reshape(-1, *outputs.shape[2:])

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
