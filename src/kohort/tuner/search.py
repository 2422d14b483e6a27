"""The search: rounds of candidates, each trained as a few cohorts, until a budget is spent."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import optuna

from kohort.errors import StudyError
from kohort.recipes.recipe import Recipe
from kohort.run import Run
from kohort.store.journal import Journal, Line, Tried
from kohort.training import Cohort
from kohort.tuner.halving import Halving, rungs_of
from kohort.tuner.objective import best_epoch
from kohort.tuner.sampling import Sampler
from kohort.tuner.setting import Setting
from kohort.tuner.space import Searchable, Values

ROUND = 32
"""Candidates of a round: enough that cohorts are worth their start, few enough that the sampler learns often."""


@dataclass(frozen=True)
class Budget:
    """When a search ends: by whichever comes first.

    A round that has begun ends; the last one has only as many candidates as should still fit, by the pace so far.

    Attributes:
        minutes: Of wall-clock time, compiling included; that of earlier processes counts where a journal has it.
        candidates: How many are tried.
        epochs: How many epochs they train together.
    """

    minutes: float | None = None
    candidates: int | None = None
    epochs: int | None = None

    def __str__(self) -> str:
        told = [] if self.minutes is None else [f"{self.minutes:g} minute{'s' if self.minutes != 1 else ''} had passed"]
        told += [] if self.candidates is None else [f"{self.candidates:,} candidates were tried"]
        told += [] if self.epochs is None else [f"{self.epochs:,} epochs were trained"]
        return " or ".join(told)

    def next_round(self, tried: int, epochs: int, seconds: float) -> int:
        """How many candidates the next round has; 0: the search ends.

        Args:
            tried: Candidates so far.
            epochs: Which they have trained together.
            seconds: Which they took, in earlier processes too, so that a search that has ended ends at once again.
        """
        left = ROUND if self.candidates is None else min(ROUND, max(0, self.candidates - tried))
        if self.epochs is not None:
            pace = epochs / tried if tried else 1.0
            left = min(left, max(0, int((self.epochs - epochs) / pace)))
        if self.minutes is not None and tried:
            left = min(left, max(0, int((60.0 * self.minutes - seconds) * tried / seconds)))
        return left


@dataclass(frozen=True)
class Searched:
    """A search that has ended.

    Attributes:
        space: Where it looked.
        budget: When it was to end.
        structures: The structures that it looked at.
        tried: The candidates, in the order in which they were tried.
        seconds: Wall-clock seconds for them, those of earlier processes included where a journal has them.
        new: How many of the candidates this process trained; a journal had the others.
    """

    space: Searchable
    budget: Budget
    structures: tuple[str, ...]
    tried: tuple[Tried, ...]
    seconds: float
    new: int

    @property
    def per_minute(self) -> float:
        """Candidates a minute."""
        return 60.0 * len(self.tried) / self.seconds

    def best(self, count: int) -> list[Tried]:
        """The candidates that did best on validation rows: those that trained to the end, then who came furthest."""
        usable = [own for own in self.tried if np.isfinite(own.score)] or self.tried
        ranked = sorted(usable, key=lambda own: (own.finished, len(own.curve), own.score), reverse=True)
        unique: dict[str, Tried] = {}
        for own in ranked:
            unique.setdefault(own.recipe, own)
        return list(unique.values())[:count]


def search(
    setting: Setting,
    space: Searchable,
    budget: Budget,
    *,
    structures: int = 6,
    halving: bool = True,
    study: optuna.Study | None = None,
    journal: Journal | None = None,
) -> Searched:
    """Tries candidates until the budget is spent.

    Args:
        setting: What they train on.
        space: What is chosen from.
        budget: When it ends.
        structures: How many structures at the most; each is compiled once.
        halving: Whether candidates leave that others are ahead of.
        study: A study of Optuna of the user's own that chooses; None: one with a sampler of its own for each round.
        journal: What was tried before, and where what is tried is kept, whenever a cohort of candidates has ended.

    Raises:
        StudyError: More was tried before than is asked for.
    """
    began = time.perf_counter()
    own = journal or Journal(None, {})
    chosen = space.structures(structures, setting.seed)
    before, asked_before = len(own.tried), sum(one.asked for one in own.rounds)
    first = 0 if study is None else asked_before  # ours is asked again for what was tried before
    sampler = Sampler(lambda trial: space.draw(trial, chosen), setting.seed, study, first)
    judge = Halving(setting.objective, rungs_of(setting.epochs) if halving else ())
    if budget.candidates is not None and asked_before > budget.candidates:
        raise StudyError(
            f"candidates must be at least as many as the search's folder holds, {asked_before}. Got "
            f"{budget.candidates}. Ask for more, or name another folder to begin anew."
        )

    def keep(asked: int, tried: Sequence[Tried]) -> None:
        nonlocal began
        own.add(Line(asked, time.perf_counter() - began, tuple(tried)))
        began = time.perf_counter()
        for candidate in tried:
            sampler.tell(candidate.number, candidate.curve, candidate.score, candidate.finished)

    train = partial(_train, setting, space, chosen, judge)
    for number, one in enumerate(own.rounds):
        asked = sampler.ask(one.asked, number) if sampler.repeats else {}
        for tried in one.tried:
            judge.remember(tried.number, tried.curve)
            if sampler.repeats:
                sampler.tell(tried.number, tried.curve, tried.score, tried.finished)
        ended = {tried.number for tried in one.tried}
        if left := {candidate: values for candidate, values in asked.items() if candidate not in ended}:
            train(left, number, partial(keep, one.asked))  # what was under way when the search was killed
    while size := budget.next_round(len(own.tried), sum(len(tried.curve) for tried in own.tried), own.seconds):
        train(sampler.ask(size, len(own.rounds)), len(own.rounds), partial(keep, size))
    return Searched(space, budget, chosen, tuple(own.tried), own.seconds, len(own.tried) - before)


def _train(
    setting: Setting,
    space: Searchable,
    structures: Sequence[str],
    judge: Halving,
    asked: Mapping[int, Values],
    number: int,
    keep: Callable[[Sequence[Tried]], None],
) -> None:
    """Trains candidates of a round; they are kept whenever a cohort of them has ended."""
    texts = {candidate: space.searched(values) for candidate, values in asked.items()}
    unique = list(dict.fromkeys(texts.values()))
    recipes = dict(zip(unique, space.recipes(unique, setting), strict=True))
    used = [own for own in structures if any(values.get("structure") == own for values in asked.values())]
    left = {candidate: recipes[text].name for candidate, text in texts.items()}
    failures: dict[str, str] = {}

    def tried(candidate: int, run: Run | None) -> Tried:
        values = asked[candidate]
        curve = np.array([]) if run is None else setting.objective.curve(run.history)
        reached = _reached(curve, setting.epochs, space.is_planned(values))
        logged, why = tuple(map(float, curve)), failures.get(left.pop(candidate), "")
        return Tried(candidate, number, dict(values), space.recipe(values), logged, *reached, why)

    def ended(_recipes: Sequence[Recipe], _cohort: Cohort, runs: Sequence[Run]) -> None:
        own = {run.recipe: run for run in runs}
        keep([tried(candidate, own[name]) for candidate, name in [*left.items()] if name in own])

    runs = setting.train(
        list(recipes.values()),
        [setting.seed],
        rungs=judge.rungs,
        spanning=spanning(space, used, setting),
        capacity=ROUND,
        failed=failures.__setitem__,
        ended=ended,
    )
    if left:  # those that could not be trained, or were by plain fit
        keep([tried(candidate, runs.get((name, setting.seed))) for candidate, name in [*left.items()]])


def _reached(curve: np.ndarray, epochs: int, planned: bool) -> tuple[float, int, bool]:
    """A candidate's score, after how many epochs, and whether it trained to the end."""
    if not (len(curve) and np.isfinite(curve).all()):
        return -np.inf, 0, False
    return *best_epoch(curve, planned), len(curve) == epochs


def spanning(space: Searchable, structures: Sequence[str], setting: Setting) -> tuple[Recipe, ...]:
    """Recipes with which a program of each structure serves all strengths."""
    texts = [text for own in structures for text in space.spanning(own)]
    return space.recipes(texts, setting) if texts else ()
