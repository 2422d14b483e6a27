"""Charts of the lab: a quantity as rows, with every run and the mean's interval, or as curves over its points."""

from typing import Any

import altair as alt
import numpy as np

from kohort.lab.claim import Drawing
from kohort.lab.evidence import Measured, finite_mean
from kohort.report.charts.style import WIDTH, colour, dash, data, row_height

JITTER = alt.YOffset("offset:Q", scale=alt.Scale(domain=[-3, 3]))


def chart(drawing: Drawing, measured: Measured) -> Any:
    """The figure of a quantity."""
    return _rows(drawing, measured) if measured.points is None else _curves(drawing, measured)


def _scale(logarithmic: bool) -> alt.Scale:
    return alt.Scale(type="log") if logarithmic else alt.Scale(zero=False, nice=True)


def _drawn(value: float, logarithmic: bool) -> float | None:
    """A number as charts take it; None, which is not drawn, where the axis has no place for it."""
    return float(f"{value:.5g}") if np.isfinite(value) and (value > 0 or not logarithmic) else None


def _bounds(values: np.ndarray, logarithmic: bool) -> dict[str, float | None]:
    """The mean of the finite values with its 95 % interval."""
    found = finite_mean(values)
    if found is None:
        return dict.fromkeys(("mean", "low", "high"))
    lowest = float(values[np.isfinite(values)].min()) if logarithmic and found.low <= 0 else found.low
    told = {"mean": found.mean, "low": lowest, "high": found.high}
    return {name: _drawn(value, logarithmic) for name, value in told.items()}


def _rows(drawing: Drawing, measured: Measured) -> Any:
    names = list(measured)
    log = drawing.log_y
    each = [
        {"recipe": name, "value": _drawn(value, log), "offset": (seed % 5 - 2) / 2}
        for name, values in measured.items()
        for seed, value in enumerate(values.tolist())
        if _drawn(value, log) is not None
    ]
    means = [{"recipe": name, **_bounds(values, log)} for name, values in measured.items()]
    rows = alt.Y("recipe:N", sort=names, title=None, scale=alt.Scale(domain=names))
    axis = alt.X("value:Q", title=f"{drawing.y}, one point per seed", scale=_scale(log))
    dots = alt.Chart(data(each)).mark_circle(size=34, opacity=0.45)
    base = alt.Chart(data([own for own in means if own["mean"] is not None])).encode(y=rows, color=colour(names))
    layers = [
        dots.encode(x=axis, y=rows, yOffset=JITTER, color=colour(names)),
        base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q"),
        base.mark_point(shape="diamond", size=110, filled=True, opacity=1).encode(x="mean:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=row_height(len(names)) * len(names))


def _curves(drawing: Drawing, measured: Measured) -> Any:
    names = list(measured)
    assert measured.points is not None
    values = [
        {"recipe": name, "x": float(f"{point:.5g}"), **_bounds(own[:, position], drawing.log_y)}
        for name, own in measured.items()
        for position, point in enumerate(measured.points.tolist())
    ]
    ticks = alt.Axis(grid=False, format="~g", labelOverlap=True)
    across = alt.X(
        "x:Q", title=drawing.x, axis=ticks, scale=alt.Scale(type="log") if drawing.log_x else alt.Scale(nice=False)
    )
    up = alt.Scale(type="log") if drawing.log_y else alt.Scale(zero=False)
    base = alt.Chart(data([own for own in values if own["mean"] is not None])).encode(x=across)
    layers = [
        base.mark_area(opacity=0.13).encode(
            y=alt.Y("low:Q", title=drawing.y, scale=up), y2="high:Q", color=colour(names, legend=True)
        ),
        base.mark_line(
            strokeWidth=2, point=alt.OverlayMarkDef(size=28) if len(measured.points) <= 20 else False
        ).encode(y=alt.Y("mean:Q", scale=up), color=colour(names, legend=True), strokeDash=dash(names)),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=280)
