"""What a Keras metric says of predictions, row by row.

To judge recipes for rows that nobody has seen, statistics need to know what each test row contributes to a score. For
accuracy that is plain: right or wrong. For a metric θ of n rows in general, let row i carry the weight wᵢ, as Keras'
`sample_weight` does; the row's outcome is then

    θ + n · ∂θ/∂wᵢ   at w = 1,

its influence on the score (the infinitesimal jackknife: Jaeckel 1972; Efron 1982, The Jackknife, the Bootstrap and
Other Resampling Plans, chapter 6). Of a mean it is the row's own value; for AUC, F1 or R² the outcomes have the score
as their mean and its sampling error as theirs. Penalties are no part of any of this: a metric sees labels and
predictions alone.

Networks of a study give a probability for each class, and labels are class numbers. A metric of one probability, such
as AUC, is shown that of the second of two classes; other metrics of Keras that are not sparse are shown one-hot labels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.trainers.compile_utils import get_metric

from kohort.cohort.initial import LITTLE_EFFORT
from kohort.errors import DataError, NotSupportedError
from kohort.run import Evaluation

Outcomes = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(labels, predictions) of n rows -> their outcomes, float32 of shape (n,)."""


@dataclass(frozen=True)
class Measure:
    """A metric by which runs are judged.

    Attributes:
        name: What reports call it.
        greater_is_better: Whether one wants it high.
        outcomes: What each row contributes.
    """

    name: str
    greater_is_better: bool
    outcomes: Outcomes

    def evaluation(self, rows: np.ndarray, y: np.ndarray, predicted: np.ndarray) -> Evaluation:
        """How predictions do.

        Args:
            rows: The numbers of the rows in the dataset, (rows,).
            y: Their labels or targets.
            predicted: What was predicted for them, (rows, outputs), in units of the targets.
        """
        return Evaluation(rows, self.outcomes(y, predicted), self.name, self.greater_is_better)


def measure(metric: Any, y: np.ndarray, outputs: int) -> Measure:
    """The measure that a Keras metric is.

    Args:
        metric: A name that `model.compile(metrics=[…])` takes, or a metric object.
        y: Labels, of which the first rows tell the kind: `"accuracy"` means another metric for class numbers than for
            one-hot labels.
        outputs: How many numbers a network gives for a row.

    Raises:
        DataError: No metric is called so, or it is a loss of the whole network.
        NotSupportedError: It does not say which direction is good, or fails on such labels and predictions.
    """
    if metric in ("loss", "val_loss"):
        raise DataError(
            f"metric={metric!r} holds the penalties of the recipes that are compared, so it cannot judge between them. "
            "Name the loss without them, for instance metric='sparse_categorical_crossentropy'."
        )
    shape = np.zeros((2, outputs), np.float32)
    try:
        found = get_metric(metric, y[:2], shape)
        own: Any = found() if isinstance(found, type) else found
    except (ValueError, TypeError) as error:
        raise DataError(f"metric must be a Keras metric. Got {metric!r}: {_no_metric(metric, error)}") from error
    plain = not isinstance(own, keras.metrics.Metric)
    if plain:
        own = keras.metrics.MeanMetricWrapper(own, name=str(metric))  # a plain function of labels and predictions
    name = metric if isinstance(metric, str) else own.name
    if isinstance(own, keras.metrics.SparseCategoricalAccuracy):
        return Measure(name, True, _right_class)
    direction = getattr(own, "_direction", None)
    if direction not in ("up", "down"):
        raise NotSupportedError(
            f"metric {name!r} does not say whether it should be high or low. Set its attribute _direction to 'up' or "
            "'down', as Keras' own metrics do."
        )
    numbers = y.ndim == 1 and y.dtype.kind in "iu" and outputs > 1
    view = _as_it_is if plain or not numbers else _view_of(own, outputs)
    influence = _Influence(own, name)
    influence.check(*view(np.arange(2 * outputs, dtype=np.int32) % outputs if numbers else y[:2], _probe(y, outputs)))
    return Measure(name, direction == "up", lambda y, predicted: influence(*view(y, predicted)))


def _no_metric(metric: Any, error: Exception) -> str:
    names = [name for name in dir(keras.metrics) if isinstance(getattr(keras.metrics, name), type)]
    lower = {name.lower(): name for name in names}
    near = get_close_matches(str(metric).lower(), lower, cutoff=0.5) or [n for n in lower if str(metric).lower() in n]
    guess = f" Did you mean {' or '.join(repr(lower[name]) for name in near[:3])}?" if near else ""
    return str(error).splitlines()[0] + guess


View = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""How a metric is shown labels and predictions."""

OF_THE_SECOND_CLASS = (
    keras.metrics.AUC,
    keras.metrics.Precision,
    keras.metrics.Recall,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.RecallAtPrecision,
    keras.metrics.TruePositives,
    keras.metrics.TrueNegatives,
    keras.metrics.FalsePositives,
    keras.metrics.FalseNegatives,
    keras.metrics.BinaryAccuracy,
    keras.metrics.BinaryCrossentropy,
)
"""Metrics of one probability a row. Of two classes they see the second one's."""


