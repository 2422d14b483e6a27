"""Calibration against its definitions, and against data whose calibration is known."""

from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from kohort.statistics import calibration, fitted_temperature, log_loss, reliability, with_temperature
from kohort.statistics.calibration import COLDEST, HOTTEST

GENERATOR = np.random.default_rng(5)


def drawn(rows: int, classes: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right, and labels drawn from them."""
    probabilities = special.softmax(scale * GENERATOR.normal(size=(rows, classes)), axis=1)
    labels = (probabilities.cumsum(axis=1) < GENERATOR.random((rows, 1))).sum(axis=1)
    return probabilities, np.minimum(labels, classes - 1)


def test_the_error_is_its_definition() -> None:
    probabilities, labels = drawn(500, 3)
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for low in np.arange(10) / 10:
        inside = (sure > low) & (sure <= low + 0.1)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    found = reliability(probabilities, labels, bins=10)
    assert found.error == pytest.approx(expected, rel=1e-12)
    assert found.rows.sum() == 500
    assert np.isnan(found.accuracy[:3]).all()  # the largest of three is above a third


def test_probabilities_that_are_right_have_a_small_error() -> None:
    probabilities, labels = drawn(200_000, 4)
    assert reliability(probabilities, labels).error < 0.005
    assert fitted_temperature(probabilities, labels) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("temperature", [0.3, 0.8, 2.5])
def test_a_temperature_is_found_again(temperature: float) -> None:
    right, labels = drawn(100_000, 5)
    wrong = with_temperature(right, 1 / temperature)  # dividing the logits by it makes them right
    assert fitted_temperature(wrong, labels) == pytest.approx(temperature, rel=0.03)
    mended = with_temperature(wrong, fitted_temperature(wrong, labels))
    assert reliability(mended, labels).error < reliability(wrong, labels).error
    assert (mended.argmax(axis=1) == wrong.argmax(axis=1)).all()


def test_the_temperature_has_the_best_log_loss() -> None:
    probabilities, labels = drawn(300, 3, scale=3.0)
    found = fitted_temperature(probabilities, labels)
    best: Any = optimize.minimize_scalar(
        lambda own: log_loss(with_temperature(probabilities, own), labels), bounds=(0.05, 20), method="bounded"
    )
    assert found == pytest.approx(best.x, rel=1e-3)


def test_temperatures_without_a_bound() -> None:
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert fitted_temperature(sure, np.array([0, 1])) == COLDEST
    assert fitted_temperature(sure, np.array([1, 0])) == HOTTEST


def test_a_probability_of_zero_is_no_infinity() -> None:
    certain = np.array([[1.0, 0.0]], np.float32)
    assert log_loss(certain, np.array([1])) == pytest.approx(87.3, abs=0.1)
    assert np.isfinite(with_temperature(certain, 0.5)).all()


def test_several_networks() -> None:
    wrong = [(with_temperature(p, 0.5), y) for p, y in (drawn(20_000, 3) for _ in range(6))]
    found = calibration("dropout", [3, 4, 5], wrong[:3], wrong[3:])
    np.testing.assert_allclose(found.temperatures, 2.0, rtol=0.1)
    assert (found.errors[:, 1] < found.errors[:, 0]).all()
    assert (found.log_losses[:, 1] < found.log_losses[:, 0]).all()
    assert found.curves[0].rows.sum() == 60_000
    assert str(found).startswith("dropout: expected calibration error 0.1")
    assert str(found).endswith("(3 networks)")


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.ones((3, 2)) / 2, np.array([0, 1]), "there must be probabilities"),
        (np.ones((2, 2)) / 2, np.array([0, 2]), "labels must be class numbers from 0 to 1"),
        (np.ones((2, 2)) / 2, np.array([0.0, 1.0]), "labels must be class numbers"),
        (np.ones((2, 2)), np.array([0, 1]), "sum up to 1"),
        (np.array([[1.5, -0.5]]), np.array([0]), "at least 0"),
        (np.array([[np.nan, 1.0]]), np.array([0]), "finite"),
        (np.ones((0, 2)), np.zeros(0, int), "there must be probabilities"),
    ],
)
def test_what_is_no_probability_is_refused(probabilities: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reliability(probabilities, labels)
    with pytest.raises(ValueError, match="at least 1 bin"):
        reliability(np.ones((1, 2)) / 2, np.array([0]), bins=0)
