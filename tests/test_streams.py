"""Streams of batches: each batch is drawn once, and every member equals `fit` on the same stream."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import kohort
from kohort.errors import DataError, NotSupportedError
from tests.test_callbacks import BatchByBatch, build
from tests.test_equality import largest_gap

pytestmark = [pytest.mark.slow, pytest.mark.optimised]

callbacks: Any = keras.callbacks  # Keras' own annotations are too narrow

_digits = kohort.data.named("digits")
X, Y = _digits.x[:176], _digits.y[:176]
HELD_OUT = _digits.x[176:236], _digits.y[176:236]
SIZE = 32
BATCHES = 6  # five full ones and one of 16 rows


def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    rows = slice(number * SIZE, (number + 1) * SIZE)
    return X[rows], Y[rows]


class Batches(keras.utils.PyDataset):
    """Counts how often it is asked for a batch."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.asked: list[int] = []

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        self.asked.append(number)
        return batch(number)


def forever() -> Iterator[Any]:
    while True:
        yield from map(batch, range(BATCHES))


def weighted() -> Iterator[Any]:
    for x, y in forever():
        yield x, y, np.linspace(0.1, 2.0, len(y)).astype("float32")


def tensors() -> Any:
    tensorflow = pytest.importorskip("tensorflow")
    return tensorflow.data.Dataset.from_tensor_slices((X, Y)).batch(SIZE)


def torch_loader() -> Any:
    torch = pytest.importorskip("torch")
    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(rows, batch_size=SIZE)


def grain_rows() -> Any:
    grain = pytest.importorskip("grain")
    return grain.MapDataset.source(list(zip(X, Y, strict=True))).batch(SIZE)


def assert_equals_fit(
    make: Callable[[], Any], run: kohort.Run, build: Callable[[], keras.Model], **options: Any
) -> None:
    keras.utils.set_random_seed(run.seed)
    model: Any = build()
    model.fit(make(), verbose=0, **options)
    theirs = model.history.history
    assert list(run.history) == list(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(run.history[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert largest_gap(run.weights, model.get_weights()) <= 1e-5
    assert run.params["steps"] == model.history.params["steps"]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Batches, {"shuffle": False}),
        (partial(Batches, workers=2), {"shuffle": False}),
        (Batches, {"shuffle": False, "class_weight": {0: 2.0, 1: 0.5}}),
        (Batches, {"shuffle": False, "steps_per_epoch": 4}),
        (forever, {"steps_per_epoch": BATCHES}),
        (weighted, {"steps_per_epoch": 4}),
        (tensors, {}),
        (torch_loader, {}),
        (grain_rows, {}),
    ],
    ids=[
        "PyDataset",
        "with workers",
        "class weights",
        "some",
        "generator",
        "weights",
        "tf.data",
        "DataLoader",
        "grain",
    ],
)
@pytest.mark.filterwarnings("ignore:Your input ran out", "ignore:`shuffle=True`", "ignore:The argument")
def test_members_equal_fit(make: Callable[[], Any], options: dict[str, Any]) -> None:
    options = {"epochs": 3, "validation_data": HELD_OUT, "validation_batch_size": 25, **options}
    source = make()
    runs = kohort.fit({"none": partial(build, 0.0), "dropout": build}, source, seeds=2, verbose=0, **options)
    assert runs.cohorts == (("none",), ("dropout",))
    for seed in (0, 1):
        assert_equals_fit(make, runs["dropout", seed], build, **options)
    assert_equals_fit(make, runs["none", 1], partial(build, 0.0), **options)


def test_a_batch_is_drawn_once_for_all_members() -> None:
    source = Batches()
    kohort.fit({"a": build, "b": partial(build, 0.0)}, source, seeds=4, epochs=3, shuffle=False, verbose=0)
    assert source.asked == [0, *[*range(BATCHES)] * 3]  # the first one to build and trace with


def test_a_shuffled_dataset_comes_in_the_order_of_the_first_member() -> None:
    recipes = {"a": build, "b": partial(build, 0.1)}
    with pytest.warns(UserWarning, match=r"in the order of the first \(seed 5\)"):
        runs = kohort.fit(recipes, Batches(), seeds=[5, 2], epochs=3, verbose=0)
    assert_equals_fit(Batches, runs["a", 5], build, epochs=3)


def test_validation_may_be_a_stream() -> None:
    options = {"epochs": 3, "shuffle": False, "validation_steps": 2, "validation_freq": 2}
    runs = kohort.fit(build, Batches(), seeds=2, validation_data=Batches(), verbose=0, **options)
    assert_equals_fit(Batches, runs[1], build, validation_data=Batches(), **options)


