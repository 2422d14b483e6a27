"""Keras' callbacks in a cohort: each member has its own, called as `fit` calls them. The oracle is `fit`."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kohort
from kohort.cohort import passes
from kohort.cohort.callbacks import copies
from kohort.cohort.kept_programs import forget
from kohort.errors import DataError, NotSupportedError
from kohort.seeds import global_randomness
from tests.compilations import Compilations
from tests.networks import TEXTBOOK, small
from tests.test_equality import largest_gap

callbacks: Any = keras.callbacks  # Keras' own annotations are too narrow

Arrays = tuple[np.ndarray, np.ndarray]
Make = Callable[[], list[Any]]

OPTIONS: dict[str, Any] = {"epochs": 6, "validation_split": 0.2, "verbose": 0}


@pytest.fixture(scope="module")
def data() -> Arrays:
    """160 rows of digits: 4 batches of 32 to train on and one to validate with."""
    digits = kohort.data.named("digits")
    return digits.x[:160], digits.y[:160]


def build(rate: float = 0.3, **compiled: Any) -> keras.Model:
    stack = [layers.Input((64,)), layers.Dense(16, "relu"), layers.Dropout(rate), layers.Dense(10, "softmax")]
    model = keras.Sequential(stack)
    told = {"optimizer": keras.optimizers.Adam(0.01), "metrics": ["accuracy"], **compiled}
    model.compile(loss="sparse_categorical_crossentropy", **told)
    return model


def by_fit(make: Make, data: Arrays, seed: int, built: Callable[[], keras.Model] = build, **options: Any) -> Any:
    keras.utils.set_random_seed(seed)
    model = built()
    model.fit(*data, callbacks=make(), **{**OPTIONS, **options})
    return model


def assert_equal(run: kohort.Run, model: keras.Model) -> None:
    theirs = model.history.history
    assert list(run.history) == list(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(run.history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert run.epoch == model.history.epoch
    assert largest_gap(run.weights, model.get_weights()) <= 1e-4
    ours = run.model()
    assert ours.stop_training == model.stop_training
    for a, b in zip(ours.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-4, err_msg=a.path)


@pytest.mark.slow
def test_forty_members_stop_at_the_epoch_at_which_fit_stops_them(data: Arrays) -> None:
    """Patience 5, best weights restored: 2 recipes × 20 seeds; most of the epochs are spared."""

    def make() -> list[Any]:
        return [callbacks.EarlyStopping("val_loss", patience=5, min_delta=1e-3, restore_best_weights=True)]

    def steady(*rate: float) -> keras.Model:
        """With an epsilon at which Adam makes no steps of a gradient's last bits, which differ by processor."""
        return build(*rate, optimizer=keras.optimizers.Adam(0.01, epsilon=1e-3))

    recipes = {"none": partial(steady, 0.0), "dropout": steady}
    forget()
    with Compilations() as compiled:
        runs = kohort.fit(recipes, *data, seeds=20, callbacks=make(), **{**OPTIONS, "epochs": 120})
    assert compiled.names.count("jit(train_cohort)") == 2  # one for each recipe: stopped members cause no other
    trained = [len(run.epoch) for run in runs.values()]
    assert len(set(trained)) > 5
    assert runs.epochs_trained == sum(trained) < 0.7 * runs.epochs_planned == 0.7 * 40 * 120
    for name, recipe in recipes.items():
        for seed in range(20):
            assert_equal(runs[name, seed], by_fit(make, data, seed, recipe, epochs=120))


