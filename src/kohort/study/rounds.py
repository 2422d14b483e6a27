"""A round of a study: recipes train under some seeds and are tested, but for runs that the study's folder holds."""

import platform
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from kohort.cohort.halfway import Halfway
from kohort.cohort.known_layouts import resolved
from kohort.cohort.members import Training
from kohort.cohort.order import Course
from kohort.cohort.outcomes import Measure
from kohort.cohort.predict import predict
from kohort.data.dataset import Dataset, Targets
from kohort.data.splitting import Split, split
from kohort.errors import RecipeError, StudyError
from kohort.executors.work import Ended, Executor, Piece
from kohort.progress import Listener
from kohort.recipes.recipe import Recipe, callbacks_of
from kohort.run import Evaluation, Failure, FitPace, Run, Runs
from kohort.runtime import check_backend
from kohort.store.folder import StudyFolder
from kohort.study.answers import answers
from kohort.study.fit_pace import OnRows, paces
from kohort.study.here import here
from kohort.study.material import Material, material_of
from kohort.study.pieces import cut
from kohort.study.plan import Plan
from kohort.training import Cohort, Request, fit_members, with_model

LOGGED_AS = {"root_mean_squared_error": "rmse"}
"""What the recipes of the catalogue call a metric in their logs."""

Key = tuple[str, int]


class CohortKeeper:
    """Keeps where a cohort stands in a study's folder.

    Args:
        folder: The folder.
        recipes: The cohort's recipes.
        seeds: Its seeds.
    """

    def __init__(self, folder: StudyFolder, recipes: Sequence[str], seeds: Sequence[int]):
        self._folder, self._runs = folder, [(recipe, seed) for recipe in recipes for seed in seeds]
        self._checkpoint = folder.checkpoint(recipes, seeds)

    def load(self) -> Halfway | None:
        """Where it stood; None if nothing was kept."""
        found = self._checkpoint.load()
        return None if found is None else Halfway.of(*found)

    def offer(self, now: Callable[[], Halfway]) -> None:
        """Keeps where it stands, every half minute at the most often."""
        if self._checkpoint.is_due():
            halfway = now()
            if self._checkpoint.save(halfway.epochs, halfway.arrays):
                self._folder.begin(self._runs, halfway.epochs)


