"""Callbacks, streams of batches, and the arguments of `fit` that decide which batches an epoch has."""

from collections.abc import Callable, Iterator
from importlib import import_module
from tempfile import mkdtemp
from typing import Any

import keras
import numpy as np
from keras import layers

from tests.subjects.data import CLASSES, LABELS, SEQUENCES, VECTORS, WEIGHTS
from tests.subjects.models import crossentropy, sequential
from tests.subjects.subject import FIT, Options, Subject

callbacks: Any = keras.callbacks  # Keras' own annotations are too narrow


class Halves(callbacks.Callback):
    """A user's own: halves the learning rate, shrinks the weights, draws from NumPy, stops in the fourth epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        optimizer.learning_rate = 0.5 * float(np.asarray(optimizer.learning_rate))
        weights = self.model.get_weights()
        self.model.set_weights([(1.0 + 0.01 * np.random.random()) * weights[0], *weights[1:]])
        self.model.stop_training = epoch == 3


class EveryBatch(callbacks.Callback):
    """A user's own that acts at each batch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        optimizer.learning_rate = 0.9 * float(np.asarray(optimizer.learning_rate))


def averaging() -> keras.Model:
    model = sequential()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), crossentropy(), metrics=["accuracy"])
    return model


def heard(feature: str, make: Callable[[], list[Any]], build: Any = sequential, **told: Any) -> Subject:
    """A row for some callbacks in six epochs."""
    options = FIT | {"epochs": 6}
    return Subject(feature, "callbacks", build, VECTORS, LABELS, options, made=lambda: {"callbacks": make()}, **told)


def written(make: Callable[[str], Any]) -> Callable[[], list[Any]]:
    """Callbacks that write into a new folder."""
    return lambda: [make(mkdtemp())]


HEARD = (
    heard("EarlyStopping", lambda: [callbacks.EarlyStopping(patience=1, min_delta=0.02)]),
    heard(
        "EarlyStopping that restores the best weights",
        lambda: [callbacks.EarlyStopping("val_accuracy", patience=2, restore_best_weights=True)],
    ),
    heard(
        "EarlyStopping with baseline and start_from_epoch",
        lambda: [callbacks.EarlyStopping("loss", baseline=0.1, start_from_epoch=2, patience=1)],
    ),
    heard("ReduceLROnPlateau", lambda: [callbacks.ReduceLROnPlateau(factor=0.3, patience=1, min_delta=0.05)]),
    heard("LearningRateScheduler", lambda: [callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.8**epoch)]),
    heard("ModelCheckpoint", written(lambda f: callbacks.ModelCheckpoint(f"{f}/{{epoch}}.keras"))),
    heard("CSVLogger", written(lambda f: callbacks.CSVLogger(f"{f}/log.csv"))),
    heard("TensorBoard", written(callbacks.TensorBoard), requires="tensorflow"),
    heard("BackupAndRestore", written(callbacks.BackupAndRestore)),
    heard("TerminateOnNaN", lambda: [callbacks.TerminateOnNaN()]),
    heard("SwapEMAWeights", lambda: [callbacks.SwapEMAWeights(swap_on_epoch=True)], averaging),
    heard("LambdaCallback", lambda: [callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]),
    heard("Own callback that changes weights and learning rate, draws, and stops", lambda: [Halves()]),
    heard(
        "Own callback that acts at each batch",
        lambda: [EveryBatch()],
        status="batch pace",
        why="something may happen between two batches",
    ),
)


def fitting(feature: str, **others: Any) -> Subject:
    """A row for arguments of `fit`."""
    return Subject(feature, "fit", sequential, VECTORS, LABELS, FIT | others)


def masked_in_validation() -> keras.Model:
    """Recurrent dropout advances its generator in validation, too, so that one too many changes all after."""
    stack = [layers.Input((6, 4)), layers.LSTM(4, recurrent_dropout=0.3), layers.Dense(CLASSES)]
    model = keras.Sequential(stack)
    model.compile("sgd", crossentropy(), metrics=["accuracy"])
    return model


COUNTS = (
    fitting("initial_epoch", epochs=4, initial_epoch=2),
    fitting("steps_per_epoch", epochs=5, steps_per_epoch=2),
    fitting("validation_steps", validation_batch_size=5, validation_steps=2),
    fitting("validation_batch_size", validation_batch_size=5),
    fitting("validation_freq, a number", epochs=5, validation_freq=2),
    Subject(
        "validation_freq where validation draws masks",
        "fit",
        masked_in_validation,
        SEQUENCES,
        LABELS,
        FIT | {"epochs": 5, "validation_freq": 2},
    ),
    fitting("validation_freq, a list", epochs=5, validation_freq=[1, 4]),
)


def batch(number: int) -> tuple[np.ndarray, np.ndarray]:
    rows = slice(16 * number, 16 * (number + 1))
    return VECTORS[rows], LABELS[rows]


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return batch(number)


def forever() -> Iterator[Any]:
    while True:
        for number in range(4):
            yield (*batch(number), WEIGHTS[16 * number : 16 * (number + 1)])


def tensors() -> Any:
    return import_module("tensorflow").data.Dataset.from_tensor_slices((VECTORS, LABELS)).batch(24)


def loaded() -> Any:
    torch = import_module("torch")
    rows = torch.utils.data.TensorDataset(torch.tensor(VECTORS), torch.tensor(LABELS))
    return torch.utils.data.DataLoader(rows, batch_size=24)


def grains() -> Any:
    return import_module("grain").MapDataset.source(list(zip(VECTORS, LABELS, strict=True))).batch(24)


def streamed(feature: str, make: Callable[[], Any], options: Options | None = None, **told: Any) -> Subject:
    """A row for a stream, opened anew for each training."""
    held_out = {"epochs": 2, "shuffle": False, "validation_data": (VECTORS[:16], LABELS[:16])}
    asked = held_out | dict(options or {})
    return Subject(feature, "fit", sequential, None, None, asked, made=lambda: {"x": make()}, **told)


STREAMED = (
    streamed("PyDataset", Batches, why="with shuffle=True all runs see the batches in the order of the first"),
    streamed("PyDataset with workers", lambda: Batches(workers=2)),
    streamed("Generator", forever, {"steps_per_epoch": 4}),
    streamed("Validation on a PyDataset", Batches, {"validation_data": Batches()}),
    Subject(
        "Validation on a PyDataset beside arrays",
        "fit",
        sequential,
        VECTORS,
        LABELS,
        {"batch_size": 16, "epochs": 2, "validation_data": Batches()},
        why="read whole before training",
    ),
    streamed("tf.data", tensors, requires="tensorflow"),
    streamed("torch DataLoader", loaded, requires="torch"),
    streamed("Grain", grains, requires="grain"),
)

HEARING = (*HEARD, *COUNTS, *STREAMED)
