"""Class labels are checked against the network's outputs before anything is trained."""

import jax
import keras
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.errors import DataError

SPARSE = ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "sparsecategoricalcrossentropy")
BINARY = ("binary_crossentropy", "BinaryCrossentropy", "binarycrossentropy")


def check_labels(model: keras.Model, recipe: str, arrays: Arrays, name: str) -> None:
    """Refuses labels that the loss of a model with one output cannot mean.

    XLA neither raises nor warns when a label lies outside the outputs: it trains to nonsense.

    Raises:
        DataError: A label is out of range for the loss and the number of outputs.
    """
    whole = arrays.nested(list(arrays.leaves))
    targets = jax.tree.leaves(whole[1]) if len(whole) > 1 else []
    outputs = model.outputs if getattr(model, "outputs", None) else []
    if len(targets) != 1 or len(outputs) > 1:
        return
    loss = _loss_name(model.loss)
    labels = np.asarray(targets[0])
    if labels.size == 0:
        return
    if loss in SPARSE:
        classes = outputs[0].shape[-1] if outputs else None
        ignored = getattr(model.loss, "ignore_class", None)
        used = labels if ignored is None else labels[labels != ignored]
        if used.size and (used.min() < 0 or (classes is not None and used.max() >= classes)):
            bad = used.min() if used.min() < 0 else used.max()
            raise DataError(
                f"{name} must hold labels from 0 to {'outputs − 1' if classes is None else classes - 1} for recipe "
                f"{recipe!r}, whose loss is {loss}{'' if classes is None else f' over {classes} outputs'}. "
                f"Got the label {bad} in row {int(np.argwhere(labels == bad)[0][0])}. "
                "Number the classes from 0, or give the last layer one unit per class."
            )
    if loss in BINARY and (labels.min() < 0 or labels.max() > 1):
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise DataError(
            f"{name} must lie in [0, 1] for recipe {recipe!r}, whose loss is {loss}. Got {bad} in row "
            f"{int(np.argwhere(labels == bad)[0][0])}. For more than two classes use sparse_categorical_crossentropy."
        )


def _loss_name(loss: object) -> str | None:
    if isinstance(loss, str):
        return loss
    if isinstance(loss, keras.losses.Loss):
        return type(loss).__name__
    return getattr(loss, "__name__", None)
