"""Learning curves that grow while a study trains."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from kohort.report.charts.lines import HALF
from kohort.report.charts.style import colour, dash, may_hide, only_shown

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
    epoch = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False), scale=alt.Scale(nice=False))
    scale = alt.Scale(zero=False, domainMin=alt.ExprRef("floor"), domainMax=alt.ExprRef("ceiling"), nice=False)
    told = ["recipe:N", "epoch:Q", alt.Tooltip("mean:Q", title=heading), "low:Q", "high:Q"]
    base = only_shown(alt.Chart())
    band = base.mark_area(opacity=0.13, clip=True).encode(
        x=epoch, y=alt.Y("low:Q", title=heading, scale=scale), y2="high:Q", color=colour(names)
    )
    line = base.mark_line(strokeWidth=2, clip=True).encode(
        x=epoch, y="mean:Q", color=colour(names), strokeDash=dash(names)
    )
    # thousands of points that answer to a pointer would take a core from the training that is followed
    points = (
        base.transform_filter("datum.epoch % every == 0")
        .mark_point(size=40, opacity=0, filled=True, clip=True)
        .encode(x=epoch, y="mean:Q", color=colour(names), tooltip=told)
    )
    layers = alt.layer(band, line, points, data=alt.NamedData(ROWS)).properties(width=HALF, height=240)
    chart = layers.facet(column=alt.Column("part:N", title=None))
    ends = [alt.param(name=name, value=value) for name, value in (("floor", 0), ("ceiling", 1), ("every", 1))]
    return may_hide(chart.add_params(*ends), ())
