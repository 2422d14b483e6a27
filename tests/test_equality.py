"""The first promise: a member of a cohort equals `set_random_seed(seed); build().fit(...)`. The oracle is `fit`."""

from typing import Any

import jax
import keras
import numpy as np
import pytest
from keras import layers

import kohort
from kohort.run import Run
from tests.networks import TEXTBOOK, Builder, small

ROUNDING = 1e-5
"""Losses and weights after one epoch: 12 to 15 steps, each exact to float32's 6e-8 relative, in sums of other order."""

TEN_EPOCHS = 1e-3
"""Losses after ten epochs: rounding grows with every step, since each step starts where the last one ended."""

pytestmark = [pytest.mark.slow, pytest.mark.optimised]

Arrays = tuple[np.ndarray, np.ndarray]


def trained_by_fit(build: Builder, seed: int, x: Any, y: Any, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = build()
    quiet: dict[str, Any] = {"verbose": 0}
    model.fit(x, y, **quiet, **options)
    return model


def assert_same_history(run: Run, model: keras.Model, rows: int, validation_rows: int) -> None:
    """Losses to rounding, accuracies within one row, in every epoch, under the same names in the same order."""
    theirs = model.history.history
    assert list(run.history) == list(theirs)
    for name, values in theirs.items():
        gap = np.abs(np.array(values) - np.array(run.history[name]))
        if "loss" in name:
            assert gap[0] <= ROUNDING, name
            assert gap.max() <= TEN_EPOCHS, name
        else:
            assert gap.max() <= 1.0 / (validation_rows if name.startswith("val_") else rows) + 1e-6, name


def largest_gap(ours: Any, theirs: Any) -> float:
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def ten_epochs(digits: Arrays) -> kohort.Runs:
    return kohort.fit(TEXTBOOK, *digits, seeds=3, epochs=10, validation_split=0.2, verbose=0)


@pytest.fixture(scope="module")
def one_epoch(digits: Arrays) -> kohort.Runs:
    return kohort.fit(TEXTBOOK, *digits, seeds=3, verbose=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("recipe", TEXTBOOK)
def test_ten_epochs_equal_fit(recipe: str, seed: int, digits: Arrays, ten_epochs: kohort.Runs) -> None:
    model = trained_by_fit(TEXTBOOK[recipe], seed, *digits, epochs=10, validation_split=0.2)
    assert_same_history(ten_epochs[recipe, seed], model, 384, 96)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("recipe", TEXTBOOK)
def test_weights_after_one_epoch_equal_fit(recipe: str, seed: int, digits: Arrays, one_epoch: kohort.Runs) -> None:
    model = trained_by_fit(TEXTBOOK[recipe], seed, *digits)
    assert largest_gap(one_epoch[recipe, seed].weights, model.get_weights()) <= ROUNDING


def test_members_drawn_anew_equal_fit(digits: Arrays) -> None:
    """Seeds from the third on are not built but redrawn; see cohort/members.py."""
    runs = kohort.fit(TEXTBOOK, *digits, seeds=6, epochs=2, validation_split=0.2, verbose=0)
    for recipe, build in TEXTBOOK.items():
        model = trained_by_fit(build, 5, *digits, epochs=2, validation_split=0.2)
        assert_same_history(runs[recipe, 5], model, 384, 96)
        assert largest_gap(runs[recipe, 5].weights, model.get_weights()) <= ROUNDING


def test_a_bias_before_batchnorm_is_all_rounding_and_changes_nothing_else(digits: Arrays) -> None:
    """Its gradient is zero but for rounding, which Adam scales up to whole steps: no two programs agree on it."""

    def build() -> keras.Model:
        model = keras.Sequential(
            [
                layers.Input((64,)),
                layers.Dense(32),
                layers.BatchNormalization(),
                layers.Activation("relu"),
                layers.Dense(10, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    run = kohort.fit({"bn": build}, *digits, seeds=[0], epochs=10, validation_split=0.2, verbose=0)["bn", 0]
    model = trained_by_fit(build, 0, *digits, epochs=10, validation_split=0.2)
    assert_same_history(run, model, 384, 96)
    gaps = [ours - theirs for ours, theirs in zip(run.weights, model.get_weights(), strict=True)]
    bias, moving_mean = (
        gaps.pop(1),
        gaps.pop(3),
    )  # of kernel, bias, γ, β, moving mean, moving variance, kernel, bias
    assert max(np.abs(gap).max() for gap in gaps) <= 1e-4
    assert np.abs(bias).max() <= 120 * 1e-3  # 120 steps of Adam, whatever their direction
    assert np.abs(moving_mean).max() <= np.abs(bias).max()  # the mean follows the bias, and is subtracted with it


def test_a_partial_last_batch_trains_at_its_true_size(digits: Arrays) -> None:
    x, y = (
        digits[0][:459],
        digits[1][:459],
    )  # 367 train = 11 batches and 15 rows; 92 validate = 2 batches and 28 rows
    options: dict[str, Any] = {"epochs": 3, "validation_split": 0.2}
    for recipe in ("dropout", "batchnorm"):
        run = kohort.fit({recipe: TEXTBOOK[recipe]}, x, y, seeds=[3], verbose=0, **options)[recipe, 3]
        assert_same_history(run, trained_by_fit(TEXTBOOK[recipe], 3, x, y, **options), 367, 92)


def test_validation_smaller_than_a_batch(digits: Arrays) -> None:
    x, y = digits
    options: dict[str, Any] = {"epochs": 2, "validation_data": (x[400:420], y[400:420]), "batch_size": 64}
    run = kohort.fit(TEXTBOOK["none"], x[:400], y[:400], seeds=[0], verbose=0, **options)[0]
    model = trained_by_fit(TEXTBOOK["none"], 0, x[:400], y[:400], **options)
    assert_same_history(run, model, 400, 20)


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_shuffle(shuffle: Any, digits: Arrays) -> None:
    options: dict[str, Any] = {"epochs": 2, "validation_split": 0.2, "shuffle": shuffle, "batch_size": 50}
    runs = kohort.fit({"dropout": TEXTBOOK["dropout"]}, *digits, seeds=4, verbose=0, **options)
    for seed in (0, 3):
        model = trained_by_fit(TEXTBOOK["dropout"], seed, *digits, **options)
        assert_same_history(runs["dropout", seed], model, 384, 96)
        assert largest_gap(runs["dropout", seed].weights, model.get_weights()) <= ROUNDING


@pytest.mark.parametrize("devices", [1, 2])
def test_one_device_and_two_equal_fit(devices: int, digits: Arrays) -> None:
    assert jax.local_device_count() == 2
    options: dict[str, Any] = {"epochs": 2, "validation_split": 0.2}
    runs = kohort.fit(TEXTBOOK["dropout"], *digits, seeds=3, devices=devices, verbose=0, **options)
    model = trained_by_fit(TEXTBOOK["dropout"], 2, *digits, **options)
    assert_same_history(runs[2], model, 384, 96)
    assert largest_gap(runs[2].weights, model.get_weights()) <= ROUNDING


def test_weights_for_rows_and_classes(digits: Arrays) -> None:
    x, y = digits
    rows = np.random.default_rng(0).uniform(0.1, 2.0, len(y)).astype("float32")
    for weights in ({"sample_weight": rows}, {"class_weight": dict.fromkeys(range(10), 1.0) | {3: 5.0}}):
        options: dict[str, Any] = {"epochs": 2, "validation_split": 0.2, **weights}
        run = kohort.fit(TEXTBOOK["none"], x, y, seeds=[1], verbose=0, **options)[1]
        model = trained_by_fit(TEXTBOOK["none"], 1, x, y, **options)
        assert_same_history(run, model, 384, 96)
        unweighted = trained_by_fit(TEXTBOOK["none"], 1, x, y, epochs=2, validation_split=0.2)
        assert abs(unweighted.history.history["loss"][0] - run.history["loss"][0]) > 1e-3


def test_validation_data_with_weights(digits: Arrays) -> None:
    x, y = digits
    held_out = (x[400:], y[400:], np.linspace(0.0, 2.0, 80, dtype="float32"))
    run = kohort.fit(TEXTBOOK["l2"], x[:400], y[:400], seeds=[0], validation_data=held_out, verbose=0)[0]
    model = trained_by_fit(TEXTBOOK["l2"], 0, x[:400], y[:400], validation_data=held_out)
    assert_same_history(run, model, 400, 80)


def test_several_inputs_and_outputs_keep_their_names(digits: Arrays) -> None:
    """Auto-named outputs such as dense_9 and dense_10 sort differently in each model; logs must not be swapped."""
    x, y = digits

    def build() -> keras.Model:
        a, b = keras.Input((32,)), keras.Input((32,))
        hidden = layers.Concatenate()([layers.Dense(8)(a), layers.Dense(8)(b)])
        outputs = [layers.Dense(10, activation="softmax")(hidden), layers.Dense(1)(hidden)]
        model = keras.Model([a, b], outputs)
        model.compile("sgd", ["sparse_categorical_crossentropy", "mse"], metrics=[["accuracy"], ["mae"]])
        return model

    inputs, targets = [x[:, :32], x[:, 32:]], [y, x.mean(axis=1, keepdims=True)]
    # names move on from dense to dense_4, dense_8, dense_12 with every model that is built
    run = [kohort.fit(build, inputs, targets, seeds=[0], validation_split=0.2, verbose=0)[0] for _ in range(3)][-1]
    keras.backend.clear_session()
    model = trained_by_fit(build, 0, inputs, targets, validation_split=0.2)
    ours = sorted(run.history.values())
    theirs = sorted(model.history.history.values())
    assert largest_gap(ours, theirs) <= 1.0 / 96
    assert run.history["loss"][0] == pytest.approx(model.history.history["loss"][0], abs=ROUNDING)
    assert sum(v[0] for k, v in run.history.items() if not k.startswith("val_") and k.endswith("_loss")) == (
        pytest.approx(run.history["loss"][0], abs=1e-4)
    )


def test_a_model_given_with_seeds_is_built_anew_under_each(digits: Arrays) -> None:
    given = TEXTBOOK["dropout"]()
    before = given.get_weights()
    runs = kohort.fit({"given": given}, *digits, seeds=2, epochs=2, verbose=0)
    assert largest_gap(given.get_weights(), before) == 0.0
    for seed in range(2):
        model = trained_by_fit(TEXTBOOK["dropout"], seed, *digits, epochs=2)
        assert largest_gap(runs["given", seed].weights, model.get_weights()) <= 1e-4


def test_the_trained_model_goes_on_with_fit(digits: Arrays) -> None:
    run = kohort.fit(TEXTBOOK["dropout"], *digits, seeds=[2], epochs=2, validation_split=0.2, verbose=0)[2]
    model = run.model()
    assert isinstance(model, keras.Model)
    assert model.history.history == run.history
    assert model.history.epoch == run.epoch == [0, 1]
    assert int(np.asarray(model.optimizer.iterations.value)) == 24
    assert largest_gap(model.get_weights(), run.weights) == 0.0
    theirs = trained_by_fit(TEXTBOOK["dropout"], 2, *digits, epochs=2, validation_split=0.2)
    silent: Any = {"verbose": 0}
    for other in (model, theirs):
        other.fit(*digits, epochs=1, shuffle=False, **silent)  # its dropout and Adam go on where they stood
    assert largest_gap(model.get_weights(), theirs.get_weights()) <= ROUNDING


def test_what_validation_changes_is_carried_on(digits: Arrays) -> None:
    """Recurrent dropout advances its generator in validation too; without that later masks, and losses, are others."""

    def build() -> keras.Model:
        stack = [layers.Input((64,)), layers.Reshape((8, 8)), layers.LSTM(8, dropout=0.4), layers.Dense(10)]
        model = keras.Sequential(stack)
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    x, y = digits[0][:160], digits[1][:160]
    run = kohort.fit(build, x, y, seeds=[0], epochs=3, validation_split=0.2, verbose=0)[0]
    model = trained_by_fit(build, 0, x, y, epochs=3, validation_split=0.2)
    assert_same_history(run, model, 128, 32)
    without = trained_by_fit(build, 0, x[:128], y[:128], epochs=3)
    assert abs(without.history.history["loss"][-1] - run.history["loss"][-1]) > TEN_EPOCHS


@pytest.mark.parametrize("wrapped", [False, True])
def test_averaged_weights_are_written_back_as_fit_does(wrapped: bool, digits: Arrays) -> None:
    def build() -> keras.Model:
        model = TEXTBOOK["none"]()
        optimizer: Any = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9)
        if wrapped:  # as Keras does by itself under mixed_float16
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0)
        model.compile(optimizer, "sparse_categorical_crossentropy")
        return model

    run = kohort.fit(build, *digits, seeds=[0], verbose=0)[0]
    model = trained_by_fit(build, 0, *digits)
    assert largest_gap(run.weights, model.get_weights()) <= ROUNDING
    assert largest_gap(run.model().get_weights(), model.get_weights()) <= ROUNDING


def test_a_step_of_the_users_own(digits: Arrays) -> None:
    """Logs that are no function of the metric state cannot leave the loop; the last batch's are kept, as in fit."""

    class Own(keras.Model):
        def train_step(self, *args: Any, **kwargs: Any) -> Any:
            logs, state = super().train_step(*args, **kwargs)
            return logs | {"bias": state[0][1].sum()}, state

    def build() -> keras.Model:
        inputs = keras.Input((64,))
        model = Own(inputs, layers.Dense(10, activation="softmax")(inputs))
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    run = kohort.fit(build, *digits, seeds=[0], epochs=2, verbose=0)[0]
    model = trained_by_fit(build, 0, *digits, epochs=2)
    assert list(run.history) == list(model.history.history) == ["bias", "loss"]
    for name, values in run.history.items():
        np.testing.assert_allclose(values, model.history.history[name], atol=ROUNDING)


def test_mixed_precision_equals_fit(digits: Arrays) -> None:
    """float16 keeps 11 bits: the same sums in another order differ by 5e-4 of their size."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        run = kohort.fit(TEXTBOOK["none"], *digits, seeds=[0], verbose=0)[0]
        model = trained_by_fit(TEXTBOOK["none"], 0, *digits)
    finally:
        keras.config.set_dtype_policy("float32")
    assert run.history["loss"][0] == pytest.approx(model.history.history["loss"][0], rel=1e-3)


def test_twelve_strengths_each_equal_fit(digits: Arrays) -> None:
    x, labels = digits
    y = keras.utils.to_categorical(labels, 10)
    runs = kohort.fit({n: build_small(o) for n, o in twelve().items()}, x, y, seeds=[0, 7], epochs=2, verbose=0)
    for name, options in twelve().items():
        model = trained_by_fit(build_small(options), 7, x, y, epochs=2)
        assert_same_history(runs[name, 7], model, 480, 1)
        assert largest_gap(runs[name, 7].weights, model.get_weights()) <= ROUNDING


def build_small(options: dict[str, float]) -> Builder:
    return lambda: small(**options)  # type: ignore[arg-type]


def twelve() -> dict[str, dict[str, float]]:
    """Twelve recipes that differ in dropout rate, L2, learning rate, weight decay and label smoothing."""
    return {
        f"r{i}": {
            "rate": 0.1 + 0.05 * i,
            "l2": 1e-4 * i,
            "learning_rate": 1e-3 * (1 + i),
            "weight_decay": 1e-3 * i,
            "smoothing": 0.01 * (1 + i),
        }
        for i in range(12)
    }
