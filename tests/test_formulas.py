"""The chapter's formulas, in NumPy and float64, beside what the catalogue's recipes compute."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

from kohort.recipes.compiling import optimizer_of
from kohort.recipes.design import Problem
from kohort.recipes.grammar import parse

PROBLEM = Problem((4,), 2, "multiclass", 3, 8)  # 24 steps
START = np.array([[0.5, -1.0], [2.0, 0.1]])
STEPS = 20

Steps = Iterator[np.ndarray]


def gradient(weights: np.ndarray, step: int) -> np.ndarray:
    """That of a bent bowl, which differs from step to step as batches do."""
    return weights * np.array([[1.0, 0.3], [0.05, 2.0]]) + 0.3 * np.sin(step + np.arange(4.0)).reshape(2, 2)


def by_keras(text: str, scale: float = 1.0, coupled: float = 0.0) -> np.ndarray:
    """The weights after each step of the optimiser that a recipe names; the last row is that of a bias.

    The loss can be scaled, and have coupled·‖W‖² added to it.
    """
    optimizer = optimizer_of(parse(text).design(), PROBLEM)
    kernel, bias = keras.Variable(START, dtype="float32", name="kernel"), keras.Variable(START[1], name="bias")
    optimizer.build([kernel, bias])
    seen = []
    for step in range(STEPS):
        own = scale * gradient(np.array(kernel, float), step) + 2 * coupled * np.array(kernel, float)
        other = gradient(np.stack([np.array(bias, float)] * 2), step)[1]
        optimizer.apply([own.astype("float32"), other.astype("float32")])
        seen.append(np.concatenate([np.array(kernel), np.array(bias)[None]]))
    return np.array(seen)


def by_numpy(update: Callable[..., Any], decay: float = 0.0) -> np.ndarray:
    """The same for a formula: (weights, gradient function, state, step) -> weights; biases do not decay."""
    weights, bias, states, seen = START.copy(), np.stack([START[1]] * 2), ({}, {}), []
    for step in range(STEPS):
        weights = update(weights, lambda w, step=step: gradient(w, step), states[0], step, decay)
        bias = update(bias, lambda w, step=step: gradient(w, step), states[1], step, 0.0)
        seen.append(np.concatenate([weights, bias[1:]]))
    return np.array(seen)


def momentum(beta: float, rate: Callable[[int], float], nesterov: bool = False) -> Callable[..., Any]:
    """v ← βv + η∇L, θ ← θ − v; Nesterov: θ ← θ − (βv + η∇L)."""

    def update(weights: Any, slope: Any, state: Any, step: int, decay: float) -> Any:
        now = rate(step) * slope(weights)
        state["v"] = beta * state.get("v", 0.0) + now
        return weights - (beta * state["v"] + now if nesterov else state["v"])

    return update


def rmsprop(weights: Any, slope: Any, state: Any, step: int, decay: float) -> Any:
    state["s"] = 0.9 * state.get("s", 0.0) + 0.1 * slope(weights) ** 2
    return weights - 0.01 * slope(weights) / np.sqrt(state["s"] + 1e-7)


def adam(rate: float, coupled: float = 0.0) -> Callable[..., Any]:
    """Kingma & Ba's algorithm 1; with a decoupled decay, or with the gradient of λ‖W‖² added."""

    def update(weights: Any, slope: Any, state: Any, step: int, decay: float) -> Any:
        now = slope(weights) + 2 * coupled * weights
        state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * now
        state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * now**2
        m, v = state["m"] / (1 - 0.9 ** (step + 1)), state["v"] / (1 - 0.999 ** (step + 1))
        return weights - rate * decay * weights - rate * m / (np.sqrt(v) + 1e-7)

    return update


def lion(weights: Any, slope: Any, state: Any, step: int, decay: float) -> Any:
    now, m = slope(weights), state.get("m", 0.0)
    state["m"] = 0.99 * m + 0.01 * now
    return weights - 0.003 * np.sign(0.9 * m + 0.1 * now)


def cosine(rate: float) -> Callable[[int], float]:
    return lambda step: rate * 0.5 * (1 + np.cos(np.pi * step / 24))


