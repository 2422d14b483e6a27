"""Trackers hold what a study's runs are, once; the judges are MLflow's and TensorBoard's own readers and servers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from sqlalchemy.exc import SADeprecationWarning
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

import kohort
from kohort.cli.app import app
from kohort.errors import DataError, KohortError
from kohort.progress import Stage
from kohort.recipes.grammar import parse
from kohort.recipes.techniques import TECHNIQUES
from kohort.report.document import Document, document
from kohort.run import Run
from kohort.statistics import compare
from kohort.store.identity import Identity
from kohort.trackers import MLflow, TensorBoard
from kohort.trackers.mlflow import MANNERS
from kohort.trackers.sending import Sending, send
from kohort.trackers.tracker import key_of, parameters, strengths_of
from tests import made_runs

assert SADeprecationWarning  # named below
pytestmark = pytest.mark.filterwarnings(  # MLflow 3.17 configures its tables as SQLAlchemy 2.1 no longer advises
    "ignore:The ``noload`` loader strategy is deprecated:sqlalchemy.exc.SADeprecationWarning"
)

RECIPES = ("none", "dropout 0.3 + batchnorm")
DECIDES = {"data": "0f", "epochs": "8", "batch_size": "32", "keras": "3", "jax": "0.10", "numpy": "2"}
IDENTITY = Identity("toy", DECIDES, {name: name for name in RECIPES}, {"baseline": "none"})


def toy(seeds: int = 6) -> dict[tuple[str, int], Run]:
    return made_runs.runs(list(RECIPES), seeds, measured=True)


def told(tracker: Any, runs: dict[tuple[str, int], Run], identity: Identity = IDENTITY) -> None:
    """Tells a tracker of runs."""
    send(tracker, identity, runs.values(), lambda: None)


def told_with_report(tracker: Any, runs: dict[tuple[str, int], Run]) -> Document:
    """Tells a tracker of runs and their report, which it takes seconds to draw."""
    said = document(compare(runs, "none"), runs, dataset="toy", how={"data": "toy"})
    send(tracker, IDENTITY, runs.values(), lambda: said)
    return said


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A local store of MLflow, whose files lie beside it."""
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def kept(uri: str) -> tuple[Any, dict[tuple[str, int], Any]]:
    """What MLflow has of the only study: its run, and the children by recipe and seed."""
    client = MlflowClient(tracking_uri=uri)
    experiment: Any = client.get_experiment_by_name("kohort")
    runs = client.search_runs([experiment.experiment_id])
    (study,) = [own for own in runs if "mlflow.parentRunId" not in own.data.tags]
    children = [own for own in runs if own is not study]
    assert {own.data.tags["mlflow.parentRunId"] for own in children} <= {study.info.run_id}
    by_key = {(own.data.params["recipe"], int(own.data.params["seed"])): own for own in children}
    assert len(by_key) == len(children)
    return study, by_key


def assert_in_mlflow(uri: str, runs: Any) -> None:
    client = MlflowClient(tracking_uri=uri)
    _, children = kept(uri)
    assert set(children) == set(runs)
    for key, run in runs.items():
        own = children[key]
        assert own.info.status == "FINISHED"
        assert own.data.metrics[f"test_{run.test.metric}"] == run.test.score
        for log in ("accuracy", "val_accuracy"):
            values = sorted(client.get_metric_history(own.info.run_id, log), key=lambda one: one.step)
            assert [one.step for one in values] == run.epoch
            assert [one.value for one in values] == run.history[log]


# MLflow


def test_a_study_is_a_run_with_a_child_for_each_of_its_runs(store: str) -> None:
    runs = toy()
    said = told_with_report(MLflow(store), runs)
    assert_in_mlflow(store, runs)
    study, children = kept(store)
    own = children["dropout 0.3 + batchnorm", 4]
    assert own.data.params == {
        "recipe": "dropout 0.3 + batchnorm",
        "seed": "4",
        "epochs": "8",
        "batch_size": "32",
        "dropout": "0.3",
        "batchnorm": "True",
    }
    assert own.data.tags["kohort.outcome"] == "finished"
    assert own.data.metrics["zeros"] == pytest.approx(0.1)
    assert study.info.status == "FINISHED"
    assert study.data.params == {"dataset": "toy", **DECIDES}
    assert said.comparison.verdicts is not None
    (verdict,) = said.comparison.verdicts.verdicts
    assert study.data.tags["kohort.verdict.dropout 0.3 _ batchnorm"] == verdict.words()
    client = MlflowClient(tracking_uri=store)
    report = Path(client.download_artifacts(study.info.run_id, "report.html")).read_text("utf-8")
    assert verdict.words() in report.replace("&#43;", "+")


