"""Made-up evidence for and against each claim of the lab, one module a claim, named as its file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kohort.lab.evidence import Measured

SEEDS = 20


def made(values: Mapping[str, Any], points: Any = None, spread: float = 0.01) -> Measured:
    """A quantity whose seeds scatter a little around what is given.

    Args:
        values: Condition -> its mean; of a curve one number a point.
        points: Where a curve is measured.
        spread: The standard deviation over seeds, as a share of the value; 0 for what is 0 or 1.
    """
    generator = np.random.default_rng(0)
    own = {}
    for condition, mean in values.items():
        exact = np.broadcast_to(np.asarray(mean, np.float64), (SEEDS, *np.shape(mean)))
        own[condition] = exact * (1.0 + spread * generator.standard_normal(exact.shape))
    return Measured(own, points)
