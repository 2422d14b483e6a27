"""How fast gradient descent, the heavy ball and Nesterov's momentum converge on a quadratic, as Keras has them."""

import math
from functools import partial
from typing import Literal

import keras
import numpy as np
from keras.optimizers import SGD

from kohort.fitting import fit
from kohort.lab.apparatus.training import curve

Method = Literal["gradient descent", "heavy ball", "Nesterov"]


def steps_per_decade(condition: float, method: Method, seeds: int) -> tuple[np.ndarray, float]:
    """Steps that bring the distance to the minimum down tenfold, by seed and by theory.

    The loss is Σ λᵢzᵢ²/2 with λ from 1/κ to 1, as the mean squared error of a linear layer whose targets are all 0, so
    that float32 rounds relative to a distance that may shrink without end. For the curvatures' largest L and smallest μ
    each method has the rate and the β that theory holds best on such losses (Lessard, Recht & Packard 2016, table 1):
    gradient descent 2/(L + μ); the heavy ball 4/(√L + √μ)² and β = ((√κ − 1)/(√κ + 1))² (Polyak 1964); Nesterov's
    momentum 4/(3L + μ) and β = (s − 2)/(s + 2) with s = √(3κ + 1), and its distance then shrinks by 1 − 2/s a step.

    Nesterov has xₜ₊₁ = yₜ − η∇L(yₜ) and yₜ₊₁ = xₜ₊₁ + β(xₜ₊₁ − xₜ). Keras' weights are the yₜ and its velocity v is
    xₜ − xₜ₋₁, for y = xₜ + βv: from v ← βv − η∇L(y) follows v = xₜ₊₁ − xₜ, from y ← y + βv − η∇L(y), with the new v,
    follows y = xₜ₊₁ + βv.

    Args:
        condition: κ, above 1.
        method: Which, of three.
        seeds: How many random starts.

    Returns:
        Steps measured over the second half of the way, of shape (seeds,), and the steps of theory.
    """
    count = 16
    turn = np.linalg.qr(np.random.default_rng(8).standard_normal((count, count)))[0]
    scales = np.sqrt(count / 2.0 * np.geomspace(1.0 / condition, 1.0, count))
    rows = (scales[:, None] * turn).astype(np.float32)
    if method == "heavy ball":
        root = math.sqrt(condition)
        factor = (root - 1.0) / (root + 1.0)
        optimiser = partial(SGD, 4.0 / (1.0 + 1.0 / root) ** 2, momentum=factor**2)
    elif method == "Nesterov":
        root = math.sqrt(3.0 * condition + 1.0)
        factor = 1.0 - 2.0 / root
        rate = 4.0 / (3.0 + 1.0 / condition)
        optimiser = partial(SGD, rate, momentum=(root - 2.0) / (root + 2.0), nesterov=True)
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
