"""A study's runs are what `fit` gives on each seed's own rows, tested on rows that nobody trained on."""

from typing import Any

import keras
import numpy as np
import polars as pl
import pytest

import kohort
from kohort.data import named, split
from kohort.errors import DataError, RecipeError
from kohort.progress import Stage
from tests.test_equality import assert_same_history, largest_gap

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def studies() -> dict[str, kohort.Study]:
    recipes = ["none", "l2", "dropout=0.2", "batchnorm"]
    return {name: kohort.Study(recipes, named(name), seeds=[2, 0, 5], epochs=3) for name in ("digits", "wdbc")}


@pytest.fixture(scope="module")
def results(studies: dict[str, kohort.Study]) -> dict:
    return {name: study.run(verbose=0) for name, study in studies.items()}


@pytest.mark.parametrize("name", ["digits", "wdbc"])
@pytest.mark.parametrize("recipe", ["none", "dropout 0.2", "batchnorm"])
def test_each_run_equals_fit_on_its_own_rows(name: str, recipe: str, studies: dict, results: dict) -> None:
    dataset, study, runs = named(name), studies[name], results[name].runs
    build = next(r.build for r in study.recipes if r.name == recipe)
    part = split(dataset, 5, 32)
    x = dataset.inputs(part.train)
    keras.utils.set_random_seed(5)
    model = build()
    quiet: dict = {"verbose": 0}
    model.fit(
        x[part.train],
        dataset.y[part.train],
        validation_data=(x[part.validation], dataset.y[part.validation]),
        epochs=3,
        **quiet,
    )
    run = runs[recipe, 5]
    assert_same_history(run, model, len(part.train), len(part.validation))
    predicted = np.asarray(model.predict(x[part.test], **quiet)).argmax(axis=1)
    assert np.mean(run.test.outcomes != (predicted == dataset.y[part.test])) <= 1 / len(part.test)
    np.testing.assert_array_equal(run.test.rows, part.test)
    assert largest_gap(run.model().get_weights(), run.weights) == 0.0


def test_none_and_l2_share_a_program(results: dict) -> None:
    assert results["digits"].runs.cohorts == (("none", "l2 0.001"), ("dropout 0.2",), ("batchnorm",))


def test_runs_are_in_the_order_asked(results: dict) -> None:
    assert list(results["digits"].runs)[:4] == [("none", 2), ("none", 0), ("none", 5), ("l2 0.001", 2)]


def test_facts_name_the_data_and_the_seeds(results: dict) -> None:
    facts = results["digits"].facts()
    assert facts["rows"].startswith("1152 train, 288 validate, 357 test")
    assert facts["seeds"] == "3: 2, 0, 5"
    assert named("digits").fingerprint in facts["fingerprint"]


def table(regression: bool) -> kohort.data.Dataset:
    """200 rows of a number with gaps, categories few and many, and a target of both."""
    rng = np.random.default_rng(0)
    number, few, many = rng.normal(size=200), rng.integers(0, 3, 200), rng.integers(0, 20, 200)
    target = number + few + 0.1 * many + 0.3 * rng.normal(size=200)
    cells = {
        "number": [None if row % 9 == 0 else value for row, value in enumerate(number)],
        "few": [f"f{value}" for value in few],
        "many": [f"m{value}" for value in many],
        "target": 10 * target if regression else ["high" if value > 2 else "low" for value in target],
    }
    return kohort.data.load(pl.DataFrame(cells), name="mine")


