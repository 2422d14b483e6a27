"""Schedules of the learning rate, given in epochs and resolved to steps by the run they are for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras

from kohort.errors import RecipeError
from kohort.parts import InverseSquareRoot, LinearDecay, OneCycle
from kohort.recipes.design import Design, Problem
from kohort.recipes.technique import Domain, Parameter, Technique, Values


def _steps(epochs: float, problem: Problem) -> int:
    return max(1, round(epochs * problem.steps_per_epoch))


def _after_warmup(warmup: float, problem: Problem) -> int:
    """The steps that are left after so many epochs of warm-up.

    Raises:
        RecipeError: None are.
    """
    left = problem.steps - round(warmup * problem.steps_per_epoch)
    if left < 1:
        raise RecipeError(
            f"a warm-up must be shorter than the run. Got {warmup:g} of {problem.epochs} epochs. "
            "Shorten it, or train longer."
        )
    return left


@dataclass(frozen=True)
class StepDecay:
    """The rate times `factor` after every so many epochs."""

    factor: float
    every: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        steps = _steps(self.every, problem)
        return keras.optimizers.schedules.ExponentialDecay(rate, steps, self.factor, staircase=True)


@dataclass(frozen=True)
class Exponential:
    """The rate times `factor` in the course of each epoch, smoothly."""

    factor: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        return keras.optimizers.schedules.ExponentialDecay(rate, problem.steps_per_epoch, self.factor)


@dataclass(frozen=True)
class Cosine:
    """Warm-up, then half a cosine down to a share of the rate at the end of the run."""

    floor: float
    warmup: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        left = _after_warmup(self.warmup, problem)
        if not self.warmup:
            return keras.optimizers.schedules.CosineDecay(rate, left, alpha=self.floor)
        up = problem.steps - left
        return keras.optimizers.schedules.CosineDecay(0.0, left, self.floor, warmup_target=rate, warmup_steps=up)


@dataclass(frozen=True)
class Restarts:
    """Half cosines, each `growth` times as long as the one before, each from the full rate."""

    first: float
    growth: float
    floor: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        steps = _steps(self.first, problem)
        return keras.optimizers.schedules.CosineDecayRestarts(rate, steps, self.growth, alpha=self.floor)


@dataclass(frozen=True)
class Linear:
    """Warm-up, then straight down to a share of the rate at the end of the run."""

    floor: float
    warmup: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        left = _after_warmup(self.warmup, problem)
        return LinearDecay(rate, left, problem.steps - left, self.floor)


@dataclass(frozen=True)
class InverseSqrt:
    """Warm-up, then down with the root of the steps."""

    warmup: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        return InverseSquareRoot(rate, max(1, problem.steps - _after_warmup(self.warmup, problem)))


@dataclass(frozen=True)
class Cycle:
    """Up from a small rate and down to a smaller one, over the run."""

    rise: float

    def __call__(self, rate: float, problem: Problem) -> Any:
        """The schedule for a rate."""
        return OneCycle(rate, max(2, problem.steps), self.rise)


def _scheduled(schedule: Callable[..., Any] | None) -> Callable[[Design, Values], Design]:
    def change(design: Design, values: Values) -> Design:
        return replace(design, schedule=None if schedule is None else schedule(**values))

    return change


_FACTOR = Domain(0.0, 1.0)
_WARMUP = Parameter(
    "warmup", "epochs in which the rate rises from 0, in equal steps", 0.0, Domain(0.0, with_low=True), (0, 1, 5)
)
_FLOOR = Parameter(
    "floor", "the share of the rate that is left at the end", 0.0, Domain(0.0, 1.0, with_low=True), (0.0, 0.01, 0.1)
)

SCHEDULES = (
    Technique("constant", "schedule", "η", "chapter 8, section 1", _scheduled(None)),
    Technique(
        "step",
        "schedule",
        "step decay: η·factor^⌊epoch / every⌋",
        "chapter 8, section 1; He et al. 2016",
        _scheduled(StepDecay),
        (
            Parameter("factor", "what is left of the rate at each step", 0.5, _FACTOR, (0.1, 0.3, 0.5)),
            Parameter("every", "epochs between steps", 10.0, Domain(0.0), (5, 10, 20)),
        ),
    ),
    Technique(
        "exponential",
        "schedule",
        "η·factor^epoch, step by step",
        "Keras' ExponentialDecay",
        _scheduled(Exponential),
        (Parameter("factor", "what is left of the rate after an epoch", 0.95, _FACTOR, (0.8, 0.9, 0.95, 0.99)),),
    ),
    Technique(
        "cosine",
        "schedule",
        "η·(floor + (1 − floor)·(1 + cos πt)/2), t from 0 to 1 over the run",
        "Loshchilov & Hutter 2017; chapter 8, section 1",
        _scheduled(Cosine),
        (_FLOOR, _WARMUP),
    ),
    Technique(
        "linear",
        "schedule",
        "warm-up, then straight down: η·(1 − (1 − floor)·t), t from 0 to 1 over the rest of the run",
        "Devlin et al. 2019; chapter 8, section 1 (warm-up + decay)",
        _scheduled(Linear),
        (_FLOOR, _WARMUP),
    ),
    Technique(
        "inversesqrt",
        "schedule",
        "warm-up, then η·√(warm-up / step)",
        "Vaswani et al. 2017; chapter 8, section 1 (used in transformers)",
        _scheduled(InverseSqrt),
        (Parameter("warmup", "epochs in which the rate rises from 0", 1.0, Domain(0.0), (1, 5, 10)),),
    ),
    Technique(
        "onecycle",
        "schedule",
        "half a cosine up from η/25 to η, then half a cosine down to η/250,000",
        "Smith & Topin 2019",
        _scheduled(Cycle),
        (Parameter("rise", "the share of the run on the way up", 0.3, _FACTOR, (0.1, 0.3, 0.5)),),
    ),
    Technique(
        "restarts",
        "schedule",
        "cosine annealing that begins anew from η after `first` epochs, then after `growth` times as many, …",
        "Loshchilov & Hutter 2017 (SGDR)",
        _scheduled(Restarts),
        (
            Parameter("first", "epochs of the first cycle", 10.0, Domain(0.0), (5, 10, 20)),
            Parameter("growth", "how much longer each cycle is than the one before", 2.0, Domain(1.0, with_low=True)),
            _FLOOR,
        ),
    ),
)
