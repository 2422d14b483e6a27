"""Whether the verdicts may be believed: false alarms, coverage and power where the truth is known.

python -m benchmarks.statistics [SCENARIO …] [--studies 2000] [--list]

Without names, all scenarios: a quarter of an hour in two processes, each two minutes at most. Results go to
benchmarks/results/statistics/SCENARIO.json; every rate has its count, its n and Clopper–Pearson bounds at 95 %.
Simulated studies take 500 resamples where `judge` takes 10,000: a level is then met on average over studies,
as it is with more, and a study costs a tenth.
"""

import argparse
import multiprocessing
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process a core
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from benchmarks.statistics.record import record, shown
from benchmarks.statistics.world import World, first_seeds
from kohort.statistics import Looks, Verdicts, judge, mean_interval, next_round

STUDIES = 2_000
Counts = dict[str, list[float]]


def false_alarms(recipes: int, seeds: int, rows: int = 400) -> Callable[[np.random.Generator], Counts]:
    """A/A: `recipes` copies of the baseline share splits and rows and train with noise of their own."""
    world = World((0.85,) * (recipes + 1))

    def study(generator: np.random.Generator) -> Counts:
        table, _ = world.draw(seeds, rows, generator)
        return _alarms(judge(table, "recipe 0", resamples=500, seed=_number(generator)))

    return study


def equal_learners(seeds: int = 20, rows: int = 500) -> Callable[[np.random.Generator], Counts]:
    """Three learners as good as the baseline on the population, each better on rows of its own."""
    world = World((0.85,) * 4, run=0.03, hardness=1.2, taste=1.0)

    def study(generator: np.random.Generator) -> Counts:
        table, _ = world.draw(seeds, rows, generator)
        verdicts = judge(table, "recipe 0", resamples=500, seed=_number(generator))
        said = _alarms(verdicts)
        tests = [mean_interval(own - table.scores[0]) for own in table.scores[1:]]
        said["naive_t_over_seeds"] = [any(test.low > 0 or test.high < 0 for test in tests)]
        # One seed; ten late epochs, whose outcomes on 500 validation rows differ in half of the noise.
        mu = world.mu[:, None] + world.hardness * generator.standard_normal((1, rows))
        mu = mu + world.taste * generator.standard_normal((4, rows)) + generator.standard_normal((4, rows)) * 0.5**0.5
        epochs = mu[:, None, :] + generator.standard_normal((4, 10, rows)) * 0.5**0.5
        best = (epochs > 0).mean(axis=2).max(axis=1)
        said["naive_pick_is_not_the_baseline"] = [bool(best.argmax() != 0)]
        said["naive_gain_promised"] = [float(best.max() - best[0])]
        said["naive_optimism"] = [float(best.max() - 0.85)]
        return said

    return study


WORLDS = {
    "seeds": World((), run=0.15, taste=0.1),
    "rows": World((), run=0.03, taste=0.5),
    "mixed": World((), run=0.08, taste=0.3, cell=0.8),
}
EFFECTS = (0.0, 0.01, 0.02, 0.04)
BETTER = (0.85, *(0.85 + effect for effect in EFFECTS))


def planted(seeds: int, kind: str, rows: int = 1_000) -> Callable[[np.random.Generator], Counts]:
    """Recipes that are better by 0, 1, 2 and 4 points."""
    world = replace(WORLDS[kind], scores=BETTER)

    def study(generator: np.random.Generator) -> Counts:
        table, on_rows = world.draw(seeds, rows, generator)
        verdicts = judge(table, "recipe 0", resamples=500, seed=_number(generator))
        p, s = np.array(EFFECTS), on_rows[1:] - on_rows[0]
        said: Counts = {
            "P_simultaneous_coverage": [_all_hold([v.interval for v in verdicts.verdicts], p)],
            "S_simultaneous_coverage": [_all_hold([v.seeds_interval for v in verdicts.verdicts], s)],
            "P_coverage_each": [],
            "S_coverage_each": [],
        }
        for verdict, effect, own, scores in zip(verdicts.verdicts, p, s, table.scores[1:], strict=True):
            parts = verdict.components
            assert parts is not None
            half = stats.t.ppf(0.975, parts.df(seeds, rows)) * parts.variance(seeds, rows) ** 0.5
            said["P_coverage_each"].append(abs(verdict.estimate - effect) <= half)
            interval = mean_interval(scores - table.scores[0])
            said["S_coverage_each"].append(interval.low <= own <= interval.high)
            for outcome in ("helps", "hurts", "no difference that matters", "not enough evidence"):
                said[f"effect {effect:g}: {outcome}"] = [verdict.kind == outcome]
        return said

    return study


