"""A study that is killed and typed again ends as one that was left alone, to the bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kohort
from kohort.cohort import train
from kohort.errors import DataError, StudyError
from kohort.recipes.definition import definition_of
from kohort.recipes.recipe import Recipe
from kohort.store import checkpoint, disk
from kohort.study import rounds

pytestmark = pytest.mark.optimised


MOONS = kohort.data.moons()
OPTIONS: dict[str, Any] = {"seeds": 3, "epochs": 3, "batch_size": 32}


def study(folder: Path | None, recipes: Any = ("none", "l2", "batchnorm"), **options: Any) -> kohort.Study:
    return kohort.Study(recipes, MOONS, folder=folder, **{**OPTIONS, **options})


def told(run: kohort.Run) -> Any:
    assert run.test is not None
    weights = [np.asarray(array).tobytes() for array in run.weights]
    return weights, repr(run.history), run.test.outcomes.tobytes(), run.test.rows.tobytes(), run.outcome


def assert_same(one: Any, other: Any) -> None:
    assert list(one.runs) == list(other.runs)
    for key, run in one.runs.items():
        assert told(run) == told(other.runs[key])
    assert str(one) == str(other)


@pytest.fixture(scope="module")
def undisturbed() -> Any:
    return study(None).run(verbose=0)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], list[int]]]:
    """Which recipes and seeds are trained."""
    calls: list[tuple[list[str], list[int]]] = []
    original = rounds.fit_members

    def fit_members(recipes: Any, seeds: Any, *others: Any, **named: Any) -> Any:
        calls.append(([recipe.name for recipe in recipes], list(seeds)))
        return original(recipes, seeds, *others, **named)

    monkeypatch.setattr(rounds, "fit_members", fit_members)
    return calls


def test_a_study_in_a_folder_is_the_same_study(undisturbed: Any, tmp_path: Path, trained: Any) -> None:
    assert_same(study(tmp_path).run(verbose=0), undisturbed)
    again = study(tmp_path).run(verbose=0)
    assert_same(again, undisturbed)
    assert len(trained) == 1
    assert again.runs.cohorts == undisturbed.runs.cohorts
    assert again.runs.explain().startswith("none + l2 0.001: 6 runs: 2 of 2 cpu devices, one member after another")
    assert all(f"{line}\n" in again.runs.explain() + "\n" for line in undisturbed.runs.explain().splitlines()[:2])
    x = MOONS.inputs(kohort.data.split(MOONS, 1, 32).train)
    model, other = again.runs["batchnorm", 1].model(), undisturbed.runs["batchnorm", 1].model()
    np.testing.assert_array_equal(model.predict(x, verbose=0), other.predict(x, verbose=0))


def test_the_best_run_is_chosen_on_validation_rows(undisturbed: Any, tmp_path: Path) -> None:
    scores = {key: run.history["val_accuracy"][-1] for key, run in undisturbed.runs.items()}
    best = undisturbed.best()
    assert scores[best.recipe, best.seed] == max(scores.values())
    diabetes = kohort.data.named("diabetes")
    result = kohort.Study(["none"], diabetes, seeds=3, epochs=2, folder=tmp_path, weights="none").run(verbose=0)
    errors = [run.history["val_root_mean_squared_error"][-1] for run in result.runs.values()]
    assert result.best().history["val_root_mean_squared_error"][-1] == min(errors)
    with pytest.raises(StudyError, match="the weights of this run of 'none' must have been kept"):
        result.best().model()
    judged = kohort.Study(["none"], MOONS, seeds=1, epochs=1, metric="AUC").run(verbose=0)
    with pytest.raises(DataError, match="must have logged 'val_AUC' for the best to be chosen"):
        judged.best()


def test_weights_of_the_best_are_kept(undisturbed: Any, tmp_path: Path) -> None:
    result = study(tmp_path, weights="best").run(verbose=0)
    for recipe in result.plan.recipes:
        scores = {run.seed: run.history["val_accuracy"][-1] for run in undisturbed.runs.of(recipe)}
        kept = [run.seed for run in result.runs.of(recipe) if len(run.weights)]
        assert [scores[seed] for seed in kept] == [max(scores.values())]
    best = study(tmp_path, weights="best").run(verbose=0).best()
    assert told(best) == told(undisturbed.best())
    lost = next(run for run in result.runs.values() if not len(run.weights))
    with pytest.raises(StudyError, match="must have been kept. Got a study that keeps others' only, or none"):
        lost.model()
    more = study(tmp_path, ["none"], seeds=5, weights="best").run(verbose=0)
    assert len(more.best().weights)


def test_a_regression_is_found_again(tmp_path: Path, trained: Any) -> None:
    options: dict[str, Any] = {"seeds": 2, "epochs": 2, "folder": tmp_path}
    first = kohort.Study(["none", "l2"], kohort.data.named("diabetes"), **options).run(verbose=0)
    again = kohort.Study(["none", "l2"], kohort.data.named("diabetes"), **options).run(verbose=0)
    assert_same(again, first)
    assert len(trained) == 1
    assert not again.mended


def test_what_was_interrupted_goes_on(
    undisturbed: Any, tmp_path: Path, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = rounds.StudyFolder.add

    def add(self: Any, runs: Any, cohort: Any) -> Any:
        if self.runs():
            raise KeyboardInterrupt
        return original(self, runs, cohort)

    monkeypatch.setattr(rounds.StudyFolder, "add", add)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path).run(verbose=0)
    monkeypatch.setattr(rounds.StudyFolder, "add", original)
    assert_same(study(tmp_path).run(verbose=0), undisturbed)
    assert trained[1] == (["batchnorm"], [0, 1, 2])


def test_seeds_and_recipes_may_be_added(undisturbed: Any, tmp_path: Path, trained: Any) -> None:
    study(tmp_path, ["none", "l2"], seeds=2).run(verbose=0)
    assert_same(study(tmp_path).run(verbose=0), undisturbed)
    assert trained[1:] == [(["none", "l2 0.001"], [2]), (["batchnorm"], [0, 1, 2])]
    fewer = study(tmp_path, ["none", "batchnorm"], seeds=[2, 0]).run(verbose=0)
    assert len(trained) == 3
    assert told(fewer.runs["batchnorm", 2]) == told(undisturbed.runs["batchnorm", 2])


def test_another_study_is_refused(tmp_path: Path) -> None:
    study(tmp_path, ["none"], seeds=1).run(verbose=0)
    with pytest.raises(StudyError, match="Got epochs 4 instead of 3. Name another folder, or begin a new generation"):
        study(tmp_path, ["none"], epochs=4).run(verbose=0)
    assert len(study(tmp_path, ["none"], epochs=4, seeds=1, force=True).run(verbose=0).runs) == 1
    with pytest.raises(DataError, match="weights must be one of 'all', 'best', 'none'. Got 'some'"):
        study(tmp_path, weights="some")


def test_a_run_that_diverges_is_a_result_and_changes_no_other(undisturbed: Any, tmp_path: Path) -> None:
    result = study(tmp_path, ["none", "l2", "batchnorm", "sgd=1e30"]).run(verbose=0)
    again = study(tmp_path, ["none", "l2", "batchnorm", "sgd=1e30"]).run(verbose=0)
    for key, run in undisturbed.runs.items():
        assert told(result.runs[key]) == told(run)
    name = result.plan.recipes[-1]
    for seed in range(3):
        assert not result.runs[name, seed].outcome.finished
        assert again.runs[name, seed].outcome == result.runs[name, seed].outcome


def test_rounds_of_seeds_go_on(tmp_path: Path, trained: Any) -> None:
    told_before = study(tmp_path, ["none", "l2"], seeds="auto", most_seeds=9).run(verbose=0)
    count = len(trained)
    again = study(tmp_path, ["none", "l2"], seeds="auto", most_seeds=9).run(verbose=0)
    assert len(trained) == count
    assert again.ended == told_before.ended
    assert_same(again, told_before)


def build(units: int = 4) -> keras.Model:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(units), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# a cohort half-way

HALFWAY: dict[str, Any] = {"recipes": ["batchnorm+dropout=0.2"], "seeds": 3, "epochs": 5}


@pytest.fixture(scope="module")
def whole() -> Any:
    return study(None, **HALFWAY).run(verbose=0)


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many epochs each call of a cohort's program trains: one, with a checkpoint after each."""
    monkeypatch.setattr(train, "SECONDS_PER_CALL", 0.0)
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoint, "MOST_SHARE", 0.0)
    counted: list[int] = []
    original = train.WholeEpochs.run

    def run(self: Any, orders: Any, **options: Any) -> Any:
        counted.append(max(map(len, orders.values())))
        return original(self, orders, **options)

    monkeypatch.setattr(train.WholeEpochs, "run", run)
    return counted


