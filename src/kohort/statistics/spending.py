"""Looking several times: how much of the error rate each look may spend.

Alpha spending (Lan & DeMets 1983). Seeds come in rounds, and after each the same differences are looked at with more
seeds. Of the family-wise rate α, α t² has been spent when a share t of the budget of seeds has (Kim & DeMets 1987 with
ρ = 2: with 6 seeds an interval is wide whatever its level, so little is spent there and the last look keeps three
quarters). t is calendar time, as Lan & DeMets (1989) allow, since the information at the end is not known beforehand.
That rows stay the same while seeds are added does no harm: Cov(θ̂_J, θ̂_J') = Var(θ̂_J') for J < J', so that with
information 1 / Var the usual joint distribution of looks holds (Jennison & Turnbull 2000, chapter 3). It is drawn
here for all recipes at once.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from kohort.statistics.estimates import Estimates

REPEATS = 5  # each draw serves so often, in other orders and with other denominators: a look may spend 0.1 % only
SCHEDULE = (6, 10, 20, 40)  # from the fewest seeds that allow a verdict; later looks cost little, so they double


@dataclass(frozen=True)
class Looks:
    """A schedule of looks, and how much the looks taken have used.

    Attributes:
        seeds: How many seeds each look has, increasing; the last is the budget.
        nominal: For each look taken, the probability with which each of its intervals errs on its own.
    """

    seeds: tuple[int, ...] = SCHEDULE
    nominal: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.seeds or self.seeds[0] < 2 or any(b <= a for a, b in zip(self.seeds, self.seeds[1:], strict=False)):
            raise ValueError(f"looks must be at 2 seeds or more, increasing, like {SCHEDULE}. Got {self.seeds}.")

    @classmethod
    def upto(cls, budget: int) -> "Looks":
        """The schedule 6, 10, 20, 40, 80, … cut at a budget of seeds, which is its last look.

        >>> Looks.upto(50).seeds
        (6, 10, 20, 40, 50)
        """
        seeds: list[int] = list(SCHEDULE)
        while seeds[-1] < budget:
            seeds.append(2 * seeds[-1])
        return cls((*(n for n in seeds if n < budget), budget))

    @property
    def now(self) -> int:
        """How many seeds the look that is due has."""
        if len(self.nominal) >= len(self.seeds):
            raise ValueError(f"the last look, at {self.seeds[-1]} seeds, has been taken. Begin with a larger budget.")
        return self.seeds[len(self.nominal)]

    def spent(self, alpha: float, look: int) -> float:
        """The error rate spent when look number `look` (from 0) has been taken: α · (its share of the budget)²."""
        return alpha * (self.seeds[look] / self.seeds[-1]) ** 2 if look >= 0 else 0.0

    def left_for_last(self, alpha: float) -> float:
        """The error rate that the last look of the schedule may spend."""
        return alpha - self.spent(alpha, len(self.seeds) - 2)

    def taken(self, nominal: float) -> "Looks":
        """The same schedule with one more look taken."""
        return replace(self, nominal=(*self.nominal, nominal))


@dataclass(frozen=True, eq=False)
class LookDraws:
    """What the look that is due would see if no recipe differed.

    Attributes:
        smallest: The smallest p, of shape (REPEATS · resamples,); above 1 where an earlier look called a difference.
        before: The share of resamples in which one had.
    """

    smallest: np.ndarray
    before: float


def look_draws(
    looks: Looks, estimates: Estimates, information: np.ndarray, df: np.ndarray, generator: np.random.Generator
) -> LookDraws:
    """Draws the statistics of all looks so far, jointly, under "no recipe differs".

    Z at look l = Σ_{m ≤ l} √(I_m − I_{m−1}) ξ_m / √I_l, with ξ_m the estimates' draws, in another order at each look.

    Args:
        looks: The schedule; the last of `information` is the look that is due.
        estimates: The differences as seen now, whose draws tell how recipes go together.
        information: 1 / variance of each difference at each look up to now, of shape (looks, contrasts).
        df: Degrees of freedom of the same, of the same shape.
        generator: Draws the orders and the denominators.
    """
    draws = np.tile(estimates.draws, (REPEATS, 1))
    alive = np.ones(len(draws), dtype=bool)
    path = np.zeros_like(draws)
    gained = np.diff(information, axis=0, prepend=0.0)
    smallest = np.ones(len(draws))
    for look, (step, total, freedom) in enumerate(zip(gained, information, df, strict=True)):
        path += np.sqrt(np.maximum(step, 0.0)) * draws[generator.permutation(len(draws))]
        chi = np.sqrt(generator.chisquare(freedom, path.shape) / freedom)
        smallest = (2.0 * special.stdtr(freedom, -np.abs(path) / (np.sqrt(total) * chi))).min(axis=1)
        if look < len(information) - 1:
            alive &= smallest > looks.nominal[look]
    return LookDraws(np.where(alive, smallest, 2.0), float(1.0 - alive.mean()))
