"""From a large CSV to the end of the first epoch, in a process of its own: imports, reading, compiling and training.

The table has 200,000 rows and 30 columns: 22 of numbers, a tenth of one of them missing, and 8 of categories with 3 to
31 levels, which are one-hot or embedded; the target is binary. One recipe, one seed, batches of 256.

python -m benchmarks.first_epoch [--repeats 5]
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

ROWS, NUMBERS, CATEGORIES, BATCH = 200_000, 22, 8, 256
RESULTS = Path(__file__).parent / "results" / "first_epoch.json"


def write_table(path: Path) -> None:
    import numpy as np
    import polars as pl

    generator = np.random.default_rng(0)
    table = {f"number{place}": generator.normal(size=ROWS) for place in range(NUMBERS)}
    signal = table["number0"] + 0.5 * table["number1"] + generator.normal(size=ROWS)
    columns = {name: pl.Series(values).round(4) for name, values in table.items()}
    gone = generator.random(ROWS) < 0.1
    columns["number2"] = columns["number2"].set(pl.Series(gone), None)
    for place in range(CATEGORIES):
        levels = 3 + 4 * place
        columns[f"kind{place}"] = pl.Series([f"level{own}" for own in generator.integers(0, levels, ROWS)])
    pl.DataFrame({**columns, "bought": np.where(signal > 0, "yes", "no")}).write_csv(path)


def one_run(path: Path) -> dict[str, float]:
    started = time.perf_counter()
    import kohort
    from kohort.data import load

    dataset = load(path)
    read = time.perf_counter()
    study = kohort.Study(["none"], dataset, seeds=1, epochs=1, batch_size=BATCH)
    prepared = time.perf_counter()
    ends = []

    def listener(stage) -> None:
        if stage.run_epochs and not ends:
            ends.append(time.perf_counter())

    study.run(listener=listener)
    return {
        "read": read - started,
        "prepare": prepared - read,
        "build, compile and train": ends[0] - prepared,
        "all": ends[0] - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--table", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.table:
        print(json.dumps(one_run(arguments.table)))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        write_table(table)
        size = table.stat().st_size / 2**20
        rounds = []
        for _ in range(arguments.repeats):
            started = time.perf_counter()
            command = [sys.executable, "-m", "benchmarks.first_epoch", "--table", str(table)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rounds.append(json.loads(told.splitlines()[-1]) | {"process": time.perf_counter() - started})
    result = {
        **provenance("polars", "scikit-learn"),
        "MiB": round(size, 1),
        "repeats": arguments.repeats,
        "seconds": {
            name: {
                "median": round(statistics.median(own[name] for own in rounds), 2),
                "min": round(min(own[name] for own in rounds), 2),
                "max": round(max(own[name] for own in rounds), 2),
            }
            for name in rounds[0]
        },
    }
    print(json.dumps(result, indent=2))
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
