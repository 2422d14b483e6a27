"""What optimisers have in common that wrap another one, as Keras' own LossScaleOptimizer does."""

from typing import Any

import keras


class OptimizerWrapper(keras.optimizers.Optimizer):
    """An optimiser around another, which has the learning rate, the iterations and the options.

    Args:
        inner_optimizer: Any Keras optimiser.
        name: Its name.
    """

    def __init__(self, inner_optimizer: Any, name: str | None = None):
        super().__init__(learning_rate=0.0, name=name or f"{type(self).__name__.lower()}_{inner_optimizer.name}")
        self.inner_optimizer = inner_optimizer

    def build(self, variables: Any) -> None:
        """Makes the variables of both."""
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Any]:
        """Its own variables, then those of the inner optimiser."""
        return self._variables + self.inner_optimizer.variables

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Takes a step."""
        if not self.built:
            self.build(trainable_variables)
            self.built = True
        stepped = list(trainable_variables) if trainable_variables is not None else list(self._trainable_variables)
        self.step(grads, stepped)

    def step(self, grads: Any, variables: list[Any]) -> None:
        """What a step is, with the inner optimiser's in it."""
        self.before(grads, variables)
        self.inner_optimizer.apply(self.changed(grads, variables), variables)
        self.after(variables)

    def before(self, grads: Any, variables: list[Any]) -> None:
        """What happens before the inner optimiser's step."""

    def changed(self, grads: Any, variables: list[Any]) -> Any:
        """The gradients that the inner optimiser is given."""
        return grads

    def after(self, variables: list[Any]) -> None:
        """What happens after the inner optimiser's step."""

    @property
    def learning_rate(self) -> Any:
        """The inner optimiser's rate at this step."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The steps taken."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """What the inner optimiser makes of the loss."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Any) -> None:
        """What the inner optimiser does when training ends."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """What makes the same optimiser again; subclasses add their numbers."""
        return {"name": self.name, "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """An optimiser from what `get_config` gave."""
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"], custom_objects=custom_objects)
        return cls(**{**config, "inner_optimizer": inner})
