"""The sub-networks that dropout trains, run one by one or all: a perceptron in NumPy, with a mask for each of them."""

import itertools
from collections.abc import Sequence

import numpy as np

Weights = Sequence[np.ndarray]
"""Kernel and bias of each layer, as `Run.weights` has them."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of classes, which are the last axis.

    >>> softmax(np.zeros(2))
    array([0.5, 0.5])
    """
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def logits(weights: Weights, x: np.ndarray, masks: Sequence[np.ndarray] = ()) -> np.ndarray:
    """What a perceptron with ReLU gives before the softmax.

    Args:
        weights: Kernel and bias of each layer.
        x: Rows, of shape (rows, inputs).
        masks: What each hidden layer is multiplied by, of shape (masks, 1, units); none if empty.

    Returns:
        Of shape (rows, classes), or (masks, rows, classes).
    """
    for place in range(0, len(weights) - 2, 2):
        x = np.maximum(x @ weights[place] + weights[place + 1], 0.0)
        if masks:
            x = x * masks[place // 2]
    return x @ weights[-2] + weights[-1]


def every_mask(widths: Sequence[int]) -> list[np.ndarray]:
    """All 2ⁿ masks of n hidden units; those that are kept are doubled, as dropout at 0.5 doubles them in training.

    Args:
        widths: Units of the hidden layers.

    >>> every_mask((1, 1))[0].ravel()
    array([0., 0., 2., 2.])
    """
    kept = np.array(list(itertools.product((0.0, 2.0), repeat=sum(widths))), np.float64)
    return [own[:, None, :] for own in np.split(kept, np.cumsum(widths)[:-1], axis=1)]


def drawn_masks(weights: Weights, count: int, rate: float, generator: np.random.Generator) -> list[np.ndarray]:
    """Masks of all hidden layers as dropout draws them; what is kept is scaled by 1 / (1 − rate).

    Args:
        weights: Of the network.
        count: How many masks.
        rate: The share that is dropped.
        generator: Draws them.
    """
    widths = [len(bias) for bias in weights[1:-2:2]]
    drawn = [(generator.random((count, 1, width)) >= rate) / (1.0 - rate) for width in widths]
    return [own.astype(np.float32) for own in drawn]
