"""The estimators for scikit-learn: what they choose, what they predict with, and scikit-learn's own checks."""

import pickle
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_wine, make_classification, make_regression
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from kohort import KohortClassifier, KohortRegressor
from kohort.data import Column, Dataset, load
from kohort.data.encoding import encoding_of
from kohort.data.frames import features, is_table
from kohort.errors import DataError, RecipeError
from kohort.estimators.choice import chosen_of_study
from kohort.run import Outcome, Run, Runs
from kohort.study import StudyResult

PAGE = Path(__file__).parents[1] / "docs" / "scikit-learn.md"
FEW: dict[str, Any] = {"seeds": 2, "epochs": 3}
ROWS = 200
RNG = np.random.default_rng(0)
COLOURS = RNG.choice(["red", "green", "blue"], ROWS)
WIDTHS = RNG.normal(size=ROWS)
CITIES = RNG.choice([f"city {number}" for number in range(15)], ROWS)  # so many levels that they are embedded
BOUGHT = np.where((COLOURS == "red") ^ (WIDTHS > 0.3), "yes", "no")
COLUMNS: dict[str, list] = {
    "colour": [None if row == 3 else str(colour) for row, colour in enumerate(COLOURS)],
    "width": [None if row == 4 else float(width) for row, width in enumerate(WIDTHS)],
    "city": CITIES.tolist(),
    "price": [f"1.{row:03},5" for row in range(ROWS)],
    "same": ["a"] * ROWS,
}
FRAMES: dict[str, Any] = {"pandas": pd.DataFrame(COLUMNS), "polars": pl.DataFrame(COLUMNS)}


def predicted_by_each(estimator: Any, x: Any) -> np.ndarray:
    """What the networks predict by Keras' own `predict`, (networks, rows, outputs)."""
    quiet: dict = {"verbose": 0}
    pairs = zip(estimator.models_, estimator.encoded(x), strict=True)
    return np.stack([np.asarray(model.predict(inputs, **quiet), np.float64) for model, inputs in pairs])


@pytest.fixture(scope="module")
def wine() -> tuple[np.ndarray, np.ndarray]:
    made: Any = load_wine(return_X_y=True)
    x, y = made
    return x, np.array(["barolo", "grignolino", "barbera"])[y]


@pytest.fixture(scope="module")
def compared(wine: tuple[np.ndarray, np.ndarray]) -> KohortClassifier:
    """Chosen among a recipe that learns and one that cannot, which is named first."""
    return KohortClassifier(("sgd:rate=0.000001", "none"), seeds=3, epochs=8).fit(*wine)


# what networks see


@pytest.mark.parametrize("rows", [slice(0, 150), slice(50, 200)])
def test_an_encoding_is_what_the_dataset_does_without_its_rows(rows: slice) -> None:
    cells = np.stack([WIDTHS * 1e200, WIDTHS, RNG.integers(0, 3, ROWS), RNG.integers(0, 15, ROWS)], axis=1)
    cells[RNG.random(cells.shape) < 0.1] = np.nan
    cells = np.concatenate([cells, np.full((ROWS, 1), np.nan), np.full((ROWS, 1), 7.0)], axis=1)
    cells[160:, 2] = 2.0  # a level that the first training rows may lack
    cells[0, 5] = 8.0
    few, many = tuple("abc"), tuple("abcdefghijklmno")
    columns = (
        Column("huge", missing=True),
        Column("number"),
        Column("few", few, missing=True),
        Column("many", many),
        Column("empty", missing=True),
        Column("constant"),
    )
    dataset = Dataset("x", cells, np.arange(ROWS, dtype=np.float32), columns=columns)
    trained = np.arange(ROWS)[rows]
    mine = encoding_of(cells[trained], columns)(cells)
    np.testing.assert_array_equal(mine, dataset.inputs_of(cells, trained))
    assert np.isfinite(mine).all()


