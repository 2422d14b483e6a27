"""The tuner: spaces, halving, ensembles, the journal, and searches from one end to the other."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import pytest
import typer
from keras import layers
from typer.testing import CliRunner

import kohort
from kohort.cli.app import app
from kohort.cli.printing import told_if_interrupted
from kohort.cli.searched import study_in
from kohort.cohort.kept_programs import forget
from kohort.data.dataset import Dataset
from kohort.errors import DataError, RecipeError, StudyError
from kohort.recipes.grammar import parse
from kohort.report.destination import check_folder
from kohort.store.journal import Journal, Line, Tried
from kohort.store.layout import locked
from kohort.store.reading import read_study
from kohort.store.searches import journal_of, read_search
from kohort.tuner.builder import BuilderSpace, HyperParameters
from kohort.tuner.cocktail import baseline, cocktail
from kohort.tuner.ensemble import greedy
from kohort.tuner.finalists import final_of
from kohort.tuner.halving import Halving, rungs_of
from kohort.tuner.objective import best_epoch, objective_of
from kohort.tuner.result import TuneResult
from kohort.tuner.sampling import Sampler
from kohort.tuner.search import Budget, Searched, search
from kohort.tuner.setting import Setting
from kohort.tuner.space import OFF, Knob, Space
from kohort.tuner.told import overrun_in_words, too_few_in_words, tried_in_words
from kohort.tuner.written import written_space
from tests.compilations import Compilations
from tests.test_equality import assert_same_history
from tests.test_failures import short_of_memory

ACCURACY = objective_of(None, True)
SMALL = Space(
    "small",
    {"norm": ("", "batchnorm"), "batch": ("batch=16", "batch=32")},
    (
        Knob("adamw", "rate", 1e-3, 1e-1),
        Knob("adamw", "decay", 1e-3, 1.0, off=0.0),
        Knob("dropout", "rate", 0.1, 0.5, log=False, off=OFF["dropout"]),
        Knob("l2", "strength", 1e-5, 1e-2, off=OFF["l2"]),
    ),
)


class Fixed:
    """A trial that takes what it is told, else the lowest or the first."""

    def __init__(self, **told: Any):
        self.told = {name.replace("__", " "): value for name, value in told.items()}

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        return self.told.get(name, choices[0])

    def suggest_float(self, name: str, low: float, high: float, /, *, step: Any = None, log: bool = False) -> float:
        return self.told.get(name, low)

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        return self.told.get(name, low)


def rows(count: int = 400, seed: int = 0) -> Dataset:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(count, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + 0.3 * generator.normal(size=count) > 0).astype(np.int32)
    return Dataset("made", x, y, ("no", "yes"))


def line() -> Dataset:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(300, 4)).astype(np.float32)
    return Dataset("line", x, (x[:, 0] + 0.1 * generator.normal(size=300)).astype(np.float32))


def setting(epochs: int = 9, **options: Any) -> Setting:
    return Setting(rows(), 10_000, epochs, 32, ACCURACY, **options)


# spaces


@pytest.mark.parametrize(
    "space", [cocktail("binary"), cocktail("regression"), cocktail("multiclass", images=True), SMALL]
)
def test_structures_are_few_the_plain_one_first_and_every_option_is_among_them(space: Space) -> None:
    most = max(map(len, space.choices.values()))
    found = space.structures(most + 2, 3)
    assert len(found) == len(set(found)) == min(most + 2, int(np.prod([*map(len, space.choices.values())])))
    assert found[0] == "+".join(options[0] for options in space.choices.values() if options[0])
    assert found == space.structures(most + 2, 3)
    for options in space.choices.values():
        for option in filter(None, options):
            assert any(set(option.split("+")) <= set(own.split("+")) for own in found), option


def test_what_is_off_does_nothing_in_a_search_and_is_left_out_of_the_recipe() -> None:
    values = SMALL.draw(Fixed(dropout__rate__on=False, l2__strength__on=True, adamw__decay__on=False), ["batch=16"])
    assert SMALL.searched(values) == "batch=16+adamw:rate=0.001:decay=0+dropout:rate=1e-09+l2:strength=1e-05"
    assert SMALL.recipe(values) == "batch=16+adamw:rate=0.001:decay=0+l2:strength=1e-05"
    assert SMALL.without(values) == {"l2": "batch=16+adamw:rate=0.001:decay=0"}


def test_a_recipe_loses_one_technique_at_a_time_and_keeps_its_size() -> None:
    values = SMALL.draw(Fixed(), ["batchnorm+batch=16"])
    without = SMALL.without(values)
    assert list(without) == ["adamw decay", "dropout", "l2", "batchnorm"]
    assert without["batchnorm"] == "batch=16+adamw:rate=0.001:decay=0.001+dropout:rate=0.1+l2:strength=1e-05"
    assert without["adamw decay"].startswith("batchnorm+batch=16+adamw:rate=0.001:decay=0+")
    doses = SMALL.doses(values, (0.5, 1.0, 20.0))
    assert "dropout rate 2" not in doses  # no rate
    assert doses["dropout rate 0.05"].endswith("dropout:rate=0.05+l2:strength=1e-05")
    assert doses["l2 strength 1e-05"] == SMALL.recipe(values)


@pytest.mark.slow
def test_weights_of_classes_are_chosen_where_each_class_counts_alike_and_help_the_rare_one() -> None:
    assert not any(knob.technique == "classweights" for knob in (*cocktail("binary").knobs, *baseline().knobs))
    generator = np.random.default_rng(0)
    x = generator.normal(size=(1200, 5)).astype(np.float32)
    rare = (x[:, 0] + 0.7 * generator.normal(size=1200) > 1.6).astype(np.int32)  # about a tenth
    own = Setting(
        Dataset("rare", x, rare, ("no", "yes")), 10_000, 6, 32, objective_of("balanced_accuracy", classes=True)
    )
    space = baseline(balanced=True)
    (structure,) = space.structures(1, 0)
    weights = (None, 0.5, 1.0)
    chosen = [
        {"structure": structure, "adam rate": rate, "classweights strength": weight}
        for weight in weights
        for rate in (0.003, 0.004)
    ]
    recipes = space.recipes([space.searched(values) for values in chosen], own)
    forget()
    with Compilations() as compiled:
        runs = own.train(recipes, [0])
    assert compiled.names.count("jit(train_cohort)") == 1
    (plain,) = space.recipes([space.recipe(chosen[0])], own)
    alone = own.train([plain], [0])[plain.name, 0].history
    off = runs[recipes[0].name, 0].history
    np.testing.assert_allclose(off["loss"], alone["loss"], rtol=2e-4)  # weights of 1, and none
    ends = [runs[recipe.name, 0].history["val_balanced_accuracy"][-1] for recipe in recipes]
    assert min(ends[4:]) > max(ends[:2]) + 0.05


@pytest.mark.parametrize(
    "space", [cocktail("binary", balanced=True), cocktail("regression"), cocktail("multiclass", images=True)]
)
def test_every_recipe_of_a_cocktail_can_be_written(space: Space) -> None:
    structure = space.structures(4, 0)[-1]
    low, high = space.spanning(structure)
    for text in (low, high):
        parse(text)
    first, second = (dict(part.split(":", 1) for part in text.split("+") if ":" in part) for text in (low, high))
    for technique, numbers in first.items():
        for one, other in zip(numbers.split(":"), second[technique].split(":"), strict=True):
            assert one != other
    for trial in (Fixed(), Fixed(**{f"{knob.name} on".replace(" ", "__"): False for knob in space.knobs})):
        values = space.draw(trial, [structure])
        for text in (space.searched(values), space.recipe(values), *space.without(values).values()):
            parse(text)


def test_what_acts_at_the_end_is_planned_for_all_epochs() -> None:
    space = Space("ends", {"end": ("", "swa=0.5", "constant", "cosine")}, (Knob("adam", "rate", 1e-3, 1e-1),))
    planned = {own: space.is_planned({"structure": own, "adam rate": 0.01}) for own in space.choices["end"]}
    assert planned == {"": False, "swa=0.5": True, "constant": False, "cosine": True}


def test_a_builders_journal_is_of_its_code() -> None:
    def one(hp: Any) -> Any:
        return hp.Float("rate", 0.0, 1.0)

    def other(hp: Any) -> Any:
        return hp.Float("rate", 0.0, 2.0)

    other.__name__ = "one"
    assert repr(BuilderSpace(one)) != repr(BuilderSpace(other))
    assert repr(BuilderSpace(one)) != repr(BuilderSpace(one, defaults=True))


def test_strengths_that_are_off_change_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    for layer in (layers.Dropout(OFF["dropout"]), layers.GaussianDropout(OFF["gaussiandropout"])):
        np.testing.assert_array_equal(np.asarray(layer(x, training=True)), x) if isinstance(
            layer, layers.Dropout
        ) else np.testing.assert_allclose(np.asarray(layer(x, training=True)), x, rtol=1e-3)
    np.testing.assert_allclose(np.asarray(layers.GaussianNoise(OFF["inputnoise"])(x, training=True)), x, atol=1e-7)
    penalty: Any = keras.regularizers.L1L2(OFF["l1"], OFF["l2"])
    assert float(penalty(x)) < 1e-8
    flat = keras.optimizers.schedules.CosineDecay(0.01, 100, alpha=1.0 - 1e-9)
    assert [float(np.asarray(flat(step))) for step in (0, 50, 100)] == pytest.approx([0.01] * 3, rel=1e-6)


def test_a_space_may_be_written() -> None:
    space = written_space("batchnorm|layernorm|none + width=64|width=128 + adamw:rate=0.001..0.1 + dropout=0.1..0.6?")
    assert list(space.choices.values()) == [("batchnorm", "layernorm", ""), ("width=64", "width=128")]
    assert [(own.name, own.low, own.high, own.log, own.off) for own in space.knobs] == [
        ("adamw rate", 0.001, 0.1, True, None),
        ("dropout rate", 0.1, 0.6, False, OFF["dropout"]),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("dropout", "must leave something to choose"),
        ("dropout=0.1..2", "'rate' of 'dropout' must be a range of a number in \\(0, 1\\).*Got '0.1..2'"),
        ("dropout=0.6..0.1", "must go from its lower end to its upper one. Got '0.6..0.1'. Write 0.1..0.6"),
        ("dropout=low..high", "must be two numbers"),
        ("droput=0.1..0.2", "Did you mean 'dropout'"),
        ("adamw:rate=0.1..0.2 + maxnorm=1..3?", "no strength of 'maxnorm' does nothing"),
        ("dropout=0.1..0.2|none", "alternatives must have no ranges"),
        ("batchnorm=1..2", "takes no strength"),
        ("dropout=0.1..0.5 + earlystopping|none", "must leave out 'earlystopping': after how many epochs"),
        ("dropout=0.1..0.5 + epochs=3|epochs=9", "must leave out 'epochs'"),
        ("nonsense", "no recipe is called 'nonsense'"),
        ("depth=1..3 + dropout=0.1..0.2", "must be written as choices.*Write 'depth=1|depth=3'"),
    ],
)
def test_a_space_that_cannot_be_is_refused(text: str, error: str) -> None:
    with pytest.raises(RecipeError, match=error):
        written_space(text)


# what a search goes by


def test_a_curve_is_what_one_wants_large_and_ends_where_it_diverges() -> None:
    error = objective_of(None, False)
    np.testing.assert_array_equal(error.curve({"val_rmse": [2.0, 1.0]}), [-2.0, -1.0])
    curve = ACCURACY.curve({"val_accuracy": [0.5, 0.6, 0.7], "val_loss": [1.0, np.nan, 1.0]})
    np.testing.assert_array_equal(curve, [0.5, -np.inf, -np.inf])
    with pytest.raises(DataError, match="goes by one of 'accuracy'.*Got 'auc'"):
        objective_of("auc", True)


def test_the_best_epoch_is_one_of_a_smoothed_curve_and_of_a_schedule_the_last() -> None:
    curve = np.array([0.1, 0.9, 0.1, 0.6, 0.6, 0.6, 0.2])
    assert best_epoch(curve) == (pytest.approx(0.6), 6)
    assert best_epoch(curve, last=True) == (pytest.approx(1.4 / 3), 7)
    assert best_epoch(np.array([0.3])) == (0.3, 1)


# halving


def test_rungs_are_at_a_sixth_and_a_half() -> None:
    assert (rungs_of(54), rungs_of(18), rungs_of(17), rungs_of(5)) == ((9, 27), (3, 9), (8,), ())


def test_those_go_on_that_are_in_the_better_half_of_all_that_came_so_far() -> None:
    halving = Halving(ACCURACY, (3, 9))
    first: dict[Any, float] = {(str(i), 0): i / 10 for i in range(6)}
    assert halving.pick(3, first) == [("3", 0), ("4", 0), ("5", 0)]
    assert halving.pick(3, {("worse", 0): 0.25, ("good", 0): 0.35}) == [("good", 0)]  # the better four of eight
    assert halving.pick(3, {("worst", 0): 0.0}) == []
    assert Halving(ACCURACY, (3,)).pick(3, {("only", 0): 0.1}) == [("only", 0)]
    assert Halving(ACCURACY, (3,)).pick(3, {("diverged", 0): -np.inf}) == []
    diverged: dict[Any, float] = {(str(i), 0): -np.inf for i in range(5)}
    assert Halving(ACCURACY, (3,)).pick(3, {("only", 0): 0.1, **diverged}) == [("only", 0)]
    assert Halving(ACCURACY, (3,), factor=3).pick(3, first) == [("4", 0), ("5", 0)]


def test_earlier_rounds_count() -> None:
    halving = Halving(ACCURACY, (3, 9))
    for number, score in enumerate((0.7, 0.8, 0.9)):
        halving.remember(number, [score] * 4)
    assert halving.seen == {3: pytest.approx({0: 0.7, 1: 0.8, 2: 0.9})}
    own: dict[Any, float] = {("a", 0): 0.85, ("b", 0): 0.95, ("c", 0): 0.75}
    assert halving.pick(3, own) == [("a", 0), ("b", 0)]
    assert Halving(ACCURACY, (3, 9)).pick(3, own) == [("b", 0)]


# ensemble


def test_an_ensemble_takes_networks_that_mend_each_other_and_is_never_worse_than_the_best() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 300)
    truth = np.eye(2)[y]
    noise = generator.normal(0, 0.9, (6, 300, 2))
    networks = [truth + own for own in noise]

    def accuracy(predicted: np.ndarray) -> float:
        return float((predicted.argmax(axis=1) == y).mean())

    found = greedy(networks, accuracy)
    assert (
        accuracy(np.average(networks, axis=0, weights=found.weights))
        == max(found.scores)
        > max(map(accuracy, networks)) + 0.02
    )
    assert found.weights.sum() == pytest.approx(1.0)
    alone = greedy([truth, *(1 - own for own in networks)], accuracy)
    np.testing.assert_array_equal(alone.weights, [1, 0, 0, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="Got none"):
        greedy([], accuracy)


def test_one_process_searches_in_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path, "held"), pytest.raises(StudyError, match="one process may search in a folder. Got another"):
        kohort.tune(kohort.data.moons(), candidates=1, folder=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="a search cannot be kept there"):
        kohort.tune(kohort.data.moons(), candidates=1, folder=tmp_path / "file")


def test_a_search_and_a_study_do_not_share_a_folder(tmp_path: Path) -> None:
    kohort.Study(["none"], kohort.data.moons(), seeds=1, epochs=1, folder=tmp_path / "study").run(verbose=0)
    before = sorted(path.name for path in (tmp_path / "study").iterdir())
    with pytest.raises(StudyError, match="a search needs a folder of its own. Got that of a study. Name another"):
        kohort.tune(kohort.data.moons(), candidates=1, folder=tmp_path / "study")
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == before
    Journal(journal_of(tmp_path, "space"), {"seed": 1})
    with pytest.raises(StudyError, match="a study needs a folder of its own. Got that of a search. Name another"):
        kohort.Study(["none"], kohort.data.moons(), seeds=1, epochs=1, folder=tmp_path).run(verbose=0)
    assert not (tmp_path / "records").exists()


# journal and sampler


def tried(number: int, score: float = 0.5) -> Tried:
    return Tried(number, number // 2, {"structure": "", "l2 strength": None}, "none", (0.1, score), score, 2, True)


def test_a_journal_is_found_again_without_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "search.jsonl"
    journal = Journal(path, {"seed": 1})
    journal.add(Line(2, 0.5, (tried(1, -np.inf),)))
    journal.add(Line(2, 0.25, (tried(0),)))
    journal.add(Line(2, 2.0, (tried(2),)))
    again = Journal(path, {"seed": 1})
    assert again.lines == journal.lines
    assert [(one.asked, [own.number for own in one.tried]) for one in again.rounds] == [(2, [0, 1]), (2, [2])]
    assert ([own.number for own in again.tried], again.seconds) == ([0, 1, 2], 2.75)
    path.write_text(path.read_text()[:-20])
    assert Journal(path, {"seed": 1}).lines == journal.lines[:2]
    with pytest.raises(StudyError, match="journal of another search: seed is 1 there and 2 here. Name"):
        Journal(path, {"seed": 2})
    path.write_text("{]\n" + path.read_text())
    with pytest.raises(StudyError, match="cannot be read"):
        Journal(path, {"seed": 1})


def test_a_journal_that_tried_nothing_is_a_search_and_bars_no_other(tmp_path: Path) -> None:
    path = journal_of(tmp_path, "space")
    Journal(path, {"seed": 1})
    assert read_search(tmp_path).tried == {"space": (), "plain": ()}
    Journal(path, {"seed": 2}).add(Line(1, 0.5, (tried(0),)))
    with pytest.raises(StudyError, match="journal of another search: seed is 2 there and 1 here. Name"):
        Journal(path, {"seed": 1})


def test_fewer_candidates_than_a_folder_holds_are_refused() -> None:
    journal = Journal(None, {})
    journal.add(Line(3, 1.0, (tried(0), tried(1))))  # a third was under way
    with pytest.raises(StudyError, match=r"at least as many as the search's folder holds, 3\. Got 2"):
        search(setting(), SMALL, Budget(candidates=2), journal=journal)


def test_the_same_answers_lead_to_the_same_questions() -> None:
    def asked(again: bool) -> list[Any]:
        sampler = Sampler(lambda trial: SMALL.draw(trial, ["", "batchnorm"]), 7)
        found = []
        for number in range(4):
            questions = sampler.ask(12, number)
            found.append(questions)
            for candidate, values in questions.items():
                score = -abs(np.log10(values["adamw rate"]) + 2)
                sampler.tell(candidate, [score] * 3, None if candidate == 5 else score, finished=candidate % 2 == 0)
        return found

    assert asked(False) == asked(True)
    rates = [np.log10([values["adamw rate"] for values in line.values()]) for line in asked(True)]
    assert np.abs(rates[3] + 2).mean() < 0.6 * np.abs(rates[0] + 2).mean()  # it learns where the best rate is


def test_a_study_of_the_users_own_chooses_and_learns() -> None:
    own = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    sampler = Sampler(lambda trial: SMALL.draw(trial, [""]), 0, own)
    for number in sampler.ask(2, 0):
        sampler.tell(number, [0.1, 0.7], 0.7, finished=True)
    assert [trial.value for trial in own.trials] == [-0.7, -0.7]
    assert own.trials[0].intermediate_values == {2: -0.7}
    with pytest.raises(DataError, match="one objective. Got 2"):
        Sampler(lambda trial: {}, 0, optuna.create_study(directions=["maximize", "minimize"]))


# searches


@pytest.mark.slow
def test_a_study_of_the_users_own_chooses_in_a_search_that_is_interrupted(tmp_path: Path) -> None:
    """Its trials are numbered by the study, which may hold others; candidates by the search, over processes."""
    own = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    own.tell(own.ask(), 0.5)
    path = tmp_path / "search.jsonl"
    options: dict[str, Any] = {"structures": 1, "halving": False}
    search(setting(epochs=1), SMALL, Budget(candidates=3), study=own, journal=Journal(path, {}), **options)
    assert [trial.number for trial in own.trials] == [0, 1, 2, 3]
    other = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=2))
    found = search(setting(epochs=1), SMALL, Budget(candidates=5), study=other, journal=Journal(path, {}), **options)
    assert [one.number for one in found.tried] == [0, 1, 2, 3, 4]
    assert found.new == len(other.trials) == 2
    told = [trial.value for trial in (*own.trials[1:], *other.trials)]
    assert told == [pytest.approx(one.score) for one in found.tried]
    assert len({one.values["adamw rate"] for one in found.tried}) == 5


@pytest.mark.slow
def test_tune_takes_a_study_of_the_users_own() -> None:
    own = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    options: dict[str, Any] = {"candidates": 4, "minutes": None, "epochs": 3, "seeds": 6, "structures": 1}
    result = kohort.tune(rows(), space=SMALL, study=own, ingredients=False, verbose=0, **options)
    assert [one.number for one in result.found.searched.tried] == [trial.number for trial in own.trials] == [*range(4)]
    assert (result.ingredients, result.doses) == (None, None)


@pytest.mark.slow
def test_a_search_compiles_a_program_for_each_structure_and_each_candidate_equals_fit() -> None:
    own = setting()
    forget()
    with Compilations() as compiled:
        found = search(own, SMALL, Budget(candidates=300), structures=4)
    assert len(found.structures) == 4
    assert compiled.names.count("jit(train_cohort)") == 4
    assert [one.number for one in found.tried] == list(range(300))
    assert {len(one.curve) for one in found.tried} == {4, 9}
    (best,) = found.best(1)
    (recipe,) = SMALL.recipes([SMALL.searched(best.values)], own)
    part, dataset = own.material.splits[0], own.dataset
    keras.utils.set_random_seed(own.seed)
    model = recipe.build()
    quiet: dict = {"verbose": 0}
    validation = (dataset.x[part.validation], dataset.y[part.validation])
    size = own.size_of(recipe)
    model.fit(
        dataset.x[part.train], dataset.y[part.train], batch_size=size, epochs=9, validation_data=validation, **quiet
    )
    run = own.train([recipe], [own.seed])[recipe.name, own.seed]
    assert_same_history(run, model, len(part.train), len(part.validation))
    np.testing.assert_allclose(run.history["val_accuracy"], best.curve, atol=1.01 / len(part.validation))


def test_a_budget_ends_by_whichever_comes_first_and_does_not_begin_what_it_cannot_end() -> None:
    assert [Budget(candidates=70).next_round(tried, 9 * tried, 1.0) for tried in (0, 32, 64, 70)] == [32, 32, 6, 0]
    minutes = Budget(minutes=1.0)
    assert minutes.next_round(0, 0, 0.0) == 32
    assert minutes.next_round(32, 288, 40.0) == 16  # half of what 40 seconds took
    assert minutes.next_round(48, 432, 59.9) == 0
    assert Budget(1.0, 40).next_round(32, 288, 10.0) == 8
    assert [Budget(epochs=500).next_round(tried, 10 * tried, 1.0) for tried in (0, 32, 50)] == [32, 18, 0]


def test_a_search_of_some_minutes_that_has_ended_ends_at_once_again(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    budget = Budget(minutes=1e-6)
    first = search(setting(epochs=1), SMALL, budget, structures=1, journal=Journal(path, {}))
    again = search(setting(epochs=1), SMALL, budget, structures=1, journal=Journal(path, {}))
    assert (first.new, again.new) == (32, 0)
    assert (again.tried, again.seconds) == (first.tried, first.seconds)


@pytest.mark.slow
def test_candidates_that_do_not_fit_in_memory_are_given_up_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = short_of_memory(monkeypatch, lambda order: len(order.members) <= 8 and "batchnorm" not in order.names[0])
    found = search(setting(), SMALL, Budget(candidates=32), structures=2)
    assert max(sizes) > 8
    lost = [own for own in found.tried if own.why]
    assert lost
    assert {own.values["structure"] for own in lost} == {"batchnorm+batch=32"}
    assert all(own.why.startswith("out of memory: RESOURCE_EXHAUSTED") and own.score == -np.inf for own in lost)
    assert sum(own.finished for own in found.tried) >= 2


def searched_in(path: Path | None) -> Searched:
    """Three rounds of two cohorts."""
    journal = None if path is None else Journal(path, {})
    return search(setting(), SMALL, Budget(candidates=96), structures=2, journal=journal)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_search_goes_on_to_what_it_would_have_been(tmp_path: Path) -> None:
    """By SIGKILL while it trains: the second cohort of the first round, then one of the third round."""
    path = tmp_path / "search.jsonl"
    code = f"from pathlib import Path; from tests.test_tuner import searched_in; searched_in(Path({str(path)!r}))"
    root = Path(__file__).parents[1]
    for lines in (1, 4):
        with (tmp_path / "told").open("w+") as told:
            process = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=told, stderr=told)
            while process.poll() is None and (not path.exists() or path.read_text().count("\n") <= lines):
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
            assert process.wait() != 0, "it had ended"
            told.seek(0)
            assert "Traceback" not in told.read()
        assert lines <= len(Journal(path, {}).lines) < 6
    whole, again = searched_in(None), searched_in(path)
    assert 0 < again.new < len(again.tried) == 96
    assert again.tried == whole.tried
    done = searched_in(path)
    assert done.new == 0
    assert done.tried == whole.tried


@pytest.mark.slow
def test_the_end_of_a_search_is_judged_on_rows_and_seeds_that_it_has_not_seen(tmp_path: Path) -> None:
    result = kohort.tune(
        rows(), space=SMALL, candidates=32, minutes=None, epochs=9, structures=2, seeds=6, verbose=0, folder=tmp_path
    )
    judged = result.final
    assert judged.plan.recipes == ("plain (tuned)", "recipe (tuned)")
    assert judged.plan.seeds == tuple(range(6))
    tests = {key: run.test for key, run in judged.runs.items() if run.test is not None}
    test = set(tests["recipe (tuned)", 0].rows)
    searched = result.setting.material.splits[0]
    assert not test & ({*searched.train} | {*searched.validation})
    assert result.verdict.kind in ("helps", "hurts", "no difference that matters", "not enough evidence")
    assert len(result.plain.searched.tried) == len(result.found.searched.tried) == 32
    promised = max(own.score for own in result.found.searched.tried if own.finished)
    scores = [own.score for (name, _), own in tests.items() if name == result.called.chosen]
    assert result.optimism.mean == pytest.approx(promised - np.mean(scores))
    assert (result.best().recipe, result.best("plain (tuned)").recipe) == ("recipe (tuned)", "plain (tuned)")
    assert result.model().count_params() > 0
    assert result.model("plain (tuned)").count_params() > 0
    with pytest.raises(DataError, match=r"must be one of 'plain \(tuned\)', 'recipe \(tuned\)'\. Got 'plain'"):
        result.model("plain")
    assert result.greedy.weights.sum() == pytest.approx(1.0)
    assert 0.3 < result.ensemble_test.score <= 1.0
    assert set(result.ensemble_test.rows) == test
    if result.ingredients is not None:
        assert result.ingredients.plan.baseline == "recipe (tuned)"
        assert all(name.startswith("without ") for name in result.ingredients.plan.recipes[1:])
    how = judged.facts()
    assert (
        how["network"] == "MLP 128-64, He initialisation, ReLU, Adam with η = 0.001, where a recipe says nothing else"
    )
    assert f"recipe (tuned): {result.recipe}" in how["recipes"]
    assert f"recipe (tuned): {judged.recipes[1].own_training}" in how["training"]
    assert "batch size " in judged.recipes[1].own_training  # a structure of this space decides it
    files = result.report(tmp_path / "out", "kohort tune made")
    assert [path.name for path in files if path.suffix == ".py"] == ["recipe.py", "plain.py"]
    assert all(path.stat().st_size > 500 for path in files)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Searched in: small, until 32 candidates were tried; seed 0." in page
    assert "The best validation score of the search promised " in page
    again_page = (tmp_path / "out" / "ingredients.html").read_text() if result.ingredients is not None else ""
    assert not again_page or "in another program" in again_page
    assert kohort.load_network(tmp_path / "out" / "recipe.keras").count_params() == result.model().count_params()
    assert_the_ensemble_predicts(result, kohort.load_network(tmp_path / "out" / "ensemble.keras"))
    assert "A greedy ensemble of " in page
    assert "<code>kohort tune made</code>" in page
    table = result.document().search
    assert table is not None
    assert table.rows[0][0].replace(" + ", "+") == result.found.final.chosen.tried.recipe
    assert len(table.rows) == len(result.found.final.finalists)
    assert "Recipe: " in str(result)
    assert "<li>" in result._repr_html_()
    again = kohort.tune(
        rows(), space=SMALL, candidates=32, minutes=None, epochs=9, structures=2, seeds=6, verbose=0, folder=tmp_path
    )
    assert again.found.searched.new == 0
    assert "besides what the folder held already" in again.sentences[-1]
    assert again.recipe == result.recipe
    assert again.final.comparison.recipes == result.final.comparison.recipes


@pytest.mark.slow
def test_an_ingredient_that_spoils_the_recipe_is_found_out() -> None:
    options: dict[str, Any] = {"candidates": 4, "minutes": None, "epochs": 12, "seeds": 6, "structures": 1}
    result = kohort.tune(line(), space="dropout=0.95+adamw:rate=0.003..0.01", verbose=0, **options)
    assert result.ingredients is not None
    chosen, without = result.ingredients.comparison.recipes
    assert (chosen.recipe, without.recipe) == ("recipe (tuned)", "without dropout=0.95")
    assert without.verdict is not None
    assert without.verdict.kind == "helps"
    assert "without dropout=0.95 helps" in str(result)
    assert result.doses is not None
    assert all(name.startswith("adamw rate ") for name in result.doses.plan.recipes[1:])


def assert_the_ensemble_predicts(result: TuneResult, model: Any) -> None:
    """The mean of the finalists' networks, each as often as it was chosen: of all rows, and as one model."""
    dataset, searched = result.setting.dataset, result.setting.material.splits[0]
    every = [network.test for network in result.found.final.networks]
    expected = np.average(every, axis=0, weights=result.greedy.weights)
    together = result.ensemble()
    close = 1e-5 * max(1.0, float(np.abs(together.mean).max()))  # float32, by other programs
    np.testing.assert_allclose(together.mean, expected, atol=close)
    by_weights = result.setting.evaluation(searched.test, expected)
    assert result.ensemble_test.score == pytest.approx(by_weights.score, rel=1e-5)
    assert len(together.each) <= result.greedy.counts.sum()
    np.testing.assert_allclose(result.ensemble(dataset.x[searched.test]).mean, together.mean, atol=close)
    predicted = model.predict(dataset.inputs(searched.train)[searched.test], verbose=0)
    in_units = result.setting.material.targets[0].in_units(predicted)
    np.testing.assert_allclose(in_units, together.mean, atol=close)
    assert result.ensemble("validation").mean.shape == (len(searched.validation), together.mean.shape[1])
    with pytest.raises(DataError, match="rows must be 'test', 'validation' or an array. Got 'training'"):
        result.ensemble("training")  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_the_written_scripts_train_the_best_networks_again(tmp_path: Path) -> None:
    options: dict[str, Any] = {"candidates": 8, "minutes": None, "epochs": 6, "seeds": 6, "structures": 2}
    result = kohort.tune(line(), space=SMALL, verbose=0, **options)
    result.report(tmp_path)
    assert_the_ensemble_predicts(result, kohort.load_network(tmp_path / "ensemble.keras"))
    for name, recipe in (("recipe", result.called.chosen), ("plain", result.called.beside)):
        own: dict[str, Any] = {"__name__": "script", "__file__": str(tmp_path / f"{name}.py")}
        text = (tmp_path / f"{name}.py").read_text("utf-8")
        assert "Targets are centred by" in text
        exec(compile(text, f"{name}.py", "exec"), own)
        model, run = own["main"](), result.best(recipe)
        logged = model.history.history["loss"]
        np.testing.assert_allclose(logged, run.history["loss"], rtol=1e-4)
        assert set(model.history.history) == {log for log in run.history if not log.endswith("root_mean_squared_error")}


