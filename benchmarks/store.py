"""What keeping a study in a folder costs, and what diagnostics do: the textbook's comparison in its own processes.

And how long 10,000 runs take: to be found again, listed, and resumed.

python -m benchmarks.store [--repeats 3]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "store.json"
MANY = 10_000
JOBS = ("bare", "plain", "kept")  # without diagnostics; with them; with a folder as well


def comparison(folder: Path | None, diagnostics: bool = True) -> float:
    import kohort

    data = kohort.data.named("digits")
    study = kohort.Study(["none", "l2", "dropout", "batchnorm"], data, seeds=20, folder=folder, diagnostics=diagnostics)
    started = time.perf_counter()
    study.run(verbose=0)
    return time.perf_counter() - started


def many_runs(folder: Path) -> dict[str, float]:
    """Seconds for 10,000 runs of 50 epochs, 357 test rows and 17,000 weights: kept in 125 cohorts, and found again."""
    import resource

    import numpy as np

    from kohort.run import Evaluation, Outcome, Run
    from kohort.store.folder import StudyFolder
    from kohort.store.identity import Identity

    identity = Identity("d", {"epochs": "50"}, {f"recipe {place}": "" for place in range(100)}, {})
    generator = np.random.default_rng(0)
    rows = np.arange(357, dtype=np.int32)
    logs = ("accuracy", "loss", "val_accuracy", "val_loss")

    def run(recipe: str, seed: int) -> Run:
        history = {name: generator.random(50).tolist() for name in logs}
        weights = (generator.normal(size=(64, 128)).astype(np.float32), generator.normal(size=9000).astype(np.float32))
        outcomes = (generator.random(357) < 0.95).astype(np.float32)
        return Run(recipe, seed, history, Outcome(), weights, {"epochs": 50}, test=Evaluation(rows, outcomes))

    kept = 0.0
    with StudyFolder(folder, identity) as study:
        for recipe in identity.recipes:
            runs = [run(recipe, seed) for seed in range(MANY // 100)]
            started = time.perf_counter()
            study.add(runs, [recipe])
            kept += time.perf_counter() - started
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    with StudyFolder(folder, identity) as study:
        opened = time.perf_counter() - started
        found = study.runs()
        listed = time.perf_counter() - started - opened
    assert len(found) == MANY
    return {
        "keep": kept,
        "open and check": opened,
        "find": listed,
        "MiB on disk": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20,
        "MiB of memory more": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "study"
        if options.job == "many":
            print(json.dumps(many_runs(folder)))
            return
        if options.job:
            print(comparison(folder if options.job == "kept" else None, options.job != "bare"))
            return

    def seconds(job: str) -> str:
        command = [sys.executable, __file__, "--job", job]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]

    rounds = [{job: float(seconds(job)) for job in JOBS} for _ in range(options.repeats)]

    def ratio(job: str, base: str) -> dict[str, float]:
        ratios = [own[job] / own[base] for own in rounds]
        found = {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}
        return {name: round(value, 3) for name, value in found.items()}

    result = {
        **provenance("safetensors"),
        "repeats": options.repeats,
        "seconds": [{job: round(value, 2) for job, value in own.items()} for own in rounds],
        "times as long with a folder": ratio("kept", "plain"),
        "times as long with diagnostics": ratio("plain", "bare"),
        "10,000 runs": {what: round(value, 2) for what, value in json.loads(seconds("many")).items()},
    }
    print(json.dumps(result, indent=2))
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
