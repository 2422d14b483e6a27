"""Programs that this process has compiled are found again by what they compute.

The next call with the same recipes, or with recipes that differ from them in the same numbers, then compiles nothing:
the next round of a study, the next seeds in a notebook. XLA keeps no such memory, since each call traces anew.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from kohort.cohort.program import SharedStep, SharedSteps
from kohort.cohort.unify import same

MOST_KEPT = 16
"""Programs; each holds some megabytes of machine code."""


@dataclass(frozen=True)
class _Kept:
    kind: Hashable
    steps: SharedSteps
    program: Any


_kept: list[_Kept] = []


def kept_program(kind: Hashable, steps: SharedSteps, make: Callable[[], Any]) -> Any:
    """The program that was made of such steps before, or a new one.

    Args:
        kind: What else than the steps decides what the program computes, and where.
        steps: The steps of a cohort; in which numbers its recipes differ counts, the numbers do not.
        make: Makes the program.
    """
    for place, own in enumerate(_kept):
        if own.kind == kind and _alike(own.steps, steps):
            _kept.append(_kept.pop(place))
            return own.program
    program = make()
    _kept.append(_Kept(kind, steps, program))
    del _kept[:-MOST_KEPT]
    return program


def forget() -> None:
    """Lets all programs go, and the memory that they hold."""
    _kept.clear()


def _alike(own: SharedSteps, other: SharedSteps) -> bool:
    if (own.parts, own.logs, list(own.train), list(own.test)) != (
        other.parts,
        other.logs,
        list(other.train),
        list(other.test),
    ):
        return False
    mine, theirs = ([*steps.train.values(), *steps.test.values()] for steps in (own, other))
    return all(map(_same_step, mine, theirs))


def _same_step(own: SharedStep, other: SharedStep) -> bool:
    counts = (own.log_count, own.gradients, own.logs_of is None)
    if counts != (other.log_count, other.gradients, other.logs_of is None):
        return False
    equations, others = own.unified.jaxpr.jaxpr.eqns, other.unified.jaxpr.jaxpr.eqns
    return len(equations) == len(others) and same(own.unified.jaxpr, other.unified.jaxpr)
