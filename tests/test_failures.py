"""Runs that cannot be trained are results: they are named with their cause, and change no other run."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
import pytest

import kohort
from kohort.cohort import memory
from kohort.errors import NotSupportedError, RecipeError
from kohort.store.reading import read_study

pytestmark = pytest.mark.optimised


MOONS = kohort.data.moons()
RECIPES = ["none", "l2", "batchnorm", "earlystopping=1"]
OPTIONS: dict[str, Any] = {"seeds": 3, "epochs": 2, "batch_size": 32}


def told(run: kohort.Run) -> Any:
    assert run.test is not None
    return [np.asarray(array).tobytes() for array in run.weights], run.history, run.test.outcomes.tobytes()


@pytest.fixture(scope="module")
def undisturbed() -> Any:
    return kohort.Study(RECIPES, MOONS, **OPTIONS).run(verbose=0)


def short_of_memory(monkeypatch: pytest.MonkeyPatch, fits: Callable[[Any], bool]) -> list[int]:
    """Lets cohorts that do not fit fail half-way, as an accelerator does; gives the sizes of all that are tried."""
    sizes: list[int] = []
    original = memory.CohortTraining.run

    def run(self: Any, progress: Any) -> Any:
        sizes.append(len(self.order.members))
        results = original(self, progress)
        if not fits(self.order):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes.")
        return results

    monkeypatch.setattr(memory.CohortTraining, "run", run)
    return sizes


@pytest.mark.parametrize("folder", [False, True])
def test_members_that_do_not_fit_together_train_in_parts(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: bool
) -> None:
    sizes = short_of_memory(monkeypatch, lambda order: len(order.members) <= 2)
    done: list[int] = []
    place = tmp_path / "s" if folder else None
    result = kohort.Study(RECIPES, MOONS, **OPTIONS, folder=place).run(listener=lambda stage: done.append(stage.total))
    assert sizes[:5] == [6, 3, 1, 2, 3]
    assert list(result.runs) == list(undisturbed.runs)
    for key, run in undisturbed.runs.items():
        assert told(result.runs[key]) == told(run)
    assert not result.failures


def test_a_run_that_does_not_fit_alone_is_given_up(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_of_memory(monkeypatch, lambda order: "batchnorm" not in order.names)
    study = kohort.Study(RECIPES, MOONS, **OPTIONS, folder=tmp_path)
    result = study.run(verbose=0)
    assert [(own.recipe, own.seed, own.kind) for own in result.failures] == [
        ("batchnorm", seed, "out of memory") for seed in range(3)
    ]
    assert str(result.failures[0]) == (
        "batchnorm, seed 0: out of memory: RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes"
    )
    assert [own.recipe for own in result.comparison.recipes] == ["none", "l2 0.001", "earlystopping 1"]
    for key, run in result.runs.items():
        assert told(run) == told(undisturbed.runs[key])
    stored = read_study(tmp_path)
    assert stored.failures == result.failures
    told_together = "batchnorm out of memory under seeds 0, 1, 2: RESOURCE_EXHAUSTED: Out of memory"
    assert result.facts()["failed"].startswith(told_together)
    assert stored.facts()["failed"] == result.facts()["failed"]
    monkeypatch.undo()
    again = study.run(verbose=0)
    assert not again.failures
    assert "failed" not in again.facts()
    assert not read_study(tmp_path).failures
    assert told(again.runs["batchnorm", 1]) == told(undisturbed.runs["batchnorm", 1])


def test_a_baseline_that_does_not_fit_is_no_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, lambda order: "none" not in order.names)
    result = kohort.Study(["none", "batchnorm"], MOONS, **OPTIONS).run(verbose=0)
    with pytest.raises(RecipeError, match="the baseline must have trained under every seed. Got none, seed 0: out of"):
        _ = result.comparison
    assert result.runs["batchnorm", 0].outcome.finished


def test_fit_says_which_run_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    short_of_memory(monkeypatch, lambda order: all(member.seed != 1 for member in order.members))
    x, y = MOONS.x[:64], MOONS.y[:64]
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED") as caught:
        kohort.fit(plain, x, y, seeds=2, verbose=0)
    assert caught.value.__notes__ == ["raised while recipe 'plain', seed 1 trained alone"]


def test_other_errors_are_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Any, progress: Any) -> Any:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(memory.CohortTraining, "run", run)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        kohort.Study(["none"], MOONS, **OPTIONS).run(verbose=0)


def plain() -> keras.Model:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(4), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def eager() -> keras.Model:
    model = plain()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    return model


def test_a_recipe_that_no_cohort_can_train_is_refused_and_the_others_train(tmp_path: Path) -> None:
    result = kohort.Study({"plain": plain, "eager": eager}, MOONS, **OPTIONS, folder=tmp_path).run(verbose=0)
    assert [(own.recipe, own.kind) for own in result.failures] == [("eager", "refused")] * 3
    assert "was compiled with run_eagerly=True, but a cohort trains as one compiled program" in result.failures[0].cause
    assert len(result.runs) == 3
    assert read_study(tmp_path).failures == result.failures
    with pytest.raises(NotSupportedError, match="run_eagerly"):
        kohort.Study({"eager": eager}, MOONS, **OPTIONS).run(verbose=0)


def test_a_study_of_which_every_recipe_is_refused_says_so_instead_of_judging() -> None:
    result = kohort.Study({"eager": eager, "too": eager}, MOONS, **OPTIONS).run(verbose=0)
    assert [(own.recipe, own.kind) for own in result.failures] == [("eager", "refused")] * 3 + [("too", "refused")] * 3
    assert not result.runs
    with pytest.raises(
        RecipeError, match="the baseline must have trained under every seed. Got eager, seed 0: refused"
    ):
        _ = result.comparison


def test_what_was_interrupted_is_known(tmp_path: Path) -> None:
    def listener(stage: Any) -> None:
        if stage.run_epochs > 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kohort.Study(RECIPES, MOONS, **OPTIONS, folder=tmp_path).run(listener=listener)
    stored = read_study(tmp_path)
    known = {(own.recipe, own.seed) for own in stored.failures if own.kind == "interrupted"}
    assert known
    assert not known & set(stored.runs)


LITTLE_MEMORY = """
import resource, sys
import keras, kohort, numpy as np

def wide():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(30_000), keras.layers.Dense(3_000),
                              keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def plain():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(4), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

moons = kohort.data.moons()
kohort.Study({"plain": plain}, moons, seeds=2, epochs=1).run(verbose=0)  # all that is loaded lazily is there
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 1_200 * 2**20,) * 2)
result = kohort.Study({"plain": plain, "wide": wide}, moons, seeds=2, epochs=1).run(verbose=0)
print(len(result.runs), sorted({own.kind for own in result.failures}), result.failures[0].recipe)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits a process' memory as Linux does")
def test_a_process_that_really_has_little_memory(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, timeout=300)
    assert done.stdout == "2 ['out of memory'] wide\n", done.stderr
