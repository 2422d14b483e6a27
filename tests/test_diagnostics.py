"""What is measured of a run besides its logs, against NumPy on its weights."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kohort
from kohort.cohort.diagnostics import histogram, shares_of_zeros
from kohort.errors import KohortError
from kohort.run import DIAGNOSTICS, WEIGHT_EDGES
from kohort.study.answers import answers

MOONS = kohort.data.moons()
layers = keras.layers


def builder(*hidden: Any, rate: float = 0.5, **options: Any) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        made = [layers.deserialize(layers.serialize(layer)) for layer in hidden]
        model = keras.Sequential([layers.Input((2,)), *made, layers.Dense(2, "softmax")])
        model.compile(keras.optimizers.SGD(rate, **options), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


def study(recipes: Any, **options: Any) -> Any:
    return kohort.Study(recipes, MOONS, **{"seeds": 2, "epochs": 3, "batch_size": 32, **options}).run(verbose=0)


def norm(arrays: Any) -> float:
    return float(np.sqrt(sum(np.square(np.asarray(own, np.float64)).sum() for own in arrays)))


def test_every_run_has_all_that_is_named() -> None:
    for run in study(["none", "batchnorm", "earlystopping=1"]).runs.values():
        later = ["dead_units", "confusion", "reliability"]  # of test rows
        assert list(run.diagnostics) == [*(name for name in DIAGNOSTICS if name not in (*later, "residuals")), *later]
        assert run.diagnostics["weight_norm"].shape == run.diagnostics["gradient_norm"].shape == (len(run.epoch),)
        assert all(np.isfinite(values).all() for values in run.diagnostics.values())
        assert run.diagnostics["seconds"][0] > 0


def test_norms_of_weights_are_those_of_the_weights() -> None:
    result = study({"plain": builder(layers.Dense(8, "relu"))})
    for run in result.runs.values():
        assert run.diagnostics["weight_norm"][-1] == pytest.approx(norm(run.weights), rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.01}])
def test_norms_of_gradients_are_those_of_the_last_step(options: dict[str, Any]) -> None:
    recipe = {"plain": builder(layers.Dense(8, "tanh", kernel_regularizer=keras.regularizers.L2(0.01)))}
    run = study(recipe, batch_size=400).runs["plain", 1]
    assert run.params["steps"] == 1
    before = study(recipe, batch_size=400, epochs=2).runs["plain", 1]
    moved = norm(np.subtract(one, other) for one, other in zip(run.weights, before.weights, strict=True)) / 0.5
    assert run.diagnostics["gradient_norm"][-1] == pytest.approx(moved, rel=1e-4)
    clipped = study({"plain": builder(layers.Dense(8, "tanh"), clipnorm=1e-6)}, batch_size=400).runs["plain", 1]
    assert clipped.diagnostics["gradient_norm"][-1] > 1e-3  # as they are before they are clipped


def test_norms_of_gradients_are_of_the_last_batch() -> None:
    """Only the last step moves the weights, so that it alone tells its gradient."""

    def at(last: float) -> Any:
        rate: Any = keras.optimizers.schedules.PiecewiseConstantDecay([18], [0.0, last])
        return study({"plain": builder(layers.Dense(8, "tanh"), rate=rate)}, epochs=1).runs["plain", 0]

    still, moved = at(0.0), at(0.5)
    assert moved.params["steps"] == 20
    step = norm(np.subtract(one, other) for one, other in zip(moved.weights, still.weights, strict=True)) / 0.5
    assert moved.diagnostics["gradient_norm"][0] == pytest.approx(step, rel=1e-4)


def test_callbacks_leave_norms_as_they_are() -> None:
    result = study(["none", "earlystopping=50"])
    for seed in range(2):
        plain, heard = result.runs["none", seed], result.runs["earlystopping 50", seed]
        assert heard.callbacks
        for name in ("weight_norm", "gradient_norm"):
            np.testing.assert_allclose(heard.diagnostics[name], plain.diagnostics[name], rtol=1e-5)


def test_proximal_l1_makes_zeros_and_others_none() -> None:
    result = study(["none", "l2=0.01", "proximal=0.05"], epochs=10)
    zeros = {recipe: [run.diagnostics["zeros"][0] for run in result.runs.of(recipe)] for recipe in result.plan.recipes}
    assert zeros["none"] == zeros["l2 0.01"] == [0.0, 0.0]
    last = result.plan.recipes[-1]
    for run, share in zip(result.runs.of(last), zeros[last], strict=True):
        kernels = [own for own in run.weights if own.ndim == 2]
        assert share == np.mean(np.concatenate([own.ravel() for own in kernels]) == 0) > 0.01
        assert run.diagnostics["near_zeros"][0] >= share


def test_histograms_count_every_weight() -> None:
    kernels = [
        np.array([[0.0, 1e-7, -1e-7], [0.05, -0.05, 1e9]], np.float32),
        np.array([[np.nan, -np.inf]], np.float32),
    ]
    counts = histogram(kernels)
    assert counts.sum() == 6
    middle = len(counts) // 2
    assert counts[middle] == 3
    assert counts[-1] == 1
    place = int(np.searchsorted(WEIGHT_EDGES, 0.05)) - 1
    assert counts[place] == counts[-1 - place] == 1
    assert shares_of_zeros(kernels[:1]) == (1 / 6, 3 / 6)
    assert np.isnan(shares_of_zeros([])).all()


def dead(*hidden: Any) -> float:
    return study({"own": builder(*hidden, rate=1e-6)}, seeds=1, epochs=1).runs["own", 0].diagnostics["dead_units"][0]


def below() -> Any:
    return keras.initializers.Constant(-1e6)


def test_dead_units_are_counted() -> None:
    assert dead(layers.Dense(6, "relu", bias_initializer=below()), layers.Dense(2, "relu")) >= 6 / 8
    assert dead(layers.Dense(6, bias_initializer=below()), layers.ReLU()) == 1.0
    assert dead(layers.Dense(6), layers.Activation("relu")) < 0.5
    assert np.isnan(dead(layers.Dense(6, "tanh", bias_initializer=below())))
    assert dead(layers.Reshape((2, 1)), layers.Conv1D(3, 1, activation="relu", bias_initializer=below()),
                layers.Flatten()) == 1.0  # fmt: skip


def test_relu_inside_a_loop_is_not_looked_at() -> None:
    assert np.isnan(dead(layers.Reshape((2, 1)), layers.SimpleRNN(4, activation="relu")))


def test_what_is_not_measured_changes_no_result() -> None:
    on, off = study(["none", "dropout"]), study(["none", "dropout"], diagnostics=False)
    for key, run in off.runs.items():
        assert not run.diagnostics
        for one, other in zip(run.weights, on.runs[key].weights, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_answers_on_test_rows_are_those_of_the_network() -> None:
    result = study(["none"], seeds=1)
    run = result.runs["none", 0]
    probabilities = result.ensemble("none").each[0]
    y, sure = MOONS.y[run.test.rows], probabilities.max(axis=1)
    confusion = run.diagnostics["confusion"].reshape(2, 2)
    for true, given in np.ndindex(2, 2):
        assert confusion[true, given] == np.sum((y == true) & (probabilities.argmax(axis=1) == given))
    assert np.trace(confusion) / confusion.sum() == pytest.approx(run.test.score)
    rows, confidence, right = run.diagnostics["reliability"].reshape(3, -1)
    assert rows.sum() == len(y)
    assert confidence.sum() == pytest.approx(sure.sum(), rel=1e-6)
    assert right.sum() == np.trace(confusion)
    narrow = np.flatnonzero((sure > 9 / 15) & (sure <= 10 / 15))
    assert rows[9] == len(narrow)


def test_answers_of_other_networks() -> None:
    logits = answers(np.array([0, 1]), np.array([[2.0, -1.0], [0.5, 0.1]]), 2)
    assert list(logits) == ["confusion"]
    assert answers(np.array([0, 1]), np.array([[np.nan, 1.0], [0.5, 0.5]]), 2) == {}
    assert list(answers(np.zeros(2, int), np.full((2, 51), 1 / 51), 51)) == ["reliability"]
    (residuals,) = answers(np.array([1.0, 2.0]), np.array([[1.5], [1.0]]), 0).values()
    assert (residuals[0], residuals[50], residuals[100], len(residuals)) == (-1.0, -0.25, 0.5, 101)


def test_they_are_kept_in_the_folder(tmp_path: Path) -> None:
    first = study(["none"], folder=tmp_path)
    again = study(["none"], folder=tmp_path)
    for key, run in first.runs.items():
        for name, values in run.diagnostics.items():
            np.testing.assert_array_equal(again.runs[key].diagnostics[name], values)


def test_the_gap_between_training_and_validation() -> None:
    run = study(["none"]).runs["none", 0]
    assert run.gap() == run.history["loss"][-1] - run.history["val_loss"][-1]
    assert run.gap("accuracy") == run.history["accuracy"][-1] - run.history["val_accuracy"][-1]
    with pytest.raises(KohortError, match="must have logged 'auc' and 'val_auc'. Got accuracy, loss"):
        run.gap("auc")
