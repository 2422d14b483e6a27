"""The loop: programs are compiled, members trained some epochs a call, results brought back to the host."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.groups import Group
from kohort.cohort.members import Member
from kohort.cohort.plan import Plan, plan_for
from kohort.cohort.program import Inputs, train_epochs

SECONDS_PER_CALL = 0.5  # long enough that calling costs nothing, short enough that a bar moves and Ctrl-C is heard


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


@dataclass(frozen=True)
class Order:
    """A group and who of it shall train, on what, for how long.

    Attributes:
        group: The shared steps.
        members: The members; `Member.recipe` is a position in `group.recipes`.
        data: What they train on.
        epochs: How many epochs.
        devices: Use at most so many devices; None: all.
    """

    group: Group
    members: Sequence[Member]
    data: Data
    epochs: int
    devices: int | None = None


@dataclass(frozen=True)
class Ready:
    """An order whose program is compiled and whose members lie on the devices.

    Attributes:
        order: What was asked.
        plan: The layout.
        program: The compiled program.
        place: Puts its arguments where it wants them.
        state: The members' initial states, stacked, on the devices; the first call takes them over.
        inputs: The other arguments.
    """

    order: Order
    plan: Plan
    program: Callable[[Any, Inputs], tuple[Any, Any]]
    place: Callable[[Any, Any], tuple[Any, Any]]
    state: Any
    inputs: Inputs

    def train(self, progress: Callable[[int], None]) -> list[Trained]:
        """Trains the members.

        Args:
            progress: Told, after each call of the program, the epochs trained so far.
        """
        members, epochs = self.order.members, self.order.epochs
        rows = np.zeros(self.inputs.orders.shape, np.int32)
        state, logs, done, wanted = self.state, [], 0, 1
        while done < epochs:
            count = min(wanted, epochs - done, self.plan.epochs_per_call)
            self._draw_orders(rows, count)
            started = time.perf_counter()
            _, called = self.place([], self.inputs._replace(orders=rows, epochs=np.int32(count)))
            state, rows_of_logs = self.program(state, called)
            logs.append(np.asarray(rows_of_logs)[: len(members), :count])
            seconds = time.perf_counter() - started
            done += count
            progress(done)
            wanted = max(1, int(count * SECONDS_PER_CALL / max(seconds, 1e-6)))
        whole = np.concatenate(logs, axis=1)
        final = [np.array(values) for values in jax.device_get(state)]
        return [
            Trained([values[i] for values in final], whole[i, :, :-1], _first_bad(whole[i]))
            for i in range(len(members))
        ]

    def _draw_orders(self, rows: np.ndarray, epochs: int) -> None:
        """Writes the next epochs' row numbers into (members, epochs, rows)."""
        own = self.order.data.training_rows
        for position, member in enumerate(self.order.members):
            for epoch in range(epochs):
                drawn = member.orders.next_epoch()
                rows[position, epoch] = drawn if own is None else own[position][drawn]


def prepare(order: Order) -> Ready:
    """Compiles a group's program and puts its members on the devices."""
    members, data, steps = order.members, order.data, order.group.steps
    rows = members[0].orders.rows
    plan = plan_for(len(members), order.epochs, rows, devices=order.devices)
    slots = plan.per_device * len(plan.devices)
    padded = [*members, *[members[-1]] * (slots - len(members))]  # what lies in a slot without a member never trains
    active, slots_of = plan.active(range(len(members)))
    inputs = Inputs(
        active=active,
        slots=slots_of,
        recipe=np.array([member.recipe for member in padded], np.int32),
        orders=np.zeros((slots, plan.epochs_per_call, rows), np.int32),
        held_out=_held_out(data, slots),
        numbers=steps.lifted,
        training=data.training.leaves,
        validation=data.validation.leaves if data.validation else (),
        epochs=np.int32(1),
    )
    program, place = train_epochs(steps, plan, held_out_differs=data.validation_rows is not None)
    state = [np.stack(values) for values in zip(*(member.state for member in padded), strict=True)]
    placed, inputs = place(state, inputs)
    return Ready(order, plan, program.lower(placed, inputs).compile(), place, placed, inputs)


def train_in_turn(
    orders: Sequence[Order], progress: Callable[[Order], Callable[[int], None]]
) -> Iterator[tuple[Order, list[Trained]]]:
    """Trains groups one after another.

    Compiling the next program while one trains was tried and gained nothing on two cores: XLA compiles on one core and
    a half, and the devices, which share the work evenly, then wait for the one that lost its core.

    Args:
        orders: What to train.
        progress: Told which group comes next; gives the function that hears of its epochs.
    """
    for order in orders:
        heard = progress(order)
        yield order, prepare(order).train(heard)


def _held_out(data: Data, slots: int) -> np.ndarray:
    if data.validation_rows is not None:
        spare = slots - len(data.validation_rows)
        return np.concatenate([data.validation_rows, data.validation_rows[-1:].repeat(spare, 0)]).astype(np.int32)
    return np.arange(data.validation.rows if data.validation else 0, dtype=np.int32)[None]


def _first_bad(logs: np.ndarray) -> int | None:
    bad = ~np.isfinite(logs).all(axis=1) | (logs[:, -1] == 0.0)
    return int(bad.argmax()) if bad.any() else None