@pytest.mark.parametrize("regression", [False, True])
def test_runs_on_a_table_equal_fit_on_each_seeds_own_inputs(regression: bool) -> None:
    dataset = table(regression)
    study = kohort.Study(["none", "dropout=0.2"], dataset, seeds=2, epochs=3, batch_size=16)
    result = study.run(verbose=0)
    assert result.plan.metric == ("root_mean_squared_error" if regression else "accuracy")
    for recipe in study.recipes:
        for seed in (0, 1):
            part = kohort.data.split(dataset, seed, 16)
            x, learnt = dataset.inputs(part.train), dataset.targets(part.train)
            keras.utils.set_random_seed(seed)
            model: Any = recipe.build()
            held_out = (x[part.validation], learnt.values[part.validation])
            model.fit(
                x[part.train], learnt.values[part.train], batch_size=16, epochs=3, validation_data=held_out, verbose=0
            )
            run = result.runs[recipe.name, seed]
            assert largest_gap(run.weights, model.get_weights()) <= 1e-4
            predicted = model.predict(x[part.test], verbose=0)
            if regression:
                error = predicted[:, 0] * learnt.spread + learnt.centre - dataset.y[part.test]
                assert run.test is not None
                assert run.test.score == pytest.approx(float(np.sqrt(np.mean(error**2))), rel=1e-4)
                validated = model.predict(x[part.validation], verbose=0)[:, 0] * learnt.spread + learnt.centre
                error = validated - dataset.y[part.validation]
                told = run.history["val_root_mean_squared_error"]
                assert told[-1] == pytest.approx(float(np.sqrt(np.mean(error**2))), rel=1e-4)
                assert told == pytest.approx([learnt.spread * value for value in run.history["val_rmse"]])
            else:
                assert run.test is not None
                right = predicted.argmax(axis=1) == dataset.y[part.test]
                assert run.test.score == pytest.approx(float(right.mean()), abs=1.5 / len(right))
    kinds = [type(layer).__name__ for layer in study.recipes[0].build().layers]
    assert kinds[0] == "CategoryEmbedding"
    facts = result.facts()
    assert "2 of categories, 1 of these with so many levels that they are embedded" in facts["found in the data"]
    assert ("the tenths of the target" in facts["rows"]) is regression


def test_groups_of_the_test_rows_are_remarked_on() -> None:
    groups = np.arange(120) % 12
    own = kohort.data.Dataset("g", np.zeros((120, 2), np.float32), groups % 2, ("a", "b"), groups=groups)
    study = kohort.Study(["none"], own, seeds=1, epochs=1, batch_size=8)
    assert study.plan.rows[2] == 20
    assert "The 20 test rows are of 2 groups. Intervals take rows as drawn one by one" in study.remarks[-1]


