"""What leaves Kohort predicts, trains and says what the run did; judges are Keras, ONNX Runtime and other processes."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import onnxruntime
import pytest
from scipy import stats

import kohort
from kohort.cli.app import app
from kohort.errors import DataError, NotSupportedError, RecipeError, StudyError
from kohort.executors.work import Ended, Piece, Work
from kohort.exports.card import card
from kohort.exports.onnx_file import check
from kohort.exports.script import write_script
from kohort.progress import Listener
from kohort.recipes.compose import recipes_for
from kohort.recipes.design import Problem
from kohort.run import Outcome, Run
from kohort.study.problem import problem_of
from kohort.trackers import MLflow
from tests import made_runs

CLASSES = Problem((6,), 3, "multiclass", 3, 2, rows=24, class_rows=(10, 6, 4))
IMAGES = Problem((12, 10, 2), 3, "multiclass", 3, 2, rows=24, class_rows=(10, 6, 4))
GREY = Problem((8, 8), 3, "multiclass", 3, 2, rows=24)
SEQUENCES = Problem((18, 2), 3, "multiclass", 3, 2, rows=24)
MIXED = Problem((5,), 1, "regression", 3, 2, embedded=((1, 7), (3, 4)), rows=24)

NETWORKS = (
    (CLASSES, "mlp", "none"),
    (CLASSES, "mlp", "batchnorm+dropout"),
    (CLASSES, "mlp", "skip+layernorm"),
    (CLASSES, "mlp", "mixup+sam"),
    (MIXED, "mlp", "batchnorm+dropout+skip"),
    (IMAGES, "cnn", "batchnorm+spatialdropout"),
    (SEQUENCES, "cnn1d", "batchnorm+dropout"),
)
MORE_NETWORKS = (
    (CLASSES, "mlp", "stochasticdepth+layernorm+alphadropout"),
    (CLASSES, "mlp", "gaussiandropout+inputnoise+swa=0"),
    (GREY, "mlp", "batchnorm"),
    (GREY, "cnn", "layernorm"),
    (IMAGES, "cnn", "skip+groupnorm+dropout"),
    (IMAGES, "cnn", "flip+rotate+contrast"),
    (SEQUENCES, "cnn1d", "skip+layernorm+spatialdropout"),
    (MIXED, "mlp", "layernorm"),
)


def built(problem: Problem, network: str, text: str) -> tuple[Any, np.ndarray]:
    """A network with biases and statistics unlike those that it begins with, and rows for it."""
    keras.utils.set_random_seed(1)
    model: Any = recipes_for([text], problem, network)[0].build()
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(7, *problem.inputs)).astype("float32")
    for position, levels in problem.embedded:
        rows[:, position] = draw.integers(0, levels, 7)
    model(rows[:1])
    for variable in model.trainable_variables + model.non_trainable_variables:
        if len(variable.shape) == 1 and "float" in str(variable.dtype):  # biases, and all of normalisations
            positive = any(name in variable.path for name in ("variance", "gamma"))
            variable.assign(draw.uniform(0.5, 2.0, variable.shape) if positive else draw.normal(0, 0.3, variable.shape))
    return model, rows


def by_onnx(path: Path, rows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found: Any = session.run(None, {session.get_inputs()[0].name: rows})
    return found[0]


def assert_same_as_onnx(problem: Problem, network: str, text: str, path: Path) -> None:
    model, rows = built(problem, network, text)
    assert kohort.export(model, path / "network.onnx", rows=rows) == path / "network.onnx"
    predicted = model.predict(rows, verbose=0)
    assert np.ptp(predicted, axis=0).min() > 1e-3  # rows are told apart, so a wrong one would be seen
    np.testing.assert_allclose(by_onnx(path / "network.onnx", rows), predicted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(by_onnx(path / "network.onnx", rows[:2]), predicted[:2], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "network", "text"), NETWORKS)
def test_onnx_files_predict_as_the_network(problem: Problem, network: str, text: str, tmp_path: Path) -> None:
    assert_same_as_onnx(problem, network, text, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "network", "text"), MORE_NETWORKS)
def test_onnx_files_of_other_techniques(problem: Problem, network: str, text: str, tmp_path: Path) -> None:
    assert_same_as_onnx(problem, network, text, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "pooling",
    [
        {"pool_size": (3, 2), "strides": (2, 1)},
        {"pool_size": 3, "strides": 2, "padding": "same"},
        {"pool_size": (1, 2)},
    ],
    ids=str,
)
def test_max_pooling_of_images_in_onnx(pooling: dict[str, Any], tmp_path: Path) -> None:
    model: Any = keras.Sequential([keras.Input((7, 6, 3)), keras.layers.MaxPooling2D(**pooling)])
    rows = np.random.default_rng(0).normal(size=(4, 7, 6, 3)).astype("float32")
    kohort.export(model, tmp_path / "pool.onnx", rows=rows)
    np.testing.assert_array_equal(by_onnx(tmp_path / "pool.onnx", rows), model.predict(rows, verbose=0))


def test_a_network_that_draws_is_no_onnx_file(tmp_path: Path) -> None:
    model, _ = built(CLASSES, "mlp", "mcdropout:passes=3")
    with pytest.raises(NotSupportedError, match=r"predict the same each time .* Got one that draws in 'monte_carlo"):
        kohort.export(model, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_network_of_two_inputs_is_an_onnx_file_with_two(tmp_path: Path) -> None:
    inputs = [keras.Input((2,)), keras.Input((3,))]
    model: Any = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Concatenate()(inputs)))
    rows = [np.random.default_rng(size).normal(size=(5, size)).astype("float32") for size in (2, 3)]
    kohort.export(model, tmp_path / "known.onnx", rows=rows)
    kohort.export(model, tmp_path / "made_up.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "made_up.onnx", providers=["CPUExecutionProvider"])
    found: Any = session.run(None, {own.name: array for own, array in zip(session.get_inputs(), rows, strict=True)})
    np.testing.assert_allclose(found[0], model.predict(rows, verbose=0), atol=1e-5)
    with pytest.raises(DataError, match="rows must be such as the network takes"):
        kohort.export(model, tmp_path / "wrong.onnx", rows=rows[::-1])
    assert not (tmp_path / "wrong.onnx").exists()


@pytest.mark.slow
def test_an_onnx_file_that_predicts_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.ones((2, 4), "float32")
    one, other = (keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]) for _ in range(2))
    kohort.export(other, tmp_path / "other.onnx")
    contents = (tmp_path / "other.onnx").read_bytes()
    monkeypatch.setattr("kohort.exports.onnx_file.mended", lambda path: contents)
    with pytest.raises(NotSupportedError, match=r"to 1e-05. Got predictions \S+ off. Write it as .keras"):
        kohort.export(one, tmp_path / "one.onnx", rows=rows)
    assert [own.name for own in tmp_path.iterdir()] == ["other.onnx"]


def test_a_file_that_onnx_runtime_cannot_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotSupportedError, match="ONNX Runtime must run the network. Got: "):
        check(b"no model", [np.zeros((1, 4))], [np.zeros((1, 3))])


@pytest.mark.parametrize(
    ("network", "name", "message"),
    [
        (keras.Sequential, "network.h5", "must end in .keras or .onnx. Got 'network.h5'"),
        (lambda: "network", "network.keras", "must be a trained keras.Model or a run. Got str"),
        (lambda: keras.Sequential([keras.layers.Dense(2)]), "network.onnx", "rows must be told for a model that"),
    ],
)
def test_what_cannot_be_exported_is_refused(network: Any, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        kohort.export(network(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(DataError, match="the network cannot be written"):
        kohort.export(model, tmp_path / "nowhere" / "network.keras")


# a study's networks


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A study of scaled rows, so that another seed's rows are other numbers."""
    folder = tmp_path_factory.mktemp("exported") / "wdbc"
    recipes = ["none", "dropout=0.3+batchnorm"]
    study = kohort.Study(recipes, kohort.data.named("wdbc"), seeds=2, epochs=3, folder=folder)
    return folder, study.run(verbose=0)


