"""Two CPU devices whatever the machine, and the data and networks that several tests share."""

import os

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_NUM_CPU_DEVICES"] = "2"

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kohort

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """480 rows of 64 features and 10 classes: 384 train (12 batches of 32) with validation_split=0.2."""
    data = kohort.data.named("digits")
    return data.x[:480], data.y[:480]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser, Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    if not CHROMIUM.exists():
        told = "a browser is needed to look at pages: apt-get install chromium"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=options)
        yield opened
        opened.close()


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
