"""What a study's networks predict, against each network's own model and against closed forms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy import special

import kohort
from kohort.data.dataset import Dataset
from kohort.errors import DataError, KohortError, RecipeError, StudyError
from kohort.statistics import fitted_temperature, reliability

MOONS = kohort.data.moons()
layers = keras.layers


@pytest.fixture(scope="module", params=["in memory", "from a folder"])
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    recipes = ["none", "dropout", "batchnorm", "mcdropout"]
    folder = None if request.param == "in memory" else tmp_path_factory.mktemp("s")
    study = kohort.Study(recipes, MOONS, seeds=[3, 1], epochs=3, folder=folder)
    return study.run(verbose=0)


@pytest.fixture(scope="module")
def regression() -> Any:
    return kohort.Study(["none", "dropout"], kohort.data.named("diabetes"), seeds=3, epochs=2).run(verbose=0)


@pytest.mark.parametrize("recipe", ["none", "dropout", "batchnorm"])
@pytest.mark.parametrize("rows", ["test", "validation", "others"])
def test_an_ensemble_is_the_mean_of_its_networks(result: Any, recipe: str, rows: str) -> None:
    others = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    name = next(own for own in result.plan.recipes if own.startswith(recipe))
    found = result.ensemble(name, others if rows == "others" else rows)
    each = []
    for seed in (3, 1):
        part = kohort.data.split(MOONS, seed, 32)
        mean, deviation = (getattr(MOONS.x[part.train].astype(np.float64), own)(axis=0) for own in ("mean", "std"))
        x = ((others if rows == "others" else MOONS.x[getattr(part, rows)]) - mean) / deviation
        each.append(result.model(name, seed).predict(x, verbose=0))
    np.testing.assert_allclose(found.each, each, rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.mean, np.mean(each, axis=0), rtol=0, atol=2e-6)
    np.testing.assert_allclose(found.spread, np.std(each, axis=0, ddof=1), rtol=0, atol=2e-6)
    assert found.seeds == (3, 1)
    assert (found.labels == np.array(MOONS.classes)[np.mean(each, axis=0).argmax(axis=1)]).all()
    if rows == "test":
        right = np.mean(each, axis=0).argmax(axis=1) == MOONS.y[kohort.data.split(MOONS, 1, 32).test]
        assert found.evaluation.score == pytest.approx(right.mean())
    else:
        assert found.evaluation is None


def test_networks_may_be_chosen(result: Any) -> None:
    assert result.ensemble("none", seeds=[1]).each.shape[0] == 1
    np.testing.assert_array_equal(result.ensemble("none", seeds=[1]).each[0], result.ensemble("none").each[1])


def test_scaled_rows_are_scaled_by_each_networks_own_training_rows(regression: Any) -> None:
    data = kohort.data.named("diabetes")
    others = data.x[:5]
    found = regression.ensemble("none", others)
    for place, seed in enumerate(found.seeds):
        train = kohort.data.split(data, seed, 32).train
        learnt = data.targets(train)
        by_keras = regression.model("none", seed).predict(data.inputs(train)[:5], verbose=0)
        np.testing.assert_allclose(found.each[place], by_keras * learnt.spread + learnt.centre, rtol=1e-4)
    assert regression.ensemble("none").evaluation.metric == "root_mean_squared_error"
    for what in ("labels", "entropy", "disagreement"):
        with pytest.raises(DataError, match="only classes have labels and entropies. Got a regression"):
            getattr(found, what)
    with pytest.raises(DataError, match="only probabilities of classes can be calibrated"):
        regression.calibration("none")


def test_tables_take_cells_as_the_dataset_holds_them() -> None:
    import polars as pl

    generator = np.random.default_rng(0)
    frame = pl.DataFrame({
        "a": [None if i % 7 == 0 else float(i) for i in range(200)],
        "kind": [("red", "green", "blue")[i % 3] for i in range(200)],
        "y": generator.integers(0, 2, 200).astype(str),
    })  # fmt: skip
    data = kohort.data.load(frame, "y")
    result = kohort.Study(["none"], data, seeds=2, epochs=1, batch_size=16).run(verbose=0)
    test = kohort.data.split(data, 0, 16).test
    np.testing.assert_array_equal(result.ensemble("none", data.x[test]).each, result.ensemble("none").each)


def test_entropy_and_disagreement() -> None:
    from kohort.study.predicting import Predictions

    opposite = Predictions("r", (0, 1), np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), ("a", "b"))
    same = Predictions("r", (0, 1), np.array([[[0.5, 0.5]], [[0.5, 0.5]]]), ("a", "b"))
    assert opposite.entropy == pytest.approx(np.log(2))
    assert same.entropy == pytest.approx(np.log(2))
    assert opposite.disagreement == pytest.approx(np.log(2))
    assert same.disagreement == pytest.approx(0.0, abs=1e-12)


def linear(rate: float, kind: Any) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        drop = kind(rate)
        model = keras.Sequential([layers.Input((4,)), drop, layers.BatchNormalization(), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mse"])
        return model

    return build


@pytest.mark.parametrize("kind", [layers.Dropout, layers.GaussianDropout])
def test_monte_carlo_dropout_has_the_spread_of_theory(kind: Any) -> None:
    """Through a linear network masks of rate p give the mean the prediction and the variance p/(1−p)·Σ(wᵢ·xᵢ)²."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(300, 4)).astype(np.float32)
    data = Dataset("linear", x, (x @ np.array([1.0, -2.0, 0.5, 3.0])).astype(np.float32))
    result = kohort.Study({"own": linear(0.3, kind)}, data, seeds=1, epochs=5, metric="mse").run(verbose=0)
    found = result.monte_carlo("own", 0, x[:6], passes=3000)
    model = result.model("own", 0)
    by_keras = np.asarray(model(x[:6], training=False))
    normal, dense = model.layers[1], model.layers[2]
    scale = np.asarray(normal.gamma) / np.sqrt(np.asarray(normal.moving_variance) + normal.epsilon)
    weights = scale * np.asarray(dense.kernel)[:, 0]
    learnt = data.targets(kohort.data.split(data, 0, 32).train)
    spread = np.sqrt(0.3 / 0.7 * np.square(x[:6] * weights).sum(axis=1)) * learnt.spread
    np.testing.assert_allclose(found.spread[:, 0], spread, rtol=0.06)
    mean = by_keras[:, 0] * learnt.spread + learnt.centre
    np.testing.assert_array_less(np.abs(found.mean[:, 0] - mean), 4.5 * spread / np.sqrt(3000))
    assert found.each.shape == (3000, 6, 1)


