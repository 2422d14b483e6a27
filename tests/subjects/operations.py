"""Layers of one's own, by what they compute: control flow, algebra, gradients of one's own, calls to the host."""

from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
from keras import layers

from tests.subjects.data import LABELS, VECTORS
from tests.subjects.layers import classifier
from tests.subjects.subject import TRAINING, Options, Subject

ops: Any = keras.ops  # whose annotations allow for None and for backends that are not there


class Computes(layers.Layer):
    """Applies a function to (batch, 6) numbers."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def computing(feature: str, function: Callable[[Any], Any], options: Options = TRAINING, **told: Any) -> Subject:
    """A row for a function of shape (batch, 6) -> (batch, 6), between two Dense layers."""

    def build() -> keras.Model:
        return classifier([layers.Input((6,)), layers.Dense(6), Computes(function)])

    return Subject(feature, "layers", build, VECTORS, LABELS, options, slow=True, **told)


def choice(t: Any) -> Any:
    return ops.cond(ops.mean(t) > 0.1, lambda: 2.0 * t, lambda: ops.tanh(t))


def running_sum(t: Any) -> Any:
    """Along the batch, which makes each row depend on those before it."""
    return ops.scan(lambda total, row: (0.5 * total + row, 0.5 * total + row), ops.zeros_like(t[0]), t)[1]


def loop(t: Any) -> Any:
    return ops.fori_loop(0, 3, lambda i, value: ops.sin(value) + 0.1 * ops.cast(i, "float32"), t)


@jax.custom_vjp
def straight_through(t: Any) -> Any:
    """Signs, whose gradient is taken to be one."""
    return jax.numpy.sign(t)


straight_through.defvjp(lambda t: (straight_through(t), None), lambda _, g: (g,))


@ops.custom_gradient
def halved_gradient(t: Any) -> Any:
    def gradient(*args: Any, upstream: Any = None) -> Any:
        return 0.5 * (args[0] if upstream is None else upstream)

    return ops.exp(0.1 * t), gradient


def whitened(t: Any) -> Any:
    covariance = ops.matmul(ops.transpose(t), t) / 16.0 + ops.eye(6)
    return ops.transpose(ops.solve(ops.cholesky(covariance), ops.transpose(t)))


def spectrum(t: Any) -> Any:
    real, imaginary = ops.fft((t, ops.zeros_like(t)))
    return real + imaginary


def on_the_host(t: Any) -> Any:
    """NumPy computes a factor in every step; no gradient passes it."""
    shape = jax.ShapeDtypeStruct((), "float32")
    factor = jax.pure_callback(lambda a: np.float32(1.0 + np.abs(a).mean()), shape, jax.lax.stop_gradient(t))
    return t * factor


def unseeded(t: Any) -> Any:
    return t + keras.random.normal(ops.shape(t))


OPERATIONS = (
    computing("ops.cond", choice),
    computing("ops.scan", running_sum),
    computing("ops.fori_loop", loop),
    computing("ops.vectorized_map", lambda t: ops.vectorized_map(lambda row: row * ops.max(row), t)),
    computing("ops.sort and ops.top_k", lambda t: ops.sort(t, axis=-1) + ops.top_k(t, 6)[0]),
    computing("ops.segment_sum", lambda t: ops.segment_sum(t, np.arange(16) // 2, 16)),
    computing("ops.cholesky and ops.solve", whitened),
    computing("ops.fft", spectrum),
    computing("ops.custom_gradient", halved_gradient),
    computing("jax.custom_vjp", straight_through),
    computing("jax.checkpoint", lambda t: jax.checkpoint(lambda a: jax.numpy.sin(a) * a)(t)),
    computing(
        "jax.pure_callback",
        on_the_host,
        status="slow path",
        error="NotSupportedError",
        words="pure_callback",
        why="whether two functions on the host are the same cannot be seen",
    ),
    computing(
        "keras.random without a seed",
        unseeded,
        status="keras fails",
        words="recipe",
        why="Keras has no random state to carry on inside a compiled step",
    ),
)
