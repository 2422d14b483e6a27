"""What early stopping saves: 40 members that stop at their own epochs, against all epochs and against `fit`.

Digits, MLP 64-128-64-10, batch 32, none and dropout × 20 seeds, up to 200 epochs, `EarlyStopping(patience=5,
restore_best_weights=True)`. Three jobs in turn, several times, each cold in a process of its own (imports apart):

stopping  `kohort.fit` with the callback
all       `kohort.fit` without it
fit       build, compile and `fit` with the callback, on the first seeds; the rest is their mean

python benchmarks/early_stopping.py [--repeats 3] [--seeds 3]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

EPOCHS, SEEDS = 200, 20
RECIPES: dict[str, dict[str, Any]] = {"none": {"l2": 0.0}, "dropout": {"dropout": 0.3}}
RESULTS = Path(__file__).parent / "results" / "early_stopping.json"


def job(name: str, seeds: int) -> dict[str, float]:
    if name == "fit":
        os.environ["KERAS_BACKEND"] = "jax"  # and nothing else of Kohort's: the peer keeps JAX's own devices
    else:
        import kohort
    import keras

    from kohort.data import named
    from kohort.recipes.networks import mlp

    data = named("digits")
    options: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 32, "validation_split": 0.2, "verbose": 0}

    def stop() -> list[Any]:
        return [keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)] if name != "all" else []

    started = time.perf_counter()
    if name == "fit":
        trained = 0
        times = []
        for own in RECIPES.values():
            for seed in range(seeds):
                begun = time.perf_counter()
                keras.utils.set_random_seed(seed)
                model = mlp((64,), 10, **own)
                trained += len(model.fit(data.x, data.y, callbacks=stop(), **options).epoch)
                times.append(time.perf_counter() - begun)
        return {
            "seconds": statistics.mean(times) * len(RECIPES) * SEEDS,
            "epochs": trained / len(times) * len(RECIPES) * SEEDS,
        }
    recipes = {recipe: (lambda own=own: mlp((64,), 10, **own)) for recipe, own in RECIPES.items()}
    runs = kohort.fit(recipes, data.x, data.y, seeds=SEEDS, callbacks=stop() or None, **options)
    return {"seconds": time.perf_counter() - started, "epochs": runs.epochs_trained}


def main() -> None:
    """Runs all jobs in turn, or one of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--job", choices=["stopping", "all", "fit"])
    asked = parser.parse_args()
    if asked.job:
        print(json.dumps(job(asked.job, asked.seeds)))
        return
    found: dict[str, list[dict[str, float]]] = {"stopping": [], "all": [], "fit": []}
    for _ in range(asked.repeats):
        for name, results in found.items():
            command = [sys.executable, __file__, "--job", name, "--seeds", str(asked.seeds)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(name, results[-1], flush=True)
    seconds = {name: [result["seconds"] for result in results] for name, results in found.items()}
    told = {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores",
        "versions": {name: metadata.version(name) for name in ("kohort", "keras", "jax")},
        "repeats": asked.repeats,
        "fits_timed": asked.seeds * len(RECIPES),
        "seconds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "epochs": {name: results[0]["epochs"] for name, results in found.items()},
        "ratio_all": statistics.median(a / s for a, s in zip(seconds["all"], seconds["stopping"], strict=True)),
        "ratio_fit": statistics.median(f / s for f, s in zip(seconds["fit"], seconds["stopping"], strict=True)),
    }
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