def test_batches_of_changing_shape() -> None:
    """Sentences of different lengths, batch by batch: a program for each length."""
    tokens = np.random.default_rng(0).integers(0, 9, (6, 8, 12))
    labels = tokens[:, :, 0] > 4

    def sentences() -> Iterator[Any]:
        while True:
            for number, length in enumerate((12, 8, 8, 5, 12, 8)):
                yield tokens[number, :, :length], labels[number]

    def reader() -> keras.Model:
        model = keras.Sequential([layers.Embedding(9, 4), layers.GRU(4), layers.Dropout(0.2), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.5), keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    runs = kohort.fit(reader, sentences(), seeds=2, steps_per_epoch=6, epochs=2, shuffle=False, verbose=0)
    assert_equals_fit(sentences, runs[1], reader, steps_per_epoch=6, epochs=2, shuffle=False)


def test_callbacks_on_a_stream() -> None:
    def stopping() -> list[Any]:
        return [callbacks.EarlyStopping("accuracy", mode="max", min_delta=0.09), BatchByBatch()]

    options: dict[str, Any] = {"epochs": 6, "shuffle": False, "validation_data": HELD_OUT}
    with pytest.warns(UserWarning, match="acts at each batch"):
        runs = kohort.fit(build, Batches(), seeds=3, callbacks=stopping(), verbose=0, **options)
    for seed in range(3):
        own = stopping()
        assert_equals_fit(Batches, runs[seed], build, callbacks=own, **options)
        np.testing.assert_allclose(runs[seed].callbacks[1].seen, own[1].seen, rtol=1e-4, atol=1e-5)
    assert len({len(run.epoch) for run in runs.values()}) > 1


def test_a_given_model_trains_in_place() -> None:
    keras.utils.set_random_seed(1)
    ours: Any = build()
    theirs: Any = build()
    theirs.set_weights(ours.get_weights())
    theirs.layers[1].seed_generator.state.assign(ours.layers[1].seed_generator.state)
    run = kohort.fit(ours, Batches(), epochs=2, shuffle=False, verbose=0)
    theirs.fit(Batches(), epochs=2, shuffle=False, verbose=0)
    assert run.model() is ours
    assert largest_gap(ours.get_weights(), theirs.get_weights()) <= 1e-6


@pytest.mark.parametrize("steps", [None, 3])
def test_a_validation_stream_beside_arrays(steps: int | None) -> None:
    options = {"validation_data": Batches(), "validation_steps": steps, "epochs": 2}
    runs = kohort.fit(build, *HELD_OUT, seeds=2, verbose=0, **options)
    keras.utils.set_random_seed(1)
    model: Any = build()
    model.fit(*HELD_OUT, verbose=0, **options)
    for name, values in model.history.history.items():
        np.testing.assert_allclose(runs[1].history[name], values, rtol=1e-5, err_msg=name)


def test_a_validation_stream_beside_arrays_must_stay_as_it_is() -> None:
    class Random(Batches):
        def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
            x, y = super().__getitem__(number)
            return x + np.random.random(x.shape).astype("float32"), y

    class Uneven(Batches):
        def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
            return X[: 5 + number], Y[: 5 + number]

    for stream, message in (
        (Random(), "must yield the same rows each time"),
        (Uneven(), "must yield batches of one size"),
        (forever(), "must have an end and come again. Got generator"),
    ):
        with pytest.raises(NotSupportedError, match=message):
            kohort.fit(build, *HELD_OUT, seeds=1, validation_data=stream, verbose=0)


def test_a_generator_cannot_be_left_to_fit() -> None:
    with pytest.raises(DataError, match="on_unsupported='fit' needs data that can be read again"):
        kohort.fit(build, forever(), seeds=1, on_unsupported="fit", verbose=0)


def test_an_empty_stream_a_split_of_one_and_targets_beside_it_are_refused() -> None:
    with pytest.raises(DataError, match="Keras does not take x: .*at least one batch"):
        kohort.fit(build, (row for row in ()), seeds=1, shuffle=False, verbose=0)
    with pytest.raises(DataError, match=r"validation_split needs arrays.*Pass validation_data"):
        kohort.fit(build, forever(), seeds=1, validation_split=0.2, shuffle=False, verbose=0)
    with pytest.raises(DataError, match="Keras does not take x"):
        kohort.fit(build, Batches(), Y, seeds=1, verbose=0)


def test_batch_hooks_with_several_steps_at_once_are_refused() -> None:
    several = partial(build, steps_per_execution=2)
    with pytest.raises(NotSupportedError, match="one batch at a time.*steps_per_execution=2"):
        kohort.fit(several, Batches(), seeds=1, callbacks=BatchByBatch(), shuffle=False, verbose=0)
