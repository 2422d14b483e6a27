"""Epochs, or batches, of a whole cohort as one compiled program.

    for each member                          (mapped one after another, or vectorised; spread over devices)
        for each epoch of this call          (a number decided at run time: one program serves every call)
            for each full batch: train step  (scan)
            one train step for the last, smaller batch at its true size
            the same with the test step over the validation rows

`epochs_program` is that; `batches_program` takes some batches of one size, where something happens between batches.
The steps are Keras' own, as jaxprs with the numbers that differ between recipes as inputs (`unify`). A member's rows
are picked inside the step from arrays that all members share.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kohort.cohort.capture import Parts, Traced
from kohort.cohort.cpu.rules import rewritten
from kohort.cohort.logs import logs_from_metrics
from kohort.cohort.plan import Plan
from kohort.cohort.unify import Unified, unify

Part = Literal["both", "train", "test"]

SMALL = 2**16  # numbers; copying so many takes some microseconds an epoch
NORMS = 2  # columns of norms: of the weights, of the gradients
MEMBERS = "members"  # the name of the axis along which a cohort is spread over devices


@dataclass(frozen=True)
class SharedStep:
    """One step that all recipes of a cohort share.

    Attributes:
        unified: The step's jaxpr and the numbers in which the recipes differ.
        log_count: How many of its outputs are logs, the first ones.
        gradients: How many are gradients, the last ones.
        logs_of: From metric state to logs, where that is possible; see `cohort.logs`.
    """

    unified: Unified
    log_count: int
    gradients: int
    logs_of: ClosedJaxpr | None

    def __call__(self, lifted: Sequence[Any], state: Sequence[Any], batch: Sequence[Any]) -> tuple[list, list, list]:
        """The logs, the new state and the gradients after one batch."""
        outputs = self.unified(lifted, *state, *batch)
        end = len(outputs) - self.gradients
        return outputs[: self.log_count], outputs[self.log_count : end], outputs[end:]


@dataclass(frozen=True)
class SharedSteps:
    """All steps of a cohort: for training and validation, at each batch size that occurs.

    Attributes:
        parts: The sizes of the state's parts.
        train: Batch size -> step, the full batch first.
        test: The same for validation; empty without it.
        metrics: The metric state at the beginning of an epoch: for each array, its value per recipe.
        logs: How many columns the logs of training and of validation take.
        capacity: For how many recipes a program has room, where that is more than there are.
    """

    parts: Parts
    train: dict[int, SharedStep]
    test: dict[int, SharedStep]
    metrics: tuple[np.ndarray, ...]
    logs: tuple[int, int]
    capacity: int = 0

    @classmethod
    def of(cls, recipes: Sequence[Traced], capacity: int = 0) -> "SharedSteps":
        """The shared steps of several recipes.

        Args:
            recipes: Their steps.
            capacity: See there.

        Raises:
            Different: They differ in more than numbers.
        """
        first = recipes[0]
        weights = first.parts.trainable + first.parts.non_trainable
        in_test = range(weights, weights + first.parts.metrics)
        train = {n: _shared([r.train[n] for r in recipes], first.parts.metric_positions) for n in first.train}
        test = {n: _shared([r.test[n] for r in recipes], in_test) for n in first.test}
        metrics = tuple(np.stack(values) for values in zip(*(r.metrics for r in recipes), strict=True))
        logs = (first.columns[0].count, first.columns[1].count)
        return cls(first.parts, train, test, metrics, logs, capacity)

    @property
    def lifted(self) -> "Numbers":
        """The numbers that differ between recipes, as inputs of the program."""
        return Numbers(
            {n: tuple(map(self._roomy, step.unified.lifted)) for n, step in self.train.items()},
            {n: tuple(map(self._roomy, step.unified.lifted)) for n, step in self.test.items()},
            tuple(map(self._roomy, self.metrics)),
        )

    def _roomy(self, values: np.ndarray) -> np.ndarray:
        """Values by recipe, the last one's repeated where there is room for more."""
        return np.concatenate([values, values[-1:].repeat(max(0, self.capacity - len(values)), axis=0)])


def _shared(steps: Sequence[Any], metrics: range) -> SharedStep:
    unified = unify([step.jaxpr for step in steps])
    unified = replace(unified, jaxpr=rewritten(unified.jaxpr, jax.default_backend()))
    count = len(steps[0].logs.names)
    return SharedStep(unified, count, steps[0].gradients, logs_from_metrics(unified.jaxpr, count, metrics))


class Numbers(NamedTuple):
    """Numbers in which the recipes of a cohort differ; the first axis of each array is the recipe."""

    train: dict[int, tuple[Any, ...]]
    test: dict[int, tuple[Any, ...]]
    metrics: tuple[Any, ...]