def test_a_category_that_is_not_known_is_none_of_the_known() -> None:
    few, many = tuple("abc"), tuple("abcdefghijklmno")
    columns = (Column("few", few, missing=True), Column("whole", few), Column("many", many))
    encoding = encoding_of(np.array([[0.0, 2.0, 3.0], [2.0, 0.0, 4.0], [np.nan, 0.0, 4.0]]), columns)
    seen = encoding(np.array([[-1.0, -1.0, -1.0], [2.0, 2.0, 4.0], [np.nan, np.nan, np.nan], [1.0, 1.0, 0.0]]))
    assert seen.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 1, 5],
        [0, 0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("kind", FRAMES)
def test_a_frame_is_typed_as_kohort_load_types_it(kind: str) -> None:
    found, cells = features(FRAMES[kind])
    loaded = load(pl.DataFrame({**COLUMNS, "bought": BOUGHT}), "bought")
    assert found.columns == loaded.columns
    assert found.remarks == (
        "'price' holds numbers: commas are decimal marks, as in '1.000,5'.",
        "'same' is left out: it is constant.",
    )
    np.testing.assert_array_equal(cells, loaded.x)
    np.testing.assert_array_equal(found.cells(FRAMES[kind]), cells)


def test_only_frames_with_other_columns_than_numbers_are_tables() -> None:
    assert all(is_table(frame) for frame in FRAMES.values())
    assert is_table(pd.DataFrame({"when": pd.date_range("2024-01-01", periods=3)}))
    numbers = {"a": [1.0, None], "b": [True, False]}
    assert not is_table(pl.DataFrame(numbers))
    assert not is_table(pd.DataFrame({"a": [1.0, None], "b": [1, 2]}))
    assert not is_table(np.array([["a"]], object))


def test_a_later_cell_that_is_no_number_is_refused() -> None:
    found, _ = features(FRAMES["polars"])
    wrong = FRAMES["polars"].with_columns(price=pl.lit("dear"))
    with pytest.raises(DataError, match="column 'price' must hold numbers, as it did .* Got 'dear'"):
        found.cells(wrong)


# scikit-learn's manners


def test_numbers_are_read_as_those_were_that_were_learnt_from() -> None:
    known, cells = features(pl.DataFrame({"price": ["1.234,5", "7", "2"], "name": ["a", "b", "a"]}))
    assert cells[0, 0] == 1234.5
    later = pl.DataFrame({"price": ["1.234", "1,5"], "name": ["b", "a"]})  # alone it could be 1.234
    assert known.cells(later)[:, 0].tolist() == [1234.0, 1.5]
    with pytest.raises(DataError, match=r"column 'price' must hold numbers.*Got '1,234\.5'"):
        known.cells(pl.DataFrame({"price": ["1,234.5"], "name": ["b"]}))


def test_the_constructor_keeps_what_it_is_given() -> None:
    recipes = ["none"]
    estimator = KohortClassifier(recipes, epochs="nonsense")  # pyright: ignore[reportArgumentType]
    assert estimator.recipes is recipes
    twin: Any = clone(estimator)
    assert twin.get_params() == estimator.get_params()


def test_what_is_not_fitted_says_so() -> None:
    for ask in (KohortClassifier().predict, KohortRegressor().predict, KohortClassifier().encoded):
        with pytest.raises(NotFittedError):
            ask(np.zeros((3, 2)))
    with pytest.raises(NotFittedError):
        KohortClassifier().models_  # noqa: B018
    assert not hasattr(KohortClassifier(), "models_")


MADE: Any = make_classification(120, random_state=0)
X, Y = MADE[:2]
REFUSED: dict[str, tuple[dict[str, Any], Any, Any, type[Exception], str]] = {
    "sparse": ({}, csr_matrix(X), Y, TypeError, "dense data is required"),
    "infinite": ({}, np.where(X > 2, np.inf, X), Y, ValueError, "infinity"),
    "one class": ({}, X, np.zeros(120), DataError, "more than one class"),
    "numbers as classes": ({}, X, X[:, 0], ValueError, "Unknown label type"),
    "no target": ({}, X, None, ValueError, "requires y to be passed"),
    "lengths": ({}, X, Y[1:], ValueError, "inconsistent numbers of samples"),
    "lengths of a frame": ({}, FRAMES["polars"], BOUGHT[1:], ValueError, "inconsistent numbers of samples"),
    "recipe": ({"recipes": ("nonsense", "none")}, X, Y, RecipeError, "no recipe is called 'nonsense'"),
    "no recipe": ({"recipes": ()}, X, Y, RecipeError, "at least one recipe"),
    "epochs": ({"epochs": 0}, X, Y, ValueError, "epochs == 0, must be >= 1"),
    "batch": ({"batch_size": -3}, X, Y, ValueError, "batch_size == -3, must be >= 1"),
    "kind of epochs": ({"epochs": "many"}, X, Y, TypeError, "epochs must be an instance of int"),
    "seeds": ({"seeds": 0}, X, Y, DataError, "seeds must be a number of at least 1"),
    "metric": ({"metric": "nonsense"}, X, Y, ValueError, "nonsense"),
    "callbacks": ({"recipes": ("earlystopping",)}, X, Y, RecipeError, "watches validation rows, of which there are"),
    "seeds of a search": ({"candidates": 3, "seeds": 2}, X, Y, DataError, "seeds must be at least 6. Got 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_learnt_is_refused(case: str) -> None:
    arguments, x, y, error, words = REFUSED[case]
    estimator = KohortClassifier(**arguments)
    with pytest.raises(error, match=words) as refused:
        estimator.fit(x, y)
    assert isinstance(refused.value, ValueError | TypeError)
    assert not hasattr(estimator, "ensemble_")


def test_seeds_are_drawn_from_a_random_state_or_counted() -> None:
    counted, drawn, again, other = (
        KohortClassifier(("none",), seeds=3, epochs=1, random_state=state).fit(X, Y) for state in (None, 0, 0, 1)
    )
    seeds = [[network.seed for network in own.ensemble_.networks] for own in (counted, drawn, again, other)]
    assert seeds[0] == [0, 1, 2]
    assert seeds[1] == seeds[2] != seeds[3]
    np.testing.assert_array_equal(drawn.predict_proba(X), again.predict_proba(X))
    assert not set(seeds[1]) & set(seeds[3])
    given = KohortClassifier(("none",), seeds=[7, 5], epochs=1, random_state=0).fit(X, Y)
    assert [network.seed for network in given.ensemble_.networks] == [7, 5]


def test_the_users_randomness_is_left_alone() -> None:
    np.random.seed(3)
    expected = np.random.RandomState(3).random_sample(2)
    KohortClassifier(("none",), seeds=1, epochs=1).fit(X, Y).predict(X)
    np.testing.assert_array_equal(np.random.random_sample(2), expected)


# what predicts


def build() -> keras.Model:
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_network_on_all_rows_is_that_of_fit() -> None:
    estimator = KohortClassifier({"own": build}, seeds=[4], epochs=2).fit(X, Y)
    assert (estimator.result_, estimator.recipe_, estimator.validation_scores_) == (None, "own", {})
    (inputs,) = estimator.encoded(X)
    np.testing.assert_allclose(inputs, StandardScaler().fit_transform(X), atol=1e-5)  # float32
    keras.utils.set_random_seed(4)
    model, quiet = build(), {"verbose": 0}
    model.fit(inputs, Y, epochs=2, batch_size=32, **quiet)  # pyright: ignore[reportArgumentType]
    (own,) = estimator.models_
    for weights, expected in zip(own.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-5)


def test_the_prediction_is_the_mean_of_the_networks(compared: KohortClassifier, wine: tuple) -> None:
    x, y = wine
    each = predicted_by_each(compared, x)
    assert len(each) == 3
    assert np.abs(each[0] - each[1]).max() > 1e-3  # no copies
    np.testing.assert_allclose(compared.predict_proba(x), each.mean(axis=0), atol=1e-6)  # float32, by another program
    labels = compared.classes_[each.mean(axis=0).argmax(axis=1)]
    assert (compared.predict(x) == labels).all()
    assert compared.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert compared.score(x, y) == np.mean(labels == y) > 0.9
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of probabilities that do not sum to one
        log_loss(y, compared.predict_proba(x))


def test_a_rows_prediction_does_not_depend_on_the_others(compared: KohortClassifier, wine: tuple) -> None:
    x = np.concatenate([wine[0]] * 2)
    together = compared.predict_proba(x)
    alone = np.concatenate([compared.predict_proba(x[row : row + 1]) for row in range(0, len(x), 29)])
    np.testing.assert_array_equal(together[::29], alone)


def test_threads_predict_side_by_side(compared: KohortClassifier, wine: tuple) -> None:
    x, _ = wine
    alone = compared.predict_proba(x)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: compared.predict_proba(x), range(24)))
    assert all(np.array_equal(own, alone) for own in found)


def test_the_recipe_is_chosen_on_validation_rows(compared: KohortClassifier) -> None:
    result = compared.result_
    assert isinstance(result, StudyResult)
    means = {
        recipe: np.mean([run.history["val_accuracy"][-1] for run in result.runs.of(recipe)])
        for recipe in result.plan.recipes
    }
    assert compared.validation_scores_ == pytest.approx(means)
    assert compared.recipe_ == max(means, key=lambda recipe: means[recipe]) == "none"


def with_other_answers(run: Run) -> Run:
    """The run as if it had been right on the test rows where it was wrong, and wrong where it was right."""
    assert run.test is not None
    return replace(run, test=replace(run.test, outcomes=1.0 - run.test.outcomes))


def test_test_rows_have_no_say(compared: KohortClassifier) -> None:
    result = compared.result_
    assert isinstance(result, StudyResult)
    turned = replace(result, runs=Runs({key: with_other_answers(run) for key, run in result.runs.items()}))
    assert turned.comparison.recipes[0].test_mean.mean > turned.comparison.recipes[1].test_mean.mean
    assert chosen_of_study(turned).recipe == chosen_of_study(result).recipe == compared.recipe_


def test_a_recipe_that_diverged_is_not_chosen(compared: KohortClassifier) -> None:
    result = compared.result_
    assert isinstance(result, StudyResult)
    first = {key: key == ("none", 1) for key in result.runs}
    runs = {key: replace(run, outcome=Outcome(2)) if first[key] else run for key, run in result.runs.items()}
    assert list(chosen_of_study(replace(result, runs=Runs(runs))).validation) == [result.plan.recipes[0]]
    runs = {key: replace(run, outcome=Outcome(2)) for key, run in result.runs.items()}
    with pytest.raises(RecipeError, match="a recipe must train to its end under every seed. Got none: .*diverged"):
        chosen_of_study(replace(result, runs=Runs(runs)))


def test_pickled_it_predicts_the_same_and_keeps_its_comparison(compared: KohortClassifier, wine: tuple) -> None:
    text = pickle.dumps(compared)
    again = pickle.loads(text)
    np.testing.assert_array_equal(again.predict_proba(wine[0]), compared.predict_proba(wine[0]))
    assert pickle.loads(pickle.dumps(again)).recipe_ == compared.recipe_
    assert str(again.result_) == str(compared.result_)
    assert len(again.models_) == 3
    assert len(text) < 1_000_000  # no rows and no networks but those that predict


def test_too_few_rows_to_choose_by_train_the_first_recipe() -> None:
    with pytest.warns(UserWarning, match="too few rows to choose a recipe by: .* Got 30 rows"):
        estimator = KohortClassifier(("l2", "none"), **FEW).fit(X[:30], Y[:30])
    assert (estimator.recipe_, estimator.result_) == ("l2 0.001", None)
    assert estimator.predict(X).shape == Y.shape


def test_a_column_of_labels_is_told_of() -> None:
    with pytest.warns(DataConversionWarning):
        KohortClassifier(("none",), seeds=1, epochs=1).fit(X, Y[:, None])


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_with_categories_are_learnt_from(kind: str) -> None:
    frame = FRAMES[kind]
    estimator = KohortClassifier(("none",), seeds=2, epochs=40).fit(frame, BOUGHT)
    assert estimator.feature_names_in_.tolist() == list(COLUMNS)
    assert (estimator.n_features_in_, len(estimator.remarks_)) == (5, 2)
    assert estimator.score(frame, BOUGHT) > 0.9  # the more frequent class is 0.6
    np.testing.assert_array_equal(estimator.predict_proba(frame), estimator.predict_proba(FRAMES["polars"]))
    with pytest.raises(DataError, match="must be a data frame with the columns colour, width, city, price"):
        estimator.predict(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[["width", "colour", "city", "price", "same"]])
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict(frame), estimator.predict(frame))