def test_masks_are_fixed_and_differ(result: Any) -> None:
    first, same = (result.monte_carlo("dropout 0.3", 3, passes=5).each for _ in range(2))
    other = result.monte_carlo("dropout 0.3", 3, passes=5, masks=1).each
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    assert len({own.tobytes() for own in first}) == 5
    rows = result.monte_carlo("dropout 0.3", 3, np.zeros((3, 2)), passes=20).each
    assert len({own.tobytes() for own in rows[0]}) == 3  # each row has masks of its own


def test_calibration_is_that_of_the_networks(result: Any) -> None:
    found = result.calibration("batchnorm")
    for place, seed in enumerate(found.seeds):
        part = kohort.data.split(MOONS, seed, 32)
        model = result.model("batchnorm", seed)
        x = MOONS.inputs(part.train)
        validation, test = (model.predict(x[own], verbose=0) for own in (part.validation, part.test))
        assert found.temperatures[place] == pytest.approx(
            fitted_temperature(validation, MOONS.y[part.validation]), 1e-3
        )
        assert found.errors[place, 0] == pytest.approx(reliability(test, MOONS.y[part.test]).error, abs=1e-4)
    assert (special.xlogy(found.curves[0].rows, 1) >= 0).all()


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda r: r.ensemble("dropuot"), RecipeError, "the recipe must be one of none, dropout 0.3"),
        (lambda r: r.ensemble("none", seeds=[2]), DataError, "seeds must be among 3, 1. Got 2"),
        (
            lambda r: r.ensemble("none", "train"),
            DataError,
            "rows must be 'test', 'validation' or an array. Got 'train'",
        ),
        (lambda r: r.ensemble("none", np.zeros((3, 5))), DataError, r"rows must be numbers of shape \(rows, 2\)"),
        (lambda r: r.ensemble("none", np.full((3, 2), np.nan)), DataError, "rows must be finite"),
        (lambda r: r.monte_carlo("none", 3), RecipeError, "must have dropout for its passes to differ"),
        (lambda r: r.monte_carlo("dropout 0.3", 3, passes=0), DataError, "passes must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_predicted_is_refused(result: Any, ask: Any, error: type[KohortError], message: str) -> None:
    with pytest.raises(error, match=message):
        ask(result)


def test_diverged_networks_predict_nothing(tmp_path: Path) -> None:
    options: dict[str, Any] = {"seeds": 2, "epochs": 2, "folder": tmp_path, "weights": "none"}
    result = kohort.Study(["none", "sgd=1e30"], MOONS, **options).run(verbose=0)
    with pytest.raises(RecipeError, match="must have a run that finished. Got 2 that diverged"):
        result.ensemble(result.plan.recipes[1])
    with pytest.raises(StudyError, match="the weights of this run of 'none' must have been kept"):
        result.ensemble("none")
