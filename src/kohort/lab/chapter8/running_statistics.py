"""Batch normalisation trains with one kind of statistics and predicts with another: where the two part, and why."""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.data.splitting import split
from kohort.fitting import fit
from kohort.lab import answers
from kohort.lab.apparatus.kept_weights import KeptWeights
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

MOMENTA = (0.99, 0.9, 0.5)
"""Of the running statistics; 0.99 is Keras' default."""

BATCHES = (2, 4, 32, 128)
USUAL = 32
"""The size of batch that is looked at epoch by epoch."""

SAME_EPOCHS = 10
"""After which the sizes of batch are compared."""

PROBED = 256
"""Validation rows; whole batches of each size."""

EPSILON = 1e-3
"""Of Keras' BatchNormalization."""

Statistics = list[tuple[np.ndarray, np.ndarray]]


def _network(momentum: float) -> keras.Model:
    return perceptron("adam", norm=partial(layers.BatchNormalization, momentum=momentum))


def _kept(epochs: int, recipe: str, seed: int) -> list[KeptWeights]:
    return [KeptWeights(range(1, epochs + 1))]


def _forward(weights: list[np.ndarray], x: np.ndarray, given: Statistics | None) -> tuple[np.ndarray, Statistics]:
    """Classes that the chapter's network gives, and the statistics of its normalisations.

    Args:
        weights: Kernel, γ, β, running mean and running variance of each block, then kernel and bias.
        x: Inputs of shape (batches, rows, 64).
        given: Mean and variance for each block; those of each batch itself if None.
    """
    used: Statistics = []
    for place in range(0, len(weights) - 2, 5):
        kernel, gamma, beta = weights[place : place + 3]
        z = x @ kernel
        own = z.mean(axis=1, keepdims=True), z.var(axis=1, keepdims=True)
        mean, variance = own if given is None else given[place // 5]
        used.append((mean, variance))
        x = np.maximum(gamma * (z - mean) / np.sqrt(variance + EPSILON) + beta, 0.0)
    return (x @ weights[-2] + weights[-1]).argmax(axis=-1), used


def _running(weights: list[np.ndarray]) -> Statistics:
    return [(weights[place + 3], weights[place + 4]) for place in range(0, len(weights) - 2, 5)]


def _accuracies(kept: dict[float, list[np.ndarray]], rows: dict[str, Any], batch: int) -> dict[str, float]:
    """Validation accuracy of the same weights with each kind of statistics."""
    weights, x, y = kept[MOMENTA[0]], rows["x"], rows["y"]
    whole, precise = x[None], _forward(weights, rows["train"][None], None)[1]
    told = {"its own batch": _forward(weights, x.reshape(-1, batch, x.shape[-1]), None)[0].ravel()}
    for momentum, own in kept.items():
        told[f"running, momentum {momentum:g}"] = _forward(own, whole, _running(own))[0][0]
    told["all training rows"] = _forward(weights, whole, precise)[0][0]
    return {name: float(np.mean(given == y)) for name, given in told.items()}


def measure(scale: Scale) -> Evidence:
    """Trains with batches of each size, and predicts with each kind of statistics after each epoch."""
    digits = named("digits")
    own = split(digits, 0, USUAL)
    probe = own.validation[:PROBED]
    rows = {"x": digits.x[probe], "y": digits.y[probe], "train": digits.x[own.train]}
    by_batch: dict[int, list[dict[str, float]]] = {}
    by_epoch: list[list[dict[str, float]]] = []
    for batch in scale.of(BATCHES, BATCHES):
        epochs = scale.of(30, 12) if batch == USUAL else scale.of(SAME_EPOCHS, 2)
        runs = fit(
            {f"{momentum:g}": partial(_network, momentum) for momentum in MOMENTA},
            rows["train"],
            digits.y[own.train],
            seeds=scale.seeds,
            batch_size=batch,
            epochs=epochs,
            callbacks=partial(_kept, epochs),
            verbose=0,
        )
        told = [
            [
                _accuracies({own: runs[f"{own:g}", seed].callbacks[0].kept[e] for own in MOMENTA}, rows, batch)
                for e in range(epochs)
            ]
            for seed in range(scale.seeds)
        ]
        by_batch[batch] = [one[scale.of(SAME_EPOCHS, 2) - 1] for one in told]
        if batch == USUAL:
            by_epoch = told
    names = list(by_epoch[0][0])
    return {
        "accuracy by epoch": Measured(
            {name: np.array([[one[name] for one in seed] for seed in by_epoch]) for name in names},
            np.arange(1, len(by_epoch[0]) + 1),
        ),
        "accuracy by batch": Measured(
            {name: np.array([[seed[name] for seed in by_batch[b]] for b in by_batch]).T for name in names},
            list(by_batch),
        ),
    }


def _at(evidence: Evidence, quantity: str, point: float, name: str) -> np.ndarray:
    told = evidence[quantity]
    assert told.points is not None
    return told.at(point if point > 0 else float(told.points[-1]))[name]


def _gap(evidence: Evidence, epoch: int, name: str) -> np.ndarray:
    """By how much predicting with these statistics falls behind the batch's own; the epoch −1 is the last."""
    return _at(evidence, "accuracy by epoch", epoch, "its own batch") - _at(evidence, "accuracy by epoch", epoch, name)


CLAIM = Claim(
    number=16,
    name="running-statistics",
    title="BatchNorm trains with the batch's statistics and predicts with running ones, which follow only after enough "
    "steps",
    quoted="During training: uses batch mean/variance; during inference: uses running (exponential moving) statistics.",
    why="A prediction must not depend on which other rows are asked about at the same time, so it needs a mean and a "
    "variance of its own. The running average after t steps holds a share mᵗ of what it began with, mean 0 and "
    "variance 1, and looks back over about 1/(1 − m) batches. With m = 0.99 a hundredth is left after 460 steps; "
    "before, the start shows. With a small m it follows fast but rests on few rows. The network itself never sees the "
    "running statistics while it trains, so they can be computed anew afterwards.",
    experiment="The chapter's network with BatchNorm on the digits (1,152 training rows, Adam at 0.001), batches of 2, "
    "4, 32 and 128, 10 epochs each and 30 with batches of 32. After each epoch the same weights predict 256 validation "
    "rows with five kinds of statistics: those of the batch of validation rows itself, of the size that was trained "
    "with; running ones with momentum 0.99 (Keras' default), 0.9 and 0.5; and those of all training rows under the "
    "weights of the moment, computed afterwards (precise BN, Wu & Johnson 2021). Seeds differ in weights and batch "
    "orders; the rows are the same.",
    predictions=(
        Prediction(
            "after 36 steps, running statistics with momentum 0.99 predict 5 points worse than the batch's",
            lambda e: _gap(e, 1, "running, momentum 0.99"),
            above=0.05,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "after the last epoch with batches of 32 they agree within a point",
            lambda e: _gap(e, -1, "running, momentum 0.99"),
            above=-0.01,
            below=0.01,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "momentum 0.9 falls less than 2 points behind after 36 steps",
            lambda e: _gap(e, 1, "running, momentum 0.9"),
            below=0.02,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "statistics of all training rows fall less than 1 point behind after 36 steps",
            lambda e: _gap(e, 1, "all training rows"),
            below=0.01,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "of weights trained with batches of 2, running statistics predict 10 points better than the batch's",
            lambda e: (
                _at(e, "accuracy by batch", 2, "running, momentum 0.99")
                - _at(e, "accuracy by batch", 2, "its own batch")
            ),
            above=0.1,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "with batches of 4, momentum 0.5 predicts at least a point worse than 0.99",
            lambda e: (
                _at(e, "accuracy by batch", 4, "running, momentum 0.99")
                - _at(e, "accuracy by batch", 4, "running, momentum 0.5")
            ),
            above=0.01,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "with batches of 128 (9 steps an epoch), statistics of all training rows gain a point over momentum 0.99",
            lambda e: (
                _at(e, "accuracy by batch", 128, "all training rows")
                - _at(e, "accuracy by batch", 128, "running, momentum 0.99")
            ),
            above=0.01,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy by epoch",
            "When running statistics have caught up",
            "Validation accuracy of the same weights with five kinds of statistics, after each epoch of 36 steps with "
            "batches of 32.",
            "accuracy",
            "epoch",
        ),
        Drawing(
            "accuracy by batch",
            "Small batches, and few steps",
            "The same after ten epochs, by size of batch. With small batches the batch's own statistics are poor; with "
            "large ones there have been few steps, and slow averages still hold their start.",
            "accuracy",
            "rows of a batch",
            log_x=True,
        ),
    ),
    code="""\
import keras, kohort

def network(momentum):
    layers = [keras.Input((64,)), keras.layers.Dense(128), keras.layers.BatchNormalization(momentum=momentum),
              keras.layers.Activation("relu"), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

recipes = {f"momentum {momentum}": lambda momentum=momentum: network(momentum) for momentum in (0.99, 0.9, 0.5)}
data = kohort.data.named("digits")
runs = kohort.fit(recipes, data.x, data.y, seeds=10, epochs=5, validation_split=0.2)
for name in recipes:  # the training accuracy is of batch statistics, the other of running ones
    print(name, [[round(run.history[log][0], 2) for log in ("accuracy", "val_accuracy")] for run in runs.of(name)])
""",
    sources=(
        "Ioffe & Szegedy (2015), Batch normalization, §3.1 and algorithm 2",
        "Ioffe (2017), Batch renormalization, §1 and §2",
        "Wu & Johnson (2021), Rethinking “batch” in BatchNorm, §3",
    ),
    answers=(Answer(5, answers.running_statistics),),
)