RECIPE, SEED = "dropout 0.3 + batchnorm", 1


def test_a_keras_file_is_the_runs_network_and_goes_on_training(made: Any, tmp_path: Path) -> None:
    _, result = made
    path = result.export(RECIPE, SEED, tmp_path / "network.keras")
    loaded: Any = keras.saving.load_model(path)
    rows = result.predictor.test_inputs(result.runs[RECIPE, SEED])
    np.testing.assert_array_equal(loaded.predict(rows, verbose=0), result.model(RECIPE, SEED).predict(rows, verbose=0))
    loaded.fit(rows, np.zeros(len(rows)), epochs=1, verbose=0)


@pytest.mark.slow
def test_networks_with_what_keras_lacks_load_in_another_process(tmp_path: Path) -> None:
    texts = {"classweights": CLASSES, "labelsmoothing+mixup+sam": CLASSES, "swa=0+onecycle": CLASSES, "none": MIXED}
    for number, (text, problem) in enumerate(texts.items()):
        model, rows = built(problem, "mlp", text)
        kohort.export(model, tmp_path / f"{number}.keras")
        np.savez(tmp_path / f"{number}.npz", rows=rows, predicted=model.predict(rows, verbose=0))
    code = (
        "import kohort, numpy\n"
        "for number in range(4):\n"
        "    told = numpy.load(f'{number}.npz')\n"
        "    found = kohort.load_network(f'{number}.keras').predict(told['rows'], verbose=0)\n"
        "    numpy.testing.assert_array_equal(found, told['predicted'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_file_that_is_no_network_is_told(tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_text("no network")
    for name in ("network.keras", "missing.keras"):
        with pytest.raises(DataError, match=rf"{name}: the file must be a network that Keras has saved"):
            kohort.load_network(tmp_path / name)


def test_only_known_endings_and_runs(made: Any, tmp_path: Path) -> None:
    _, result = made
    with pytest.raises(DataError, match="must end in .keras, .onnx or .py. Got 'network.pb'"):
        result.export(RECIPE, SEED, tmp_path / "network.pb")
    with pytest.raises(KeyError, match="no run"):
        result.export(RECIPE, 7, tmp_path / "network.keras")
    assert not list(tmp_path.iterdir())


WITHOUT_KOHORT = """\
import importlib.abc, json, sys


class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] == "kohort":
            raise ImportError(f"the script imports {name}")


sys.meta_path.insert(0, Refused())
sys.path.insert(0, ".")
import network, numpy

model = network.main()
rows = numpy.load("network.npz")
numpy.save("predicted.npy", model.predict(rows["x_test"], verbose=0))
print(json.dumps(model.history.history))
"""


def trained_by_script(folder: Path) -> tuple[dict[str, list[float]], np.ndarray]:
    """The logs and predictions of the script in a folder, run by a process that cannot import Kohort."""
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "-W", "error::UserWarning", "-c", WITHOUT_KOHORT]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), np.load(folder / "predicted.npy")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:sqlalchemy.exc.SADeprecationWarning")  # MLflow 3.17's tables
def test_script_keras_file_onnx_file_and_mlflow_model_of_one_run_predict_the_same(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, result = made
    monkeypatch.chdir(tmp_path)
    for ending in (".py", ".keras", ".onnx"):
        result.export(RECIPE, SEED, tmp_path / f"network{ending}")
    logs, predicted = trained_by_script(tmp_path)
    run = result.runs[RECIPE, SEED]
    assert list(logs) == list(run.history)
    for name, values in run.history.items():
        assert logs[name] == pytest.approx(values, abs=1e-6), name
    rows = result.predictor.test_inputs(run)
    np.testing.assert_array_equal(rows, np.load(tmp_path / "network.npz")["x_test"])
    loaded: Any = keras.saving.load_model(tmp_path / "network.keras")
    of_run = result.model(RECIPE, SEED).predict(rows, verbose=0)
    of_mlflow = from_mlflow(f"sqlite:///{tmp_path / 'mlflow.db'}", result).predict(rows, verbose=0)
    for own in (predicted, loaded.predict(rows, verbose=0), by_onnx(tmp_path / "network.onnx", rows), of_mlflow):
        np.testing.assert_allclose(own, of_run, atol=1e-5)
    right = of_run.argmax(axis=1) == np.load(tmp_path / "network.npz")["y_test"]
    assert right.mean() == pytest.approx(run.test.score)
    assert not np.allclose(of_run, result.model(RECIPE, 0).predict(rows, verbose=0), atol=1e-5)


def from_mlflow(store: str, result: Any) -> Any:
    """The network that MLflow holds of the run."""
    result.log_to(MLflow(store, models="all"))
    client = mlflow.MlflowClient(tracking_uri=store)
    experiment: Any = client.get_experiment_by_name("kohort")
    wanted = f"params.recipe = '{RECIPE}' and params.seed = '{SEED}'"
    (own,) = client.search_runs([experiment.experiment_id], wanted)
    mlflow.set_tracking_uri(store)
    return import_module("mlflow.keras").load_model(f"runs:/{own.info.run_id}/model")


@pytest.mark.slow
def test_a_script_of_a_regression_trains_as_the_run(tmp_path: Path) -> None:
    dataset = kohort.data.named("diabetes")
    result = kohort.Study(["none", "l2"], dataset, seeds=[3], epochs=3).run(verbose=0)
    result.export("l2 0.001", 3, tmp_path / "network.py")
    logs, predicted = trained_by_script(tmp_path)
    for name in ("loss", "val_loss"):  # of the study's metric the run's logs are in units of the target
        assert logs[name] == pytest.approx(result.runs["l2 0.001", 3].history[name], abs=1e-6)
    told = np.load(tmp_path / "network.npz")
    np.testing.assert_allclose(predicted, result.model("l2 0.001", 3).predict(told["x_test"], verbose=0), atol=1e-5)
    in_units = predicted * told["target_deviation"] + told["target_mean"]
    np.testing.assert_allclose(in_units, result.ensemble("l2 0.001", seeds=[3]).mean, rtol=1e-5)


def test_a_users_own_function_is_its_script_already(tmp_path: Path) -> None:
    def build() -> keras.Model:
        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    result = kohort.Study({"mine": build}, kohort.data.moons(), seeds=1, epochs=1).run(verbose=0)
    with pytest.raises(RecipeError, match="must be one of the catalogue"):
        result.export("mine", 0, tmp_path / "network.py")
    assert not list(tmp_path.iterdir())


# cards


def test_a_card_says_what_the_study_found(made: Any, tmp_path: Path) -> None:
    _, result = made
    told = result.card(tmp_path / "card.md", RECIPE, SEED).read_text("utf-8")
    run, summary = result.runs[RECIPE, SEED], result.comparison.recipes[1]
    sections = [line.removeprefix("## ") for line in told.splitlines() if line.startswith("## ")]
    assert sections == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ]
    exact = stats.binomtest(int(run.test.outcomes.sum()), len(run.test.rows)).proportion_ci(method="exact")
    within = f"{100 * run.test.score:.2f} ({100 * exact.low:.2f} to {100 * exact.high:.2f}), 95 % interval"
    assert f"This network's test accuracy in %: {within} over {len(run.test.rows)} rows" in told
    assert f"mean {100 * summary.test_mean.mean:.2f} (" in told
    assert summary.verdict.words() in told
    assert result.plan.dataset[1] in told
    assert f"keras {keras.version()}" in told
    assert "one of 4 runs of 2 recipes, taken by its name" in told
    assert told.startswith("---\nlibrary_name: keras\n")


