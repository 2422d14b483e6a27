"""Charts as pictures: SVG for pages, SVG and PNG as files."""

import functools
from typing import Any

import vl_convert

from kohort.report.charts.style import styled

PAGE_INK = "currentColor"
"""Text takes the page's own colour, in light and in dark."""

PAPER_INK = "#1c1e21"


@functools.cache
def runtime() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; it takes a second or two to be put together."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")


def spec(chart: Any, ink: str = PAGE_INK) -> dict[str, Any]:
    """A chart as a Vega-Lite specification."""
    return styled(chart, ink).to_dict(validate=False)


def svg(spec: dict[str, Any], name: str) -> str:
    """A chart as SVG text; its page says it in words. Ids begin with `name`, for several charts share a page."""
    drawn = vl_convert.vegalite_to_svg(spec)
    own_ids = drawn.replace(' id="', f' id="{name}-').replace("url(#", f"url(#{name}-")
    return own_ids.replace("<svg ", '<svg aria-hidden="true" ', 1)


def svg_file(chart: Any) -> bytes:
    """A chart as a file for papers: dark text, no background."""
    return vl_convert.vegalite_to_svg(spec(chart, PAPER_INK)).encode("utf-8")


def png_file(chart: Any) -> bytes:
    """A chart as a picture of 192 dots per inch on white."""
    return vl_convert.vegalite_to_png({**spec(chart, PAPER_INK), "background": "white"}, ppi=192)
