"""The loop: recipes become cohorts, cohorts train some epochs a call, members come back trained."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jax
import keras
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import Traced, put_state, state_of, variables
from kohort.cohort.members import Member
from kohort.cohort.plan import Plan, plan_for
from kohort.cohort.program import Inputs, SharedSteps, train_epochs
from kohort.cohort.unify import Different
from kohort.progress import Listener, Stage

SECONDS_PER_CALL = 0.5  # long enough that calling costs nothing, short enough that a bar moves and Ctrl-C is heard


@dataclass(frozen=True)
class Group:
    """Recipes whose steps are the same program up to numbers.

    Attributes:
        recipes: Their positions among all recipes.
        steps: What they share.
        why_separate: Why they did not join the groups before, a reason each.
    """

    recipes: tuple[int, ...]
    steps: SharedSteps
    why_separate: tuple[str, ...]


def groups_of(traced: Sequence[Traced], names: Sequence[str]) -> list[Group]:
    """Puts recipes together that can share a program.

    Args:
        traced: The recipes' steps.
        names: The recipes' names, for the reasons.
    """
    together: list[list[int]] = []
    reasons: list[list[str]] = []
    for position, recipe in enumerate(traced):
        refused = []
        for group in together:
            first = group[0]
            try:
                _compare(traced[first], recipe)
            except Different as error:
                refused.append(f"{names[position]} and {names[first]} are separate programs: {error}")
            else:
                group.append(position)
                break
        else:
            together.append([position])
            reasons.append(refused)
    return [
        Group(tuple(group), SharedSteps.of([traced[i] for i in group]), tuple(why))
        for group, why in zip(together, reasons, strict=True)
    ]


def _compare(own: Traced, other: Traced) -> None:
    if own.parts != other.parts:
        raise Different("their training states hold different numbers of arrays")
    SharedSteps.of([own, other])


@dataclass(frozen=True)
class Trained:
    """A member after its last epoch.

    Attributes:
        state: Its state, NumPy arrays in the order of `capture.variables`.
        logs: One row per epoch, one column per log, float32.
        diverged_at: The first epoch after which a log or a weight was not finite, or None.
    """

    state: list[np.ndarray]
    logs: np.ndarray
    diverged_at: int | None


@dataclass(frozen=True)
class Data:
    """What a call trains on.

    Attributes:
        training: The arrays that training rows are picked from.
        validation: The arrays that validation rows are picked from, or None.
        training_rows: For each member, which rows it trains on, (members, rows); None: all, in their order.
        validation_rows: For each member, which rows it validates on; None: all.
    """

    training: Arrays
    validation: Arrays | None
    training_rows: np.ndarray | None = None
    validation_rows: np.ndarray | None = None

    @property
    def validation_of_a_member(self) -> Arrays | None:
        """As many validation rows as each member has, for tracing."""
        if self.validation is None or self.validation_rows is None:
            return self.validation
        return self.validation.picked(self.validation_rows[0])

    def of(self, members: Sequence[int]) -> "Data":
        """The same for some of the members."""
        picked = list(members)
        return replace(
            self,
            training_rows=None if self.training_rows is None else self.training_rows[picked],
            validation_rows=None if self.validation_rows is None else self.validation_rows[picked],
        )


def train_group(
    group: Group,
    members: Sequence[Member],
    data: Data,
    epochs: int,
    *,
    progress: Callable[[int], None],
    devices: int | None = None,
    plan: Plan | None = None,
) -> list[Trained]:
    """Trains the members of a group.

    Args:
        group: The shared steps.
        members: The members; `Member.recipe` is a position in `group.recipes`.
        data: What they train on.
        epochs: How many epochs.
        progress: Told, after each call of the program, the epochs trained so far.
        devices: Use so many devices instead of all.
        plan: Use this plan.
    """
    rows = members[0].orders.rows
    plan = plan or plan_for(len(members), epochs, rows, devices=devices)
    slots = plan.per_device * len(plan.devices)
    program, place = train_epochs(group.steps, plan, held_out_differs=data.validation_rows is not None)
    padded = [
        *members,
        *[members[-1]] * (slots - len(members)),
    ]  # members train on some device; the rest of the slots idle
    host_state = [np.stack(values) for values in zip(*(m.state for m in padded), strict=True)]
    active, order = plan.active(range(len(members)))
    own_rows = data.training_rows
    inputs = Inputs(
        active=active,
        slots=order,
        recipe=np.array([member.recipe for member in padded], np.int32),
        orders=np.zeros((slots, plan.epochs_per_call, rows), np.int32),
        held_out=_held_out(data, slots),
        numbers=group.steps.lifted,
        training=data.training.leaves,
        validation=data.validation.leaves if data.validation else (),
        epochs=np.int32(1),
    )
    orders = inputs.orders
    state, inputs = place(host_state, inputs)
    compiled = program.lower(state, inputs).compile()
    logs = []
    done, wanted = 0, 1
    while done < epochs:
        count = min(wanted, epochs - done, plan.epochs_per_call)
        for position, member in enumerate(members):
            for epoch in range(count):
                order = member.orders.next_epoch()
                orders[position, epoch] = order if own_rows is None else own_rows[position][order]
        started = time.perf_counter()
        _, called = place([], inputs._replace(orders=orders, epochs=np.int32(count)))
        state, rows_of_logs = compiled(state, called)
        logs.append(np.asarray(rows_of_logs)[: len(members), :count])
        seconds = time.perf_counter() - started
        done += count
        progress(done)
        wanted = max(1, int(count * SECONDS_PER_CALL / max(seconds, 1e-6)))
    whole = np.concatenate(logs, axis=1)
    final = [np.array(values) for values in jax.device_get(state)]
    return [
        Trained([values[i] for values in final], whole[i, :, :-1], _first_bad(whole[i])) for i in range(len(members))
    ]


def _held_out(data: Data, slots: int) -> np.ndarray:
    if data.validation_rows is not None:
        spare = slots - len(data.validation_rows)
        return np.concatenate([data.validation_rows, data.validation_rows[-1:].repeat(spare, 0)]).astype(np.int32)
    return np.arange(data.validation.rows if data.validation else 0, dtype=np.int32)[None]


def _first_bad(logs: np.ndarray) -> int | None:
    bad = ~np.isfinite(logs).all(axis=1) | (logs[:, -1] == 0.0)
    return int(bad.argmax()) if bad.any() else None


def finalized(model: keras.Model, state: list[np.ndarray]) -> list[np.ndarray]:
    """What `fit` does to the state when it ends: an optimiser with `use_ema` writes its averages into the weights."""
    if not getattr(model.optimizer, "use_ema", False):
        return state
    before = state_of(model)
    put_state(model, state)
    model.optimizer.finalize_variable_values(model.trainable_weights)
    after = [np.array(value) for value in state_of(model)]
    put_state(model, before)
    return after


def weight_positions(model: keras.Model) -> list[int]:
    """Where in a state the arrays of `model.get_weights()` stand."""
    position_of = {id(variable): position for position, variable in enumerate(variables(model))}
    return [position_of[id(variable)] for variable in model.weights]


class Counter:
    """Turns the epochs of one cohort after another into stages of the whole call."""

    def __init__(self, listener: Listener, total: int):
        self.listener = listener
        self.total = total
        self.before = 0

    def say(self, doing: str) -> None:
        """Says what is being done while no epoch passes."""
        self.listener(Stage(doing, self.before, self.total))

    def cohort(self, names: tuple[str, ...], members: int) -> Callable[[int], None]:
        """A function that takes the epochs which a cohort of so many members has trained so far."""
        start = self.before
        doing = f"training {', '.join(names)}"
        self.listener(Stage(f"compiling {', '.join(names)}", start, self.total, names))

        def trained(epochs: int) -> None:
            self.before = start + epochs * members
            self.listener(Stage(doing, self.before, self.total, names))

        return trained