@pytest.mark.slow
def test_averaged_weights_are_compared_as_they_are_not_as_those_that_were_validated() -> None:
    slow = Space("slow", {"averaging": ("", "ema=0.999")}, (Knob("adam", "rate", 0.01, 0.02),))
    own = Setting(rows(), 10_000, 4, 32, ACCURACY)  # 32 steps: the average has hardly left where it began
    values: list[dict[str, Any]] = [{"structure": structure, "adam rate": 0.01} for structure in ("", "ema=0.999")]
    both = tuple(
        Tried(number, 0, own_values, slow.recipe(own_values), (0.9,) * 4, 0.9, 4, True)
        for number, own_values in enumerate(values)
    )
    final = final_of(own, Searched(slow, Budget(candidates=2), ("",), both, 1.0, 2), finalists=2, seeds=2)
    assert slow.is_planned(values[1])
    plain, averaged = (next(one for one in final.finalists if one.tried == two) for two in both)
    at = own.material.splits[0].validation
    expected = [
        np.mean(network.validation.argmax(axis=1) == own.dataset.y[at])
        for network in final.networks
        if network.recipe == averaged.tried.recipe
    ]
    assert averaged.score == pytest.approx(np.mean(expected))
    assert averaged.curves[:, -1].mean() > averaged.score + 0.05  # what fit logs is of the weights before averaging
    assert final.chosen is plain


