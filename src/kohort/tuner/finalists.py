"""The finalists of a search, trained again under seeds that the search has not seen; one of them is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from kohort.cohort.predict import predict
from kohort.recipes.compose import may_end_otherwise
from kohort.recipes.recipe import Recipe
from kohort.run import Run
from kohort.store.journal import Tried
from kohort.training import Cohort
from kohort.tuner.objective import best_epoch
from kohort.tuner.search import ROUND, Searched, spanning
from kohort.tuner.setting import Setting


@dataclass(frozen=True)
class Finalist:
    """A candidate under several fresh seeds.

    Attributes:
        tried: The candidate.
        curves: The objective on validation rows, of shape (seeds, epochs); one wants it large.
        score: The mean over seeds, smoothed over a few epochs; where training ends with other weights than those of its
            last validation, such as averages, it is theirs.
        epochs: After how many epochs that is.
    """

    tried: Tried
    curves: np.ndarray = field(repr=False)
    score: float
    epochs: int


@dataclass(frozen=True)
class Network:
    """A trained network of a finalist.

    Attributes:
        recipe: Its recipe.
        seed: Its seed.
        validation: What it predicts for the validation rows, in units of the target.
        test: The same for the test rows.
        run: Its run, with the trained model.
    """

    recipe: str
    seed: int
    validation: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)
    run: Run = field(repr=False)


@dataclass(frozen=True)
class Final:
    """The finalists of a search.

    Attributes:
        finalists: Those that trained to the end under every seed, best first.
        networks: Their networks after all epochs.
        left_out: Recipes of the others, and why.
    """

    finalists: tuple[Finalist, ...]
    networks: tuple[Network, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> Finalist:
        """The finalist that does best on validation rows, on average over seeds."""
        return self.finalists[0]


def final_of(setting: Setting, searched: Searched, *, finalists: int, seeds: int = 4) -> Final:
    """Trains the best of a search under more seeds, and ranks them by these alone.

    The search's own seed does not count: among many candidates the best owes part of its score to it. What is off is
    trained as the search did it, with a strength that does nothing, so that nothing new is compiled.

    Args:
        setting: What they train on.
        searched: The search.
        finalists: How many.
        seeds: How many seeds.
    """
    best, space = searched.best(finalists), searched.space
    texts = {space.searched(own.values): own for own in best}
    recipes = space.recipes(list(texts), setting)
    own_seeds = [setting.seed + 1 + number for number in range(seeds)]
    networks: list[Network] = []
    failures: dict[str, str] = {}
    runs = setting.train(
        recipes,
        own_seeds,
        spanning=spanning(space, sorted({own.values.get("structure", "") for own in best}), setting),
        capacity=max(ROUND, finalists * seeds),
        failed=failures.__setitem__,
        ended=partial(_predict, setting, own_seeds, networks),
    )
    found: list[Finalist] = []
    for recipe, tried in zip(recipes, texts.values(), strict=True):
        curves = [setting.objective.curve(runs[recipe.name, s].history) for s in own_seeds if (recipe.name, s) in runs]
        if len(curves) == seeds and np.isfinite(curves).all():
            own = _finalist(tried, np.stack(curves), space.is_planned(tried.values))
            if may_end_otherwise(recipe):
                own = replace(own, score=_of_final_weights(setting, recipe, networks, own.score))
            found.append(own)
        else:
            failures.setdefault(recipe.name, "diverged")
    named = {recipe.name: tried.recipe for recipe, tried in zip(recipes, texts.values(), strict=True)}
    ranked = sorted(found, key=lambda own: own.score, reverse=True)
    told = tuple(replace(own, recipe=named[own.recipe]) for own in networks)
    return Final(tuple(ranked), told, {named[name]: why for name, why in failures.items()})


def _finalist(tried: Tried, curves: np.ndarray, planned: bool) -> Finalist:
    mean = curves.mean(axis=0)
    return Finalist(tried, curves, *best_epoch(mean, planned))


def _of_final_weights(setting: Setting, recipe: Recipe, networks: Sequence[Network], otherwise: float) -> float:
    """A recipe's score from what its networks predict with the weights that they ended with, on average over seeds.

    Args:
        setting: What they trained on.
        recipe: The recipe.
        networks: The networks of all.
        otherwise: The score where there are none, since each was trained by plain `fit`.
    """
    rows = setting.material.splits[0].validation
    own = [network.validation for network in networks if network.recipe == recipe.name]
    if not own:
        return otherwise
    return setting.from_units(float(np.mean([setting.evaluation(rows, predicted).score for predicted in own])))


def _predict(
    setting: Setting,
    seeds: Sequence[int],
    found: list[Network],
    recipes: Sequence[Recipe],
    cohort: Cohort,
    runs: Sequence[Run],
) -> None:
    """What the networks of a cohort predict."""
    material = setting.material
    own, learnt = material.splits[0], material.targets[0]
    rows = np.concatenate([own.validation, own.test])
    which, states = [member.recipe for member in cohort.members], [result.state for result in cohort.results]
    every = np.tile(rows, (len(states), 1))
    trained = {(run.recipe, run.seed): run for run in runs}
    for member, outputs, _ in predict(cohort.models, which, states, material.inputs, every, units=False):
        seed, recipe = cohort.members[member].seed, cohort.group.recipes[cohort.members[member].recipe]
        assert seed is not None
        told, name = learnt.in_units(outputs), recipes[recipe].name
        count = len(own.validation)
        found.append(Network(name, seed, told[:count], told[count:], trained[name, seed]))
