"""Cores of a machine, shared out among the workers on it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_held = ExitStack()
"""The locks of this process; the system lets them go when it ends, however it ends."""


def take_cores(count: int) -> tuple[int, ...]:
    """Binds this process, for as long as it lives, to cores that no other such process on the machine has.

    Workers that wander over all cores take each other's caches. Call it before JAX starts its threads.

    Args:
        count: How many.

    Returns:
        The cores; empty where so many are not free, or the system binds no process: then all stay allowed.
    """
    if not hasattr(os, "sched_setaffinity") or count >= len(os.sched_getaffinity(0)):
        return ()
    with suppress(OSError), ExitStack() as locks:  # unbound where locks cannot be written
        found: list[int] = []
        for core, lock in _free():
            found.append(core)
            locks.callback(lock.release)
            if len(found) == count:
                os.sched_setaffinity(0, found)
                _held.push(locks.pop_all())
                return tuple(found)
    return ()


def _free() -> Iterator[tuple[int, FileLock]]:
    folder = Path(tempfile.gettempdir()) / f"kohort-cores-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for core in sorted(os.sched_getaffinity(0)):
        lock = FileLock(folder / str(core))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        yield core, lock
