"""The runs of a study on the workers of a Ray cluster; the only file that knows Ray."""

import logging
import math
import os
import warnings
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray import exceptions

from kohort.errors import DataError, StudyError
from kohort.executors.cores import take_cores
from kohort.executors.work import Ended, Piece, Work
from kohort.progress import Listener, Pace, Stage
from kohort.run import Failure
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
    folder has one writer. The numbers are those of the same study trained here: workers have the same versions and the
    same kind of devices, as many or one as this process has, or are refused.

    A piece whose worker is lost is trained by another, cut in half, so that what kills its worker stands alone in the
    end; a single run that has lost several workers is given up, and the others go on.

    Args:
        address: The cluster: `"auto"` for the one that this machine belongs to, or `"host:port"`; None for the one that
            Ray is connected to already, else workers on this machine. For what workers need besides (`runtime_env`),
            call `ray.init` first.
        cpus: CPUs of a worker. On its machine it is bound to so many cores that no other worker has.
        gpus: GPUs of a worker; without any it trains on CPUs, whatever its machine has.
        pieces_per_worker: Into how many pieces for each worker the work is cut. More lose less with a worker and are
            shared out more evenly; each traces its recipes anew, some tenths of a second for each.
        retries: How often a single run that has lost its worker is given to another.

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
        retries: int = 3,
    ):
        for name, value, least, whole in (
            ("cpus", cpus, 0.01, False),
            ("gpus", gpus, 0, False),
            ("pieces_per_worker", pieces_per_worker, 1, True),
            ("retries", retries, 0, True),
        ):
            kinds = int if whole else (int, float)
            if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value < math.inf:
                told = "whole number" if whole else "number"
                raise DataError(f"{name} must be a {told} of at least {least:g}. Got {value!r}.")
        self.address, self.cpus, self.gpus = address, cpus, gpus
        self.pieces_per_worker, self.retries = pieces_per_worker, retries
        self._connected_here = False

    def __enter__(self) -> "Ray":
        if not ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            here = {"num_cpus": cores(), "include_dashboard": False} if self.address is None else {}
            try:
                with warnings.catch_warnings():
                    # what Ray forks becomes another program at once
                    warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
                    ray.init(self.address or "local", logging_level=logging.ERROR, log_to_driver=False, **here)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise StudyError(
                    f"the Ray cluster {self.address or 'of this machine'!r} must be there. Got {error}. Start it with "
                    "`ray start --head`, or name another."
                ) from error
            self._connected_here = True
        if not self._room():
            has = ray.cluster_resources()
            self.__exit__()
            raise StudyError(
                f"the Ray cluster must have room for a worker of {self.cpus:g} CPUs and {self.gpus:g} GPUs. Got "
                f"{has.get('CPU', 0.0):g} CPUs and {has.get('GPU', 0.0):g} GPUs. Ask for less, or add nodes first."
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._connected_here:
            self._connected_here = False
            ray.shutdown()

    def _room(self) -> int:
        has = ray.cluster_resources()
        room = [has.get("CPU", 0.0) / self.cpus]
        room += [has.get("GPU", 0.0) / self.gpus] if self.gpus else []
        return int(min(room))

    @property
    def workers(self) -> int:
        """How many workers the cluster has room for; at least 1, for which Ray waits where nodes have left."""
        return max(1, self._room())

    @property
    def pieces(self) -> int:
        """Into how many pieces, about, work should be cut."""
        return self.workers * self.pieces_per_worker

    def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
        """Trains pieces, and gives each as soon as it has ended; closed before the end, it stops the others."""
        given = ray.put(work)
        going: dict[Any, tuple[Piece, int]] = {}
        progress = _Progress.options(num_cpus=0).remote()
        total, done = sum(piece.run_epochs for piece in pieces), 0
        # variables of their own: these workers are shared with no other task, which would find itself bound to a core
        variables = {"KOHORT_WORKER": f"{self.cpus:g} CPUs, {self.gpus:g} GPUs"}
        variables |= {name: os.environ[name] for name in ("JAX_NUM_CPU_DEVICES",) if name in os.environ}
        variables |= {} if self.gpus else {"JAX_PLATFORMS": "cpu"}
        options = {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "max_retries": 0,
            "runtime_env": {"env_vars": variables},
        }
        own_cores = int(self.cpus) if self.cpus == int(self.cpus) and not self.gpus else 0

        def submit(piece: Piece, losses: int) -> None:
            going[_trained.options(**options).remote([given], piece, own_cores, progress)] = (piece, losses)

        for piece in pieces:
            submit(piece, 0)
        told = f"training on {self.workers} workers"
        pace, under_way = Pace(POLL), 0

        def look() -> None:
            nonlocal under_way
            under_way = _under_way(progress)

        try:
            while going:
                ready, _ = ray.wait(list(going), timeout=POLL)
                for task in ready:
                    piece, losses = going.pop(task)
                    try:
                        ended: Ended = ray.get(task)
                    except LOST as error:
                        halves = _halves(piece)
                        if len(halves) > 1 or losses < self.retries:
                            for smaller in halves:
                                submit(smaller, losses + 1 if len(halves) == 1 else 0)
                            continue
                        ended = _given_up(piece, losses + 1, error)
                    except exceptions.RayTaskError as error:
                        cause = error.as_instanceof_cause()
                        raise (error.cause or cause) from cause
                    done += piece.run_epochs
                    yield ended
                pace(look)
                heard(Stage(told, min(total, done + under_way), total))
        finally:
            for task in going:
                ray.cancel(task, force=True)


def _under_way(progress: Any) -> int:
    """The epochs that pieces in training have trained, as far as it is known."""
    with suppress(exceptions.RayError):
        return ray.get(progress.under_way.remote(), timeout=POLL)
    return 0


def _given_up(piece: Piece, losses: int, error: Exception) -> Ended:
    """A single run that lost worker after worker."""
    told = (str(error).strip().splitlines() or [type(error).__name__])[0]
    cause = f"its worker was lost {losses} times, at last: {told}"
    return Ended(piece, (), failures=(Failure(piece.recipes[0], piece.seeds[0], "interrupted", cause),))


@ray.remote
class _Progress:
    """How far the pieces in training are."""

    def __init__(self) -> None:
        self._epochs: dict[Piece, int] = {}

    def tell(self, piece: Piece, run_epochs: int) -> None:
        self._epochs[piece] = run_epochs

    def ended(self, piece: Piece) -> None:
        self._epochs.pop(piece, None)

    def under_way(self) -> int:
        return sum(self._epochs.values())


@ray.remote
def _trained(work: Any, piece: Piece, own_cores: int, progress: Any) -> Ended:
    """Trains a piece in a worker.

    Args:
        work: The study's reference, in a list: it is read when the process is bound to its cores.
        piece: What to train.
        own_cores: To how many cores the worker is bound; 0: to none.
        progress: Told how far it is.
    """
    if own_cores:
        take_cores(own_cores)
    pace = Pace(POLL)

    def heard(stage: Stage) -> None:
        pace(lambda: progress.tell.remote(piece, stage.run_epochs))

    own: Work = ray.get(work[0])
    try:
        return own.train(piece, heard)
    finally:
        progress.ended.remote(piece)


def _halves(piece: Piece) -> list[Piece]:
    """A piece in two, by its seeds or else by its recipes; a single run as it is."""
    each = piece.run_epochs // (len(piece.seeds) * len(piece.recipes))

    def part(recipes: tuple[str, ...], seeds: tuple[int, ...]) -> Piece:
        return Piece(recipes, seeds, each * len(recipes) * len(seeds))

    if len(piece.seeds) > 1:
        middle = len(piece.seeds) // 2
        return [part(piece.recipes, own) for own in (piece.seeds[:middle], piece.seeds[middle:])]
    if len(piece.recipes) > 1:
        middle = len(piece.recipes) // 2
        return [part(own, piece.seeds) for own in (piece.recipes[:middle], piece.recipes[middle:])]
    return [piece]
