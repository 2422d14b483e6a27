"""How long a verdict takes, and how much memory: 20 recipes × 50 seeds × 5,000 test rows, 10,000 resamples.

python -m benchmarks.statistics.speed
"""

import json
import os
import resource
import time
from pathlib import Path

import numpy as np

from benchmarks.provenance import provenance
from benchmarks.statistics.world import World
from kohort.statistics import judge
from kohort.statistics.population import product_weight_draws

RESULTS = Path(__file__).parents[1] / "results" / "statistics" / "speed.json"
RECIPES, SEEDS, ROWS, RESAMPLES = 20, 50, 5_000, 10_000


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    world = World((0.85,) * RECIPES, taste=0.3)
    generator = np.random.default_rng(0)
    parts = [world.draw(SEEDS, ROWS, generator)[0] for _ in range(1)]
    table = parts[0]
    assert table.rows is not None
    table_mib, before = table.rows.nbytes / 2**20, peak_mib()
    begun = time.perf_counter()
    product_weight_draws(table.rows, RESAMPLES, np.random.default_rng(0))
    bootstrap = time.perf_counter() - begun
    begun = time.perf_counter()
    judge(table, "recipe 0", resamples=RESAMPLES)
    result = {
        "recipes": RECIPES,
        "seeds": SEEDS,
        "rows": ROWS,
        "resamples": RESAMPLES,
        "bootstrap_seconds": round(bootstrap, 2),
        "judge_seconds": round(time.perf_counter() - begun, 2),
        "table_mib": round(table_mib, 1),
        "peak_mib_before": round(before, 1),
        "peak_mib": round(peak_mib(), 1),
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        **provenance(),
    }
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
