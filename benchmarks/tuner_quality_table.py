"""The table of `benchmarks.tuner_quality`, from its results."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from kohort.statistics.intervals import mean_interval

SETS = ("credit_g", "kc1", "blood_transfusion", "car", "kr_vs_kp", "adult", "shuttle")
RESULTS = Path(__file__).parent / "results" / "tuner_quality"


def ranks(scores: Mapping[str, Mapping[str, Sequence[float]]], sets: Sequence[str]) -> dict[str, float]:
    """Mean ranks over the sets, of those rows that have all of them; 1 is the best, equal scores share their mean."""
    rows = [row for row, own in scores.items() if all(name in own for name in sets)]
    means = np.array([[np.mean(scores[row][name]) for row in rows] for name in sets]).reshape(len(sets), len(rows))
    return dict(zip(rows, rankdata(-means, axis=1).mean(axis=0), strict=True))


def section(folder: Path = RESULTS) -> str:
    """The table of what there is."""
    results = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    scores: dict[str, dict[str, list[float]]] = {}
    tried: dict[str, list[int]] = {}
    for result in results:
        for row, own in result["scores"].items():
            scores.setdefault(row, {})[result["data"]] = own
            tried.setdefault(row, []).extend([result["search"][row]["candidates"]] if row in result["search"] else [])
    names = [name for name in SETS if any(name in own for own in scores.values())]
    best = {name: f"{100 * max(np.mean(own[name]) for own in scores.values() if name in own):.1f}" for name in names}
    ranked = ranks(scores, names)

    def cell(row: str, name: str) -> str:
        if name not in scores[row]:
            return ""
        own = mean_interval(scores[row][name])
        half = f" ± {100 * (own.high - own.mean):.1f}" if own.n > 1 else ""
        mean = f"{100 * own.mean:.1f}"
        return f"**{mean}**{half}" if mean == best[name] else f"{mean}{half}"

    lines = [f"| | {' | '.join(names)} | rank | candidates |", f"|{' --- |' * (len(names) + 3)}"]
    for row in sorted(scores, key=lambda row: ranked.get(row, np.inf)):
        place = f"{ranked[row]:.1f}" if row in ranked else ""
        count = f"{np.median(tried[row]):.0f}" if tried[row] else ""
        lines.append(f"| {' | '.join([row, *(cell(row, name) for name in names), place, count])} |")
    counts = sorted({len(own) for row in scores.values() for own in row.values()} - {1})
    minutes = sorted({f"{own['minutes']:g}" for own in results})
    of = "" if len(ranked) == len(scores) else f", among the {len(ranked)} that have all"
    lines += [
        "",
        f"Balanced accuracy on test rows in per cent: the mean over {' or '.join(map(str, counts))} seeds ± half its "
        "95 % interval (there is one ensemble, so it has no interval), after "
        f"{' or '.join(minutes)} minutes of search. Rank: the mean over the {len(names)} sets, 1 being the best"
        f"{of}. Candidates: the median over sets.",
        "",
    ]
    return "\n".join(lines)
