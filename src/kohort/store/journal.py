"""What a search has tried, as a file that grows by a line a round and that a killed search goes on from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kohort.errors import StudyError


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
        self.rounds: list[list[Tried]] = []
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        identity, self.rounds, size = read_journal(path)
        if size and identity != self._identity:
            other = [name for name in self._identity if identity.get(name) != self._identity[name]]
            raise StudyError(
                f"{path} is the journal of another search: {', '.join(other) or 'its entries'} differ. "
                "Name another folder, or remove the file to search anew."
            )
        if size < path.stat().st_size:
            with path.open("r+b") as file:  # a last line that was cut off is trained again
                file.truncate(size)

    def add(self, tried: Sequence[Tried]) -> None:
        """Keeps a round."""
        self.rounds.append(list(tried))
        if self._path is None:
            return
        new = not self._path.is_file() or not self._path.stat().st_size
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            if new:
                file.write(json.dumps(self._identity, ensure_ascii=False) + "\n")
            file.write(json.dumps([_written(own) for own in tried], ensure_ascii=False) + "\n")

    @property
    def tried(self) -> list[Tried]:
        """All candidates, in their order."""
        return [own for line in self.rounds for own in line]


def read_journal(path: Path) -> tuple[Mapping[str, Any], list[list[Tried]], int]:
    """What a journal holds, while it is being written perhaps.

    Args:
        path: Where it is.

    Returns:
        What decides the search's numbers, the rounds, and how many bytes these are: what follows is a line that was
        cut off.

    Raises:
        StudyError: A line before that cannot be read.
    """
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    try:
        identity, *rounds = [json.loads(line) for line in whole] or [{}]
        return identity, [[_tried(own) for own in line] for line in rounds], sum(map(len, whole))
    except (ValueError, TypeError, KeyError) as error:
        raise StudyError(f"{path}: a line cannot be read: {error}. Remove the file to search anew.") from error


def _written(tried: Tried) -> dict[str, Any]:
    return asdict(tried)  # −∞ is written as -Infinity, which json reads again


def _tried(told: dict[str, Any]) -> Tried:
    return Tried(**{**told, "curve": tuple(told["curve"])})
