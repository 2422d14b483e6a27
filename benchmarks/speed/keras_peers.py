"""Those who train with Keras: Kohort, and loops over `fit`. A job's result is seconds, cold and warm."""

from typing import Any

import keras
import numpy as np

from benchmarks.speed.networks import builder
from benchmarks.speed.tasks import Task
from benchmarks.speed.timing import Seconds, extrapolated, twice


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

    def whole_task(turn: int) -> None:
        kohort.fit(builders, data["x"], data["y"], seeds=_seeds(task, turn), devices=devices, **options_of(task, data))

    return twice(whole_task)


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

    dataset, recipes = kohort.data.named("digits"), list(task.recipes)

    def whole_task(turn: int) -> None:
        options = {"seeds": _seeds(task, turn), "epochs": task.epochs, "batch_size": task.batch}
        kohort.Study(recipes, dataset, **options).run(verbose=0)

    return twice(whole_task)


def _seeds(task: Task, turn: int) -> range:
    return range(turn * 1000, turn * 1000 + task.seeds)