class Own(NamedTuple):
    """What a call reads for each slot; the first axis of each array is the slot.

    Attributes:
        recipe: The recipe of the member in it, int32.
        count: How many epochs, or batches, it trains in this call, int32.
        rows: Training rows in order: of each epoch, int32 (slots, epochs, rows); or of each batch, (slots, batches,
            rows), empty where all members take the same batches.
        held_out: Validation rows where members have their own, int32 (slots, rows); else empty, (slots, 0).
        fresh: Whether metrics begin anew before the first batch, bool; only where batches are trained.
    """

    recipe: Any
    count: Any
    rows: Any
    held_out: Any
    fresh: Any


class Shared(NamedTuple):
    """What a call reads for all members.

    Attributes:
        numbers: What differs between recipes.
        training: The arrays to train on, each (rows, …); or one kind of batches, (batches, batch size, …).
        validation: The arrays to validate with.
        held_out: The validation rows where all members have the same, int32 (rows,).
        validate: For each epoch of the call, whether it ends with a validation, bool.
    """

    numbers: Any
    training: Any
    validation: Any
    held_out: Any
    validate: Any


Program = Callable[[Any, Any, Any, Own, Shared], tuple[Any, Any]]
"""(state, active, slots, own, shared) -> (state, results): for each device how many slots train, and which first."""


@dataclass(frozen=True)
class Spread:
    """How arguments of a program lie on the devices. Arguments that lie elsewhere would make JAX compile it again.

    Attributes:
        plan: Devices and layout.
    """

    plan: Plan

    @property
    def where(self) -> tuple[Any, ...]:
        """What of the plan decides a program."""
        return self.plan.devices, self.plan.at_once

    @property
    def mesh(self) -> Mesh:
        """The devices."""
        return Mesh(np.array(self.plan.devices), (MEMBERS,))

    def apart(self, values: Any) -> Any:
        """Puts arrays, whose first axis is the slot, on the devices of their slots."""
        return jax.device_put(values, NamedSharding(self.mesh, PartitionSpec(MEMBERS)))

    def everywhere(self, values: Any) -> Any:
        """Puts arrays on every device."""
        return jax.device_put(values, NamedSharding(self.mesh, PartitionSpec()))

    def over_members(self, one_member: Callable[..., tuple[list, Any]], result: tuple[int, ...], name: str) -> Any:
        """The jitted program that does the same to each member's state, which is donated.

        Args:
            one_member: (state, own, shared) of one member -> its new state and a float32 array.
            result: The shape of that array.
            name: What compilers and profilers call the program.
        """
        at_once = self.plan.at_once
        # on CPU groups of one size are gone through even if there is one, so that a member's last bits are the same
        may_be_everyone = self.plan.devices[0].platform != "cpu"

        def one_device(state: list, active: Any, slots: Any, own: Own, shared: Shared) -> tuple[list, Any]:
            def slot(number: Any, carried: tuple[list, Any]) -> tuple[list, Any]:
                states, results = carried
                which = slots[number]

                def its(array: Any) -> Any:
                    return lax.dynamic_index_in_dim(array, which, keepdims=False)

                state, row = one_member([its(array) for array in states], jax.tree.map(its, own), shared)
                states = [
                    lax.dynamic_update_index_in_dim(all_, new, which, 0)
                    for all_, new in zip(states, state, strict=True)
                ]
                return states, lax.dynamic_update_index_in_dim(results, row, which, 0)

            def group(number: Any, carried: tuple[list, Any]) -> tuple[list, Any]:
                states, results = carried
                which = lax.dynamic_slice_in_dim(slots, number * at_once, at_once)

                def theirs(array: Any) -> Any:
                    return array.at[which].get(mode="promise_in_bounds", unique_indices=True)

                def put(all_: Any, new: Any) -> Any:
                    return all_.at[which].set(new, mode="promise_in_bounds", unique_indices=True)

                # those that do not train have a count of 0 and stay as they are
                state, rows = together([theirs(array) for array in states], jax.tree.map(theirs, own), shared)
                return list(map(put, states, state)), put(results, rows)

            together = jax.vmap(one_member, in_axes=(0, 0, None))
            if may_be_everyone and at_once == slots.shape[0]:
                return together(state, own, shared)
            results = jnp.zeros((slots.shape[0], *result), jnp.float32)
            groups = (active[0] + at_once - 1) // at_once
            return lax.fori_loop(0, groups, slot if at_once == 1 else group, (state, results))

        own, all_ = PartitionSpec(MEMBERS), PartitionSpec()
        program = jax.shard_map(
            one_device, mesh=self.mesh, in_specs=(own, own, own, own, all_), out_specs=own, check_vma=False
        )

        def cohort(*arguments: Any) -> tuple[list, Any]:
            return program(*arguments)

        cohort.__name__ = name
        return jax.jit(cohort, donate_argnums=0)


