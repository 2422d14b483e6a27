"""Estimated differences with what is known of their joint error; both estimands end in these."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

FEW_ROWS = 5  # below five discordant rows a normal approximation of counts is not to be had (Cochran 1954)


def few_rows_bound(discordant: Any, rows: Any, alpha: float) -> Any:
    """The largest share of the population on which two recipes may differ that differ on few of the test rows.

    The upper Clopper–Pearson bound, which errs with probability alpha / 2.

    Args:
        discordant: On how many test rows they differ; a fraction where that is expected of rows to come.
        rows: How many test rows there are.
        alpha: Twice the probability with which it errs.
    """
    return stats.beta.ppf(1.0 - alpha / 2.0, discordant + 1, np.maximum(rows - discordant, 1))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Differences between recipes, each estimate being Student-like on its own.

    estimate / standard_error is taken for Student's t with `df` degrees of freedom, which need not be whole; `draws`
    says how the estimates go together.

    Attributes:
        estimate: Of shape (contrasts,).
        standard_error: Of shape (contrasts,); 0 where nothing varies, NaN where one seed tells nothing.
        df: Degrees of freedom, of shape (contrasts,).
        draws: Resampled errors on the scale of a standard normal variable, of shape (resamples, contrasts).
        discordant: On how many test rows the two recipes ever differ, of shape (contrasts,), where outcomes are 0
            or 1 and there are fewer than `FEW_ROWS`; `FEW_ROWS` elsewhere.
        rows: How many test rows there are; 0 where they play no part.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    df: np.ndarray
    draws: np.ndarray
    discordant: np.ndarray
    rows: int = 0

    def p(self) -> np.ndarray:
        """Two-sided p of each difference on its own, of shape (contrasts,).

        With m < 5 discordant rows it is not below 2^(1 − m), the least that a sign test on them gives.
        """
        size = np.abs(self.estimate)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where((size == 0) & (self.standard_error == 0), 0.0, size / self.standard_error)
        p = 2.0 * special.stdtr(self.df, -t)
        return np.where(self.discordant < FEW_ROWS, np.maximum(p, np.minimum(1.0, 2.0 ** (1.0 - self.discordant))), p)

    def half_widths(self, alpha: float) -> np.ndarray:
        """Half the width of each interval that errs with probability `alpha` on its own, of shape (contrasts,).

        t · standard error; and with m < 5 discordant rows at least the Clopper–Pearson bound for the share of such
        rows in the population: that no row of 100 differs does not show that none of 30,000 would (the rule of
        three; Hanley & Lippman-Hand 1983).
        """
        half = special.stdtrit(self.df, 1.0 - alpha / 2.0) * self.standard_error
        few = self.discordant < FEW_ROWS
        if few.any():
            half = np.where(few, np.maximum(half, few_rows_bound(self.discordant, self.rows, alpha)), half)
        return half

    def null_p(self, generator: np.random.Generator) -> np.ndarray:
        """What `p` would be if no recipe differed, jointly: of shape (resamples, contrasts).

        Each draw is divided by a √(χ²/df) of its own. That the denominators are independent is a choice: they are
        not known to go together, heavy tails that do not go together make the largest of many |T| larger, and
        with 6 seeds and 19 comparisons it held the family-wise rate at 5 % where normal dependence between
        Student margins gave 9 % (docs/statistics.md).
        """
        chi = generator.chisquare(self.df, self.draws.shape) / self.df
        return 2.0 * special.stdtr(self.df, -np.abs(self.draws) / np.sqrt(chi))