FORMULAS = {
    "sgd=0.1": (momentum(0.0, lambda _: 0.1), 0.0),
    "momentum=0.9:rate=0.05": (momentum(0.9, lambda _: 0.05), 0.0),
    "momentum=0.9:rate=0.05+cosine": (momentum(0.9, cosine(0.05)), 0.0),
    "nesterov=0.9:rate=0.05": (momentum(0.9, lambda _: 0.05, nesterov=True), 0.0),
    "nesterov=0.8:rate=0.05+cosine": (momentum(0.8, cosine(0.05), nesterov=True), 0.0),
    "rmsprop=0.01": (rmsprop, 0.0),
    "adam=0.05": (adam(0.05), 0.0),
    "adamw=0.3:rate=0.05": (adam(0.05), 0.3),
    "adam=0.05+weightdecay=0.3": (adam(0.05), 0.3),
    "lion=0.003": (lion, 0.0),
}


@pytest.mark.parametrize("text", FORMULAS)
def test_optimisers_are_their_formulas(text: str) -> None:
    update, decay = FORMULAS[text]
    np.testing.assert_allclose(by_keras(text), by_numpy(update, decay), rtol=2e-4, atol=2e-5)


def test_nesterov_looks_ahead() -> None:
    """In the variable φ = θ − βv the form above is the textbook's: the gradient at the place that momentum leads to."""
    beta, rate = 0.9, 0.05
    ours = by_keras(f"nesterov={beta}:rate={rate}")[:, :2]
    theta, v = START.copy(), np.zeros((2, 2))
    for step in range(STEPS):
        ahead = theta - beta * v
        v = beta * v + rate * gradient(ahead, step)
        theta = theta - v
        np.testing.assert_allclose(ours[step], theta - beta * v, rtol=2e-4, atol=2e-5)


def test_adamw_is_not_adam_with_l2() -> None:
    """Adam divides the gradient of a penalty as it divides the loss's: a steep loss makes L2 vanish, and no decay."""
    coupled = by_keras("adam=0.05", coupled=0.15)[:, :2]
    np.testing.assert_allclose(coupled, by_numpy(adam(0.05, coupled=0.15))[:, :2], rtol=2e-4, atol=2e-5)

    def effect(text: str, scale: float, coupled: float = 0.0) -> float:
        plain, with_it = by_keras("adam=0.05", scale), by_keras(text, scale, coupled)
        return float(np.abs(with_it[-1, :2] - plain[-1, :2]).max())

    assert effect("adam=0.05", 1.0, coupled=0.15) > 0.05
    assert effect("adam=0.05", 1000.0, coupled=0.15) < 0.005
    assert effect("adamw=0.3:rate=0.05", 1000.0) > 0.05


def test_weight_decay_of_sgd_is_the_chapters_l2() -> None:
    """W ← W(1 − λη) − η∇L, which is the gradient step on L + λ/2·‖W‖²."""
    seen = by_keras("sgd=0.1+weightdecay=0.4")[:, :2]
    weights = START.copy()
    for step in range(STEPS):
        weights = weights * (1 - 0.4 * 0.1) - 0.1 * gradient(weights, step)
        np.testing.assert_allclose(seen[step], weights, rtol=2e-4, atol=2e-5)


