"""Keras' own datasets, downloaded by Keras into its folder (`~/.keras/datasets`) when they are first asked for."""

import contextlib
import io
from importlib import import_module

import numpy as np

from kohort.data.array_files import from_arrays
from kohort.data.dataset import Dataset
from kohort.errors import DataError

PREFIX = "keras:"
_SOURCES = {
    "mnist": "handwritten digits, 28×28 (LeCun et al. 1998)",
    "fashion_mnist": "articles of clothing, 28×28 (Xiao et al. 2017)",
    "cifar10": "photographs of ten kinds, 32×32 in colour (Krizhevsky 2009)",
    "cifar100": "photographs of a hundred kinds, 32×32 in colour (Krizhevsky 2009)",
    "california_housing": "median house values of 20,640 districts (Pace & Barry 1997)",
}
DOWNLOADED = tuple(PREFIX + name for name in _SOURCES)


def downloaded(name: str) -> Dataset:
    """One of Keras' own datasets, with the test rows that belong to it.

    Args:
        name: One of `DOWNLOADED`.

    Raises:
        DataError: It is not there and cannot be downloaded.
    """
    own = name.removeprefix(PREFIX)
    module = import_module(f"keras.datasets.{own}")
    arguments = {"version": "large"} if own == "california_housing" else {}
    said = io.StringIO()  # a progress bar of Keras' goes to standard output, where results belong
    try:
        with contextlib.redirect_stdout(said):
            (x, y), (test_x, test_y) = module.load_data(**arguments)
    except Exception as error:  # Keras raises no narrower class where the net or a file is bad
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{name}: Keras could not download the data: {reason}. Connect to the net, or pass a file that you have."
        ) from error
    images, labels = (np.asarray(x), np.asarray(test_x)), (np.asarray(y), np.asarray(test_y))
    source = f"{_SOURCES[own]}; from Keras, with its own {len(labels[1]):,} test rows"
    return from_arrays(name, images, labels, source)
