"""What `fit` takes: data of every kind, weights, validation, order."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np
from keras import layers
from scipy.sparse import csr_matrix

from tests.subjects.data import CLASSES, LABELS, SEQUENCES, TOKENS, VECTORS, WEIGHTS, YES
from tests.subjects.models import (
    BOTH,
    BOTH_TARGETS,
    NAMED,
    NAMED_TARGETS,
    crossentropy,
    named_inputs_and_outputs,
    sequential,
    several_inputs_and_outputs,
)
from tests.subjects.subject import FIT, TRAINING, Options, Subject


def fitting(
    feature: str, x: Any = VECTORS, y: Any = LABELS, build: Any = sequential, options: Options = FIT, **told: Any
) -> Subject:
    """A row for some data and options, on a small network with dropout."""
    return Subject(feature, "fit", build, x, y, options, **told)


def options(**others: Any) -> dict[str, Any]:
    """Options of `fit` without validation."""
    return TRAINING | others


def weighing() -> keras.Model:
    """Logs an accuracy that heeds weights beside one that does not."""
    model = sequential()
    model.compile("sgd", crossentropy(), metrics=["accuracy"], weighted_metrics=["accuracy"])
    return model


def one_hot_weighing() -> keras.Model:
    model = sequential()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), weighted_metrics=["accuracy"])
    return model


def sensor() -> keras.Model:
    """A class for each step of a sequence."""
    model = keras.Sequential([layers.Input((6, 4)), layers.SimpleRNN(4, return_sequences=True), layers.Dense(CLASSES)])
    model.compile("sgd", crossentropy(), weighted_metrics=["accuracy"])
    return model


def data_frame(package: str) -> Any:
    """VECTORS as a data frame; as they are where the row is skipped."""
    frames = import_module(package) if find_spec(package) else None
    return frames.DataFrame({name: VECTORS[:, i] for i, name in enumerate("abcdef")}) if frames else VECTORS


HELD_OUT = slice(48, 64)
TRAIN = slice(0, 48)
A_WEIGHT_EACH = [WEIGHTS, WEIGHTS[::-1].copy()]

DATA = (
    fitting("NumPy arrays"),
    fitting("NumPy arrays of float64 and int64", VECTORS.astype("float64"), LABELS.astype("int64")),
    fitting("NumPy arrays of uint8 and bool", (255 * VECTORS).astype("uint8"), YES > 0.5),
    fitting("JAX arrays", jnp.asarray(VECTORS), jnp.asarray(LABELS)),
    fitting("pandas data frames", data_frame("pandas"), requires="pandas"),
    fitting("polars data frames", data_frame("polars"), requires="polars"),
    fitting(
        "SciPy's sparse matrices",
        csr_matrix(VECTORS),
        options=TRAINING,
        status="refused",
        error="NotSupportedError",
        words="Pass x.toarray",
        why="a cohort holds its rows as dense arrays",
    ),
    fitting("Lists of arrays", BOTH, BOTH_TARGETS, several_inputs_and_outputs),
    fitting("Tuples of arrays", tuple(BOTH), tuple(BOTH_TARGETS), several_inputs_and_outputs),
    fitting("Dicts of arrays", NAMED, NAMED_TARGETS, named_inputs_and_outputs),
)

VALIDATION = (
    fitting("validation_split"),
    fitting("No validation", options=options()),
    fitting(
        "validation_data",
        VECTORS[TRAIN],
        LABELS[TRAIN],
        options=options(validation_data=(VECTORS[HELD_OUT], LABELS[HELD_OUT])),
    ),
    fitting(
        "validation_data with weights",
        VECTORS[TRAIN],
        LABELS[TRAIN],
        weighing,
        options=options(validation_data=(VECTORS[HELD_OUT], LABELS[HELD_OUT], WEIGHTS[HELD_OUT])),
    ),
    fitting(
        "validation_data of several inputs",
        [part[TRAIN] for part in BOTH],
        [part[TRAIN] for part in BOTH_TARGETS],
        several_inputs_and_outputs,
        options=options(validation_data=([part[HELD_OUT] for part in BOTH], [part[HELD_OUT] for part in BOTH_TARGETS])),
    ),
    fitting("validation_split of weighted rows", build=weighing, options=FIT | {"sample_weight": WEIGHTS}),
)

WEIGHING = (
    fitting("class_weight", build=weighing, options=FIT | {"class_weight": {0: 1.0, 1: 3.0, 2: 0.2}}),
    fitting(
        "class_weight of one-hot targets",
        y=np.eye(CLASSES, dtype="float32")[LABELS],
        build=one_hot_weighing,
        options=FIT | {"class_weight": {0: 1.0, 1: 3.0, 2: 0.2}},
    ),
    fitting("sample_weight", build=weighing, options=options(sample_weight=WEIGHTS)),
    fitting(
        "sample_weight for each output, in a list",
        BOTH,
        BOTH_TARGETS,
        several_inputs_and_outputs,
        options=options(sample_weight=A_WEIGHT_EACH),
    ),
    fitting(
        "sample_weight for each output, in a dict",
        NAMED,
        NAMED_TARGETS,
        named_inputs_and_outputs,
        options=options(sample_weight=dict(zip(("kind", "size"), A_WEIGHT_EACH, strict=True))),
    ),
    fitting(
        "sample_weight for each step of a sequence",
        SEQUENCES,
        TOKENS % CLASSES,
        sensor,
        options=options(sample_weight=np.outer(WEIGHTS, np.linspace(0.5, 1.5, 6)).astype("float32")),
    ),
)

BATCHES = (
    fitting("shuffle=False", options=FIT | {"shuffle": False}),
    fitting("shuffle='batch'", options=FIT | {"shuffle": "batch"}),
    fitting("Partial last batch", options=options(batch_size=15, validation_split=0.3)),
    fitting("batch_size=None", options={"epochs": 2}),
    fitting("One batch of all rows", options=options(batch_size=64)),
    fitting("Batches of one row", VECTORS[:12], LABELS[:12], options=options(batch_size=1)),
    fitting("Ten epochs", options=options(epochs=10)),
)

FITTING = (*DATA, *VALIDATION, *WEIGHING, *BATCHES)
