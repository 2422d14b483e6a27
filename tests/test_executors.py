"""Runs that others train are the runs that are trained here, whoever is lost on the way."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kohort
from benchmarks.ray_workers import workers
from kohort.errors import DataError, StudyError
from kohort.executors.work import Ended, Piece, Work
from kohort.progress import Listener, Stage
from kohort.recipes.compose import recipes_for
from kohort.recipes.design import Problem
from kohort.run import Failure, Run
from kohort.study.pieces import cut
from kohort.study.rounds import Rounds

pytestmark = pytest.mark.optimised


RECIPES = ["none", "l2=0.01", "dropout=0.3", "batchnorm"]


def study(folder: Path | None = None, recipes: Sequence[str] = RECIPES, **options: Any) -> kohort.Study:
    given: dict[str, Any] = {"seeds": 4, "epochs": 2} | options
    return kohort.Study(list(recipes), kohort.data.named("wdbc"), folder=folder, **given)


def assert_same(own: kohort.Runs[Any], other: kohort.Runs[Any]) -> None:
    """Bit for bit."""
    assert list(own) == list(other)
    for key, run in own.items():
        far = other[key]
        assert run.history == far.history, key
        assert all(map(np.array_equal, run.weights, far.weights)), key
        assert run.test is not None
        assert far.test is not None
        assert np.array_equal(run.test.outcomes, far.test.outcomes), key
        for name in set(run.diagnostics) - {"seconds"}:
            assert np.array_equal(run.diagnostics[name], far.diagnostics[name], equal_nan=True), (key, name)


class Here:
    """An executor of this process, that trains pieces in the other order."""

    pieces = 3

    def __init__(self) -> None:
        self.seen: list[Piece] = []
        self.entered = 0

    def __enter__(self) -> "Here":
        self.entered += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.entered -= 1

    def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
        assert self.entered == 1
        for piece in reversed(pieces):
            self.seen.append(piece)
            yield work.train(piece, heard)


# pieces


PROBLEM = Problem((6,), 3, "multiclass", 3, 2)


@pytest.mark.parametrize(("seeds", "count"), [(20, 4), (20, 7), (3, 8), (1, 2), (1, 50), (2, 3)])
def test_pieces_hold_every_run_once_and_parts_of_seeds_are_even(seeds: int, count: int) -> None:
    texts = ["none", "dropout=0.1", "dropout=0.2", "dropout=0.3", "batchnorm", "batchnorm+dropout=0.2"]
    recipes = recipes_for(texts, PROBLEM)
    pieces = cut(recipes, range(seeds), count, 5)
    runs = [(name, seed) for piece in pieces for name in piece.recipes for seed in piece.seeds]
    assert sorted(runs) == sorted((recipe.name, seed) for recipe in recipes for seed in range(seeds))
    assert sum(piece.run_epochs for piece in pieces) == 5 * len(runs)
    sizes = {len(piece.seeds) for piece in pieces}
    assert max(sizes) - min(sizes) <= 1
    if seeds >= count:
        assert len(pieces) == count
    else:
        assert len(pieces) >= min(count, 4 * seeds) - 1  # there are four kinds of recipes
    for piece in pieces:  # strengths of a technique share a program, so they stay together
        assert len({"dropout 0.1", "dropout 0.2", "dropout 0.3"} & set(piece.recipes)) in (0, 3)


# any executor


def test_runs_of_an_executor_are_those_of_this_process(tmp_path: Path) -> None:
    own = study().run(verbose=0)
    executor = Here()
    far = study(tmp_path / "study").run(verbose=0, executor=executor)
    assert len(executor.seen) == 3
    assert not executor.entered
    assert_same(own.runs, far.runs)
    assert set(map(frozenset, own.runs.cohorts)) == set(map(frozenset, far.runs.cohorts))
    again = Here()
    kept = study(tmp_path / "study").run(verbose=0, executor=again)
    assert not again.seen  # all is kept
    assert_same(own.runs, kept.runs)
    x = kohort.data.named("wdbc").x[:5].astype("float32")
    assert np.array_equal(
        own.model("dropout 0.3", 2).predict(x, verbose=0), far.model("dropout 0.3", 2).predict(x, verbose=0)
    )


def test_trackers_are_told_of_each_run_once_as_pieces_end(tmp_path: Path) -> None:
    told: list[tuple[str, int | None]] = []
    known: list[int] = []

    class Log:
        def add(self, run: Run) -> None:
            told.append((run.recipe, run.seed))

        def finish(self, document: Any) -> None:
            told.append(("finished", None))

        def leave(self) -> None:
            raise AssertionError

    class Tracker:
        def open(self, identity: Any) -> Log:
            return Log()

    class Watched(Here):
        def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
            for ended in super().train(work, pieces, heard):
                known.append(len(told))
                yield ended

    result = study(tmp_path, trackers=[Tracker()]).run(verbose=0, executor=Watched())
    assert sorted(told[:-1], key=str) == sorted(result.runs, key=str)
    assert told[-1] == ("finished", None)
    assert known[0] == 0 < known[1] < known[2]


def test_pieces_that_have_ended_are_kept_when_a_later_one_fails(tmp_path: Path) -> None:
    class Breaks(Here):
        def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
            yield work.train(pieces[0], heard)
            raise StudyError("the cluster is gone")

    with pytest.raises(StudyError, match="the cluster is gone"):
        study(tmp_path).run(verbose=0, executor=Breaks())
    rest = Here()
    far = study(tmp_path).run(verbose=0, executor=rest)
    trained = [(name, seed) for piece in rest.seen for name in piece.recipes for seed in piece.seeds]
    assert 0 < len(trained) < len(far.runs)
    assert_same(study().run(verbose=0).runs, far.runs)


def test_failures_and_warnings_come_back_once() -> None:
    class Fails(Here):
        def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
            for piece in pieces:
                ended = work.train(piece, heard)
                (names, runs), *others = ended.cohorts
                lost = Failure(names[0], piece.seeds[0], "out of memory", "too large")
                left: tuple[Run, ...] = tuple(run for run in runs if (run.recipe, run.seed) != (lost.recipe, lost.seed))
                yield Ended(piece, ((names, left), *others), ended.separate, (lost,), ("it is warm",))

    with pytest.warns(UserWarning, match="it is warm") as warned:
        result = study().run(verbose=0, executor=Fails())
    assert len(warned) == 1
    assert [(own.recipe, own.kind, own.cause) for own in result.failures] == [
        ("none", "out of memory", "too large")
    ] * 3
    assert len(result.runs) == 13


def test_a_process_of_other_versions_trains_nothing() -> None:
    class Elsewhere(Here):
        def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
            assert isinstance(work, Rounds)
            yield from super().train(replace(work, asked={**work.asked, "jax": "0.1"}), pieces, heard)

    with pytest.raises(StudyError, match=r"workers must be as the study's own process.* jax \S+ instead of 0\.1\. "):
        study().run(verbose=0, executor=Elsewhere())


def test_an_executor_is_stopped_when_what_it_gave_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[int] = []

    class Watched(Here):
        def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
            try:
                yield from super().train(work, pieces, heard)
            finally:
                stopped.append(self.entered)

    def full(*_: object) -> None:
        raise StudyError("the disk is full")

    monkeypatch.setattr("kohort.store.folder.StudyFolder.add", full)
    with pytest.raises(StudyError, match="the disk is full"):
        study(tmp_path).run(verbose=0, executor=Watched())
    assert stopped == [1]  # while it still had its workers


def test_a_piece_that_is_lost_is_cut_until_one_run_stands_alone() -> None:
    pytest.importorskip("ray")
    from kohort.executors.ray import _given_up, _halves

    piece = Piece(("none", "l2", "dropout"), (3, 4, 5), 90)
    going, runs = [piece], []
    while going:
        own = going.pop()
        parts = _halves(own)
        if parts == [own]:
            runs.append(own)
        else:
            assert sum(part.run_epochs for part in parts) == own.run_epochs
            going += parts
    assert sorted((own.recipes, own.seeds) for own in runs) == sorted(
        ((name,), (seed,)) for name in piece.recipes for seed in piece.seeds
    )
    (failure,) = _given_up(runs[0], 4, RuntimeError()).failures
    assert (failure.kind, failure.cause) == ("interrupted", "its worker was lost 4 times, at last: RuntimeError")


def test_ray_refuses_a_worker_that_has_no_room() -> None:
    pytest.importorskip("ray")
    with pytest.raises(StudyError, match="must have room for a worker of 1000 CPUs and 0 GPUs"):
        study().run(verbose=0, executor=kohort.executors.Ray(cpus=1000))


def test_cores_are_shared_out_and_free_when_their_process_ends(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("one core is nothing to share")
    code = textwrap.dedent("""
        import os, sys
        from kohort.executors.cores import take_cores
        taken = take_cores(1)
        print(*taken, "of", *sorted(os.sched_getaffinity(0)), flush=True)
        sys.stdin.read()
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path)}

    def worker() -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", code]
        return ended.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment))

    def said(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    with ExitStack() as ended:
        first, second = worker(), worker()
        assert {said(first), said(second)} == {f"{core} of {core}" for core in cores[:2]}
        first.kill()
        first.wait()
        third = worker()
        assert said(third) in {f"{core} of {core}" for core in cores}
        second.kill()
        third.kill()


def test_numbers_of_an_executor_are_checked_at_the_door() -> None:
    ray = pytest.importorskip("ray")
    assert ray
    for options in ({"cpus": 0}, {"gpus": -1}, {"pieces_per_worker": 1.5}, {"retries": -1}, {"cpus": np.inf}):
        with pytest.raises(DataError, match=f"{next(iter(options))} must be a (whole )?number of at least"):
            kohort.executors.Ray(**options)  # pyright: ignore[reportArgumentType]


# Ray


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ray_workers_give_the_same_numbers_though_they_are_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    stages: list[Stage] = []
    killed: list[int] = []
    done = threading.Event()

    def kill() -> None:
        while not done.is_set() and len(killed) < 2:
            fresh = [pid for pid in workers() if pid not in killed]
            if fresh:
                time.sleep(0.5)
                with suppress(ProcessLookupError):  # it has ended of itself
                    os.kill(fresh[0], signal.SIGKILL)
                    killed.append(fresh[0])
            time.sleep(0.1)

    executor = kohort.executors.Ray(pieces_per_worker=1)
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        far = study(tmp_path).run(listener=lambda stage: stages.append(stage), executor=executor)
    finally:
        done.set()
        thread.join()
    assert len(killed) == 2
    assert_same(study().run(verbose=0).runs, far.runs)
    assert stages[-1].run_epochs <= stages[-1].total == 4 * 4 * 2
    kept = study(tmp_path).run(verbose=0)  # on Ray, then here
    assert_same(far.runs, kept.runs)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Ray's cluster leaves pipes open
def test_a_node_that_leaves_takes_nothing_with_it(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    leave, left = threading.Event(), threading.Event()

    def gone() -> None:
        while not leave.is_set():
            if len(workers()) == 2:
                time.sleep(1.0)
                cluster.remove_node(node, allow_graceful=False)
                left.set()
                return
            time.sleep(0.1)

    thread = threading.Thread(target=gone)
    thread.start()
    try:
        executor = kohort.executors.Ray(cluster.address, pieces_per_worker=2)
        far = study(tmp_path).run(verbose=0, executor=executor)
    finally:
        leave.set()
        thread.join()
        cluster.shutdown()
    assert left.is_set()
    assert_same(study().run(verbose=0).runs, far.runs)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_a_notebook_defines_goes_along(tmp_path: Path) -> None:
    """Network, recipe and metric of the program itself, which workers cannot import."""
    pytest.importorskip("ray")
    script = tmp_path / "notebook.py"
    script.write_text(
        textwrap.dedent("""
            import kohort
            import keras
            import numpy as np

            class Right(keras.metrics.Metric):
                def __init__(self, least):
                    super().__init__(name="surely_right")
                    self._direction, self.least = "up", least
                    self.right = self.add_variable((), "zeros", name="right")
                    self.rows = self.add_variable((), "zeros", name="rows")

                def update_state(self, y_true, y_pred, sample_weight=None):
                    right = keras.ops.argmax(y_pred, -1) == keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
                    right = keras.ops.cast(right & (keras.ops.max(y_pred, -1) > self.least), "float32")
                    weights = keras.ops.ones_like(right) if sample_weight is None else sample_weight
                    self.right.assign_add(keras.ops.sum(right * keras.ops.reshape(weights, (-1,))))
                    self.rows.assign_add(keras.ops.sum(weights))

                def result(self):
                    return self.right / self.rows

            def network(inputs, outputs, l2=0.0):
                hidden = keras.layers.Dense(6, "tanh", kernel_regularizer=keras.regularizers.L2(l2))
                return keras.Sequential([keras.layers.Input(inputs), hidden, keras.layers.Dense(outputs, "softmax")])

            def study():
                data = kohort.data.named("wine")
                return kohort.Study(["none", "l2=0.01"], data, seeds=2, epochs=2, network=network, metric=Right(0.45))

            if __name__ == "__main__":
                far = study().run(verbose=0, executor=kohort.executors.Ray(pieces_per_worker=1)).runs
                near = study().run(verbose=0).runs
                for key, run in near.items():
                    assert run.history == far[key].history
                    assert np.array_equal(run.test.outcomes, far[key].test.outcomes)
                    assert 0.0 < run.test.score < 1.0
                print(len(near), "the same")
        """),
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == "4 the same\n", done.stderr
