"""Recipes on real tables beside scikit-learn's networks and boosted trees at their defaults.

Last result (2026-11-25; keras 3.15.1, scikit-learn 1.9.1, 2 cores; 6 seeds, 20 epochs; results/real_tables.json):
accuracy of the best recipe / MLPClassifier / HistGradientBoosting: adult 86.0 / 84.8 / 87.4 %, credit_approval 85.6 /
83.3 / 84.8, telco_churn 79.6 / 77.7 / 79.5, shuttle 99.89 / 99.96 / 99.43; root mean squared error: california_housing
0.582 / 0.545 / 0.476, diamonds 622 / 554 / 550. Boosted trees are ahead on three of six, and scikit-learn's longer
training of its network on shuttle and both regressions.

Each set is written out as CSV, with its missing cells and categories, read by `kohort.data.load` and compared on as
`kohort compare file.csv` does. scikit-learn's models get the inputs of seed 0 as Kohort's networks see them, and the
same test rows; MLP without early stopping, HistGradientBoosting as they come.

python -m benchmarks.real_tables --data FOLDER [--sets adult,…] [--seeds 5] [--epochs 20]

FOLDER holds NAME.npz with X_num, X_cat (−1: missing) and y, which are not part of Kohort.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import kohort  # isort: skip - before JAX, which it tells of the cores
import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks.provenance import provenance

SETS = ("adult", "credit_approval", "telco_churn", "shuttle", "california_housing", "diamonds")
RECIPES = ("none", "l2", "dropout=0.3", "batchnorm", "batchnorm+dropout=0.2+adamw")
RESULTS = Path(__file__).parent / "results" / "real_tables.json"


def written(folder: Path, name: str, to: Path) -> Path:
    """A set as a CSV file."""
    arrays = np.load(folder / f"{name}.npz")
    columns: dict[str, Any] = {}
    for place, values in enumerate(arrays["X_num"].T if "X_num" in arrays else ()):
        columns[f"number{place}"] = pl.Series(values.astype(float), nan_to_null=True)
    for place, codes in enumerate(arrays["X_cat"].T if "X_cat" in arrays else ()):
        columns[f"category{place}"] = [None if code < 0 else f"level{code}" for code in codes]
    y = arrays["y"]
    columns["target"] = [f"class{label}" for label in y] if y.dtype.kind in "iu" else y.astype(float)
    path = to / f"{name}.csv"
    pl.DataFrame(columns).write_csv(path)
    return path


def peers(dataset: kohort.data.Dataset, batch_size: int) -> dict[str, float]:
    """Scores of scikit-learn's models on the test rows."""
    part = kohort.data.split(dataset, 0, batch_size)
    x = dataset.inputs(part.train)
    rows = np.concatenate([part.train, part.validation])
    if dataset.classes:
        models: dict[str, Any] = {
            "MLP": MLPClassifier(random_state=0),
            "boosted trees": HistGradientBoostingClassifier(random_state=0),
        }
        return {
            name: float(model.fit(x[rows], dataset.y[rows]).score(x[part.test], dataset.y[part.test]))
            for name, model in models.items()
        }
    learnt = dataset.targets(part.train)
    models = {"MLP": MLPRegressor(random_state=0), "boosted trees": HistGradientBoostingRegressor(random_state=0)}
    found = {}
    for name, model in models.items():
        predicted = model.fit(x[rows], learnt.values[rows]).predict(x[part.test]) * learnt.spread + learnt.centre
        found[name] = float(np.sqrt(np.mean((predicted - dataset.y[part.test]) ** 2)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text("utf-8"))["sets"] if RESULTS.exists() else {}
    for name in options.sets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            dataset = kohort.data.load(written(options.data, name, Path(folder)), "target")
            read = time.perf_counter() - started
        batch = min(options.batch_size, dataset.rows // 30)
        study = kohort.Study(RECIPES, dataset, seeds=options.seeds, epochs=options.epochs, batch_size=batch)
        result = study.run(verbose=0)
        said = (
            [verdict.words() for verdict in result.comparison.verdicts.verdicts] if result.comparison.verdicts else []
        )
        results[name] = {
            "rows": dataset.rows,
            "inputs": dataset.shape[0],
            "task": dataset.task,
            "metric": result.plan.metric,
            "seeds": options.seeds,
            "epochs": options.epochs,
            "seconds to read": round(read, 2),
            "seconds of the study": round(result.seconds, 1),
            "scores": {summary.recipe: round(summary.test_mean.mean, 4) for summary in result.comparison.recipes},
            "verdicts": said,
            "scikit-learn": {peer: round(score, 4) for peer, score in peers(dataset, batch).items()},
        }
        print(json.dumps({name: results[name]}, indent=2, ensure_ascii=False), flush=True)
        told = provenance("scikit-learn") | {"sets": results}
        RESULTS.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