def epochs_program(
    steps: SharedSteps,
    spread: Spread,
    epochs: int,
    *,
    own_held_out: bool,
    part: Part = "both",
    sometimes: bool = False,
    norms: bool = False,
) -> Any:
    """The program that trains up to so many epochs.

    Its results have shape (slots, epochs, logs + 1): one column per log, and a last one that is 1.0 while all
    trainable weights are finite. Logs of an epoch that does not validate are zero. With `norms` two more columns
    follow: the L2 norm of the trainable weights, and that of the gradients of the epoch's last batch.

    Args:
        steps: The steps of the cohort.
        spread: Devices and layout.
        epochs: The most epochs of a call.
        own_held_out: Whether each member has validation rows of its own.
        part: `"train"` or `"test"` for that half of each epoch alone.
        sometimes: Whether `Shared.validate` is looked at; else each epoch validates.
        norms: Whether norms are measured.
    """
    columns = sum(steps.logs) + 1 + (NORMS if norms else 0)

    def one_member(state: list, own: Own, shared: Shared) -> tuple[list, Any]:
        numbers = jax.tree.map(lambda values: values[own.recipe], shared.numbers)
        held_out = own.held_out if own_held_out else shared.held_out

        def validation(state: list) -> tuple[list, Any]:
            logs, state = _test(steps, state, held_out, numbers, shared)
            return state, _row(logs)

        def epoch(number: Any, carried: tuple[list, Any]) -> tuple[list, Any]:
            state, logs = carried
            row = [jnp.zeros(steps.logs[0], jnp.float32), jnp.zeros(steps.logs[1], jnp.float32)]
            slope = jnp.full((), jnp.nan, jnp.float32)
            if part != "test":
                rows = lax.dynamic_index_in_dim(own.rows, number, keepdims=False)
                trained, state, slope = _train(steps, state, rows, numbers, shared, norms)
                row[0] = _row(trained)
            if steps.test and part != "train":
                if sometimes:
                    wanted = shared.validate[number]
                    state, row[1] = lax.cond(wanted, validation, lambda state: (state, row[1]), state)
                else:
                    state, row[1] = validation(state)
            measured = [jnp.stack([_norm(state[: steps.parts.trainable]), slope])] if norms else []
            whole = jnp.concatenate([*row, _all_finite(steps, state), *measured])
            return state, lax.dynamic_update_index_in_dim(logs, whole, number, 0)

        return lax.fori_loop(0, own.count, epoch, (state, jnp.zeros((epochs, columns), jnp.float32)))

    return spread.over_members(one_member, (epochs, columns), "train_cohort")


def batches_program(steps: SharedSteps, spread: Spread, size: int, *, training: bool, own_rows: bool) -> Any:
    """The program that takes batches of one size, one step each.

    Its results have shape (slots, logs + 1): the logs after the last batch, and 1.0 while all trainable weights are
    finite.

    Args:
        steps: The steps of the cohort.
        spread: Devices and layout.
        size: Rows of a batch.
        training: Whether to train on the batches or to test.
        own_rows: Whether each member picks rows of its own from shared arrays; else all members take the same
            batches, which are handed over whole.
    """
    parts = steps.parts
    step = (steps.train if training else steps.test)[size]
    taken = list(range(parts.total)) if training else parts.test
    metrics = range(len(taken) - parts.metrics, len(taken))
    columns = steps.logs[0 if training else 1]

    def one_member(state: list, own: Own, shared: Shared) -> tuple[list, Any]:
        numbers = jax.tree.map(lambda values: values[own.recipe], shared.numbers)
        lifted = (numbers.train if training else numbers.test)[size]
        weights, before = state[: parts.total - parts.metrics], state[parts.total - parts.metrics :]
        begun = [jnp.where(own.fresh, new, old) for new, old in zip(numbers.metrics, before, strict=True)]
        state = [*weights, *begun]
        data = shared.training if training else shared.validation

        def batch(number: Any, carried: tuple[Any, list]) -> tuple[Any, list]:
            row, own_state = carried
            if own_rows:
                picked = lax.dynamic_index_in_dim(own.rows, number, keepdims=False)
                given = _picked(data, picked)
            else:
                given = [lax.dynamic_index_in_dim(array, number, keepdims=False) for array in data]
            new_logs, new, _ = step(lifted, own_state, given)
            return _row(new_logs) if step.logs_of is None else row, new

        row, new = lax.fori_loop(0, own.count, batch, (jnp.zeros(columns), [state[i] for i in taken]))
        if step.logs_of is not None:
            row = _row(jaxpr_as_fun(step.logs_of)(*(new[i] for i in metrics)))
        for position, value in zip(taken, new, strict=True):
            state[position] = value
        return state, jnp.concatenate([row, _all_finite(steps, state)])

    return spread.over_members(one_member, (columns + 1,), "train_batches" if training else "test_batches")


