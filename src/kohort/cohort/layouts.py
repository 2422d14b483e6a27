"""The fastest layout of a cohort, found by measurement: how many members at once on each device.

Only where it is asked for. It compiles every candidate, and another number of members at once is another program, whose
numbers differ in the last bits; so the plan by itself (`plan.py`) measures nothing. Measured is on copies of the states
and with no random number drawn, so that a cohort that then trains so many members at once trains as if it had been
told so from the start.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from time import perf_counter

import numpy as np

from kohort.cohort.free_memory import SHARE, free_memory
from kohort.cohort.known_layouts import KnownLayouts, Seconds
from kohort.cohort.order import Order, memory_of, plan_of
from kohort.cohort.passes import WholeEpochs
from kohort.cohort.plan import Plan
from kohort.cohort.population import Population
from kohort.runtime import installed, processor

CANDIDATES = (1, 4, 8)
"""Members at once on a device that are tried, beside all of them: what `benchmarks/plans.py` found to be fastest for
some network."""

SECONDS = 0.3
"""How long a timed call takes about, as in training: with fewer epochs a call, members one after another, whose states
come into a core's cache at each call, would look slower than they are."""

ROUNDS = 3
"""Each candidate is timed so often, in turn, and its least time counts."""

MARGIN = 0.05
"""The plan's own choice stays unless another is faster by this share, which noise alone may be."""

_NOT_OF_THE_PROGRAM = re.compile(r" at 0x[0-9a-f]+|[-+\w.]+(?=:\w+\[\])")
"""In its text: where functions lie, which is another place in each process; and single numbers, such as strengths, on
which no time depends."""


def laid_out(order: Order) -> Order:
    """The same order; where the fastest layout is asked for, with the number of members at once that it has."""
    known = order.at_once
    if not isinstance(known, KnownLayouts):
        return order
    usual = plan_of(order)
    plans = _candidates(order, usual)
    if len(plans) == 1:
        return replace(order, at_once=usual.at_once, why="the only one possible")
    key = _key(order, usual)
    seconds = known.find(key)
    if seconds is None or not seconds.keys() >= plans.keys():
        seconds = _measured(order, plans)
        known.keep(key, seconds)
    best = min(plans, key=seconds.__getitem__)
    if seconds[usual.at_once] <= (1 + MARGIN) * seconds[best]:
        best = usual.at_once
    told = ", ".join(f"{at_once} at once {1e3 * seconds[at_once]:.3g}" for at_once in plans)
    return replace(order, at_once=best, why=f"fastest as measured, ms an epoch of all: {told}")


def _candidates(order: Order, usual: Plan) -> dict[int, Plan]:
    """Layouts by members at once: those that there are members and memory for, the plan's own in any case."""
    share = -(-usual.members // len(usual.devices))
    found = {}
    free = free_memory()
    for at_once in sorted({*CANDIDATES, share, usual.at_once}):
        plan = replace(usual, at_once=at_once)
        fits = at_once <= share and (free is None or memory_of(order, plan) <= SHARE * free)
        if fits or at_once == usual.at_once:
            found[at_once] = plan
    return found


def _measured(order: Order, plans: Mapping[int, Plan]) -> Seconds:
    """Seconds of an epoch in each layout."""
    counts: dict[int, int] = {}
    for at_once, plan in plans.items():
        _epoch(order, plan, 1)  # compiles
        counts[at_once] = max(1, min(plan.epochs_per_call, int(SECONDS / _epoch(order, plan, 1))))
    rounds = [{at_once: _epoch(order, plan, counts[at_once]) for at_once, plan in plans.items()} for _ in range(ROUNDS)]
    return {at_once: min(seconds[at_once] for seconds in rounds) for at_once in plans}


def _epoch(order: Order, plan: Plan, count: int) -> float:
    """Seconds of an epoch, on average over so many in one call, of copies of all members."""
    population = Population(order.members, plan)
    passes = WholeEpochs.of(order, population)
    every = [np.arange(order.members[0].orders.rows)] * count
    orders = {member: order.data.among_all(member, every) for member in range(len(order.members))}
    validate = [True] * count if passes.sometimes else None
    began = perf_counter()
    passes.run(orders, validate=validate)
    return (perf_counter() - began) / count


def _key(order: Order, usual: Plan) -> str:
    """What decides how fast layouts are: the program, how many members it is for, and where it runs."""
    steps = order.group.steps
    programs = [str(step.unified.jaxpr) for step in (*steps.train.values(), *steps.test.values())]
    where = [f"{len(usual.devices)} {usual.devices[0].device_kind}", *processor(), f"jaxlib {installed('jaxlib')}"]
    rows = [order.members[0].orders.rows, order.data.validation.rows if order.data.validation else 0]
    told = [*programs, *where, *map(str, rows), str(usual.members), str(order.norms)]
    return sha256(_NOT_OF_THE_PROGRAM.sub("", "\n".join(told)).encode()).hexdigest()[:32]
