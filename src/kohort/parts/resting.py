"""Weights that rest in the last steps, so that what is measured under them is of the final ones."""

from typing import Any

import keras
from keras import ops

from kohort.parts.wrapper import OptimizerWrapper


@keras.saving.register_keras_serializable(package="kohort")
class Resting(OptimizerWrapper):
    """Takes steps until step `start`, then none; averages of weights, if the optimiser has any, are put in before.

    Args:
        inner_optimizer: Any Keras optimiser.
        start: Steps to take.
        name: Its name.

    Raises:
        ValueError: `start` is below 1.
    """

    def __init__(self, inner_optimizer: Any, start: int, name: str | None = None):
        if start < 1:
            raise ValueError(f"start must be at least 1. Got {start}.")
        super().__init__(inner_optimizer, name)
        self.start = int(start)

    def step(self, grads: Any, variables: list[Any]) -> None:
        """Takes a step, or none."""
        iterations = self.inner_optimizer.iterations
        staying = [*variables, *(own for own in self.inner_optimizer.variables if own is not iterations)]
        before = [variable.value for variable in staying]
        rests = ops.cast(iterations, "int32") >= self.start
        super().step(grads, variables)
        for variable, value in zip(staying, before, strict=True):
            variable.assign(ops.where(rests, value, variable.value))
        last = ops.cast(iterations, "int32") == self.start
        for variable, average in averages(self.inner_optimizer, variables):
            variable.assign(ops.where(last, average, variable.value))

    def get_config(self) -> dict[str, Any]:
        """What makes the same optimiser again."""
        return super().get_config() | {"start": self.start}


def averages(optimizer: Any, variables: list[Any]) -> list[tuple[Any, Any]]:
    """The average that an optimiser would write into each variable at the end of training; none if it has none."""
    while optimizer is not None:
        if hasattr(optimizer, "averages"):
            return optimizer.averages(variables)
        if getattr(optimizer, "use_ema", False):
            kept = optimizer._model_variables_moving_average
            return [(own, kept[optimizer._get_variable_index(own)].value) for own in variables]
        optimizer = getattr(optimizer, "inner_optimizer", None)
    return []
