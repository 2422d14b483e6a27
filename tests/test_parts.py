"""Kohort's own optimisers, models, layers and schedules, against closed forms and NumPy; and that they serialise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.linear_model import Lasso

from kohort import parts
from kohort.recipes.compose import recipes_for
from kohort.recipes.design import Problem

RNG = np.random.default_rng(0)


def linear(optimizer: Any, inputs: int = 8, l1: float = 0.0) -> Any:
    penalty = keras.regularizers.L1(l1) if l1 else None
    dense = keras.layers.Dense(1, kernel_initializer="zeros", kernel_regularizer=penalty)
    model = keras.Sequential([keras.layers.Input((inputs,)), dense])
    model.compile(optimizer, "mse")
    return model


def regression(rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    x = RNG.normal(size=(rows, 8)).astype("float32")
    true = np.array([2.0, -1.0, 0.5, 0, 0, 0, 0, 0])
    y = x @ true + 0.3 * RNG.normal(size=rows)
    return x - x.mean(axis=0), (y - y.mean()).astype("float32")


def test_proximal_l1_is_the_lasso_with_its_exact_zeros() -> None:
    """Keras' loss ‖Xw − y‖²/n + λ‖w‖₁ is twice scikit-learn's with α = λ/2."""
    x, y = regression()
    strength = 0.3
    model = linear(parts.Proximal(keras.optimizers.SGD(0.1), strength))
    model.fit(x, y, epochs=400, batch_size=len(x), shuffle=False, verbose=0)
    ours = np.asarray(model.layers[0].kernel)[:, 0]
    lasso = Lasso(alpha=strength / 2, fit_intercept=False, tol=1e-10).fit(x.astype(float), y.astype(float)).coef_
    np.testing.assert_allclose(ours, lasso, atol=2e-4)
    np.testing.assert_array_equal(ours == 0.0, lasso == 0.0)
    assert 3 <= (ours == 0.0).sum() < 8


def test_the_subgradient_of_l1_reaches_no_zero() -> None:
    x, y = regression()
    model = linear(keras.optimizers.SGD(0.1), l1=0.3)
    model.fit(x, y, epochs=400, batch_size=len(x), shuffle=False, verbose=0)
    ours = np.asarray(model.layers[0].kernel)[:, 0]
    assert (ours != 0.0).all()
    assert (np.abs(ours) < 0.06).sum() >= 3  # small they are


def test_one_proximal_step_is_soft_thresholding_after_the_step() -> None:
    schedule: Any = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.1)
    optimizer = parts.Proximal(keras.optimizers.SGD(schedule), 0.2)
    kernel, bias = keras.Variable(np.array([0.3, -0.02, 0.08]), name="kernel"), keras.Variable([0.05], name="bias")
    gradient = np.array([0.1, 0.1, -0.1], "float32")
    optimizer.build([kernel, bias])
    optimizer.apply([gradient, np.array([0.0], "float32")])
    moved = np.array([0.25, -0.07, 0.13])
    np.testing.assert_allclose(kernel, np.sign(moved) * np.maximum(np.abs(moved) - 0.1, 0.0), atol=1e-7)
    np.testing.assert_allclose(bias, [0.05])
    optimizer.apply([0 * gradient, np.array([0.0], "float32")])  # the rate is 0.05 now
    np.testing.assert_allclose(kernel, [0.14, 0.0, 0.02], atol=1e-7)


def test_averaged_weights_are_the_mean_of_the_ends_of_epochs() -> None:
    x, y = regression()
    optimizer = parts.Averaged(keras.optimizers.SGD(0.05), start=6, period=3)
    model = linear(optimizer)
    seen: list[np.ndarray] = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(np.array(model.layers[0].kernel))
    )
    model.fit(x, y, epochs=5, batch_size=20, shuffle=False, verbose=0, callbacks=[note])
    np.testing.assert_allclose(np.array(model.layers[0].kernel), np.mean(seen[2:], axis=0), rtol=1e-5)
    assert float(np.asarray(optimizer._count)) == 3
    short = linear(parts.Averaged(keras.optimizers.SGD(0.05), start=600, period=3))
    short.fit(x, y, epochs=1, batch_size=20, verbose=0)
    assert np.abs(np.array(short.layers[0].kernel)).max() > 0.01  # no average was due: the weights are kept


def test_gradient_noise_has_its_variance_and_fades() -> None:
    variable = keras.Variable(np.zeros(20_000, "float32"), name="kernel")
    optimizer = parts.GradientNoise(keras.optimizers.SGD(1.0), eta=0.04, gamma=0.55, seed=3)
    optimizer.build([variable])
    before = np.zeros(20_000)
    for step in range(4):
        optimizer.apply([np.zeros(20_000, "float32")])
        noise = before - np.array(variable)
        assert noise.std() == pytest.approx(0.2 / (1 + step) ** 0.275, rel=0.02)
        assert abs(noise.mean()) < 0.01
        before = np.array(variable)


def test_a_sharpness_aware_step_takes_the_gradient_uphill() -> None:
    x, y = regression()
    model: Any = parts.SharpnessAware(linear("sgd"), rho=0.5)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    start = np.linspace(-1, 1, 8)[:, None].astype("float32")
    model.network.layers[0].kernel.assign(start)
    model.fit(x, y, batch_size=len(x), epochs=1, shuffle=False, verbose=0)

    def gradient(kernel: np.ndarray, bias: float) -> tuple[np.ndarray, float]:
        error = (x @ kernel)[:, 0] + bias - y
        return 2 * (x.T @ error)[:, None] / len(x), float(2 * error.mean())

    kernel, bias = gradient(start.astype(float), 0.0)
    length = np.sqrt((kernel**2).sum() + bias**2)
    kernel, bias = gradient(start + 0.5 * kernel / length, 0.5 * bias / length)
    np.testing.assert_allclose(np.array(model.network.layers[0].kernel), start - 0.1 * kernel, atol=1e-5)
    np.testing.assert_allclose(np.array(model.network.layers[0].bias), [-0.1 * bias], atol=1e-5)


def test_sharpness_around_mixing_keeps_the_mixed_loss() -> None:
    x, y = RNG.normal(size=(64, 8)).astype("float32"), np.arange(64) % 3

    def weights(text: str) -> list[np.ndarray]:
        (recipe,) = recipes_for([text], Problem((8,), 3, "multiclass", 4, 2))
        keras.utils.set_random_seed(4)
        model: Any = recipe.build()
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        return model.get_weights()

    mixed, both, plain = weights("mixup=1"), weights("sam=1e-12+mixup=1"), weights("none")
    for own, other in zip(mixed, both, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)
    assert np.abs(mixed[0] - plain[0]).max() > 1e-3


def population(model: Any, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the first pre-activations over all rows."""
    hidden = x.astype(float) @ np.array(model.layers[0].kernel, float)
    return hidden.mean(0), hidden.var(0)


