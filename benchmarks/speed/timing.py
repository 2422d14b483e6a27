"""How peers are timed, cold and warm; without any framework."""

import time
from collections.abc import Callable

from benchmarks.speed.tasks import Task

Seconds = dict[str, float]
"""Of the whole task: `cold`, all compiling included, and `warm`, as it goes where this has been trained before."""


def elapsed(function: Callable[[int], object], number: int) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    function(number)
    return time.perf_counter() - started


def extrapolated(task: Task, one_seed: Callable[[int], object]) -> Seconds:
    """A loop's seconds, from its first seeds: the first warms up, the mean of the others stands for the rest."""
    first, *others = (elapsed(one_seed, seed) for seed in range(task.timed))
    further = sum(others) / len(others)
    return {"cold": first + further * (task.seeds - 1), "warm": further * task.seeds}


def twice(whole_task: Callable[[int], object]) -> Seconds:
    """Seconds of the whole task, and of the whole task once more; the function is told which time it is, from 0."""
    return {kind: elapsed(whole_task, turn) for turn, kind in enumerate(("cold", "warm"))}