@pytest.mark.slow
def test_more_candidates_may_choose_another_recipe_in_the_same_folder(tmp_path: Path) -> None:
    options: dict[str, Any] = {"minutes": None, "epochs": 3, "seeds": 6, "structures": 1, "ingredients": False}
    space = Space("rates", {}, (Knob("sgd", "rate", 1e-4, 1.0),))
    found = [
        kohort.tune(rows(), space=space, candidates=count, verbose=0, folder=tmp_path, **options) for count in (1, 32)
    ]
    assert found[0].recipe != found[1].recipe
    assert found[1].final.plan.texts["recipe (tuned)"] == found[1].recipe
    assert read_study(tmp_path / "final").generations == 2


@pytest.mark.slow
def test_other_strengths_are_beside_the_chosen_one_which_is_not_judged_against_itself() -> None:
    options: dict[str, Any] = {"candidates": 8, "minutes": None, "epochs": 3, "seeds": 6, "structures": 1}
    result = kohort.tune(rows(), space=SMALL, verbose=0, **options)
    assert result.doses is not None
    chosen = result.found.searched.space.strengths(result.found.final.chosen.tried.values)
    assert dict(result.doses.plan.strengths) == chosen
    texts = result.doses.plan.texts
    assert len(set(texts.values())) == len(texts)  # nothing is trained twice
    curves = {own.technique: own for own in result.doses.document().strengths}
    for name, strength in chosen.items():
        place = curves[f"{name} …"].values.index(strength)
        assert curves[f"{name} …"].recipes[place].recipe == result.called.chosen


