"""What other layouts would have taken: one device or all, one member after another or several at once.

python -m benchmarks.plans [--data FOLDER]

Each network trains with the layout that Kohort chooses by itself, with the one that it measures to be fastest where
that is asked for (`at_once="fastest"`), and with others, in turn in one process, programs compiled and layouts measured
before; the least of seven rounds counts. Ratios are to the fastest. Told is also which layout was measured to be
fastest, and how long that took with all that it compiled.
"""

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import kohort
from benchmarks.provenance import provenance
from benchmarks.speed.networks import builder
from benchmarks.speed.tasks import TASKS, Network, load

RESULTS = Path(__file__).parent / "results" / "plans.json"
ROUNDS = 7  # after one that compiles
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
    "measured": {"at_once": "fastest"},
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
    measured: dict[str, dict[str, Any]] = {}
    for name, (task, network, batch, seeds, epochs) in CASES.items():
        if task.startswith("mnist") and options.data is None:
            continue
        data = load(TASKS[task], options.data)
        x, y = data["x"][:12_800], data["y"][:12_800]
        layouts = {k: v for k, v in LAYOUTS.items() if not (network.filters and "at_once" in v)}
        seconds: dict[str, list[float]] = {}  # by layout in words, since two ways of asking may give the same
        words: dict[str, str] = {}
        how: Any = {"seeds": seeds, "epochs": epochs, "batch_size": batch, "verbose": 0}
        with TemporaryDirectory() as cache:  # nothing is known of this machine
            os.environ["XDG_CACHE_HOME"] = cache
            for number in range(1 + ROUNDS):
                for layout, given in layouts.items():
                    started = time.perf_counter()
                    runs = kohort.fit(builder(network), x, y, **how, **given)
                    took = time.perf_counter() - started
                    plan = next(iter(runs.values())).plan
                    words[layout] = plan.split(" (")[0]
                    if number:
                        seconds.setdefault(words[layout], []).append(took)
                    elif layout == "measured":
                        measured[name] = {"layout": plan.split(";")[0], "seconds, once": round(took, 2)}
        least = {layout: min(seconds[own]) for layout, own in words.items()}
        fastest = min(least.values())
        result[name] = {layout: round(value / fastest, 2) for layout, value in least.items()}
        print(name, result[name], measured.get(name, ""), flush=True)
    told = provenance() | {"times as long as the fastest": result, "measured to be fastest": measured}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
