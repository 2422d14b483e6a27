"""Which classes a recipe takes for which, as a matrix."""

from typing import Any

import altair as alt
import numpy as np

from kohort.report.charts.style import data
from kohort.report.document import Document

SIDE = 420  # pixels


def confusion(document: Document) -> Any:
    """Rows are true classes, columns what the best recipe's networks say; a cell holds the share of its row."""
    own = document.confusion
    assert own is not None
    # classes may have equal names, so cells stand at numbers and are labelled by name
    count = len(own.classes)
    values = [
        {
            "true": row,
            "given": column,
            "share": float(f"{100 * own.shares[row, column]:.4g}"),
            "answers": int(own.counts[row, column]),
            "truth": own.classes[row],
            "said": own.classes[column],
        }
        for row, column in np.ndindex(count, count)
    ]
    by_name = {"values": list(range(count)), "labelExpr": f"{_listed(own.classes)}[datum.value]", "grid": False}
    names = alt.Axis(**by_name, labelAngle=0, labelLimit=110)
    short = count <= 10 and max(map(len, own.classes)) <= 5
    turned = alt.Axis(**by_name, labelAngle=0 if short else -60, labelLimit=90)
    base = alt.Chart(data(values)).encode(
        x=alt.X("given:O", title="class given", axis=turned),
        y=alt.Y("true:O", title="true class", axis=names),
        tooltip=[
            alt.Tooltip("truth:N", title="true class"),
            alt.Tooltip("said:N", title="class given"),
            alt.Tooltip("share:Q", title="% of the true class"),
            alt.Tooltip("answers:Q", title="answers, all seeds"),
        ],
    )
    scale = alt.Scale(type="sqrt", domain=[0, 100], range=["#f4f6f8", "#0072B2"])
    cells = base.mark_rect(stroke="#8883").encode(color=alt.Color("share:Q", scale=scale, title="%", legend=None))
    layers = [cells]
    if count <= 15:
        ink = alt.condition("datum.share > 30", alt.value("#ffffff"), alt.value("#1c1e21"))
        text = alt.Text("share:Q", format=".0f") if count > 5 else alt.Text("share:Q", format=".1f")
        layers.append(base.transform_filter("datum.share >= 0.5").mark_text(fontSize=11).encode(text=text, color=ink))
    return alt.layer(*layers).properties(width=SIDE, height=SIDE)


def _listed(names: Any) -> str:
    """Names as a list in Vega's expressions, in which a name is a string and nothing else."""
    return "[" + ",".join("'" + "".join(f"\\u{unit:04x}" for unit in _units(name)) + "'" for name in names) + "]"


def _units(name: str) -> list[int]:
    raw = name.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