def _view_of(metric: keras.metrics.Metric, outputs: int) -> View:
    """How a metric sees class numbers and a probability for each class, which only Keras' sparse metrics take."""
    kind = type(metric)
    if not kind.__module__.startswith("keras.") or kind.__name__.startswith("Sparse"):
        return _as_it_is
    return _second_class if outputs == 2 and isinstance(metric, OF_THE_SECOND_CLASS) else _one_hot


def _as_it_is(y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return y, predicted


def _second_class(y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return y.astype(np.float32)[:, None], predicted[:, 1:]


def _one_hot(y: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.eye(predicted.shape[1], dtype=np.float32)[y], predicted


def _probe(y: np.ndarray, outputs: int) -> np.ndarray:
    """Predictions to look at a metric with."""
    rows = 2 * outputs if y.ndim == 1 and y.dtype.kind in "iu" and outputs > 1 else len(y[:2])
    return np.full((rows, outputs), 1.0 / outputs, np.float32)


def _right_class(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return (predicted.argmax(axis=-1) == y.reshape(len(y))).astype(np.float32)


SHIFT = 0.02  # of weights, to see whether a metric's derivative tells how it moves


class _Influence:
    """The outcomes of any metric, by its derivative with respect to the rows' weights."""

    def __init__(self, metric: Any, name: str):
        self.metric, self.name = metric, name
        self._compiled: Any = None
        self._looked_at = False

    def __getstate__(self) -> dict[str, Any]:
        """The metric as it is: pickled by Keras it would be what `get_config` tells, of a class that is registered."""
        return {"name": self.name, "kind": type(self.metric), "has": vars(self.metric)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        metric = object.__new__(state["kind"])
        vars(metric).update(state["has"])
        self.__init__(metric, state["name"])

    def __call__(self, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        y = self._shaped(y, predicted)
        self._compiled = self._compiled or self._compile(y, predicted)
        rows = len(y)
        score, slopes = self._compiled(np.ones(rows, np.float32), y, predicted)
        if not self._looked_at:
            self._look(np.asarray(score), np.asarray(slopes), y, predicted)
            self._looked_at = True
        influence = rows * np.asarray(slopes, np.float64)
        return (float(score) + influence - influence.mean()).astype(np.float32)  # Σ ∂θ/∂wᵢ = 0 but for rounding

    def check(self, y: np.ndarray, predicted: np.ndarray) -> None:
        """Refuses a metric that cannot be taken of such labels and predictions.

        Raises:
            NotSupportedError: It fails on them, or cannot be differentiated by the weights of rows.
        """
        y = self._shaped(y, predicted)
        try:
            jax.eval_shape(jax.value_and_grad(self._score_of(y, predicted)), np.ones(len(y), np.float32), y, predicted)
        except Exception as error:
            raise NotSupportedError(
                f"metric {self.name!r} cannot be taken row by row: {type(error).__name__}: {error} "
                "Judge by a metric that takes sample_weight and is computed with keras.ops."
            ) from error

    def _shaped(self, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        return y if y.ndim == predicted.ndim else y.reshape(len(y), *[1] * (predicted.ndim - 1))

    def _compile(self, y: np.ndarray, predicted: np.ndarray) -> Any:
        effort = LITTLE_EFFORT if jax.default_backend() == "cpu" else None
        return jax.jit(jax.value_and_grad(self._score_of(y, predicted)), compiler_options=effort)

    def _score_of(self, y: np.ndarray, predicted: np.ndarray) -> Any:
        """The metric as a function of (weights, y, predicted)."""
        with jax.ensure_compile_time_eval():  # builds what the first batch builds
            self.metric(y[:2], predicted[:2], sample_weight=np.ones(2, np.float32))
        self.metric.reset_state()
        start = [jnp.asarray(variable.value) for variable in self.metric.variables]

        def score(weights: Any, y: Any, predicted: Any) -> Any:
            state = self.metric.stateless_update_state(start, y, predicted, sample_weight=weights)
            return jnp.mean(jnp.asarray(self.metric.stateless_result(state), jnp.float32))

        return score

    def _look(self, score: np.ndarray, slopes: np.ndarray, y: np.ndarray, predicted: np.ndarray) -> None:
        """Refuses a metric that does not move with weights as its derivative says, such as one that rounds them."""
        if not np.isfinite(score):
            return
        signs = np.where(np.random.RandomState(0).permutation(len(y)) % 2, 1.0, -1.0)
        for turn in (1.0, -1.0):
            weights = (1.0 + turn * SHIFT * signs).astype(np.float32)
            moved = float(self._compiled(weights, y, predicted)[0]) - float(score)
            told = float((slopes * (weights - 1.0)).sum())
            allowed = 0.25 * abs(told) + 50 * SHIFT**2 * max(abs(float(score)), 0.1) / len(y) ** 0.5 + 1e-5
            if abs(moved - told) > allowed:
                raise NotSupportedError(
                    f"metric {self.name!r} does not follow the weights of rows: it moved by {moved:.2g} where its "
                    f"derivative says {told:.2g}. Judge by a metric that takes sample_weight."
                )
