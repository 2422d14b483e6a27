"""Does the tuner claim gains where there are none?

python -m benchmarks.tuner_nothing [--repeats 60] [--candidates 16]

`inert`: what is chosen from changes nothing but which weights a seed begins with, so that every candidate is as good
as any other. Each repeat has data of its own. The share of repeats in which the chosen recipe "helps" on test rows must
not be above 2.5 % (the verdict's interval holds in 95 % of cases, and errs to both sides alike).

`enough`: a cocktail on data that leaves regularisation nothing to do: many rows, two classes apart but for a few rows
that nobody can tell. How often the tuner says that it helps.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kohort
from benchmarks.provenance import provenance

import keras  # isort: skip
from keras import layers
from scipy import stats

from kohort.data.generated import blobs, moons

RESULTS = Path(__file__).parent / "results" / "tuner_nothing.json"


def inert(hp: Any) -> keras.Model:
    """A network in which the one choice is how many numbers are drawn, and not used, before its weights are."""
    for _ in range(hp.Int("drawn", 0, 20)):
        keras.random.SeedGenerator()
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(16, "relu", kernel_initializer="he_normal"), layers.Dense(2, "softmax")]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def of_inert(repeats: int, candidates: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for repeat in range(repeats):
        data = moons(400, label_noise=0.2, seed=repeat)
        result = kohort.tune(
            data, space=inert, minutes=None, candidates=candidates, epochs=9, seeds=10, seed=repeat, verbose=0
        )
        found.append(_told(result, f"moons {repeat}"))
    return found


def of_enough(candidates: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for seed in range(3):
        for data in (moons(3000, seed=seed), blobs(3000, classes=2, seed=seed)):
            result = kohort.tune(
                data,
                minutes=None,
                candidates=candidates,
                epochs=27,
                structures=3,
                seeds=10,
                ingredients=False,
                verbose=0,
            )
            found.append(_told(result, f"{data.name} {seed}"))
    return found


def _told(result: Any, name: str) -> dict[str, Any]:
    verdict = result.verdict
    assert result.optimism is not None
    own = {"name": name, "verdict": verdict.kind, "gain": verdict.interval.mean, "optimism": result.optimism.mean}
    print(json.dumps(own), flush=True)
    return own


def counted(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kinds = Counter(own["verdict"] for own in found)
    interval = stats.binomtest(kinds["helps"], len(found)).proportion_ci(0.95, method="exact")
    mean = sum(own["optimism"] for own in found) / len(found)
    return {"n": len(found), "verdicts": kinds, "helps, 95 %": [interval.low, interval.high], "mean optimism": mean}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--candidates", type=int, default=16)
    asked = parser.parse_args()
    each = {"inert": of_inert(asked.repeats, asked.candidates), "enough": of_enough(32)}
    told = {
        **provenance("optuna"),
        **{name: counted(found) for name, found in each.items()},
        "each": each,
    }
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: told[name] for name in each}, indent=1))


if __name__ == "__main__":
    main()
