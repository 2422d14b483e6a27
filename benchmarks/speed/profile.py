"""Where a recipe's time goes, beside the least that its products and its weights can take on this machine.

python -m benchmarks.speed.profile TASK [RECIPE] [--data FOLDER] [--epochs 4]

Training alone is timed, without validation: the same runs for E and for 3 E epochs, their difference counts. The floors
are measured here and now, on all cores at once, at the shapes of this network: the rate at which its matrix products
run one after another, and the bandwidth at which arrays as large as its weights are copied; Adam reads weights,
gradients and both moments and writes all but the gradients. A third part says which kernels take longest.
`results/speed/profiles.json` keeps the last profile of each recipe.
"""

import argparse
import collections
import glob
import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kohort

import jax  # isort: skip
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from benchmarks.provenance import provenance
from benchmarks.speed.networks import builder
from benchmarks.speed.tasks import RESULTS, TASKS, Network, load

MEMBERS_A_CORE = 4
PROFILES = RESULTS / "profiles.json"


def on_all_cores(function: Callable[..., Any], *arrays: np.ndarray, least: float = 0.2) -> float:
    """Seconds of a function of each core's own arrays, which gives arrays of the same shapes, in a compiled loop."""
    devices = jax.local_devices()
    own = PartitionSpec("cores")

    def one(count: Any, *given: Any) -> Any:
        first = tuple(array[0] for array in given)
        return tuple(a[None] for a in lax.fori_loop(0, count[0], lambda _, held: function(*held), first))

    mesh = Mesh(np.array(devices), ("cores",))
    program = jax.jit(jax.shard_map(one, mesh=mesh, in_specs=own, out_specs=own, check_vma=False))
    stacked = [np.stack([array] * len(devices)) for array in arrays]

    def timed(count: int) -> float:
        counts = np.full(len(devices), count, np.int32)
        started = time.perf_counter()
        jax.block_until_ready(program(counts, *stacked))
        return time.perf_counter() - started

    timed(1)
    count = 8
    while (seconds := timed(count)) < least:
        count *= 4
    return min((timed(2 * count) - seconds) / count for _ in range(3))


def product_seconds(rows: int, inner: int, columns: int) -> float:
    """Seconds of one matrix product on every core at once."""
    random = np.random.default_rng(0)
    a = random.normal(size=(rows, inner)).astype(np.float32)
    b = random.normal(size=(inner, columns)).astype(np.float32)

    def step(a: Any, b: Any, c: Any) -> Any:
        product = a @ b
        return a.at[0, 0].set(product[0, 0] * 1e-9), b, product

    return on_all_cores(step, a, b, np.zeros((rows, columns), np.float32))


def copy_bandwidth(numbers: int) -> float:
    """Bytes a second, read and written, at which each core adds to an array of so many numbers."""
    return 8 * numbers / on_all_cores(lambda x: (x + 1.0,), np.zeros(numbers, np.float32))


def training_seconds(network: Network, data: dict[str, np.ndarray], batch: int, epochs: int) -> tuple[float, int]:
    """Seconds of a step of a member on its core, and how many numbers its weights have."""
    devices = jax.local_device_count()
    members = MEMBERS_A_CORE * devices

    def fit(count: int) -> tuple[float, Any]:
        started = time.perf_counter()
        runs = kohort.fit(
            builder(network), data["x"], data["y"], seeds=members, epochs=count, batch_size=batch, verbose=0
        )
        return time.perf_counter() - started, runs

    for count in (epochs, 3 * epochs):
        fit(count)
    differences = []
    for _ in range(3):
        differences.append(fit(3 * epochs)[0] - fit(epochs)[0])
    steps = 2 * epochs * -(-len(data["x"]) // batch) * MEMBERS_A_CORE
    return sorted(differences)[1] / steps, sum(w.size for w in fit(epochs)[1][0].weights)


def kernels(network: Network, data: dict[str, np.ndarray], batch: int) -> list[tuple[str, float, int]]:
    """Kernels of a training call: name, seconds and calls, summed over cores."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            kohort.fit(builder(network), data["x"], data["y"], seeds=2, epochs=2, batch_size=batch, verbose=0)
        path = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)[0]
        seconds, calls = collections.Counter[str](), collections.Counter[str]()
        for plane in jax.profiler.ProfileData.from_file(path).planes:
            for line in plane.lines:
                for event in line.events:
                    seconds[event.name] += event.duration_ns / 1e9
                    calls[event.name] += 1
    steps = 2 * 2 * (len(data["x"]) // batch)
    # XLA's kernels have names in small letters; the profile has Python's calls, too
    names = [name for name in seconds if re.fullmatch(r"[a-z_\-.\d]+", name) and 0.9 * steps <= calls[name] <= steps]
    return [(name, seconds[name], calls[name]) for name in sorted(names, key=lambda name: -seconds[name])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("recipe", nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    task = TASKS[options.task]
    name = options.recipe or next(iter(task.recipes))
    network, data = task.recipes[name], load(task, options.data)
    step, weights = training_seconds(network, data, task.batch, options.epochs)
    products = collections.Counter(network.products(task.batch))
    floor = sum(count * product_seconds(*shape) for shape, count in products.items())
    bandwidth = copy_bandwidth(weights)
    moving = 7 * 4 * weights / bandwidth
    work = network.flops(task.batch)
    print(f"{task.name}, {name}: {weights:,} weights, batch {task.batch}, {jax.local_device_count()} cores at once")
    print(f"a step on its core     {step * 1e6:9.1f} µs   {work / step / 1e9:6.1f} GFLOP/s a core")
    print(f"its products alone     {floor * 1e6:9.1f} µs   {work / floor / 1e9:6.1f} GFLOP/s: {floor / step:.0%} of it")
    print(f"Adam's memory traffic  {moving * 1e6:9.1f} µs   {bandwidth / 1e9:6.1f} GB/s: {moving / step:.0%} of it")
    large = 2 * 512**3 / product_seconds(512, 512, 512)
    print(f"a product of 512³ runs at {large / 1e9:.1f} GFLOP/s a core, the step at {work / step / large:.0%} of that")
    found = kernels(network, data, task.batch)
    whole = sum(seconds for _, seconds, _ in found)
    print("kernels that run once a step:")
    for kernel, seconds, count in found[:15]:
        print(f"  {seconds / count * 1e6:8.1f} µs  {seconds / whole:5.1%}  {kernel}")
    if not options.dry:
        told = provenance() | {
            "weights": weights,
            "step, µs": round(step * 1e6, 2),
            "its products alone, µs": round(floor * 1e6, 2),
            "Adam's memory traffic, µs": round(moving * 1e6, 2),
            "GFLOP/s a core": {
                "step": round(work / step / 1e9, 2),
                "its products alone": round(work / floor / 1e9, 2),
                "a product of 512³": round(large / 1e9, 2),
            },
            "kernels, µs": {kernel: round(seconds / count * 1e6, 3) for kernel, seconds, count in found[:15]},
        }
        kept = json.loads(PROFILES.read_text("utf-8")) if PROFILES.exists() else {}
        kept[f"{task.name}, {name}"] = told
        PROFILES.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