def test_missing_numbers_are_learnt_from() -> None:
    told = RNG.random(ROWS) < 0.5
    x = np.stack([np.where(told, WIDTHS, np.nan), RNG.normal(size=ROWS)], axis=1)
    estimator = KohortClassifier(("none",), seeds=2, epochs=40).fit(x, told)
    assert estimator.score(x, told) == 1.0
    assert estimator.predict(np.array([[np.nan, 0.0], [0.5, 0.0]])).tolist() == [False, True]


@pytest.mark.slow
def test_a_regressor_predicts_in_units_of_the_target() -> None:
    made: Any = make_regression(300, 5, noise=5.0, random_state=0)
    x, y = made[0], made[1]
    y = 1e4 + 100.0 * y
    estimator = KohortRegressor(("none", "l2"), seeds=2, epochs=40).fit(x, y)
    (network, _), each = estimator.ensemble_.networks, predicted_by_each(estimator, x)
    assert (network.targets.centre, network.targets.spread) == pytest.approx((y.mean(), y.std()), rel=1e-5)
    expected = y.mean() + y.std() * each.mean(axis=0)[:, 0]
    np.testing.assert_allclose(estimator.predict(x), expected, atol=1e-5 * y.std())
    assert estimator.score(x, y) > 0.9
    scores = estimator.validation_scores_
    assert estimator.recipe_ == min(scores, key=lambda recipe: scores[recipe])  # an error is wanted low
    assert 10 < min(scores.values()) < y.std()


