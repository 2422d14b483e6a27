"""What enters the layers of a perceptron of sigmoids as it learns, with and without batch normalisation, in NumPy."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

EPSILON = 1e-3
"""Of Keras' BatchNormalization."""

Noise = Callable[[np.ndarray], np.ndarray] | None


def drift(weights: list[list[np.ndarray]], x: np.ndarray, noise: Noise) -> float:
    """How far units' means and deviations move from epoch to epoch, in standard deviations, mean over all units.

    Args:
        weights: As `model.get_weights()` orders them, one epoch after another.
        x: Inputs of shape (rows, features), taken as one batch.
        noise: What is done to what enters a sigmoid; nothing if None.
    """
    passes = [entering(blocks_of(own), x, noise) for own in weights]
    moved = []
    for before, after in pairwise(passes):
        for old, new in zip(before, after, strict=True):
            change = np.hypot(new.mean(0) - old.mean(0), new.std(0) - old.std(0))
            moved.append(np.mean(change / np.maximum(0.5 * (old.std(0) + new.std(0)), 1e-6)))
    return float(np.mean(moved))


def turning(weights: list[list[np.ndarray]], x: np.ndarray, y: np.ndarray, rate: float) -> tuple[float, float]:
    """How much gradients change: for a layer when those below step, and for all weights when they step themselves.

    Args:
        weights: As `model.get_weights()` orders them, at several times.
        x: Inputs of shape (rows, features), taken as one batch.
        y: Their classes.
        rate: Of a step along the gradient.

    Returns:
        The cosine between a hidden layer's gradient before and after the layers below take their step, mean over
        layers and epochs (definition 2.1 of Santurkar et al.); and the distance between the whole gradient before and
        after a step of all, in units of its length before.
    """
    cosines, changes = [], []
    for own in weights:
        blocks = blocks_of(own)
        before = _gradients(blocks, x, y)
        stepped = [
            [w - rate * g for w, g in zip(block, gradient, strict=True)]
            for block, gradient in zip(blocks, before, strict=True)
        ]
        for layer in range(1, len(blocks) - 1):
            after = _gradients([*stepped[:layer], *blocks[layer:]], x, y)
            cosines.append(_cosine(before[layer][0], after[layer][0]))
        old, new = (
            np.concatenate([g.ravel() for block in one for g in block]) for one in (before, _gradients(stepped, x, y))
        )
        changes.append(np.linalg.norm(new - old) / np.linalg.norm(old))
    return float(np.mean(cosines)), float(np.mean(changes))


def blocks_of(weights: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Of each layer the kernel and the bias, or the kernel, γ and β."""
    size = 5 if weights[1].shape == weights[2].shape else 2
    return [*(weights[place : place + size][:3] for place in range(0, len(weights) - 2, size)), weights[-2:]]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


def entering(blocks: list[list[np.ndarray]], x: np.ndarray, noise: Noise) -> list[np.ndarray]:
    """What enters each layer's sigmoid, of shape (rows, units), with the statistics of these rows as one batch."""
    told = []
    for kernel, *rest in blocks[:-1]:
        z = x @ kernel
        z = rest[0] * (z - z.mean(0)) / np.sqrt(z.var(0) + EPSILON) + rest[1] if len(rest) == 2 else z + rest[0]
        z = z if noise is None else noise(z)
        told.append(z)
        x = _sigmoid(z)
    return told


def _gradients(blocks: list[list[np.ndarray]], x: np.ndarray, y: np.ndarray) -> list[list[np.ndarray]]:
    """The gradient of the mean cross-entropy with the rows as one batch, shaped as the blocks."""
    inputs, kept = [x], []
    for kernel, *rest in blocks[:-1]:
        z = inputs[-1] @ kernel
        deviation = np.sqrt(z.var(0) + EPSILON)
        normal = (z - z.mean(0)) / deviation
        kept.append((normal, deviation))
        inputs.append(_sigmoid(rest[0] * normal + rest[1] if len(rest) == 2 else z + rest[0]))
    logits = inputs[-1] @ blocks[-1][0] + blocks[-1][1]
    shares = np.exp(logits - logits.max(1, keepdims=True))
    back = (shares / shares.sum(1, keepdims=True) - np.eye(shares.shape[1])[y]) / len(y)
    found = [[inputs[-1].T @ back, back.sum(0)]]
    back = back @ blocks[-1][0].T
    for (kernel, *rest), (normal, deviation), below, above in zip(
        blocks[-2::-1], kept[::-1], inputs[-2::-1], inputs[:0:-1], strict=True
    ):
        back = back * above * (1.0 - above)
        own = [back.sum(0)]
        if len(rest) == 2:
            own = [(back * normal).sum(0), back.sum(0)]
            back = rest[0] / deviation * (back - back.mean(0) - normal * (back * normal).mean(0))
        found.insert(0, [below.T @ back, *own])
        back = back @ kernel.T
    return found


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.vdot(one, other) / max(np.linalg.norm(one) * np.linalg.norm(other), 1e-300))
