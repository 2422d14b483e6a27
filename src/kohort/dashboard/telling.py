"""What pages are told of studies: plain values for JSON, in which every name is a value and nothing else."""

import math
from collections.abc import Mapping
from typing import Any

from kohort.dashboard.studies import Watched
from kohort.report.curves import Curve, curves_of, drawn_rows, parts_of
from kohort.report.sentences import improvement_in_words, lead_sentence, verdict_sentences
from kohort.statistics.intervals import Interval, mean_interval
from kohort.statistics.units import Units
from kohort.store.reading import StoredStudy
from kohort.terminal import best_so_far

HASH = 64
"""Characters of SHA-256."""

FEWEST_PAIRS = 2
"""Seeds that make an interval."""


def overview(watched: Watched) -> dict[str, Any]:
    """A study as a line of a list."""
    study = watched.study
    told: dict[str, Any] = {"key": watched.key, "place": watched.place, "state": state_of(watched), "lead": ""}
    if study is None:
        return {**told, "data": watched.trouble, "recipes": None, "seeds": None, "runs": None, "ended": ""}
    return {
        **told,
        "data": study.identity.dataset,
        "recipes": len(study.identity.recipes),
        "seeds": len(study.seeds),
        "runs": len(study.runs),
        "ended": study.ended[:16].replace("T", " "),
        "lead": "" if watched.comparison is None else lead_sentence(watched.comparison),
    }


def state_of(watched: Watched) -> str:
    """What a study does, in a word or two."""
    if watched.study is None:
        return "cannot be read"
    if watched.live is not None:
        return "training"
    kinds = {failure.kind for failure in watched.study.unfinished}
    return "interrupted" if kinds & {"interrupted", "running"} else "ended" if watched.study.runs else "empty"


def told_of(watched: Watched) -> dict[str, Any]:
    """All that a study's page shows."""
    study, live, comparison = watched.study, watched.live, watched.comparison
    told: dict[str, Any] = {"version": watched.version, "state": state_of(watched), "trouble": watched.trouble}
    if study is None:
        return told
    units = units_of(watched)
    rounds = bool(study.identity.facts.get("most_seeds"))
    return {
        **told,
        "data": study.identity.dataset,
        "metric": units.heading,
        "lead": "" if comparison is None else lead_sentence(comparison),
        "verdicts": [] if comparison is None else list(verdict_sentences(comparison)),
        "note": "Seeds come in rounds: verdicts are given when the rounds have ended, in the report of the command."
        if rounds
        else "",
        "progress": None
        if live is None
        else {
            "doing": live.doing,
            "done": live.run_epochs,
            "total": live.total,
            "seconds": live.seconds,
            "left": live.left,
        },
        "cohorts": [
            {
                "recipes": ", ".join(own.recipes),
                "members": own.members,
                "epoch": f"{own.epoch}/{own.epochs}",
                "running": own.going,
                "diverged": own.diverged,
                "best": best_so_far(own.logs),
            }
            for own in (live.cohorts if live else ())
        ],
        "recipes": _recipes(watched, study, units),
        "failures": [str(failure) for failure in study.failures if failure.kind != "running"],
        "curves": _curves(watched, study, units),
        "facts": study.facts(),
    }


def units_of(watched: Watched) -> Units:
    """How a study's scores are written, before there are any."""
    if watched.comparison is not None:
        return watched.comparison.units
    assert watched.study is not None
    metric = watched.study.identity.decides["metric"]
    tests = [run.test for run in watched.study.runs.values() if run.test is not None]
    share = all(own.greater_is_better and 0.0 <= own.score <= 1.0 for own in tests) if tests else "accuracy" in metric
    return Units(metric, share)


def _recipes(watched: Watched, study: StoredStudy, units: Units) -> list[dict[str, Any]]:
    summaries = {} if watched.comparison is None else {own.recipe: own for own in watched.comparison.recipes}
    rows = []
    for recipe in study.identity.recipes:
        runs = study.runs.of(recipe)
        summary = summaries.get(recipe)
        verdict = "" if summary is None or summary.verdict is None else summary.verdict.kind
        rows.append(
            {
                "recipe": recipe,
                "runs": len(runs),
                "diverged": sum(not run.outcome.finished for run in runs),
                "mean": "" if summary is None else units.within(summary.test_mean),
                "improvement": "" if summary is None else improvement_in_words(summary, units),
                "verdict": verdict,
            }
        )
    return rows


def _curves(watched: Watched, study: StoredStudy, units: Units) -> list[dict[str, Any]]:
    """Rows of the learning curves: of the cohorts in training, and of the recipes whose runs have ended."""
    metric = units.metric
    going = [own for own in watched.live.cohorts if own.going] if watched.live else []
    curves = [
        Curve(recipe, part, *(tuple(values) for values in (logs[log].mean, logs[log].low, logs[log].high)))
        for own in going
        for recipe, logs in own.logs.items()
        for part, log in parts_of(metric)
        if log in logs
    ]
    live = {curve.recipe for curve in curves}
    ended = curves_of({key: run for key, run in study.runs.items() if key[0] not in live}, metric)
    curves += [curve for curve in ended if curve.part != "training − validation"]
    return [row for curve in curves for row in drawn_rows(curve, units) if row["mean"] is not None]


def beside_each_other(one: Watched, other: Watched) -> dict[str, Any]:
    """Two studies, recipe by recipe; a difference is told where both ran the same seeds on the same data."""
    assert one.study is not None
    assert other.study is not None
    units, theirs = units_of(one), units_of(other)
    told = [(own, own.study) for own in (one, other) if own.study is not None]
    same_data = len({study.identity.decides["data"] for _, study in told}) == 1 and units == theirs
    names = list(dict.fromkeys(name for _, study in told for name in study.identity.recipes))
    rows = []
    for name in names:
        scores = [_scores(study, name) for _, study in told]
        shared = [seed for seed in scores[0] if seed in scores[1]]
        row = {"recipe": name, "means": [_mean(own, units) for own in scores], "difference": "", "pairs": len(shared)}
        if same_data and len(shared) >= FEWEST_PAIRS:
            gaps = [scores[1][seed] - scores[0][seed] for seed in shared]
            row["difference"] = units.span(mean_interval(gaps))
        rows.append(row)
    decides = [study.identity.decides for _, study in told]
    keys = dict.fromkeys(name for own in decides for name in own)
    return {
        "places": [own.place for own, _ in told],
        "metric": units.heading,
        "same_data": same_data,
        "rows": rows,
        "differences": [
            (name, *(_short(own.get(name, "–")) for own in decides))
            for name in keys
            if decides[0].get(name) != decides[1].get(name)
        ],
    }


def _short(value: str) -> str:
    """A value of what decides a study, hashes by their beginning."""
    return f"{value[:12]}…" if len(value) == HASH and value.isalnum() else value


def _scores(study: StoredStudy, recipe: str) -> Mapping[int, float]:
    found = {run.seed: run.test.score for run in study.runs.of(recipe) if run.test is not None}
    return {seed: score for seed, score in found.items() if seed is not None and math.isfinite(score)}


def _mean(scores: Mapping[int, float], units: Units) -> str:
    if not scores:
        return "–"
    values = list(scores.values())
    if len(values) < FEWEST_PAIRS:
        return f"{units.score(values[0])} (1 seed)"
    found: Interval = mean_interval(values)
    return f"{units.within(found)}, {found.n} seeds"