@pytest.mark.slow
def test_candidates_that_diverge_are_passed_by_and_if_all_do_that_is_said() -> None:
    wild = Space("wild", {}, (Knob("sgd", "rate", 1e-2, 1e12),))
    own = Setting(line(), 1, 3, 32, objective_of(None, False))
    found = search(own, wild, Budget(candidates=32), halving=False)
    lost = [own for own in found.tried if own.score == -np.inf]
    assert 0 < len(lost) < 32
    assert all(not own.finished for own in lost)
    assert np.isfinite([own.score for own in found.best(5)]).all()
    (good,) = found.best(1)
    wildest = max(lost, key=lambda own: own.values["sgd rate"])
    lucky = replace(wildest, score=good.score, finished=True)  # as if it had not diverged under the search's seed
    final = final_of(own, replace(found, tried=(good, lucky)), finalists=2, seeds=2)
    assert [finalist.tried for finalist in final.finalists] == [good]
    assert final.left_out == {wildest.recipe: "diverged"}
    hopeless = Space("hopeless", {}, (Knob("sgd", "rate", 1e20, 1e30),))
    with pytest.raises(DataError, match=r"search of 'hopeless' must leave a candidate.*Got none of 4\. 4 diverged"):
        kohort.tune(line(), space=hopeless, candidates=4, minutes=None, epochs=3, verbose=0)


