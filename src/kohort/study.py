"""A study: recipes × seeds on one dataset, with test rows that nobody trained on."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import jax
import keras
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.members import Training
from kohort.cohort.outcomes import measure
from kohort.cohort.predict import predict
from kohort.cohort.train import Course, Data
from kohort.data.dataset import Dataset
from kohort.data.splitting import Split, duplicates_across, parts, split
from kohort.errors import DataError, RecipeError
from kohort.progress import Bar, Listener, silent
from kohort.recipes.compose import network_for, recipes_for
from kohort.recipes.design import Problem
from kohort.recipes.grammar import parse
from kohort.recipes.recipe import as_recipes, callbacks_of
from kohort.run import Evaluation, Runs
from kohort.runtime import check_backend
from kohort.seeds import as_seeds
from kohort.statistics.comparison import Comparison, compare
from kohort.statistics.sequential import next_round
from kohort.statistics.spending import Looks
from kohort.training import Cohort, Request, fit_members

USUAL_METRIC = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "root_mean_squared_error",
}

LOGGED_AS = {"root_mean_squared_error": "rmse"}
"""What the recipes of the catalogue call a metric in their logs."""

MOST_BYTES = 6 * 2**30  # of inputs of all seeds; they lie once on the host and once on the devices

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
        metric: What runs are judged by.
        smallest_effect: The smallest effect that matters, in units of the metric; None: the metric's usual one.
        most_seeds: Where seeds are added until verdicts are settled, at most so many; else None.
    """

    dataset: tuple[str, str]
    recipes: tuple[str, ...]
    baseline: str
    seeds: tuple[int, ...]
    epochs: int
    batch_size: int
    rows: tuple[int, int, int]
    network: str
    metric: str = "accuracy"
    smallest_effect: float | None = None
    most_seeds: int | None = None


