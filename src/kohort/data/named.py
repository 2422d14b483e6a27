"""Datasets by name: small ones that ship with scikit-learn or are drawn, and those that Keras downloads."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from kohort.data.dataset import Dataset
from kohort.data.downloads import DOWNLOADED, downloaded
from kohort.data.generated import blobs, circles, moons, spirals
from kohort.data.mnist1d import mnist1d
from kohort.errors import DataError


def _dataset(name: str, load: Callable[[], Any], scale: float | None, source: str) -> Dataset:
    bunch = load()
    x = np.asarray(bunch.data, np.float32)
    return Dataset(
        name,
        x if scale is None else x / np.float32(scale),
        np.asarray(bunch.target, np.int32),
        tuple(str(label) for label in bunch.target_names),
        "standard" if scale is None else "none",
        source,
    )


def _diabetes() -> Dataset:
    bunch: Any = load_diabetes(scaled=False)
    source = "disease progression of 442 patients (Efron et al. 2004), as shipped with scikit-learn"
    x, y = np.asarray(bunch.data, np.float32), np.asarray(bunch.target, np.float32)
    return Dataset("diabetes", x, y, (), "standard", source)


_UCI = "UCI Machine Learning Repository, as shipped with scikit-learn"
_SETS: dict[str, Callable[[], Dataset]] = {
    "digits": lambda: _dataset("digits", load_digits, 16.0, f"8×8 handwritten digits, pixels / 16; {_UCI}"),
    "wdbc": lambda: _dataset("wdbc", load_breast_cancer, None, f"breast cancer Wisconsin (diagnostic); {_UCI}"),
    "wine": lambda: _dataset("wine", load_wine, None, f"three cultivars of wine; {_UCI}"),
    "iris": lambda: _dataset("iris", load_iris, None, f"three species of iris; {_UCI}"),
    "diabetes": lambda: _diabetes(),
    "moons": moons,
    "circles": circles,
    "spirals": spirals,
    "blobs": blobs,
    "mnist1d": mnist1d,
}


def names() -> tuple[str, ...]:
    """The names that `named` knows."""
    return (*_SETS, *DOWNLOADED)


def named(name: str) -> Dataset:
    """A dataset by name.

    Args:
        name: One of `names()`.

    Raises:
        DataError: There is none of that name; the message lists the near matches. Or it cannot be downloaded.

    >>> named("digits").rows
    1797
    """
    if name in DOWNLOADED:
        return downloaded(name)
    if name not in _SETS:
        near = get_close_matches(name, names(), cutoff=0.5)
        guess = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise DataError(f"no dataset is called {name!r}. {guess}There are: {', '.join(names())}.")
    return _SETS[name]()
