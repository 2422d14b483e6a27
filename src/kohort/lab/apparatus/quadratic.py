"""How fast gradient descent and the heavy ball converge on a quadratic of known condition number, as Keras has them."""

import math
from functools import partial

import keras
import numpy as np
from keras.optimizers import SGD

from kohort.fitting import fit
from kohort.lab.apparatus.training import curve


def steps_per_decade(condition: float, heavy_ball: bool, seeds: int) -> tuple[np.ndarray, float]:
    """Steps that bring the distance to the minimum down tenfold, by seed and by theory.

    The loss is Σ λᵢzᵢ²/2 with λ from 1/κ to 1, as the mean squared error of a linear layer whose targets are all 0, so
    that float32 rounds relative to a distance that may shrink without end. The rate is 2/(L + μ), and with a heavy ball
    4/(√L + √μ)² with β = ((√κ − 1)/(√κ + 1))², for the curvatures' largest L and smallest μ (Polyak 1964).

    Args:
        condition: κ, above 1.
        heavy_ball: Whether with momentum; else plain gradient descent.
        seeds: How many random starts.

    Returns:
        Steps measured over the second half of the way, of shape (seeds,), and the steps of theory.
    """
    count = 16
    turn = np.linalg.qr(np.random.default_rng(8).standard_normal((count, count)))[0]
    scales = np.sqrt(count / 2.0 * np.geomspace(1.0 / condition, 1.0, count))
    rows = (scales[:, None] * turn).astype(np.float32)
    root = math.sqrt(condition)
    if heavy_ball:
        factor = (root - 1.0) / (root + 1.0)
        optimiser = partial(SGD, 4.0 / (1.0 + 1.0 / root) ** 2, momentum=factor**2)
    else:
        factor = (condition - 1.0) / (condition + 1.0)
        optimiser = partial(SGD, 2.0 / (1.0 + 1.0 / condition))

    def network() -> keras.Model:
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="random_normal")
        model = keras.Sequential([keras.Input((count,)), layer])
        model.compile(optimiser(), "mse")
        return model

    last = round(-30.0 / math.log(factor))  # the distance falls by about e³⁰, its square stays within float32
    runs = fit(
        {"": network},
        rows,
        np.zeros((count, 1), np.float32),
        seeds=seeds,
        epochs=last,
        batch_size=count,
        verbose=0,
    )
    loss = curve(runs, "", "loss")
    decades = np.log10(loss[:, last // 2] / loss[:, -1]) / 2.0
    return (last - 1 - last // 2) / decades, -1.0 / math.log10(factor)
