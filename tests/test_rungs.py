"""Members that leave a cohort since others do better, and programs that cohorts of other sizes share."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import keras
import numpy as np
import pytest

from kohort.cohort.arrays import Arrays
from kohort.cohort.kept_programs import forget
from kohort.cohort.members import Training
from kohort.cohort.order import Course, Data, Going, Rungs
from kohort.progress import silent
from kohort.recipes.compose import recipes_for
from kohort.recipes.design import Problem
from kohort.run import Run
from kohort.training import Request, fit_members, trace_alone
from tests.compilations import Compilations
from tests.test_equality import assert_same_history, largest_gap

pytestmark = [pytest.mark.slow, pytest.mark.optimised]

ROWS, EPOCHS, BATCH = 64, 6, 16
PROBLEM = Problem((5,), 3, "multiclass", ROWS // BATCH, EPOCHS, rows=ROWS)


def arrays(rows: int, seed: int) -> Arrays:
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(rows, 5)).astype(np.float32), generator.integers(0, 3, rows).astype(np.int32)
    return Arrays((x, y), jax.tree.structure((0, 0)))


TRAINING, VALIDATION = arrays(ROWS, 0), arrays(32, 1)


def request(**options: Any) -> Request:
    course = {name: options.pop(name) for name in ("callbacks", "rungs") if name in options}
    given = Course(EPOCHS, params={"verbose": 0, "epochs": EPOCHS, "steps": ROWS // BATCH}, **course)
    return Request(Training(TRAINING, BATCH, True), Data(TRAINING, VALIDATION), given, **options)


def trained(texts: Sequence[str], seeds: Sequence[int] = (0,), **options: Any) -> dict[Any, Run]:
    fitted = fit_members(recipes_for(texts, PROBLEM), seeds, request(**options), silent)
    return {(run.recipe, run.seed): run for run in fitted.runs}


class Halving:
    """Lets the better half go on, and notes what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, Mapping[Going, Mapping[str, Sequence[float]]]]] = []

    def __call__(self, epochs: int, logs: Mapping[Going, Mapping[str, Sequence[float]]]) -> list[Going]:
        self.heard.append((epochs, logs))
        ranked = sorted(logs, key=lambda member: logs[member]["val_loss"][-1])
        return ranked[: len(ranked) // 2]


TEXTS = [f"sgd={rate:g}" for rate in (0.001, 0.003, 0.01, 0.03)]


@pytest.mark.parametrize("callbacks", [None, [keras.callbacks.Callback()]], ids=["chunks", "callbacks"])
def test_those_who_go_on_train_as_if_nobody_had_left(callbacks: Any) -> None:
    whole = trained(TEXTS, (3, 5))
    judge = Halving()
    runs = trained(TEXTS, (3, 5), rungs=Rungs((2, 4), judge), callbacks=callbacks)
    assert [(epochs, len(logs)) for epochs, logs in judge.heard] == [(2, 8), (4, 4)]
    lengths = sorted(len(run.history["loss"]) for run in runs.values())
    assert lengths == [2, 2, 2, 2, 4, 4, 6, 6]
    for key, run in runs.items():
        for log, values in run.history.items():
            np.testing.assert_array_equal(values, whole[key].history[log][: len(values)])
        if len(run.history["loss"]) == EPOCHS:
            assert largest_gap(run.weights, whole[key].weights) == 0.0
        else:
            assert largest_gap(run.weights, whole[key].weights) > 0.0
    for epochs, logs in judge.heard:
        for key, told in logs.items():
            np.testing.assert_array_equal(told["val_loss"], whole[key].history["val_loss"][:epochs])


def test_a_cohort_ends_where_nobody_goes_on() -> None:
    runs = trained(TEXTS, rungs=Rungs((1, 3), lambda epochs, logs: []))
    assert {len(run.history["loss"]) for run in runs.values()} == {1}


def test_cohorts_of_other_sizes_share_a_program_and_each_run_equals_fit() -> None:
    texts = ["dropout=0.1+l2=0.001+adam=0.01", "dropout=0.2+l2=0.002+adam=0.02"]
    alongside = [trace_alone(recipe, 0, request()) for recipe in recipes_for(texts, PROBLEM)]
    forget()
    with Compilations() as compiled:
        first = trained(["dropout=0.3+l2=0.01+adam=0.001"], alongside=alongside, capacity=4)
        trained(["dropout=0.3+l2=0+adam=0.001", "dropout=0.5+l2=0.01+adam=0.001"], alongside=alongside, capacity=4)
        last = trained(["dropout=0.4+l2=0.03+adam=0.003"], (0, 1, 2), alongside=alongside, capacity=4)
    assert compiled.names.count("jit(train_cohort)") == 1
    for runs in (first, last):
        for (name, seed), run in runs.items():
            (recipe,) = recipes_for([name], PROBLEM)
            keras.utils.set_random_seed(seed)
            model = recipe.build()
            quiet: dict = {"verbose": 0}
            model.fit(*TRAINING.leaves, batch_size=BATCH, epochs=EPOCHS, validation_data=VALIDATION.leaves, **quiet)
            assert_same_history(run, model, ROWS, 32)


def test_who_does_not_fit_alongside_is_left_out() -> None:
    alongside = [trace_alone(recipe, 0, request()) for recipe in recipes_for(["dropout=0.1+sgd"], PROBLEM)]
    plain, beside = trained(TEXTS), trained(TEXTS, alongside=alongside, capacity=9)
    for key, run in plain.items():
        assert largest_gap(run.weights, beside[key].weights) == 0.0