@dataclass(frozen=True)
class Rounds:
    """How a study trains and tests.

    Attributes:
        recipes: What is compared.
        dataset: What is learnt.
        plan: The rest of what decides a run's numbers.
        measure: What runs are judged by.
        asked: Of a worker: what its process must be, as `here` says it, for the study's numbers.
    """

    recipes: tuple[Recipe, ...]
    dataset: Dataset
    plan: Plan
    measure: Measure
    asked: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        seeds: tuple[int, ...],
        heard: Listener,
        folder: StudyFolder | None = None,
        failed: Callable[[Failure], None] = lambda _: None,
        executor: Executor | None = None,
        ended: Callable[[Iterable[Run]], None] = lambda _: None,
    ) -> Runs[Key]:
        """Every recipe trained and tested under some seeds.

        Args:
            seeds: The seeds.
            heard: Hears of progress.
            folder: Where runs that have ended are found, and others kept as soon as they have.
            failed: Told of runs that cannot be trained; the others are.
            executor: Who trains them; None: this process.
            ended: Told of runs when they are tested and kept, and of those that the folder holds.
        """
        runs: dict[Key, Run] = {}
        cohorts: list[tuple[str, ...]] = []
        separate: list[str] = []
        by_name = {recipe.name: recipe for recipe in self.recipes}
        for (name, seed), (run, cohort) in folder.runs().items() if folder else ():
            if name in by_name and seed in seeds:
                runs |= self.with_models([run])
                cohorts.append(cohort)
        ended(runs.values())
        missing = list(self._together(seeds, runs))
        if executor is None:
            rounds = (self._train(which, own_seeds, heard, folder, failed, ended) for which, own_seeds in missing)
        else:
            rounds = self._trained_by(executor, missing, heard, folder, failed, ended)
        for trained in rounds:
            runs |= dict(trained)
            cohorts += trained.cohorts
            separate += trained.separate
        wanted = [(recipe.name, seed) for recipe in self.recipes for seed in seeds]
        ordered = {key: runs[key] for key in wanted if key in runs}
        return Runs(ordered, cohorts=list(dict.fromkeys(cohorts)), separate=list(dict.fromkeys(separate)))

    def train(self, piece: Piece, heard: Listener) -> Ended:
        """Trains and tests a piece, for an executor.

        Raises:
            StudyError: This process has other versions or devices than the study's own, so other numbers.
        """
        check_backend()
        found = here()
        wrong = [
            f"{name} {found[name]} instead of {wanted}" for name, wanted in self.asked.items() if found[name] != wanted
        ]
        if wrong:
            raise StudyError(
                f"workers must be as the study's own process, whose numbers they give. Got on {platform.node()}: "
                f"{'; '.join(wrong)}. Install the same versions there, and start the study on a machine with such "
                "devices."
            )
        own = replace(self, recipes=tuple(recipe for recipe in self.recipes if recipe.name in piece.recipes))
        failures: list[Failure] = []
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            trained = own.run(piece.seeds, heard, failed=failures.append)
        runs = [replace(run, rebuild=None, callbacks=()) for run in trained.values()]
        cohorts = [(names, tuple(run for run in runs if run.recipe in names)) for names in trained.cohorts]
        told = dict.fromkeys(str(own.message) for own in warned if issubclass(own.category, UserWarning))
        return Ended(piece, tuple(cohorts), trained.separate, tuple(failures), tuple(told))

    def _trained_by(
        self,
        executor: Executor,
        missing: Sequence[tuple[tuple[Recipe, ...], tuple[int, ...]]],
        heard: Listener,
        folder: StudyFolder | None,
        failed: Callable[[Failure], None],
        told: Callable[[Iterable[Run]], None],
    ) -> Iterator[Runs[Key]]:
        """Runs as an executor trains them; each piece's are kept and told of as soon as it has ended."""
        pieces = [
            piece
            for recipes, seeds in missing
            for piece in cut(recipes, seeds, executor.pieces, self._epochs(recipes[0]))
        ]
        if folder is not None:
            folder.begin([(name, seed) for piece in pieces for name in piece.recipes for seed in piece.seeds])
        warned: set[str] = set()
        with closing(executor.train(replace(self, asked=here()), pieces, heard)) as trained:
            for ended in trained:
                for warning in ended.warnings:
                    if warning not in warned:
                        warned.add(warning)
                        warnings.warn(warning, stacklevel=2)
                for failure in ended.failures:
                    assert failure.seed is not None
                    if failure.kind in ("out of memory", "refused"):
                        _fail(folder, failed, failure.kind, failure.recipe, failure.seed, failure.cause)
                    else:  # the folder knows it as interrupted
                        failed(failure)
                runs: dict[Key, Run] = {}
                for names, own in ended.cohorts:
                    runs |= self.with_models(own if folder is None else folder.add(own, names))
                told(runs.values())
                yield Runs(runs, cohorts=[names for names, _ in ended.cohorts], separate=ended.separate)

    def with_models(self, runs: Sequence[Run]) -> Iterator[tuple[Key, Run]]:
        """Runs that come from elsewhere, able to build their models."""
        by_name = {recipe.name: recipe for recipe in self.recipes}
        for run in runs:
            assert run.seed is not None
            recipe = by_name[run.recipe]
            yield (run.recipe, run.seed), with_model(run, recipe, partial(self._options_of, recipe, run.seed))

    def fit_paces(self, seed: int) -> Mapping[str, FitPace]:
        """What the recipes cost by plain `model.fit`, timed on a seed's rows."""
        own = split(self.dataset, seed, self.plan.batch_size)
        x, y = self.dataset.inputs(own.train), self.dataset.targets(own.train).values
        training, validation = ((x[rows], y[rows]) for rows in (own.train, own.validation))
        by_size: dict[int, list[Recipe]] = {}
        for recipe in self.recipes:
            by_size.setdefault(self._batch_size(recipe), []).append(recipe)
        timed = {
            name: pace
            for size, recipes in by_size.items()
            for name, pace in paces(recipes, OnRows(training, validation, size, seed)).items()
        }
        return {recipe.name: timed[recipe.name] for recipe in self.recipes if recipe.name in timed}

    def _together(
        self, seeds: tuple[int, ...], runs: dict[Key, Run]
    ) -> Iterator[tuple[tuple[Recipe, ...], tuple[int, ...]]]:
        """Recipes and the seeds under which they have still to train, those that train alike together."""
        wanted: dict[tuple[tuple[int, ...], int, int], list[Recipe]] = {}
        for recipe in self.recipes:
            missing = tuple(seed for seed in seeds if (recipe.name, seed) not in runs)
            wanted.setdefault((missing, self._batch_size(recipe), self._epochs(recipe)), []).append(recipe)
        for (own_seeds, *_), recipes in wanted.items():
            if own_seeds:
                yield tuple(recipes), own_seeds

    def _batch_size(self, recipe: Recipe) -> int:
        return recipe.batch_size or self.plan.batch_size

    def _epochs(self, recipe: Recipe) -> int:
        return recipe.epochs or self.plan.epochs

    def _options_of(self, recipe: Recipe, seed: int) -> Training:
        return self._options(recipe, material_of(self.dataset, (seed,), self.plan.batch_size))

    def _options(self, recipe: Recipe, material: Material) -> Training:
        rows = material.data.training_rows
        assert rows is not None
        return Training(material.pool.picked(rows[0]), self._batch_size(recipe), True)

    def _train(
        self,
        recipes: tuple[Recipe, ...],
        seeds: tuple[int, ...],
        heard: Listener,
        folder: StudyFolder | None,
        failed: Callable[[Failure], None],
        told: Callable[[Iterable[Run]], None],
    ) -> Runs[Key]:
        """Trains recipes of equal batch size and epochs."""
        plan, material = self.plan, material_of(self.dataset, seeds, self.plan.batch_size)
        epochs = self._epochs(recipes[0])
        params = {"verbose": 0, "epochs": epochs, "steps": -(-plan.rows[0] // self._batch_size(recipes[0]))}
        course = Course(epochs, callbacks=callbacks_of(recipes), params=params)
        kept: dict[Key, Run] = {}
        at_once = resolved(plan.at_once, None if folder is None else folder.path)
        request = Request(self._options(recipes[0], material), material.data, course, at_once=at_once)
        request = replace(request, diagnostics=plan.diagnostics, failed=partial(_fail, folder, failed))
        if folder is not None:
            request = replace(request, keeper=partial(CohortKeeper, folder), begun=folder.begin)
        fitted = fit_members(
            recipes,
            seeds,
            request,
            heard,
            required_logs=("accuracy", "val_accuracy") if plan.metric == "accuracy" else (),
            outputs=self.dataset.outputs,
            ended=None if folder is None else partial(self._keep, recipes, material, folder, kept, told),
        )
        if folder is None:
            kept |= self._tested(recipes, fitted.cohorts, fitted.runs, material)
            told(kept.values())
        return Runs(
            {(run.recipe, run.seed): kept[run.recipe, run.seed] for run in fitted.runs if run.seed is not None},
            cohorts=[tuple(recipes[i].name for i in cohort.group.recipes) for cohort in fitted.cohorts],
            separate=[reason for cohort in fitted.cohorts for reason in cohort.group.why_separate],
        )

    def _keep(
        self,
        recipes: tuple[Recipe, ...],
        material: Material,
        folder: StudyFolder,
        kept: dict[Key, Run],
        told: Callable[[Iterable[Run]], None],
        cohort: Cohort,
        runs: list[Run],
    ) -> None:
        """Tests the runs of a cohort that has ended, keeps them in the study's folder, and tells of them."""
        tested = dict(self._tested(recipes, [cohort], runs, material))
        names = tuple(recipes[index].name for index in cohort.group.recipes)
        ended = folder.add(list(tested.values()), names)
        folder.checkpoint(names, material.seeds).remove()
        kept |= self.with_models(ended)
        told([kept[key] for key in tested])

    def _in_units(self, history: dict[str, list[float]], learnt: Targets) -> dict[str, list[float]]:
        """Logs with those of the study's metric in units of the target, or without them where that cannot be."""
        if self.dataset.classes:
            return history
        metric = self.plan.metric
        factor = learnt.factor(metric)
        logs = {name: values for name, values in history.items() if name.removeprefix("val_") != metric}
        for part in ("", "val_"):
            values = history.get(part + metric, history.get(part + LOGGED_AS.get(metric, metric)))
            if values is not None and factor is not None:
                logs[part + metric] = [factor * value for value in values]
        return logs

    def _tested(
        self, recipes: tuple[Recipe, ...], cohorts: Sequence[Cohort], runs: Sequence[Run], material: Material
    ) -> Iterator[tuple[Key, Run]]:
        """Runs with how they do on the test rows, and logs in units of the target."""
        seeds, pool, inputs = material.seeds, material.pool, material.inputs
        members = [
            (cohort.group.recipes[member.recipe], seeds.index(member.seed), result.state)
            for cohort in cohorts
            for member, result in zip(cohort.members, cohort.results, strict=True)
            if member.seed is not None
        ]
        if not members:  # every recipe was refused, or lacked memory; the study's failures say so
            return iter(())
        models = {index: model for c in cohorts for index, model in zip(c.group.recipes, c.models, strict=True)}
        positions = {index: position for position, index in enumerate(models)}
        offset = self.dataset.rows if pool.rows > self.dataset.rows else 0  # each seed has rows of its own if scaled
        rows = np.stack([material.splits[seed].test + seed * offset for _, seed, _ in members])
        which, states = [positions[recipe] for recipe, *_ in members], [state for *_, state in members]
        untested = {(run.recipe, run.seed): run for run in runs}
        tested: dict[Key, Run] = {}
        networks, units = list(models.values()), self.plan.diagnostics
        for member, outputs, dead in predict(networks, which, states, inputs, rows, units=units):
            recipe, seed, _ = members[member]
            key, learnt = (recipes[recipe].name, seeds[seed]), material.targets[seed]
            own, predicted = material.splits[seed], learnt.in_units(outputs)
            evaluation = self._evaluation(key[0], predicted, own)
            run, measured = untested[key], {}
            if units:
                said = answers(self.dataset.y[own.test], predicted, len(self.dataset.classes))
                measured = {**run.diagnostics, "dead_units": np.array([dead]), **said}
            history = self._in_units(run.history, learnt)
            tested[key] = replace(run, test=evaluation, history=history, diagnostics=measured)
        return iter(tested.items())

    def _evaluation(self, recipe: str, outputs: np.ndarray, own: Split) -> Evaluation:
        """How a network does on its test rows, from its outputs in units of the target."""
        if outputs.ndim != 2 or outputs.shape[-1] != self.dataset.outputs:
            raise RecipeError(
                f"recipes of a study must give one output per class, {self.dataset.outputs} here. "
                f"Got outputs of shape {list(outputs.shape[1:])} from {recipe}. Give the last layer one unit per class."
            )
        return self.measure.evaluation(own.test, self.dataset.y[own.test], outputs)


def _fail(
    folder: StudyFolder | None,
    failed: Callable[[Failure], None],
    kind: Literal["out of memory", "refused"],
    recipe: str,
    seed: int,
    cause: str,
) -> None:
    if folder is not None:
        folder.fail((recipe, seed), kind, cause)
    failed(Failure(recipe, seed, kind, cause))
