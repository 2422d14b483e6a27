"""Halving is not a lottery: what it would have kept of candidates that were all trained to the end.

python -m benchmarks.halving --data FOLDER [--candidates 100] [--epochs 54] [--orders 200]

On kc1 and 5,000 rows of adult (FOLDER holds their .npz files, which are not part of Kohort), candidates of the cocktail
train to the end, once drawn evenly and once as the search draws them, by what it has learnt. Then halving is replayed
on their curves under random orders of arrival: rounds of 32, in each round structure by structure, as cohorts come to a
rung. Told is the rank, among all candidates by their final score, of the best of those that halving let train to the
end; beside it the best of a third and of a ninth of the candidates at random, and of as many at random as the epochs
that halving took would have trained to the end. Ranks count from 1; the expected rank of the best of m among n is
(n + 1) / (m + 1).
"""

import argparse
import json
import sys
from collections.abc import Sequence
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
SETS = {"kc1": None, "adult": 5000}  # name -> how many of its rows
METRIC = "balanced_accuracy"
DRAWS = ("evenly", "as the search draws")


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


def kept(setting: Setting, tried: Sequence[Tried], order: np.ndarray) -> tuple[list[int], int]:
    """Which candidates halving lets train to the end, and the epochs that all of them take.

    Args:
        setting: What they trained on.
        tried: The candidates.
        order: In which they come, as places in `tried`.
    """
    halving = Halving(setting.objective, rungs_of(setting.epochs))
    ended: list[int] = []
    spent = 0
    for start in range(0, len(order), ROUND):
        by_structure: dict[str, list[int]] = {}
        for place in map(int, order[start : start + ROUND]):
            by_structure.setdefault(tried[place].values["structure"], []).append(place)
        for going in by_structure.values():
            done = 0
            for rung in halving.after:
                going = [place for place in going if len(tried[place].curve) >= rung]
                spent += len(going) * (rung - done)
                known: dict[Going, float] = {(str(place), None): reached(tried[place], rung) for place in going}
                done, going = rung, [int(name) for name, _ in halving.pick(rung, known)]
            spent += len(going) * (setting.epochs - done)
            ended += going
    return ended, spent


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean, quartiles and the 95th percentile."""
    quartiles = {name: round(float(np.quantile(values, q)), 4) for name, q in (("median", 0.5), ("95 %", 0.95))}
    return {"mean": round(float(np.mean(values)), 4), **quartiles}


def replayed(setting: Setting, tried: Sequence[Tried], orders: int) -> dict[str, Any]:
    """Ranks, losses and epochs over random orders of arrival."""
    scores = np.array([own.score for own in tried])
    rank = 1 + np.array([np.sum(scores > own) for own in scores])
    generator = np.random.default_rng(0)
    count = len(tried)
    found: dict[str, dict[str, list[float]]] = {}

    def note(name: str, places: Sequence[int]) -> None:
        best = max(places, key=lambda place: scores[place])
        own = found.setdefault(name, {"rank": [], "points lost": []})
        own["rank"].append(int(rank[best]))
        own["points lost"].append(100 * float(scores.max() - scores[best]))

    shares: list[float] = []
    for _ in range(orders):
        ended, spent = kept(setting, tried, generator.permutation(count))
        note("halving", ended)
        shares.append(spent / (count * setting.epochs))
        at_random = generator.permutation(count).tolist()
        note("a third at random", at_random[: round(count / 3)])
        note("a ninth at random", at_random[: round(count / 9)])
        note("as many epochs at random", at_random[: max(1, round(shares[-1] * count))])
    finite = [own for own in tried if own.finished]
    ends = rankdata([own.score for own in finite])
    agreement = {
        str(rung): round(float(np.corrcoef(rankdata([reached(own, rung) for own in finite]), ends)[0, 1]), 3)
        for rung in rungs_of(setting.epochs)
    }
    return {
        "candidates": count,
        "to the end": len(finite),
        "best score": round(float(scores.max()), 4),
        "median score": round(float(np.median(scores)), 4),
        "share of epochs": spread(shares),
        "rank correlation with the final score, by rung": agreement,
        **{
            name: {
                "rank": spread(own["rank"]),
                "best of all": round(float(np.mean(np.array(own["rank"]) == 1)), 3),
                "among the best 5 %": round(float(np.mean(np.array(own["rank"]) <= max(1, count // 20))), 3),
                "points lost": spread(own["points lost"]),
            }
            for name, own in found.items()
        },
    }


def printed(name: str, told: dict[str, Any]) -> str:
    lines = [
        f"{name}: {told['to the end']} of {told['candidates']} candidates, best {told['best score']}, median "
        f"{told['median score']}; halving takes {100 * told['share of epochs']['mean']:.0f} % of the epochs; "
        f"rank correlations {told['rank correlation with the final score, by rung']}",
        f"  {'':26}{'rank, mean':>12}{'median':>8}{'95 %':>8}{'the best':>10}{'best 5 %':>10}{'points lost':>13}",
    ]
    for row in ("halving", "as many epochs at random", "a third at random", "a ninth at random"):
        own = told[row]
        rank, shares = own["rank"], (own["best of all"], own["among the best 5 %"])
        lines.append(
            f"  {row:26}{rank['mean']:>12.1f}{rank['median']:>8.1f}{rank['95 %']:>8.1f}"
            f"{shares[0]:>10.0%}{shares[1]:>10.0%}{own['points lost']['mean']:>13.2f}"
        )
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
            candidates = [
                {
                    "structure": own.values["structure"],
                    "score": round(own.score, 4) if own.finished else None,
                    "curve": [round(value, 4) if np.isfinite(value) else None for value in own.curve],
                }
                for own in tried
            ]
            found[f"{dataset.name}, drawn {draw}"] = told | {"each": candidates}
            print(printed(f"{dataset.name}, drawn {draw}", told), flush=True)
    given = {"metric": METRIC, "epochs": options.epochs, "rungs": rungs_of(options.epochs), "orders": options.orders}
    if not options.dry:
        RESULTS.write_text(
            json.dumps(provenance("optuna") | given | {"sets": found}, ensure_ascii=False) + "\n", "utf-8"
        )


if __name__ == "__main__":
    main()
