"""What rows contribute to a metric: against the metric itself, and against leaving one row out."""

from typing import Any

import keras
import numpy as np
import pytest

from kohort.cohort.outcomes import measure
from kohort.errors import DataError, NotSupportedError

ROWS = 400
RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 3, ROWS).astype(np.int32)
LOGITS = RNG.normal(size=(ROWS, 3)) + 1.2 * np.eye(3)[CLASSES]
SHARES = (np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)).astype(np.float32)
ONE_HOT = np.eye(3, dtype=np.float32)[CLASSES]
BINARY = (CLASSES > 0).astype(np.int32)
CHANCE = np.clip(0.35 + 0.3 * BINARY + 0.25 * RNG.normal(size=ROWS), 0.01, 0.99).astype(np.float32)[:, None]
TARGET = (LOGITS[:, 0] + RNG.normal(size=ROWS)).astype(np.float32)
GUESS = (0.8 * LOGITS[:, 0]).astype(np.float32)[:, None]

METRICS: dict[str, tuple[Any, np.ndarray, np.ndarray]] = {
    "accuracy": ("accuracy", CLASSES, SHARES),
    "one-hot accuracy": ("accuracy", ONE_HOT, SHARES),
    "binary accuracy": ("accuracy", BINARY, CHANCE),
    "cross-entropy": ("sparse_categorical_crossentropy", CLASSES, SHARES),
    "mse": ("mse", TARGET, GUESS),
    "mae": ("mae", TARGET, GUESS),
    "rmse": (keras.metrics.RootMeanSquaredError(), TARGET, GUESS),
    "r2": (keras.metrics.R2Score(), TARGET, GUESS),
    "auc": (keras.metrics.AUC(), BINARY, CHANCE),
    "f1": (keras.metrics.F1Score(average="macro"), ONE_HOT, SHARES),
    "precision": (keras.metrics.Precision(), BINARY, CHANCE),
    "top 2": (keras.metrics.SparseTopKCategoricalAccuracy(k=2), CLASSES, SHARES),
}