@pytest.mark.parametrize(
    ("metric", "logged", "power"),
    [
        ("mae", "mae", 1),
        ("mean_squared_error", "mean_squared_error", 2),
        ("r2_score", "r2_score", 0),
        ("mape", "mape", None),
    ],
)
def test_logs_of_the_metric_are_in_units_of_the_target(metric: str, logged: str, power: int | None) -> None:
    def build() -> keras.Model:
        model = keras.Sequential([keras.layers.Input(x.shape[1:]), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=[metric])
        return model

    dataset = table(regression=True)
    part = kohort.data.split(dataset, 0, 16)
    x, learnt = dataset.inputs(part.train), dataset.targets(part.train)
    result = kohort.Study({"own": build}, dataset, seeds=1, epochs=2, batch_size=16, metric=metric).run(verbose=0)
    history = result.runs["own", 0].history
    keras.utils.set_random_seed(0)
    own: Any = build()
    fitted = own.fit(x[part.train], learnt.values[part.train], batch_size=16, epochs=2, verbose=0).history
    if power is None:
        assert logged not in history
    else:
        scaled = [value * learnt.spread**power for value in fitted[logged]]
        assert history[logged] == pytest.approx(scaled, rel=1e-4)
    assert history["loss"] == pytest.approx(fitted["loss"], rel=1e-4)


def test_composed_recipes_train_and_stop_early_each_by_itself() -> None:
    texts = ["none", "earlystopping=1+sgd=0.5", "layernorm+dropout=0.2+cosine:warmup=1", "mixup+swa=0.5"]
    result = kohort.Study(texts, named("wine"), seeds=3, epochs=6, batch_size=8).run(verbose=0)
    names = ("none", "earlystopping 1 + sgd 0.5", "layernorm + dropout 0.2 + cosine warmup 1", "mixup 0.2 + swa 0.5")
    assert result.plan.recipes == names
    lengths = {name: [len(result.runs[name, seed].history["loss"]) for seed in range(3)] for name in names}
    assert min(lengths[names[1]]) < 6
    assert all(lengths[name] == [6, 6, 6] for name in names if name != names[1])
    assert "val_crossentropy" in result.runs[names[1], 0].history
    assert [summary.recipe for summary in result.comparison.recipes] == list(names)


def test_a_recipe_may_have_a_batch_size_epochs_and_a_network_of_its_own() -> None:
    texts = ["none", "width=16+depth=3+batch=16+epochs=3+cosine", "epochs=2"]
    dataset = named("wdbc")
    study = kohort.Study(texts, dataset, seeds=[4], epochs=5, batch_size=32)
    runs = study.run(verbose=0).runs
    names = study.plan.recipes
    assert names == ("none", "width 16 + depth 3 + batch 16 + epochs 3 + cosine", "epochs 2")
    assert [len(runs[name, 4].history["loss"]) for name in names] == [5, 3, 2]
    part = split(dataset, 4, 32)
    x = dataset.inputs(part.train)
    quiet: dict = {"verbose": 0}
    keras.utils.set_random_seed(4)
    model = study.recipes[1].build()
    assert [weights.shape for weights in model.get_weights()[::2]] == [(30, 16), (16, 16), (16, 16), (16, 2)]
    assert model.optimizer._learning_rate.decay_steps == 3 * -(-len(part.train) // 16)
    validation = (x[part.validation], dataset.y[part.validation])
    model.fit(x[part.train], dataset.y[part.train], batch_size=16, validation_data=validation, epochs=3, **quiet)
    assert_same_history(runs[names[1], 4], model, len(part.train), len(part.validation))
    assert runs[names[1], 4].model().count_params() == model.count_params()


def test_own_builders_and_their_outputs_are_checked() -> None:
    def build() -> keras.Model:
        model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(12, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    heard: list[Stage] = []
    with pytest.raises(
        RecipeError, match=r"'mine' must give one output per class, 10 here. Got outputs of shape \[12\]"
    ):
        kohort.Study({"mine": build}, named("digits"), seeds=1, epochs=1).run(
            listener=lambda stage: heard.append(stage)
        )
    assert [stage.doing for stage in heard] == ["building mine"]


class Silent(keras.Model):
    """Does not tell the shape of its outputs."""

    def __init__(self, units: int):
        super().__init__()
        self.dense = keras.layers.Dense(units, activation="softmax")

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)


def test_a_models_outputs_that_are_not_told_are_checked_when_it_predicts() -> None:
    def build() -> keras.Model:
        model = Silent(12)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    with pytest.raises(RecipeError, match="one output per class, 10 here.*from mine"):
        kohort.Study({"mine": build}, named("digits"), seeds=1, epochs=1).run(verbose=0)


def test_recipes_are_tested_with_their_own_numbers() -> None:
    """Numbers that act in prediction, too, as the slope of a LeakyReLU does."""
    dataset = named("iris")

    def build(slope: float) -> keras.Model:
        stack = [keras.layers.Input((4,)), keras.layers.Dense(6), keras.layers.LeakyReLU(negative_slope=slope)]
        model = keras.Sequential([*stack, keras.layers.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    recipes = {f"slope {slope}": lambda slope=slope: build(slope) for slope in (0.1, 5.0)}
    result = kohort.Study(recipes, dataset, seeds=3, epochs=2, batch_size=8).run(verbose=0)
    assert len(result.runs.cohorts) == 1
    quiet: dict = {"verbose": 0}
    for (_, seed), run in result.runs.items():
        part = split(dataset, seed, 8)
        predicted = run.model().predict(dataset.inputs(part.train)[part.test], **quiet).argmax(axis=1)
        assert run.test is not None
        np.testing.assert_array_equal(run.test.outcomes, predicted == dataset.y[part.test])


def test_the_score_is_that_of_averaged_weights_where_fit_writes_them() -> None:
    dataset = named("iris")

    def build() -> keras.Model:
        stack = [keras.layers.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(3, activation="softmax")]
        model = keras.Sequential(stack)
        optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.999)  # averages hardly leave zero
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    result = kohort.Study({"averaged": build}, dataset, seeds=3, epochs=3, batch_size=8).run(verbose=0)
    quiet: dict = {"verbose": 0}
    for (_, seed), run in result.runs.items():
        part = split(dataset, seed, 8)
        model = run.model()
        assert largest_gap(run.weights, model.get_weights()) == 0.0
        predicted = model.predict(dataset.inputs(part.train)[part.test], **quiet).argmax(axis=1)
        assert run.test is not None
        np.testing.assert_array_equal(run.test.outcomes, predicted == dataset.y[part.test])


def test_what_no_study_can_be() -> None:
    with pytest.raises(RecipeError, match="baseline must be one of the recipes: none, l2 0.001. Got 'dropout'"):
        kohort.Study(["none", "l2"], named("digits"), baseline="dropout")
    assert kohort.Study(["none", "dropout=0.3"], named("digits"), baseline="dropout=0.3").plan.baseline == "dropout 0.3"

    def silent() -> keras.Model:
        model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    with pytest.raises(RecipeError, match="recipe 'mine' must log 'accuracy'. Got loss, val_loss"):
        kohort.Study({"mine": silent}, named("digits"), seeds=1, epochs=1).run(verbose=0)
    with pytest.raises(DataError, match="epochs must be a whole number of at least 1. Got 0"):
        kohort.Study(["none"], named("digits"), epochs=0)
    assert kohort.Study(["none", "l2"], named("digits"), baseline="l2").plan.baseline == "l2 0.001"


def linear(rate: float) -> keras.Model:
    """A softmax regression of irises, by Adam."""
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_seeds_are_added_until_verdicts_are_settled() -> None:
    """SGD with a tiny rate is settled at the first look; its equal is settled never."""
    dataset = named("iris")

    options: dict = {"epochs": 4, "batch_size": 8, "seeds": "auto", "most_seeds": 10}
    clear = kohort.Study({"fast": lambda: linear(0.1), "slow": lambda: linear(1e-6)}, dataset, **options).run(verbose=0)
    assert clear.comparison.recipes[1].verdict is not None
    assert clear.comparison.recipes[1].verdict.kind == "hurts"
    assert clear.plan.seeds == tuple(range(6))
    assert clear.ended == "every verdict is settled with 6 seeds"
    assert "slow hurts: −" in str(clear)
    alike = kohort.Study({"one": lambda: linear(0.1), "other": lambda: linear(0.1001)}, dataset, **options).run(
        verbose=0
    )
    assert alike.plan.seeds == tuple(range(len(alike.plan.seeds)))
    assert len(alike.plan.seeds) in (6, 10)
    assert alike.ended
    assert next(iter(alike.runs)) == ("one", 0)
    assert len(alike.runs) == 2 * len(alike.plan.seeds)


@pytest.mark.optimised
def test_a_seeds_run_does_not_depend_on_its_round() -> None:
    """Of ten seeds or alone: not a bit, as users' programs are compiled."""
    options: dict = {"epochs": 4, "batch_size": 8}
    alone = kohort.Study({"one": lambda: linear(0.1)}, named("iris"), seeds=[9], **options).run(verbose=0)
    among = kohort.Study({"one": lambda: linear(0.1)}, named("iris"), seeds=10, **options).run(verbose=0)
    assert among.runs["one", 9].history == alone.runs["one", 9].history


def test_any_metric_judges_and_no_penalty_is_part_of_it() -> None:
    dataset = named("wine")
    study = kohort.Study(["none", "l2=5"], dataset, seeds=6, epochs=4, metric="sparse_categorical_crossentropy")
    result = study.run(verbose=0)
    run = result.runs["l2 5", 2]
    part = split(dataset, 2, 32)
    quiet: dict = {"verbose": 0}
    predicted = run.model().predict(dataset.inputs(part.train)[part.test], **quiet)
    expected = -np.log(predicted[np.arange(len(part.test)), dataset.y[part.test]]).mean()
    assert run.test is not None
    assert run.test.score == pytest.approx(expected, abs=1e-5)
    assert not run.test.greater_is_better
    assert run.history["val_loss"][-1] > run.test.score + 1  # holds the penalty
    verdict = result.comparison.recipes[1].verdict
    assert verdict is not None
    assert verdict.kind == "hurts"
    assert "test sparse categorical crossentropy higher by" in verdict.words()
    with pytest.raises(DataError, match="seeds must be a number, the seeds themselves, or 'auto'. Got 'many'"):
        kohort.Study(["none"], dataset, seeds="many")  # type: ignore[arg-type]
