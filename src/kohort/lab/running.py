"""Experiments are run, and found again where their code, scale and versions are the same."""

import hashlib
import inspect
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path

from kohort.errors import DataError, KohortError
from kohort.lab.chapter8 import CLAIMS
from kohort.lab.claim import QUICK_SEEDS, Claim, Scale
from kohort.lab.result import Result
from kohort.store import disk

APPARATUS = "kohort.lab.apparatus."
"""Where the modules are that experiments share; other code there is another experiment."""


def claim_named(name: str) -> Claim:
    """A claim by its name.

    Raises:
        DataError: There is none; the message lists near matches.
    """
    if name not in CLAIMS:
        near = get_close_matches(name, CLAIMS, cutoff=0.4)
        guess = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise DataError(f"no claim is called {name!r}. {guess}There are: {', '.join(CLAIMS)}.")
    return CLAIMS[name]


def scale_of(claim: Claim, seeds: int | None = None, quick: bool = False) -> Scale:
    """How much a claim's experiment trains.

    Raises:
        DataError: There are fewer than 3 seeds, of which an interval says nothing.
    """
    if seeds is not None and seeds < 3:
        raise DataError(f"seeds must be at least 3, or intervals say nothing. Got {seeds}.")
    return Scale(seeds or (QUICK_SEEDS if quick else claim.seeds), quick)


def run(name: str, *, seeds: int | None = None, quick: bool = False) -> Result:
    """Runs the experiment of a claim.

    Args:
        name: The claim's; `kohort.lab.CLAIMS` has them all.
        seeds: How many seeds; the claim's own number (20 for most) unless told.
        quick: Train little, with 4 seeds: it shows that the experiment works and settles little.

    Returns:
        The evidence, each prediction with what was found, and the verdict. `kohort.lab.write_page` writes its page.

    Raises:
        DataError: There is no such claim, or there are too few seeds.
        KohortError: The experiment could not be run.

    >>> kohort.lab.run("l1-sparsity", seeds=40).verdict.kind  # doctest: +SKIP
    """
    claim = claim_named(name)
    scale = scale_of(claim, seeds, quick)
    identity = _identity(claim, scale)  # of the code that runs, should a file change meanwhile
    started = time.perf_counter()
    try:
        evidence = claim.measure(scale)
    except KohortError as error:
        raise type(error)(f"claim {name!r}: {error}") from error
    return Result(claim, scale, evidence, _made(), time.perf_counter() - started, identity)


def kept_or_run(
    claim: Claim, scale: Scale, folder: Path, *, again: bool = False, begins: Callable[[Claim], None] | None = None
) -> tuple[Result, bool]:
    """A result that a folder keeps, or a new one, which it keeps from then on.

    Args:
        claim: Of which claim.
        scale: At which scale.
        folder: Where results are kept as `NAME.json`; it is made if need be.
        again: Run even if it is kept.
        begins: Told the claim before its experiment is run.

    Returns:
        The result, and whether it was kept.

    Raises:
        DataError: The folder cannot be written to.
    """
    place = folder / f"{claim.name}.json"
    found = None if again else kept_result(claim, folder)
    if found is not None and found.scale == scale:
        return found, True
    check_writable(place)
    if begins is not None:
        begins(claim)
    result = run(claim.name, seeds=scale.seeds, quick=scale.quick)
    write_whole(place, result.to_json())
    return result, False


def kept_result(claim: Claim, folder: Path) -> Result | None:
    """The result of a claim that a folder keeps; None where there is none, or other code or versions made it."""
    place = folder / f"{claim.name}.json"
    found = Result.from_json(place.read_bytes(), claim) if place.is_file() else None
    return found if found is not None and found.identity == _identity(claim, found.scale) else None


def check_writable(path: Path) -> None:
    """Refuses a file that cannot be written, before minutes are spent on what it is to hold.

    Raises:
        DataError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.part")
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}. Name another folder.") from error


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and makes its folder.

    Raises:
        DataError: It cannot be written.
    """
    try:
        disk.make_folder(path.parent)
        disk.write(path, text.encode("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}. Name another folder.") from error


def _versions() -> dict[str, str]:
    return {package: metadata.version(package) for package in ("kohort", "keras", "jax", "numpy")}


def _made() -> dict[str, str]:
    told = ", ".join(f"{name} {version}" for name, version in _versions().items())
    return {"date": date.today().isoformat(), "versions": told, "machine": f"{platform.machine()}, {platform.system()}"}


def _identity(claim: Claim, scale: Scale) -> str:
    home = claim.measure.__module__
    own = inspect.getsource(sys.modules[home]).split("\nCLAIM = ")[0]  # what a claim says and predicts decides nothing
    apparatus = [inspect.getsource(sys.modules[name]) for name in sorted(_apparatus(home))]
    decides = (claim.name, own, apparatus, scale.seeds, scale.quick, sorted(_versions().items()))
    return hashlib.sha256(repr(decides).encode()).hexdigest()


def _apparatus(module: str) -> set[str]:
    """The modules of the apparatus that a module uses, directly or by way of others."""
    used = {getattr(value, "__module__", None) for value in vars(sys.modules[module]).values()}
    own = {name for name in used if isinstance(name, str) and name.startswith(APPARATUS) and name != module}
    return own.union(*(_apparatus(name) for name in own))
