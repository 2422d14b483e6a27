"""Balanced accuracy of `kohort tune` beside other classifiers of tables, after so many minutes of search each.

python -m benchmarks.tuner_quality --data FOLDER [--sets …] [--methods …] [--minutes 2] [--seeds 10]

FOLDER holds NAME.npz with X_num, X_cat and y, which are not part of Kohort. A folder of results gets a JSON file for
each set and method; those that are there are not made again, so the benchmark can be stopped and goes on.
`python -m benchmarks.tables` writes the table of docs/tuner.md from them.

Test rows are drawn once, as everywhere in Kohort. Every method searches on the same training and validation rows (the
cut of seed 10,000) by balanced accuracy on the validation rows, and what it chooses is trained again under fresh seeds,
each of which cuts training and validation anew and seeds the model. Kohort's plain network and its cocktail each have
the minutes; finalists and the final comparison come after them, as the peers' final fits do. The greedy ensemble is of
the search's own networks, so there is one. A round or trial that has begun ends, so seconds are told beside. kc1 and
blood_transfusion have many rows twice, which may be in both training and test; all methods alike.

Kohort's searches choose how much the classes weigh in the loss, those of Optuna whether they weigh the same. At their
defaults methods do not weight classes. Searches are seeded but end by the clock, so their length depends on the
machine.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance
from benchmarks.real_data import table

import numpy as np  # isort: skip - kohort comes first, which tells JAX of the cores
import optuna
from sklearn.metrics import balanced_accuracy_score
from threadpoolctl import threadpool_limits

import kohort
from benchmarks.table_peers import PEERS, Fit
from benchmarks.tuner_quality_table import RESULTS, SETS
from kohort.data import Dataset, Split
from kohort.tuner.setting import SEARCH_SEED

METRIC = "balanced_accuracy"
TUNED = ", tuned"
METHODS = (
    "Kohort",
    *(f"{name}{how}" for name, own in PEERS.items() for how in ("", TUNED) if own.space or not how),
)


def searched_by_kohort(dataset: Dataset, minutes: float, seeds: int, batch_size: int) -> dict[str, Any]:
    options: dict[str, Any] = {"metric": METRIC, "batch_size": batch_size, "ingredients": False, "verbose": 0}
    result = kohort.tune(dataset, minutes=minutes, seeds=seeds, **options)
    scores = {summary.recipe: list(summary.test) for summary in result.final.comparison.recipes}
    search = {
        name: {
            "candidates": len(side.searched.tried),
            "seconds": round(side.searched.seconds, 1),
            "validation": max(own.score for own in side.searched.tried),
            "chosen": side.recipe,
        }
        for name, side in (("Kohort, cocktail", result.found), ("Kohort, plain network tuned", result.plain))
    }
    named = {
        "Kohort, cocktail": scores[result.called.chosen],
        "Kohort, plain network tuned": scores[result.called.beside],
    }
    return {"scores": named | {"Kohort, greedy ensemble": [result.ensemble_test.score]}, "search": search}


def searched_by_optuna(dataset: Dataset, method: str, minutes: float, seeds: int, batch_size: int) -> dict[str, Any]:
    """A peer at its defaults or tuned."""
    name, *how = method.split(", ")
    peer, found = PEERS[name], {}

    def score(fit: Fit, rows: np.ndarray) -> float:
        with warnings.catch_warnings(), threadpool_limits(fit.threads):
            warnings.simplefilter("ignore")  # of networks that have not converged, of classes that are not predicted
            return float(balanced_accuracy_score(dataset.y[rows], peer.fit(fit)(rows)))

    options, weighted = None, False
    if how:
        assert peer.space is not None
        space, own = peer.space, kohort.data.split(dataset, SEARCH_SEED, batch_size)

        def objective(trial: optuna.Trial) -> float:
            chosen = space(trial)
            balanced = trial.suggest_categorical("class weights", (False, True))
            trial.set_user_attr("options", chosen)
            return score(Fit(dataset, own, 0, chosen, balanced), own.validation)

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        started = time.perf_counter()
        study.optimize(objective, timeout=60.0 * minutes)
        options = study.best_trial.user_attrs["options"]
        weighted = study.best_params["class weights"]
        told = {"candidates": len(study.trials), "seconds": round(time.perf_counter() - started, 1)}
        found = {method: told | {"validation": study.best_value, "chosen": study.best_params}}

    def cut(seed: int) -> Split:
        return kohort.data.split(dataset, seed, batch_size)

    scores = [score(Fit(dataset, cut(seed), seed, options, weighted), cut(seed).test) for seed in range(seeds)]
    return {"scores": {method: scores}, "search": found}


def place(folder: Path, name: str, method: str) -> Path:
    return folder / f"{name}-{method.replace(', ', '-').replace(' ', '_')}.json"


def measure(options: argparse.Namespace, name: str, method: str) -> None:
    """One method on one set, in this process."""
    dataset = table(options.data, name)
    batch_size = 128 if dataset.rows >= 2500 else 32  # what tune takes
    started = time.perf_counter()
    if method == "Kohort":
        found = searched_by_kohort(dataset, options.minutes, options.seeds, batch_size)
    else:
        found = searched_by_optuna(dataset, method, options.minutes, options.seeds, batch_size)
    parts = kohort.data.split(dataset, 0, batch_size)
    result = {
        "data": name,
        "method": method,
        "rows": [len(rows) for rows in (parts.train, parts.validation, parts.test)],
        "minutes": options.minutes,
        "seeds": options.seeds,
        **found,
        "seconds": round(time.perf_counter() - started, 1),
        **provenance("optuna", "scikit-learn", "xgboost", "lightgbm", "pytabkit", "torch"),
    }
    place(options.folder, name, method).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where results are and go")
    parser.add_argument("--sets", default=",".join(SETS), help="separated by commas")
    parser.add_argument("--methods", default=";".join(METHODS), help="separated by semicolons")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=10, help="Kohort needs 6")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        measure(options, options.sets, options.methods)
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.sets.split(","):
        for method in options.methods.split(";"):
            if method not in METHODS:
                parser.error(f"no method is called {method!r}. There are: {'; '.join(METHODS)}")
            if place(options.folder, name, method).exists():
                continue
            print(f"{name}: {method}", file=sys.stderr, flush=True)
            given = {own: getattr(options, own) for own in ("data", "folder", "minutes", "seeds")}
            asked = [f"--{own}={value}" for own, value in (given | {"sets": name, "methods": method}).items()]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.tuner_quality", *asked, "--here"], stderr=subprocess.PIPE, text=True
            )
            if done.returncode:
                print(f"  left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)


if __name__ == "__main__":
    main()
