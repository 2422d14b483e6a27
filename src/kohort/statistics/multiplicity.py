"""Many comparisons at once: the chance that any of them errs is held, not that of each.

Single-step max-|T| (Westfall & Young 1993, chapter 2): the largest |T| under "no recipe differs" is resampled jointly,
one draw of weights shared by all recipes. Since differences have degrees of freedom of their own, |T| is read on
the scale of its p, where the largest |T| is the smallest p (Westfall & Young's min-P; Beran 1988 calls such
simultaneous intervals balanced).
"""

import numpy as np

from kohort.statistics.estimates import Estimates


def nominal_level(estimates: Estimates, alpha: float, generator: np.random.Generator) -> float:
    """With which probability each interval may err on its own so that any errs with probability `alpha`.

    Args:
        estimates: The differences.
        alpha: The family-wise rate, in (0, 1).
        generator: For the resampled denominators.

    Returns:
        The α-quantile of the smallest p, at rank α (resamples + 1), which errs with probability α on average over
        draws (Weibull 1939); `alpha` itself for a single difference.
    """
    if len(estimates.estimate) == 1 or not np.isfinite(estimates.standard_error).all():
        return alpha
    smallest = estimates.null_p(generator).min(axis=1)
    return float(np.quantile(smallest, alpha, method="weibull"))


def adjusted_p(estimates: Estimates, generator: np.random.Generator) -> np.ndarray:
    """The family-wise rate at which each difference would just be called, of shape (contrasts,).

    (1 + #{smallest p drawn ≤ p}) / (1 + resamples) (Phipson & Smyth 2010: a resampled p is never 0); the p itself
    for a single difference.
    """
    p = estimates.p()
    if len(p) == 1 or not np.isfinite(p).all():
        return p
    smallest = np.sort(estimates.null_p(generator).min(axis=1))
    return (1.0 + np.searchsorted(smallest, p, side="right")) / (1.0 + len(smallest))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p: max over the smaller ones of (number not smaller) × p, at most 1 (Holm 1979).

    It needs nothing of how the comparisons go together, and pays for that.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * np.asarray(p)[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
