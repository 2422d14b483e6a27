"""Batch normalisation whose statistics for prediction are those of the training data under the final weights."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kohort")
class PreciseBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation that, from a training step on, keeps mean and variance of all rows seen since.

    Running averages lag behind the weights, and averaged weights (EMA, SWA) have none of their own. With weights that
    rest from step `start` on (see `Resting`), an epoch later the statistics are exactly those of the training data
    under them, as "precise BN" has it (Wu & Johnson 2021, section 3).

    Args:
        start: Training steps with running averages.
        **kwargs: Those of `keras.layers.BatchNormalization`.

    Raises:
        ValueError: `start` is below 0.
    """

    def __init__(self, start: int, **kwargs: Any):
        if start < 0:
            raise ValueError(f"start must be at least 0. Got {start}.")
        super().__init__(**kwargs)
        self.start = int(start)

    def build(self, input_shape: Any) -> None:
        """Makes the variables."""
        super().build(input_shape)
        told: dict[str, Any] = {"shape": (), "initializer": "zeros", "trainable": False}
        self.steps = self.add_weight(name="steps", dtype="int32", **told)
        self.rows = self.add_weight(name="rows", dtype="float32", **told)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalised inputs."""
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        kept: Any = (self.moving_mean, self.moving_variance)
        old_mean, old_variance = (variable.value for variable in kept)
        outputs = super().call(inputs, training=training, mask=mask)
        mean, variance = self._moments(ops.cast(inputs, old_mean.dtype), mask)
        shape: Any = ops.shape(inputs)
        count = ops.cast(shape[0], "float32")
        due = self.steps.value >= self.start
        rows = ops.where(due, self.rows.value + count, 0.0)
        share = ops.cast(ops.where(due, count / ops.maximum(rows, 1.0), 0.0), old_mean.dtype)
        # two parts' mean and variance joined, without a sum of squares (Chan et al. 1983)
        joined = old_mean + share * (mean - old_mean)
        spread = old_variance + share * (variance + (mean - old_mean) * (mean - joined) - old_variance)
        for variable, precise in zip(kept, (joined, spread), strict=True):
            variable.assign(ops.where(due, precise, variable.value))
        self.steps.assign(self.steps.value + 1)
        self.rows.assign(rows)
        return outputs

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return super().get_config() | {"start": self.start}
