"""Learning curves that grow while a study trains."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from kohort.report.charts.lines import EPOCH, HALF, band_and_line
from kohort.report.charts.style import colour, may_hide, only_shown

ROWS = "rows"
"""The data's name, by which a page changes them."""


def following(names: Sequence[str], heading: str) -> Any:
    """Curves of training and validation without data: a page gives them rows of recipe, part, epoch, mean, low, high.

    A page sets parameters, too: between `floor` and `ceiling` the curves are drawn, and `every` so many epochs a point
    answers to a pointer.

    Args:
        names: The recipes.
        heading: The metric with its unit.
    """
    scale = alt.Scale(zero=False, domainMin=alt.ExprRef("floor"), domainMax=alt.ExprRef("ceiling"), nice=False)
    told = ["recipe:N", "epoch:Q", alt.Tooltip("mean:Q", title=heading), "low:Q", "high:Q"]
    base = only_shown(alt.Chart())
    curves = band_and_line(base, names, heading, scale, legend=False)
    # thousands of points that answer to a pointer would take a core from the training that is followed
    points = (
        base.transform_filter("datum.epoch % every == 0")
        .mark_point(size=40, opacity=0, filled=True, clip=True)
        .encode(x=EPOCH, y="mean:Q", color=colour(names), tooltip=told)
    )
    layers = alt.layer(*curves, points, data=alt.NamedData(ROWS)).properties(width=HALF, height=240)
    chart = layers.facet(column=alt.Column("part:N", title=None))
    ends = [alt.param(name=name, value=value) for name, value in (("floor", 0), ("ceiling", 1), ("every", 1))]
    return may_hide(chart.add_params(*ends), ())
