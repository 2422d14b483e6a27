"""Candidates a minute: Kohort's search beside KerasTuner and a loop of Optuna over Keras, at equal epochs.

python -m benchmarks.tuner_speed --data FOLDER [--candidates 300] [--each 2] [--epochs 54] [--rounds 3]

A table of 5,000 rows of adult (FOLDER holds adult.npz, which is not part of Kohort), four structures of the cocktail
and all of its strengths. Kohort searches with and without halving, each in a process of its own: cold, all tracing and
compiling included, and warm, a second search in the process under another seed. The peers draw from the same space and
fit the same Keras models on the same rows, float for float, with the same batches and epochs; what is off is left out
of their models. They compile each candidate, as their users do, and all of that is timed. KerasTuner is RandomSearch
with executions_per_trial=1, Optuna is TPE with keras.backend.clear_session() between trials; each with
steps_per_execution 1 and 32, Optuna also in two processes on the two cores, and the fastest of each counts.

What a candidate costs depends on its structure: peers train `each` candidates of every structure, and their candidates
a minute are those for Kohort's own mix of structures.

Beside them stands what no program on these cores exceeds: the time of the multiplications of matrices alone, at the
speed that NumPy's BLAS reaches on matrices of these sizes, a process on each core. For the mix it says how many times
as many candidates as a peer could be tried at all.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance
from benchmarks.real_data import table
from benchmarks.tuner_floor import MULTIPLICATIONS, multiplying
from benchmarks.tuner_peers import Fitting, seconds_of
from kohort.data import Dataset
from kohort.tuner.cocktail import cocktail
from kohort.tuner.objective import objective_of
from kohort.tuner.search import Budget, Searched, search
from kohort.tuner.setting import SEARCH_SEED, Setting
from kohort.tuner.space import Space
from tests.compilations import Compilations

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "tuner_speed.json"
ROWS, BATCH, STRUCTURES = 5000, 128, 4
ALL_EPOCHS = "all epochs"
KOHORT = {ALL_EPOCHS: False, "halving": True}  # name -> whether candidates leave early
PEERS = {  # name -> job, steps of an execution, processes
    f"{job}, {steps} steps{f', {processes} processes' if processes > 1 else ''}": (job, steps, processes)
    for job, processes in (("KerasTuner", 1), ("Optuna", 1), ("Optuna", 2))
    for steps in (1, 32)
}
KINDS = {"KerasTuner": "KerasTuner", "Optuna": "Optuna", "2 processes": "Optuna, 2 processes"}


def setting_of(dataset: Dataset, seed: int, epochs: int) -> Setting:
    return Setting(dataset, SEARCH_SEED + seed, epochs, BATCH, objective_of("accuracy", True))


def space_of(setting: Setting) -> Space:
    """The cocktail with four of its structures, the same for every seed."""
    whole = cocktail(setting.dataset.task, rows=setting.rows[0])
    return Space("cocktail of four", {"structure": whole.structures(STRUCTURES, SEARCH_SEED)}, whole.knobs)


def searches(dataset: Dataset, options: argparse.Namespace, halving: bool) -> dict[str, Any]:
    """Two searches in this process, cold and warm."""
    found = {}
    for turn, kind in enumerate(("cold", "warm")):
        setting = setting_of(dataset, 2 * options.round + turn, options.epochs)
        with Compilations() as compiled:
            budget = Budget(candidates=options.candidates)
            searched = search(setting, space_of(setting), budget, structures=STRUCTURES, halving=halving)
        found[kind] = _told(searched) | {"programs": compiled.names.count("jit(train_cohort)")}
    return found


def _told(searched: Searched) -> dict[str, Any]:
    ends = [own.curve[-1] for own in searched.tried if own.finished]
    return {
        "candidates a minute": round(searched.per_minute, 2),
        "seconds": round(searched.seconds, 2),
        "mix": dict(Counter(str(own.values["structure"]) for own in searched.tried)),
        "epochs": sum(len(own.curve) for own in searched.tried),
        "finished": len(ends),
        "median accuracy": round(statistics.median(ends), 4) if ends else None,
    }


def peer(dataset: Dataset, options: argparse.Namespace) -> dict[str, Any]:
    """A peer's seconds of a candidate, by structure."""
    setting = setting_of(dataset, 2 * options.round, options.epochs)
    if options.job == MULTIPLICATIONS:
        return {"seconds": multiplying(setting, space_of(setting))}
    fitting = Fitting(setting, space_of(setting), options.steps)
    seconds = seconds_of(options.job, fitting, 100 * options.round + options.process, options.each)
    return {"seconds": seconds, "median accuracy": round(statistics.median(fitting.accuracies), 4)}


