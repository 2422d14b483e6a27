"""Those who train with Keras: Kohort, and loops over `fit`. A job's result is seconds, cold and warm."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.speed.networks import builder
from benchmarks.speed.tasks import Task

Seconds = dict[str, float]
"""Of the whole task: `cold`, all compiling included, and `warm`, as it goes where this has been trained before."""


def extrapolated(task: Task, one_seed: Callable[[int], None]) -> Seconds:
    """A loop's seconds, from its first seeds: the first warms up, the mean of the others stands for the rest."""
    seconds = []
    for seed in range(task.timed):
        started = time.perf_counter()
        one_seed(seed)
        seconds.append(time.perf_counter() - started)
    further = sum(seconds[1:]) / (task.timed - 1)
    return {"cold": seconds[0] + further * (task.seeds - 1), "warm": further * task.seeds}


def options_of(task: Task, data: dict[str, np.ndarray]) -> dict[str, Any]:
    """The arguments of `fit`."""
    callbacks = []
    if task.patience is not None:
        callbacks.append(keras.callbacks.EarlyStopping(patience=task.patience, restore_best_weights=True))
    validation = (data["x_val"], data["y_val"])
    options = {"epochs": task.epochs, "batch_size": task.batch, "validation_data": validation, "verbose": 0}
    return options | ({"callbacks": callbacks} if callbacks else {})


def loop(task: Task, data: dict[str, np.ndarray], *, reuse: bool = False, steps_per_execution: int = 1) -> Seconds:
    """Builds, compiles and fits each model; with `reuse` once a recipe, weights and optimiser then being reset."""
    models: dict[str, tuple[keras.Model, list[np.ndarray]]] = {}

    def one_seed(seed: int) -> None:
        for name, network in task.recipes.items():
            keras.utils.set_random_seed(seed)
            if name in models:
                model, state = models[name]
                for variable, value in zip(model.variables + model.optimizer.variables, state, strict=True):
                    variable.assign(value)
            else:
                model = builder(network, steps_per_execution)()
                if reuse:
                    model.optimizer.build(model.trainable_variables)
                    models[name] = model, [np.array(v.value) for v in model.variables + model.optimizer.variables]
            model.fit(data["x"], data["y"], **options_of(task, data))

    return extrapolated(task, one_seed)


def cohorts(task: Task, data: dict[str, np.ndarray], *, devices: int | None = None) -> Seconds:
    """`kohort.fit` with all recipes and seeds, twice with other seeds."""
    import kohort

    builders = {name: builder(network) for name, network in task.recipes.items()}
    seconds = []
    for turn in range(2):
        started = time.perf_counter()
        seeds = range(turn * 1000, turn * 1000 + task.seeds)
        kohort.fit(builders, data["x"], data["y"], seeds=seeds, devices=devices, **options_of(task, data))
        seconds.append(time.perf_counter() - started)
    return {"cold": seconds[0], "warm": seconds[1]}


def one_at_a_time(task: Task, data: dict[str, np.ndarray]) -> Seconds:
    """`kohort.fit` with one recipe and one seed a call, on one device."""
    import kohort

    def one_seed(seed: int) -> None:
        for network in task.recipes.values():
            kohort.fit(builder(network), data["x"], data["y"], seeds=[seed], devices=1, **options_of(task, data))

    return extrapolated(task, one_seed)


def study(task: Task, data: dict[str, np.ndarray]) -> Seconds:
    """The textbook's comparison as `kohort compare digits` does it: splits by seed, diagnostics, a test of each run."""
    import kohort

    dataset = kohort.data.named("digits")
    seconds = []
    for turn in range(2):
        started = time.perf_counter()
        seeds = range(turn * 1000, turn * 1000 + task.seeds)
        kohort.Study(list(task.recipes), dataset, seeds=seeds, epochs=task.epochs, batch_size=task.batch).run(verbose=0)
        seconds.append(time.perf_counter() - started)
    return {"cold": seconds[0], "warm": seconds[1]}
