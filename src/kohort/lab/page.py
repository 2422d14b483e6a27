"""Pages of the lab: one for each claim, the index and the viva; they need no script and fetch nothing."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from kohort.lab.charts import chart
from kohort.lab.claim import Claim
from kohort.lab.evidence import Measured, finite_mean
from kohort.lab.result import Result
from kohort.lab.viva import QUESTIONS, answered, parts
from kohort.report.charts.drawn import spec, svg
from kohort.report.html import policy

MOST_POINTS = 8
"""Columns of a table of a curve; of more points it shows so many, evenly picked."""

SHOWN = {
    "supported": "supported",
    "refuted": "refuted",
    "depends": "depends on …",
    "not enough evidence": "not enough evidence",
}
"""What pages call a verdict."""


def claim_page(result: Result, claims: Sequence[Claim] = ()) -> str:
    """A claim's page as HTML.

    Args:
        result: What came of it.
        claims: Those that the book has pages of, this one among them, for its links to the one before and after; a page
            without them stands alone.
    """
    claim = result.claim
    before, after = neighbours(claim, claims) if claims else (None, None)
    figures = []
    for number, drawing in enumerate(claim.drawings):
        measured = result.evidence[drawing.quantity]
        picture = svg(spec(chart(drawing, measured)), f"figure{number}")
        figures.append((drawing, Markup(picture), _said(drawing.title, measured)))
    return _page(
        "claim.html.jinja",
        result=result,
        claim=claim,
        before=before,
        after=after,
        alone=not claims,
        figures=figures,
        tables=[(name, *_table(measured)) for name, measured in result.evidence.items()],
        answers=[(QUESTIONS[number - 1], part) for number, part in parts(result)],
        beside=[(own, own.ours(result.evidence)) for own in claim.beside],
        shown=SHOWN,
    )


def neighbours(claim: Claim, claims: Sequence[Claim]) -> tuple[Claim | None, Claim | None]:
    """The claims before and after one of them; None at either end."""
    place = [own.name for own in claims].index(claim.name)
    return claims[place - 1] if place else None, claims[place + 1] if place + 1 < len(claims) else None


def index_page(results: Mapping[str, Result], claims: Sequence[Claim]) -> str:
    """The book's first page as HTML.

    Args:
        results: What has been run: claim name -> result.
        claims: All claims of the book.
    """
    kinds = [result.verdict.kind for result in results.values()]
    counts = [(SHOWN[kind], kinds.count(kind)) for kind in SHOWN]
    quick = sum(result.scale.quick for result in results.values())
    return _page("index.html.jinja", results=results, claims=claims, counts=counts, quick=quick, shown=SHOWN)


def viva_page(results: Mapping[str, Result]) -> str:
    """The five viva questions and their answers as HTML."""
    return _page("viva.html.jinja", questions=answered(results), shown=SHOWN)


def _page(template: str, **told: Any) -> str:
    sources = {own.name: own.read_text("utf-8") for own in files("kohort.lab").joinpath("pages").iterdir()}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = files("kohort.report").joinpath("page.css").read_text("utf-8") + sources["lab.css"]
    return environment.get_template(template).render(style=Markup(style), policy=policy([]), **told)


def _written(value: float) -> str:
    return f"{value:.4g}"


def _mean(values: np.ndarray) -> str:
    """The mean of the values with its interval; of those that are finite, if not all are, and how many that is."""
    found = finite_mean(values)
    if found is None:
        return "not known"
    some = "" if found.n == len(values) else f", {found.n} of {len(values)} seeds"
    if found.low == found.high:
        return f"{_written(found.mean)}{some}"
    return f"{_written(found.mean)} ({_written(found.low)} to {_written(found.high)}{some})"


def _table(measured: Measured) -> tuple[list[str], list[list[str]]]:
    """A quantity as a table: its headings, and a row for each condition."""
    if measured.points is None:
        rows = [[name, _mean(own), _written(own.min()), _written(own.max())] for name, own in measured.items()]
        return ["condition", "mean (95 % over seeds)", "least", "most"], rows
    picked = np.unique(np.linspace(0, len(measured.points) - 1, MOST_POINTS).round().astype(int))
    heads = ["condition", *(f"at {measured.points[position]:.3g}" for position in picked)]
    return heads, [[name, *(_mean(own[:, at]).split(" (")[0] for at in picked)] for name, own in measured.items()]


def _said(title: str, measured: Measured) -> str:
    """What a figure shows, for readers who do not see it."""
    if measured.points is None:
        told = "; ".join(f"{name}: {_mean(own)}" for name, own in measured.items())
    else:
        ends = {name: (_mean(own[:, 0]), _mean(own[:, -1])) for name, own in measured.items()}
        first, last = _written(measured.points[0]), _written(measured.points[-1])
        told = "; ".join(f"{name}: {begin} at {first}, {end} at {last}" for name, (begin, end) in ends.items())
    return f"{title}. {told}."
