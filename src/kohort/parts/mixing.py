"""MixUp and CutMix inside a model: data and labels stay as they are, and the loss is mixed."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kohort.parts.around import Around


class _Mixing(Around):
    """Trains on each row mixed with another of its batch.

    With λ drawn from Beta(α, α) for each batch, the loss is λ·loss(y) + (1 − λ)·loss(y of the other row), which for
    cross-entropy is the loss of mixed one-hot labels. Training metrics compare with the row's own label, so they read
    low.

    Args:
        network: A built network.
        alpha: α, above 0.
        seed: Fixes the draws; drawn as Keras draws seeds if None.
        **kwargs: Those of `keras.Model`.

    Raises:
        ValueError: α is not above 0.
    """

    def __init__(self, network: keras.Model, alpha: float, seed: int | None = None, **kwargs: Any):
        if not 0.0 < alpha < float("inf"):
            raise ValueError(f"alpha must be a number above 0. Got {alpha}.")
        super().__init__(network, **kwargs)
        self.alpha, self.seed = alpha, seed
        self.generator = keras.random.SeedGenerator(seed)
        self._mixed: Any = None
        self.adopt()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The network's outputs; in training, for mixed rows."""
        if not training:
            return self.network(inputs, training=False)
        share = keras.random.beta((), self.alpha, self.alpha, seed=self.generator)
        rows: Any = ops.shape(inputs)
        order = keras.random.shuffle(ops.arange(rows[0]), seed=self.generator)
        mixed, share = self.mixed(inputs, ops.take(inputs, order, axis=0), share)
        self._mixed = (share, order)  # for the loss of this very pass
        return self.network(mixed, training=True)

    def mixed(self, rows: Any, others: Any, share: Any) -> tuple[Any, Any]:
        """Mixed rows, and the share of the first in them."""
        raise NotImplementedError

    def loss_in_training(self, loss: Callable[[Any], Any], y: Any) -> Any:
        """The losses of both rows' labels, mixed."""
        if self._mixed is None:
            return super().loss_in_training(loss, y)
        (share, order), self._mixed = self._mixed, None
        own: Any = super().loss_in_training
        return share * own(loss, y) + (1.0 - share) * own(loss, ops.take(y, order, axis=0))

    def get_config(self) -> dict[str, Any]:
        """What makes the same model again."""
        return super().get_config() | {"alpha": self.alpha, "seed": self.seed}


@keras.saving.register_keras_serializable(package="kohort")
class MixUp(_Mixing):
    """Rows λ·x + (1 − λ)·x' (Zhang et al. 2018), for tables and images.

    Args:
        network: A built network.
        alpha: α; 0.2 in the paper for images, 0.1 to 0.4 being usual.
        seed: Fixes the draws.
        **kwargs: Those of `keras.Model`.
    """

    def __init__(self, network: keras.Model, alpha: float = 0.2, seed: int | None = None, **kwargs: Any):
        super().__init__(network, alpha, seed, **kwargs)

    def mixed(self, rows: Any, others: Any, share: Any) -> tuple[Any, Any]:
        """λ·x + (1 − λ)·x'."""
        own = ops.cast(share, rows.dtype)
        return own * rows + (1.0 - own) * others, share


@keras.saving.register_keras_serializable(package="kohort")
class CutMix(_Mixing):
    """Images with a box of another image in them (Yun et al. 2019); λ is the share of pixels that stay.

    The box has the sides √(1 − λ) of the image's and lies anywhere, cut off at the edges.

    Args:
        network: A built network for (height, width) or (height, width, channels).
        alpha: α; 1 in the paper.
        seed: Fixes the draws.
        **kwargs: Those of `keras.Model`.
    """

    def __init__(self, network: keras.Model, alpha: float = 1.0, seed: int | None = None, **kwargs: Any):
        super().__init__(network, alpha, seed, **kwargs)

    def mixed(self, rows: Any, others: Any, share: Any) -> tuple[Any, Any]:
        """Images with a box of others."""
        inside = None
        for axis, size in enumerate(rows.shape[1:3]):
            centre = keras.random.uniform((), 0.0, float(size), seed=self.generator)
            half = 0.5 * size * ops.sqrt(1.0 - share)
            place = ops.arange(size, dtype="float32") + 0.5
            own = ops.reshape(ops.abs(place - centre) < half, [size if a == axis else 1 for a in range(2)])
            inside = own if inside is None else ops.logical_and(inside, own)
        boxes: Any = ops.reshape(inside, (1, *rows.shape[1:3], *[1] * (len(rows.shape) - 3)))
        stays = 1.0 - ops.mean(ops.cast(boxes, "float32"))
        return ops.where(boxes, others, rows), stays