def test_a_report_that_fails_costs_no_result() -> None:
    def failing() -> None:
        raise ValueError("nothing to compare")

    tracker = Failing(9)
    with (
        pytest.warns(UserWarning, match="trackers are told of no verdicts: nothing to compare"),
        Sending([tracker], IDENTITY) as own,
    ):
        own.finish(failing)
    assert tracker.said == [None]  # it has failed at nothing


def test_what_mlflow_has_is_not_logged_twice(store: str) -> None:
    runs = toy()
    few = {key: run for key, run in runs.items() if key[1] < 3}
    told(MLflow(store), few)
    before = {own.info.run_id for own in kept(store)[1].values()}
    told(MLflow(store), few)
    told(MLflow(store), runs)
    assert_in_mlflow(store, runs)
    assert before < {own.info.run_id for own in kept(store)[1].values()}


def test_another_study_is_another_run(store: str) -> None:
    runs = toy(3)
    told(MLflow(store), runs)
    others = (replace(IDENTITY, decides={**DECIDES, "epochs": "9"}), replace(IDENTITY, dataset="other"))
    for other in others:
        told(MLflow(store), runs, other)
    client = MlflowClient(tracking_uri=store)
    experiment: Any = client.get_experiment_by_name("kohort")
    assert len(client.search_runs([experiment.experiment_id])) == 3 * (1 + len(runs))
    assert len({key_of(own) for own in (IDENTITY, *others)}) == 3