@pytest.mark.slow
def test_a_regression_is_searched_for_the_smallest_error() -> None:
    space = Space("rates", {}, (Knob("adam", "rate", 1e-4, 1e-1),))
    found = search(Setting(line(), 1, 6, 32, objective_of(None, False)), space, Budget(candidates=32))
    best, worst = found.best(1)[0], min(found.tried, key=lambda own: own.score)
    assert -0.6 < best.score < 0.0
    assert best.values["adam rate"] > 10 * worst.values["adam rate"]


def test_a_search_that_was_too_short_says_so() -> None:
    own = Searched(SMALL, Budget(candidates=32), ("",), (tried(0), *(replace(tried(1), finished=False),) * 31), 2.0, 32)
    assert too_few_in_words(own).startswith("Only 1 of 32 candidates trained to the end")
    early = (replace(tried(2), finished=False, recipe="long", curve=(0.1,) * 3, score=0.1),)
    early += (replace(tried(3), finished=False, recipe="short", score=0.9), replace(tried(4, -np.inf), finished=False))
    assert [one.recipe for one in replace(own, tried=(tried(0), *early)).best(8)] == ["none", "long", "short"]
    assert too_few_in_words(replace(own, tried=(tried(0),) * 2)) == ""
    assert overrun_in_words(own) == overrun_in_words(replace(own, budget=Budget(minutes=2 / 60))) == ""
    overrun = replace(own, tried=own.tried[:2], budget=Budget(minutes=1 / 60))
    assert (
        overrun_in_words(overrun) == "The search took 2 s instead of 1: its first round, of 2 candidates, always ends."
    )
    assert overrun_in_words(replace(overrun, tried=(tried(0), tried(2)))) == ""  # a later round began in time
    assert tried_in_words(own) == "32 candidates, 1 trained to the end, 31 left early; 2 s, 960 candidates a minute"


