"""What members cost: seconds and memory against their number, 1 to 1,000, on digits (64-128-64-10, batch 32).

python -m benchmarks.speed.members [--epochs 5]

Each number in a process of its own: `kohort.fit` twice, the second time compiled. Memory is the process' peak less that
of one member, by member, beside the bytes of a member's state (weights, both moments, metrics).
"""

import argparse
import json
import resource
import subprocess
import sys
import time

from benchmarks.provenance import provenance
from benchmarks.speed.tasks import RESULTS, TASKS, load

NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def job(members: int, epochs: int) -> dict[str, float]:
    import kohort
    from benchmarks.speed.networks import builder

    task = TASKS["digits-mlp"]
    data = load(task, None)
    seconds = []
    for turn in range(2):
        started = time.perf_counter()
        runs = kohort.fit(
            builder(task.recipes["none"]),
            data["x"],
            data["y"],
            seeds=range(turn * 5000, turn * 5000 + members),
            epochs=epochs,
            batch_size=task.batch,
            validation_data=(data["x_val"], data["y_val"]),
            verbose=0,
        )
        seconds.append(time.perf_counter() - started)
        if turn == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            weights = sum(array.nbytes for array in next(iter(runs.values())).weights)
            del runs
    return {"cold": seconds[0], "warm": seconds[1], "peak_mib": peak, "weights_bytes": weights}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--job", type=int)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(job(options.job, options.epochs)))
        return
    found: dict[int, dict[str, float]] = {}
    for members in NUMBERS:
        command = [sys.executable, "-m", "benchmarks.speed.members", "--job", str(members)]
        done = subprocess.run([*command, "--epochs", str(options.epochs)], capture_output=True, text=True, check=True)
        found[members] = own = json.loads(done.stdout.splitlines()[-1])
        state = 3 * own["weights_bytes"] / 2**20
        each = (own["peak_mib"] - found[1]["peak_mib"]) / max(1, members - 1)
        print(
            f"{members:5d} members: cold {own['cold']:6.2f} s, warm {own['warm']:6.2f} s, "
            f"{1000 * own['warm'] / members:6.1f} ms each; peak {own['peak_mib']:6.0f} MiB, "
            f"{each:5.2f} MiB each beside a state of {state:.2f}",
            flush=True,
        )
    told = provenance() | {"epochs": options.epochs, "members": found}
    (RESULTS / "members.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
