"""What a benchmark's result says of where it was made."""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("kohort", "keras", "jax", "jaxlib", "numpy", "scipy")


def machine() -> str:
    """The cores that this process may use, their kind, and its Python."""
    from kohort.runtime import processor  # here, since peers that lack Kohort tell their versions by this file

    cores = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"
    return ", ".join([cores, *processor(), f"Python {platform.python_version()}"])


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def provenance(*packages: str) -> dict[str, Any]:
    """Date, machine, versions (of the packages named, too) and command of this process."""
    main = sys.modules["__main__"].__spec__
    module = "" if main is None else main.name.removesuffix(".__main__")
    asked = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]  # no path of this machine
    return {
        "date": date.today().isoformat(),
        "machine": machine(),
        "versions": versions((*PACKAGES, *packages)),
        "command": " ".join(["python", "-m", module, *asked]),
    }
