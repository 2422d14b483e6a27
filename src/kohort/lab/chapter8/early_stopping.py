"""Early stopping: what it saves where a network overfits, how patient to be, and that it is nearly an L2 penalty."""

from functools import partial
from typing import Any

import keras
import numpy as np

from kohort.data import named
from kohort.data.generated import moons
from kohort.fitting import fit
from kohort.lab.apparatus.kept_weights import KeptWeights
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.claim import Beside, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.run import Run

PATIENCE = (1, 2, 5, 10, 20, 50)
TRAINING, VALIDATION, FRESH = 200, 100, 1400  # rows
BATCH = 25

ROWS, FEATURES, DRAWS = 60, 30, 50
"""Of least squares, whose targets are drawn so often: one output of the network each."""

STEP = 0.1
"""ε: a step is β ← β − ε·Xᵀ(Xβ − y)/n, so that k steps of it are the time t = kε of gradient flow."""

BOUND = 1.69
"""Of the risk of early stopping, as a multiple of ridge's (Ali, Kolter & Tibshirani 2019)."""


def _moons(seed: int) -> tuple[np.ndarray, np.ndarray]:
    data = moons(TRAINING + VALIDATION + FRESH, label_noise=0.2, seed=seed)
    return data.x, data.y


def _digits(seed: int) -> tuple[np.ndarray, np.ndarray]:
    data, generator = named("digits"), np.random.default_rng(seed)
    order = generator.permutation(data.rows)[: TRAINING + VALIDATION + FRESH]
    drawn = generator.random(len(order)) < 0.2
    return data.x[order], np.where(drawn, generator.integers(0, 10, len(order)), data.y[order]).astype(np.int32)


DATA = {"moons": _moons, "digits": _digits}


def _network(inputs: int, outputs: int) -> keras.Model:
    model = perceptron("adam", inputs=inputs, outputs=outputs)
    own = keras.metrics.SparseCategoricalAccuracy(name="validated")
    loss = "sparse_categorical_crossentropy"
    model.compile("adam", loss, metrics=["accuracy", loss], weighted_metrics=[own])
    return model


