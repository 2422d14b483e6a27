"""Two CPU devices whatever the machine, and the data and networks that several tests share."""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_NUM_CPU_DEVICES"] = "2"

import keras
import numpy as np
import pytest

import kohort


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """480 rows of 64 features and 10 classes: 384 train (12 batches of 32) with validation_split=0.2."""
    data = kohort.data.named("digits")
    return data.x[:480], data.y[:480]


@pytest.fixture(autouse=True)
def _names_begin_anew(request: pytest.FixtureRequest) -> None:
    """Clears what Keras keeps, which takes a third of a second: not where no model is made."""
    if not request.module.__name__.startswith(
        ("tests.test_statistics", "tests.test_scores", "tests.test_architecture")
    ):
        keras.backend.clear_session()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first; otherwise the order of the files."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
