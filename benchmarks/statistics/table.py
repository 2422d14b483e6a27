"""Writes the tables of docs/statistics.md from the committed results.

python -m benchmarks.statistics.table
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "statistics"
PAGE = ROOT / "docs" / "statistics.md"
BEGIN, END = "<!-- results -->\n", "<!-- /results -->"


def result(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rates"]


def rate(rates: dict[str, Any], what: str) -> str:
    """A rate in per cent with its bounds."""
    found = rates[what]
    return f"{100 * found['rate']:.1f} ({100 * found['low']:.1f} to {100 * found['high']:.1f})"


def power(rates: dict[str, Any], effect: str) -> str:
    return f"{100 * rates[f'effect {effect}: helps']['rate']:.0f}"


def section() -> str:
    lines = ["**Nothing differs** (copies of the baseline): studies with a false alarm at 5 %, in per cent.", ""]
    lines += [
        "| recipes | seeds | P, max-T | P, Holm | S, sign flips | S, interval |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("P_adjusted_p_below_0.05", "P_holm_below_0.05", "S_adjusted_p_below_0.05", "S_interval_without_0")
    for recipes in (4, 20):
        for seeds in (6, 20):
            own = result(f"aa_{recipes}_recipes_{seeds}_seeds")
            lines.append(f"| {recipes} | {seeds} | " + " | ".join(rate(own, c) for c in columns) + " |")
    own = result("equal_learners")
    lines += [
        "",
        "**Different learners of equal population score** (three against the baseline, 20 seeds, 500 test rows): data "
        "sets in which any is said to differ, in per cent.",
        "",
        "| P | S, sign flips | t test over seeds, each at 5 % | the naive pick is not the baseline |",
        "| --- | --- | --- | --- |",
        f"| {rate(own, 'P_interval_without_0')} | {rate(own, 'S_adjusted_p_below_0.05')} | "
        f"{rate(own, 'naive_t_over_seeds')} | {rate(own, 'naive_pick_is_not_the_baseline')} |",
        "",
        f"The naive pick (one seed, best of ten epochs on 500 validation rows) promises "
        f"{100 * own['naive_optimism']['mean']:.1f} points more than it has.",
        "",
        "**Planted effects** of 0, 1, 2 and 4 points, four recipes, 1,000 test rows: coverage in per cent, and how "
        "often each effect is found to help.",
        "",
        "| what varies | seeds | P, all four | P, each | S, all four | S, each | finds 1 point | 2 | 4 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("P_simultaneous_coverage", "P_coverage_each", "S_simultaneous_coverage", "S_coverage_each")
    for kind in ("seeds", "rows", "mixed"):
        for seeds in (6, 10, 20):
            own = result(f"planted_{kind}_{seeds}_seeds")
            found = " | ".join(power(own, effect) for effect in ("0.01", "0.02", "0.04"))
            lines.append(f"| {kind} | {seeds} | " + " | ".join(rate(own, c) for c in columns) + f" | {found} |")
    lines += [
        "",
        "**Seeds until settled**, up to 40: coverage of all intervals in per cent; `aa` has no effects, `clear` 3 and "
        "5 points and two recipes.",
        "",
        "| | P, at every look | P, at stopping | S, at every look | seeds at stopping | all settled |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    columns = ("P_coverage_at_every_look", "P_coverage_at_stopping", "S_coverage_at_every_look")
    for kind in ("aa", "seeds", "rows", "mixed", "clear"):
        own = result(f"auto_{kind}")
        cells = [*(rate(own, c) for c in columns), f"{own['seeds_at_stopping']['mean']:.1f}"]
        lines.append(f"| {kind} | " + " | ".join(cells) + f" | {rate(own, 'all_settled_at_stopping')} |")
    own = result("trained_aa")
    lines += [
        "",
        "**Networks that were really trained**: 400 pairs, each on data of its own, both arms the same recipe, 10 "
        "seeds an arm, 184 test rows; shared splits, training seeds of their own. How often a difference is seen, in "
        "per cent "
        "(`python -m benchmarks.statistics.trained`).",
        "",
        "| P | S, sign flips | S, interval | best epoch of one seed, by half a point |",
        "| --- | --- | --- | --- |",
        f"| {rate(own, 'P_interval_without_0')} | {rate(own, 'S_sign_flip_p_below_0.05')} | "
        f"{rate(own, 'S_interval_without_0')} | {rate(own, 'best_epoch_of_one_seed_differs_by_half_a_point')} |",
    ]
    speed = json.loads((RESULTS / "speed.json").read_text(encoding="utf-8"))
    lines += [
        "",
        f"**Speed**: {speed['resamples']:,} resamples of {speed['recipes']} recipes × {speed['seeds']} seeds × "
        f"{speed['rows']:,} rows take {speed['bootstrap_seconds']} s and the whole verdict {speed['judge_seconds']} s "
        f"on one core, with {speed['peak_mib']:.0f} MiB at the most, of which {speed['table_mib']:.0f} are the table "
        "(`python -m benchmarks.statistics.speed`).",
        "",
    ]
    return "\n".join(lines)


def page() -> str:
    """The page with its tables made anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + section() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
