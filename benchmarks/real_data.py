"""Sets of the data folder as `kohort.data.load` reads them, and what a result says of where it was made."""

import os
import platform
import sys
import tempfile
from dataclasses import replace
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

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


def provenance(*packages: str) -> dict[str, Any]:
    """Date, machine and versions of packages, those that are installed."""
    versions = {}
    for package in ("kohort", "keras", "jax", "jaxlib", "numpy", "optuna", *packages):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0))
    asked = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]  # no path of this machine
    return {
        "date": date.today().isoformat(),
        "machine": f"{cores} cores, {platform.machine()}, Python {platform.python_version()}",
        "versions": versions,
        "command": " ".join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *asked]),
    }