def test_a_card_of_the_best_says_that_it_was_chosen(made: Any, tmp_path: Path) -> None:
    _, result = made
    best = result.best()
    told = result.card(tmp_path / "card.md").read_text("utf-8")
    assert f"# {best.recipe}, seed {best.seed}: " in told
    assert "the one that does best on its own validation rows" in told
    with pytest.raises(DataError, match="Pass both, or neither"):
        result.card(tmp_path / "card.md", RECIPE)
    with pytest.raises(DataError, match="must end in .md. Got 'card.html'"):
        result.card(tmp_path / "card.html")


def test_names_in_cards_are_nothing_but_names() -> None:
    document = made_runs.written(made_runs.NASTY[:3], measured=True)
    run = made_runs.runs(made_runs.NASTY[:3])[made_runs.NASTY[0], 0]
    told = card(document, run)
    outside_code = [line for line in told.splitlines() if not line.startswith("    ")]
    assert any("\\<img" in line for line in outside_code)
    assert not any("<img" in line.replace("\\<img", "") for line in outside_code)
    assert "kohort compare toy" in told
    assert "baseline that the others are compared with" in told


def test_a_card_of_a_run_that_diverged_warns() -> None:
    run = made_runs.runs(["none", "l2"])["l2", 0]
    lost = Run(run.recipe, run.seed, run.history, Outcome(2), (), run.params, test=run.test)
    assert "diverged at epoch 2: the network is of no use" in card(made_runs.written(["none", "l2"]), lost)
    other = Run("l1", 0, {}, Outcome(), (), {}, test=run.test)
    with pytest.raises(DataError, match="one of a recipe that was compared: none, l2. Got 'l1'"):
        card(made_runs.written(["none", "l2"]), other)