def test_a_run_that_was_told_by_half_is_told_again(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, calls = toy(2), []
    ours = MlflowClient.log_batch

    def failing(client: Any, *arguments: Any, **named: Any) -> Any:
        calls.append(named)
        if len(calls) == 7:  # of the study its parameters; then of each run parameters and metrics: the third's metrics
            raise OSError("connection lost")
        return ours(client, *arguments, **named)

    monkeypatch.setattr(MlflowClient, "log_batch", failing)
    with pytest.raises(KohortError, match=r"MLflow at sqlite\S+ the tracker must take runs. Got connection lost. Mend"):
        told(MLflow(store), runs)
    assert sorted(own.info.status for own in kept(store)[1].values()) == ["FINISHED", "FINISHED", "RUNNING"]
    told(MLflow(store), runs)
    assert_in_mlflow(store, runs)


def test_a_run_that_another_process_is_telling_is_left_to_it(store: str) -> None:
    runs = toy(2)
    told(MLflow(store), runs)
    client, (key, child) = MlflowClient(tracking_uri=store), next(iter(kept(store)[1].items()))
    client.update_run(child.info.run_id, status="RUNNING")
    log = MLflow(store).open(IDENTITY)
    client.set_terminated(child.info.run_id)  # by the other process, after this one has looked
    log.add(runs[key])
    assert kept(store)[1][key].info.run_id == child.info.run_id
    assert_in_mlflow(store, runs)


def test_mlflow_s_manners_are_set_for_the_time_of_a_call_only(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    ours = MlflowClient.log_batch

    def watched(client: Any, *arguments: Any, **named: Any) -> Any:
        seen.append({name: os.environ.get(name) for name in before})
        return ours(client, *arguments, **named)

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    before = {name: os.environ.get(name) for name in MANNERS}
    monkeypatch.setattr(MlflowClient, "log_batch", watched)
    told(MLflow(store), toy(1))
    assert seen
    assert all(own == {**MANNERS, "MLFLOW_HTTP_REQUEST_TIMEOUT": "7"} for own in seen)
    assert {name: os.environ.get(name) for name in before} == before


def test_models_must_be_a_known_word() -> None:
    with pytest.raises(DataError, match="models must be one of 'none', 'best', 'all'. Got 'some'"):
        MLflow(models="some")  # pyright: ignore[reportArgumentType]


# what a recipe's strengths are


def test_strengths_of_every_technique_are_found() -> None:
    for technique in TECHNIQUES.values():
        text = parse("+".join((*technique.beside, technique.name))).label
        assert (technique.name in strengths_of(text)) == (technique.name != "none"), text


def test_a_recipe_s_own_batch_size_is_the_run_s() -> None:
    text = parse("batch=64 + cosine:warmup=3 + l2=1e-05").label
    run = replace(toy(1)["none", 0], recipe=text)
    identity = replace(IDENTITY, recipes={text: text})
    assert parameters(run, identity) == {
        "recipe": text,
        "seed": 0,
        "epochs": 8,
        "batch_size": 64,
        "cosine": True,
        "cosine.warmup": 3.0,
        "l2": 1e-05,
    }


# TensorBoard


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def hyperparameters(folder: Path) -> dict[str, Any]:
    """What TensorBoard's own reader finds a run's hyperparameters to be."""
    read = events(folder)
    content = read.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    kind: Any = plugin_data_pb2
    session = kind.HParamsPluginData.FromString(content).session_start_info
    return {name: getattr(value, str(value.WhichOneof("kind"))) for name, value in session.hparams.items()}


def test_event_files_hold_logs_scores_and_strengths(tmp_path: Path) -> None:
    runs = toy()
    said = told_with_report(TensorBoard(tmp_path), runs)
    folder = tmp_path / f"toy-{key_of(IDENTITY)[:8]}"
    assert len(list(folder.rglob("events.*"))) == len(runs)
    for (recipe, seed), run in runs.items():
        read = events(folder / recipe / f"seed {seed}")
        for log, values in run.history.items():
            assert [one.step for one in read.Scalars(log)] == run.epoch
            assert [one.value for one in read.Scalars(log)] == pytest.approx(values, rel=1e-6)  # of float32
        assert run.test is not None
        assert read.Scalars("test_accuracy")[0].value == pytest.approx(run.test.score, rel=1e-6)
    assert hyperparameters(folder / "dropout 0.3 + batchnorm" / "seed 4") == {
        "recipe": "dropout 0.3 + batchnorm",
        "seed": 4.0,
        "epochs": 8.0,
        "batch_size": 32.0,
        "dropout": 0.3,
        "batchnorm": True,
    }
    text = events(tmp_path / f"{folder.name} verdicts").Tensors("verdicts/text_summary")
    assert text[0].tensor_proto.string_val[0].decode().startswith(f"**{said.lead[:10]}")


def test_event_files_are_not_written_twice(tmp_path: Path) -> None:
    runs = toy()
    told_with_report(TensorBoard(tmp_path), {key: run for key, run in runs.items() if key[1] < 3})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed */events.*")}
    told_with_report(TensorBoard(tmp_path), runs)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("seed */events.*")}
    assert len(before) == 6
    assert len(after) == 12
    assert {path: after[path] for path in before} == before
    assert len(list(tmp_path.glob("* verdicts/events.*"))) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_recipes_may_have_any_names(tmp_path: Path) -> None:
    names = ["../../away", "..", "a/b", "a_b", "C:\\x", *made_runs.NASTY]
    runs = made_runs.runs(names, 1)
    identity = replace(IDENTITY, dataset="../data", recipes={name: name for name in names})
    (tmp_path / "logs").mkdir()
    send(TensorBoard(tmp_path / "logs"), identity, runs.values(), lambda: None)
    assert [own.name for own in tmp_path.iterdir()] == ["logs"]
    (study,) = (tmp_path / "logs").iterdir()
    assert len(list(study.iterdir())) == len(names)
    assert {str(hyperparameters(folder)["recipe"]) for folder in study.glob("*/seed 0")} == set(names)


def test_a_function_that_has_changed_is_another_recipe(tmp_path: Path) -> None:
    runs = made_runs.runs(["mine"], 1)
    for code in ("build 1f", "build 2e"):
        send(TensorBoard(tmp_path), replace(IDENTITY, recipes={"mine": code}), runs.values(), lambda: None)
    assert len(list(tmp_path.rglob("events.*"))) == 2


# while a study runs


@dataclass
class Failing:
    """A tracker that takes some runs and then fails."""

    takes: int
    said: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        return "a tracker"

    def open(self, identity: Identity) -> "Failing":
        return self

    def add(self, run: Run) -> None:
        self.said.append(run)
        if len(self.said) > self.takes:
            raise ConnectionError("server down")

    def finish(self, document: Any) -> None:
        self.said.append(document)

    def leave(self) -> None:
        self.said.append("left")


def study(folder: Path | None = None, seeds: int = 2, **options: Any) -> kohort.Study:
    return kohort.Study(
        ["none", "l2", "dropout=0.5"], kohort.data.moons(), seeds=seeds, epochs=2, folder=folder, **options
    )


@pytest.mark.parametrize("in_folder", [True, False])
def test_a_tracker_that_fails_costs_no_run_and_is_told_later(in_folder: bool, tmp_path: Path) -> None:
    folder = tmp_path / "study" if in_folder else None
    failing, whole = Failing(3), Failing(100)
    with pytest.warns(UserWarning, match="a tracker: the tracker must take runs. Got server down. The study goes") as w:
        result = study(folder, trackers=[failing, whole, TensorBoard(tmp_path / "logs")]).run(verbose=0)
    assert len([own for own in w if "server down" in str(own.message)]) == 1
    assert len(result.runs) == 6
    assert len(failing.said) == 5
    assert failing.said[-1] == "left"  # so that it does not wait for more
    assert {(run.recipe, run.seed) for run in whole.said[:-1]} == set(result.runs)
    assert whole.said[-1].comparison.baseline == "none"
    assert len(list((tmp_path / "logs").rglob("seed */events.*"))) == 6
    with pytest.raises(KohortError, match="server down"):
        result.log_to(Failing(0))
    result.log_to(TensorBoard(tmp_path / "later"))
    assert len(list((tmp_path / "later").rglob("seed */events.*"))) == 6


@pytest.mark.slow
def test_a_study_that_is_resumed_is_one_run_in_mlflow(store: str, tmp_path: Path) -> None:
    tracker, seen = MLflow(store, models="best"), []

    def interrupt(stage: Stage) -> None:
        seen.append(stage.cohort)
        if len({own for own in seen if own}) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path / "study", trackers=[tracker]).run(listener=interrupt)
    stopped, children = kept(store)
    assert stopped.info.status == "KILLED"
    assert 0 < len(children) < 6
    result = study(tmp_path / "study", trackers=[tracker]).run(verbose=0)
    again, _ = kept(store)
    assert (again.info.run_id, again.info.status) == (stopped.info.run_id, "FINISHED")
    assert_in_mlflow(store, result.runs)
    more = study(tmp_path / "study", seeds=3, trackers=[tracker]).run(verbose=0)
    assert_in_mlflow(store, more.runs)
    assert len(more.runs) == 9


