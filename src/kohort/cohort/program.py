"""Epochs of a whole cohort as one compiled program.

    for each member                          (mapped one after another, or vectorised; spread over devices)
        for each epoch of this call          (a number decided at run time: one program serves every call)
            for each full batch: train step  (scan)
            one train step for the last, smaller batch at its true size
            the same with the test step over the validation rows

The steps are Keras' own, as jaxprs with the numbers that differ between recipes as inputs (`unify`). A member's rows
are picked inside the step from arrays that all members share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kohort.cohort.capture import Parts, Traced
from kohort.cohort.logs import logs_from_metrics
from kohort.cohort.plan import Plan
from kohort.cohort.rewrite import rewritten
from kohort.cohort.unify import Unified, unify

MEMBERS = "members"  # the name of the axis along which a cohort is spread over devices


@dataclass(frozen=True)
class SharedStep:
    """One step that all recipes of a cohort share.

    Attributes:
        unified: The step's jaxpr and the numbers in which the recipes differ.
        log_count: How many of its outputs are logs.
        logs_of: From metric state to logs, where that is possible; see `cohort.logs`.
    """

    unified: Unified
    log_count: int
    logs_of: ClosedJaxpr | None

    def __call__(self, lifted: Sequence[Any], state: Sequence[Any], batch: Sequence[Any]) -> tuple[list, list]:
        """The logs and the new state after one batch."""
        outputs = self.unified(lifted, *state, *batch)
        return outputs[: self.log_count], outputs[self.log_count :]


@dataclass(frozen=True)
class SharedSteps:
    """All steps of a cohort: for training and validation, at each batch size that occurs.

    Attributes:
        parts: The sizes of the state's parts.
        train: Batch size -> step, the full batch first.
        test: The same for validation; empty without it.
        metrics: The metric state at the beginning of an epoch: for each array, its value per recipe.
        logs: How many logs training and validation write.
    """

    parts: Parts
    train: dict[int, SharedStep]
    test: dict[int, SharedStep]
    metrics: tuple[np.ndarray, ...]
    logs: tuple[int, int]

    @classmethod
    def of(cls, recipes: Sequence[Traced]) -> "SharedSteps":
        """The shared steps of several recipes.

        Raises:
            Different: They differ in more than numbers.
        """
        first = recipes[0]
        weights = first.parts.trainable + first.parts.non_trainable
        in_test = range(weights, weights + first.parts.metrics)
        train = {n: _shared([r.train[n] for r in recipes], first.parts.metric_positions) for n in first.train}
        test = {n: _shared([r.test[n] for r in recipes], in_test) for n in first.test}
        metrics = tuple(np.stack(values) for values in zip(*(r.metrics for r in recipes), strict=True))
        counts = [next((step.log_count for step in steps.values()), 0) for steps in (train, test)]
        return cls(first.parts, train, test, metrics, (counts[0], counts[1]))

    @property
    def lifted(self) -> "Numbers":
        """The numbers that differ between recipes, as inputs of the program."""
        return Numbers(
            {n: step.unified.lifted for n, step in self.train.items()},
            {n: step.unified.lifted for n, step in self.test.items()},
            self.metrics,
        )


def _shared(steps: Sequence[Any], metrics: range) -> SharedStep:
    unified = unify([step.jaxpr for step in steps])
    unified = replace(unified, jaxpr=rewritten(unified.jaxpr, jax.default_backend()))
    count = len(steps[0].logs)
    return SharedStep(unified, count, logs_from_metrics(unified.jaxpr, count, metrics))


class Numbers(NamedTuple):
    """Numbers in which the recipes of a cohort differ; the first axis of each array is the recipe."""

    train: dict[int, tuple[Any, ...]]
    test: dict[int, tuple[Any, ...]]
    metrics: tuple[Any, ...]


class Inputs(NamedTuple):
    """What a call of the program reads besides the state.

    Attributes:
        active: Members to train on each device, int32 (devices,).
        slots: Which of its members each device trains, the active ones first, int32 (members,).
        recipe: The recipe of each member, int32 (members,).
        orders: The training rows of each epoch in order, int32 (members, epochs, rows).
        held_out: The validation rows, int32 (members or 1, rows).
        numbers: What differs between recipes.
        training: The arrays to train on, each (rows, …).
        validation: The arrays to validate with.
        epochs: How many of the epochs in `orders` to train, int32.
    """

    active: Any
    slots: Any
    recipe: Any
    orders: Any
    held_out: Any
    numbers: Any
    training: Any
    validation: Any
    epochs: Any


def train_epochs(
    steps: SharedSteps, plan: Plan, held_out_differs: bool
) -> tuple[Any, Callable[[Any, Any], tuple[Any, Any]]]:
    """The program of a cohort, (state, inputs) -> (state, logs), jitted, and how its arguments lie on the devices.

    The state's arrays have shape (members, …) and are donated. The logs have shape (members, epochs, logs + 1): one
    column per log, and a last one that is 1.0 while all trainable weights are finite.

    Args:
        steps: The steps of the cohort.
        plan: Devices and layout.
        held_out_differs: Whether each member has validation rows of its own.

    Returns:
        The jitted program, and a function that puts (state, inputs) where the program wants them. Arguments that lie
        elsewhere would make JAX compile the program again.
    """
    own, all_ = PartitionSpec(MEMBERS), PartitionSpec()
    mesh = Mesh(np.array(plan.devices), (MEMBERS,))
    layout = Inputs(own, own, own, own, own if held_out_differs else all_, all_, all_, all_, all_)

    def place(state: Any, inputs: Any) -> tuple[Any, Any]:
        spec = {name: NamedSharding(mesh, part) for name, part in layout._asdict().items()}
        placed = {name: jax.device_put(part, spec[name]) for name, part in inputs._asdict().items()}
        return jax.device_put(state, NamedSharding(mesh, own)), Inputs(**placed)

    def one_member(state: list, recipe: Any, orders: Any, held_out: Any, inputs: Inputs) -> tuple[list, Any]:
        numbers = jax.tree.map(lambda values: values[recipe], inputs.numbers)
        logs = jnp.zeros((orders.shape[0], sum(steps.logs) + 1), jnp.float32)

        def epoch(number: Any, carried: tuple[list, Any]) -> tuple[list, Any]:
            state, logs = carried
            rows = lax.dynamic_index_in_dim(orders, number, keepdims=False)
            state, row = _one_epoch(steps, state, rows, held_out, numbers, inputs)
            return state, lax.dynamic_update_index_in_dim(logs, row, number, 0)

        return lax.fori_loop(0, inputs.epochs, epoch, (state, logs))

    def one_device(state: list, inputs: Inputs) -> tuple[list, Any]:
        logs = jnp.zeros((*inputs.orders.shape[:2], sum(steps.logs) + 1), jnp.float32)
        if plan.layout == "vmap":
            spread = (0, 0, 0, 0 if held_out_differs else None, None)
            held_out = inputs.held_out if held_out_differs else inputs.held_out[0]
            return jax.vmap(one_member, in_axes=spread)(state, inputs.recipe, inputs.orders, held_out, inputs)

        def slot(number: Any, carried: tuple[list, Any]) -> tuple[list, Any]:
            states, logs = carried
            member = inputs.slots[number]

            def its(array: Any) -> Any:
                return lax.dynamic_index_in_dim(array, member, keepdims=False)

            held_out = its(inputs.held_out) if held_out_differs else inputs.held_out[0]
            state = [its(array) for array in states]
            state, rows = one_member(state, its(inputs.recipe), its(inputs.orders), held_out, inputs)
            states = [
                lax.dynamic_update_index_in_dim(all_, new, member, 0) for all_, new in zip(states, state, strict=True)
            ]
            return states, lax.dynamic_update_index_in_dim(logs, rows, member, 0)

        return lax.fori_loop(0, inputs.active[0], slot, (state, logs))

    def train_cohort(state: list, inputs: Inputs) -> tuple[list, Any]:
        return jax.shard_map(
            one_device,
            mesh=mesh,
            in_specs=(own, layout),
            out_specs=own,
            check_vma=False,
        )(state, inputs)

    return jax.jit(train_cohort, donate_argnums=0), place


def _one_epoch(
    steps: SharedSteps, state: list, rows: Any, held_out: Any, numbers: Numbers, inputs: Inputs
) -> tuple[list, Any]:
    parts = steps.parts
    start = [*state[: parts.total - parts.metrics], *numbers.metrics]
    logs, state = _over_batches(steps.train, start, rows, numbers.train, inputs.training, parts.metric_positions)
    if steps.test:
        tested = [*(state[i] for i in parts.test[: -parts.metrics or None]), *numbers.metrics]
        in_test = range(len(tested) - parts.metrics, len(tested))
        val_logs, tested = _over_batches(steps.test, tested, held_out, numbers.test, inputs.validation, in_test)
        logs = [*logs, *val_logs]
        for position, value in zip(parts.test, tested, strict=True):
            state[position] = value  # recurrent dropout advances its generator in validation, and fit carries it on
    finite = jnp.array(True)
    for weight in state[: parts.trainable]:
        finite &= jnp.isfinite(weight).all()
    return state, jnp.stack([jnp.asarray(value, jnp.float32) for value in [*logs, finite]])


def _over_batches(
    steps: dict[int, SharedStep], state: list, rows: Any, lifted: dict, data: tuple, metrics: range
) -> tuple[list, list]:
    """Scans the full batches, then takes the step of the last, smaller one."""
    sizes = list(steps)
    full, rest = sizes[0], rows.shape[0] % sizes[0]

    def batch(picked: Any) -> list:
        return [array.at[picked].get(mode="promise_in_bounds") for array in data]

    count = rows.shape[0] // full
    step = steps[full]
    carries_logs = not rest and step.logs_of is None

    def one_batch(carried: tuple[list, list], picked: Any) -> tuple[tuple[list, list], None]:
        logs, new = step(lifted[full], carried[1], batch(picked))
        return (logs if carries_logs else [], new), None

    logs: list = []
    if count:
        shapes = jax.eval_shape(lambda s, p: step(lifted[full], s, batch(p))[0], state, rows[:full])
        start = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes] if carries_logs else []
        (logs, state), _ = lax.scan(one_batch, (start, state), rows[: count * full].reshape(count, full))
        if not rest and step.logs_of is not None:
            logs = jaxpr_as_fun(step.logs_of)(*(state[i] for i in metrics))
    if rest:
        logs, state = steps[rest](lifted[rest], state, batch(rows[count * full :]))
    return logs, list(state)
