"""Progress as events: the training loop tells a listener; who listens decides what the user sees."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol


@dataclass(frozen=True)
class Band:
    """A log by epoch over the members of a recipe so far.

    Attributes:
        mean: The mean over the members that trained the epoch.
        low: The 10th percentile.
        high: The 90th percentile.
    """

    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class CohortNow:
    """Where a cohort stands.

    Attributes:
        recipes: Its recipes.
        members: How many members it has.
        going: How many still train.
        diverged: How many have a loss or a weight that is not finite.
        epoch: How many epochs those ahead have trained.
        epochs: How many they train at the most.
        logs: Recipe -> log -> its values by epoch.
    """

    recipes: tuple[str, ...]
    members: int
    going: int
    diverged: int
    epoch: int
    epochs: int
    logs: Mapping[str, Mapping[str, Band]]


Look = Callable[[], Sequence[CohortNow]]
"""Looks at the cohorts in training; it takes some milliseconds, so a listener looks as often as it shows something."""


def nothing() -> Sequence[CohortNow]:
    """Where there is nothing to look at."""
    return ()


@dataclass(frozen=True)
class Stage:
    """Where a training call stands.

    Attributes:
        doing: In words: what is being done, to whom.
        run_epochs: Epochs trained so far, summed over all runs of the call.
        total: All epochs that will be trained, summed over all runs.
        cohort: The recipes now in work, empty before the first cohort.
        look: Tells more of them.
    """

    doing: str
    run_epochs: int
    total: int
    cohort: tuple[str, ...] = ()
    look: Look = field(default=nothing, compare=False, repr=False)


class Listener(Protocol):
    """Hears of progress."""

    def __call__(self, stage: Stage) -> None:
        """Takes note of where the training stands."""
        ...


def silent(stage: Stage) -> None:
    """Hears and says nothing."""


def all_of(*listeners: Listener) -> Listener:
    """A listener that tells others."""

    def heard(stage: Stage) -> None:
        for listener in listeners:
            listener(stage)

    return heard


class Cohorts:
    """What cohorts looked like when they were looked at last; one that has ended is looked at once more."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], CohortNow] = {}
        self._stage: Stage | None = None

    def hear(self, stage: Stage) -> None:
        """Takes note of a stage; the cohort of the one before has ended if this is another's."""
        before, self._stage = self._stage, stage
        if before is not None and before.cohort != stage.cohort:
            self._seen |= {own.recipes: replace(own, going=0) for own in before.look()}

    def look(self) -> tuple[CohortNow, ...]:
        """All cohorts so far, that in training as it is now."""
        if self._stage is not None:
            self._seen |= {own.recipes: own for own in self._stage.look()}
        return tuple(self._seen.values())


class Remaining:
    """How long a training call still takes.

    By the pace since its first epochs were told, so that the compiling before them does not count.
    """

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def hear(self, stage: Stage) -> None:
        """Takes note of a stage."""
        if self._first is None and stage.run_epochs:
            self._first = time.monotonic(), stage.run_epochs

    def seconds(self, stage: Stage) -> float | None:
        """Seconds from now on; None before the first epochs.

        Args:
            stage: Where the call stands.
        """
        if self._first is None or stage.run_epochs <= self._first[1]:
            return None
        each = (time.monotonic() - self._first[0]) / (stage.run_epochs - self._first[1])
        return each * (stage.total - stage.run_epochs)


class Pace:
    """Lets something be done so often that it takes no more than a small share of the time.

    Args:
        seconds: Between two times, at the least.
        share: Of all time, at the most; 1 % is below what the machine's own noise hides.
        wait: Before the first time, in seconds.
    """

    def __init__(self, seconds: float, share: float = 0.01, wait: float = 0.0):
        self._seconds, self._share = seconds, share
        self._next = time.monotonic() + wait if wait else 0.0

    def __call__(self, do: Callable[[], Any], *, now: bool = False) -> None:
        """Does it, if it is time.

        Args:
            do: What to do.
            now: Whether it is time in any case.
        """
        started = time.monotonic()
        if started < self._next and not now:
            return
        do()
        ended = time.monotonic()
        self._next = ended + max(self._seconds, (ended - started) / self._share)


class Told(Protocol):
    """Told by a cohort how far it is."""

    def __call__(self, run_epochs: int, spared: int = 0, look: Look = nothing) -> None:
        """Takes note.

        Args:
            run_epochs: The run-epochs that it has trained so far.
            spared: How many it never will.
            look: Tells more.
        """
        ...


class Counter:
    """Turns the epochs of one cohort after another into stages of the whole call."""

    def __init__(self, listener: Listener, total: int):
        self.listener = listener
        self.total = total
        self.before = 0

    def say(self, doing: str) -> None:
        """Says what is being done while no epoch passes."""
        self.listener(Stage(doing, self.before, self.total))

    def cohort(self, names: tuple[str, ...]) -> Told:
        """What a cohort tells."""
        start, total = self.before, self.total
        doing = f"training {', '.join(names)}"
        self.listener(Stage(f"compiling {', '.join(names)}", start, self.total, names))

        def trained(run_epochs: int, spared: int = 0, look: Look = nothing) -> None:
            self.before, self.total = start + run_epochs, total - spared
            self.listener(Stage(doing, self.before, self.total, names, look))

        return trained
