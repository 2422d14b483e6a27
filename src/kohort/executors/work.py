"""What an executor is given and gives back: pieces of a study, and their runs."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from kohort.progress import Listener
from kohort.run import Failure, Run


@dataclass(frozen=True)
class Piece:
    """Some recipes under some seeds, trained by one worker.

    Attributes:
        recipes: The recipes' names.
        seeds: The seeds.
        run_epochs: The epochs of all of its runs together.
    """

    recipes: tuple[str, ...]
    seeds: tuple[int, ...]
    run_epochs: int

    def __str__(self) -> str:
        seeds = f"seed {self.seeds[0]}" if len(self.seeds) == 1 else f"seeds {self.seeds[0]} to {self.seeds[-1]}"
        return f"{', '.join(self.recipes)}, {seeds}"


@dataclass(frozen=True)
class Ended:
    """A piece that has been trained.

    Attributes:
        piece: The piece.
        cohorts: For each cohort its recipes and its runs, tested; without what builds their models.
        separate: Why recipes did not train in one program.
        failures: The runs that could not be trained.
        warnings: What Python warned of, as texts.
    """

    piece: Piece
    cohorts: tuple[tuple[tuple[str, ...], tuple[Run, ...]], ...]
    separate: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()


class Work(Protocol):
    """A study, as a worker has it."""

    def train(self, piece: Piece, heard: Listener) -> Ended:
        """Trains a piece."""
        ...


class Executor(Protocol):
    """Trains the pieces of a study somewhere.

    It is entered before the first piece and left after the last.
    """

    def __enter__(self) -> "Executor":
        """Reaches the workers."""
        ...

    def __exit__(self, *_: object) -> None:
        """Lets them go."""
        ...

    @property
    def pieces(self) -> int:
        """Into how many pieces, about, work should be cut."""
        ...

    def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
        """Trains pieces, and gives each as soon as it has ended, in any order; closed before the end, it stops them."""
        ...
