"""Accuracy in which every class counts alike, which Keras lacks for class numbers."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kohort")
class BalancedAccuracy(keras.metrics.Metric):
    """The mean over classes of the share of a class's rows that are predicted right.

    Of labels that are class numbers and predictions that are numbers by class; classes of which no row was seen do not
    count (Brodersen et al. 2010; scikit-learn's `balanced_accuracy_score`).

    Args:
        classes: The number of classes.
        name: Its name.
        **kwargs: Those of `keras.metrics.Metric`.
    """

    _direction = "up"

    def __init__(self, classes: int, name: str = "balanced_accuracy", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.classes = int(classes)
        self.right = self.add_weight(shape=(self.classes,), initializer="zeros", name="right")
        self.rows = self.add_weight(shape=(self.classes,), initializer="zeros", name="rows")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts the rows of a batch, and those that are right."""
        numbers = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        weights = ops.ones(ops.shape(numbers)) if sample_weight is None else ops.reshape(sample_weight, (-1,))
        own = ops.one_hot(numbers, self.classes) * ops.cast(weights, "float32")[:, None]
        right = ops.cast(ops.equal(ops.cast(ops.argmax(y_pred, axis=-1), "int32"), numbers), "float32")
        self.right.assign(self.right + ops.sum(own * right[:, None], axis=0))
        self.rows.assign(self.rows + ops.sum(own, axis=0))

    def result(self) -> Any:
        """The balanced accuracy of all rows so far."""
        seen = ops.cast(self.rows > 0, "float32")
        shares = self.right / ops.maximum(self.rows, 1e-12)
        return ops.sum(shares * seen) / ops.maximum(ops.sum(seen), 1.0)

    def get_config(self) -> dict[str, Any]:
        """What makes the same metric again."""
        return super().get_config() | {"classes": self.classes}
