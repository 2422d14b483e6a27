"""Charts with a row for each recipe: improvements on the baseline, scores of all seeds, optimism, residuals."""

from typing import Any

import altair as alt

from kohort.report.charts.style import WIDTH, colour, data, row_height
from kohort.report.document import Document

JITTER = alt.YOffset("offset:Q", scale=alt.Scale(domain=[-3, 3]))


def _sized(chart: Any, count: int) -> Any:
    return chart.properties(width=WIDTH, height=row_height(count) * max(1, count))


def _zero() -> Any:
    return alt.Chart(data([{"x": 0}])).mark_rule(strokeDash=[4, 3], color="#888888").encode(x="x:Q")


def forest(document: Document) -> Any:
    """Improvements on the baseline with both intervals, and the zone of no importance around zero.

    The thick bar is the verdict's interval, of all recipes together; the thin one that over seeds on these test rows.
    """
    units, comparison = document.units, document.comparison
    judged = [(s.recipe, s.verdict) for s in comparison.recipes if s.verdict is not None]
    values = [
        {
            "recipe": recipe,
            "improvement": units.drawn(verdict.interval.mean),
            "low": units.drawn(verdict.interval.low),
            "high": units.drawn(verdict.interval.high),
            "seeds_low": units.drawn(verdict.seeds_interval.low),
            "seeds_high": units.drawn(verdict.seeds_interval.high),
            "verdict": verdict.kind,
            "said": f"{units.change(verdict.interval.mean)}: {verdict.kind}",
            "population": units.span(verdict.interval),
            "these_rows": units.span(verdict.seeds_interval),
            "seeds": verdict.seeds,
        }
        for recipe, verdict in judged
    ]
    title = f"improvement of test {units.name} on {comparison.baseline}, in {units.axis_of_change}"
    delta = units.drawn(judged[0][1].smallest_effect) or 0.0
    rows = alt.Y("recipe:N", sort=[value["recipe"] for value in values], title=None)
    told = [
        alt.Tooltip("recipe:N"),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("population:N", title="population, all recipes together, 95 %"),
        alt.Tooltip("these_rows:N", title="over seeds, these test rows, 95 %"),
        alt.Tooltip("seeds:Q"),
    ]
    base = alt.Chart(data(values)).encode(y=rows, color=colour(document.comparison.names), tooltip=told)
    zone = alt.Chart(data([{"from": -delta, "to": delta}])).mark_rect(color="#888888", opacity=0.18)
    zone = zone.encode(x="from:Q", x2="to:Q")
    interval = base.mark_rule(strokeWidth=4).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    seeds = base.mark_rule(strokeWidth=1.5, yOffset=9).encode(x=alt.X("seeds_low:Q"), x2="seeds_high:Q")
    centre = base.mark_point(shape="diamond", size=110, filled=True, opacity=1).encode(x="improvement:Q")
    label = alt.Chart(data(values)).mark_text(dy=-13, fontSize=12).encode(y=rows, x="improvement:Q", text="said:N")
    layers = [zone, _zero(), interval, seeds, centre]
    return _sized(alt.layer(*layers, *([label] if len(values) <= 12 else [])), len(values))


def scores(document: Document) -> Any:
    """All seeds as points, with their quartiles as a box, and each recipe's mean with its interval."""
    comparison, units = document.comparison, document.units
    names = document.comparison.names
    each = [
        {"recipe": s.recipe, "seed": seed, "score": units.drawn(score), "offset": (i % 5 - 2) / 2}
        for s in comparison.recipes
        for i, (seed, score) in enumerate(zip(s.seeds, s.test, strict=True))
    ]
    means = [
        {
            "recipe": s.recipe,
            "mean": units.drawn(s.test_mean.mean),
            "low": units.drawn(s.test_mean.low),
            "high": units.drawn(s.test_mean.high),
            "said": units.within(s.test_mean),
            "seeds": s.test_mean.n,
        }
        for s in comparison.recipes
    ]
    rows, coloured = alt.Y("recipe:N", sort=names, title=None), colour(names)
    axis = alt.X("score:Q", title=f"test {units.heading}, one point per seed", scale=alt.Scale(zero=False, nice=True))
    every = alt.Chart(data(each)).encode(y=rows, color=coloured)
    box = every.mark_boxplot(
        size=row_height(len(names)) * 0.55, outliers=False, opacity=0.25, extent="min-max", ticks=False
    ).encode(x=axis)
    dots = every.mark_circle(size=34, opacity=0.55).encode(
        x=axis, yOffset=JITTER, tooltip=["recipe:N", "seed:Q", alt.Tooltip("score:Q", title=f"test {units.heading}")]
    )
    told = ["recipe:N", alt.Tooltip("said:N", title="mean, 95 % over seeds"), "seeds:Q"]
    base = alt.Chart(data(means)).encode(y=rows, color=coloured, tooltip=told)
    bars = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q"), x2="high:Q")
    centre = base.mark_point(shape="diamond", size=110, filled=True, opacity=1).encode(x="mean:Q")
    return _sized(box + dots + bars + centre, len(names))


def optimism(document: Document) -> Any:
    """How much the best validation epoch of one seed promises above that run's test score."""
    units = document.units
    values = [
        {
            "recipe": s.recipe,
            "mean": units.drawn(s.optimism.mean),
            "low": units.drawn(s.optimism.low),
            "high": units.drawn(s.optimism.high),
            "said": units.span(s.optimism),
            "seeds": s.optimism.n,
        }
        for s in document.comparison.recipes
        if s.optimism is not None
    ]
    title = f"promised above the test {units.name}, in {units.axis_of_change} (95 % over seeds)"
    rows = alt.Y("recipe:N", sort=document.comparison.names, title=None)
    told = ["recipe:N", alt.Tooltip("said:N", title="optimism, 95 % over seeds"), "seeds:Q"]
    base = alt.Chart(data(values)).encode(y=rows, color=colour(document.comparison.names), tooltip=told)
    bars = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=title), x2="high:Q")
    centre = base.mark_point(shape="diamond", size=110, filled=True, opacity=1).encode(x="mean:Q")
    return _sized(_zero() + bars + centre, len(values))


def residuals(document: Document) -> Any:
    """Prediction less target on the test rows: the middle half and the middle 90 %."""
    values = [
        {"recipe": own.recipe} | {f"p{at}": float(f"{own.percentiles[at]:.5g}") for at in (5, 25, 50, 75, 95)}
        for own in document.residuals
    ]
    rows = alt.Y("recipe:N", sort=document.comparison.names, title=None)
    told = ["recipe:N", *(alt.Tooltip(f"p{at}:Q", title=f"percentile {at}") for at in (5, 25, 50, 75, 95))]
    base = alt.Chart(data(values)).encode(y=rows, color=colour(document.comparison.names), tooltip=told)
    wide = base.mark_rule(strokeWidth=2).encode(x=alt.X("p5:Q", title="prediction − target"), x2="p95:Q")
    middle = base.mark_bar(opacity=0.4, size=row_height(len(values)) * 0.4).encode(x="p25:Q", x2="p75:Q")
    median = base.mark_tick(thickness=3, size=row_height(len(values)) * 0.4).encode(x="p50:Q")
    return _sized(_zero() + wide + middle + median, len(values))
