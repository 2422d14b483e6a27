"""What other layouts would have taken: one device or all, one member after another or several at once.

python -m benchmarks.plans [--data FOLDER]

Each network trains with the layout that Kohort chooses and with others, in turn in one process, programs compiled
before; the least of three counts. Ratios are to the fastest.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import kohort
from benchmarks.provenance import provenance
from benchmarks.speed.networks import builder
from benchmarks.speed.tasks import TASKS, Network, load

RESULTS = Path(__file__).parent / "results" / "plans.json"
CASES = {  # name: (whose data, network, batch, seeds, epochs)
    "64-8-10, batch 8": ("digits-mlp", Network((64,), 10, (8,)), 8, 40, 4),
    "64-16-10": ("digits-mlp", Network((64,), 10, (16,)), 32, 40, 20),
    "64-32-10": ("digits-mlp", Network((64,), 10, (32,)), 32, 40, 20),
    "64-128-64-10": ("digits-mlp", TASKS["digits-mlp"].recipes["none"], 32, 20, 20),
    "64-128-64-10, dropout": ("digits-mlp", TASKS["digits-mlp"].recipes["dropout"], 32, 20, 20),
    "64-128-64-10, batchnorm": ("digits-mlp", TASKS["digits-mlp"].recipes["batchnorm"], 32, 20, 20),
    "40-25-25-25 (Conv1D)": ("mnist1d-cnn", TASKS["mnist1d-cnn"].recipes["none"], 100, 4, 5),
    "784-512-256-10": ("mnist-mlp", TASKS["mnist-mlp"].recipes["none"], 128, 4, 1),
}
LAYOUTS: dict[str, dict[str, Any]] = {
    "chosen": {},
    "one device": {"devices": 1},
    "4 at once": {"at_once": 4},
    "8 at once": {"at_once": 8},
    "all at once": {"at_once": 1000},
    "one device, all at once": {"devices": 1, "at_once": 1000},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    for name, (task, network, batch, seeds, epochs) in CASES.items():
        if task.startswith("mnist-") and options.data is None:
            continue
        data = load(TASKS[task], options.data)
        x, y = data["x"][:12_800], data["y"][:12_800]
        layouts = {k: v for k, v in LAYOUTS.items() if not (network.filters and "at_once" in v)}
        seconds: dict[str, list[float]] = {layout: [] for layout in layouts}
        for _ in range(4):  # the first compiles
            for layout, given in layouts.items():
                started = time.perf_counter()
                kohort.fit(builder(network), x, y, seeds=seeds, epochs=epochs, batch_size=batch, verbose=0, **given)
                seconds[layout].append(time.perf_counter() - started)
        least = {layout: min(values[1:]) for layout, values in seconds.items()}
        fastest = min(least.values())
        result[name] = {layout: round(value / fastest, 2) for layout, value in least.items()}
        print(name, result[name], flush=True)
    told = provenance() | {"times as long as the fastest": result}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
