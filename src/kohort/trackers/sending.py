"""Telling trackers of a study's runs, such that a tracker that fails costs no run."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from kohort.errors import KohortError
from kohort.report.document import Document
from kohort.run import Run
from kohort.store.identity import Identity
from kohort.trackers.tracker import Tracker, TrackerLog


class Sending:
    """Tells trackers of the runs of a study while it runs; one that fails is told no more, and a warning says why.

    Args:
        trackers: The trackers.
        identity: What the study is.
    """

    def __init__(self, trackers: Sequence[Tracker], identity: Identity):
        self._trackers, self._identity = tuple(trackers), identity
        self._going: list[tuple[Tracker, TrackerLog]] = []

    def __enter__(self) -> "Sending":
        for tracker in self._trackers:
            self._guarded(tracker, lambda own=tracker: self._going.append((own, own.open(self._identity))))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._each(lambda log: log.leave())

    def runs(self, runs: Iterable[Run]) -> None:
        """Tells of runs that have ended."""
        for run in runs:
            self._each(lambda log, run=run: log.add(run))

    def finish(self, made: Callable[[], Document | None]) -> None:
        """Tells what the study says.

        Args:
            made: Makes its report; asked only where there is a tracker, for it takes some time.
        """
        document = None
        if self._going:
            try:
                document = made()
            except Exception as error:  # a report that fails costs no result
                warnings.warn(f"trackers are told of no verdicts: {error or type(error).__name__}.", stacklevel=3)
        self._each(lambda log: log.finish(document))

    def _each(self, tell: Callable[[TrackerLog], None]) -> None:
        for tracker, log in list(self._going):
            self._guarded(tracker, lambda log=log: tell(log))

    def _guarded(self, tracker: Tracker, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:  # whatever a tracker fails of, the study goes on
            for _, log in (own for own in self._going if own[0] is tracker):
                with suppress(Exception):  # it has failed already, and is told so that it does not wait
                    log.leave()
            self._going = [own for own in self._going if own[0] is not tracker]
            warnings.warn(
                f"{_failed(tracker, error)} The study goes on without it and loses no run: tell it later, by "
                "result.log_to(…) or `kohort track FOLDER`.",
                stacklevel=3,
            )


def send(tracker: Tracker, identity: Identity, runs: Iterable[Run], document: Callable[[], Document | None]) -> None:
    """Tells a tracker of a study that has run; what it knows already it is not told again.

    Args:
        tracker: The tracker.
        identity: What the study is.
        runs: Its runs.
        document: Makes its report; None where there is nothing to compare.

    Raises:
        KohortError: The tracker fails.
    """
    try:
        log = tracker.open(identity)
        for run in runs:
            log.add(run)
        log.finish(document())
    except KohortError:
        raise
    except Exception as error:
        raise KohortError(
            f"{_failed(tracker, error)} Mend it and tell it again: what it has it is not sent."
        ) from error


def _failed(tracker: Tracker, error: Exception) -> str:
    told = " ".join(str(error).split()) or type(error).__name__
    return f"{tracker}: the tracker must take runs. Got {told if len(told) < 400 else told[:399] + '…'}."
