"""How much memory a cohort may take here."""

from pathlib import Path

import jax

SHARE = 0.8  # of the memory that is free; the rest is for what an estimate does not know


def free_memory() -> int | None:
    """Bytes that a cohort may take: of an accelerator's memory, or of the machine's within the limits of a container.

    None where nothing tells.
    """
    told = jax.local_devices()[0].memory_stats()
    if told and "bytes_limit" in told:
        return jax.local_device_count() * (told["bytes_limit"] - told.get("bytes_in_use", 0))
    found = [_available(Path("/proc/meminfo"))]
    for root, most, used in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, taken = _number(Path(root) / most), _number(Path(root) / used)
        found.append(None if limit is None else limit - (taken or 0))
    return min((value for value in found if value is not None), default=None)


def _available(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text("ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
