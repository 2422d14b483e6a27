"""The textbook's comparison on real data sets: what may be said of each technique, and what the naive reading costs.

none, L2 0.001, dropout 0.3 and batch normalisation, 20 seeds of 50 epochs each in batches of 32 (of 256 from 20,000
rows on), an MLP 128-64 on all. digits and wdbc ship with scikit-learn; the others are read from a folder of `NAME.npz`
files with X_num (NaN is missing), X_cat (−1 is missing) and y, or x_train, y_train, x_test, y_test. Every figure is of
20 seeds; results are in results/verdicts, and `python -m benchmarks.tables` writes the README's table from them.

Numbers are scaled in each split by its training rows; a missing number is the column's median over all rows, beside a
column that says so; categories are one column for each value. The median is taken before the split, which tells a
split at most where a column's middle lies.

python -m benchmarks.verdicts [--data FOLDER] [--seeds 20] [NAME ...]
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import kohort
from benchmarks.provenance import provenance
from kohort.data import Dataset

RESULTS = Path(__file__).parent / "results" / "verdicts"
RECIPES = ["none", "l2", "dropout", "batchnorm"]
BUNDLED, FROM_FOLDER = ("digits", "wdbc"), ("credit_g", "mnist1d", "adult")
EPOCHS, LARGE = 50, 20_000


def read(folder: Path, name: str) -> Dataset:
    """A data set of the folder, all rows together."""
    with np.load(folder / f"{name}.npz") as held:
        if "x_train" in held:
            x = np.concatenate([held["x_train"], held["x_test"]]).astype(np.float32)
            x, y = x.reshape(len(x), -1), np.concatenate([held["y_train"], held["y_test"]])
        else:
            x, y = tabular(held["X_num"], held["X_cat"]), held["y"]
    classes, numbers = np.unique(y, return_inverse=True)
    return Dataset(name, x, numbers.astype(np.int32), tuple(map(str, classes)), "standard", "a folder of npz files")


def tabular(numbers: np.ndarray, categories: np.ndarray) -> np.ndarray:
    missing = np.isnan(numbers)
    filled = np.where(missing, np.nanmedian(numbers, axis=0, keepdims=True), numbers) if numbers.size else numbers
    columns = [filled, missing[:, missing.any(axis=0)]]
    columns += [own[:, None] == np.unique(own)[None, :] for own in categories.T]
    return np.concatenate([np.asarray(column, np.float32) for column in columns], axis=1)


def measured(dataset: Dataset, seeds: int) -> dict[str, Any]:
    batch_size = 256 if dataset.rows >= LARGE else 32
    result = kohort.Study(RECIPES, dataset, seeds=seeds, epochs=EPOCHS, batch_size=batch_size).run(verbose=0)
    comparison = result.comparison
    assert comparison.verdicts is not None
    assert comparison.regret is not None
    recipes = {}
    for summary in comparison.recipes:
        gap = summary.optimism
        assert gap is not None
        recipes[summary.recipe] = {
            "test": [summary.test_mean.mean, summary.test_spread],
            "train": float(np.mean(summary.train)),
            "validation, last epoch": float(
                np.mean([run.history["val_accuracy"][-1] for run in result.runs.of(summary.recipe)])
            ),
            "best validation epoch": float(np.mean(summary.best_validation)),
            "optimism": [gap.mean, gap.low, gap.high],
        }
        verdict = summary.verdict
        if verdict is not None:
            own = verdict.interval
            recipes[summary.recipe] |= {
                "improvement": [own.mean, own.low, own.high],
                "verdict": verdict.kind,
                "words": verdict.words(),
            }
    lost = comparison.regret
    return {
        "data": dataset.name,
        **provenance(),
        "rows": dict(zip(("train", "validation", "test"), result.plan.rows, strict=True)),
        "features": int(np.prod(dataset.x.shape[1:])),
        "seeds": seeds,
        "epochs": EPOCHS,
        "batch size": batch_size,
        "recipes": recipes,
        "regret": [lost.cost.mean, lost.cost.low, lost.cost.high],
        "best": lost.best,
        "naive picks": lost.picks,
        "naive pick differs": lost.differs,
        "seconds": round(result.seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--data", type=Path, help="the folder of npz files; without it, the bundled sets alone")
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    names = options.names or [*BUNDLED, *(FROM_FOLDER if options.data else ())]
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        dataset = kohort.data.named(name) if name in BUNDLED else read(options.data, name)
        result = measured(dataset, options.seeds)
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{name}: {result['seconds']} s, regret {result['regret']}, differs {result['naive pick differs']}")
        for told in result["recipes"].values():
            print("  ", told.get("words", "baseline"), told["optimism"])


if __name__ == "__main__":
    main()
