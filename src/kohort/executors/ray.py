"""The runs of a study on the workers of a Ray cluster; the only file that knows Ray."""

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray import exceptions

from kohort.errors import DataError, StudyError
from kohort.executors.cores import take_cores
from kohort.executors.work import Ended, Piece, Work
from kohort.progress import Listener, Pace, Stage
from kohort.runtime import cores

LOST = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.ObjectLostError,
    exceptions.OutOfMemoryError,
    exceptions.LocalRayletDiedError,
    exceptions.TaskUnschedulableError,
)
"""What happens to a worker and not to its work, which another can take up."""

POLL = 1.0  # seconds between two looks at how far the workers are


class Ray:
    """Trains a study's runs on the workers of a Ray cluster: `study.run(executor=kohort.executors.Ray(…))`.

    A worker gets the data once, through Ray's object store, and trains pieces of the study, some recipes under some
    seeds each. Runs that have ended come back as soon as their piece has, and this process keeps them: the study's
    folder has one writer. A piece whose worker is lost is trained by another. The numbers are those of the same study
    trained here, as long as the machines are of one kind: workers have as many devices as this process, one or several.

    Args:
        address: The cluster: `"auto"` for the one that this machine belongs to, `"host:port"`, or `"ray://…"`; None for
            the one that Ray is connected to already, else workers on this machine.
        cpus: CPUs of a worker. On its machine it is bound to so many cores that no other worker has.
        gpus: GPUs of a worker.
        pieces_per_worker: Into how many pieces for each worker the work is cut. More lose less with a worker and are
            shared out more evenly; each traces its recipes anew, some tenths of a second for each.
        retries: How often a piece is given to another worker before that is an error. Every loss halves a piece of
            several seeds, so that what kills its worker stands alone in the end.

    Raises:
        DataError: A number makes no sense.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: float = 1,
        gpus: float = 0,
        pieces_per_worker: int = 2,
        retries: int = 20,
    ):
        for name, value, least in (
            ("cpus", cpus, 0.01),
            ("gpus", gpus, 0),
            ("pieces_per_worker", pieces_per_worker, 1),
            ("retries", retries, 0),
        ):
            if not isinstance(value, int | float) or isinstance(value, bool) or not value >= least:
                raise DataError(f"{name} must be a number of at least {least:g}. Got {value!r}.")
        self.address, self.cpus, self.gpus = address, cpus, gpus
        self.pieces_per_worker, self.retries = int(pieces_per_worker), int(retries)
        self._connected_here = False

    def __enter__(self) -> "Ray":
        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            here = {"num_cpus": cores(), "include_dashboard": False} if self.address is None else {}
            try:
                with warnings.catch_warnings():
                    # what Ray forks becomes another program at once
                    warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
                    ray.init(self.address, logging_level=logging.ERROR, log_to_driver=False, **here)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise StudyError(
                    f"the Ray cluster {self.address or 'of this machine'!r} must be there. Got {error}. Start it with "
                    "`ray start --head`, or name another."
                ) from error
            self._connected_here = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._connected_here:
            self._connected_here = False
            ray.shutdown()

    @property
    def workers(self) -> int:
        """How many workers the cluster has room for; at least 1, for which Ray then waits."""
        has = ray.cluster_resources()
        room = [has.get("CPU", 0.0) / self.cpus]
        room += [has.get("GPU", 0.0) / self.gpus] if self.gpus else []
        return max(1, int(min(room)))

    @property
    def pieces(self) -> int:
        """Into how many pieces, about, work should be cut."""
        return self.workers * self.pieces_per_worker

    def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Iterator[Ended]:
        """Trains pieces, and gives each as soon as it has ended.

        Raises:
            StudyError: A piece has been lost with its worker more often than `retries`.
        """
        given = ray.put(work)
        going: dict[Any, tuple[Piece, int]] = {}
        progress = _Progress.options(num_cpus=0).remote()
        total, done = sum(piece.run_epochs for piece in pieces), 0
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": 0}
        own_cores = int(self.cpus) if self.cpus == int(self.cpus) and not self.gpus else 0
        environment = {name: os.environ[name] for name in ("JAX_NUM_CPU_DEVICES", "XLA_FLAGS") if name in os.environ}

        def submit(piece: Piece, losses: int) -> None:
            task = _trained.options(**options).remote([given], piece, environment, own_cores, progress)
            going[task] = (piece, losses)

        for piece in pieces:
            submit(piece, 0)
        told = f"training on {self.workers} workers"
        try:
            while going:
                heard(Stage(told, done, total))
                ready, _ = ray.wait(list(going), timeout=POLL)
                for task in ready:
                    piece, losses = going.pop(task)
                    try:
                        ended: Ended = ray.get(task)
                    except LOST as error:
                        if losses >= self.retries:
                            raise StudyError(
                                f"{piece}: its worker must live until it has trained. It was lost {losses + 1} times, "
                                f"at last: {_first_line(error)} Give workers more memory, or cohorts fewer members."
                            ) from error
                        for smaller in _halves(piece):
                            submit(smaller, losses + 1)
                    except exceptions.RayTaskError as error:
                        cause = error.as_instanceof_cause()
                        raise (error.cause or cause) from cause
                    else:
                        done += piece.run_epochs
                        yield ended
                heard(Stage(told, min(total, done + self._under_way(progress, going)), total))
        finally:
            for task in going:
                ray.cancel(task, force=True)

    def _under_way(self, progress: Any, going: Mapping[Any, tuple[Piece, int]]) -> int:
        """The epochs that pieces in training have trained, as far as it is known."""
        with suppress(exceptions.RayError):
            known: dict[Piece, int] = ray.get(progress.known.remote(), timeout=POLL)
            return sum(known.get(piece, 0) for piece, _ in going.values())
        return 0


@ray.remote
class _Progress:
    """How far the pieces are."""

    def __init__(self) -> None:
        self._epochs: dict[Piece, int] = {}

    def tell(self, piece: Piece, run_epochs: int) -> None:
        self._epochs[piece] = run_epochs

    def known(self) -> dict[Piece, int]:
        return self._epochs


@ray.remote
def _trained(work: Any, piece: Piece, environment: Mapping[str, str], own_cores: int, progress: Any) -> Ended:
    """Trains a piece in a worker.

    Args:
        work: The study's reference, in a list: it is read when JAX knows what to start with.
        piece: What to train.
        environment: What the study's own process has started JAX with.
        own_cores: To how many cores the worker is bound; 0: to none.
        progress: Told how far it is.
    """
    os.environ.update(environment)
    if own_cores:
        take_cores(own_cores)
    pace = Pace(POLL)

    def heard(stage: Stage) -> None:
        pace(lambda: progress.tell.remote(piece, stage.run_epochs))

    own: Work = ray.get(work[0])
    return own.train(piece, heard)


def _halves(piece: Piece) -> list[Piece]:
    middle = len(piece.seeds) // 2
    halves = [piece.seeds[:middle], piece.seeds[middle:]] if middle else [piece.seeds]
    each = piece.run_epochs // len(piece.seeds)
    return [Piece(piece.recipes, seeds, each * len(seeds)) for seeds in halves]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