def test_a_space_of_another_kind_is_refused() -> None:
    space: Any = 5
    with pytest.raises(RecipeError, match=r"space must be a text.*Got int"):
        kohort.tune(rows(), space=space, candidates=4, minutes=None, verbose=0)


@pytest.mark.slow
def test_what_the_search_of_a_regression_promises_is_in_units_of_its_target() -> None:
    data = replace(line(), y=1000.0 * line().y)
    space = Space("rates", {}, (Knob("adam", "rate", 1e-3, 1e-1),))
    options: dict[str, Any] = {"candidates": 4, "minutes": None, "epochs": 6, "seeds": 6, "ingredients": False}
    result = kohort.tune(data, space=space, verbose=0, **options)
    spread = float(data.y[result.setting.material.splits[0].train].std())
    least = min(-own.score for own in result.found.searched.tried if own.finished)
    errors = [
        run.test.score for (name, _), run in result.final.runs.items() if name == result.called.chosen and run.test
    ]
    assert result.optimism.mean == pytest.approx(np.mean(errors) - spread * least, rel=1e-3)
    assert abs(result.optimism.mean) < 0.5 * spread


def build(hp: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((6,))])
    for _ in range(hp.Int("layers", 1, 2)):
        model.add(layers.Dense(hp.Choice("units", [8, 16]), "relu"))
    if hp.Boolean("drop"):
        with hp.conditional_scope("drop", True):
            model.add(layers.Dropout(hp.Float("rate", 0.1, 0.5)))
    model.add(layers.Dense(2, "softmax"))
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=0.01)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.slow
def test_a_function_of_hyper_parameters_is_a_space_and_is_compared_with_its_defaults() -> None:
    result = kohort.tune(rows(), space=build, candidates=16, minutes=None, epochs=4, seeds=6, verbose=0)
    values = [own.values for own in result.found.searched.tried]
    assert {own["layers"] for own in values} == {1, 2}
    assert {own["units"] for own in values} == {8, 16}
    assert all(("rate" in own) == own["drop"] for own in values)
    assert json.loads(result.plain.recipe) == {"layers": 1, "units": 8, "drop": False, "learning_rate": 0.01}
    assert json.loads(result.recipe) in [dict(own) for own in values]
    assert result.code().startswith("# build(hp) with these values of hp:\nvalues = {'layers'")
    assert result.code("build (defaults)") != result.code("build (tuned)") == result.code()
    assert result.sentences[0] == f"Values: {result.recipe}"
    assert ", the defaults " in result.sentences[2]
    assert any(own.startswith("The defaults were not searched for") for own in result.sentences)
    assert result.model().count_params() > 0
    assert result.ingredients is None


