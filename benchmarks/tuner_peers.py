"""KerasTuner and a loop of Optuna over Keras, on the space and the rows of a search of Kohort, for `tuner_speed`."""

import importlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import optuna

from kohort.tuner.setting import Setting
from kohort.tuner.space import Space, Trial

Some = Callable[[str, int], None]
"""Trains some candidates of a structure."""


@dataclass
class Fitting:
    """Builds and fits candidates one at a time, with Keras alone.

    Attributes:
        setting: What they train on.
        space: What is chosen from.
        steps: Steps of an execution.
        accuracies: What they have reached on validation rows after the last epoch.
    """

    setting: Setting
    space: Space
    steps: int
    accuracies: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        dataset, own = self.setting.dataset, self.setting.material.splits[0]
        x = dataset.inputs(own.train)
        self.training, self.validation = ((x[rows], dataset.y[rows]) for rows in (own.train, own.validation))
        self.batch_size = self.setting.batch_size
        self.options = {"epochs": self.setting.epochs, "validation_data": self.validation, "verbose": 0}

    def build(self, trial: Trial, structures: Sequence[str]) -> keras.Model:
        """The model that a trial chooses, compiled: what a recipe builds is plain Keras, with what is off left out."""
        (recipe,) = self.space.recipes([self.space.recipe(self.space.draw(trial, structures))], self.setting)
        assert not recipe.callbacks
        self.batch_size = self.setting.size_of(recipe)
        model = recipe.build()
        model.steps_per_execution = self.steps  # as compile() would have set it; read when fit begins
        return model

    def fit(self, model: keras.Model, *rows: Any, **options: Any) -> Any:
        """Fits the model that was built last."""
        history = model.fit(*rows, batch_size=self.batch_size, **options)
        self.accuracies.append(history.history["val_accuracy"][-1])
        return history


def with_optuna(fitting: Fitting, seed: int) -> Some:
    """A study of TPE; Keras forgets its models between trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    (structures,) = fitting.space.choices.values()

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        fitting.fit(fitting.build(trial, structures), *fitting.training, **fitting.options)
        return fitting.accuracies[-1]

    def some(structure: str, count: int) -> None:
        for _ in range(count):
            study.enqueue_trial({"structure": structure})
        study.optimize(objective, count)

    return some


def with_keras_tuner(fitting: Fitting, seed: int) -> Some:
    """RandomSearch, which keeps each trial in a folder, as it does."""
    keras_tuner = importlib.import_module("keras_tuner")

    class Candidates(keras_tuner.HyperModel):
        structure = ""

        def build(self, hp: Any) -> keras.Model:
            return fitting.build(_Asked(hp, self.structure), (self.structure,))

        def fit(self, hp: Any, model: keras.Model, *rows: Any, **options: Any) -> Any:
            return fitting.fit(model, *rows, **options)

    def some(structure: str, count: int) -> None:
        own = Candidates()
        own.structure = structure
        with tempfile.TemporaryDirectory() as folder:
            goal = keras_tuner.Objective("val_accuracy", "max")
            made = {"max_trials": count, "executions_per_trial": 1, "seed": seed, "directory": folder}
            keras_tuner.RandomSearch(own, goal, **made).search(*fitting.training, **fitting.options)

    return some


@dataclass(frozen=True)
class _Asked:
    """The hyperparameters of KerasTuner, asked as a trial is, in a structure that is given."""

    own: Any
    structure: str

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        return self.structure if name == "structure" else self.own.Choice(name, list(choices))

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        return self.own.Float(name, low, high, step, "log" if log else "linear")

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        return self.own.Int(name, low, high, step, "log" if log else "linear")


JOBS: dict[str, Callable[[Fitting, int], Some]] = {"KerasTuner": with_keras_tuner, "Optuna": with_optuna}


def seconds_of(job: str, fitting: Fitting, seed: int, each: int) -> dict[str, float]:
    """Seconds of a candidate by structure, building and compiling included, over so many of each."""
    some = JOBS[job](fitting, seed)
    found = {}
    (structures,) = fitting.space.choices.values()
    for structure in structures:
        started = time.perf_counter()
        some(structure, each)
        found[structure] = (time.perf_counter() - started) / each
    return found
