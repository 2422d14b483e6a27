"""`kohort doctor`: is this machine fit for Kohort?"""

import os
import platform
import sqlite3
import sys

import typer


def doctor() -> None:
    """Say versions and devices, and check that JAX computes rightly here. Exit code 3 if it does not.

    Example: kohort doctor
    """
    import kohort
    from kohort.runtime import CURE, WRONG_ON_CPU, cores, installed

    print(f"kohort    {kohort.__version__}")
    print(f"python    {platform.python_version()} ({platform.machine()}, {platform.system()})")
    for package in ("keras", "jax", "jaxlib", "numpy", "scipy", "scikit-learn", "altair"):
        print(f"{package:9} {installed(package) or 'missing'}")
    print(f"sqlite    {sqlite3.sqlite_version}")
    backend = os.environ.get("KERAS_BACKEND", "jax")
    print(f"backend   {backend}")
    failures = []
    cure = f"Cure: pip install 'jax>=0.10.1,!=0.10.2', or start with XLA_FLAGS={CURE}"
    if backend != "jax":
        failures.append(f"KERAS_BACKEND is {backend!r}. Cure: unset it, or set KERAS_BACKEND=jax.")
    import jax

    from kohort.cohort.selfcheck import selfcheck

    devices = jax.local_devices()
    print(f"devices   {len(devices)} × {devices[0].device_kind} ({devices[0].platform}); {cores()} cores")
    print("\nnumbers, compared with NumPy in float64:")
    for check in selfcheck():
        print(f"  {'right' if check.right else 'WRONG'}  {check.name} (relative error {check.error:.1e})")
        if not check.right:
            failures.append(f"JAX computes wrong numbers here: {check.name}. {cure}")
    jaxlib = installed("jaxlib")
    if jaxlib in WRONG_ON_CPU:
        print(f"\njaxlib {jaxlib} is known to be wrong on CPU: {WRONG_ON_CPU[jaxlib]}")
        failures += (
            [] if CURE in os.environ.get("XLA_FLAGS", "") else [f"jaxlib {jaxlib} runs without its cure. {cure}"]
        )
    if failures:
        told = "\n  ".join(failures)
        print(f"\nNot fit:\n  {told}", file=sys.stderr)
        raise typer.Exit(3)
    print("\nFit for Kohort.")
