"""What is asked of a study, checked at the door, and its rounds of seeds."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np

from kohort.cohort.known_layouts import AtOnce, check_at_once
from kohort.cohort.outcomes import measure
from kohort.data.dataset import Dataset, check_dataset
from kohort.data.splitting import Split, duplicates_across, parts, split
from kohort.errors import DataError, RecipeError
from kohort.executors.work import Executor
from kohort.notebook import table_html
from kohort.progress import Listener, Stage, all_of, silent
from kohort.recipes.compose import Built, recipes_for
from kohort.recipes.definition import code_of, definition_of, source_of
from kohort.recipes.grammar import parse
from kohort.recipes.metrics import metric_of
from kohort.recipes.recipe import as_recipes
from kohort.run import MOST_CONFUSED, Failure, Run, Runs
from kohort.runtime import check_backend
from kohort.seeds import as_seeds
from kohort.statistics.sequential import next_round
from kohort.statistics.spending import Looks
from kohort.store.folder import StudyFolder, Weights
from kohort.store.identity import Identity
from kohort.study.here import here
from kohort.study.plan import Plan
from kohort.study.predicting import Predictor
from kohort.study.problem import problem_of
from kohort.study.result import StudyResult
from kohort.study.rounds import Key, Rounds
from kohort.terminal import Display
from kohort.trackers.sending import Sending
from kohort.trackers.tracker import Tracker

USUAL_METRIC = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "root_mean_squared_error",
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
        metric: What runs are judged by on the test rows: a metric as `model.compile` takes it, by name or as an object,
            or `"balanced_accuracy"`;
            by default accuracy, and the root of the mean squared error of a regression, in units of the target.
        smallest_effect: The smallest effect that matters, in units of the metric; by default half a point (0.005) of a
            share such as accuracy, and 1 % of the baseline's score of any other metric.
        most_seeds: With `seeds="auto"`: at most so many. 40 resolves a third of what one seed's spread is.
        folder: Where runs are kept as soon as their cohort has ended, and found when the study is run again, with more
            seeds or recipes perhaps; None: nowhere. What is kept builds its model with a new optimiser, and has no
            callbacks.
        weights: Which runs' weights the folder keeps: `"all"`, `"none"`, or `"best"`: those of each recipe's run that
            does best on its own validation rows, of the runs that end together.
        force: Begin a new generation in the folder where the study that is there is another: other data, options, code
            or versions. What is there is kept.
        diagnostics: Measure what `kohort.run.DIAGNOSTICS` names: norms of weights and gradients, zeros, dead units,
            how weights are spread. Without them numbers are the same up to rounding.
        strengths: The baseline's own strength of techniques that other recipes vary, where its name does not tell:
            `{"dropout": 0.3}` beside recipes called `dropout 0.1`, `dropout 0.5`. Curves of dose and response then go
            through the baseline.
        at_once: How many members are vectorised on each device, as `kohort.fit` takes it; by default one on a CPU.
            `"fastest"` times some numbers before each cohort trains; what was timed is kept in the folder, for cohorts
            of as many runs.
        trackers: Told of runs when they have ended, and of the verdicts: `kohort.trackers.MLflow(…)`,
            `kohort.trackers.TensorBoard(…)`. One that fails is told no more, with a warning, and costs no run.

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
        folder: str | Path | None = None,
        weights: Weights = "all",
        force: bool = False,
        diagnostics: bool = True,
        strengths: Mapping[str, float] | None = None,
        at_once: AtOnce = None,
        trackers: Sequence[Tracker] = (),
    ):
        if weights not in get_args(Weights):
            raise DataError(f"weights must be one of {', '.join(map(repr, get_args(Weights)))}. Got {weights!r}.")
        self.folder, self.force = None if folder is None else Path(folder), force
        self.weights: Weights = weights
        self.trackers = tuple(trackers)
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise DataError(f"{name} must be a whole number of at least 1. Got {value!r}.")
        check_at_once(at_once)
        if smallest_effect is not None and not 0.0 < smallest_effect < float("inf"):
            raise DataError(f"smallest_effect must be a number above 0, in units of the metric. Got {smallest_effect}.")
        self.looks = None
        if isinstance(seeds, str):
            self.looks = _looks(seeds, most_seeds)
            seeds = self.looks.seeds[0]
        check_dataset(dataset)
        self.dataset = dataset
        rows = parts(dataset, batch_size)
        first = split(dataset, 0, batch_size)
        dataset.targets(first.train)  # refused here rather than when a folder has been made
        metric = USUAL_METRIC[dataset.task] if metric is None else metric
        if isinstance(recipes, Mapping):
            self.recipes, _ = as_recipes(recipes)
        else:
            self.recipes = recipes_for(recipes, problem_of(dataset, batch_size, epochs, first), network)
        built = [own.build for own in self.recipes if isinstance(own.build, Built)]
        ours = len(built) == len(self.recipes)
        described = built[0].network.words if ours else "the user's own builders"
        code = code_of(network) if ours and callable(network) else ""
        texts = {own.name: own.text for own in self.recipes if own.text} if isinstance(recipes, Mapping) else {}
        names = tuple(recipe.name for recipe in self.recipes)
        self.remarks = (*dataset.remarks, *_copies(dataset, first), *_few_groups(dataset, first))
        self.measure = measure(metric_of(metric, dataset.outputs), dataset.y, dataset.outputs)
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
            bool(diagnostics),
            texts,
            {own.name: own.own_training for own in self.recipes if own.own_training},
            dict(strengths or {}),
            at_once if at_once is None or at_once == "fastest" else int(at_once),
        )
        self._code = code
        self._rounds = Rounds(self.recipes, dataset, self.plan, self.measure)

    def _repr_html_(self) -> str:
        """A table for notebooks: what will be trained."""
        plan = self.plan
        seeds = f"{plan.most_seeds} at most" if plan.most_seeds else str(len(plan.seeds))
        rows = [
            ("data", plan.dataset[0]),
            ("rows", "{} train, {} validate, {} test".format(*plan.rows)),
            ("network", plan.network),
            ("recipes", ", ".join(plan.recipes)),
            ("baseline", plan.baseline),
            ("seeds", seeds),
            ("training", f"{plan.epochs} epochs, batch size {plan.batch_size}"),
            ("metric", plan.metric),
            *([("folder", str(self.folder))] if self.folder else []),
        ]
        return table_html((), rows, "a study, trained by run()")

    @cached_property
    def identity(self) -> Identity:
        """What the study is, so that a folder takes in no runs of another."""
        plan, environment = self.plan, _environment()
        decides = {
            "data": plan.dataset[1],
            "epochs": str(plan.epochs),
            "batch_size": str(plan.batch_size),
            "rows": ", ".join(map(str, plan.rows)),
            "network": f"{plan.network} {self._code}".strip(),
            "metric": plan.metric,
            "diagnostics": "on" if plan.diagnostics else "off",  # XLA fuses differently
            **({} if plan.at_once is None else {"at_once": str(plan.at_once)}),  # and so it does for these
            **here(),
        }
        facts = {
            "source": self.dataset.source,
            "cut": self.dataset.cut,
            "rows": list(plan.rows),
            "network": plan.network,
            "baseline": plan.baseline,
            "most_seeds": plan.most_seeds,
            "remarks": list(self.remarks),
            "environment": environment,
            "classes": list(self.dataset.classes) if len(self.dataset.classes) <= MOST_CONFUSED else [],
            "code": {recipe.name: source_of(recipe) for recipe in self.recipes},
            "texts": dict(plan.texts),
            "own_training": dict(plan.own_training),
            "strengths": dict(plan.strengths),
        }
        recipes = {recipe.name: definition_of(recipe) for recipe in self.recipes}
        return Identity(plan.dataset[0], decides, recipes, facts)

    def run(
        self,
        *,
        verbose: int = 1,
        listener: Listener | None = None,
        time_fit: bool = False,
        executor: Executor | None = None,
    ) -> StudyResult:
        """Trains and tests every run that the study's folder does not hold.

        Args:
            verbose: 0 silent, else a progress bar on standard error if that is a terminal.
            listener: Hears of progress instead of the bar.
            time_fit: Also train three epochs of each recipe by plain `model.fit`, so that the report can tell what the
                same runs would have cost that way.
            executor: Who trains the runs, such as `kohort.executors.Ray()`; None: this process. Models of runs that
                others have trained have their weights, and optimisers that begin anew.

        Raises:
            DataError: An executor is to train what has to be measured here.
            StudyError: The folder is of another study, in use, or cannot be written to.
        """
        check_backend()
        if executor is not None and self.plan.at_once == "fastest":
            raise DataError(
                "at_once='fastest' needs one process, since workers would find other layouts to be the fastest, and so "
                "give other last digits. Got an executor. Pass a number."
            )
        started = time.perf_counter()
        shown = nullcontext(listener) if listener else nullcontext(silent) if verbose == 0 else Display()
        sending = Sending(self.trackers, self.identity)
        with self._opened() as folder, sending, shown as display, executor or nullcontext():
            heard = all_of(display, folder.follow) if folder else display
            failures: list[Failure] = []
            train = partial(self._rounds.run, heard=heard, folder=folder, failed=failures.append, executor=executor)
            train = partial(train, ended=sending.runs)
            if self.looks is None:
                result = self._result([train(self.plan.seeds)], failures, started)
            else:
                result = self._run_until_settled(self.looks, train, failures, started)
            if time_fit:
                display(Stage("timing model.fit", 0, 1))
                result = replace(result, by_fit=self._rounds.fit_paces(self.plan.seeds[0]))
            sending.finish(result.told)
            return replace(result, mended=tuple(folder.remarks)) if folder else result

    def result_of(self, runs: Iterable[Run]) -> StudyResult:
        """The result of runs that were kept elsewhere, which trains nothing: their networks predict and are exported.

        Args:
            runs: Runs of this study's recipes, such as `kohort.store.reading.read_study` finds them.
        """
        return self._result([Runs(dict(self._rounds.with_models(list(runs))))], [], time.perf_counter())

    def _opened(self) -> AbstractContextManager[StudyFolder | None]:
        if self.folder is None:
            return nullcontext()
        return StudyFolder(self.folder, self.identity, weights=self.weights, force=self.force)

    def _run_until_settled(
        self, looks: Looks, train: Callable[..., Runs[Key]], failures: Sequence[Failure], started: float
    ) -> StudyResult:
        """Rounds of seeds, with a look at the verdicts after each."""
        rounds: list[Runs[Key]] = []
        trained = 0
        while True:
            rounds.append(train(tuple(range(trained, looks.now))))
            trained = looks.now
            result = self._result(rounds, failures, started, looks)
            verdicts = result.comparison.verdicts
            if verdicts is None:
                return replace(result, ended="there is nothing to judge")
            decision = next_round(verdicts)
            if decision.seeds is None:
                return replace(result, ended=decision.why, seconds=time.perf_counter() - started)
            assert verdicts.looks is not None
            looks = verdicts.looks

    def _result(
        self, rounds: Sequence[Runs[Key]], failures: Sequence[Failure], started: float, looks: Looks | None = None
    ) -> StudyResult:
        merged = {key: run for one in rounds for key, run in one.items()}
        seeds = tuple(
            dict.fromkeys([*(seed for _, seed in merged), *(own.seed for own in failures if own.seed is not None)])
        )
        plan = replace(self.plan, seeds=seeds)
        wanted = [(recipe, seed) for recipe in plan.recipes for seed in seeds]
        runs = {key: merged[key] for key in wanted if key in merged}
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
            unfinished=tuple(failures),
            predictor=Predictor(self.dataset, plan.batch_size, self.measure),
            code={recipe.name: source_of(recipe) for recipe in self.recipes},
            recipes=self.recipes,
            identity=self.identity,
        )


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


def _environment() -> dict[str, str]:
    devices, own = jax.local_devices(), here()
    return {
        **{name: own[name] for name in ("keras", "jax", "numpy")},
        "devices": f"{len(devices)} × {devices[0].device_kind}",
    }
