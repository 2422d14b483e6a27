"""What a cohort is asked: who trains on what, for how long; and how that lies on the machine."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.columns import Columns
from kohort.cohort.cost import bytes_of, most_alive, operations
from kohort.cohort.free_memory import SHARE, free_memory
from kohort.cohort.groups import Group
from kohort.cohort.halfway import Keeper
from kohort.cohort.known_layouts import KnownLayouts
from kohort.cohort.members import Member
from kohort.cohort.plan import Plan, plan_for


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

    def among_all(self, member: int, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Numbers among a member's training rows as numbers among all rows."""
        own = self.training_rows
        return list(rows) if own is None else [own[member][numbers] for numbers in rows]

    def of(self, members: Sequence[int]) -> "Data":
        """The same for some of the members."""
        picked = list(members)
        return replace(
            self,
            training_rows=None if self.training_rows is None else self.training_rows[picked],
            validation_rows=None if self.validation_rows is None else self.validation_rows[picked],
        )


Going = tuple[str, int | None]
"""A member in training: its recipe's name and its seed."""


@dataclass(frozen=True)
class Rungs:
    """Where the members of a cohort are compared while they train, and some of them leave.

    Attributes:
        after: After how many epochs, in ascending order.
        judge: From the number of epochs and what each member has logged so far (log name -> one value per epoch) to
            those who go on. Who leaves ends where it is, and nothing is compiled again.
    """

    after: tuple[int, ...]
    judge: Callable[[int, Mapping[Going, Mapping[str, Sequence[float]]]], Collection[Going]]


@dataclass(frozen=True)
class Course:
    """Which epochs are trained and what happens between them; the arguments of `fit` of these names.

    Attributes:
        epochs: The number of the last epoch.
        initial_epoch: The number of the first, from 0.
        validation_freq: Validate after every so many epochs, or after these (counted from 1).
        steps_per_epoch: Batches of an epoch; None: as many as there are.
        callbacks: Keras callbacks, copied for each member, or a function of (recipe, seed) that makes them.
        params: What callbacks learn of the training: `epochs`, `steps`, `verbose`.
        data: The user's arrays, which are not copied where a callback holds them.
        rungs: Where members are compared and some leave; None: all train to the end.
    """

    epochs: int
    initial_epoch: int = 0
    validation_freq: int | Sequence[int] = 1
    steps_per_epoch: int | None = None
    callbacks: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    data: tuple[Any, ...] = ()
    rungs: Rungs | None = None

    def validates(self, epoch: int) -> bool:
        """Whether an epoch, counted from 0, ends with a validation."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq

    @property
    def length(self) -> int:
        """How many epochs are trained."""
        return max(0, self.epochs - self.initial_epoch)


@dataclass(frozen=True)
class Order:
    """A group and who of it shall train, on what, for how long.

    Attributes:
        group: The shared steps.
        members: The members; `Member.recipe` is a position in `group.recipes`.
        models: One built model per recipe of the group.
        names: The recipes' names.
        logs: The logs of training and of validation, for each recipe.
        data: What they train on.
        course: Which epochs, and the callbacks.
        devices: Use at most so many devices; None: all.
        at_once: Vectorise so many members; None: as many as suits the platform; or where it is known, once it has been
            measured, with how many the cohort is fastest (`layouts.laid_out`).
        in_place: Whether given models are trained in place.
        keeper: Keeps where the cohort stands now and then, but where a callback holds what cannot be kept.
        norms: Whether norms of weights and gradients are measured.
        capacity: For how many members the program is made, where that is more than there are; cohorts of other sizes
            then share it.
        why: Why so many members at once, in words.
    """

    group: Group
    members: Sequence[Member]
    models: Sequence[keras.Model]
    names: Sequence[str]
    logs: Sequence[tuple[Columns, Columns]]
    data: Data
    course: Course
    devices: int | None = None
    at_once: int | KnownLayouts | None = None
    in_place: bool = False
    keeper: Keeper | None = None
    norms: bool = False
    capacity: int = 0
    why: str = "as asked"


def plan_of(order: Order) -> Plan:
    """How a cohort is laid out on the machine."""
    together = 1 if order.course.callbacks is not None else max(1, order.course.length)
    rows, members = order.members[0].orders.rows, max(order.capacity, len(order.members))
    asked = None if isinstance(order.at_once, KnownLayouts) else order.at_once
    plan = plan_for(members, together, rows, devices=order.devices, at_once=asked, why=order.why)
    free = free_memory() if plan.at_once > 1 and asked is None else None
    if free is None:
        return plan
    one = replace(plan, at_once=1)
    room = 1 + int((SHARE * free - memory_of(order, one)) / (len(plan.devices) * working_set(order)))
    return plan_for(members, together, rows, devices=order.devices, room=room)


def memory_of(order: Order, plan: Plan) -> int:
    """Bytes that a cohort takes while it trains, as an estimate from above.

    The members' states three times (as they were built, on the devices, and on the way there), with callbacks once more
    (as these see them, and as they end), the data on the host and on every device, the orders of the rows of one call
    twice, and what one step of those at work at once needs.
    """
    slots, devices = plan.per_device * len(plan.devices), len(plan.devices)
    data = order.data
    leaves = {id(leaf): leaf for own in (data.training, data.validation) if own for leaf in own.leaves}
    orders = 4 * slots * plan.epochs_per_call * order.members[0].orders.rows
    working = devices * plan.at_once * working_set(order)
    states = (3 if order.course.callbacks is None else 4) * slots * bytes_of(order.members[0].state)
    return states + (1 + devices) * bytes_of(leaves.values()) + 2 * orders + working


def working_set(order: Order) -> int:
    """Bytes that a step of one member needs besides its state, as an estimate from above."""
    steps = [*order.group.steps.train.values(), *order.group.steps.test.values()]
    return max(1, *(most_alive(step.unified.jaxpr) for step in steps))


def in_words(order: Order, plan: Plan) -> str:
    """How a cohort lies on the machine, what a step costs and what memory it may take."""
    step = next(iter(order.group.steps.train.values()))
    cost = f"{operations(step.unified.jaxpr) / 1e6:.3g} MFLOP a step and member"
    memory = f"at most {memory_of(order, plan) / 2**20:,.0f} MiB"
    return f"{plan.reason}; up to {plan.epochs_per_call} epochs a call; {cost}; {memory}"
