"""The page on statistics shows the committed results of the simulations, and these keep what the page promises."""

import pytest

from benchmarks.statistics.table import PAGE, page, result


def test_the_tables_are_those_of_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.statistics.table"


@pytest.mark.parametrize("scenario", [f"aa_{k}_recipes_{n}_seeds" for k in (4, 20) for n in (6, 20)])
def test_false_alarms_stay_below_eight_per_cent(scenario: str) -> None:
    for what in ("P_adjusted_p_below_0.05", "P_interval_without_0", "S_adjusted_p_below_0.05", "S_interval_without_0"):
        own = result(scenario)[what]
        assert own["n"] >= 2_000
        assert own["high"] <= 0.08


@pytest.mark.parametrize(
    "scenario", [f"planted_{w}_{n}_seeds" for w in ("seeds", "rows", "mixed") for n in (6, 10, 20)]
)
def test_intervals_cover(scenario: str) -> None:
    for what in ("P_simultaneous_coverage", "P_coverage_each", "S_simultaneous_coverage", "S_coverage_each"):
        assert 0.93 <= result(scenario)[what]["rate"] <= 0.97
