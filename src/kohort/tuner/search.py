"""The search: rounds of candidates, each trained as a few cohorts, until a budget is spent."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from kohort.errors import StudyError
from kohort.recipes.recipe import Recipe
from kohort.store.journal import Journal, Tried
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
        minutes: Of wall-clock time, compiling included.
        candidates: How many are tried.
        epochs: How many epochs they train together.
    """

    minutes: float | None = None
    candidates: int | None = None
    epochs: int | None = None

    def next_round(self, tried: int, epochs: int, new: int, seconds: float) -> int:
        """How many candidates the next round has; 0: the search ends.

        Args:
            tried: Candidates so far.
            epochs: Which they have trained together.
            new: Candidates of this process, which took the seconds.
            seconds: Since the search began in this process.
        """
        left = ROUND if self.candidates is None else min(ROUND, max(0, self.candidates - tried))
        if self.epochs is not None:
            pace = epochs / tried if tried else 1.0
            left = min(left, max(0, int((self.epochs - epochs) / pace)))
        if self.minutes is not None and new:
            left = min(left, max(0, int((60.0 * self.minutes - seconds) * new / seconds)))
        return left


@dataclass(frozen=True)
class Searched:
    """A search that has ended.

    Attributes:
        space: Where it looked.
        structures: The structures that it looked at.
        tried: The candidates, in the order in which they were tried.
        seconds: Wall-clock seconds of this process for it.
        new: How many of the candidates this process trained; a journal had the others.
    """

    space: Searchable
    structures: tuple[str, ...]
    tried: tuple[Tried, ...]
    seconds: float
    new: int

    @property
    def per_minute(self) -> float:
        """Candidates a minute, those of this process; NaN where it trained none."""
        return 60.0 * self.new / self.seconds if self.new else float("nan")

    def best(self, count: int) -> list[Tried]:
        """The candidates that did best on validation rows, of those that trained to the end."""
        finished = [own for own in self.tried if own.finished]
        ranked = sorted(finished or self.tried, key=lambda own: own.score, reverse=True)
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
        journal: What was tried before, and where new rounds are kept.

    Raises:
        StudyError: More was tried before than is asked for.
    """
    started = time.perf_counter()
    own = journal or Journal(None, {})
    chosen = space.structures(structures, setting.seed)
    sampler = Sampler(lambda trial: space.draw(trial, chosen), setting.seed, study)
    judge = Halving(setting.objective, rungs_of(setting.epochs) if halving else ())
    before = len(own.tried)
    if budget.candidates is not None and before > budget.candidates:
        raise StudyError(
            f"candidates must be at least as many as the search's folder holds, {before}. Got {budget.candidates}. Ask "
            "for more, or name another folder to begin anew."
        )
    for number, line in enumerate(own.rounds):
        if sampler.repeats:
            sampler.ask(len(line), number)
        for tried in line:
            judge.remember(tried.number, tried.curve)
            if sampler.repeats:
                sampler.tell(tried.number, tried.curve, tried.score, tried.finished)
    while size := budget.next_round(
        len(own.tried),
        sum(len(candidate.curve) for candidate in own.tried),
        len(own.tried) - before,
        time.perf_counter() - started,
    ):
        asked = sampler.ask(size, len(own.rounds))
        tried = _round(setting, space, chosen, asked, len(own.rounds), judge)
        for candidate in tried:
            sampler.tell(candidate.number, candidate.curve, candidate.score, candidate.finished)
        own.add(tried)
    seconds = time.perf_counter() - started
    return Searched(space, chosen, tuple(own.tried), seconds, len(own.tried) - before)


def _round(
    setting: Setting,
    space: Searchable,
    structures: Sequence[str],
    asked: Mapping[int, Values],
    number: int,
    judge: Halving,
) -> list[Tried]:
    texts = {candidate: space.searched(values) for candidate, values in asked.items()}
    unique = list(dict.fromkeys(texts.values()))
    recipes = dict(zip(unique, space.recipes(unique, setting), strict=True))
    used = [own for own in structures if any(values.get("structure") == own for values in asked.values())]
    failures: dict[str, str] = {}
    runs = setting.train(
        list(recipes.values()),
        [setting.seed],
        rungs=judge.rungs,
        spanning=spanning(space, used, setting),
        capacity=ROUND,
        failed=failures.__setitem__,
    )
    found: list[Tried] = []
    for candidate, values in asked.items():
        name = recipes[texts[candidate]].name
        run = runs.get((name, setting.seed))
        curve = np.array([]) if run is None else setting.objective.curve(run.history)
        reached = _reached(curve, setting.epochs, space.is_planned(values))
        logged = tuple(map(float, curve))
        found.append(
            Tried(candidate, number, dict(values), space.recipe(values), logged, *reached, failures.get(name, ""))
        )
    return found


def _reached(curve: np.ndarray, epochs: int, planned: bool) -> tuple[float, int, bool]:
    """A candidate's score, after how many epochs, and whether it trained to the end."""
    if not (len(curve) and np.isfinite(curve).all()):
        return -np.inf, 0, False
    return *best_epoch(curve, planned), len(curve) == epochs


def spanning(space: Searchable, structures: Sequence[str], setting: Setting) -> tuple[Recipe, ...]:
    """Recipes with which a program of each structure serves all strengths."""
    texts = [text for own in structures for text in space.spanning(own)]
    return space.recipes(texts, setting) if texts else ()
