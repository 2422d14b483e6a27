"""What the candidates of a search train on, and how they are trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from kohort.cohort.capture import Traced
from kohort.cohort.members import Training
from kohort.cohort.order import Course, Data, Rungs
from kohort.cohort.outcomes import Measure, measure
from kohort.data.dataset import Dataset
from kohort.data.splitting import parts
from kohort.progress import Listener, silent
from kohort.recipes.design import Problem
from kohort.recipes.metrics import metric_of
from kohort.recipes.recipe import Recipe
from kohort.run import Evaluation, Run
from kohort.study.material import Material, material_of
from kohort.study.problem import problem_of
from kohort.training import Cohort, Request, fit_members, trace_alone
from kohort.tuner.objective import Objective

SEARCH_SEED = 10_000
"""Added to a search's seed: the seeds of the search and of the final comparison, which count from 0, stay apart."""


@dataclass(frozen=True)
class Setting:
    """What candidates train on.

    Attributes:
        dataset: What is learnt. Its test rows are not looked at.
        seed: Cuts the other rows into training and validation, the same for all candidates.
        epochs: Passes over the training rows.
        batch_size: Rows of a batch, for candidates that have no own; it decides the sizes of the parts.
        objective: What they are compared by.
        network: What recipes are applied to.
        listener: Hears of progress.
    """

    dataset: Dataset
    seed: int
    epochs: int
    batch_size: int
    objective: Objective
    network: Any = "auto"
    listener: Listener = silent
    _alongside: dict[str, Traced] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> tuple[int, int, int]:
        """Rows for training, validation and test."""
        return parts(self.dataset, self.batch_size)

    @cached_property
    def material(self) -> Material:
        """The rows, cut."""
        return material_of(self.dataset, (self.seed,), self.batch_size)

    @cached_property
    def problem(self) -> Problem:
        """What networks are for."""
        return problem_of(self.dataset, self.batch_size, self.epochs, self.material.splits[0])

    @cached_property
    def _measure(self) -> Measure:
        dataset = self.dataset
        return measure(metric_of(self.objective.metric, dataset.outputs), dataset.y, dataset.outputs)

    def evaluation(self, rows: np.ndarray, predicted: np.ndarray) -> Evaluation:
        """What the metric says of predictions.

        Args:
            rows: The numbers of the rows that they are for.
            predicted: What a network gives for them, in units of the target.
        """
        return self._measure.evaluation(rows, self.dataset.y[rows], predicted.astype(np.float32))

    def from_units(self, score: float) -> float:
        """A candidate's score from what the metric says of predictions in units of the target."""
        return score / self.in_units(1.0)

    def in_units(self, score: float) -> float:
        """A candidate's score as the metric has it, of a regression in units of the target."""
        factor = 1.0 if self.dataset.classes else self.material.targets[0].factor(self.objective.metric)
        assert factor is not None  # a search goes by no metric of which that cannot be said
        return factor * self.objective.in_units(score)

    def train(
        self,
        recipes: Sequence[Recipe],
        seeds: Sequence[int],
        *,
        rungs: Rungs | None = None,
        spanning: Sequence[Recipe] = (),
        capacity: int = 0,
        failed: Callable[[str, str], None] | None = None,
        ended: Callable[[Sequence[Recipe], Cohort, Sequence[Run]], None] | None = None,
    ) -> dict[tuple[str, int], Run]:
        """Trains recipes under some seeds of weights and orders, all on the same rows.

        Args:
            recipes: The recipes.
            seeds: The seeds.
            rungs: Where they are compared and some leave.
            spanning: Recipes that differ in all strengths; a program is made as if they were there.
            capacity: For how many runs a program is made at least.
            failed: Told of recipes that could not be trained, and why.
            ended: Told of each cohort that has ended, with the recipes that it speaks of, and of its runs.

        Returns:
            (recipe's name, seed) -> run.
        """
        found: dict[tuple[str, int], Run] = {}
        by_size: dict[int, list[Recipe]] = {}
        for recipe in recipes:
            by_size.setdefault(self.size_of(recipe), []).append(recipe)
        for size, own in by_size.items():
            request = self._request(size, len(seeds), rungs, capacity)
            beside = [self._traced(recipe, request) for recipe in spanning if self.size_of(recipe) == size]
            request = replace(request, alongside=beside)
            if failed is not None:
                request = replace(request, failed=lambda kind, name, seed, why: failed(name, f"{kind}: {why}"))
            heard = None if ended is None else partial(ended, own)
            fitted = fit_members(own, seeds, request, self.listener, ended=heard)
            found |= {(run.recipe, run.seed): run for run in fitted.runs if run.seed is not None}
        return found

    def _request(self, size: int, seeds: int, rungs: Rungs | None, capacity: int) -> Request:
        material = self.material
        trained, validated = material.data.training_rows, material.data.validation_rows
        assert trained is not None
        assert validated is not None
        rows = Data(material.pool, material.pool, np.repeat(trained, seeds, 0), np.repeat(validated, seeds, 0))
        params = {"verbose": 0, "epochs": self.epochs, "steps": -(-self.rows[0] // size)}
        course = Course(self.epochs, params=params, rungs=rungs)
        return Request(Training(material.pool.picked(trained[0]), size, True), rows, course, capacity=capacity)

    def size_of(self, recipe: Recipe) -> int:
        """Rows of a batch of a recipe."""
        return recipe.batch_size or self.batch_size

    def _traced(self, recipe: Recipe, request: Request) -> Traced:
        """The steps of a recipe, traced once for all rounds."""
        if recipe.name not in self._alongside:
            self._alongside[recipe.name] = trace_alone(recipe, self.seed, request)
        return self._alongside[recipe.name]