def auto(kind: str, budget: int = 40, rows: int = 1_000) -> Callable[[np.random.Generator], Counts]:
    """Seeds until settled: `aa` has no effects, `clear` has 3 and 5 points, others are as in `planted`."""
    world = {
        "aa": World((0.85,) * 5),
        "clear": replace(WORLDS["mixed"], scores=(0.85, 0.88, 0.9)),
        **{name: replace(own, scores=BETTER) for name, own in WORLDS.items()},
    }[kind]
    effects = np.array(world.scores[1:]) - world.scores[0]

    def study(generator: np.random.Generator) -> Counts:
        table, on_rows = world.draw(budget, rows, generator)
        s = on_rows[1:] - on_rows[0]
        looks, stopped = Looks.upto(budget), False
        p_held, s_held, called = [], [], []
        said: Counts = {}
        number = _number(generator)
        for seeds in looks.seeds:  # all looks are taken, so that "at every look" can be counted, too
            verdicts = judge(first_seeds(table, seeds), "recipe 0", resamples=500, looks=looks, seed=number)
            assert verdicts.looks is not None
            looks = verdicts.looks
            p_held.append(_all_hold([v.interval for v in verdicts.verdicts], effects))
            s_held.append(_all_hold([v.seeds_interval for v in verdicts.verdicts], s))
            called.append(any(v.interval.low > 0 or v.interval.high < 0 for v in verdicts.verdicts))
            decision = next_round(verdicts)
            if not stopped and decision.seeds is None:
                stopped = True
                said["P_coverage_at_stopping"], said["S_coverage_at_stopping"] = [p_held[-1]], [s_held[-1]]
                said["seeds_at_stopping"] = [seeds]
                said["all_settled_at_stopping"] = [all(v.settled for v in verdicts.verdicts)]
                for verdict, effect in zip(verdicts.verdicts, effects, strict=True):
                    for outcome in ("helps", "hurts", "no difference that matters", "not enough evidence"):
                        said.setdefault(f"effect {effect:.3g}: {outcome}", []).append(verdict.kind == outcome)
                if kind == "aa":
                    said["P_false_alarm_at_stopping"] = [called[-1]]
        said["P_coverage_at_every_look"], said["S_coverage_at_every_look"] = [all(p_held)], [all(s_held)]
        if kind == "aa":
            said["P_false_alarm_at_any_look"] = [any(called)]
        return said

    return study


SCENARIOS: dict[str, Callable[[np.random.Generator], Counts]] = {
    **{f"aa_{k}_recipes_{n}_seeds": false_alarms(k, n) for k in (4, 20) for n in (6, 20)},
    "equal_learners": equal_learners(),
    **{f"planted_{kind}_{n}_seeds": planted(n, kind) for kind in WORLDS for n in (6, 10, 20)},
    **{f"auto_{kind}": auto(kind) for kind in ("aa", *WORLDS, "clear")},
}


def _alarms(verdicts: Verdicts) -> Counts:
    own = verdicts.verdicts
    return {
        "P_adjusted_p_below_0.05": [any(v.adjusted_p <= 0.05 for v in own)],
        "P_interval_without_0": [any(v.interval.low > 0 or v.interval.high < 0 for v in own)],
        "P_holm_below_0.05": [any(v.holm_p <= 0.05 for v in own)],
        "S_adjusted_p_below_0.05": [any(v.sign_flip_p <= 0.05 for v in own)],
        "S_interval_without_0": [any(v.seeds_interval.low > 0 or v.seeds_interval.high < 0 for v in own)],
        "helps_or_hurts": [any(v.kind in ("helps", "hurts") for v in own)],
    }


def _all_hold(intervals: list[Any], truths: np.ndarray) -> bool:
    return all(i.low <= truth <= i.high for i, truth in zip(intervals, truths, strict=True))


def _number(generator: np.random.Generator) -> int:
    return int(generator.integers(2**31))


def counts(task: tuple[str, int]) -> Counts:
    """What one simulated study says; its draws depend on its scenario and its number alone."""
    name, number = task
    return SCENARIOS[name](np.random.default_rng([list(SCENARIOS).index(name), number]))


def simulate(name: str, studies: int, pool: Any) -> dict[str, Any]:
    """Runs a scenario and writes what came of it."""
    begun = time.perf_counter()
    counted: Counts = defaultdict(list)
    for said in pool.imap(counts, [(name, number) for number in range(studies)], chunksize=50):
        for what, values in said.items():
            counted[what] += values
    return record(name, studies, time.perf_counter() - begun, counted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--studies", type=int, default=STUDIES)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name the scenarios and stop")
    options = parser.parse_args()
    if options.list:
        print("\n".join(SCENARIOS))
        return
    unknown = sorted(set(options.scenarios) - set(SCENARIOS))
    if unknown:
        parser.error(f"scenarios are {', '.join(SCENARIOS)}. Got {', '.join(unknown)}.")
    with multiprocessing.Pool(options.processes) as pool:
        for name in options.scenarios or SCENARIOS:
            print(shown(simulate(name, options.studies, pool)), flush=True)


if __name__ == "__main__":
    main()