@pytest.mark.slow
def test_a_model_from_mlflow_predicts_as_the_run(store: str) -> None:
    result = study(trackers=[MLflow(store, models="all")]).run(verbose=0)
    result.log_to(MLflow(store, models="best"))
    study_run, children = kept(store)
    rows = kohort.data.moons().x[:50]
    mlflow.set_tracking_uri(store)
    for own, run in ((children["l2 0.001", 1], result.runs["l2 0.001", 1]), (study_run, result.best())):
        loaded: Any = import_module("mlflow.keras").load_model(f"runs:/{own.info.run_id}/model")
        np.testing.assert_array_equal(loaded.predict(rows, verbose=0), run.model().predict(rows, verbose=0))
    tags = study_run.data.tags
    assert (tags["kohort.model.recipe"], tags["kohort.model.seed"]) == (result.best().recipe, str(result.best().seed))


@pytest.mark.slow
def test_a_folder_is_told_of_without_keras_or_jax(tmp_path: Path) -> None:
    result = study(tmp_path / "study", seeds=6).run(verbose=0)
    code = (
        "import sys; from kohort.cli.app import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'jax', 'keras', 'tensorflow', 'torch'} & set(sys.modules), set(sys.modules)"
    )
    words = ["track", "study", "--mlflow", f"sqlite:///{tmp_path / 'mlflow.db'}", "--tensorboard", "logs"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"18 runs: MLflow at sqlite:///{tmp_path / 'mlflow.db'}\n18 runs: TensorBoard in logs\n"
    assert_in_mlflow(f"sqlite:///{tmp_path / 'mlflow.db'}", result.runs)
    told_of, _ = kept(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert str(result.comparison.recipes[1].verdict) == told_of.data.tags["kohort.verdict.l2 0.001"]
    before = sorted(tmp_path.rglob("seed */events.*"))
    result.log_to(TensorBoard(tmp_path / "logs"))  # the same study, known again
    assert sorted(tmp_path.rglob("seed */events.*")) == before


def test_a_tracker_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Pass --mlflow URI or --tensorboard FOLDER"):
        app(["track", str(tmp_path)], standalone_mode=False)


# servers


@contextmanager
def serving(*command: str, folder: Path) -> Iterator[int]:
    """A server on a free port, which is answered for by all that its process started being ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(600):
            assert server.poll() is None, (folder / "server.log").read_text()
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)


def asked(port: int, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"} if data else {}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.mark.slow
def test_mlflow_s_server_takes_a_study_and_one_that_is_down_does_not_hold_it_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("mlflow", "server", "--backend-store-uri", "sqlite:///server.db", "--workers", "1")
    runs = toy(3)
    with serving(*command, "--artifacts-destination", "artifacts", folder=tmp_path) as port:
        uri = f"http://127.0.0.1:{port}"
        told_with_report(MLflow(uri), runs)
        told(MLflow(uri), runs)
        assert not capsys.readouterr().out  # where a command says its result
        assert_in_mlflow(uri, runs)
        run, _ = kept(uri)
        report = MlflowClient(tracking_uri=uri).download_artifacts(run.info.run_id, "report.html", str(tmp_path))
        assert "test accuracy" in Path(report).read_text("utf-8")
    started = time.monotonic()
    sending = Sending([MLflow(uri)], IDENTITY)
    with pytest.warns(UserWarning, match=rf"MLflow at {uri}: the tracker must take runs. Got .*The study goes on"):
        sending.__enter__()
    sending.runs(runs.values())
    sending.finish(lambda: None)
    assert time.monotonic() - started < 30


@pytest.mark.slow
def test_tensorboard_s_server_shows_scalars_and_hyperparameters(tmp_path: Path) -> None:
    runs = toy(2)
    told(TensorBoard(tmp_path / "logs"), runs)
    name = f"toy-{key_of(IDENTITY)[:8]}"
    with serving("tensorboard.main", "--logdir", "logs", "--load_fast=false", folder=tmp_path) as port:
        give_up = time.monotonic() + 30
        while len(tags := asked(port, "/data/plugin/scalars/tags")) < len(runs) and time.monotonic() < give_up:
            time.sleep(0.2)
        wanted = {f"{name}/{recipe}/seed {seed}" for recipe, seed in runs}
        assert set(tags) == wanted
        own = f"{name}/none/seed 1".replace(" ", "%20")
        values = asked(port, f"/data/plugin/scalars/scalars?run={own}&tag=val_accuracy")
        shown = [value for _, _, value in values]
        assert shown == pytest.approx(runs["none", 1].history["val_accuracy"], rel=1e-6)
        experiment = asked(port, "/data/plugin/hparams/experiment", {"experimentName": ""})
        assert {own["name"] for own in experiment["hparamInfos"]} >= {"recipe", "seed", "dropout", "batchnorm"}
        groups = asked(
            port,
            "/data/plugin/hparams/session_groups",
            {
                "experimentName": "",
                "allowedStatuses": ["STATUS_SUCCESS"],
                "colParams": [{"metric": {"group": "", "tag": "test_accuracy"}}],
                "startIndex": 0,
                "sliceSize": 100,
            },
        )["sessionGroups"]
        assert len(groups) == len(runs)
        scores = {
            (own["hparams"]["recipe"], int(own["hparams"]["seed"])): metric["value"]
            for own in groups
            for metric in own["metricValues"]
            if metric["name"]["tag"] == "test_accuracy"
        }
        tests = {key: run.test.score for key, run in runs.items() if run.test is not None}
        assert scores == pytest.approx(tests, rel=1e-6)
