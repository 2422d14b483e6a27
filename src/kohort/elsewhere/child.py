"""The child process: `python -m kohort.elsewhere.child FOLDER` answers the request in a folder with runs on JAX."""

import os
import random
import sys
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import keras
import numpy as np

from kohort.cohort.capture import parts_of, variables, weight_positions
from kohort.elsewhere.parcel import REQUEST, RESULT, Sender, read, unpacked, write
from kohort.elsewhere.recipes_sent import first_batch, names_of, portable, received
from kohort.fitting import fit
from kohort.run import Run


def main() -> None:
    """Answers the request, with runs or with the error that was raised."""
    Thread(target=_end_with_the_parent, daemon=True).start()
    folder = Path(sys.argv[1])
    with warnings.catch_warnings(record=True) as heard:
        try:
            result: dict[str, Any] = _answer(read(folder, REQUEST), folder)
        except Exception as error:
            plain = all(isinstance(argument, bool | int | float | str) for argument in error.args)
            result = {
                "error": {
                    "name": type(error).__name__,
                    "arguments": list(error.args) if plain else [str(error)],
                    "message": str(error),
                    "trace": "".join(traceback.format_exception(error)),
                }
            }
    result["warnings"] = [(warning.category.__name__, str(warning.message)) for warning in heard]
    write(folder, RESULT, result)


def _end_with_the_parent() -> None:
    """Waits until the parent is gone, however it went; its end of the pipe closes then."""
    while os.read(0, 1):  # not sys.stdin, whose lock a thread must not hold when Python ends
        pass
    os._exit(1)


def _answer(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    _configure(request["keras"])
    data = {name: unpacked(packed, folder, mapped=True) for name, packed in request["data"].items()}
    options = {name: unpacked(packed, folder) for name, packed in request["options"].items()}
    batch = first_batch(data["x"], data["y"], data["sample_weight"], options["batch_size"])
    recipes = [received(told, folder, batch) for told in request["recipes"]]
    if request["random"] is not None:
        python_state, numpy_state = unpacked(request["random"], folder)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    asked = {recipe.name: recipe for recipe in recipes} if request["named"] else recipes[0]
    runs = fit(asked, **data, **options)
    sender = Sender(folder, "trained")
    draws: Any = (random.getstate(), np.random.get_state())
    alone = isinstance(runs, Run)
    of_recipes, told = _told({runs.recipe: runs} if alone else runs, sender)
    return {
        "alone": alone,
        "recipes": of_recipes,
        "runs": sender.packed(told, "runs"),
        "cohorts": [] if alone else runs.cohorts,
        "separate": [] if alone else runs.separate,
        "random": None if request["random"] is None else sender.packed(draws, "random"),
    }


def _configure(told: Mapping[str, Any]) -> None:
    keras.config.set_floatx(told["floatx"])
    keras.config.set_epsilon(told["epsilon"])
    keras.config.set_image_data_format(told["image_data_format"])
    keras.config.set_dtype_policy(keras.dtype_policies.get(told["dtype_policy"]))


def _told(runs: Mapping[Any, Run], sender: Sender) -> tuple[list[Any], list[Any]]:
    """What is said of each recipe, and of each run."""
    by_recipe: dict[str, list[tuple[Any, Run]]] = {}
    for key, run in runs.items():
        by_recipe.setdefault(run.recipe, []).append((key, run))
    of_recipes = []
    number: dict[Any, int] = {}
    for name, entries in by_recipe.items():
        number |= {key: position for position, (key, _) in enumerate(entries)}
        of_recipes.append({"name": name, **_states([run for _, run in entries], sender)})
    of_runs = [
        {
            "key": key,
            "number": number[key],
            "recipe": run.recipe,
            "seed": run.seed,
            "history": run.history,
            "diverged_at": run.outcome.diverged_at,
            "params": run.params,
            "epochs": run.epoch,
            "first_epoch": run.first_epoch,
            "why_by_fit": run.why_by_fit,
            "plan": run.plan,
        }
        for key, run in runs.items()
    ]
    return of_recipes, of_runs


def _states(runs: Sequence[Run], sender: Sender) -> dict[str, Any]:
    """The states of a recipe's runs, variable by variable, and what the variables are."""
    model = runs[0].model()
    parts = parts_of(model)
    kept = parts.total - parts.metrics
    states = [_state(run)[:kept] for run in runs]
    stacked = [np.stack([portable(value) for value in values]) for values in zip(*states, strict=True)]
    return {
        "sizes": [parts.trainable, parts.non_trainable, parts.optimizer],
        "names": names_of(model),
        "weights": weight_positions(model),
        "states": sender.packed(stacked, "states"),
    }


def _state(run: Run) -> list[Any]:
    """A run's state, in the order of `capture.variables`; read where the run keeps it, which saves building a model."""
    kept = getattr(run.rebuild, "result", None)
    return kept.state if kept is not None else [variable.value for variable in variables(run.model())]


if __name__ == "__main__":
    main()
