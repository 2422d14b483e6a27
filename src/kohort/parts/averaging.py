"""Stochastic weight averaging: a run ends with the mean of the weights on its way."""

from typing import Any

import keras

from kohort.parts.wrapper import OptimizerWrapper


@keras.saving.register_keras_serializable(package="kohort")
class Averaged(OptimizerWrapper):
    """Averages the weights after every `period` steps from step `start` on, all alike (Izmailov et al. 2018).

    When `fit` ends the weights become the average; statistics of BatchNormalization stay those of the last step, unless
    `Resting` and `PreciseBatchNormalization` find those of the average.

    Args:
        inner_optimizer: Any Keras optimiser.
        start: Steps before the average begins.
        period: Steps between two weights that are averaged; an epoch's by custom.
        name: Its name.

    Raises:
        ValueError: `start` is below 0 or `period` below 1.
    """

    def __init__(self, inner_optimizer: Any, start: int = 0, period: int = 1, name: str | None = None):
        if start < 0 or period < 1:
            raise ValueError(f"start must be at least 0 and period at least 1. Got {start} and {period}.")
        super().__init__(inner_optimizer, name)
        self.start, self.period = int(start), int(period)

    def build(self, variables: Any) -> None:
        """Makes a place for each average and one for how many weights are in it."""
        if not self.built:
            self._count = self.add_variable((), initializer="zeros", dtype="float32", name="averaged")
            self._averages = self.add_optimizer_variables(variables, "average")
        super().build(variables)

    def after(self, variables: list[Any]) -> None:
        """Takes the weights into the average, where it is due."""
        taken = keras.ops.cast(self.iterations, "int32") - self.start
        due = keras.ops.logical_and(taken > 0, taken % self.period == 0)
        self._count.assign(self._count + keras.ops.cast(due, "float32"))
        share = keras.ops.cast(due, "float32") / keras.ops.maximum(self._count, 1.0)
        for variable in variables:
            average: Any = self._averages[self._get_variable_index(variable)]
            average.assign(average + keras.ops.cast(share, average.dtype) * (variable - average))

    def averages(self, variables: list[Any]) -> list[tuple[Any, Any]]:
        """What each variable's average is, or itself as long as there is none."""
        found = []
        for variable in variables:
            average: Any = self._averages[self._get_variable_index(variable)]
            found.append((variable, keras.ops.where(self._count.value > 0, average.value, variable.value)))
        return found

    def finalize_variable_values(self, var_list: Any) -> None:
        """Writes the averages into the weights, if there are any."""
        super().finalize_variable_values(var_list)
        for variable, average in self.averages(var_list):
            variable.assign(average)

    def get_config(self) -> dict[str, Any]:
        """What makes the same optimiser again."""
        return super().get_config() | {"start": self.start, "period": self.period}
