"""Candidates of a search, one after another, and the best so far."""

from typing import Any

import altair as alt

from kohort.report.charts.following import ROWS
from kohort.report.charts.lines import HALF
from kohort.report.charts.style import PALETTE

RECIPE, PLAIN = "recipe", "plain network"
"""What the two searches are for."""

KINDS = ("to the end", "left early")


def searching(heading: str) -> Any:
    """Scores by candidate without data: a page gives rows of part, number, recipe, score, best, kind, epochs.

    A page sets the parameters `floor` and `ceiling`, between which points are drawn.

    Args:
        heading: The metric with its unit.
    """
    scale = alt.Scale(zero=False, domainMin=alt.ExprRef("floor"), domainMax=alt.ExprRef("ceiling"), nice=False)
    number = alt.X("number:Q", title="candidate", axis=alt.Axis(tickMinStep=1))
    score = alt.Y("score:Q", title=f"validation {heading}", scale=scale)
    colours = alt.Scale(domain=list(KINDS), range=[PALETTE[1], PALETTE[0]])
    below = alt.Legend(orient="bottom", title=None)
    told = ["number:Q", "recipe:N", alt.Tooltip("score:Q", title=heading), "epochs:Q", "kind:N"]
    points = (
        alt.Chart()
        .mark_point(size=36, filled=True, opacity=0.75, clip=True)
        .encode(
            x=number,
            y=score,
            color=alt.Color("kind:N", scale=colours, legend=below),
            shape=alt.Shape("kind:N", scale=alt.Scale(domain=list(KINDS), range=["circle", "square"]), legend=below),
            tooltip=told,
        )
    )
    best = (
        alt.Chart()
        .transform_filter("isValid(datum.best)")
        .mark_line(interpolate="step-after", color=PALETTE[2], clip=True)
        .encode(x=number, y=alt.Y("best:Q", scale=scale))
    )
    layers = alt.layer(best, points, data=alt.NamedData(ROWS)).properties(width=HALF, height=240)
    ends = [alt.param(name=name, value=value) for name, value in (("floor", 0), ("ceiling", 1))]
    return layers.facet(column=alt.Column("part:N", title=None, sort=[RECIPE, PLAIN])).add_params(*ends)
