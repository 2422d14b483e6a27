"""Halving is not a lottery: what it would have kept of candidates that were all trained to the end.

python -m benchmarks.halving --data FOLDER [--candidates 100] [--epochs 54] [--orders 200]

On some sets, of the larger 5,000 rows (FOLDER holds their .npz files, which are not part of Kohort), candidates of the
cocktail train to the end, once drawn evenly and once as the search draws them, by what it has learnt. Then halving is
replayed on their curves under random orders of arrival: rounds of 32, in each round structure by structure, as cohorts
come to a rung. Told is the rank, among all candidates by their final score, of the best of those that halving let train
to the end, and how far it is below the best; beside it the best of as many at random as the epochs that halving took
would have trained to the end. Ranks count from 1; the expected rank of the best of m among n is (n + 1) / (m + 1).

Beside Kohort's own rule stand others: how large a share goes on, and after which epochs. For those that differ in the
epochs that they take, also told is what the best is below the best of all where each has as many epochs as a quarter of
the candidates would take to train to the end, and how many candidates it then tries.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance
from benchmarks.real_data import table

import numpy as np  # isort: skip - kohort comes first, which tells JAX of the cores
import optuna
from scipy.stats import rankdata

from kohort.cohort.order import Going
from kohort.data import Dataset
from kohort.store.journal import Tried
from kohort.tuner.cocktail import cocktail
from kohort.tuner.halving import Halving, rungs_of
from kohort.tuner.objective import best_epoch, objective_of
from kohort.tuner.search import ROUND, Budget, search
from kohort.tuner.setting import SEARCH_SEED, Setting

RESULTS = Path(__file__).parent / "results" / "halving.json"
SETS = {"kc1": None, "adult": 5000, "credit_g": None, "car": None, "magic": 5000}  # name -> how many of its rows
METRIC = "balanced_accuracy"
DRAWS = ("evenly", "as the search draws")
OTHERS = {  # of how many one goes on, after which shares of the epochs
    "a third after 1/9 and 1/3": (3, (9, 3)),
    "a half after 1/9 and 1/3": (2, (9, 3)),
    "a half after 1/4 and 1/2": (2, (4, 2)),
    "a third after 1/3": (3, (3,)),
    "all to the end": (1, ()),
}
OWN = "Kohort's"
AT_RANDOM = "as many epochs at random"
QUARTER = 4  # of the candidates, trained to the end, take as many epochs as rules are compared at


def trained(dataset: Dataset, draw: str, candidates: int, epochs: int) -> tuple[Setting, tuple[Tried, ...]]:
    """Candidates, all trained to the end."""
    batch_size = 128 if dataset.rows >= 2500 else 32
    setting = Setting(dataset, SEARCH_SEED, epochs, batch_size, objective_of(METRIC, True))
    study = None
    if draw == "evenly":
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    space = cocktail(dataset.task, rows=setting.rows[0], balanced=True)
    return setting, search(setting, space, Budget(candidates=candidates), halving=False, study=study).tried


def reached(tried: Tried, epochs: int) -> float:
    """What halving sees of a candidate at a rung."""
    return best_epoch(np.array(tried.curve[:epochs]))[0]


def rules(setting: Setting) -> dict[str, Halving]:
    """Kohort's own rule, and others."""
    found = {OWN: Halving(setting.objective, rungs_of(setting.epochs))}
    for name, (factor, parts) in OTHERS.items():
        found[name] = Halving(setting.objective, tuple(setting.epochs // part for part in parts), factor)
    return found


def kept(
    setting: Setting, tried: Sequence[Tried], order: np.ndarray, rule: Halving, most: float = np.inf
) -> tuple[list[int], int, int]:
    """Which candidates a rule lets train to the end, the epochs that all of them take, and how many were tried.

    Args:
        setting: What they trained on.
        tried: The candidates.
        order: In which they come, as places in `tried`.
        rule: Who goes on.
        most: After so many epochs no more cohorts begin.
    """
    halving = replace(rule, seen={})
    ended: list[int] = []
    spent = begun = 0
    for start in range(0, len(order), ROUND):
        by_structure: dict[str, list[int]] = {}
        for place in map(int, order[start : start + ROUND]):
            by_structure.setdefault(tried[place].values["structure"], []).append(place)
        for going in by_structure.values():
            if spent >= most:
                return ended, spent, begun
            done, begun = 0, begun + len(going)
            for rung in halving.after:
                going = [place for place in going if len(tried[place].curve) >= rung]
                spent += len(going) * (rung - done)
                known: dict[Going, float] = {(str(place), None): reached(tried[place], rung) for place in going}
                done, going = rung, [int(name) for name, _ in halving.pick(rung, known)] if known else []
            spent += len(going) * (setting.epochs - done)
            ended += going
    return ended, spent, begun


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, quartiles and the 95th percentile."""
    quartiles = {name: round(float(np.quantile(values, q)), 4) for name, q in (("median", 0.5), ("95 %", 0.95))}
    return {"mean": round(float(np.mean(values)), 4), **quartiles}


def replayed(setting: Setting, tried: Sequence[Tried], orders: int) -> dict[str, Any]:
    """Ranks, losses and epochs over random orders of arrival."""
    scores = np.array([own.score for own in tried])
    rank = 1 + np.array([np.sum(scores > own) for own in scores])
    count = len(tried)
    found: dict[str, dict[str, list[float]]] = {}

    def note(name: str, places: Sequence[int], **more: float) -> None:
        best = max(places, key=lambda place: scores[place])
        lost = 100 * float(scores.max() - scores[best])
        for what, value in {"rank": int(rank[best]), "points lost": lost, **more}.items():
            found.setdefault(name, {}).setdefault(what, []).append(value)

    others = np.random.default_rng(1)
    for name, rule in rules(setting).items():
        generator = np.random.default_rng(0)  # the same orders for all
        for _ in range(orders):
            order = generator.permutation(count)
            ended, spent, _ = kept(setting, tried, order, rule)
            share = spent / (count * setting.epochs)
            few, _, begun = kept(setting, tried, order, rule, count * setting.epochs / QUARTER)
            best = max(scores[few]) if few else -np.inf
            note(name, ended, share=share, **{"at equal epochs": 100 * float(scores.max() - best), "tried": begun})
            if name == OWN:
                note(AT_RANDOM, others.permutation(count)[: max(1, round(share * count))].tolist())
    finite = [own for own in tried if own.finished]
    ends = rankdata([own.score for own in finite])
    agreement = {
        str(rung): round(float(np.corrcoef(rankdata([reached(own, rung) for own in finite]), ends)[0, 1]), 3)
        for rung in sorted({rung for rule in rules(setting).values() for rung in rule.after})
    }
    return {
        "candidates": count,
        "to the end": len(finite),
        "best score": round(float(scores.max()), 4),
        "median score": round(float(np.median(scores)), 4),
        "rank correlation with the final score, by epoch": agreement,
        "rules": {name: {what: spread(values) for what, values in own.items()} for name, own in found.items()},
    }


def printed(name: str, told: dict[str, Any]) -> str:
    lines = [
        f"{name}: {told['to the end']} of {told['candidates']} candidates, best {told['best score']}, median "
        f"{told['median score']}; rank correlations {told['rank correlation with the final score, by epoch']}",
        f"  {'':26}{'epochs':>8}{'rank, mean':>12}{'95 %':>8}{'points lost':>13}{'at equal epochs':>17}{'tried':>7}",
    ]
    for row, own in told["rules"].items():
        line = f"{own['rank']['mean']:>12.1f}{own['rank']['95 %']:>8.1f}{own['points lost']['mean']:>13.2f}"
        share = f"{own['share']['mean']:>8.0%}" if "share" in own else f"{'':8}"
        equal = f"{own['at equal epochs']['mean']:>17.2f}{own['tried']['mean']:>7.0f}" if "tried" in own else ""
        lines.append(f"  {row:26}{share}{line}{equal}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=54)
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name, rows in SETS.items():
        dataset = table(options.data, name, rows)
        for draw in DRAWS:
            print(f"{dataset.name}, drawn {draw}", file=sys.stderr, flush=True)
            setting, tried = trained(dataset, draw, options.candidates, options.epochs)
            told = replayed(setting, tried, options.orders)
            found[f"{dataset.name}, drawn {draw}"] = told
            print(printed(f"{dataset.name}, drawn {draw}", told), flush=True)
    given = {"metric": METRIC, "epochs": options.epochs, "rungs": rungs_of(options.epochs), "orders": options.orders}
    if not options.dry:
        RESULTS.write_text(
            json.dumps(provenance("optuna") | given | {"sets": found}, ensure_ascii=False) + "\n", "utf-8"
        )


if __name__ == "__main__":
    main()
