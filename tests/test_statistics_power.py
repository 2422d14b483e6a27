"""What would settle it: the number found is enough, one less is not."""

import math

import numpy as np
import pytest
from scipy import stats

from kohort.statistics import Components
from kohort.statistics.power import needed_half_width, settlement, settling_seeds


@pytest.mark.parametrize(
    ("estimate", "needed"), [(0.01, 0.01), (-0.01, 0.01), (0.001, 0.004), (-0.001, 0.004), (0.0, 0.005), (0.003, 0.003)]
)
def test_what_is_needed(estimate: float, needed: float) -> None:
    assert needed_half_width(estimate, 0.005) == pytest.approx(needed, abs=1e-15)


def half(components: Components, seeds: float, rows: float, alpha: float) -> float:
    variance = components.seed / seeds + components.row / rows + components.interaction / seeds / rows
    return float(stats.t.ppf(1 - alpha / 2, components.df(seeds, rows)) * math.sqrt(variance))


def test_enough_is_enough_and_one_less_is_not() -> None:
    components = Components(0.0004, 0.02, 0.05)
    own = settlement(0.01, 0.005, components, 8, 2_000, 0.02)
    assert own.seeds is not None
    assert half(components, 8 + own.seeds, 2_000, 0.02) < 0.01 <= half(components, 7 + own.seeds, 2_000, 0.02)


def test_rows_where_seeds_cannot() -> None:
    components = Components(0.00001, 0.08, 0.05)
    own = settlement(0.003, 0.005, components, 20, 1_000, 0.05)
    assert own.seeds is None
    assert own.rows is not None
    assert half(components, 20, 1_000 + own.rows, 0.05) < 0.003 <= half(components, 20, 999 + own.rows, 0.05)


def test_neither_alone() -> None:
    own = settlement(0.001, 0.002, Components(0.01, 0.5, 0.1), 6, 200, 0.05)
    assert (own.seeds, own.rows) == (None, None)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_seeds_for_the_paired_interval(share: float) -> None:
    own = settling_seeds(0.011, 0.005, 0.0009, 6, 0.05, test_to_train=share)
    if not share:
        assert own == settling_seeds(0.011, 0.005, 0.0009, 6, 0.05)
    if share:
        assert own is None  # 2 · √(0.0009 · 0.1) = 0.019
        return
    assert own is not None

    def width(n: int) -> float:
        return float(stats.t.ppf(0.975, n - 1) * np.sqrt(0.0009 * (1 / n + share)))

    assert width(6 + own) < 0.011 <= width(5 + own)


def test_a_small_share_delays_but_does_not_forbid() -> None:
    plain, wide = (settling_seeds(0.011, 0.005, 0.0009, 6, 0.05, test_to_train=s) for s in (0.0, 0.01))
    assert plain is not None
    assert wide is not None
    assert wide > plain


def test_where_no_row_differs_only_more_rows_can_tell() -> None:
    """The bound for none of n rows is 1 − (α/2)^(1/n)."""
    own = settlement(0.0, 0.005, Components(0.0, 0.0, 0.0), 6, 80, 0.05, discordant=0)
    needed = math.log(0.025) / math.log(1 - 0.005)
    assert own.seeds is None
    assert own.rows == math.ceil(needed) - 80


def test_few_discordant_rows_bound_what_more_seeds_could_tell() -> None:
    components = Components(0.0001, 0.01, 0.02)
    many = settlement(0.02, 0.005, components, 6, 400, 0.05)
    few = settlement(0.02, 0.005, components, 6, 400, 0.05, discordant=3)
    assert many.seeds is not None
    bound = float(stats.beta.ppf(0.975, 4, 397))
    assert (few.seeds is None) == (bound >= 0.02)
    scarce = settlement(0.02, 0.005, components, 6, 100, 0.05, discordant=3)  # 8 % of the population may differ
    assert scarce.seeds is None
    assert scarce.rows is not None