def test_what_is_asked_for_in_scopes_has_names_of_its_own() -> None:
    hp = HyperParameters(lambda name, kind, own: True if kind == "choice" else own["high"])
    for block in ("first", "second"):
        with hp.name_scope(block):
            hp.Fixed("kind", block)
            if hp.Boolean("drop"):
                with hp.conditional_scope("drop", True):
                    assert hp.Float("rate", 0.0, 0.5) == 0.5
            assert hp.get("kind") == block
    assert list(hp.values) == [f"{block}/{name}" for block in ("first", "second") for name in ("kind", "drop", "rate")]


@pytest.mark.parametrize("given", ["customers.csv", np.zeros((4, 2)), None])
def test_what_is_no_dataset_is_refused_and_what_makes_one_is_told(given: Any) -> None:
    name = type(given).__name__
    for ask in (kohort.tune, lambda given: kohort.Study(["none"], given)):
        with pytest.raises(
            DataError, match=rf"must be a kohort\.data\.Dataset\. Got {name}\. A table or a file becomes"
        ):
            ask(given)


def test_a_range_of_a_function_that_is_reversed_is_told_by_its_name() -> None:
    def reversed_range(hp: Any) -> keras.Model:
        raise AssertionError(hp.Float("rate", 0.5, 0.1))

    with pytest.raises(
        RecipeError, match="ValueError: 'rate' must go from a lower end, at most the upper one. Got 0.5"
    ):
        kohort.tune(rows(), space=reversed_range, candidates=2, minutes=None, verbose=0)


