"""Dose and response: the test score by the strength of one technique."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from kohort.report.charts.style import PALETTE, WIDTH, data
from kohort.report.document import Document
from kohort.report.strengths import Strengths


def dose_response(document: Document, own: Strengths) -> Any:
    """The mean test score by strength with its interval over seeds, beside the baseline; the best strength is filled.

    Args:
        document: The report.
        own: Which technique.
    """
    units = document.units
    values = [
        {
            "strength": value,
            "recipe": summary.recipe,
            "mean": units.drawn(summary.test_mean.mean),
            "low": units.drawn(summary.test_mean.low),
            "high": units.drawn(summary.test_mean.high),
            "best": "the best"
            if value == own.best
            else "may be the best"
            if value in own.candidates
            else "not the best",
            "seeds": summary.test_mean.n,
        }
        for value, summary in zip(own.values, own.recipes, strict=True)
    ]
    axis = alt.X(
        "strength:Q",
        title=own.technique,
        scale=alt.Scale(type="log", nice=False, padding=10)
        if _by_factors(own.values)
        else alt.Scale(zero=False, padding=10),
    )
    base = alt.Chart(data(values))
    score = alt.Y("mean:Q", title=f"test {units.heading}", scale=alt.Scale(zero=False))
    ink = PALETTE[1]
    band = base.mark_area(opacity=0.15, color=ink).encode(
        x=axis, y=alt.Y("low:Q", scale=alt.Scale(zero=False)), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=2, color=ink).encode(x=axis, y=score)
    below = alt.Legend(orient="bottom", title=None)
    kinds = ["the best", "may be the best", "not the best"]
    dots = base.mark_point(filled=True, size=90, opacity=1, stroke=ink, strokeWidth=1.5).encode(
        x=axis,
        y=score,
        fill=alt.Fill("best:N", scale=alt.Scale(domain=kinds, range=[PALETTE[2], PALETTE[1], "#ffffff"]), legend=below),
        shape=alt.Shape("best:N", scale=alt.Scale(domain=kinds, range=["diamond", "circle", "circle"]), legend=below),
        tooltip=[
            "recipe:N",
            alt.Tooltip("mean:Q", title=f"mean test {units.heading}"),
            "low:Q",
            "high:Q",
            "seeds:Q",
            "best:N",
        ],
    )
    layers = [band, line, dots]
    baseline = next(s for s in document.comparison.recipes if s.recipe == document.comparison.baseline)
    if all(baseline.recipe != value["recipe"] for value in values):
        at = data([{"mean": units.drawn(baseline.test_mean.mean), "said": baseline.recipe}])
        rule = alt.Chart(at).mark_rule(strokeDash=[4, 3], color="#888888").encode(y="mean:Q")
        name = (
            alt.Chart(at).mark_text(align="right", dx=-4, dy=-7).encode(y="mean:Q", x=alt.value(WIDTH), text="said:N")
        )
        layers += [rule, name]
    return alt.layer(*layers).properties(width=WIDTH, height=240)


def _by_factors(values: Sequence[float]) -> bool:
    """Whether strengths are to be seen by their logarithms: they span much, or lie more evenly so.

    >>> _by_factors([0.1, 0.2, 0.3, 0.4]), _by_factors([0.1, 0.2, 0.4, 0.8]), _by_factors([0.0, 1.0, 100.0])
    (False, True, False)
    """
    if min(values) <= 0.0:
        return False
    if max(values) / min(values) >= 20.0:
        return True
    linear, logarithmic = (np.diff(own) for own in (values, np.log(values)))
    return bool(logarithmic.max() / logarithmic.min() < linear.max() / linear.min())