@pytest.mark.slow
def test_only_members_in_training_are_worked_on(data: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[int] = []
    run = passes.Population.run

    def counted(self: Any, program: Any, counts: Any, *rest: Any, **more: Any) -> Any:
        worked.append(len(counts))
        return run(self, program, counts, *rest, **more)

    monkeypatch.setattr(passes.Population, "run", counted)

    class StopsAt(callbacks.Callback):
        def __init__(self, last: int):
            super().__init__()
            self.last = last

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == self.last

    runs = kohort.fit(build, *data, seeds=5, callbacks=lambda recipe, seed: [StopsAt(seed)], **OPTIONS)
    assert worked == [5, 4, 3, 2, 1]
    assert [len(runs[seed].epoch) for seed in range(5)] == [1, 2, 3, 4, 5]
    for seed in range(5):  # whoever trains longer than another is moved to a free core, and not changed by it
        assert_equal(runs[seed], by_fit(lambda seed=seed: [StopsAt(seed)], data, seed))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: [callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=1, min_delta=0.2)],
        lambda: [callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.7 if epoch > 1 else rate)],
        lambda: [callbacks.EarlyStopping("loss", patience=1, baseline=0.5, start_from_epoch=3)],
        lambda: [callbacks.EarlyStopping("accuracy", mode="max", patience=2, min_delta=0.05)],
        lambda: [callbacks.TerminateOnNaN()],
    ],
    ids=["ReduceLROnPlateau", "LearningRateScheduler", "EarlyStopping baseline", "EarlyStopping max", "TerminateOnNaN"],
)
def test_keras_own(make: Make, data: Arrays) -> None:
    runs = kohort.fit(build, *data, seeds=[0, 3], callbacks=make(), **OPTIONS)
    for seed in (0, 3):
        assert_equal(runs[seed], by_fit(make, data, seed))


@pytest.mark.slow
def test_averaged_weights_are_swapped_in_for_validation(data: Arrays) -> None:
    def averaging() -> keras.Model:
        return build(optimizer=keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8))

    def make() -> list[Any]:
        return [callbacks.SwapEMAWeights(swap_on_epoch=True), callbacks.EarlyStopping(patience=1, min_delta=0.3)]

    runs = kohort.fit(averaging, *data, seeds=2, callbacks=make(), **OPTIONS)
    for seed in (0, 1):
        assert_equal(runs[seed], by_fit(make, data, seed, averaging))


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_its_member_at_that_batch_and_no_other(data: Arrays) -> None:
    def sgd(rate: float) -> keras.Model:
        model = keras.Sequential([layers.Input((64,)), layers.Dense(16, "relu"), layers.Dense(10)])
        model.compile(
            keras.optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(True), metrics=["accuracy"]
        )
        return model

    recipes = {"good": partial(sgd, 0.1), "wild": partial(sgd, 1e30)}
    runs = kohort.fit(recipes, *data, seeds=2, callbacks=callbacks.TerminateOnNaN(), **OPTIONS)
    assert len(runs.cohorts) == 1
    models = {name: by_fit(lambda: [callbacks.TerminateOnNaN()], data, 1, build) for name, build in recipes.items()}
    for name, theirs in models.items():
        np.testing.assert_equal(runs[name, 1].epoch, theirs.history.epoch)
        for log, values in theirs.history.history.items():
            np.testing.assert_allclose(runs[name, 1].history[log], values, rtol=1e-4, err_msg=f"{name} {log}")
    assert len(runs["wild", 1].epoch) == 1
    assert (
        runs["wild", 1].model().optimizer.iterations == models["wild"].optimizer.iterations < 4
    )  # batches of an epoch


