"""Batch normalisation by groups of a batch, which makes its statistics noisier and leaves the gradient's rows alone."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("kohort")
class GroupedBatchNormalization(layers.BatchNormalization):
    """Batch normalisation with the statistics of groups of a batch (ghost batches, Hoffer et al. 2017, §4).

    The smaller the groups, the noisier the statistics; the gradient is still that of the whole batch.
    """

    def __init__(self, rows: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.group_rows = rows

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalised inputs, of shape (batch, units)."""
        if not training:
            return super().call(inputs, training=training, mask=mask)
        x: Any = ops.reshape(inputs, (-1, self.group_rows, inputs.shape[-1]))
        mean: Any = ops.mean(x, axis=1, keepdims=True)
        variance: Any = ops.var(x, axis=1, keepdims=True)
        kept: Any = ((self.moving_mean, mean), (self.moving_variance, variance))
        gamma: Any = self.gamma
        beta: Any = self.beta
        for variable, now in kept:
            new: Any = ops.mean(now, axis=(0, 1))
            variable.assign(self.momentum * variable + (1.0 - self.momentum) * new)
        inverse: Any = ops.rsqrt(variance + self.epsilon)
        return ops.reshape((x - mean) * inverse * gamma + beta, ops.shape(inputs))

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return super().get_config() | {"rows": self.group_rows}
