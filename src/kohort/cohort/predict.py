"""What the trained members of a group predict for rows that none of them was trained on."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import parts_of, state_of
from kohort.cohort.unify import unify

ROWS_AT_ONCE = 1024  # rows of a batch of predictions; bounds the memory, changes no number


def trace_prediction(model: keras.Model, x: Arrays, rows: int) -> ClosedJaxpr:
    """The model's `predict_step` for a batch of rows, as a jaxpr from weights and inputs to outputs."""
    parts = parts_of(model)
    weights = state_of(model)[: parts.trainable + parts.non_trainable]

    def outputs(weights: list[Any], batch: Sequence[Any]) -> Any:
        state = (weights[: parts.trainable], weights[parts.trainable :])
        predicted, _ = model.predict_step(state, (x.nested(list(batch)),))
        return predicted

    shapes = [jax.ShapeDtypeStruct(value.shape, value.dtype) for value in weights]
    return jax.make_jaxpr(outputs)(shapes, x.batch(rows))


def predict_group(
    models: Sequence[keras.Model],
    recipe_of: Sequence[int],
    states: Sequence[Sequence[np.ndarray]],
    x: Arrays,
    rows: np.ndarray,
) -> np.ndarray:
    """The outputs of each member for its test rows.

    Args:
        models: One model per recipe of the group.
        recipe_of: For each member, its recipe's position among `models`.
        states: For each member, its trained state.
        x: The inputs that rows are picked from.
        rows: For each member, which rows, int (members, rows).

    Returns:
        The outputs of one array per row, of shape (members, rows, …).
    """
    size = min(ROWS_AT_ONCE, rows.shape[1])
    unified = unify([trace_prediction(model, x, size) for model in models])
    parts = parts_of(models[0])
    count = parts.trainable + parts.non_trainable
    weights = [np.stack(values) for values in zip(*(state[:count] for state in states), strict=True)]
    spare = -rows.shape[1] % size
    padded = np.concatenate([rows, rows[:, :1].repeat(spare, axis=1)], axis=1).astype(np.int32)

    def predict_members(weights: Any, recipes: Any, rows: Any, lifted: Any, data: Any) -> Any:
        def member(own: tuple[Any, Any, Any]) -> Any:
            own_weights, recipe, own_rows = own
            numbers = [values[recipe] for values in lifted]

            def batch(picked: Any) -> Any:
                (predicted,) = unified(numbers, *own_weights, *(array[picked] for array in data))
                return predicted

            outputs = lax.map(batch, own_rows.reshape(-1, size))
            return outputs.reshape(-1, *outputs.shape[2:])

        return lax.map(member, (weights, recipes, rows))

    outputs = jax.jit(predict_members)(
        weights, jnp.asarray(recipe_of, jnp.int32), padded, list(unified.lifted), list(x.leaves)
    )
    return np.asarray(outputs)[:, : rows.shape[1]]