def _fresh(run: Run) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validation loss, fresh loss and fresh accuracy after each epoch.

    Rows of validation weigh 1 and fresh ones 0, so `val_loss` is the sum of the validation rows' losses over all rows;
    metrics without weights are means over all rows.
    """
    logs = {name: np.array(values) for name, values in run.history.items()}
    both = VALIDATION + FRESH
    validation_loss = logs["val_loss"] * both / VALIDATION
    loss = (both * logs["val_sparse_categorical_crossentropy"] - VALIDATION * validation_loss) / FRESH
    return validation_loss, loss, (both * logs["val_accuracy"] - VALIDATION * logs["val_validated"]) / FRESH


def _stopping(patience: dict[str, int], recipe: str, seed: int) -> list[keras.callbacks.Callback]:
    return [keras.callbacks.EarlyStopping(patience=patience[recipe])] if recipe in patience else []


def _networks(scale: Scale) -> Evidence:
    """Trains on few rows with wrong labels, to the end and with each patience."""
    epochs = scale.of(200, 100)
    patience = {f"patience {number}": number for number in PATIENCE}
    by_epoch: dict[str, Any] = {}
    losses: dict[str, Any] = {}
    accuracies: dict[str, Any] = {}
    trained: dict[str, Any] = {}
    for name, draw in DATA.items():
        for seed in range(scale.seeds):
            x, y = draw(seed)
            build = partial(_network, x.shape[1], int(y.max()) + 1)
            weights = np.repeat(np.array([1.0, 0.0], np.float32), (VALIDATION, FRESH))
            runs = fit(
                dict.fromkeys(("to the end", *patience), build),
                x[:TRAINING],
                y[:TRAINING],
                seeds=[seed],
                epochs=epochs,
                batch_size=BATCH,
                callbacks=partial(_stopping, patience),
                validation_data=(x[TRAINING:], y[TRAINING:], weights),
                validation_batch_size=VALIDATION,
                verbose=0,
            )
            _, loss, accuracy = _fresh(runs["to the end", seed])
            stopped = [_fresh(runs[own, seed]) for own in patience]
            best = [int(np.argmin(validation)) for validation, _, _ in stopped]
            by_epoch.setdefault(name, []).append(loss)
            trained.setdefault(name, []).append([len(own) for own, _, _ in stopped])
            for found, place, end in ((losses, 1, loss), (accuracies, 2, accuracy)):
                restored = [own[place][at] for own, at in zip(stopped, best, strict=True)]
                found.setdefault(f"{name}: best restored", []).append(restored)
                found.setdefault(f"{name}: at the stop", []).append([own[place][-1] for own in stopped])
                found.setdefault(f"{name}: to the end", []).append([end[-1]] * len(PATIENCE))
    return {
        "fresh loss by epoch": Measured(by_epoch, np.arange(1, epochs + 1)),
        "fresh loss by patience": Measured(losses, PATIENCE),
        "fresh accuracy by patience": Measured(accuracies, PATIENCE),
        "epochs by patience": Measured(trained, PATIENCE),
    }


def _linear() -> keras.Model:
    """Least squares for all targets at once, from zero, by gradient descent."""
    output = keras.layers.Dense(DRAWS, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((FEATURES,)), output])
    model.compile(keras.optimizers.SGD(STEP * DRAWS / 2), "mse")  # Keras' mean is over rows and targets, without ½
    return model


def _paths(scale: Scale) -> Evidence:
    """The path of gradient descent and that of ridge, on targets of which the truth is known."""
    last = scale.of(1000, 100)
    epochs = tuple(np.unique(np.round(np.geomspace(1, last, 25)).astype(int)).tolist())
    times = STEP * np.array(epochs)
    strengths = np.geomspace(0.05, 20.0, 61)  # λ·t
    distance: dict[str, Any] = {"ridge, λ = 1/t": [], "ridge, nearest λ": []}
    risk: dict[str, Any] = {"early stopping": [], "ridge, λ = 1/t": []}
    for seed in range(scale.seeds):
        generator = np.random.default_rng(seed)
        x = generator.standard_normal((ROWS, FEATURES)) / np.sqrt(np.arange(1, FEATURES + 1))
        truth = generator.standard_normal((FEATURES, 1))
        y = x @ truth + generator.standard_normal((ROWS, DRAWS))
        run = fit(
            _linear,
            x.astype(np.float32),
            y.astype(np.float32),
            seeds=[seed],
            epochs=last,
            batch_size=ROWS,
            callbacks=[KeptWeights(epochs)],
            verbose=0,
        )[seed]
        path = np.array([kernel for (kernel,) in run.callbacks[0].kept], np.float64)  # (times, features, draws)
        squares, products = x.T @ x / ROWS, x.T @ y / ROWS
        norm = np.linalg.norm(np.linalg.solve(squares, products))
        ridge = np.array([np.linalg.solve(squares + np.eye(FEATURES) / time, products) for time in times])
        near = [
            min(
                np.linalg.norm(own - np.linalg.solve(squares + scaled / time * np.eye(FEATURES), products))
                for scaled in strengths
            )
            for own, time in zip(path, times, strict=True)
        ]
        distance["ridge, λ = 1/t"].append(np.linalg.norm(path - ridge, axis=(1, 2)) / norm)
        distance["ridge, nearest λ"].append(np.array(near) / norm)
        for name, own in (("early stopping", path), ("ridge, λ = 1/t", ridge)):
            risk[name].append(np.mean(np.sum((own - truth) ** 2, axis=1), axis=1))
    return {"distance": Measured(distance, times), "risk": Measured(risk, times)}


def measure(scale: Scale) -> Evidence:
    """Trains networks and linear models."""
    return {**_networks(scale), **_paths(scale)}


def _loss(evidence: Evidence, condition: str, patience: int) -> np.ndarray:
    return evidence["fresh loss by patience"].at(patience)[condition]


def _saves(name: str) -> Prediction:
    return Prediction(
        f"{name}: trained to the end, the loss on fresh rows is more than 1.1 times that with a patience of 10",
        lambda e: _loss(e, f"{name}: to the end", 10) / _loss(e, f"{name}: best restored", 10),
        above=1.1,
        kind="ratio",
        unit=" times",
    )


def _more_accurate(evidence: Evidence) -> np.ndarray:
    """The accuracy on fresh rows that stopping gains, the mean over both data sets."""
    own = evidence["fresh accuracy by patience"].at(10)
    return np.mean([own[f"{name}: best restored"] - own[f"{name}: to the end"] for name in DATA], axis=0)


def _too_patient(evidence: Evidence) -> np.ndarray:
    each = [_loss(evidence, f"{name}: at the stop", 50) / _loss(evidence, f"{name}: at the stop", 5) for name in DATA]
    return np.exp(np.mean(np.log(each), axis=0))


def _risk_ratios(evidence: Evidence) -> np.ndarray:
    """Early stopping's risk as a multiple of ridge's, of shape (seeds, times)."""
    return evidence["risk"]["early stopping"] / evidence["risk"]["ridge, λ = 1/t"]


def _at_best(evidence: Evidence) -> np.ndarray:
    """The same, each at the time that suits it."""
    return evidence["risk"]["early stopping"].min(axis=1) / evidence["risk"]["ridge, λ = 1/t"].min(axis=1)


CLAIM = Claim(
    number=8,
    name="early-stopping",
    title="Early stopping prevents overfitting without changing the loss function",
    quoted="Early Stopping: monitor validation loss; stop when it stops improving for p epochs. Implicit regulariser — "
    "prevents overfitting without changing the loss function.",
    why="Training goes from small weights to larger ones, and learns what most rows agree on before it learns single "
    "rows by heart. For least squares it can be written down: along an eigenvector of XᵀX/n with eigenvalue s, "
    "gradient descent from zero has reached the share 1 − e^(−st) of the solution at time t, and ridge of strength λ "
    "the share s/(s + λ). With λ = 1/t the two differ by 0.204 at most, whatever s.",
    experiment="Moons and digits with 200 training rows and 20 % of all labels drawn anew, drawn for each seed; 100 "
    "rows validate, 1,400 are fresh. The chapter's network, Adam (0.001), 200 epochs to the end or with Keras' "
    "EarlyStopping, whose patience is 1 to 50. Keras keeps the weights of the epoch in which it stopped; with "
    "restore_best_weights it goes back to those of the lowest validation loss. Both are looked at. Then linear models "
    "by full-batch gradient descent from zero (60 rows, 30 features of falling size, a true vector, 50 draws of "
    "targets for each seed, one output each): beside each point of the path stands ridge in closed form. What "
    "stopping does to accuracy may differ between the two data sets: the numbers of each are below.",
    predictions=(
        *(_saves(name) for name in DATA),
        Prediction(
            "accuracy on fresh rows is higher with a patience of 10 than at the end, the mean over both data sets",
            _more_accurate,
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "unless the best weights are restored, a patience of 50 has a higher loss than one of 5",
            _too_patient,
            above=1.0,
            kind="ratio",
            unit=" times",
            beside=True,
        ),
        Prediction(
            "gradient descent stays within a quarter of the solution's length of ridge with λ = 1/t",
            lambda e: e["distance"]["ridge, λ = 1/t"].max(axis=1),
            below=0.25,
            beside=True,
        ),
        Prediction(
            "its risk is never more than 1.69 times that of ridge with λ = 1/t",
            lambda e: _risk_ratios(e).max(axis=1),
            below=BOUND,
            unit=" times",
            beside=True,
        ),
        Prediction(
            "at its best time its risk is less than 1.22 times that of the best ridge",
            _at_best,
            below=1.22,
            kind="ratio",
            unit=" times",
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "fresh loss by epoch",
            "Loss on fresh rows, trained to the end",
            "It falls while the network learns what rows have in common, and rises when it learns wrong labels by "
            "heart.",
            "cross-entropy on fresh rows",
            "epoch",
            log_x=True,
        ),
        Drawing(
            "fresh loss by patience",
            "How patient to be",
            "Loss on fresh rows against patience: with the weights of the best epoch restored, with those at the stop "
            "(what Keras keeps unless told otherwise), and without stopping.",
            "cross-entropy on fresh rows",
            "patience in epochs",
            log_x=True,
            log_y=True,
        ),
        Drawing(
            "fresh accuracy by patience",
            "What stopping does to accuracy",
            "Accuracy on fresh rows against patience. A mean over both data sets can hide that they part.",
            "accuracy on fresh rows",
            "patience in epochs",
            log_x=True,
        ),
        Drawing(
            "risk",
            "Early stopping and ridge on least squares",
            "The squared distance to the true vector, the mean over targets, along the path of gradient descent and "
            "along that of ridge with λ = 1/t.",
            "squared distance to the truth",
            "time t: steps × step size",
            log_x=True,
            log_y=True,
        ),
    ),
    code="""\