@pytest.mark.slow
def test_without_refit_the_networks_of_the_comparison_predict(wine: tuple) -> None:
    x, y = wine
    estimator = KohortClassifier(("none", "dropout=0.1"), refit=False, **FEW).fit(x, y)
    result = estimator.result_
    assert isinstance(result, StudyResult)
    expected = result.ensemble(estimator.recipe_, x.astype(np.float64)).mean
    np.testing.assert_allclose(estimator.predict_proba(x), expected, atol=1e-6)  # float32, by another program
    seen = estimator.encoded(x)
    assert not np.array_equal(seen[0], seen[1])  # each by its own training rows
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(x), estimator.predict_proba(x))


@pytest.mark.slow
def test_a_recipe_that_watches_validation_rows_keeps_the_networks_that_had_some(wine: tuple) -> None:
    x, y = wine
    estimator = KohortClassifier(("sgd:rate=0.000001", "earlystopping"), **FEW).fit(x, y)
    result = estimator.result_
    assert isinstance(result, StudyResult)
    assert estimator.recipe_.startswith("earlystopping")
    run = result.runs[estimator.recipe_, 0]
    np.testing.assert_array_equal(estimator.ensemble_.networks[0].weights[0], run.weights[0])


@pytest.mark.slow
def test_a_search_chooses_the_recipe(wine: tuple) -> None:
    x, y = wine
    space = "batchnorm|none + dropout=0.1..0.6?"
    estimator = KohortClassifier(candidates=4, epochs=5, space=space).fit(x, y)
    search, scores = estimator.search_, estimator.validation_scores_
    assert search is not None
    assert estimator.result_ is search.final
    better = search.plain if scores["plain (tuned)"] >= scores[search.called.chosen] else search.found
    assert estimator.recipe_ == better.recipe
    assert scores[search.called.chosen] == pytest.approx(search.found.final.chosen.score)
    again = pickle.loads(pickle.dumps(estimator))
    assert again.search_ is None
    np.testing.assert_array_equal(again.predict(x), estimator.predict(x))


