"""What changes the training and not the network: stopping, targets, gradients, averages of the weights."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras

from kohort.parts import Averaged, GradientNoise, SharpnessAware
from kohort.recipes.compiling import PLAIN_LOSS
from kohort.recipes.design import Design, Problem
from kohort.recipes.technique import Domain, Parameter, Technique, Values


@dataclass(frozen=True)
class EarlyStopping:
    """Keras' callback on the validation loss without penalties; Keras' own `val_loss` has them in it."""

    patience: int

    def __call__(self, problem: Problem) -> Any:
        """The callback of a run."""
        monitored = f"val_{PLAIN_LOSS[problem.task]}"
        return keras.callbacks.EarlyStopping(monitored, patience=self.patience, mode="min", restore_best_weights=True)


def _early_stopping(design: Design, values: Values) -> Design:
    return replace(design, callbacks=(*design.callbacks, EarlyStopping(int(values["patience"]))))


def _batch_size(design: Design, values: Values) -> Design:
    return replace(design, batch_size=int(values["rows"]))


def _epochs(design: Design, values: Values) -> Design:
    return replace(design, epochs=int(values["passes"]))


def _label_smoothing(design: Design, values: Values) -> Design:
    return replace(design, label_smoothing=values["strength"])


def _class_weights(design: Design, values: Values) -> Design:
    return replace(design, class_weights=values["strength"])


def _clipping(design: Design, values: Values) -> Design:
    return design.with_options(global_clipnorm=values["norm"])


def _ema(design: Design, values: Values) -> Design:
    return design.with_options(use_ema=True, ema_momentum=values["momentum"])


@dataclass(frozen=True)
class Averaging:
    """Averages the weights at the end of each epoch of the last part of a run."""

    start: float

    def __call__(self, optimizer: Any, problem: Problem) -> Any:
        """The optimiser with it."""
        before = min(int(self.start * problem.epochs), problem.epochs - 1)
        return Averaged(optimizer, before * problem.steps_per_epoch, problem.steps_per_epoch)


@dataclass(frozen=True)
class Noisy:
    """Adds noise to gradients."""

    eta: float
    gamma: float

    def __call__(self, optimizer: Any, problem: Problem) -> Any:
        """The optimiser with it."""
        return GradientNoise(optimizer, self.eta, self.gamma)


@dataclass(frozen=True)
class Sharpness:
    """Trains by the gradient at the worst place nearby."""

    rho: float

    def __call__(self, network: keras.Model) -> keras.Model:
        """The network, trained so."""
        return SharpnessAware(network, self.rho)


def _wrapped(wrapper: Any) -> Callable[[Design, Values], Design]:
    def change(design: Design, values: Values) -> Design:
        return replace(design, wrappers=(*design.wrappers, wrapper(**values)))

    return change


def _sharpness(design: Design, values: Values) -> Design:
    return replace(design, sharpness=Sharpness(values["rho"]))


_COUNT = Domain(1, with_low=True, whole=True)

TRAINING = (
    Technique(
        "batch",
        "training",
        "trains by batches of so many rows, whatever the study's batch size is; small ones make gradients noisier",
        "Masters & Luschi 2018",
        _batch_size,
        (Parameter("rows", "rows of a batch", 32, _COUNT, (16, 32, 64, 128, 256)),),
    ),
    Technique(
        "epochs",
        "training",
        "trains for so many epochs, whatever the study's number is; schedules end with them",
        "chapter 8, section 2: to stop early is to train less",
        _epochs,
        (Parameter("passes", "passes over the training rows", 50, _COUNT, (10, 20, 50, 100)),),
        against=("earlystopping",),
    ),
    Technique(
        "earlystopping",
        "training",
        "ends a run when the validation loss, penalties not counted, has not improved for p epochs; keeps the best "
        "epoch's weights",
        "Prechelt 1998; chapter 8, section 2",
        _early_stopping,
        (Parameter("patience", "p", 5, Domain(0, with_low=True, whole=True), (2, 5, 10)),),
    ),
    Technique(
        "labelsmoothing",
        "training",
        "the target is 1 − ε for the true class, and ε shared out evenly over all classes",
        "Szegedy et al. 2016",
        _label_smoothing,
        (Parameter("strength", "ε", 0.1, Domain(0.0, 1.0), (0.05, 0.1, 0.2)),),
        ("classes",),
    ),
    Technique(
        "classweights",
        "training",
        "rows weigh in the loss by a power τ of the inverse number of their class's rows; at 1 all classes weigh the "
        "same",
        "King & Zeng 2001",
        _class_weights,
        (Parameter("strength", "τ", 1.0, Domain(0.0, 1.0, with_high=True), (0.25, 0.5, 1.0)),),
        ("classes", "counts"),
    ),
    Technique(
        "clipping",
        "training",
        "scales the whole gradient down to norm c where it is longer",
        "Pascanu et al. 2013",
        _clipping,
        (Parameter("norm", "c", 1.0, Domain(0.0), (0.1, 1.0, 10.0)),),
    ),
    Technique(
        "ema",
        "training",
        "a run ends with the exponential moving average of its weights, w̄ ← βw̄ + (1 − β)w at each step; "
        "batchnorm then wants reestimate",
        "Polyak & Juditsky 1992",
        _ema,
        (Parameter("momentum", "β", 0.99, Domain(0.0, 1.0), (0.9, 0.99, 0.999)),),
    ),
    Technique(
        "swa",
        "training",
        "a run ends with the mean of its weights at the ends of its last epochs; batchnorm then wants reestimate",
        "Izmailov et al. 2018",
        _wrapped(Averaging),
        (
            Parameter(
                "start", "the share of the epochs before the first", 0.75, Domain(0.0, 1.0, with_low=True), (0.5, 0.75)
            ),
        ),
    ),
    Technique(
        "gradientnoise",
        "training",
        "adds to each gradient a normal number of variance η/(1 + t)^γ at step t",
        "Neelakantan et al. 2015",
        _wrapped(Noisy),
        (
            Parameter("eta", "η", 0.01, Domain(0.0), (0.0001, 0.001, 0.01, 0.3)),
            Parameter("gamma", "γ", 0.55, Domain(0.0, with_low=True)),
        ),
    ),
    Technique(
        "sam",
        "training",
        "steps by the gradient at the worst place within ρ: θ + ρ·∇L/‖∇L‖",
        "Foret et al. 2021",
        _sharpness,
        (Parameter("rho", "ρ", 0.05, Domain(0.0), (0.01, 0.05, 0.1, 0.2)),),
    ),
)