@pytest.mark.parametrize("extra", ["", "+ema=0.9", "+swa=0.5", "+adamw+cosine", "+proximal"])
def test_statistics_are_found_again_under_the_final_weights(extra: str) -> None:
    problem = Problem((8,), 3, "multiclass", 5, 6)
    x = RNG.normal(1, 2, size=(72, 8)).astype("float32")  # four batches of 16, one of 8
    y = np.arange(72) % 3

    def trained(text: str, epochs: int) -> Any:
        (recipe,) = recipes_for([text], replace(problem, epochs=epochs))
        keras.utils.set_random_seed(3)
        model: Any = recipe.build()
        model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)
        return model

    found, before = trained(f"batchnorm{extra}+reestimate=2", 6), trained(f"batchnorm{extra}", 4)
    for own, other in zip(found.trainable_variables, before.trainable_variables, strict=True):
        np.testing.assert_allclose(own, other, atol=2e-6)  # the last two epochs moved nothing
    mean, variance = population(found, x)
    np.testing.assert_allclose(found.layers[1].moving_mean, mean, atol=1e-5)
    np.testing.assert_allclose(found.layers[1].moving_variance, variance, rtol=1e-5)
    assert np.abs(np.array(before.layers[1].moving_mean) - mean).max() > 1e-2


