"""Runs tasks with their peers in turn, several rounds, and writes a JSON file a task.

Last results, on two cores: the textbook's comparison (digits-mlp, 80 runs of 50 epochs) took Kohort 12.2 s cold, all
compiling included, and 6.0 s warm; the loop that builds, compiles and fits each model 11.9 and 24.2 times as long, the
loop that compiles once and resets 5.8 and 11.0 times (2026-11-25, three rounds, AVX-512). Without AVX-512 it took 27.8
and 12.5 s, the loops 11.7 and 25.7, and 4.9 and 10.1 times as long (2026-11-29, three rounds, `digits-mlp-by-hand`).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.provenance import machine
from benchmarks.speed.job import written
from benchmarks.speed.peers import PEERS, Peer
from benchmarks.speed.tasks import RESULTS, TASKS, Task, load

ROOT = Path(__file__).parents[2]
SAMPLED = 4  # recipes that stand for many in a loop over runs
PACKAGES = ("keras", "jax", "jaxlib", "numpy", "scikit-learn", "torch", "tensorflow", "tensorflow-cpu")


def in_processes(name: str, peer: Peer, task: Task, folder: Path, python: str) -> dict[str, float]:
    """A peer's seconds; several processes share the seeds, and the last one to end counts."""
    own = replace(task, seeds=-(-task.seeds // peer.processes))
    every = -(-len(task.recipes) // SAMPLED) if peer.samples else 1
    own = replace(own, recipes=dict(list(own.recipes.items())[every // 2 :: every]))
    scale = len(task.recipes) / len(own.recipes)
    (folder / "task.json").write_text(written(own), "utf-8")
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in {"KERAS_BACKEND", "XLA_FLAGS", "JAX_NUM_CPU_DEVICES"}
    }
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    command = [python, "-m", "benchmarks.speed.job", name, str(folder)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment, text=True)
        for _ in range(peer.processes)
    ]
    found = []
    for process in started:
        told, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{name} on {task.name} ended with {process.returncode}")
        found.append(json.loads(told.splitlines()[-1]))
    return {kind: scale * max(own[kind] for own in found) for kind in found[0]}


def versions_of(python: str) -> dict[str, str]:
    """What an interpreter has installed of what matters."""
    code = f"import json; from benchmarks.provenance import versions; print(json.dumps(versions({PACKAGES!r})))"
    done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measured(task: Task, names: list[str], pythons: dict[str, str], data: Path | None, rounds: int) -> dict[str, Any]:
    """The result of a task: seconds by peer and round, and ratios to Kohort within each round."""
    seconds: dict[str, dict[str, list[float]]] = {name: {"cold": [], "warm": []} for name in names}
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "data.npz", **load(task, data))
        for turn in range(rounds):
            for name in [name for name in names if turn == 0 or not PEERS[name].once]:
                own = in_processes(name, PEERS[name], task, Path(folder), pythons[PEERS[name].environment])
                for kind, value in own.items():
                    seconds[name][kind].append(round(value, 3))
                print(f"{task.name} round {turn + 1} {name}: {own['cold']:.2f} s, warm {own['warm']:.2f} s", flush=True)
    ratios = {
        name: {
            kind: _spread([other / ours for other, ours in zip(own[kind], seconds["kohort"][kind], strict=False)])
            for kind in own
        }
        for name, own in seconds.items()
        if name != "kohort"
    }
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": {name: versions_of(python) for name, python in pythons.items() if name != "plain"},
        "task": {**asdict(task), "recipes": list(task.recipes) if len(task.recipes) < 10 else len(task.recipes)},
        "rounds": rounds,
        "seconds": seconds,
        "times as long as kohort": ratios,
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[[], *TASKS], help="all by default")
    parser.add_argument("--data", type=Path, help="a folder with adult.npz and mnist.npz")
    parser.add_argument("--peers", help="names from peers.py, separated by semicolons; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", help="a Python interpreter with PyTorch")
    parser.add_argument("--tensorflow", help="a Python interpreter with Keras and TensorFlow")
    parser.add_argument("--result", help="the result's name instead of the task's, so that other peers' stay")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    pythons = {"kohort": sys.executable, "plain": sys.executable}
    pythons |= {name: getattr(options, name) for name in ("torch", "tensorflow") if getattr(options, name)}
    chosen = options.peers.split(";") if options.peers else list(PEERS)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for task in [TASKS[name] for name in options.tasks or TASKS]:
        names = ["kohort", *(name for name in chosen if name != "kohort")]
        names = [name for name in names if PEERS[name].environment in pythons and PEERS[name].applies(task)]
        result = measured(task, names, pythons, options.data, options.rounds)
        if not options.dry:
            (RESULTS / f"{options.result or task.name}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        print(json.dumps(result["times as long as kohort"], indent=1), flush=True)


if __name__ == "__main__":
    main()