# the command line


def test_a_network_of_a_folder_is_exported(made: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, result = made
    words = ["export", str(folder), str(tmp_path / "network.keras"), "--seed", "1"]
    app([*words, "--recipe", "dropout=0.3 + batchnorm", "--data", "wdbc"], standalone_mode=False)
    assert capsys.readouterr().out == f"A network: {tmp_path / 'network.keras'}\n"
    loaded: Any = keras.saving.load_model(tmp_path / "network.keras")
    rows = result.predictor.test_inputs(result.runs[RECIPE, SEED])
    np.testing.assert_array_equal(loaded.predict(rows, verbose=0), result.model(RECIPE, SEED).predict(rows, verbose=0))
    with pytest.raises(StudyError, match="Got data .* Pass --data and --model as they were"):
        app([*words, "--recipe", "none", "--data", "moons"], standalone_mode=False)
    with pytest.raises(DataError, match="must have the run. Got 'l1', seed 1. Its recipes are 'none', 'dropout"):
        app([*words, "--recipe", "l1", "--data", "wdbc"], standalone_mode=False)
    with pytest.raises(DataError, match="Pass --data"):
        app([*words, "--recipe", "none"], standalone_mode=False)


def test_a_function_of_the_users_own_is_not_in_a_folder(tmp_path: Path) -> None:
    def own() -> keras.Model:
        model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(2, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    dataset = kohort.data.named("wdbc")
    study = kohort.Study({"own": own, "other": own}, dataset, seeds=1, epochs=1, folder=tmp_path / "study")
    study.run(verbose=0)
    to = tmp_path / "network.keras"
    words = ["export", str(study.folder), str(to), "--seed", "0", "--data", "wdbc", "--recipe"]
    with pytest.raises(DataError, match=r"Got 'own', which is a function of your own; .* result\.export\('own', 0, "):
        app([*words, "own"], standalone_mode=False)
    study.run(verbose=0).export("own", 0, to)  # as the message says
    assert to.is_file()


def test_a_network_of_a_file_is_exported_as_the_file_was_read(tmp_path: Path) -> None:
    colours = ("синий", "красный")
    rows = [f"{row * 0.37 % 1:.3f}|{colours[row % 2]}|{row % 3 % 2}" for row in range(90)]
    lines = ["длина|цвет|y", *rows]
    table, folder = tmp_path / "table.csv", tmp_path / "study"
    table.write_text("\n".join(lines), "cp1251")
    dataset = kohort.data.load(table, target="y", separator="|", encoding="cp1251")
    kohort.Study(["none", "l2"], dataset, seeds=2, epochs=1, folder=folder).run(verbose=0)
    words = ["export", str(folder), str(tmp_path / "network.keras"), "--recipe", "l2", "--seed", "1"]
    words += ["--data", str(table), "--target", "y"]
    with pytest.raises(StudyError, match="Got data .* Pass --data and --model as they were"):
        app(words, standalone_mode=False)
    app([*words, "--separator", "|", "--encoding", "cp1251"], standalone_mode=False)
    assert (tmp_path / "network.keras").is_file()


def test_a_card_needs_the_baseline(tmp_path: Path) -> None:
    class Breaks(nullcontext[Any]):
        pieces = 2

        def train(self, work: Work, pieces: Sequence[Piece], heard: Listener) -> Generator[Ended, None, None]:
            yield work.train(next(piece for piece in pieces if "none" not in piece.recipes), heard)
            raise StudyError("the cluster is gone")

    study = kohort.Study(["none", "batchnorm"], kohort.data.named("wdbc"), seeds=1, epochs=1, folder=tmp_path / "study")
    with pytest.raises(StudyError, match="the cluster is gone"):
        study.run(verbose=0, executor=Breaks())
    with pytest.raises(StudyError, match="compares with the baseline, 'none', under seeds that all have run"):
        app(["card", str(tmp_path / "study"), str(tmp_path / "card.md")], standalone_mode=False)


def test_the_card_of_a_folder_says_what_the_results_does(made: Any, tmp_path: Path) -> None:
    folder, result = made
    app(["card", str(folder), str(tmp_path / "one.md"), "--recipe", RECIPE, "--seed", "1"], standalone_mode=False)
    one, other = tmp_path / "one.md", result.card(tmp_path / "other.md", RECIPE, SEED)
    ours, theirs = (
        [line for line in own.read_text("utf-8").splitlines() if not line.startswith("- versions:")]
        for own in (one, other)
    )
    assert ours == theirs


def test_a_script_takes_no_other_files_place(tmp_path: Path) -> None:
    np.savez(tmp_path / "photos.npz", x=np.zeros(3))
    (recipe,) = recipes_for(["none"], problem_of(kohort.data.moons(), 32, 1))
    with pytest.raises(DataError, match=r"the script's rows go to photos\.npz, where another file is"):
        write_script(recipe, 0, kohort.data.moons(), 32, tmp_path / "photos.py")
    write_script(recipe, 0, kohort.data.moons(), 32, tmp_path / "moons.py")
    write_script(recipe, 1, kohort.data.moons(), 32, tmp_path / "moons.py")  # over its own