def test_rows_that_are_masked_or_not_trained_count_as_keras_counts_them() -> None:
    layer: Any = parts.PreciseBatchNormalization(0)
    x = RNG.normal(size=(6, 4, 3)).astype("float32")
    mask = np.arange(4) < np.array([4, 2, 3, 1, 4, 4])[:, None]
    layer(x, training=True, mask=mask)
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0), atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, x[mask].var(0), atol=1e-6)
    layer.trainable = False
    layer(x + 1, training=True)
    np.testing.assert_allclose(layer.moving_mean, x[mask].mean(0), atol=1e-6)


def probe(shape: tuple[int, ...]) -> Any:
    """A network that hands its inputs on and so shows what it is given."""
    return keras.Sequential([keras.layers.Input(shape), keras.layers.Activation("linear")])


def test_mixup_mixes_rows_and_losses_alike() -> None:
    rows = RNG.normal(size=(16, 16)).astype("float32")
    model: Any = parts.MixUp(probe((16,)), alpha=1.0, seed=1)
    model.compile(loss="mse")
    shares = []
    for _ in range(40):
        mixed = np.array(model(rows, training=True))
        share, order = (np.array(part) for part in model._mixed)
        np.testing.assert_allclose(mixed, share * rows + (1 - share) * rows[order], atol=1e-5)
        targets = RNG.normal(size=(16, 16)).astype("float32")
        loss = float(model.compute_loss(rows, targets, mixed, training=True))
        errors = [float(np.square(mixed - labels).mean()) for labels in (targets, targets[order])]
        assert loss == pytest.approx(share * errors[0] + (1 - share) * errors[1], rel=1e-5)
        shares.append(float(share))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.15)
    assert np.ptp(shares) > 0.5
    np.testing.assert_array_equal(np.array(model(rows, training=False)), rows)


def test_cutmix_mixes_areas() -> None:
    images = np.stack([np.full((10, 8, 1), float(number), "float32") for number in range(6)])
    model: Any = parts.CutMix(probe((10, 8, 1)), seed=2)
    model.compile(loss="mse")
    stays = []
    for _ in range(30):
        mixed = np.array(model(images, training=True))
        share, order = (np.array(part) for part in model._mixed)
        for number in range(6):
            assert set(np.unique(mixed[number])) <= {float(number), float(order[number])}
            if order[number] != number:
                assert (mixed[number] == number).mean() == pytest.approx(float(share), abs=1e-6)
        stays.append(float(share))
    assert min(stays) < 0.5 < max(stays)


def test_monte_carlo_dropout_is_the_mean_of_passes() -> None:
    (recipe,) = recipes_for(["mcdropout=0.5:passes=400"], Problem((6,), 3, "multiclass", 4, 2))
    model: Any = recipe.build()
    rows = RNG.normal(size=(5, 6)).astype("float32")
    passes = np.stack([np.array(model(rows, training=True)) for _ in range(400)])
    assert passes.std(axis=0).max() > 0.05  # dropout is at work
    predicted = model.predict(rows, verbose=0)
    np.testing.assert_allclose(predicted, passes.mean(axis=0), atol=6 * passes.std(axis=0).max() / 20)
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0, atol=1e-5)
    assert np.abs(predicted - model.predict(rows, verbose=0)).max() > 0


def test_passes_go_back_to_their_own_rows() -> None:
    rows = np.arange(6, dtype="float32").reshape(3, 2)
    repeated = parts.Passes(4)(rows)
    np.testing.assert_array_equal(np.array(repeated)[:5, 0], [0, 0, 0, 0, 2])
    np.testing.assert_array_equal(np.array(parts.MeanOfPasses(4)(repeated)), rows)