@pytest.mark.slow
def test_it_goes_where_scikit_learn_takes_it(wine: tuple) -> None:
    x, y = wine
    plain = KohortClassifier(("none",), seeds=2, epochs=10)
    scores = cross_val_score(make_pipeline(StandardScaler(), plain), x, y, cv=3)
    assert scores.min() > 0.85
    found = GridSearchCV(plain, {"epochs": [1, 20], "recipes": [("none",), ("batchnorm",)]}, cv=3).fit(x, y)
    assert found.best_params_["epochs"] == 20
    assert found.best_estimator_.recipe_ == found.best_params_["recipes"][0]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")  # checks provoke warnings, and look for those that they want themselves
@pytest.mark.parametrize("kind", [KohortClassifier, KohortRegressor])
def test_scikit_learns_own_checks_pass_all(kind: Any) -> None:
    found = check_estimator(kind(("none", "l2"), seeds=2, epochs=60), on_skip=None)
    status = {own["check_name"]: own["status"] for own in found}
    assert len(found) >= 50
    assert status["check_fit_idempotent"] == "passed"
    others = {name for name, own in status.items() if own != "passed"}
    assert others <= {"check_array_api_input"}  # which asks for an environment variable
    assert f"{len(found) - len(others)} of `{kind.__name__}`" in PAGE.read_text("utf-8")


@pytest.mark.slow
def test_the_pages_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(code, {})
    assert re.search(r"0\.9\d+", capsys.readouterr().out)


@pytest.mark.slow
def test_averaged_weights_are_chosen_by_how_they_do_not_by_those_that_were_validated(wine: Any) -> None:
    x, y = wine
    recipes = ["none", "ema=0.9999"]  # an average that hardly leaves where it began
    estimator = KohortClassifier(recipes, seeds=3, epochs=15).fit(x, y)
    scores = estimator.validation_scores_
    result = estimator.result_
    assert result is not None
    logged = np.mean([run.history["val_accuracy"][-1] for run in result.runs.of("ema 0.9999")])
    assert scores["ema 0.9999"] < logged - 0.1
    assert estimator.recipe_ == "none"
