"""Two CPU devices whatever the machine, how tests compile, and the data that several of them share."""

import gc
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
from tests.compiling import compile_as_users_do, compile_quickly

CHROMIUM = Path("/usr/bin/chromium")

compile_quickly()

gc.freeze()
"""What is imported stays, so that collecting garbage need not look at it: that took two fifths of all tests' time."""

gc.set_threshold(20_000, 10, 5)
"""Tracing makes millions of objects that live for a second or two: looked at a thirtieth as often, they cost less."""


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
def _names_begin_anew() -> None:
    """Layers are numbered as in a fresh process. Garbage is left to Python: collecting it takes longer than a test."""
    keras.backend.clear_session(free_memory=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Thousands of programs, compiled quickly unless marked."""
    compile_as_users_do(item.get_closest_marker("optimised") is not None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first; of them the optimised last, of the slow ones first, so that little compiles twice."""

    def place(item: pytest.Item) -> tuple[bool, bool]:
        slow, optimised = (item.get_closest_marker(name) is not None for name in ("slow", "optimised"))
        return slow, optimised != slow

    items.sort(key=place)
