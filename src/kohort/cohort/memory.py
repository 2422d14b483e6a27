"""Where memory does not suffice for a cohort: training in parts."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from kohort.cohort.free_memory import SHARE, free_memory
from kohort.cohort.layouts import laid_out
from kohort.cohort.order import Order, memory_of, plan_of
from kohort.cohort.out_of_memory import lack_of_memory
from kohort.cohort.train import CohortTraining, Trained
from kohort.progress import Look, Told, nothing

GiveUp = Callable[[str, int, str], None]
"""Told of a member for which memory does not suffice even alone: its recipe, its seed, and what was said."""


def trained_in_parts(order: Order, progress: Told, give_up: GiveUp | None) -> Iterator[tuple[Order, list[Trained]]]:
    """Trains a cohort: whole, or, where memory does not suffice, in halves of its members, and halves of these.

    Args:
        order: What to train.
        progress: Told how many run-epochs are trained, and how many never will be.
        give_up: Told of members that do not fit alone; None: that is an error.

    Yields:
        The members that trained together, as an order of their own, and how they came out.
    """
    waiting, done, never = [order], 0, 0

    def told(run_epochs: int, spared: int = 0, look: Look = nothing) -> None:
        progress(done + run_epochs, never + spared, look)

    while waiting:
        now = waiting.pop(0)
        if len(now.members) > 1 and not now.in_place and _is_too_large(now):
            waiting = [*halves(now), *waiting]
            continue
        untouched = [copy.deepcopy(member.orders.generator) for member in now.members]
        try:
            results = CohortTraining(laid_out(now)).run(told)
        except Exception as error:
            why = lack_of_memory(error)
            if not why:
                raise
            if now.in_place or (len(now.members) == 1 and give_up is None):
                member = now.members[0]
                error.add_note(f"raised while recipe {now.names[member.recipe]!r}, seed {member.seed} trained alone")
                raise
            for member, generator in zip(now.members, untouched, strict=True):
                member.orders.generator = generator
            if len(now.members) > 1:
                waiting = [*halves(now), *waiting]
                continue
            (member,) = now.members
            assert give_up is not None
            assert member.seed is not None
            give_up(now.names[member.recipe], member.seed, why)
            never += order.course.length
            told(0)
            continue
        trained = sum(len(result.epochs) for result in results)
        done, never = done + trained, never + len(results) * order.course.length - trained
        yield now, results


def _is_too_large(order: Order) -> bool:
    """Whether a cohort will probably not fit in memory."""
    limit = free_memory()
    return limit is not None and memory_of(order, plan_of(order)) > SHARE * limit


def halves(order: Order) -> list[Order]:
    """A cohort in two, without a keeper, since a checkpoint is of all members, and without room for more."""
    count = len(order.members)
    return [_some(order, range(count // 2)), _some(order, range(count // 2, count))]


def _some(order: Order, members: Sequence[int]) -> Order:
    own = [order.members[member] for member in members]
    return replace(order, members=own, data=order.data.of(members), keeper=None, capacity=0)