def _train(
    steps: SharedSteps, state: list, rows: Any, numbers: Numbers, shared: Shared, norms: bool
) -> tuple[list, list, Any]:
    """The logs, the state and, with `norms`, the norm of the last gradients after one pass over the training rows."""
    parts = steps.parts
    start = [*state[: parts.total - parts.metrics], *numbers.metrics]
    return _over_batches(steps.train, start, rows, numbers.train, shared.training, parts.metric_positions, norms)


def _test(steps: SharedSteps, state: list, rows: Any, numbers: Numbers, shared: Shared) -> tuple[list, list]:
    """The logs and the state after one pass over the validation rows."""
    parts = steps.parts
    tested = [*(state[i] for i in parts.test[: -parts.metrics or None]), *numbers.metrics]
    in_test = range(len(tested) - parts.metrics, len(tested))
    logs, tested, _ = _over_batches(steps.test, tested, rows, numbers.test, shared.validation, in_test)
    after = list(state)
    for position, value in zip(parts.test, tested, strict=True):
        after[position] = value  # recurrent dropout advances its generator in validation, and fit carries it on
    return logs, after


def _all_finite(steps: SharedSteps, state: list) -> Any:
    """1.0 if all trainable weights are finite."""
    finite = jnp.array(True)
    for weights in _in_few(state[: steps.parts.trainable]):
        finite &= jnp.isfinite(weights).all()
    return jnp.asarray(finite, jnp.float32)[None]


def _norm(arrays: Sequence[Any]) -> Any:
    """The L2 norm of all numbers of some arrays."""
    squares = [jnp.sum(jnp.square(numbers.astype(jnp.float32))) for numbers in _in_few(arrays)]
    return jnp.sqrt(sum(squares[1:], squares[0]))


def _in_few(arrays: Sequence[Any]) -> list[Any]:
    """All numbers of some arrays, in as few arrays as costs little: small ones as one, as each costs compiling."""
    large, small = [], [jnp.zeros(1, jnp.float32)]
    for array in arrays:
        if array.size < SMALL and array.dtype == jnp.float32:
            small.append(jnp.ravel(array))
        else:
            large.append(array)
    return [jnp.concatenate(small), *large]


def _row(logs: Sequence[Any]) -> Any:
    return jnp.concatenate([jnp.zeros(0, jnp.float32), *(jnp.ravel(jnp.asarray(v, jnp.float32)) for v in logs)])


def _picked(data: Sequence[Any], rows: Any) -> list:
    return [array.at[rows].get(mode="promise_in_bounds") for array in data]


def _over_batches(
    steps: dict[int, SharedStep],
    state: list,
    rows: Any,
    lifted: dict,
    data: tuple,
    metrics: range,
    norms: bool = False,
) -> tuple[list, list, Any]:
    """Scans the full batches, then takes the step of the last, smaller one."""
    sizes = list(steps)
    full, rest = sizes[0], rows.shape[0] % sizes[0]
    count = rows.shape[0] // full
    step = steps[full]
    carries_logs = not rest and step.logs_of is None
    carries_norm = norms and not rest and bool(step.gradients)
    norm = jnp.full((), jnp.nan, jnp.float32)

    def one_batch(carried: tuple[list, list, Any], given: tuple[Any, Any]) -> tuple[tuple[list, list, Any], None]:
        picked, is_last = given
        logs, new, gradients = step(lifted[full], carried[1], _picked(data, picked))
        slope = lax.cond(is_last, _norm, lambda _: carried[2], gradients) if carries_norm else carried[2]
        return (logs if carries_logs else [], new, slope), None

    logs: list = []
    if count:
        start = []
        if carries_logs:
            shapes = jax.eval_shape(lambda s, p: step(lifted[full], s, _picked(data, p))[0], state, rows[:full])
            start = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes]
        given = (rows[: count * full].reshape(count, full), np.arange(count) == count - 1)
        (logs, state, norm), _ = lax.scan(one_batch, (start, state, norm), given)
        if not rest and step.logs_of is not None:
            logs = jaxpr_as_fun(step.logs_of)(*(state[i] for i in metrics))
    if rest:
        logs, state, gradients = steps[rest](lifted[rest], state, _picked(data, rows[count * full :]))
        if norms and gradients:
            norm = _norm(gradients)
    return logs, list(state), norm
