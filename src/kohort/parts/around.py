"""A model around a network, which trains it in another way and predicts as it does."""

from collections.abc import Callable
from typing import Any

import keras


class Around(keras.Model):
    """A model whose layer is a network.

    Args:
        network: A built network.
        **kwargs: Those of `keras.Model`.
    """

    def __init__(self, network: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        self.network = network

    def adopt(self) -> None:
        """Is built if its network is; called when a subclass has all that it tracks."""
        if self.network.built:
            self.build(self.network.input_shape)

    def build(self, input_shape: Any) -> None:
        """Builds the network."""
        if not self.network.built:
            self.network.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The network's outputs."""
        return self.network(inputs, training=training)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss; in training as `loss_in_training` has it."""

        def loss(labels: Any) -> Any:
            return super(Around, self).compute_loss(x, labels, y_pred, sample_weight, training)

        return self.loss_in_training(loss, y) if training else loss(y)

    def loss_in_training(self, loss: Callable[[Any], Any], y: Any) -> Any:
        """The loss in training, from the loss of any labels: that of the network, if it is a model around another."""
        return self.network.loss_in_training(loss, y) if isinstance(self.network, Around) else loss(y)

    @property
    def input_shape(self) -> Any:
        """The shape of the network's inputs."""
        return self.network.input_shape

    @property
    def output_shape(self) -> Any:
        """The shape of the network's outputs."""
        return self.network.output_shape

    def get_config(self) -> dict[str, Any]:
        """What makes the same model again; subclasses add their numbers."""
        return {"network": keras.saving.serialize_keras_object(self.network), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model from what `get_config` gave."""
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})


def predicting(model: Any) -> Any:
    """The network that predicts: that within the models around it, each of which predicts as it does."""
    while isinstance(model, Around):
        model = model.network
    return model
