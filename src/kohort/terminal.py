"""What is shown while networks train: a terminal has a bar with the remaining time and a line for each cohort.

A file, a pipe or a notebook gets a line a minute, so that a long training can be followed in its log.
"""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from kohort.progress import Band, CohortNow, Cohorts, Pace, Remaining, Stage

MOST_LINES = 12
"""Cohorts that have a line; the last ones, where there are more."""

SECONDS_A_LINE = 60.0
"""Between two lines where there is no terminal; what takes less says nothing."""


class Display:
    """On standard error: a live display, or a line a minute where that is no terminal. It honours NO_COLOR."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(file=sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),  # names of recipes are data
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("run-epochs"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._live = Live(
            self._bar,
            console=console,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=sys.stdout.isatty(),  # what is printed into a file or a pipe goes there, not to the display
        )
        self._shows = console.is_terminal
        self._task: TaskID | None = None
        self._cohorts = Cohorts()
        self._pace = Pace(0.5)
        self._lines = Lines(console)

    def __enter__(self) -> "Display":
        if self._shows:
            self._live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._shows:
            self._live.stop()

    def __call__(self, stage: Stage) -> None:
        """Moves the bar, and looks at the cohort in work."""
        if not self._shows:
            self._lines(stage)
            return
        if self._task is None:
            self._task = self._bar.add_task(_short(stage.doing), total=stage.total)
        self._bar.update(self._task, description=_short(stage.doing), completed=stage.run_epochs, total=stage.total)
        self._cohorts.hear(stage)
        self._pace(self._look)

    def _look(self) -> None:
        if cohorts := self._cohorts.look():
            self._live.update(Group(cohorts_table(cohorts[-MOST_LINES:]), self._bar))


class Lines:
    """A line from time to time, and at no cost: cohorts are not looked at.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._remaining = Remaining()
        self._pace = Pace(SECONDS_A_LINE, wait=SECONDS_A_LINE)

    def __call__(self, stage: Stage) -> None:
        """Says where the training stands, if it is time."""
        self._remaining.hear(stage)
        self._pace(lambda: self._say(stage))

    def _say(self, stage: Stage) -> None:
        left = self._remaining.seconds(stage)
        told = [
            f"{_short(stage.doing)}: {stage.run_epochs} of {stage.total} run-epochs",
            f"after {(time.monotonic() - self._began) / 60:.0f} min",
            *([] if left is None else [f"about {left / 60:.1f} min left"]),
        ]
        self._console.print(Text(", ".join(told)), soft_wrap=True)  # names of recipes are data


def cohorts_table(cohorts: Sequence[CohortNow]) -> Table:
    """A line for each cohort: members, epoch, how many still run, the best so far."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("cohort", max_width=40, no_wrap=True, overflow="ellipsis")
    for heading in ("members", "epoch", "running", "diverged", "best so far"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for own in cohorts:
        shown.add_row(
            Text(", ".join(own.recipes)),  # a name is data, never markup
            str(own.members),
            f"{own.epoch}/{own.epochs}",
            str(own.going),
            str(own.diverged or ""),
            Text(best_so_far(own.logs)),
        )
    return shown


def best_so_far(logs: Mapping[str, Mapping[str, Band]]) -> str:
    """The recipe that does best in its last epoch: by validation accuracy, else validation loss, else loss."""
    for name, choose in (("val_accuracy", max), ("val_loss", min), ("loss", min)):
        found = [(own[name].mean[-1], recipe) for recipe, own in logs.items() if name in own and len(own[name].mean)]
        found = [(value, recipe) for value, recipe in found if math.isfinite(value)]
        if found:
            value, recipe = choose(found)
            return f"{recipe if len(logs) > 1 else ''} {name} {value:.4f}".strip()
    return ""


def _short(text: str, width: int = 60) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
