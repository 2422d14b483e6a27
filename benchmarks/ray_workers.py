"""A study on the workers of a Ray cluster beside the same study in one process; and with workers that are killed.

python -m benchmarks.ray_workers [--seeds 60] [--epochs 60] [--rounds 3] [--kills 20]

Digits, eight recipes. Each study runs in a process of its own, cold: importing, starting Ray and its workers, tracing
and compiling are all timed. The efficiency is the seconds of the study in one process, which has all cores, by those of
the workers, which have the same cores between them. Then the study runs once more while workers that train are killed
(SIGKILL), one after another, until so many have been. All runs of all studies are compared bit for bit.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import kohort
from benchmarks.provenance import provenance

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "ray_workers.json"
RECIPES = ("none", "l2=0.01", "dropout=0.1", "dropout=0.3", "dropout=0.5", "batchnorm", "layernorm", "adamw")
PAUSE = 4.0  # seconds that a worker has trained when it is killed; it takes as long to start


def workers() -> list[int]:
    """The processes that train a piece of this process' study, and of no other's."""
    parents: dict[int, int] = {}
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):  # it has just ended
            own = int(path.name)
            parents[own] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if (path / "cmdline").read_bytes().startswith(b"ray::_trained"):
                found.append(own)

    def is_ours(own: int) -> bool:
        while own > 1 and own != os.getpid():
            own = parents.get(own, 0)
        return own == os.getpid()

    return [own for own in found if is_ours(own)]


def kill(count: int, killed: list[int], done: threading.Event) -> None:
    seen: dict[int, float] = {}
    while not done.wait(0.1) and len(killed) < count:
        now = time.monotonic()
        for worker in workers():
            if now - seen.setdefault(worker, now) > PAUSE and worker not in killed:
                with suppress(ProcessLookupError):  # it has ended of itself
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)
                break


def study(options: argparse.Namespace) -> dict[str, Any]:
    """One study, in this process."""
    own = kohort.Study(
        RECIPES, kohort.data.named("digits"), seeds=options.seeds, epochs=options.epochs, folder=options.folder
    )
    executor = kohort.executors.Ray() if options.job != "local" else None
    killed: list[int] = []
    done = threading.Event()
    if options.job == "killed":
        threading.Thread(target=kill, args=(options.kills, killed, done), daemon=True).start()
    runs = own.run(verbose=0, executor=executor).runs
    done.set()
    digest = sha256()
    for key, run in runs.items():
        assert run.test is not None
        digest.update(f"{key}{run.history}".encode() + run.test.outcomes.tobytes())
        for weights in run.weights:
            digest.update(weights.tobytes())
    return {"runs": len(runs), "digest": digest.hexdigest(), "killed": len(killed)}


def timed(options: argparse.Namespace, job: str) -> dict[str, Any]:
    given = [f"--{name}={getattr(options, name)}" for name in ("seeds", "epochs", "kills")]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.ray_workers", *given, f"--job={job}", f"--folder={folder}/study"]
        started = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - started
    found = json.loads(done.stdout.splitlines()[-1]) | {"seconds": round(seconds, 1)}
    print(f"{job}: {found}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(study(options)))
        return
    rounds = [{job: timed(options, job) for job in ("local", "ray")} for _ in range(options.rounds)]
    killed = timed(options, "killed") if options.kills else None
    every = [own for turn in rounds for own in turn.values()] + ([killed] if killed else [])
    efficiency = [turn["local"]["seconds"] / turn["ray"]["seconds"] for turn in rounds]
    result = provenance("ray") | {
        "recipes": RECIPES,
        "seeds": options.seeds,
        "epochs": options.epochs,
        "efficiency": {"median": round(statistics.median(efficiency), 3), "all": [round(own, 3) for own in efficiency]},
        "equal bit for bit": len({own["digest"] for own in every}) == 1,
        "rounds": rounds,
        "killed": killed,
    }
    print(json.dumps({name: result[name] for name in ("efficiency", "equal bit for bit", "killed")}, indent=1))
    if not options.dry:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