def interrupted_after(run_epochs: int, folder: Path) -> None:
    def listener(stage: Any) -> None:
        if stage.run_epochs > run_epochs:  # told before the checkpoint of the same epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(folder, **HALFWAY).run(listener=listener)


def test_a_cohort_goes_on_from_where_it_stood(whole: Any, tmp_path: Path, epochs: list[int]) -> None:
    for done in range(1, 5):
        folder = tmp_path / str(done)
        interrupted_after(3 * done, folder)
        epochs.clear()
        result = study(folder, **HALFWAY).run(verbose=0)
        assert sum(epochs) == 5 - done
        assert_same(result, whole)
        assert not list((folder / "checkpoints").iterdir())


class Drawing(keras.callbacks.Callback):
    """Draws from NumPy and Python, changes the learning rate by what it drew, and stops when that is small."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[float] = []
        self.last: dict[str, Any] = {"weights": None, "pair": (1, np.float32(0.5))}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        model: Any = self.model
        self.drawn.append(float(np.random.random()) + random.random())
        self.last["weights"] = model.get_weights()[0]
        model.optimizer.learning_rate = 0.01 * self.drawn[-1]
        if epoch > 0 and self.drawn[-1] < 0.8:
            model.stop_training = True


def patient() -> keras.callbacks.Callback:
    options: dict[str, Any] = {"min_delta": 0.05}
    return keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True, **options)


def plateau() -> keras.callbacks.Callback:
    return keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=1, min_delta=0.1)


def falling() -> keras.callbacks.Callback:
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7)


HEARD = {
    "drawing": Recipe("drawing", build, callbacks=(Drawing,)),
    "patient": Recipe("patient", build, callbacks=(patient, plateau)),
    "falling": Recipe("falling", build, callbacks=(falling,)),
}
HEARD_OPTIONS: dict[str, Any] = {"recipes": HEARD, "seeds": 4, "epochs": 6}


def test_callbacks_go_on_from_where_they_stood(tmp_path: Path, epochs: list[int]) -> None:
    whole = study(None, **HEARD_OPTIONS).run(verbose=0)
    lengths = {len(run.epoch) for run in whole.runs.values()}
    assert len(lengths) >= 3, "members must stop at several epochs for this to show anything"
    for done in range(1, 6):
        folder = tmp_path / str(done)

        def listener(stage: Any, done: int = done) -> None:
            if len(epochs) > done:
                raise KeyboardInterrupt

        epochs.clear()
        with pytest.raises(KeyboardInterrupt):
            study(folder, **HEARD_OPTIONS).run(listener=listener)
        epochs.clear()
        result = study(folder, **HEARD_OPTIONS).run(verbose=0)
        assert len(epochs) == 6 - done
        assert_same(result, whole)
        for key, run in result.runs.items():
            np.testing.assert_array_equal(
                run.diagnostics["gradient_norm"], whole.runs[key].diagnostics["gradient_norm"]
            )


class Counting(keras.callbacks.Callback):
    """Holds an object of the user's, of which nobody knows what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.held = iter(range(100))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        next(self.held)