def test_l2_of_a_linear_model_is_ridge() -> None:
    """Loss ‖Xw − y‖²/n + λ‖w‖²: w = (XᵀX/n + λI)⁻¹Xᵀy/n. A Gaussian prior's mode."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=40)
    own = keras.layers.Dense(1, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.3))
    model = keras.Sequential([keras.layers.Input((5,)), own])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(x, y, epochs=300, batch_size=40, verbose=0)  # type: ignore[arg-type]
    ridge = np.linalg.solve(x.T @ x / 40 + 0.3 * np.eye(5), x.T @ y / 40)
    np.testing.assert_allclose(np.asarray(own.kernel)[:, 0], ridge, atol=1e-5)


def test_clipping_shortens_the_whole_gradient() -> None:
    optimizer = optimizer_of(parse("sgd=1+clipping=2").design(), PROBLEM)
    one, two = keras.Variable(np.zeros(2), name="kernel"), keras.Variable(np.zeros(1), name="bias")
    optimizer.build([one, two])
    optimizer.apply([np.array([3.0, 0.0], "float32"), np.array([4.0], "float32")])
    np.testing.assert_allclose(np.concatenate([one, two]), -2 * np.array([3.0, 0.0, 4.0]) / 5, rtol=1e-6)


def test_inverted_and_classic_dropout_agree_in_expectation() -> None:
    """Classic: mask in training, scale by 1 − p in the test. Inverted: mask and 1/(1 − p) in training, then nothing."""
    keras.utils.set_random_seed(0)
    rows = np.ones((4000, 10), "float32")
    inverted = np.asarray(keras.layers.Dropout(0.3)(rows, training=True))
    assert set(np.unique(inverted)) == {np.float32(0.0), np.float32(1.0) / np.float32(0.7)}
    assert (inverted == 0).mean() == pytest.approx(0.3, abs=0.01)
    classic = (inverted > 0).astype(float)
    assert classic.mean() == pytest.approx((1 - 0.3) * rows.mean(), abs=0.01)
    assert inverted.mean() == pytest.approx(rows.mean(), abs=0.015)
    np.testing.assert_array_equal(np.asarray(keras.layers.Dropout(0.3)(rows, training=False)), rows)


def test_spatial_dropout_drops_whole_channels() -> None:
    keras.utils.set_random_seed(0)
    dropped = np.asarray(keras.layers.SpatialDropout2D(0.25)(np.ones((200, 5, 5, 8), "float32"), training=True))
    flat = dropped.reshape(200, 25, 8)
    assert (flat == flat[:, :1]).all()
    assert (flat[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.03)


def test_stochastic_depth_leaves_whole_rows_out() -> None:
    keras.utils.set_random_seed(0)
    dropped = np.asarray(keras.layers.Dropout(0.4, noise_shape=(None, 1))(np.ones((3000, 6), "float32"), training=True))
    assert (dropped == dropped[:, :1]).all()
    assert (dropped[:, 0] == 0).mean() == pytest.approx(0.4, abs=0.03)
    assert dropped.mean() == pytest.approx(1.0, abs=0.05)


Z = np.random.default_rng(1).normal(2.0, 3.0, (32, 6)).astype("float32")


def test_batch_normalisation_and_its_running_statistics() -> None:
    layer: Any = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    layer.build(Z.shape)
    layer.gamma.assign(np.arange(1.0, 7.0))
    layer.beta.assign(np.full(6, 0.5))
    mean, variance = np.zeros(6), np.ones(6)
    for shift in range(4):
        z = Z.astype(float) + shift
        out = np.asarray(layer(z.astype("float32"), training=True))
        ours = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-3) * np.arange(1.0, 7.0) + 0.5
        np.testing.assert_allclose(out, ours, atol=2e-4)
        mean, variance = 0.9 * mean + 0.1 * z.mean(0), 0.9 * variance + 0.1 * z.var(0)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)
    tested = (Z - mean) / np.sqrt(variance + 1e-3) * np.arange(1.0, 7.0) + 0.5
    np.testing.assert_allclose(np.asarray(layer(Z, training=False)), tested, atol=2e-4)


def test_layer_and_group_normalisation_are_over_a_rows_own_units() -> None:
    z = Z.astype(float)
    ours = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-3)
    for training in (True, False):
        np.testing.assert_allclose(np.asarray(keras.layers.LayerNormalization()(Z, training=training)), ours, atol=2e-4)
    groups = z.reshape(32, 2, 3)
    ours = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-3)
    np.testing.assert_allclose(np.asarray(keras.layers.GroupNormalization(2)(Z)), ours.reshape(32, 6), atol=2e-4)


def test_max_norm_scales_a_units_incoming_weights_down() -> None:
    kernel = np.array([[3.0, 0.1], [4.0, 0.2]], "float32")
    constraint: Any = keras.constraints.MaxNorm
    kept = np.asarray(constraint(2.0, axis=[0])(kernel))
    np.testing.assert_allclose(kept, np.array([[1.2, 0.1], [1.6, 0.2]]), rtol=1e-5)
