"""Sets of the data folder as `kohort.data.load` reads them."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import kohort
from benchmarks.real_tables import written
from kohort.data import Dataset


def table(folder: Path, name: str, rows: int | None = None) -> Dataset:
    """A set of the folder; of so many of its rows, drawn evenly under seed 0, where it has more."""
    with tempfile.TemporaryDirectory() as place:
        dataset = replace(kohort.data.load(written(folder, name, Path(place)), "target"), name=name)
    if rows is None or rows >= dataset.rows:
        return dataset
    kept = np.sort(np.random.default_rng(0).permutation(dataset.rows)[:rows])
    return replace(dataset, name=f"{name}, {rows:,} rows", x=dataset.x[kept], y=dataset.y[kept])
