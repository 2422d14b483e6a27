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
        lines = path.read_text("utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]  # a last line that was cut off is trained again
        try:
            told = [json.loads(line) for line in whole]
        except ValueError as error:
            raise StudyError(f"{path}: a line cannot be read: {error}. Remove the file to search anew.") from error
        if told and told[0] != self._identity:
            other = [name for name in self._identity if told[0].get(name) != self._identity[name]]
            raise StudyError(
                f"{path} is the journal of another search: {', '.join(other) or 'its entries'} differ. "
                "Name another folder, or remove the file to search anew."
            )
        self.rounds = [[_tried(own) for own in line] for line in told[1:]]
        if whole != lines:
            path.write_text("".join(whole), "utf-8")

    def add(self, tried: Sequence[Tried]) -> None:
        """Keeps a round."""
        self.rounds.append(list(tried))
        if self._path is None:
            return
        new = not self._path.is_file() or not self._path.stat().st_size
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            if new:
                file.write(json.dumps(self._identity, ensure_ascii=False) + "\n")
            file.write(json.dumps([_written(own) for own in tried], ensure_ascii=False) + "\n")

    @property
    def tried(self) -> list[Tried]:
        """All candidates, in their order."""
        return [own for line in self.rounds for own in line]


def _written(tried: Tried) -> dict[str, Any]:
    return asdict(tried)  # −∞ is written as -Infinity, which json reads again


def _tried(told: dict[str, Any]) -> Tried:
    return Tried(**{**told, "curve": tuple(told["curve"])})
