"""KohortClassifier and KohortRegressor beside scikit-learn's networks and boosted trees, all at their defaults.

Ten sets, each in five folds, of at most 5,000 rows drawn under seed 0 so that it ends. Kohort's estimators get a data
frame with its categories and missing cells; MLP what its users write for such a frame (median, StandardScaler,
OneHotEncoder; for a regression the target scaled, too, without which it does not learn in 200 epochs);
HistGradientBoosting cells, told which are categories. Scores are of rows that no method has seen, not even to choose
by: accuracy, or R² of a regression. An interval is Student's over folds, widened by √(1 + k · test rows / training
rows), since folds share training rows (Nadeau & Bengio 2003, Inference for the generalization error, §3).

python -m benchmarks.sklearn_peers --data FOLDER [--sets wdbc,…] [--rows 5000] [--epochs 50] [--seeds 6]

Each fit is kept in results/sklearn_peers.json as it ends, and not made again; `python -m benchmarks.tables` writes the
table of docs/scikit-learn.md from it.
FOLDER is that of `benchmarks.real_tables`.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import kohort  # isort: skip  # before keras
import numpy as np
import polars as pl
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.provenance import provenance
from benchmarks.real_data import table
from kohort.data import Dataset
from kohort.statistics.intervals import Interval, mean_interval

SETS = (
    "wdbc",
    "credit_approval",
    "credit_g",
    "diabetes",
    "car",
    "bank_small",
    "satimage",
    "concrete",
    "airfoil",
    "abalone",
)
FOLDS = 5
RESULTS = Path(__file__).parent / "results" / "sklearn_peers.json"

Made = tuple[Any, Any]
"""An estimator, and the rows as it takes them."""


def frame(dataset: Dataset) -> pl.DataFrame:
    """A set as its owner would have it: names of categories, and empty cells."""
    columns = {}
    for column, cells in zip(dataset.columns or (), dataset.x.T, strict=True):
        names = [None if np.isnan(cell) else column.levels[int(cell)] for cell in cells] if column.levels else None
        columns[column.name] = pl.Series(cells, nan_to_null=True) if names is None else names
    return pl.DataFrame(columns)


def own(dataset: Dataset, epochs: int, seeds: int) -> Made:
    kind = kohort.KohortClassifier if dataset.classes else kohort.KohortRegressor
    return kind(epochs=epochs, seeds=seeds), frame(dataset)


def mlp(dataset: Dataset, epochs: int, seeds: int) -> Made:
    columns = dataset.columns or ()
    numbers = [place for place, column in enumerate(columns) if not column.levels]
    categories = [place for place, column in enumerate(columns) if column.levels]
    seen = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
        ]
    )
    if dataset.classes:
        return make_pipeline(seen, MLPClassifier(random_state=0)), dataset.x
    learner = TransformedTargetRegressor(MLPRegressor(random_state=0), transformer=StandardScaler())
    return make_pipeline(seen, learner), dataset.x


def boosted_trees(dataset: Dataset, epochs: int, seeds: int) -> Made:
    kind = HistGradientBoostingClassifier if dataset.classes else HistGradientBoostingRegressor
    categories: Any = [bool(column.levels) for column in dataset.columns or ()]
    return kind(categorical_features=categories, random_state=0), dataset.x


METHODS: Mapping[str, Callable[[Dataset, int, int], Made]] = {
    "Kohort": own,
    "MLP": mlp,
    "HistGradientBoosting": boosted_trees,
}


def folds(dataset: Dataset) -> list[tuple[np.ndarray, np.ndarray]]:
    kind = StratifiedKFold if dataset.classes else KFold
    return list(kind(FOLDS, shuffle=True, random_state=0).split(dataset.x, dataset.y))


def widened(scores: list[float]) -> Interval:
    """The mean over folds with an interval that heeds the rows that folds share."""
    found = mean_interval(scores)
    half = (found.high - found.mean) * (1.0 + len(scores) / (FOLDS - 1)) ** 0.5
    return Interval(found.mean, found.mean - half, found.mean + half, found.n)


def section() -> str:
    """The table of docs/scikit-learn.md."""
    told = json.loads(RESULTS.read_text("utf-8"))
    others = [method for method in METHODS if method != "Kohort"]
    heads = ["set", "rows", "score", *METHODS, *(f"Kohort − {other}" for other in others), "seconds of a fit"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for name, found in told["sets"].items():
        scores = {method: np.array(list(found["scores"][method].values())) for method in METHODS}
        cells = [name, f"{found['rows']:,}", found["metric"], *(f"{100 * own.mean():.1f}" for own in scores.values())]
        for other in others:
            gap = widened((scores["Kohort"] - scores[other]).tolist())
            mean, low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in (gap.mean, gap.low, gap.high))
            cells.append(f"{mean} ({low} to {high})")
        spent = [np.mean(list(found["seconds"][method].values())) for method in METHODS]
        cells.append(" / ".join(f"{seconds:.1f}" for seconds in spent))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=6)
    options = parser.parse_args()
    asked = {"rows": options.rows, "epochs": options.epochs, "seeds": options.seeds}
    told = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {"asked": asked, "sets": {}}
    if told["asked"] != asked:
        parser.error(f"{RESULTS} was made with {told['asked']}. Move it away, or pass the same")
    for name in options.sets.split(","):
        dataset = table(options.data, name, options.rows)
        metric = "accuracy" if dataset.classes else "R²"
        found = told["sets"].setdefault(
            name, {"rows": dataset.rows, "metric": metric, "scores": {}, "seconds": {}, "recipes": {}}
        )
        for fold, (train, test) in enumerate(folds(dataset)):
            for method, make in METHODS.items():
                scores = found["scores"].setdefault(method, {})
                if str(fold) in scores:
                    continue
                estimator, x = make(dataset, options.epochs, options.seeds)
                started = time.perf_counter()
                estimator.fit(x[train], dataset.y[train])
                found["seconds"].setdefault(method, {})[str(fold)] = round(time.perf_counter() - started, 2)
                scores[str(fold)] = float(estimator.score(x[test], dataset.y[test]))
                if method == "Kohort":
                    found["recipes"][str(fold)] = estimator.recipe_
                text = json.dumps({**told, **provenance("scikit-learn")}, indent=2, ensure_ascii=False)
                RESULTS.write_text(text + "\n", encoding="utf-8")
        print(name, json.dumps(found, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
