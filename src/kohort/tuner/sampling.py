"""Who chooses candidates: a sampler of Optuna, asked for a batch and told a batch."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, islice
from typing import Any

import numpy as np
import optuna

from kohort.errors import DataError
from kohort.tuner.space import Trial, Values

RANDOM = 32
"""Candidates that are drawn evenly before the sampler learns: about one for each dimension of a cocktail twice."""


class Sampler:
    """Asks a study of Optuna for candidates and tells it how they did.

    Unless a study is given, candidates are chosen by the tree-structured Parzen estimator (Bergstra et al. 2011). It is
    seeded anew for each round, so that the same answers lead to the same questions, also in another process.

    Args:
        draw: From a trial to the values that it chooses.
        seed: What decides the choices.
        study: A study of the user's own, with the sampler it has; it learns of every candidate.
        first: The number of the first candidate that is asked for: a study may hold trials that are none of ours.

    Attributes:
        repeats: Whether the same answers lead to the same questions; a study of the user's own may do as it likes.

    Raises:
        DataError: The study has several objectives.
    """

    def __init__(
        self, draw: Callable[[Trial], dict[str, Any]], seed: int, study: optuna.Study | None = None, first: int = 0
    ):
        self._draw, self._seed, self.repeats = draw, seed, study is None
        if study is None:
            with _quiet():
                study = optuna.create_study(direction="maximize")
        elif len(study.directions) != 1:
            raise DataError(f"the Optuna study must have one objective. Got {len(study.directions)}.")
        self.study = study
        self._open: dict[int, optuna.Trial] = {}
        self._numbers = count(first)

    def ask(self, many: int, round_number: int) -> dict[int, Values]:
        """A batch of candidates: number -> values.

        Args:
            many: How many.
            round_number: Which round it is, from 0.
        """
        with _quiet():
            if self.repeats:
                words = np.random.SeedSequence([self._seed, round_number]).generate_state(1)
                self.study.sampler = optuna.samplers.TPESampler(
                    seed=int(words[0]), n_startup_trials=RANDOM, multivariate=True, group=True, constant_liar=True
                )
            found: dict[int, Values] = {}
            for number in islice(self._numbers, many):
                self._open[number] = trial = self.study.ask()
                found[number] = self._draw(trial)
        return found

    def tell(self, number: int, curve: Sequence[float], score: float | None, finished: bool) -> None:
        """How a candidate did.

        Args:
            number: Its number.
            curve: The objective by epoch, which one wants large.
            score: What it reached; None or infinite: it failed.
            finished: Whether it trained to the end; else it was stopped for others.
        """
        trial, states = self._open.pop(number), optuna.trial.TrialState
        sign = 1.0 if self.study.direction == optuna.study.StudyDirection.MAXIMIZE else -1.0
        with _quiet():
            if score is None or not np.isfinite(score):
                self.study.tell(trial, state=states.PRUNED)  # with nothing reported: the worst of all
                return
            trial.report(sign * score, len(curve))
            if finished:
                self.study.tell(trial, sign * score)
            else:
                self.study.tell(trial, state=states.PRUNED)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Optuna from remarks on each trial, and on parts of it that it calls experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
