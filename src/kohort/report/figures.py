"""The report's charts: Vega-Lite by way of Altair, drawn to SVG here so that the page needs no script.

Colours are Okabe and Ito's, told apart by colour-blind readers; text takes the page's own colour.
"""

from typing import Any

import altair as alt
import vl_convert

from kohort.report.document import Document

PALETTE = ("#666666", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
WIDTH = 620  # pixels of the plotting area; the page scales the picture
INK = "currentColor"


def svg(chart: Any, name: str) -> str:
    """A chart as SVG text; ids in it begin with `name`, for several charts share a page."""
    drawn = vl_convert.vegalite_to_svg(_styled(chart).to_dict())
    own_ids = drawn.replace(' id="', f' id="{name}-').replace("url(#", f"url(#{name}-")
    return own_ids.replace("<svg ", '<svg role="presentation" ', 1)


def _styled(chart: Any) -> Any:
    text = {
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    return (
        chart.configure(background="transparent", font="DejaVu Sans, Verdana, sans-serif", padding=8)
        .configure_view(stroke=None)
        .configure_axis(gridColor="#8884", domainColor="#8888", tickColor="#8888", labelLimit=240, **text)
        .configure_legend(symbolOpacity=1, symbolType="circle", **text)
        .configure_header(**text)
        .configure_title(color=INK)
    )


def _colour(document: Document) -> alt.Scale:
    names = [summary.recipe for summary in document.comparison.recipes]
    return alt.Scale(domain=names, range=[PALETTE[i % len(PALETTE)] for i in range(len(names))])


def test_scores(document: Document) -> Any:
    """All seeds as points, with each recipe's mean and its interval."""
    comparison, scale = document.comparison, document.units.scale
    order = [summary.recipe for summary in comparison.recipes]
    seeds = [
        {"recipe": s.recipe, "seed": seed, "score": scale * score, "offset": (i % 5 - 2) / 2}
        for s in comparison.recipes
        for i, (seed, score) in enumerate(zip(s.seeds, s.test, strict=True))
    ]
    means = [
        {
            "recipe": s.recipe,
            "mean": scale * s.test_mean.mean,
            "low": scale * s.test_mean.low,
            "high": scale * s.test_mean.high,
        }
        for s in comparison.recipes
    ]
    colour = alt.Color("recipe:N", scale=_colour(document), legend=None)
    rows = alt.Y("recipe:N", sort=order, title=None)
    title = f"test {document.units.heading}, one point per seed"
    axis = alt.X("score:Q", title=title, scale=alt.Scale(zero=False, nice=True))
    dots = (
        alt.Chart(alt.Data(values=seeds))
        .mark_circle(size=38, opacity=0.45)
        .encode(x=axis, y=rows, yOffset=alt.YOffset("offset:Q", scale=alt.Scale(domain=[-3, 3])), color=colour)
    )
    base = alt.Chart(alt.Data(values=means))
    bars = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q"), x2="high:Q", y=rows, color=colour)
    centre = base.mark_point(shape="diamond", size=110, filled=True, opacity=1).encode(
        x=alt.X("mean:Q"), y=rows, color=colour
    )
    return (dots + bars + centre).properties(width=WIDTH, height=46 * len(order))


def improvements(document: Document) -> Any:
    """Improvements on the baseline with their simultaneous intervals, and the zone of no importance around zero."""
    units, comparison = document.units, document.comparison
    judged = [(s.recipe, s.verdict) for s in comparison.recipes if s.verdict is not None]
    values = [
        {
            "recipe": recipe,
            "mean": units.scale * verdict.interval.mean,
            "low": units.scale * verdict.interval.low,
            "high": units.scale * verdict.interval.high,
            "said": f"{units.change(verdict.interval.mean)}: {verdict.kind}",
        }
        for recipe, verdict in judged
    ]
    unit = "percentage points" if units.in_points else units.name
    title = f"improvement of test {units.name} on {comparison.baseline}, in {unit} (95 %, all together)"
    delta = units.scale * judged[0][1].smallest_effect
    rows = alt.Y("recipe:N", sort=[value["recipe"] for value in values], title=None)
    colour = alt.Color("recipe:N", scale=_colour(document), legend=None)
    base = alt.Chart(alt.Data(values=values))
    zone = alt.Chart(alt.Data(values=[{"from": -delta, "to": delta}])).mark_rect(color="#888888", opacity=0.18)
    zone = zone.encode(x="from:Q", x2="to:Q")
    zero = alt.Chart(alt.Data(values=[{"x": 0}])).mark_rule(strokeDash=[4, 3], color="#888888").encode(x="x:Q")
    interval = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=title), x2="high:Q", y=rows, color=colour)
    centre = base.mark_point(shape="diamond", size=110, filled=True, opacity=1).encode(x="mean:Q", y=rows, color=colour)
    label = base.mark_text(dy=-12, color=INK, fontSize=12).encode(x="mean:Q", y=rows, text="said:N")
    return (zone + zero + interval + centre + label).properties(width=WIDTH, height=46 * max(1, len(values)))


def learning_curves(document: Document) -> Any:
    """The metric by epoch, mean with a band from the 10th to the 90th percentile over seeds."""
    units = document.units
    values = [
        {
            "recipe": curve.recipe,
            "part": curve.part,
            "epoch": epoch + 1,
            "mean": units.scale * curve.mean[epoch],
            "low": units.scale * curve.low[epoch],
            "high": units.scale * curve.high[epoch],
        }
        for curve in document.curves
        for epoch in range(len(curve.mean))
    ]
    colour = alt.Color("recipe:N", scale=_colour(document), title=None, legend=alt.Legend(orient="bottom"))
    epoch = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False))
    settled = max(len(curve.low) for curve in document.curves) // 10  # what was before is far away: it would flatten
    starts = [min(settled, len(curve.low) - 1) for curve in document.curves]
    lowest = units.scale * min(min(curve.low[start:]) for curve, start in zip(document.curves, starts, strict=True))
    highest = units.scale * max(max(curve.high[start:]) for curve, start in zip(document.curves, starts, strict=True))
    domain = [max(0.0, lowest - 2.0), 100.5] if units.in_points else [lowest, highest]
    scale = alt.Scale(domain=domain, nice=not units.in_points, zero=False)
    base = alt.Chart()
    band = base.mark_area(opacity=0.15, clip=True).encode(
        x=epoch, y=alt.Y("low:Q", title=units.heading, scale=scale), y2="high:Q", color=colour
    )
    line = base.mark_line(strokeWidth=2, clip=True).encode(x=epoch, y=alt.Y("mean:Q", scale=scale), color=colour)
    half = (WIDTH - 40) / 2
    return (
        alt.layer(band, line, data=alt.Data(values=values))
        .properties(width=half, height=240)
        .facet(column=alt.Column("part:N", title=None))
    )


def descriptions(document: Document) -> dict[str, str]:
    """What each chart shows, in words, for readers who do not see it."""
    units, comparison = document.units, document.comparison
    seeds = "; ".join(
        f"{s.recipe}: mean {units.said(s.test_mean.mean)}, "
        f"from {units.score(min(s.test))} to {units.score(max(s.test))}"
        for s in comparison.recipes
    )
    ends = "; ".join(f"{c.recipe} {c.part}: {units.said(c.mean[-1])}" for c in document.curves)
    return {
        "test_scores": f"Test {units.name} of every run. {seeds}.",
        "improvements": f"Improvements on {comparison.baseline}. {'; '.join(document.verdicts)}.",
        "learning_curves": f"{units.name} by epoch, mean and band over seeds. In the last epoch: {ends}.",
    }
