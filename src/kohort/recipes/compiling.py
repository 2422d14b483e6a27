"""A network and a design -> a compiled model."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kohort.errors import RecipeError
from kohort.parts import Resting
from kohort.recipes.design import Design, Problem

NOT_DECAYED = ["bias", "gamma", "beta"]
"""Variables that weight decay leaves alone: biases, and the scales and shifts of normalisations (Loshchilov & Hutter
2019 decay weights; shrinking a scale or a shift would fight the normalisation)."""

PLAIN_LOSS = {"regression": "mean_squared_error", "binary": "crossentropy", "multiclass": "crossentropy"}
"""The loss without penalties and smoothing, as a log of each epoch; what early stopping looks at."""


def optimizer_of(design: Design, problem: Problem) -> Any:
    """The optimiser that a design asks for.

    Raises:
        RecipeError: The weights are to rest for as many epochs as there are, or more.
    """
    if design.resting:
        if design.resting >= problem.epochs:
            raise RecipeError(
                f"the weights rest for {design.resting} epochs, so there must be more. Got {problem.epochs}. "
                "Train longer, or leave it out."
            )
        problem = problem.without_last(design.resting)
    rate = design.rate if design.schedule is None else design.schedule(design.rate, problem)
    made: Any = design.optimizer(learning_rate=rate, **design.momenta, **design.options)
    if design.options.get("weight_decay") is not None:
        made.exclude_from_weight_decay(var_names=NOT_DECAYED)
    for wrapper in design.wrappers:
        made = wrapper(made, problem)
    return Resting(made, problem.steps) if design.resting else made


def compiled(network: keras.Model, design: Design, problem: Problem) -> keras.Model:
    """Compiles a network as a design asks.

    Classes are learnt with cross-entropy and logged with their accuracy, numbers with the mean squared error and its
    root.

    Args:
        network: A network whose last layer is softmax with a unit per class, or linear with one unit.
        design: The design.
        problem: What it is for.
    """
    for wrap in (design.mixing, design.sharpness):  # the gradient elsewhere is that of the mixed loss
        network = network if wrap is None else wrap(network)
    if problem.task == "regression":
        loss: Any = keras.losses.MeanSquaredError()
        metrics: list[Any] = [keras.metrics.RootMeanSquaredError(name="rmse")]
    else:
        metrics = ["accuracy"]
        loss = keras.losses.SparseCategoricalCrossentropy()
        if design.class_weights is not None:
            weights = class_weights(problem.class_rows, design.class_weights)
            loss = WeightedCrossentropy(weights, design.label_smoothing)
        elif design.label_smoothing:
            loss = SmoothedCrossentropy(design.label_smoothing, problem.outputs)
    if design.callbacks:
        metrics.append(_plain_loss(problem))
    metrics += [make(problem) for make in design.logged]
    network.compile(optimizer=optimizer_of(design, problem), loss=loss, metrics=metrics)
    return network


def class_weights(rows: Sequence[int], strength: float) -> list[float]:
    """A weight for each class: the inverse of its number of rows, to a power, such that rows weigh 1 on average.

    Args:
        rows: Rows of each class.
        strength: The power τ. At 1 all classes weigh the same together, as with scikit-learn's `"balanced"`. A class
            of which there is no row (cut by times, it may be in the test alone) has the weight 1.

    >>> class_weights([30, 10], 1.0)
    [0.6666666666666666, 2.0]
    """
    counts = np.asarray(rows, np.float64)
    weights = np.maximum(counts, 1.0) ** -strength
    return np.where(counts > 0, weights * counts.sum() / (weights @ counts), 1.0).tolist()


def _plain_loss(problem: Problem) -> keras.metrics.Metric:
    name = PLAIN_LOSS[problem.task]
    if problem.task == "regression":
        return keras.metrics.MeanSquaredError(name=name)
    return keras.metrics.SparseCategoricalCrossentropy(name=name)


@keras.saving.register_keras_serializable(package="kohort")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of class numbers with label smoothing, which Keras has for one-hot targets only.

    The target is 1 − ε for the true class and ε / classes more for every class (Szegedy et al. 2016, section 7).

    Args:
        label_smoothing: ε, in [0, 1).
        classes: The number of classes.
        **kwargs: Those of `keras.losses.Loss`.
    """

    def __init__(self, label_smoothing: float, classes: int, **kwargs: Any):
        super().__init__(**{"name": "smoothed_crossentropy", **kwargs})
        self.label_smoothing, self.classes = label_smoothing, classes

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row."""
        shape: Any = keras.ops.shape(y_pred)
        numbers = keras.ops.cast(keras.ops.reshape(y_true, shape[:-1]), "int32")
        target = keras.ops.one_hot(numbers, self.classes, dtype=y_pred.dtype)
        return keras.losses.categorical_crossentropy(target, y_pred, label_smoothing=self.label_smoothing)

    def get_config(self) -> dict[str, Any]:
        """What makes the same loss again."""
        return super().get_config() | {"label_smoothing": self.label_smoothing, "classes": self.classes}


@keras.saving.register_keras_serializable(package="kohort")
class WeightedCrossentropy(SmoothedCrossentropy):
    """Cross-entropy of class numbers in which each class has a weight, with label smoothing.

    `fit(class_weight=...)` weights the rows that are trained on alone; this loss weights validation rows too.

    Args:
        class_weights: A weight for each class.
        label_smoothing: ε, in [0, 1).
        **kwargs: Those of `keras.losses.Loss`.
    """

    def __init__(self, class_weights: Sequence[float], label_smoothing: float = 0.0, **kwargs: Any):
        super().__init__(label_smoothing, len(class_weights), **{"name": "weighted_crossentropy", **kwargs})
        self.class_weights = list(class_weights)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row."""
        losses: Any = super().call(y_true, y_pred)
        numbers = keras.ops.cast(keras.ops.reshape(y_true, keras.ops.shape(losses)), "int32")
        weights = keras.ops.convert_to_tensor(self.class_weights, dtype=losses.dtype)
        return losses * keras.ops.take(weights, numbers)

    def get_config(self) -> dict[str, Any]:
        """What makes the same loss again."""
        config = super().get_config()
        del config["classes"]
        return config | {"class_weights": self.class_weights}