SCHEDULES: dict[str, tuple[Any, Any]] = {
    "linear": (parts.LinearDecay(0.2, 100, 10, 0.1), lambda t: t / 10 if t < 10 else 1 - 0.9 * min(1, (t - 10) / 100)),
    "linear without warm-up": (parts.LinearDecay(0.2, 50), lambda t: 1 - min(1, t / 50)),
    "inverse square root": (parts.InverseSquareRoot(0.2, 16), lambda t: t / 16 if t < 16 else (16 / t) ** 0.5),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_their_formula(name: str) -> None:
    schedule, share = SCHEDULES[name]
    for step in (0, 1, 5, 9, 10, 11, 15, 16, 17, 49, 50, 51, 60, 109, 110, 111, 1000):
        assert float(schedule(step)) == pytest.approx(0.2 * share(step), abs=2e-8), step
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert float(again(17)) == float(schedule(17))


def test_one_cycle_is_that_of_pytorch() -> None:
    """Points of torch.optim.lr_scheduler.OneCycleLR(max_lr=0.2, total_steps=100), and its closed form between them."""
    schedule = parts.OneCycle(0.2, 100)
    top = 0.3 * 100 - 1
    for step in range(0, 120, 7):
        now = min(step, 99)
        if now <= top:
            expected = 0.2 + (0.008 - 0.2) * (1 + np.cos(np.pi * now / top)) / 2
        else:
            expected = 8e-7 + (0.2 - 8e-7) * (1 + np.cos(np.pi * (now - top) / (99 - top))) / 2
        assert float(schedule(step)) == pytest.approx(expected, abs=5e-8)
    assert [float(schedule(step)) for step in (0, 29, 99)] == pytest.approx([0.008, 0.2, 8e-7], abs=2e-8)
    torch = pytest.importorskip("torch", reason="an oracle where it is installed")
    steps = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(steps, 0.2, total_steps=100, cycle_momentum=False)
    for step in range(99):
        assert float(schedule(step)) == pytest.approx(theirs.get_last_lr()[0], abs=5e-8)
        steps.step()
        theirs.step()


REFUSED = [
    (lambda: parts.Proximal(keras.optimizers.SGD(), -1.0), "l1 must be a number of at least 0. Got -1"),
    (lambda: parts.Averaged(keras.optimizers.SGD(), 0, 0), "period at least 1. Got 0 and 0"),
    (lambda: parts.GradientNoise(keras.optimizers.SGD(), -0.1), "eta must be"),
    (lambda: parts.SharpnessAware(probe((2,)), -1.0), "rho must be"),
    (lambda: parts.PreciseBatchNormalization(-1), "start must be at least 0. Got -1"),
    (lambda: parts.Resting(keras.optimizers.SGD(), 0), "start must be at least 1. Got 0"),
    (lambda: parts.MixUp(probe((2,)), 0.0), "alpha must be a number above 0"),
    (lambda: parts.Passes(0), "passes must be at least 1"),
    (lambda: parts.LinearDecay(0.1, 0), "decay_steps must be at least 1"),
    (lambda: parts.LinearDecay(0.1, 5, -1), "warmup_steps must be at least 0"),
    (lambda: parts.InverseSquareRoot(0.1, 0), "warmup_steps must be at least 1"),
    (lambda: parts.OneCycle(0.1, 1), "total_steps must be at least 2"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED)
def test_what_cannot_be(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


SAVED = ["proximal", "swa", "gradientnoise", "sam", "mixup", "mcdropout=0.2:passes=2", "stochasticdepth", "linear"]


@pytest.mark.parametrize(
    "text", [*SAVED, "batchnorm+reestimate", "mixup+sam", "inversesqrt+adamw", "onecycle+labelsmoothing"]
)
def test_models_with_them_are_saved_and_train_on(text: str, tmp_path: Path) -> None:
    (recipe,) = recipes_for([text], Problem((6,), 3, "multiclass", 2, 3))
    x, y = RNG.normal(size=(32, 6)).astype("float32"), np.arange(32) % 3
    keras.utils.set_random_seed(1)
    model: Any = recipe.build()
    model.fit(x, y, batch_size=16, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again: Any = keras.models.load_model(tmp_path / "model.keras")
    if not text.startswith("mc"):
        np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
    for own, other in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(own), np.asarray(other))
    again.fit(x, y, batch_size=16, epochs=1, verbose=0)
