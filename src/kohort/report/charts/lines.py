"""Charts in which recipes lie over one another as lines: learning curves, their gap, weights, reliability."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from kohort.report.charts.style import WIDTH, Look, colour, dash, data, may_hide, only_shown
from kohort.report.curves import Curve, drawn_epochs, drawn_rows
from kohort.report.document import Document

HALF = (WIDTH - 40) / 2

MOST_POINTS = 40
"""Of a curve that answer to a pointer; a browser takes seconds for thousands of them."""

PLAIN = Look()

EPOCH = alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False), scale=alt.Scale(nice=False))

FEWEST_ANSWERS = 10
"""Answers that make a point of a reliability diagram; of fewer the share that is right is noise."""


def curves(document: Document, look: Look = PLAIN) -> Any:
    """The metric by epoch: mean over seeds, a band from the 10th to the 90th percentile, marks where runs stopped."""
    shown = [curve for curve in document.curves if curve.part != "training − validation"]
    units = document.units
    low, high = _settled(document, shown)
    scale = alt.Scale(domain=[max(0.0, low - 2.0), 100.5] if units.in_points else [low, high], zero=False, nice=False)
    stops = [
        {
            "recipe": stop.recipe,
            "part": "validation",
            "seed": stop.seed,
            "epoch": stop.epoch,
            "mean": units.drawn(stop.score),
        }
        for stop in document.stops
    ]
    layers = _bands(document, shown, units.heading, scale, look)
    if stops:
        told = ["recipe:N", "seed:Q", alt.Tooltip("epoch:Q", title="stopped after epoch"), _score(document)]
        # the data of a faceted chart are one table, so that a stop is told from an epoch by its seed
        marks = only_shown(alt.Chart()).transform_filter("isValid(datum.seed)")
        marks = marks.mark_point(
            shape="triangle-down", size=70, filled=True, opacity=1, stroke="#ffffff", strokeWidth=1, clip=True
        )
        layers.append(
            marks.encode(
                x="epoch:Q", y=alt.Y("mean:Q", scale=scale), color=colour(document.comparison.names), tooltip=told
            )
        )
    chart = alt.layer(*layers, data=data([*_rows(document, shown), *stops])).properties(width=HALF, height=240)
    return may_hide(chart.facet(column=alt.Column("part:N", title=None)), look.hidden)


def gap(document: Document, look: Look = PLAIN) -> Any:
    """Training less validation by epoch: what a network knows by heart."""
    shown = [curve for curve in document.curves if curve.part == "training − validation"]
    units = document.units
    title = f"training − validation, {units.axis_of_change}"
    low, high = _settled(document, shown)
    layers = _bands(document, shown, title, alt.Scale(domain=[min(0.0, low), max(0.0, high)], nice=False), look)
    return may_hide(
        alt.layer(*layers, data=data(_rows(document, shown))).properties(width=WIDTH, height=200), look.hidden
    )


def _settled(document: Document, shown: Sequence[Curve]) -> tuple[float, float]:
    """The lowest and highest of bands after a tenth of the epochs: what was before is far away and would flatten."""
    settled = max(len(curve.low) for curve in shown) // 10
    ends = [
        (document.units.drawn(min(curve.low[start:])), document.units.drawn(max(curve.high[start:])))
        for curve in shown
        for start in [min(settled, len(curve.low) - 1)]
    ]
    lowest, highest = [low for low, _ in ends if low is not None], [high for _, high in ends if high is not None]
    return min(lowest, default=0.0), max(highest, default=1.0)


def _rows(document: Document, shown: Sequence[Curve]) -> list[dict[str, Any]]:
    return [row for curve in shown for row in drawn_rows(curve, document.units)]


def _score(document: Document) -> alt.Tooltip:
    return alt.Tooltip("mean:Q", title=document.units.heading)


def band_and_line(base: Any, names: Sequence[str], title: str, scale: alt.Scale, *, legend: bool) -> list[Any]:
    """The two layers of curves by epoch: low to high as a band, the mean as a line.

    Args:
        base: A chart of rows as `drawn_rows` makes them.
        names: The recipes.
        title: Of the vertical axis.
        scale: Of the vertical axis.
        legend: Whether there is one.
    """
    coloured = colour(names, legend)
    band = base.mark_area(opacity=0.13, clip=True).encode(
        x=EPOCH, y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q", color=coloured
    )
    line = base.mark_line(strokeWidth=2, clip=True).encode(
        x=EPOCH, y=alt.Y("mean:Q", scale=scale), color=coloured, strokeDash=dash(names)
    )
    return [band, line]


def _bands(document: Document, shown: Sequence[Curve], title: str, scale: alt.Scale, look: Look) -> list[Any]:
    names = document.comparison.names
    told = [
        "recipe:N",
        "epoch:Q",
        alt.Tooltip("mean:Q", title=title),
        alt.Tooltip("low:Q", title="10th percentile"),
        alt.Tooltip("high:Q", title="90th percentile"),
    ]
    base = only_shown(alt.Chart()).transform_filter("!isValid(datum.seed)")
    layers = band_and_line(base, names, title, scale, legend=look.legend)
    if not look.hover:
        return layers
    nearest = alt.selection_point(
        on="pointerover", clear="pointerout", nearest=True, fields=["epoch", "recipe"], empty=False
    )
    epochs = drawn_epochs(max(len(curve.mean) for curve in shown))
    asked = epochs[:: -(-len(epochs) // MOST_POINTS)] if len(epochs) > MOST_POINTS else epochs
    points = (
        base.transform_filter(alt.FieldOneOfPredicate("epoch", asked))
        .mark_point(filled=True, size=60, clip=True)
        .encode(
            x=EPOCH,
            y=alt.Y("mean:Q", scale=scale),
            color=colour(names, look.legend),
            opacity=alt.condition(nearest, alt.value(1), alt.value(0)),
            tooltip=told,
        )
        .add_params(nearest)
    )
    return [*layers, points]


def weights(document: Document, look: Look = PLAIN) -> Any:
    """How the magnitudes of kernel weights are spread at the end, on a logarithmic axis."""
    values = [
        {
            "recipe": own.recipe,
            "magnitude": float(f"{10**decade:.3g}"),
            "share": float(f"{100 * share:.4g}"),
        }
        for own in document.weights
        for decade, share in zip(own.decades, own.shares, strict=True)
    ]
    names = document.comparison.names
    chart = (
        only_shown(alt.Chart(data(values)))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X(
                "magnitude:Q",
                title="magnitude of a weight",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(values=[10.0**power for power in range(-6, 3)], format="~e"),
            ),
            y=alt.Y("share:Q", title="% of the kernels' weights"),
            color=colour(names, look.legend),
            strokeDash=dash(names),
            tooltip=[
                "recipe:N",
                alt.Tooltip("magnitude:Q", title="from"),
                alt.Tooltip("share:Q", title="% of the weights"),
            ],
        )
    )
    return may_hide(chart.properties(width=WIDTH, height=200), look.hidden)


def calibration(document: Document, look: Look = PLAIN) -> Any:
    """How often a recipe is right by how sure it is; what can be believed lies on the diagonal."""
    values = [
        {
            "recipe": own.recipe,
            "confidence": float(f"{100 * confidence:.4g}"),
            "right": float(f"{100 * right:.4g}"),
            "answers": rows,
        }
        for own in document.reliable
        for confidence, right, rows in zip(own.confidence, own.accuracy, own.rows, strict=True)
        if rows >= FEWEST_ANSWERS
    ]
    names = document.comparison.names
    low = min((value["confidence"] for value in values), default=0.0)
    domain = alt.Scale(domain=[5 * int(low / 5), 100], nice=False)
    diagonal = data([{"at": domain.domain[0]}, {"at": 100}])
    believed = alt.Chart(diagonal).mark_line(color="#888888", strokeDash=[4, 3]).encode(x="at:Q", y="at:Q")
    base = only_shown(alt.Chart(data(values)))
    sure = alt.X("confidence:Q", title="how sure, % (mean of the bin)", scale=domain)
    right = alt.Y("right:Q", title="% right")
    told = [
        "recipe:N",
        alt.Tooltip("confidence:Q", title="sure, %"),
        alt.Tooltip("right:Q", title="right, %"),
        "answers:Q",
    ]
    lines = base.mark_line(strokeWidth=1.5).encode(
        x=sure, y=right, color=colour(names, look.legend), strokeDash=dash(names)
    )
    dots = base.mark_circle(opacity=0.8).encode(
        x=sure,
        y=right,
        color=colour(names, look.legend),
        size=alt.Size("answers:Q", legend=None, scale=alt.Scale(range=[15, 220])),
        tooltip=told,
    )
    return may_hide((believed + lines + dots).properties(width=WIDTH, height=280), look.hidden)
