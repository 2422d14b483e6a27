"""What a search has tried, as a file that grows by a line a cohort and that a killed search goes on from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kohort.errors import StudyError

LONGEST_TOLD = 50
"""Characters of a value that a refusal repeats."""


@dataclass(frozen=True)
class Tried:
    """A candidate that was trained.

    Attributes:
        number: Its number in the search, from 0.
        round: The round that it was part of, from 0.
        values: What was chosen, as the sampler knows it.
        recipe: The recipe.
        curve: The objective on validation rows by epoch; one wants it large.
        score: What it reached, smoothed over a few epochs; −∞: it diverged or could not be trained.
        epochs: After how many epochs that was.
        finished: Whether it trained to the end; else it left at a rung, diverged or could not be trained.
        why: Why it could not be trained; else empty.
    """

    number: int
    round: int
    values: Mapping[str, Any]
    recipe: str
    curve: tuple[float, ...]
    score: float
    epochs: int
    finished: bool
    why: str = ""


@dataclass(frozen=True)
class Line:
    """Candidates that ended together, as a journal keeps them.

    Attributes:
        asked: How many candidates their round has in all.
        seconds: Wall-clock seconds for them, those of the search's beginning included if they are a process' first.
        tried: The candidates.
    """

    asked: int
    seconds: float
    tried: tuple[Tried, ...]


@dataclass(frozen=True)
class Round:
    """Candidates that were asked for together.

    Attributes:
        asked: How many.
        tried: Those that have ended, by their number.
    """

    asked: int
    tried: tuple[Tried, ...]


class Journal:
    """The file of a search.

    Args:
        path: Where it is; None: nothing is kept.
        identity: What decides the search's numbers; a file of another search is refused.

    Raises:
        StudyError: The file is of another search, or damaged before its last line.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any]):
        self._path, self._identity = path, json.loads(json.dumps(identity))
        self.lines: list[Line] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                self._read(path)
            if not self.lines:  # one that was begun and tried nothing is nobody's
                path.write_text(json.dumps(self._identity, ensure_ascii=False) + "\n", "utf-8")

    def _read(self, path: Path) -> None:
        identity, self.lines, size = read_journal(path)
        if self.lines and identity != self._identity:
            raise StudyError(
                f"{path} is the journal of another search: {'; '.join(_differences(identity, self._identity))}. "
                "Name another folder, or remove the file to search anew."
            )
        if self.lines and size < path.stat().st_size:
            with path.open("r+b") as file:  # a last line that was cut off is trained again
                file.truncate(size)

    def add(self, line: Line) -> None:
        """Keeps candidates that have ended."""
        self.lines.append(line)
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(asdict(line), ensure_ascii=False) + "\n")  # −∞ as -Infinity, which json reads again

    @property
    def rounds(self) -> list[Round]:
        """The rounds; of one that was interrupted the candidates that had ended."""
        return rounds_of(self.lines)

    @property
    def tried(self) -> list[Tried]:
        """All candidates, in their order."""
        return [own for one in self.rounds for own in one.tried]

    @property
    def seconds(self) -> float:
        """Wall-clock seconds for all candidates, those of earlier processes included."""
        return sum(line.seconds for line in self.lines)


def rounds_of(lines: Sequence[Line]) -> list[Round]:
    """The rounds that lines are of, in their order."""
    by_round: dict[int, list[Line]] = {}
    for line in lines:
        by_round.setdefault(line.tried[0].round, []).append(line)
    return [
        Round(own[0].asked, tuple(sorted((one for line in own for one in line.tried), key=lambda one: one.number)))
        for _, own in sorted(by_round.items())
    ]


def read_journal(path: Path) -> tuple[Mapping[str, Any], list[Line], int]:
    """What a journal holds, while it is being written perhaps.

    Args:
        path: Where it is.

    Returns:
        What decides the search's numbers, the lines, and how many bytes these are: what follows is a line that was
        cut off.

    Raises:
        StudyError: A line before that cannot be read.
    """
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    try:
        identity, *lines = [json.loads(line) for line in whole] or [{}]
        return identity, [_line(own) for own in lines], sum(map(len, whole))
    except (ValueError, TypeError, KeyError) as error:
        raise StudyError(f"{path}: a line cannot be read: {error}. Remove the file to search anew.") from error


def _line(told: dict[str, Any]) -> Line:
    tried = tuple(Tried(**{**own, "curve": tuple(own["curve"])}) for own in told["tried"])
    return Line(told["asked"], told["seconds"], tried)


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """In words; of what is long, such as spaces, fingerprints and code, only that it differs."""
    found = []
    for name in {**theirs, **ours}:
        there, here = (json.dumps(own.get(name), ensure_ascii=False) for own in (theirs, ours))
        if there != here:
            short = max(len(there), len(here)) <= LONGEST_TOLD
            found.append(f"{name} is {there} there and {here} here" if short else f"{name} differs")
    return found
