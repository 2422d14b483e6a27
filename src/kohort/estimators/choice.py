"""Which recipe an estimator predicts with: chosen on validation rows, by a comparison or a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kohort.data.dataset import Dataset
from kohort.data.splitting import Split, split
from kohort.errors import DataError, RecipeError
from kohort.recipes.compose import may_end_otherwise, recipes_for
from kohort.recipes.recipe import Recipe, as_recipes
from kohort.run import Run, Runs
from kohort.study import StudyResult
from kohort.study.problem import problem_of

if TYPE_CHECKING:
    from kohort.tuner.result import TuneResult  # needs the extra kohort[tune], as searches alone do


@dataclass(frozen=True)
class Choice:
    """A recipe, and what it was chosen by.

    Attributes:
        recipe: The recipe, as it is written.
        name: What `result` calls it.
        result: The comparison that it comes from; of a search the final one. None where there was none.
        search: The search; None where there was none.
        validation: Of each recipe, as `result` calls it, its mean validation score over seeds.
    """

    recipe: str
    name: str
    result: StudyResult | None = field(default=None, repr=False)
    search: "TuneResult | None" = field(default=None, repr=False)
    validation: Mapping[str, float] = field(default_factory=dict, repr=False)


def chosen_of_study(result: StudyResult) -> Choice:
    """The recipe whose networks do best on validation rows, as training left them, on average over seeds.

    Test rows have no say, and recipes of which a run diverged or could not be trained are left out.

    Args:
        result: The comparison.

    Raises:
        DataError: Runs did not log the metric on validation rows.
        RecipeError: No recipe trained to its end under every seed.
    """
    seeds = len(result.plan.seeds)
    means, greater_is_better = {}, True
    for recipe in result.plan.recipes:
        runs = result.runs.of(recipe)
        if may_end_otherwise(result.recipe(recipe)) and all(run.outcome.finished for run in runs):
            scores: list[float | None] = [*result.validation_scores(recipe)]
        else:
            scores = [run.validation_score() for run in runs if run.outcome.finished]
        known = [score for score in scores if score is not None]
        if len(known) < len(scores):
            raise DataError(
                f"runs must log 'val_{result.plan.metric}' for a recipe to be chosen on validation rows. "
                f"Got {', '.join(runs[0].history)}. Pass another metric."
            )
        if len(known) == seeds and np.isfinite(known).all():
            means[recipe] = float(np.mean(known))
            greater_is_better = runs[0].test is None or runs[0].test.greater_is_better
    if not means:
        told = "; ".join(map(str, result.failures[:3]))
        raise RecipeError(f"a recipe must train to its end under every seed. Got none: {told}. Pass other recipes.")
    best = (max if greater_is_better else min)(means, key=lambda recipe: means[recipe])
    return Choice(best, best, result, validation=means)


def chosen_of_search(search: "TuneResult") -> Choice:
    """What a search has found, or the plain network that was searched for beside it, where that does better.

    Both are judged on validation rows, on average over seeds that the search had not seen; as well means the plain one.

    Args:
        search: The search.
    """
    plan = search.final.plan
    sides = {name: search.plain if name == plan.baseline else search.found for name in plan.recipes}
    scores = {name: side.final.chosen.score for name, side in sides.items()}  # large is good, whatever the metric
    best = max(scores, key=lambda name: scores[name])
    told = {name: search.setting.in_units(score) for name, score in scores.items()}
    return Choice(sides[best].recipe, best, search.final, search, told)


def too_few_rows(dataset: Dataset, batch_size: int) -> str:
    """Why a dataset has too few rows for training, validation and a test; empty if it has enough."""
    try:
        split(dataset, 0, batch_size)
    except DataError as error:
        return str(error)
    return ""


def on_all_rows(
    asked: Sequence[str] | Mapping[str, Any], name: str | None, dataset: Dataset, network: Any, size: int, epochs: int
) -> Recipe:
    """A recipe as it is trained on all rows, with its own batch size and epochs.

    Args:
        asked: Recipes, as `Study` takes them.
        name: Which; the first if None.
        dataset: What is learnt.
        network: As `Study` takes it.
        size: Rows of a batch, where the recipe does not say.
        epochs: Passes over the rows, where it does not.

    Raises:
        RecipeError: A recipe is unknown, or does not suit the data.
    """
    if isinstance(asked, Mapping):
        made, _ = as_recipes(asked)
    else:
        every, none = np.arange(dataset.rows), np.zeros(0, np.int64)
        made = recipes_for(asked, problem_of(dataset, size, epochs, Split(every, none, none)), network)
    own = made[0] if name is None else next(recipe for recipe in made if recipe.name == name)
    return replace(own, batch_size=min(own.batch_size or size, dataset.rows), epochs=own.epochs or epochs)


def to_keep(result: StudyResult) -> StudyResult:
    """A comparison without what cannot be pickled: it reports and judges, and builds no networks."""
    bare = {key: _bare(run) for key, run in result.runs.items()}
    runs = Runs(bare, cohorts=result.runs.cohorts, separate=result.runs.separate)
    return replace(result, runs=runs, predictor=None, recipes=())


def _bare(run: Run) -> Run:
    return replace(run, weights=(), rebuild=None, callbacks=())
