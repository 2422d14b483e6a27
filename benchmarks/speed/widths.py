"""Where Kohort is overtaken: beside loops over `fit` and PyTorch, by the width of a network.

python -m benchmarks.speed.widths --data FOLDER [--torch PYTHON] [--rounds 3]

784-w-w-10 on 6,400 rows of mnist in batches of 128, 8 seeds; narrow networks train for more epochs, so that there is
something to time. Loops are timed on two seeds. A result holds the seconds of all tasks, and by width how many times
as long each peer takes as Kohort, cold (compiling included) and warm.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.speed.__main__ import measured
from benchmarks.speed.tasks import RESULTS, Network, Task

WIDTHS = (32, 64, 128, 256, 512, 1024, 2048)
LOOPS = ["kohort", "c", "bc"]
TORCH = ["e, 2 threads", "e, 2 processes"]


def task_of(units: int) -> Task:
    """8 runs of a network with two hidden layers of some units."""
    network = {"none": Network((784,), 10, (units, units))}
    return Task(f"mnist-{units}", network, 8, epochs=max(1, min(16, 1024 // units)), batch=128, rows=6400, timed=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with mnist.npz")
    parser.add_argument("--torch", help="a Python interpreter with PyTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    pythons = {"kohort": sys.executable, "plain": sys.executable}
    names = LOOPS
    if options.torch:
        pythons, names = pythons | {"torch": options.torch}, LOOPS + TORCH
    found = {}
    for units in WIDTHS:
        found[units] = own = measured(task_of(units), names, pythons, options.data, options.rounds)
        ratios = own["times as long as kohort"]
        told = ", ".join(f"{name} {each['cold']['median']} / {each['warm']['median']}" for name, each in ratios.items())
        print(f"{units:5d} wide: {told}", flush=True)
        if not options.dry:  # after each width: what is stopped has measured what it has
            (RESULTS / "widths.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
