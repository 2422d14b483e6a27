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
    cores = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"
    return ", ".join([cores, *_processor(), f"Python {platform.python_version()}"])


def _processor() -> list[str]:
    """The processor's name and its widest vectors, where Linux tells them: they change times by a factor of three."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return []
    lines = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in told.splitlines())}
    widest = [name for name in ("avx512f", "avx2") if name in lines.get("flags", "").split()]
    return [*filter(None, [lines.get("model name", "")]), *widest[:1]]


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
