"""How charts look, and what they share.

Colours are Okabe and Ito's, told apart by colour-blind readers, and come again with another dash; text takes the page's
own colour, so that a chart is readable in the dark and on paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

PALETTE = ("#767676", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (12, 4))
WIDTH = 620  # pixels of the plotting area; the page scales the picture
ROW = 46  # pixels of a recipe in charts that have a row for each; less where there are many
OVERLAID = 8
"""Recipes that charts with a line each show at first: the baseline and the best; a reader may show others."""

HIDDEN = "hidden"
"""The parameter of a chart that names the recipes which are not drawn."""

GREY = "#8888"


@dataclass(frozen=True)
class Look:
    """What is drawn of a chart in which recipes lie over one another.

    Attributes:
        legend: Whether it bears a legend; a page that has one for all charts does without.
        hover: Whether points answer to a pointer.
        hidden: The recipes that are not shown at first.
    """

    legend: bool = True
    hover: bool = True
    hidden: tuple[str, ...] = ()


def swatches(names: Sequence[str]) -> list[tuple[str, str]]:
    """The recipes with their colours, for legends that a page draws itself."""
    return [(name, PALETTE[index % len(PALETTE)]) for index, name in enumerate(names)]


def colour(names: Sequence[str], legend: bool = False) -> alt.Color:
    """A recipe's colour."""
    scale = alt.Scale(domain=list(names), range=[own for _, own in swatches(names)])
    shown = alt.Legend(orient="bottom", columns=4, labelLimit=160) if legend else None
    return alt.Color("recipe:N", scale=scale, title=None, legend=shown)


def dash(names: Sequence[str]) -> alt.StrokeDash:
    """A recipe's dash: colours come again after eight recipes, with another one."""
    dashes = [list(DASHES[i // len(PALETTE) % len(DASHES)]) for i in range(len(names))]
    return alt.StrokeDash("recipe:N", scale=alt.Scale(domain=list(names), range=dashes), legend=None)


def row_height(count: int) -> int:
    """Pixels of a recipe's row: as many as are pleasant, fewer where there are many."""
    return ROW if count <= 12 else 24


def data(values: Sequence[dict[str, Any]]) -> alt.Data:
    """Rows as a chart's data; they are not held against Altair's schema, which takes seconds for thousands of them."""
    own = alt.Data(values=[])
    own["values"] = list(values)
    return own


def only_shown(chart: Any) -> Any:
    """A chart without the recipes that are hidden."""
    return chart.transform_filter(f"indexof({HIDDEN}, datum.recipe) < 0")


def may_hide(chart: Any, hidden: Sequence[str]) -> Any:
    """A chart whose reader may hide recipes."""
    return chart.add_params(alt.param(name=HIDDEN, value=list(hidden)))


def styled(chart: Any, ink: str) -> Any:
    """A chart with its fonts and colours.

    Args:
        chart: The chart.
        ink: The colour of text, lines and ticks.
    """
    text = {
        "labelColor": ink,
        "titleColor": ink,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return (
        chart.configure(background="transparent", font="DejaVu Sans, Verdana, sans-serif", padding=8, aria=False)
        .configure_view(stroke=None)
        .configure_axis(gridColor="#8884", domainColor=GREY, tickColor=GREY, labelLimit=240, **text)
        .configure_legend(symbolOpacity=1, **text)
        .configure_header(**text)
        .configure_text(color=ink)
        .configure_title(color=ink)
    )