@pytest.mark.slow
def test_files_are_told_apart_and_hold_what_fit_writes(data: Arrays, tmp_path: Path) -> None:
    def make(folder: Path) -> list[Any]:
        return [
            callbacks.ModelCheckpoint(
                folder / "best.weights.h5", "val_loss", save_best_only=True, save_weights_only=True
            ),
            callbacks.CSVLogger(str(folder / "log.csv")),
        ]

    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    recipes = {"dropout 0.3": build}
    kohort.fit(recipes, *data, seeds=2, callbacks=make(tmp_path / "ours"), **OPTIONS)
    written = sorted(path.name for path in (tmp_path / "ours").iterdir())
    assert written == [f"dropout_0.3-{seed}-{name}" for seed in (0, 1) for name in ("best.weights.h5", "log.csv")]
    theirs = by_fit(lambda: make(tmp_path / "theirs"), data, 1)
    loaded: Any = build()
    loaded.optimizer.build(loaded.trainable_variables)
    loaded.load_weights(tmp_path / "ours" / "dropout_0.3-1-best.weights.h5")
    theirs.load_weights(tmp_path / "theirs" / "best.weights.h5")
    assert largest_gap(loaded.get_weights(), theirs.get_weights()) <= 1e-5
    own, other = (
        np.genfromtxt(path, delimiter=",", skip_header=1)
        for path in [*sorted(tmp_path.rglob("*1-log.csv")), tmp_path / "theirs/log.csv"]
    )
    np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_path_may_say_where_recipe_and_seed_go(data: Arrays, tmp_path: Path) -> None:
    kept = callbacks.ModelCheckpoint(tmp_path / "{recipe}_{seed}_{epoch}.keras", save_freq="epoch")
    kohort.fit({"a": build}, *data, seeds=[7], callbacks=kept, **{**OPTIONS, "epochs": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_7_1.keras", "a_7_2.keras"]
    model: Any = keras.models.load_model(tmp_path / "a_7_2.keras")
    run = kohort.fit({"a": build}, *data, seeds=[7], **{**OPTIONS, "epochs": 2})["a", 7]
    assert largest_gap(run.weights, model.get_weights()) == 0.0


@pytest.mark.slow
def test_a_backup_goes_on_where_each_member_was_interrupted(data: Arrays, tmp_path: Path) -> None:
    class PowerCut(callbacks.Callback):
        def __init__(self, at: int):
            super().__init__()
            self.at = at

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == self.at:
                raise ZeroDivisionError

    def make(folder: str, at: int) -> list[Any]:
        return [callbacks.BackupAndRestore(str(tmp_path / folder)), PowerCut(at)]

    with pytest.raises(ZeroDivisionError) as raised:
        kohort.fit(build, *data, seeds=2, callbacks=make("ours", 3), **OPTIONS)
    assert "on_epoch_begin by a callback of recipe 'build', seed 0" in raised.value.__notes__[0]
    with pytest.raises(ZeroDivisionError):
        by_fit(lambda: make("theirs", 3), data, 1)
    runs = kohort.fit(build, *data, seeds=2, callbacks=make("ours", 99), **OPTIONS)
    theirs = by_fit(lambda: make("theirs", 99), data, 1)
    assert runs[1].epoch == [3, 4, 5]
    assert_equal(runs[1], theirs)


class Meddling(callbacks.Callback):
    """A user's own, which uses all that `fit` would let it: its model, predictions, random draws, attributes."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.seen: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(random.random())

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        x = np.random.rand(8, 64).astype("float32")  # moves the generator from which batch orders are drawn
        self.seen.append(float(self.model.predict(x, verbose=0)[0, 0]))
        self.seen.append(self.model.evaluate(x, np.zeros(8), verbose=0)[0])
        self.seen.append(logs["val_loss"])
        self.model.visited = getattr(self.model, "visited", 0) + 1
        weights = self.model.get_weights()
        self.model.set_weights([0.9 * weights[0], *weights[1:]])
        if epoch == 3:
            self.model.stop_training = True


@pytest.mark.slow
def test_a_users_own_does_what_it_does_in_fit(data: Arrays) -> None:
    before = global_randomness()
    runs = kohort.fit(build, *data, seeds=3, callbacks=[Meddling()], **OPTIONS)
    assert global_randomness() == before
    for seed in range(3):
        own = Meddling()
        assert_equal(runs[seed], by_fit(lambda own=own: [own], data, seed))
        np.testing.assert_allclose(runs[seed].callbacks[0].seen, own.seen, rtol=1e-4)
        assert runs[seed].callbacks[0].model.visited == 4  # its own, not its neighbours'


class BatchByBatch(callbacks.Callback):
    def on_train_begin(self, logs: Any = None) -> None:
        self.seen: list[Any] = []

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.seen.append(batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen += [batch, *logs.values()]
        if batch == 2 and logs["accuracy"] > 0.5:
            self.model.stop_training = True

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen += [batch, *logs.values()]

    def on_test_end(self, logs: Any = None) -> None:
        self.seen += list(logs.values())


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 3])
def test_hooks_of_batches_see_what_they_see_in_fit(data: Arrays, at_once: int) -> None:
    def several() -> keras.Model:
        return build(steps_per_execution=at_once)

    options = {"batch_size": 24, "validation_batch_size": 10}  # both with a smaller last batch
    with pytest.warns(UserWarning, match="BatchByBatch acts at each batch"):
        runs = kohort.fit(several, *data, seeds=2, callbacks=BatchByBatch(), **options, **OPTIONS)
    for seed in (0, 1):
        own = BatchByBatch()
        assert_equal(runs[seed], by_fit(lambda own=own: [own], data, seed, several, **options))
        np.testing.assert_allclose(runs[seed].callbacks[0].seen, own.seen, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_who_asks_to_stop_before_the_first_batch_trains_one(data: Arrays) -> None:
    class Impatient(callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == 2

    runs = kohort.fit(build, *data, seeds=2, callbacks=Impatient(), **OPTIONS)
    assert_equal(runs[1], by_fit(lambda: [Impatient()], data, 1))
    assert int(runs[1].model().optimizer.iterations) == 4 + 4 + 1


@pytest.mark.slow
def test_given_models_use_the_given_objects_one_model_after_another(data: Arrays) -> None:
    """As the loop over `fit` does: the second model's orders follow those that the first, stopped early, has drawn."""
    keras.utils.set_random_seed(5)
    models, twins = [{name: build(rate) for name, rate in {"a": 0.1, "b": 0.4}.items()} for _ in range(2)]
    for name in models:
        twins[name].set_weights(models[name].get_weights())
        for own, other in zip(twins[name].variables, models[name].variables, strict=True):
            own.assign(other)
    ours, theirs = (callbacks.EarlyStopping("val_accuracy", min_delta=0.02, patience=0) for _ in range(2))
    np.random.seed(3)
    runs = kohort.fit(models, *data, callbacks=[ours], **OPTIONS)
    after = np.random.random()
    np.random.seed(3)
    for twin in twins.values():
        twin.fit(*data, callbacks=[theirs], **OPTIONS)
    assert np.random.random() == after
    assert ours.stopped_epoch == theirs.stopped_epoch
    assert runs["b"].callbacks == (ours,)
    for name, run in runs.items():
        assert run.model() is models[name]
        assert_equal(run, twins[name])


@pytest.mark.slow
def test_weights_are_fetched_only_if_a_callback_looks(data: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    fetch = passes.Population.fetch
    monkeypatch.setattr(
        passes.Population, "fetch", lambda self, member: (fetched.append(member), fetch(self, member))[1]
    )

    class Listens(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.heard = logs["loss"]

    kohort.fit(build, *data, seeds=2, callbacks=Listens(), **OPTIONS)
    assert len(fetched) == 2 * 2  # at the end, for what the run hands on


def test_what_is_no_callback_is_refused(data: Arrays) -> None:
    with pytest.raises(DataError, match=r"callbacks must be keras.callbacks.Callback objects.*Got str"):
        kohort.fit(TEXTBOOK["none"], *data, seeds=1, callbacks=["EarlyStopping"])


def test_what_cannot_be_copied_asks_for_a_function(data: Arrays) -> None:
    class Stream(callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.rows = (row for row in range(3))

    with pytest.raises(NotSupportedError, match=r"Stream cannot be copied.*callbacks=lambda recipe, seed"):
        kohort.fit(TEXTBOOK["none"], *data, seeds=1, callbacks=[Stream()])


def test_members_share_the_data_that_a_callback_holds(data: Arrays) -> None:
    class Holds(callbacks.Callback):
        def __init__(self, x: np.ndarray):
            super().__init__()
            self.x = x

    one_hot = np.eye(10, dtype=np.float32)[data[1]]
    runs = kohort.fit(small, data[0], one_hot, seeds=2, callbacks=[Holds(data[0])], epochs=1, verbose=0)
    assert runs[0].callbacks[0] is not runs[1].callbacks[0]
    assert runs[0].callbacks[0].x is runs[1].callbacks[0].x is data[0]


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [2, 5])
def test_members_that_stop_while_others_are_vectorised_beside_them(data: Arrays, at_once: int) -> None:
    """Who has stopped stays as it is, and whoever goes on equals `fit`."""

    def make() -> list[Any]:
        return [callbacks.EarlyStopping("val_accuracy", mode="max", min_delta=0.03), BatchByBatch()]

    with pytest.warns(UserWarning, match="acts at each batch"):
        runs = kohort.fit(build, *data, seeds=5, callbacks=make(), at_once=at_once, **OPTIONS)
    epochwise = kohort.fit(build, *data, seeds=5, callbacks=make()[:1], at_once=at_once, **OPTIONS)
    assert len({len(run.epoch) for run in epochwise.values()}) > 1
    for seed in (0, 4):
        assert_equal(runs[seed], by_fit(make, data, seed))
        assert_equal(epochwise[seed], by_fit(lambda: make()[:1], data, seed))


SHARED = callbacks.TerminateOnNaN()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (callbacks.EarlyStopping, r"Got the class EarlyStopping. Pass EarlyStopping\(…\)"),
        (lambda seed: [], r"must take \(recipe, seed\)"),
        ({"build": callbacks.TerminateOnNaN()}, "Got a mapping of build"),
        (lambda recipe, seed: SHARED, "one TerminateOnNaN for recipe 'build', seed 0 and"),
        (lambda recipe, seed: callbacks.CSVLogger("log.csv"), "one place, log.csv, to write to"),
    ],
    ids=["class", "one argument", "mapping", "shared", "one file"],
)
def test_callbacks_that_are_no_runs_own_are_refused(given: Any, message: str, data: Arrays) -> None:
    with pytest.raises(DataError, match=message):
        kohort.fit(build, *data, seeds=2, callbacks=given, **OPTIONS)


@pytest.mark.slow
def test_given_models_take_one_callback_or_a_function(data: Arrays) -> None:
    stop = callbacks.EarlyStopping("loss", patience=0, min_delta=9.0)
    run = kohort.fit(build(), *data, callbacks=stop, **OPTIONS)
    assert len(run.epoch) == 2
    assert run.callbacks == (stop,)
    made = kohort.fit({"a": build()}, *data, callbacks=lambda recipe, seed: [stop] if recipe == "a" else [], **OPTIONS)
    assert len(made["a"].epoch) == 2


def test_paths_that_say_only_one_of_recipe_and_seed_get_the_other(tmp_path: Path) -> None:
    for path, expected in {
        "{recipe}.csv": "3-a_b.csv",
        "{seed}.csv": "a_b-3.csv",
        "{recipe}/{seed}.csv": "a_b/3.csv",
        "log.csv": "a_b-3-log.csv",
    }.items():
        (own,) = copies(callbacks.CSVLogger(str(tmp_path / path)), "a b", 3, ())
        assert Path(own.filename) == tmp_path / expected
    (own,) = copies(callbacks.BackupAndRestore(str(tmp_path / "backup")), "a", 1, ())
    assert Path(own._weights_path).parent == tmp_path / "backup" / "a-1"


@pytest.mark.slow
def test_a_callback_that_freezes_a_layer_is_refused(data: Arrays) -> None:
    """`fit` fails, too; a cohort must not go on with a step that was made for other weights."""

    class Freezes(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.layers[0].trainable = False

    with pytest.raises(NotSupportedError, match="must not change which weights there are or train"):
        kohort.fit(build, *data, seeds=2, callbacks=Freezes(), **OPTIONS)
