"""The fastest layout of a cohort, found by measurement: how many members at once on each device.

Only where it is asked for. It compiles every candidate, and another number of members at once is another program, whose
numbers differ in the last bits; so the plan by itself (`plan.py`) measures nothing. Measured is on copies of the states
and with no random number drawn, so that a cohort that then trains so many members at once trains as if it had been
told so from the start.
"""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from time import perf_counter

import numpy as np

from kohort.cohort.free_memory import SHARE, free_memory
from kohort.cohort.known_layouts import KnownLayouts, Seconds
from kohort.cohort.order import Order, memory_of, plan_of
from kohort.cohort.out_of_memory import lack_of_memory
from kohort.cohort.passes import WholeEpochs
from kohort.cohort.plan import Plan
from kohort.cohort.population import Population
from kohort.runtime import installed, processor

CANDIDATES = (4, 8, 1)
"""Members at once on a device that are tried after the plan's own choice and all of them, until time is up: what
`benchmarks/plans.py` found to be fastest for some network."""

SECONDS = 0.3
"""How long a timed call takes about, as in training: with fewer epochs a call, members one after another, whose states
come into a core's cache at each call, would look slower than they are."""

ROUNDS = 3
"""Each candidate is timed so often, in turn, and its least time counts."""

SLOWER = 2.0
"""A candidate that takes so many times as long as another in its first call is not timed again."""

MARGIN = 0.05
"""The plan's own choice stays unless another is faster by this share, which noise alone may be."""

ALLOWED = 10.0
"""Seconds after which nothing more is timed, compiling others than the plan's own choice included, or"""

ALLOWED_SHARE = 0.1
"""this share of the training's own time, where that is longer."""

_NOT_OF_THE_PROGRAM = re.compile(r"0x[0-9a-fA-FX]+|[-+\w.]+(?=:\w+\[\])")
"""In its text: where functions lie, which is another place in each process; and single numbers, such as strengths, on
which no time depends."""


def laid_out(order: Order) -> Order:
    """The same order; where the fastest layout is asked for, with the number of members at once that it has."""
    known = order.at_once
    if not isinstance(known, KnownLayouts):
        return order
    usual = plan_of(order)
    if order.course.steps_per_epoch is not None:
        return replace(order, at_once=usual.at_once, why="with steps_per_epoch nothing is measured")
    plans = _candidates(order, usual)
    if len(plans) == 1:
        return replace(order, at_once=usual.at_once, why="the only one possible")
    key = _key(order, usual)
    seconds = known.find(key)
    if seconds is None or usual.at_once not in seconds:
        seconds = _measured(order, plans, usual)
        known.keep(key, seconds)
    timed = {at_once: seconds[at_once] for at_once in plans if at_once in seconds}
    best = min(timed, key=timed.__getitem__)
    if timed[usual.at_once] <= (1 + MARGIN) * timed[best]:
        best = usual.at_once
    told = ", ".join(f"{at_once} at once {1e3 * own:.3g}" for at_once, own in sorted(timed.items()))
    return replace(order, at_once=best, why=f"fastest as measured, ms an epoch of all: {told}")


def _candidates(order: Order, usual: Plan) -> dict[int, Plan]:
    """Layouts by members at once: the plan's own first, then those that there are members and memory for."""
    share = -(-usual.members // len(usual.devices))
    found = {usual.at_once: usual}
    free = free_memory()
    for at_once in (share, *CANDIDATES):
        plan = replace(usual, at_once=at_once)
        if at_once <= share and (free is None or memory_of(order, plan) <= SHARE * free):
            found.setdefault(at_once, plan)
    return found


def _measured(order: Order, plans: Mapping[int, Plan], usual: Plan) -> Seconds:
    """Seconds of an epoch in each layout for which there was time; the plan's own is among them."""
    seconds: dict[int, float] = {}
    end = float("inf")
    for at_once, plan in plans.items():
        if perf_counter() > end:
            break
        try:
            _epoch(order, plan, 1)  # compiles
            seconds[at_once] = _epoch(order, plan, 1)
        except Exception as error:
            if plan is usual or not (why := lack_of_memory(error)):
                raise
            warnings.warn(
                f"{at_once} members at once were not timed, since memory does not suffice: {why}", stacklevel=2
            )
        if plan is usual:
            end = perf_counter() + max(ALLOWED, ALLOWED_SHARE * order.course.length * seconds[at_once])
    counts = {at_once: max(1, min(usual.epochs_per_call, int(SECONDS / own))) for at_once, own in seconds.items()}
    near = [at_once for at_once, own in seconds.items() if own <= SLOWER * min(seconds.values())]
    for at_once in near * ROUNDS:
        if perf_counter() > end:
            break
        seconds[at_once] = min(seconds[at_once], _epoch(order, plans[at_once], counts[at_once]))
    return seconds


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
    """What decides how fast layouts are: the program, how many members and epochs it is for, and where it runs."""
    steps, validation = order.group.steps, order.data.validation_of_a_member
    programs = [
        step.unified.jaxpr.pretty_print(use_color=False) for step in (*steps.train.values(), *steps.test.values())
    ]
    where = [f"{len(usual.devices)} {usual.devices[0].device_kind}", *processor(), os.environ.get("XLA_FLAGS", "")]
    versions = [f"{package} {installed(package)}" for package in ("kohort", "jaxlib")]
    rows = (order.members[0].orders.rows, validation.rows if validation else 0)
    # epochs of a call by powers of two: few of them make another layout the fastest
    sizes = [*rows, usual.members, usual.epochs_per_call.bit_length(), order.norms]
    text = _NOT_OF_THE_PROGRAM.sub("", "\n".join([*programs, *where, *versions, *map(str, sizes)]))
    return sha256(" ".join(text.split()).encode()).hexdigest()[:32]