def test_a_function_that_does_not_build_is_refused_with_its_values() -> None:
    def broken(hp: Any) -> keras.Model:
        raise TypeError(f"no {hp.Int('units', 3, 3)}")

    with pytest.raises(RecipeError, match=r"does not build a candidate \(\{'units': 3\}\): TypeError: no 3"):
        kohort.tune(rows(), space=broken, candidates=2, minutes=None, verbose=0)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"minutes": None}, "must end. Got minutes, candidates and run_epochs of None"),
        ({"minutes": 0}, "minutes must be above 0. Got 0"),
        ({"candidates": 0}, "candidates must be at least 1. Got 0"),
        ({"seeds": 5}, "seeds must be at least 6. Got 5"),
        ({"run_epochs": 0}, "run_epochs must be at least 1. Got 0"),
        ({"structures": 0}, "structures must be at least 1. Got 0"),
        ({"batch_size": -3}, "batch_size must be at least 1. Got -3"),
        ({"seed": -1}, "seed must be at least 0. Got -1"),
        ({"study": "folder"}, r"study must be an optuna\.Study\. Got str\. A folder .* is passed as folder"),
        ({"metric": "auc"}, "goes by one of"),
        ({"space": "cocktial"}, "no recipe is called 'cocktial'|must leave something"),
    ],
)
def test_what_cannot_be_searched_is_refused_at_the_door(options: dict[str, Any], error: str) -> None:
    with pytest.raises(kohort.KohortError, match=error):
        kohort.tune(rows(), verbose=0, **options)


@pytest.mark.slow
def test_the_command_searches_a_file_and_writes_reports(tmp_path: Path) -> None:
    data = rows(300)
    lines = [",".join([*(f"x{i}" for i in range(6)), "note", "y"])]
    lines += [
        ",".join([*map(str, x), f"word {i}", str(y)]) for i, (x, y) in enumerate(zip(data.x, data.y, strict=True))
    ]
    (tmp_path / "made.csv").write_text("\n".join(lines) + "\n", "utf-8")
    words = ["tune", str(tmp_path / "made.csv"), "--target", "y", "--task", "classification", "--json", "--quiet"]
    words += ["--space", "adamw:rate=0.001..0.1 + dropout=0.1..0.5?", "--candidates", "8", "--epochs", "3"]
    folder = str(tmp_path / "kept" / "s")
    words += ["--seeds", "6", "--study", folder]

    def run(*own: str, code: int = 0) -> str:
        ran = CliRunner().invoke(app, own)
        assert ran.exit_code == code, ran.output
        return ran.stdout

    told = json.loads(run(*words, "--report", str(tmp_path / "out")))
    assert told["recipe"].startswith("adamw:rate=")
    assert len(told["found"]["tried"]) == len(told["plain"]["tried"]) == 8
    assert all(own["validation"] is None or 0 <= own["validation"] <= 1 for own in told["found"]["tried"])
    assert any("'note' is left out" in remark for remark in told["remarks"])
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "--candidates 8 --epochs 3 --metric" not in page
    assert f"kohort tune {tmp_path / 'made.csv'} --target y --task classification --space" in page
    script = (tmp_path / "out" / "recipe.py").read_text("utf-8")
    assert "'x0'; 'x1'" in script
    assert "# Classes by number: 0 '0'; 1 '1'." in script
    assert " on the test rows in the study." in script
    run("card", folder, str(tmp_path / "card.md"))
    assert (tmp_path / "card.md").read_text("utf-8").count("# recipe (tuned), seed ") == 1

    (line,) = json.loads(run("studies", str(tmp_path / "kept"), "--json"))["searches"]
    assert (line["state"], line["candidates"], line["of the plain network"]) == ("ended", 8, 8)
    shown = run("show", folder)
    assert "The recipe beside the plain network: " in shown
    assert "8 candidates, " in shown
    best = json.loads(run("show", folder, "--json"))["best"]
    scores = [own["validation"] for own in told["found"]["tried"] if own["finished"]]
    assert best[0]["validation accuracy"] == pytest.approx(max(scores))
    assert "recipe (tuned)" in run("report", folder, "--report", str(tmp_path / "again.html"))
    again = [*words[:-1], str(tmp_path / "other"), "--no-ingredients", "--report", str(tmp_path / "out")]
    assert (tmp_path / "out" / "doses.html").exists()
    run(*again)
    assert not (tmp_path / "out" / "doses.html").exists()  # it would be of another search
    network = ["export", folder, str(tmp_path / "own.py"), "--recipe", "recipe (tuned)", "--seed", "0"]
    run(*network, "--data", str(tmp_path / "made.csv"), "--target", "y", "--task", "classification")
    assert "0.0 MiB removed" in run("gc", folder)
    (Path(folder) / "mine.txt").write_text("stays")
    assert "is removed, but for other files that are in the folder: " in run("rm", folder, "--yes")
    assert [path.name for path in Path(folder).iterdir()] == ["mine.txt"]


def test_a_search_that_is_interrupted_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kohort.tuner.tune.search", pressed)
    words = ["tune", "wine", "--candidates", "4", "--report", str(tmp_path / "out")]
    found = CliRunner().invoke(app, [*words, "--study", str(tmp_path / "s")])
    assert (found.exit_code, found.stdout) == (130, "")
    assert f"What had ended is kept in {tmp_path / 's'}; typed again, the command goes on." in found.stderr
    assert "Nothing is kept: --study FOLDER keeps" in CliRunner().invoke(app, words).stderr


def test_an_interruption_that_a_callback_swallows_comes_again(tmp_path: Path) -> None:
    class Swallowing:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(typer.Exit), told_if_interrupted(tmp_path):
            Swallowing()
            for _ in range(300):
                time.sleep(0.1)  # one long sleep would not be cut short
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_search_that_has_not_ended_has_no_comparison_to_report(tmp_path: Path) -> None:
    Journal(journal_of(tmp_path, "space"), {}).add(Line(4, 1.0, (tried(0),)))
    with pytest.raises(StudyError, match="must have ended for its final comparison. Got one that is interrupted"):
        study_in(tmp_path)
    assert study_in(tmp_path / "elsewhere") == tmp_path / "elsewhere"


def test_the_plain_network_has_a_rate_to_choose_and_nothing_else() -> None:
    assert [knob.name for knob in baseline().knobs] == ["adam rate"]
    assert len(baseline().structures(6, 0)) == len(baseline(images=True).structures(6, 0)) == 1


def test_a_folder_for_reports_is_not_made_before_there_are_any(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "deep")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="the reports' folder cannot be made: .*file is a file. Name another"):
        check_folder(tmp_path / "file" / "deep")
