"""Progress as events: the training loop tells a listener; who listens decides what the user sees."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@dataclass(frozen=True)
class Stage:
    """Where a training call stands.

    Attributes:
        doing: In words: what is being done, to whom.
        run_epochs: Epochs trained so far, summed over all runs of the call.
        total: All epochs that will be trained, summed over all runs.
        cohort: The recipes now in work, empty before the first cohort.
    """

    doing: str
    run_epochs: int
    total: int
    cohort: tuple[str, ...] = ()


class Listener(Protocol):
    """Hears of progress."""

    def __call__(self, stage: Stage) -> None:
        """Takes note of where the training stands."""
        ...


def silent(stage: Stage) -> None:
    """Hears and says nothing."""


class Bar:
    """A progress bar with the remaining time, on standard error; nothing where that is no terminal."""

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),  # names of recipes are data
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("run-epochs"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def __call__(self, stage: Stage) -> None:
        """Moves the bar."""
        if self._task is None:
            self._task = self._bar.add_task(stage.doing, total=stage.total)
        self._bar.update(self._task, description=stage.doing, completed=stage.run_epochs, total=stage.total)


class Counter:
    """Turns the epochs of one cohort after another into stages of the whole call."""

    def __init__(self, listener: Listener, total: int):
        self.listener = listener
        self.total = total
        self.before = 0

    def say(self, doing: str) -> None:
        """Says what is being done while no epoch passes."""
        self.listener(Stage(doing, self.before, self.total))

    def cohort(self, names: tuple[str, ...]) -> Callable[[int, int], None]:
        """A function that takes how many run-epochs a cohort has trained so far, and how many it never will."""
        start, total = self.before, self.total
        doing = f"training {', '.join(names)}"
        self.listener(Stage(f"compiling {', '.join(names)}", start, self.total, names))

        def trained(run_epochs: int, spared: int = 0) -> None:
            self.before, self.total = start + run_epochs, total - spared
            self.listener(Stage(doing, self.before, self.total, names))

        return trained
