"""Monte-Carlo dropout: predictions are the mean over passes in which dropout is at work (Gal & Ghahramani 2016)."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kohort")
class MonteCarloDropout(keras.layers.Dropout):
    """Dropout in prediction as in training. Its arguments are those of `keras.layers.Dropout`."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The inputs with a fraction set to 0, whether or not it is training."""
        return super().call(inputs, training=True)


@keras.saving.register_keras_serializable(package="kohort")
class Passes(keras.layers.Layer):
    """In prediction, hands each row on several times; `MeanOfPasses` at the network's end takes the mean.

    Args:
        passes: How often, at least 1.
        **kwargs: Those of `keras.layers.Layer`.

    Raises:
        ValueError: `passes` is below 1.
    """

    def __init__(self, passes: int, **kwargs: Any):
        super().__init__(**kwargs)
        if passes < 1:
            raise ValueError(f"passes must be at least 1. Got {passes}.")
        self.passes = int(passes)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The rows, one after another `passes` times each."""
        return inputs if training else ops.repeat(inputs, self.passes, axis=0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """How many rows there are depends on whether it is training."""
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return super().get_config() | {"passes": self.passes}


@keras.saving.register_keras_serializable(package="kohort")
class MeanOfPasses(Passes):
    """In prediction, the mean over the passes of each row; of probabilities, for a classification.

    Args:
        passes: As often as `Passes` at the network's beginning.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The mean of each row's passes."""
        if training:
            return inputs
        return ops.mean(ops.reshape(inputs, (-1, self.passes, *inputs.shape[1:])), axis=1)