@dataclass(frozen=True)
class StudyResult:
    """A study that has run.

    Attributes:
        plan: What was asked.
        runs: Every run, by (recipe, seed), with its evaluation on the test rows. A regression learns targets that are
            centred and scaled, and its logs are of those, except for the logs of the study's metric, which are in
            units of the target (and left out where the metric does not allow that).
        source: Where the data comes from.
        cut: How the rows were cut, in words.
        remarks: What was found in the data, in sentences.
        seconds: Wall-clock seconds for everything: building, compiling, training, testing.
        environment: Versions and devices.
        looks: Where seeds came in rounds: the looks at them before the last.
        ended: Why no more seeds were trained, where seeds came in rounds; else empty.
    """

    plan: Plan
    runs: Runs[tuple[str, int]]
    source: str
    seconds: float
    environment: Mapping[str, str]
    cut: str = ""
    remarks: tuple[str, ...] = ()
    looks: Looks | None = None
    ended: str = ""

    @cached_property
    def comparison(self) -> Comparison:
        """The recipes side by side, with a verdict on each."""
        plan = self.plan
        return compare(self.runs, plan.baseline, smallest_effect=plan.smallest_effect, looks=self.looks)

    def __str__(self) -> str:
        """The verdicts in words."""
        verdicts = self.comparison.verdicts
        return str(verdicts) if verdicts is not None else f"{len(self.runs)} runs of {', '.join(self.plan.recipes)}"

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
            "rows": f"{train} train, {validation} validate, {test} test; {self.cut}",
            **({"found in the data": " ".join(self.remarks)} if self.remarks else {}),
            "network": plan.network,
            "training": f"{plan.epochs} epochs, batch size {plan.batch_size}",
            "recipes": ", ".join(plan.recipes),
            "seeds": f"{len(plan.seeds)}: "
            + (f"0 to {len(plan.seeds) - 1}" if counted else ", ".join(map(str, plan.seeds)))
            + (f"; added until settled, at most {plan.most_seeds}: {self.ended}" if plan.most_seeds else ""),
            "metric": f"{plan.metric}; smallest effect that matters: "
            + ("the usual one" if plan.smallest_effect is None else f"{plan.smallest_effect:g}"),
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
        recipes: Texts such as `"dropout=0.5"` or `"batchnorm+adamw"` (see `kohort.recipes.grammar`), or a mapping of
            names to builders of compiled models whose last layer has one unit per class.
        dataset: What to learn.
        seeds: A number of seeds, or the seeds; or `"auto"`: rounds of seeds until every verdict is settled, more seeds
            cannot settle the rest, or `most_seeds` have trained. The verdicts are valid under that stopping.
        epochs: Passes over the training rows; 50 is the textbook's number.
        batch_size: Rows of a batch; 32 is Keras' default.
        baseline: The recipe to compare with; the first by default.
        network: What recipes that are given as texts are applied to: `"mlp"`, `"cnn"`, `"cnn1d"`, a function (see
            `kohort.recipes.compose.network_for`), or `"auto"`: convolutions for images, else a perceptron.
        metric: What runs are judged by on the test rows: a metric as `model.compile` takes it, by name or as an object;
            by default accuracy, and the root of the mean squared error of a regression, in units of the target.
        smallest_effect: The smallest effect that matters, in units of the metric; by default half a point (0.005) of a
            share such as accuracy, and 1 % of the baseline's score of any other metric.
        most_seeds: With `seeds="auto"`: at most so many. 40 resolves a third of what one seed's spread is.

    Raises:
        DataError: The data or the seeds cannot be used.
        RecipeError: A recipe or the baseline is unknown.
    """

    def __init__(
        self,
        recipes: Sequence[str] | Mapping[str, Any],
        dataset: Dataset,
        *,
        seeds: int | Iterable[int] | Literal["auto"] = 20,
        epochs: int = 50,
        batch_size: int = 32,
        baseline: str | None = None,
        network: Any = "auto",
        metric: Any = None,
        smallest_effect: float | None = None,
        most_seeds: int = 40,
    ):
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise DataError(f"{name} must be a whole number of at least 1. Got {value!r}.")
        if smallest_effect is not None and not 0.0 < smallest_effect < float("inf"):
            raise DataError(f"smallest_effect must be a number above 0, in units of the metric. Got {smallest_effect}.")
        self.looks = None
        if isinstance(seeds, str):
            self.looks = _looks(seeds, most_seeds)
            seeds = self.looks.seeds[0]
        self.dataset = dataset
        rows = parts(dataset, batch_size)
        metric = USUAL_METRIC[dataset.task] if metric is None else metric
        if isinstance(recipes, Mapping):
            self.recipes, _ = as_recipes(recipes)
            described = "the user's own builders"
        else:
            steps = -(-rows[0] // batch_size)
            problem = Problem(dataset.shape, dataset.outputs, dataset.task, steps, epochs, dataset.embedded)
            self.recipes = recipes_for(recipes, problem, network)
            described = network_for(problem, network).words
        names = tuple(recipe.name for recipe in self.recipes)
        first = split(dataset, 0, batch_size)
        self.remarks = (*dataset.remarks, *_copies(dataset, first), *_few_groups(dataset, first))
        self.measure = measure(metric, dataset.y, dataset.outputs)
        self.plan = Plan(
            (dataset.name, dataset.fingerprint),
            names,
            _baseline(baseline, names),
            as_seeds(seeds),
            int(epochs),
            int(batch_size),
            rows,
            described,
            self.measure.name,
            smallest_effect,
            None if self.looks is None else self.looks.seeds[-1],
        )

    def run(self, *, verbose: int = 1, listener: Listener | None = None) -> StudyResult:
        """Trains and tests every run.

        Args:
            verbose: 0 silent, else a progress bar on standard error if that is a terminal.
            listener: Hears of progress instead of the bar.
        """
        check_backend()
        started = time.perf_counter()
        shown = nullcontext(listener) if listener else nullcontext(silent) if verbose == 0 else Bar()
        with shown as heard:
            if self.looks is None:
                return self._result([self._round(self.plan.seeds, heard)], started)
            return self._run_until_settled(self.looks, heard, started)

    def _run_until_settled(self, looks: Looks, heard: Listener, started: float) -> StudyResult:
        """Rounds of seeds, with a look at the verdicts after each."""
        rounds: list[Runs[tuple[str, int]]] = []
        trained = 0
        while True:
            rounds.append(self._round(tuple(range(trained, looks.now)), heard))
            trained = looks.now
            result = self._result(rounds, started, looks)
            verdicts = result.comparison.verdicts
            if verdicts is None:
                return replace(result, ended="there is nothing to judge")
            decision = next_round(verdicts)
            if decision.seeds is None:
                return replace(result, ended=decision.why, seconds=time.perf_counter() - started)
            assert verdicts.looks is not None
            looks = verdicts.looks

    def _round(self, seeds: tuple[int, ...], heard: Listener) -> Runs[tuple[str, int]]:
        """Every recipe trained and tested under some seeds."""
        plan = self.plan
        splits = [split(self.dataset, seed, plan.batch_size) for seed in seeds]
        pool, data = _pooled(self.dataset, splits)
        options = Training(pool.picked(_rows_of(data.training_rows)), plan.batch_size, True)
        params = {"verbose": 0, "epochs": plan.epochs, "steps": -(-plan.rows[0] // plan.batch_size)}
        logs = ("accuracy", "val_accuracy") if plan.metric == "accuracy" else ()
        course = Course(plan.epochs, callbacks=callbacks_of(self.recipes), params=params)
        request = Request(options, data, course)
        fitted = fit_members(self.recipes, seeds, request, heard, required_logs=logs, outputs=self.dataset.outputs)
        tested = self._tested(fitted.cohorts, seeds, splits, pool)
        runs = {
            (run.recipe, run.seed): replace(
                run,
                test=tested[run.recipe, run.seed],
                history=self._in_units(run.history, splits[seeds.index(run.seed)]),
            )
            for run in fitted.runs
            if run.seed is not None
        }
        return Runs(
            runs,
            cohorts=[tuple(plan.recipes[i] for i in cohort.group.recipes) for cohort in fitted.cohorts],
            separate=[reason for cohort in fitted.cohorts for reason in cohort.group.why_separate],
        )

    def _in_units(self, history: dict[str, list[float]], own: Split) -> dict[str, list[float]]:
        """Logs with those of the study's metric in units of the target, or without them where that cannot be."""
        if self.dataset.classes:
            return history
        metric = self.plan.metric
        factor = self.dataset.targets(own.train).factor(metric)
        logs = {name: values for name, values in history.items() if name.removeprefix("val_") != metric}
        for part in ("", "val_"):
            values = history.get(part + metric, history.get(part + LOGGED_AS.get(metric, metric)))
            if values is not None and factor is not None:
                logs[part + metric] = [factor * value for value in values]
        return logs

    def _result(
        self, rounds: Sequence[Runs[tuple[str, int]]], started: float, looks: Looks | None = None
    ) -> StudyResult:
        merged = {key: run for one in rounds for key, run in one.items()}
        seeds = tuple(dict.fromkeys(seed for _, seed in merged))
        plan = replace(self.plan, seeds=seeds)
        runs = {(recipe, seed): merged[recipe, seed] for recipe in plan.recipes for seed in seeds}
        told = {"cohorts": rounds[0].cohorts, "separate": rounds[0].separate}
        seconds = time.perf_counter() - started
        return StudyResult(
            plan,
            Runs(runs, **told),
            self.dataset.source,
            seconds,
            _environment(),
            self.dataset.cut,
            self.remarks,
            looks,
        )

    def _tested(
        self, cohorts: Sequence[Cohort], seeds: Sequence[int], splits: Sequence[Split], pool: Arrays
    ) -> dict[tuple[str, int], Evaluation]:
        """How every run does on the test rows, by (recipe, seed)."""
        plan = self.plan
        members = [
            (cohort.group.recipes[member.recipe], seeds.index(member.seed), result.state)
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
            if own.ndim != 2 or own.shape[-1] != self.dataset.outputs:
                raise RecipeError(
                    f"recipes of a study must give one output per class, {self.dataset.outputs} here. "
                    f"Got outputs of shape {list(own.shape[1:])} from {plan.recipes[recipe]}. "
                    "Give the last layer one unit per class."
                )
            test = splits[seed].test
            learnt = self.dataset.targets(splits[seed].train)
            predicted = own if self.dataset.classes else (own * learnt.spread + learnt.centre).astype(np.float32)
            outcomes = self.measure.outcomes(self.dataset.y[test], predicted)
            evaluation = Evaluation(test, outcomes, self.measure.name, self.measure.greater_is_better)
            tested[plan.recipes[recipe], seeds[seed]] = evaluation
        return tested


def _copies(dataset: Dataset, own: Split) -> tuple[str, ...]:
    if dataset.columns is None:
        return ()
    count = duplicates_across(dataset, own)
    copies = (
        f"{count:,} of {len(own.test):,} test rows have a copy among the training rows of seed 0: test scores flatter."
    )
    return (copies,) if count else ()


def _few_groups(dataset: Dataset, own: Split) -> tuple[str, ...]:
    if dataset.groups is None:
        return ()
    count = len(np.unique(dataset.groups[own.test]))
    return (
        f"The {len(own.test):,} test rows are of {count:,} groups. Intervals take rows as drawn one by one, so they "
        "speak of more rows of such groups, and are too narrow for other groups.",
    )


def _looks(seeds: str, most_seeds: int) -> Looks:
    if seeds != "auto":
        raise DataError(f"seeds must be a number, the seeds themselves, or 'auto'. Got {seeds!r}.")
    fewest = Looks().seeds[0]
    if not isinstance(most_seeds, int | np.integer) or isinstance(most_seeds, bool) or most_seeds < fewest:
        raise DataError(f"most_seeds must be a whole number of at least {fewest}. Got {most_seeds!r}.")
    return Looks.upto(int(most_seeds))


def _baseline(baseline: str | None, names: tuple[str, ...]) -> str:
    if baseline is None:
        return names[0]
    if baseline in names:
        return baseline
    try:
        written = parse(baseline).label  # dropout=0.3 for the recipe that is called dropout 0.3
    except RecipeError:
        written = baseline
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
    if not dataset.depends_on_split:
        pool, offset = Arrays((dataset.x, dataset.y), _ROWS), 0
    else:
        each = dataset.rows * int(np.prod(dataset.shape)) * 4
        if each * len(splits) > MOST_BYTES:
            raise DataError(
                f"each seed sees {dataset.name!r} scaled by its own training rows: {len(splits)} times "
                f"{each / 2**20:,.0f} MiB are more than {MOST_BYTES / 2**30:g} GiB. Train fewer seeds at once."
            )
        x = np.concatenate([dataset.inputs(part.train) for part in splits])
        y = np.concatenate([dataset.targets(part.train).values for part in splits])
        pool, offset = Arrays((x, y), _ROWS), dataset.rows
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
