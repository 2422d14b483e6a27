"""The process that Kohort runs in: Keras on JAX, a CPU device for each core, a JAX that computes rightly.

`prepare` runs when `kohort` is imported and imports neither Keras nor JAX; it only tells them, through their own
environment variables, what to start with. What the user has set, or already started, is never changed.
"""

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from kohort.errors import BackendError

WRONG_ON_CPU = {"0.10.2": "https://github.com/jax-ml/jax/issues/39103"}
"""jaxlib versions that silently compute wrong numbers on CPU."""

CURE = "--xla_cpu_experimental_ynn_fusion_type="
"""The XLA flag that makes them right; it slows small matrix products 1.2–1.5 times, so it is set nowhere else."""

FIRST_LINE = (
    "Put `import kohort` before the first import of keras, or start Python with KERAS_BACKEND=jax, and remove another "
    "KERAS_BACKEND."
)
"""What cures another backend."""


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> tuple[str, ...]:
    """The processor's name and its widest vectors, where Linux tells them: they change times by a factor of three."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return ()
    lines = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in told.splitlines())}
    widest = [name for name in ("avx512f", "avx2") if name in lines.get("flags", "").split()]
    return (*filter(None, [lines.get("model name", "")]), *widest[:1])


def prepare() -> None:
    """Chooses the JAX backend, one CPU device per core and, for a jaxlib known to be wrong, the flag that cures it."""
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "jax")
    if "jax" not in sys.modules:
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(cores()))
        if installed("jaxlib") in WRONG_ON_CPU and CURE not in os.environ.get("XLA_FLAGS", ""):
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {CURE}".strip()


def installed(package: str) -> str | None:
    """The version of an installed package, without importing it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def other_backend() -> str | None:
    """The backend on which Keras already runs in this process, where that is not JAX."""
    keras = sys.modules.get("keras")
    backend = None if keras is None else keras.backend.backend()
    return None if backend == "jax" else backend


def check_backend() -> None:
    """Refuses a backend other than JAX and a jaxlib that computes wrongly; warns where a core lies idle.

    Raises:
        BackendError: With what to put on which line.
    """
    to_come = "jax" if "keras" in sys.modules else os.environ.get("KERAS_BACKEND", "jax")
    backend = other_backend() or to_come
    if backend != "jax":
        raise BackendError(f"Keras must run on JAX for Kohort. Got the backend {backend!r}. {FIRST_LINE}")
    version = installed("jaxlib")
    if version in WRONG_ON_CPU and CURE not in os.environ.get("XLA_FLAGS", ""):
        raise BackendError(
            f"jaxlib {version} silently computes wrong numbers on CPU ({WRONG_ON_CPU[version]}). "
            f"Install another (pip install 'jax!={version}'), or start Python with XLA_FLAGS={CURE}"
        )
    _warn_of_idle_cores()


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Spares the search for garbage while programs are traced and compiled.

    Tracing makes some hundred thousand objects that live until it ends, so Python searches the whole heap, Keras and
    JAX included, several times for nothing: a twentieth of the time until training begins.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_told: set[str] = set()


def _warn_of_idle_cores() -> None:
    jax = sys.modules.get("jax")
    if jax is None or jax.default_backend() != "cpu":
        return
    devices, wanted = jax.local_device_count(), cores()
    if devices == 1 < wanted and "devices" not in _told and "JAX_NUM_CPU_DEVICES" not in os.environ:
        _told.add("devices")
        warnings.warn(
            f"JAX was started before Kohort could ask for {wanted} CPU devices, so cohorts train on one. The numbers "
            "are the same; for the speed of all cores put `import kohort` before the first import of jax or keras.",
            stacklevel=4,
        )