def by_keras(metric: Any, y: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> float:
    """The oracle: the metric itself on all these rows."""
    names = {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError"}
    if metric == "accuracy":
        kinds = {1: "BinaryAccuracy", 3: "SparseCategoricalAccuracy" if y.ndim == 1 else "CategoricalAccuracy"}
        own = getattr(keras.metrics, kinds[predicted.shape[1]])()
    elif isinstance(metric, str):
        own = getattr(keras.metrics, names.get(metric, "SparseCategoricalCrossentropy"))()
    else:
        own = type(metric).from_config(metric.get_config())
    shaped = y if y.ndim == predicted.ndim else y.reshape(-1, 1)
    own.update_state(shaped, predicted, sample_weight=weights)
    return float(np.mean(own.result()))


@pytest.mark.parametrize("name", METRICS)
def test_outcomes_have_the_metric_as_their_mean(name: str) -> None:
    metric, y, predicted = METRICS[name]
    outcomes = measure(metric, y, predicted.shape[1]).outcomes(y, predicted)
    assert outcomes.shape == (ROWS,)
    assert np.mean(outcomes, dtype=np.float64) == pytest.approx(by_keras(metric, y, predicted), abs=2e-6)


@pytest.mark.parametrize("name", METRICS)
def test_an_outcome_tells_what_the_metric_loses_without_the_row(name: str) -> None:
    metric, y, predicted = METRICS[name]
    outcomes = measure(metric, y, predicted.shape[1]).outcomes(y, predicted)
    whole = by_keras(metric, y, predicted)
    for row in (0, 17, 251):
        kept = np.arange(ROWS) != row
        without = by_keras(metric, y[kept], predicted[kept])
        # θ₋ᵢ ≈ θ − (outcomeᵢ − θ) / (n − 1), up to the square of a row's weight; exact for a mean
        assert without == pytest.approx(whole - (outcomes[row] - whole) / (ROWS - 1), abs=8 / ROWS**2)
    assert np.ptp(outcomes) > 0.5


TWO = np.concatenate([1.0 - CHANCE, CHANCE], axis=1)


@pytest.mark.parametrize(
    ("metric", "labels", "seen"),
    [
        ("auc", BINARY[:, None], CHANCE),
        ("Precision", BINARY[:, None], CHANCE),
        ("binary_accuracy", BINARY[:, None], CHANCE),
        ("F1Score", np.eye(2)[BINARY], TWO),
        ("categorical_crossentropy", np.eye(2)[BINARY], TWO),
        ("mse", np.eye(2)[BINARY], TWO),
    ],
)
def test_metrics_see_class_numbers_and_two_probabilities_in_their_own_way(
    metric: str, labels: np.ndarray, seen: np.ndarray
) -> None:
    own: Any = keras.metrics.get(metric)
    own = keras.metrics.MeanMetricWrapper(own) if not isinstance(own, keras.metrics.Metric) else own
    own.update_state(labels.astype(np.float32), seen)
    outcomes = measure(metric, BINARY, 2).outcomes(BINARY, TWO)
    assert np.mean(outcomes, dtype=np.float64) == pytest.approx(float(np.mean(np.asarray(own.result()))), abs=2e-6)


def test_auc_of_three_classes_is_that_of_all_one_against_the_rest() -> None:
    own = keras.metrics.AUC()
    own.update_state(ONE_HOT, SHARES)
    outcomes = measure("auc", CLASSES, 3).outcomes(CLASSES, SHARES)
    assert outcomes.mean() == pytest.approx(float(np.asarray(own.result())), abs=2e-6)


class Failing(keras.metrics.Mean):
    _direction = "up"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # pyright: ignore
        raise ValueError("only images")


def test_a_metric_that_fails_is_refused_before_anything_trains() -> None:
    with pytest.raises(
        NotSupportedError, match=r"metric 'failing' cannot be taken row by row: ValueError: only images"
    ):
        measure(Failing(name="failing"), CLASSES, 3)


def test_accuracy_is_right_or_wrong() -> None:
    outcomes = measure("accuracy", CLASSES, 3).outcomes(CLASSES, SHARES)
    np.testing.assert_array_equal(outcomes, (SHARES.argmax(axis=1) == CLASSES).astype(np.float32))


@pytest.mark.parametrize(("metric", "better"), [("accuracy", True), ("mse", False), (keras.metrics.AUC(), True)])
def test_the_direction_is_that_of_keras(metric: Any, better: bool) -> None:
    assert measure(metric, BINARY, 1).greater_is_better is better


class Rounding(keras.metrics.Mean):
    """Looks at the rows whose weight is at least 1 only."""

    _direction = "up"

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # pyright: ignore
        counted = keras.ops.cast(keras.ops.cast(sample_weight, "int32"), "float32")
        super().update_state(keras.ops.abs(y_true - y_pred[:, 0]), sample_weight=counted)


def test_a_metric_that_does_not_follow_weights_is_refused() -> None:
    with pytest.raises(NotSupportedError, match=r"does not follow the weights of rows"):
        measure(Rounding(name="rounding"), TARGET, 1).outcomes(TARGET[:, None], GUESS)


@pytest.mark.parametrize("metric", ["loss", "val_loss"])
def test_a_loss_with_penalties_is_refused(metric: str) -> None:
    with pytest.raises(DataError, match=r"holds the penalties .* metric='sparse_categorical_crossentropy'"):
        measure(metric, CLASSES, 3)


def test_what_is_no_metric_is_refused() -> None:
    with pytest.raises(DataError, match=r"metric must be a Keras metric\. Got 'acuracy'.* Did you mean 'Accuracy'"):
        measure("acuracy", CLASSES, 3)
    mean = keras.metrics.Mean(name="mean")
    mean._direction = None
    with pytest.raises(NotSupportedError, match=r"'mean' does not say whether it should be high or low"):
        measure(mean, CLASSES, 3)
