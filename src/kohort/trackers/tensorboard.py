"""TensorBoard: event files, a folder for each run. The only file that imports tensorboardX."""

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from kohort.report.document import Document
from kohort.run import Run
from kohort.store.identity import Identity
from kohort.trackers.tracker import at_the_end, by_epoch, key_of, parameters, verdicts_of

PART = ".part"
"""Ends the name of a folder that is being written."""


@dataclass(frozen=True)
class TensorBoard:
    """Writes event files that `tensorboard --logdir FOLDER` shows; TensorBoard itself is not needed to write them.

    Each run has a folder, `data-key/recipe/seed 3`: its logs by epoch as scalars, its recipe's strengths, seed, epochs
    and batch size for the table HParams, with its last logs and test score. A folder that is there is left as it is.

    Args:
        folder: Where; it is made if it is not there.
    """

    folder: str | Path

    def __str__(self) -> str:
        return f"TensorBoard in {self.folder}"

    def open(self, identity: Identity) -> "TensorBoardLog":
        """Opens a study.

        Args:
            identity: What the study is.
        """
        own = Path(self.folder) / f"{_name(identity.dataset)}-{key_of(identity)[:8]}"
        own.mkdir(parents=True, exist_ok=True)
        return TensorBoardLog(own, identity)


class TensorBoardLog:
    """A study's event files.

    Args:
        folder: Where they are.
        identity: What the study is.
    """

    def __init__(self, folder: Path, identity: Identity):
        self._folder, self._identity = folder, identity

    def add(self, run: Run) -> None:
        """Writes a run that has ended, unless it is there."""
        what = self._identity.recipes.get(run.recipe, run.recipe)
        of_code = "" if what == run.recipe else f" {hashlib.sha256(what.encode()).hexdigest()[:6]}"  # which may change
        folder = self._folder / f"{_name(run.recipe)}{of_code}" / f"seed {run.seed}"
        if not folder.exists():
            _write(folder, lambda writer: self._add(run, writer))

    def finish(self, document: Document | None) -> None:
        """Writes the verdicts as text, in place of those that are there."""
        if document is None:
            return
        folder = self._folder.with_name(f"{self._folder.name} verdicts")  # beside it, for a recipe may have any name
        shutil.rmtree(folder, ignore_errors=True)
        _write(folder, lambda writer: writer.add_text("verdicts", verdicts_of(document)))

    def leave(self) -> None:
        """Does nothing: each run is whole."""

    def _add(self, run: Run, writer: SummaryWriter) -> None:
        # without a summary of the whole experiment TensorBoard finds the columns of HParams from all runs: recipes have
        # different strengths, and it would take those of one run for all
        _, started, ended = hparams(parameters(run, self._identity), {})
        assert writer.file_writer is not None
        writer.file_writer.add_summary(started)
        for log, values in by_epoch(run).items():
            for epoch, value in zip(run.epoch, values, strict=False):
                writer.add_scalar(log, value, epoch)
        last = run.epoch[-1] if run.epoch else 0
        for name, value in at_the_end(run).items():
            writer.add_scalar(name, value, last)
        writer.file_writer.add_summary(ended)


def _write(folder: Path, tell: Callable[[SummaryWriter], None]) -> None:
    """Writes event files into a folder that is there only when they are whole."""
    part = folder.with_name(folder.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    with SummaryWriter(logdir=str(part)) as writer:
        tell(writer)
    part.rename(folder)


def _name(told: str) -> str:
    """A name for a folder, the same for the same text and another for another, on any system.

    >>> _name("dropout 0.3 + adamw")
    'dropout 0.3 + adamw'
    >>> _name("../l2").startswith("_._l2-")
    True
    """
    kept = re.sub(r"[^\w .+=-]|^\.|\.$", "_", told)[:80].strip()
    return kept if kept == told else f"{kept}-{hashlib.sha256(told.encode()).hexdigest()[:6]}"
