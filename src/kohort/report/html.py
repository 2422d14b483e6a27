"""The report as one HTML file: readable without script, and by it one may hover and hide; no request either way."""

import base64
import gzip
import hashlib
import json
import math
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from kohort.report.charts.drawn import runtime, spec, svg
from kohort.report.charts.style import swatches
from kohort.report.document import Document
from kohort.report.figures import figures, hidden_at_first
from kohort.report.sentences import improvement_in_words
from kohort.report.text import mean, seconds


def page(document: Document, *, interactive: bool = True) -> str:
    """The report as HTML text. Every name a user chose is escaped.

    Args:
        document: The report.
        interactive: Whether charts answer to a pointer and recipes can be hidden; the page then carries Vega, 0.9 MB.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    units = document.units
    environment.filters.update(
        score=units.score,
        mean=mean,
        improvement=lambda row: improvement_in_words(row, units),
        thousands="{:,}".format,
        seconds=seconds,
    )
    template = environment.from_string(_file("page.html.jinja"))
    shown = list(figures(document, legend=False, hover=False))
    living = {own.name: spec(own.chart()) for own in figures(document, legend=False)} if interactive else {}
    own_scripts = scripts() if interactive else []
    return template.render(
        document=document,
        comparison=document.comparison,
        units=units,
        timed=any(math.isfinite(cost.by_fit) for cost in document.costs),
        figures=shown,
        drawn={own.name: Markup(svg(spec(own.chart()), own.name)) for own in shown},
        specs=_packed(living) if interactive else "",
        hidden=hidden_at_first(document),
        swatches=swatches(document.comparison.names),
        style=Markup(_file("page.css")),
        scripts=[Markup(script) for script in own_scripts],
        policy=policy(own_scripts),
    )


def scripts() -> list[str]:
    """The scripts of an interactive page, in their order."""
    return [runtime(), _file("charts.js"), _file("page.js")]


def policy(scripts: list[str]) -> str:
    """The content security policy of a page that holds these scripts: no other runs, and nothing is fetched."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    allowed = f"script-src {hashes}; " if scripts else ""
    return f"default-src 'none'; {allowed}style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _packed(value: Any) -> str:
    """JSON, compressed and in base64: a tenth of its length, and nothing that a name holds can end an element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")


def _file(name: str) -> str:
    return files("kohort.report").joinpath(name).read_text("utf-8")