def test_a_callback_that_cannot_be_kept_begins_anew(tmp_path: Path, epochs: list[int]) -> None:
    options: dict[str, Any] = {"recipes": {"own": Recipe("own", build, callbacks=(Counting,))}, "epochs": 4}

    def listener(stage: Any) -> None:
        if len(epochs) > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, **options).run(listener=listener)
    assert not list((tmp_path / "checkpoints").glob("*"))
    epochs.clear()
    assert_same(study(tmp_path, **options).run(verbose=0), study(None, **options).run(verbose=0))
    assert len(epochs) == 4 + 4


def test_a_damaged_checkpoint_is_named_and_the_one_before_used(whole: Any, tmp_path: Path, epochs: list[int]) -> None:
    for spoilt, left in ((1, 3), (2, 5)):
        folder = tmp_path / str(spoilt)
        interrupted_after(9, folder)
        files = sorted((folder / "checkpoints").iterdir(), key=lambda path: -path.stat().st_mtime_ns)
        for path in files[:spoilt]:
            contents = bytearray(path.read_bytes())
            contents[len(contents) // 2] ^= 1
            path.write_bytes(contents)
        epochs.clear()
        result = study(folder, **HALFWAY).run(verbose=0)
        assert sum(epochs) == left
        assert_same(result, whole)
        assert files[0].name in result.mended[0]


def test_a_checkpoint_that_cannot_be_written_stops_no_training(
    whole: Any, tmp_path: Path, epochs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, contents: bytes) -> None:
        if path.parent.name == "checkpoints":
            raise OSError(28, "No space left on device")
        original(path, contents)

    original = disk.write
    monkeypatch.setattr(disk, "write", write)
    result = study(tmp_path, **HALFWAY).run(verbose=0)
    assert_same(result, whole)
    assert "no checkpoint was kept after epoch 1: [Errno 28] No space left on device" in result.mended[0]


# what a recipe's definition is


def of(function: Any) -> str:
    return definition_of(Recipe("own", function))


def test_a_definition_changes_with_the_code_and_what_it_closes_over() -> None:
    def closing(units: int) -> Any:
        return lambda: build(units)

    assert of(build) == of(build)
    assert of(closing(4)) == of(closing(4)) != of(closing(5))
    assert of(partial(build, units=4)) == of(partial(build, units=4)) != of(partial(build, units=5))
    assert of(lambda: build(4)) != of(lambda: build(6))
    assert definition_of(Recipe("own", lambda: build(), given=build(3))) != definition_of(
        Recipe("own", lambda: build(), given=build(4))
    )


def test_a_definition_changes_with_functions_that_are_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "WIDTH = {width}\ndef inner(): return {inner}\ndef outer(): return inner() * WIDTH\n"
    found = set()
    for number, (width, inner) in enumerate([(1, 2), (1, 3), (2, 2)]):
        (tmp_path / f"own{number}.py").write_text(code.format(width=width, inner=inner))
        found.add(of(__import__(f"own{number}").outer))
    assert len(found) == 3


# the real command, killed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_killed_five_times_prints_what_one_left_alone_prints(tmp_path: Path) -> None:
    words = ["compare", "moons", "--study", "s", "--json", "--quiet", "--seeds", "6", "--epochs", "4"]
    command = [sys.executable, "-c", "from kohort.cli.app import main; main()", *words]

    def start(folder: Path) -> Any:
        folder.mkdir(exist_ok=True)
        return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def numbers(folder: Path) -> Any:
        out, err = start(folder).communicate(timeout=300)
        assert out, err
        return {name: value for name, value in json.loads(out).items() if name != "seconds"}

    alone = numbers(tmp_path / "alone")
    killed = tmp_path / "killed"
    for seconds in (4.0, 5.5, 6.5, 7.5, 8.5):
        process = start(killed)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        process.communicate()
    assert numbers(killed) == alone
    assert numbers(killed) == alone