import keras, kohort
from kohort.data.generated import moons

def network():
    layers = [keras.Input((2,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(64, "relu")]
    model = keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

def stopping(recipe, seed):
    return [keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)] if recipe == "stopped" else []

data = moons(1300, label_noise=0.2)
x, y = data.x[300:], data.y[300:]
runs = kohort.fit({"stopped": network, "to the end": network}, data.x[:200], data.y[:200], seeds=10, epochs=200,
                  validation_data=(data.x[200:300], data.y[200:300]), callbacks=stopping)
for (recipe, seed), run in runs.items():
    print(recipe, seed, len(run.epoch), run.model().evaluate(x, y, verbose=0))
""",
    sources=(
        "Goodfellow, Bengio & Courville (2016), Deep Learning, §7.8",
        "Ali, Kolter & Tibshirani (2019), A continuous-time view of early stopping for least squares",
        "Prechelt (1998), Early stopping – but when?",
    ),
    beside=(
        Beside(
            theirs="The risk of gradient flow stopped at t is at most 1.69 times that of ridge with λ = 1/t, for every "
            "t, truth and design.",
            source="Ali, Kolter & Tibshirani (2019), abstract",
            ours=lambda e: (
                f"At its largest along the path the ratio was {float(_risk_ratios(e).max(axis=1).mean()):.2f}, and "
                f"{float(_at_best(e).mean()):.2f} where each is at its best (means over seeds)."
            ),
            why="Theirs is a bound for the worst case and for infinitely small steps; ours is one kind of design, by "
            "steps of 0.1, and the risk is a mean over 50 draws.",
        ),
    ),
)
