"""How often something happened in many studies, with Clopper–Pearson bounds, kept as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.provenance import provenance
from kohort.statistics import mean_interval

RESULTS = Path(__file__).parents[1] / "results" / "statistics"


def record(
    name: str, studies: int, seconds: float, counted: Mapping[str, Sequence[float]], **facts: Any
) -> dict[str, Any]:
    """Writes what came of the studies of a scenario: 0 and 1 become a rate, other values a mean, with 95 % bounds."""
    rates = {}
    for what, values in counted.items():
        n, total = len(values), float(np.sum(values))
        if set(values) <= {0, 1}:
            hits = int(total)
            low = float(stats.beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
            high = float(stats.beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
            rates[what] = {"rate": hits / n, "low": low, "high": high, "hits": hits, "n": n}
        else:
            interval = mean_interval(values)
            rates[what] = {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": n}
    result = {
        "scenario": name,
        "studies": studies,
        **provenance(),
        "seconds": round(seconds, 1),
        **facts,
        "rates": rates,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def shown(result: dict[str, Any]) -> str:
    """A scenario's rates, a line each."""
    lines = [f"{result['scenario']}: {result['studies']} studies, {result['seconds']} s"]
    for what, rate in result["rates"].items():
        value = rate.get("rate", rate.get("mean"))
        lines.append(f"  {what:42} {value:7.4f}  ({rate['low']:.4f} to {rate['high']:.4f}, n = {rate['n']})")
    return "\n".join(lines)
