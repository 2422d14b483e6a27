"""Sets that are drawn: the same for the same seed, of the shape that they say, with as much noise as they say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from kohort.data import Dataset, blobs, circles, mnist1d, moons, named, names, spirals
from kohort.data.mnist1d import templates
from kohort.errors import DataError

MADE: tuple[Callable[..., Dataset], ...] = (moons, circles, spirals, blobs)


@pytest.mark.parametrize("make", MADE)
def test_drawn_anew_from_their_seed(make: Any) -> None:
    one = make(rows=300, seed=1)
    assert (one.x.shape, one.x.dtype, one.y.dtype) == ((300, 2), np.float32, np.int32)
    assert one.fingerprint == make(rows=300, seed=1).fingerprint != make(rows=300, seed=2).fingerprint
    assert np.bincount(one.y).min() > 60
    assert named(one.name).fingerprint == make().fingerprint
    clean, noisy = make(rows=4000, label_noise=0.0), make(rows=4000, label_noise=0.5)
    classes = len(clean.classes)
    assert np.mean(clean.y != noisy.y) == pytest.approx(0.5 * (1 - 1 / classes), abs=0.03)
    np.testing.assert_array_equal(clean.x, noisy.x)
    with pytest.raises(DataError, match="label noise in"):
        make(label_noise=1.5)


def test_the_arms_of_spirals_lie_apart() -> None:
    for arms in (2, 3):
        dataset = spirals(rows=900, noise=0.0, arms=arms, turns=1.0)
        radius, angle = np.hypot(*dataset.x.T), np.arctan2(dataset.x[:, 1], dataset.x[:, 0])
        turned = (angle / (2 * np.pi) - radius) % 1.0 * arms
        np.testing.assert_allclose((turned - dataset.y + 0.5) % arms, 0.5, atol=1e-3)
        assert 0.1 <= radius.min() < radius.max() <= 1.0
    with pytest.raises(DataError, match="arms must be at least 2"):
        spirals(arms=1)


def test_mnist1d_is_that_of_its_paper() -> None:
    """Of all rows mean 0 and variance 1; logistic regression tells 32 % of the digits (table 1)."""
    dataset = mnist1d()
    assert (dataset.x.shape, len(dataset.classes)) == ((5000, 40), 10)
    assert np.bincount(dataset.y).tolist() == [500] * 10
    assert (dataset.x.mean(), dataset.x.std()) == pytest.approx((0.0, 1.0), abs=1e-4)
    line = LogisticRegression(max_iter=500).fit(dataset.x[:4000], dataset.y[:4000])
    assert 0.26 < line.score(dataset.x[4000:], dataset.y[4000:]) < 0.38
    assert dataset.fingerprint == named("mnist1d").fingerprint != mnist1d(seed=1).fingerprint
    with pytest.raises(DataError, match="10 at least. Got rows=9"):
        mnist1d(9)


def test_templates_begin_at_zero_and_differ() -> None:
    drawn = templates()
    assert drawn.shape == (10, 12)
    np.testing.assert_array_equal(drawn[:, 0], 0.0)
    np.testing.assert_allclose(drawn.std(axis=1), 1 / 6)
    assert min(np.abs(one - other).max() for i, one in enumerate(drawn) for other in drawn[:i]) > 0.05


def test_diabetes_is_a_regression() -> None:
    dataset = named("diabetes")
    assert (dataset.task, dataset.x.shape, dataset.outputs) == ("regression", (442, 10), 1)
    assert set(names()) >= {"digits", "wdbc", "wine", "iris", "diabetes", "moons", "circles", "spirals", "blobs"}
