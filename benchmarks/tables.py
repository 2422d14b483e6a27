"""Writes tables into pages from committed results: the README's verdicts, speed and lab, the tuner's quality, and
scikit-learn's estimators beside Kohort's.

python -m benchmarks.tables
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import sklearn_peers, tuner_quality_table
from benchmarks.speed import table as speed
from kohort.lab.chapter8 import CLAIMS
from kohort.lab.claim import Claim
from kohort.lab.result import Result

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "verdicts"
BOOK = ROOT / "docs" / "lab"
ORDER = ("digits", "wdbc", "credit_g", "mnist1d", "adult")


def points(share: float) -> str:
    """Percentage points with one digit, or two where one would show nothing."""
    value = 100 * share
    digits = 1 if abs(value) >= 0.05 else 2
    return "0.0" if abs(value) < 0.005 else f"{value:+.{digits}f}".replace("-", "−")


def span(values: list[float]) -> str:
    mean, low, high = map(points, values)
    return f"{mean} ({low} to {high})"


def cell(recipe: dict[str, Any]) -> str:
    kind = {"no difference that matters": "no difference", "not enough evidence": "open"}.get(
        recipe["verdict"], recipe["verdict"]
    )
    return f"{kind} {span(recipe['improvement'])}"


def row(result: dict[str, Any]) -> str:
    recipes = list(result["recipes"].values())
    wrong = round(result["naive pick differs"] * result["seeds"])
    cells = [
        f"{result['data']} ({result['rows']['train']:,} / {result['rows']['test']:,})",
        f"{100 * recipes[0]['test'][0]:.1f}",
        *(cell(recipe) for recipe in recipes[1:]),
        span(recipes[0]["optimism"]),
        f"{wrong} of {result['seeds']}; {span(result['regret'])}",
    ]
    return f"| {' | '.join(cells)} |"


def verdicts() -> str:
    results = [json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ORDER]
    names = [list(results[0]["recipes"])[i] for i in (1, 2, 3)]
    heads = [
        "data (train / test rows)",
        "none, %",
        *names,
        "best epoch of `none` promises",
        "naive pick is not the best; costs",
    ]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *map(row, results), ""])


def result_of(claim: Claim) -> Result:
    """What the book in the docs holds of a claim."""
    result = Result.from_json((BOOK / f"{claim.name}.json").read_text("utf-8"), claim)
    assert result is not None, f"{claim.name}: run kohort lab --all --folder docs/lab"
    return result


def lab() -> str:
    lines = ["| claim of the chapter | verdict | predictions met | not so here |", "| --- | --- | --- | --- |"]
    for claim in CLAIMS.values():
        result = result_of(claim)
        deciding = [own for own in result.judged if not own.prediction.beside]
        met = sum(own.outcome == "met" for own in deciding)
        missed = "; ".join(own.prediction.name for own in deciding if own.outcome == "not met")
        name, kind = f"{claim.number}. {claim.title} (`{claim.name}`)", result.verdict.kind
        lines.append(f"| {name} | {kind} | {met} of {len(deciding)} | {missed} |")
    return "\n".join([*lines, ""])


SECTIONS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"verdicts": verdicts, "speed": speed.section, "lab": lab},
    "docs/tuner.md": {"quality": tuner_quality_table.section},
    "docs/scikit-learn.md": {"peers": sklearn_peers.section},
}
"""Which tables stand between which markers of a page."""


def pages() -> dict[Path, str]:
    """The pages with their tables made anew."""
    found = {}
    for place, sections in SECTIONS.items():
        text = (ROOT / place).read_text(encoding="utf-8")
        for name, section in sections.items():
            begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
            before, rest = text.split(begin)
            text = f"{before}{begin}{section()}{end}{rest.split(end)[1]}"
        found[ROOT / place] = text
    return found


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
