"""Successive halving: after some epochs only those candidates go on that do best so far."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kohort.cohort.order import Going, Rungs
from kohort.tuner.objective import Objective, best_epoch

LEAST = 3
"""Epochs before candidates are compared at all."""


def rungs_of(epochs: int) -> tuple[int, ...]:
    """After how many epochs candidates are compared: a sixth and a half of all, where that is at least `LEAST`.

    With half of the candidates going on at each that takes some 45 % of the epochs; in a search, whose later candidates
    are better, some 60 %. The best candidates may learn
    slowly (small learning rates, averaged weights): where a third goes on after a ninth and a third of the epochs, as
    is usual, they leave (`benchmarks/halving.py` has both, and others).

    >>> rungs_of(54)
    (9, 27)
    """
    return tuple(rung for rung in (epochs // 6, epochs // 2) if rung >= LEAST)


@dataclass
class Halving:
    """The asynchronous successive halving of Li et al. (2020, A system for massively parallel hyperparameter tuning).

    At each rung those go on that are among the best 1/factor of all that ever came to it, so that the cohorts of a
    round and the rounds of a search need not wait for each other. Of the first few one goes on.

    Attributes:
        objective: What they are compared by: the best smoothed epoch so far.
        after: The rungs, in epochs.
        factor: Of how many one goes on.
        seen: For each rung the scores that have come to it, by candidate, those of earlier rounds included. A candidate
            that comes again, since memory did not suffice for its cohort, counts once.
    """

    objective: Objective
    after: tuple[int, ...]
    factor: int = 2
    seen: dict[int, dict[Any, float]] = field(default_factory=dict)

    @property
    def rungs(self) -> Rungs | None:
        """What a cohort's training is told; None where there are no rungs."""
        return Rungs(self.after, self.judge) if self.after else None

    def judge(self, epochs: int, logs: Mapping[Going, Mapping[str, Sequence[float]]]) -> Collection[Going]:
        """Who goes on."""
        scores = {member: best_epoch(self.objective.curve(history))[0] for member, history in logs.items()}
        return self.pick(epochs, scores)

    def pick(self, epochs: int, scores: Mapping[Going, float]) -> list[Going]:
        """Those that go on of some that have come to a rung.

        Args:
            epochs: The rung.
            scores: What each has reached; −∞ if it diverged, with which none goes on.
        """
        seen = self.seen.setdefault(epochs, {})
        seen |= scores
        most = max(1, len(seen) // self.factor)
        least = sorted(seen.values(), reverse=True)[most - 1]
        return [member for member, score in scores.items() if score >= least and math.isfinite(score)]

    def remember(self, candidate: int, curve: Sequence[float]) -> None:
        """Notes a candidate of an earlier process, by its number and its curve of the objective."""
        for epochs in self.after:
            if len(curve) >= epochs:
                self.seen.setdefault(epochs, {})[candidate] = best_epoch(np.asarray(curve[:epochs]))[0]