def in_processes(options: argparse.Namespace, turn: int, job: str, steps: int = 1, processes: int = 1) -> list[Any]:
    """What processes tell that do a job side by side."""
    given = [f"--{name}={getattr(options, name)}" for name in ("data", "candidates", "each", "epochs")]
    command = [sys.executable, "-m", "benchmarks.tuner_speed", *given, f"--round={turn}", f"--job={job}"]
    environment = {name: value for name, value in os.environ.items() if name != "JAX_NUM_CPU_DEVICES"}
    if job not in KOHORT:
        environment["JAX_NUM_CPU_DEVICES"] = "1"  # what Keras has alone
    if job == MULTIPLICATIONS:
        environment["OPENBLAS_NUM_THREADS"] = "1"  # there is a process for each core
    started = [
        subprocess.Popen(
            [*command, f"--steps={steps}", f"--process={number}"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            text=True,
        )
        for number in range(processes)
    ]
    told = [process.communicate()[0] for process in started]
    assert all(process.returncode == 0 for process in started), f"{job} has failed"
    return [json.loads(text.splitlines()[-1]) for text in told]


def at_mix(seconds: dict[str, float], mix: dict[str, int]) -> float:
    """A peer's candidates a minute at a mix of structures."""
    return 60.0 * sum(mix.values()) / sum(count * seconds[structure] for structure, count in mix.items())


def together(told: list[Any]) -> dict[str, float]:
    """Seconds of a candidate by structure where processes side by side try some each."""
    structures = told[0]["seconds"]
    return {own: sum(each["seconds"][own] for each in told) / len(told) ** 2 for own in structures}


def summary(ours: dict[str, list[Any]], theirs: dict[str, list[Any]], floor: list[dict[str, float]]) -> dict[str, Any]:
    """Medians over rounds, with the least and the most.

    Args:
        ours: Kohort's searches by kind and round.
        theirs: The peers' seconds by kind and round.
        floor: The seconds of the multiplications alone by round.
    """
    rows: dict[str, Any] = {}
    for name, rounds in ours.items():
        for kind in ("cold", "warm"):
            own = [turn[kind] for turn in rounds]
            row: dict[str, Any] = {"candidates a minute": _spread([turn["candidates a minute"] for turn in own])}
            for peers in KINDS.values():
                every = {other: seconds for other, seconds in theirs.items() if _kind(other) == peers}
                rates = [
                    max(at_mix(seconds[place]["seconds"], turn["mix"]) for seconds in every.values())
                    for place, turn in enumerate(own)
                ]
                ratios = [turn["candidates a minute"] / rate for turn, rate in zip(own, rates, strict=True)]
                row[peers] = {"candidates a minute": _spread(rates), "times as many": _spread(ratios)}
                if name == ALL_EPOCHS:
                    most = [at_mix(floor[place], turn["mix"]) for place, turn in enumerate(own)]
                    row["most"] = _spread(most)
                    row[peers]["times at the most"] = _spread([m / rate for m, rate in zip(most, rates, strict=True)])
            rows[f"{name}, {kind}"] = row | {"programs": [turn["programs"] for turn in own]}
    return rows


def _kind(peer: str) -> str:
    return next(kind for end, kind in reversed(KINDS.items()) if end in peer)


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(values), 1), "min": round(min(values), 1), "max": round(max(values), 1)}


def printed(rows: dict[str, Any]) -> str:
    lines = [f"{'Kohort':18}{'a minute':>9}{'programs':>14}" + "".join(f"{kind:>28}" for kind in KINDS.values())]
    for name, row in rows.items():
        line = f"{name:18}{row['candidates a minute']['median']:>9}{row['programs']!s:>14}"
        for kind in KINDS.values():
            rate, ratio = row[kind]["candidates a minute"]["median"], row[kind]["times as many"]
            most = row[kind].get("times at the most")
            told = f"{rate}, {ratio['median']}× ({ratio['min']}–{ratio['max']})" + (
                f" of {most['median']}" if most else ""
            )
            line += f"{told:>28}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--candidates", type=int, default=300, help="of a search of Kohort")
    parser.add_argument("--each", type=int, default=2, help="candidates of a peer, of each structure")
    parser.add_argument("--epochs", type=int, default=54)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    for name in ("round", "steps", "process"):
        parser.add_argument(f"--{name}", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        dataset = table(options.data, "adult", ROWS)
        own = options.job in KOHORT
        print(json.dumps(searches(dataset, options, KOHORT[options.job]) if own else peer(dataset, options)))
        return
    ours: dict[str, list[Any]] = {name: [] for name in KOHORT}
    theirs: dict[str, list[Any]] = {name: [] for name in PEERS}
    floor: list[dict[str, float]] = []
    given = {"rows": ROWS, "epochs": options.epochs, "candidates": options.candidates, "each": options.each}
    for turn in range(options.rounds):
        for name in KOHORT:
            ours[name] += in_processes(options, turn, name)
            print(f"round {turn + 1}, Kohort, {name}: {ours[name][-1]}", file=sys.stderr)
        for name, (job, steps, processes) in PEERS.items():
            told = in_processes(options, turn, job, steps, processes)
            accuracies = [own["median accuracy"] for own in told]
            theirs[name].append({"seconds": together(told), "median accuracy": accuracies})
            print(f"round {turn + 1}, {name}: {theirs[name][-1]}", file=sys.stderr)
        cores = os.cpu_count() or 1
        floor.append(together(in_processes(options, turn, MULTIPLICATIONS, processes=cores)))
        print(f"round {turn + 1}, {MULTIPLICATIONS}: {floor[-1]}", file=sys.stderr)
        rows = summary(ours, theirs, floor)
        if not options.dry:  # after each round: one that is stopped has measured what it has
            told = provenance("optuna", "keras-tuner") | given | {"rounds": turn + 1, "summary": rows}
            told |= {"kohort": ours, "peers": theirs, "multiplications": floor}
            RESULTS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(printed(rows), flush=True)


if __name__ == "__main__":
    main()
