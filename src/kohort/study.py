"""A study: recipes × seeds on one dataset, with test rows that nobody trained on."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import jax
import keras
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.members import Training
from kohort.cohort.predict import predict
from kohort.cohort.train import Course, Data
from kohort.data.dataset import Dataset, Split, sizes, split
from kohort.errors import DataError, RecipeError
from kohort.progress import Bar, Listener, silent
from kohort.recipes.recipe import as_recipes
from kohort.recipes.techniques import recipes_for
from kohort.run import Evaluation, Runs
from kohort.runtime import check_backend
from kohort.seeds import as_seeds
from kohort.training import Cohort, Request, fit_members

_ROWS = jax.tree.structure((0, 0))  # how (x, y) nests


@dataclass(frozen=True)
class Plan:
    """What a study will do, before it does it: all that decides its numbers.

    Attributes:
        dataset: Name and fingerprint of the data.
        recipes: The recipes' names, the baseline among them.
        baseline: The recipe that the others are compared with.
        seeds: The seeds.
        epochs: Passes over the training rows.
        batch_size: Rows of a batch.
        rows: Rows for training, validation and test.
        network: What the recipes are applied to, in words.
    """

    dataset: tuple[str, str]
    recipes: tuple[str, ...]
    baseline: str
    seeds: tuple[int, ...]
    epochs: int
    batch_size: int
    rows: tuple[int, int, int]
    network: str


@dataclass(frozen=True)
class StudyResult:
    """A study that has run.

    Attributes:
        plan: What was asked.
        runs: Every run, by (recipe, seed), with its evaluation on the test rows.
        source: Where the data comes from.
        seconds: Wall-clock seconds for everything: building, compiling, training, testing.
        environment: Versions and devices.
    """

    plan: Plan
    runs: Runs[tuple[str, int]]
    source: str
    seconds: float
    environment: Mapping[str, str]

    def facts(self) -> dict[str, str]:
        """How the runs were made: name -> value, for a reader."""
        plan = self.plan
        train, validation, test = plan.rows
        together = "; ".join(" + ".join(names) for names in self.runs.cohorts)
        versions = [f"{name} {value}" for name, value in self.environment.items() if name != "devices"]
        counted = plan.seeds == tuple(range(len(plan.seeds)))
        return {
            "data": f"{plan.dataset[0]}: {self.source}",
            "fingerprint": f"SHA-256 {plan.dataset[1]}",
            "rows": f"{train} train, {validation} validate, {test} test; the test rows are drawn once, the others cut "
            "anew for each seed, all stratified by class",
            "network": plan.network,
            "training": f"{plan.epochs} epochs, batch size {plan.batch_size}",
            "recipes": ", ".join(plan.recipes),
            "seeds": f"{len(plan.seeds)}: "
            + (f"0 to {len(plan.seeds) - 1}" if counted else ", ".join(map(str, plan.seeds))),
            "programs": f"{len(self.runs.cohorts)} for {len(self.runs)} runs: {together}",
            "time": f"{self.seconds:.1f} s for building, compiling, training and testing",
            "versions": ", ".join(versions),
            "devices": self.environment["devices"],
        }


class Study:
    """Recipes × seeds on one dataset.

    The test rows are drawn once. For each seed the other rows are cut anew into training and validation, stratified,
    and all recipes of a seed share that cut and their batch orders. A run is what
    `set_random_seed(seed); build().fit(training rows, validation_data=validation rows)` gives; its score is the
    accuracy of its final weights on the test rows.

    Args:
        recipes: Names such as `"dropout=0.5"`, or a mapping of names to builders of compiled models whose last
            layer has one unit per class.
        dataset: What to learn.
        seeds: A number of seeds, or the seeds.
        epochs: Passes over the training rows; 50 is the textbook's number.
        batch_size: Rows of a batch; 32 is Keras' default.
        baseline: The recipe to compare with; the first by default.

    Raises:
        DataError: The data or the seeds cannot be used.
        RecipeError: A recipe or the baseline is unknown.
    """

    def __init__(
        self,
        recipes: Sequence[str] | Mapping[str, Any],
        dataset: Dataset,
        *,
        seeds: int | Iterable[int] = 20,
        epochs: int = 50,
        batch_size: int = 32,
        baseline: str | None = None,
    ):
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise DataError(f"{name} must be a whole number of at least 1. Got {value!r}.")
        self.dataset = dataset
        rows = sizes(dataset.rows, batch_size)
        if isinstance(recipes, Mapping):
            self.recipes, _ = as_recipes(recipes)
            network = "the user's own builders"
        else:
            network = "MLP 128-64, He initialisation, ReLU, Adam with η = 0.001"
            steps = epochs * -(-rows[0] // batch_size)
            self.recipes = recipes_for(recipes, dataset.x.shape[1:], len(dataset.classes), steps)
        names = tuple(recipe.name for recipe in self.recipes)
        self.plan = Plan(
            (dataset.name, dataset.fingerprint),
            names,
            _baseline(baseline, names),
            as_seeds(seeds),
            int(epochs),
            int(batch_size),
            rows,
            network,
        )

    def run(self, *, verbose: int = 1, listener: Listener | None = None) -> StudyResult:
        """Trains and tests every run.

        Args:
            verbose: 0 silent, else a progress bar on standard error if that is a terminal.
            listener: Hears of progress instead of the bar.
        """
        check_backend()
        plan = self.plan
        started = time.perf_counter()
        splits = [split(self.dataset, seed, plan.batch_size) for seed in plan.seeds]
        pool, data = _pooled(self.dataset, splits)
        options = Training(pool.picked(_rows_of(data.training_rows)), plan.batch_size, True)
        params = {"verbose": 0, "epochs": plan.epochs, "steps": -(-plan.rows[0] // plan.batch_size)}
        shown = nullcontext(listener) if listener else nullcontext(silent) if verbose == 0 else Bar()
        with shown as heard:
            logs = ("accuracy", "val_accuracy")
            request = Request(options, data, Course(plan.epochs, params=params))
            fitted = fit_members(self.recipes, plan.seeds, request, heard, required_logs=logs)
        tested = self._tested(fitted.cohorts, splits, pool)
        runs = {
            (run.recipe, run.seed): replace(run, test=tested[run.recipe, run.seed])
            for run in fitted.runs
            if run.seed is not None
        }
        told = {
            "cohorts": [tuple(plan.recipes[i] for i in cohort.group.recipes) for cohort in fitted.cohorts],
            "separate": [reason for cohort in fitted.cohorts for reason in cohort.group.why_separate],
        }
        seconds = time.perf_counter() - started
        return StudyResult(plan, Runs(runs, **told), self.dataset.source, seconds, _environment())

    def _tested(
        self, cohorts: Sequence[Cohort], splits: Sequence[Split], pool: Arrays
    ) -> dict[tuple[str, int], Evaluation]:
        """How every run does on the test rows, by (recipe, seed)."""
        plan = self.plan
        members = [
            (cohort.group.recipes[member.recipe], plan.seeds.index(member.seed), result.state)
            for cohort in cohorts
            for member, result in zip(cohort.members, cohort.results, strict=True)
            if member.seed is not None
        ]
        models = {index: model for c in cohorts for index, model in zip(c.group.recipes, c.models, strict=True)}
        offset = self.dataset.rows if pool.rows > self.dataset.rows else 0  # each seed has rows of its own if scaled
        rows = np.stack([splits[seed].test + seed * offset for _, seed, _ in members])
        inputs = Arrays(pool.leaves[:1], jax.tree.structure(0))
        states = [state for *_, state in members]
        outputs = predict([models[i] for i in sorted(models)], [recipe for recipe, *_ in members], states, inputs, rows)
        tested = {}
        for member, own in outputs:
            recipe, seed, _ = members[member]
            if own.ndim != 2 or own.shape[-1] != len(self.dataset.classes):
                raise RecipeError(
                    f"recipes of a study must give one output per class, {len(self.dataset.classes)} here. "
                    f"Got outputs of shape {list(own.shape[1:])} from {plan.recipes[recipe]}. "
                    "Give the last layer one unit per class."
                )
            test = splits[seed].test
            outcomes = (own.argmax(axis=-1) == self.dataset.y[test]).astype(np.float32)
            tested[plan.recipes[recipe], plan.seeds[seed]] = Evaluation(test, outcomes)
        return tested


def _baseline(baseline: str | None, names: tuple[str, ...]) -> str:
    if baseline is None:
        return names[0]
    if baseline in names:
        return baseline
    written = baseline.replace("=", " ")  # dropout=0.3 for the recipe that is called dropout 0.3
    if written in names:
        return written
    of_technique = [name for name in names if name.split()[0] == baseline]
    if len(of_technique) == 1:
        return of_technique[0]
    raise RecipeError(f"the baseline must be one of the recipes: {', '.join(names)}. Got {baseline!r}.")


def _pooled(dataset: Dataset, splits: Sequence[Split]) -> tuple[Arrays, Data]:
    """All rows that any member sees, and which are whose.

    Where inputs are scaled by the training rows, every seed sees other numbers: their rows stand one after another.
    """
    if dataset.scaling == "none":
        pool, offset = Arrays((dataset.x, dataset.y), _ROWS), 0
    else:
        x = np.concatenate([dataset.scaled(part.train) for part in splits])
        pool, offset = Arrays((x, np.tile(dataset.y, len(splits))), _ROWS), dataset.rows
    train = np.stack([part.train + index * offset for index, part in enumerate(splits)]).astype(np.int32)
    validation = np.stack([part.validation + index * offset for index, part in enumerate(splits)]).astype(np.int32)
    return pool, Data(pool, pool, train, validation)


def _rows_of(rows: np.ndarray | None) -> np.ndarray:
    assert rows is not None
    return rows[0]


def _environment() -> dict[str, str]:
    devices = jax.local_devices()
    return {
        "keras": keras.__version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "devices": f"{len(devices)} × {devices[0].device_kind}",
    }
