"""A/A with networks that were really trained: both arms are the same recipe, a difference is a false alarm.

PAIRS pairs, each on data of its own (`make_classification`, a tenth of the labels flipped): 184 test rows drawn once;
for each of 10 seeds the other rows are cut anew into 320 for training and 96 for validation, which both arms share;
weights and batch orders are each run's own. All runs train as one cohort.

python -m benchmarks.statistics.trained
"""

import time
from collections import defaultdict

import kohort  # noqa: F401 - before Keras, which it puts on JAX  # isort: skip

import jax
import keras
import numpy as np
from scipy import stats
from sklearn.datasets import make_classification

from benchmarks.statistics.record import record, shown
from kohort.cohort.arrays import Arrays
from kohort.cohort.members import Training
from kohort.cohort.order import Course, Data
from kohort.cohort.outcomes import measure
from kohort.cohort.predict import predict
from kohort.progress import silent
from kohort.recipes.recipe import Recipe
from kohort.run import Run
from kohort.statistics import ScoreTable, judge
from kohort.training import Request, fit_members

PAIRS, SEEDS, EPOCHS, BATCH = 400, 10, 12, 32
ROWS, TEST, VALIDATION, FEATURES = 600, 184, 96, 20
HALF_A_POINT = 0.005


def build() -> keras.Model:
    stack = [keras.layers.Input((FEATURES,)), keras.layers.Dense(16, "relu", kernel_initializer="he_normal")]
    model = keras.Sequential([*stack, keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data_of_all_pairs() -> tuple[np.ndarray, np.ndarray]:
    """Rows of one pair after another: (pairs · rows, features) and their labels."""
    made = [
        make_classification(
            ROWS, FEATURES, n_informative=6, n_redundant=4, flip_y=0.1, class_sep=0.8, shuffle=True, random_state=pair
        )
        for pair in range(PAIRS)
    ]
    x, y = (np.concatenate([parts[i] for parts in made]) for i in (0, 1))
    return x.astype(np.float32), y.astype(np.int32)


def runs_of_all_pairs(x: np.ndarray, y: np.ndarray) -> tuple[list[Run], np.ndarray]:
    """The runs in the order pairs, arms, seeds, and what their final weights make of their test rows."""
    cuts = [np.random.default_rng([p, seed]).permutation(ROWS - TEST) for p in range(PAIRS) for seed in range(SEEDS)]
    both = list(range(PAIRS * 2 * SEEDS))
    first = [TEST + ROWS * (number // (2 * SEEDS)) for number in both]
    own = [start + cuts[(n // (2 * SEEDS)) * SEEDS + n % SEEDS] for n, start in zip(both, first, strict=True)]
    rows = np.stack(own).astype(np.int32)
    pool = Arrays((x, y), jax.tree.structure((0, 0)))
    data = Data(pool, pool, rows[:, VALIDATION:], rows[:, :VALIDATION])
    params = {"verbose": 0, "epochs": EPOCHS, "steps": (ROWS - TEST - VALIDATION) // BATCH}
    options = Training(pool.picked(rows[0, VALIDATION:]), BATCH, True)
    fitted = fit_members([Recipe("same", build)], both, Request(options, data, Course(EPOCHS, params=params)), silent)
    (cohort,) = fitted.cohorts
    tested = np.stack([np.arange(TEST) + ROWS * (number // (2 * SEEDS)) for number in both]).astype(np.int32)
    inputs = Arrays((x,), jax.tree.structure(0))
    states = [result.state for result in cohort.results]
    outcomes = np.zeros((len(both), TEST), np.float32)
    accuracy = measure("accuracy", y, 2)
    for member, outputs, _ in predict(cohort.models, [0] * len(both), states, inputs, tested):
        outcomes[member] = accuracy.outcomes(y[tested[member]], outputs)
    return fitted.runs, outcomes


def main() -> None:
    begun = time.perf_counter()
    x, y = data_of_all_pairs()
    runs, outcomes = runs_of_all_pairs(x, y)
    table = outcomes.reshape(PAIRS, 2, SEEDS, TEST)
    promised = np.array([max(run.history["val_accuracy"]) for run in runs]).reshape(PAIRS, 2, SEEDS)
    counted: dict[str, list[float]] = defaultdict(list)
    for rows, best in zip(table, promised, strict=True):
        scores = rows.mean(axis=2, dtype=np.float64)
        (verdict,) = judge(ScoreTable(("one", "other"), tuple(range(SEEDS)), scores, rows), "one").verdicts
        counted["P_calls_a_difference"].append(int(verdict.kind in ("helps", "hurts")))
        counted["P_interval_without_0"].append(int(verdict.interval.low > 0 or verdict.interval.high < 0))
        seeds = verdict.seeds_interval
        counted["S_interval_without_0"].append(int(seeds.low > 0 or seeds.high < 0))
        counted["S_sign_flip_p_below_0.05"].append(int(verdict.sign_flip_p < 0.05))
        counted["t_test_over_seeds_unpaired"].append(int(stats.ttest_ind(*scores).pvalue < 0.05))
        gap = abs(best[0, 0] - best[1, 0])
        counted["best_epoch_of_one_seed_differs_by_half_a_point"].append(int(gap >= HALF_A_POINT))
        counted["best_epoch_minus_test_of_its_run"].append(float((best - scores).mean()))
    facts = {
        "runs": len(runs),
        "mean test accuracy": round(float(table.mean(dtype=np.float64)), 4),
        "standard deviation over seeds": round(float(table.mean(axis=3).std(axis=2, ddof=1).mean()), 4),
    }
    print(shown(record("trained_aa", PAIRS, time.perf_counter() - begun, counted, **facts)), facts)


if __name__ == "__main__":
    main()
