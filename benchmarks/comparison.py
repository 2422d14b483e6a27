"""The textbook's comparison, 4 recipes × 20 seeds × 50 epochs on digits, against loops over `fit`.

Last result (2026-11-25; keras 3.15.1, jax 0.10.1, Python 3.11.7, 2 cores; 3 rounds, medians):
kohort 12.4 s, of which start-up 7.0 s; (a) 161 s, 13.2 times as long (12.9–13.5); (c) 69 s, 5.6 times (5.5–5.7).
Without diagnostics, and before they were there: 11.8 s, 13.7 times (13.5–14.1) and 6.1 times (6.1–6.3).

Three jobs, each in a process of its own, in turn, several times; the median of the ratios counts. Imports are not
timed, everything else is: building, compiling, training, validation after each epoch, accuracy on the test rows.

kohort   `kohort.Study(...).run()`: all 80 runs, cold.
start    the same with one epoch: nearly all of it is building, compiling and testing.
(a)      for each run: set_random_seed, build, compile, fit, predict. Timed on the first SEEDS seeds of each recipe;
         the first seed's share (it warms Keras up) counts once, the others' stands for the other 19.
(c)      one compiled model per recipe; for each seed weights and optimiser are reset and `fit` is called again.
         Timed likewise.

python benchmarks/comparison.py [--repeats 3] [--seeds 3]
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
from pathlib import Path

RECIPES = ["none", "l2", "dropout", "batchnorm"]
EPOCHS, BATCH, SEEDS = 50, 32, 20
JOBS = ("kohort", "start", "a", "c")
RESULTS = Path(__file__).parent / "results" / "comparison.json"


def kohort_study(epochs: int) -> float:
    import kohort
    import kohort.study

    data = kohort.data.named("digits")
    started = time.perf_counter()
    kohort.Study(RECIPES, data, seeds=SEEDS, epochs=epochs, batch_size=BATCH).run(verbose=0)
    return time.perf_counter() - started


def loop(seeds: int, reuse: bool) -> float:
    """Seconds that a loop over `fit` takes for 20 seeds, from the first few."""
    os.environ["KERAS_BACKEND"] = "jax"  # and nothing else of Kohort's: the peer keeps JAX's own devices
    import keras
    import numpy as np

    from kohort.data import named, split
    from kohort.recipes.compose import recipes_for
    from kohort.recipes.design import Problem

    data = named("digits")
    parts = [split(data, seed, BATCH) for seed in range(seeds)]
    problem = Problem((64,), 10, "multiclass", len(parts[0].train) // BATCH, EPOCHS)
    builders = {recipe.name: recipe.build for recipe in recipes_for(RECIPES, problem)}

    def train(model: keras.Model, part) -> None:
        rows, held_out = part.train, part.validation
        options = {"validation_data": (data.x[held_out], data.y[held_out]), "epochs": EPOCHS, "batch_size": BATCH}
        model.fit(data.x[rows], data.y[rows], verbose=0, **options)
        model.predict(data.x[part.test], batch_size=len(part.test), verbose=0)

    first = others = 0.0
    models, states = {}, {}
    for index, part in enumerate(parts):
        started = time.perf_counter()
        for name, build in builders.items():
            keras.utils.set_random_seed(index)
            if reuse and name in models:
                model = models[name]
                for variable, value in zip(model.variables + model.optimizer.variables, states[name], strict=True):
                    variable.assign(value)
            else:
                model = build()
                if reuse:
                    model.optimizer.build(model.trainable_variables)
                    held = model.variables + model.optimizer.variables
                    models[name], states[name] = model, [np.array(variable.value) for variable in held]
            train(model, part)
        seconds = time.perf_counter() - started
        first, others = (seconds, others) if index == 0 else (first, others + seconds)
    return first + others / (seeds - 1) * (SEEDS - 1)


def in_a_process(job: str, seeds: int) -> float:
    environment = {key: value for key, value in os.environ.items() if key not in {"KERAS_BACKEND", "XLA_FLAGS"}}
    command = [sys.executable, __file__, "--job", job, "--seeds", str(seeds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each recipe that a loop is timed on")
    parser.add_argument("--job", choices=JOBS)
    options = parser.parse_args()
    if options.job:
        if options.job in ("kohort", "start"):
            print(kohort_study(EPOCHS if options.job == "kohort" else 1))
        else:
            print(loop(options.seeds, reuse=options.job == "c"))
        return
    rounds = []
    for _ in range(options.repeats):
        rounds.append({job: in_a_process(job, options.seeds) for job in JOBS})
        print({job: round(seconds, 1) for job, seconds in rounds[-1].items()}, flush=True)
    ratios = {job: sorted(r[job] / r["kohort"] for r in rounds) for job in ("a", "c")}
    from importlib.metadata import version

    result = {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in ("kohort", "keras", "jax", "jaxlib", "numpy")},
        "python": platform.python_version(),
        "repeats": options.repeats,
        "seeds timed of each loop": options.seeds,
        "seconds": {job: [round(r[job], 2) for r in rounds] for job in JOBS},
        "times faster than": {
            job: {"median": round(statistics.median(v), 1), "min": round(v[0], 1), "max": round(v[-1], 1)}
            for job, v in ratios.items()
        },
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result["times faster than"], indent=2))


if __name__ == "__main__":
    main()
