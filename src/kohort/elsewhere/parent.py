"""`kohort.fit` in a process where Keras runs on another backend; JAX is loaded in the child process only."""

import builtins
import random
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import keras
import numpy as np
from keras.src.trainers.data_adapters import data_adapter_utils
from keras.src.trainers.data_adapters.array_slicing import can_slice_array

from kohort import errors
from kohort.elsewhere.parcel import REQUEST, RESULT, Sender, cannot_travel, read, unpacked, write
from kohort.elsewhere.process import run_child
from kohort.elsewhere.recipes_sent import State, finish_building, first_batch, parts, sent
from kohort.errors import BackendError, DataError, NotSupportedError, RecipeError
from kohort.recipes.recipe import Recipe, as_recipes, check_for_fit
from kohort.run import Outcome, Run, Runs
from kohort.seeds import Shuffle, as_seeds, global_randomness_restored


def fit(
    recipes: Any,
    x: Any,
    y: Any = None,
    *,
    seeds: int | Iterable[int] | None = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: Shuffle = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | list[int] = 1,
    devices: int | None = None,
    at_once: int | Literal["fastest"] | None = None,
    on_unsupported: Literal["raise", "fit"] = "raise",
) -> Any:
    """Trains recipes × seeds together, in a child process on JAX; else as `kohort.fitting.fit`, argument by argument.

    The numbers are those of Keras on JAX, shuffling and dropout included, and not those that `model.fit` would give on
    this process' backend. Each call starts a process, which takes some seconds, and writes the data to a temporary
    folder once.

    Args:
        recipes: One compiled model, one builder, or a mapping of names to either. Models must serialise with Keras;
            classes and functions of their own must be defined in a module. So must builders;
            `functools.partial(build, rate=0.5)` passes one its arguments.
        x: Inputs: an array, a tensor of this process' backend, or a list or dict of them. No stream of batches.
        y: Targets, alike.
        seeds: As in `kohort.fitting.fit`. None: given models get the trained weights and the optimiser's state, and
            Python's and NumPy's global generators end where a loop over `fit` on JAX would leave them.
        batch_size: Rows of a batch; 32 if None.
        epochs: The number of the last epoch.
        verbose: 0 silent; else a progress bar on standard error if that is a terminal.
        callbacks: None; callbacks cannot travel.
        validation_split: The share of the rows to validate on, the last ones.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on instead.
        shuffle: Whether to draw a new order of rows each epoch; `"batch"` only within each batch.
        class_weight: Class -> weight of its rows in the training loss.
        sample_weight: A weight for each row in the training loss.
        initial_epoch: The number of the first epoch, from 0.
        steps_per_epoch: Batches of an epoch; all rows if None.
        validation_steps: Batches to validate on; all if None.
        validation_batch_size: Rows of a batch of validation; `batch_size` if None.
        validation_freq: Validate after every so many epochs, or after the epochs in this list, counted from 1.
        devices: Train on at most this many devices; all by default.
        at_once: Vectorise so many members on each device; see `kohort.fit`.
        on_unsupported: `"raise"` or `"fit"`, by Keras on JAX, for a recipe that no cohort can train.

    Returns:
        What `kohort.fitting.fit` returns. `run.model()` is a model on this process' backend.

    Raises:
        BackendError: Something cannot travel to the child process, or that ended without an answer.
        DataError: The arrays, seeds or options cannot be trained on. Nothing was trained.
        RecipeError: A recipe does not build or does not fit the data. Nothing was trained.
        NotSupportedError: `model.fit` does this, a cohort cannot. Nothing was trained.
    """
    if callbacks is not None and not (isinstance(callbacks, list | tuple) and not callbacks):
        raise cannot_travel(f"callbacks={callbacks!r:.80}, which act on models in this process")
    asked, named = as_recipes(recipes)
    check_for_fit(asked)
    wanted = None if seeds is None else as_seeds(seeds)
    arrays = _Arrays()
    data = {
        name: arrays.of(value, name)
        for name, value in {
            "x": x,
            "y": y,
            "sample_weight": sample_weight,
            "validation_data": validation_data,
        }.items()
    }
    options = {
        "seeds": wanted,
        "batch_size": batch_size,
        "epochs": epochs,
        "verbose": verbose,
        "validation_split": validation_split,
        "shuffle": shuffle,
        "class_weight": dict(class_weight) if isinstance(class_weight, Mapping) else class_weight,
        "initial_epoch": initial_epoch,
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
        "devices": devices,
        "at_once": at_once,
        "on_unsupported": on_unsupported,
    }
    batch = first_batch(data["x"], data["y"], data["sample_weight"], batch_size)
    with TemporaryDirectory(prefix="kohort-") as name, global_randomness_restored(only_after_an_error=True):
        folder = Path(name)
        _send(folder, asked, named, data, options, batch)
        run_child(folder)
        return _received(folder, asked, batch)


class _Arrays:
    """Turns tensors and their like into NumPy arrays, each only once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, np.ndarray]] = {}

    def of(self, value: Any, name: str) -> Any:
        """The same nest with NumPy arrays in it."""
        if value is None or isinstance(value, bool | int | float | str):
            return value  # refused by whoever expects arrays
        if isinstance(value, dict):
            return {key: self.of(item, name) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = [self.of(item, name) for item in value]
            return items if isinstance(value, list) else tuple(items)
        if not can_slice_array(value):
            raise cannot_travel(f"{name}={value!r:.80}, which is no array: a stream of batches stays in its process")
        if data_adapter_utils.is_scipy_sparse(value):
            raise NotSupportedError("sparse arrays are not supported yet. Pass x.toarray().")
        if id(value) not in self._known:
            self._known[id(value)] = value, _as_array(value, name)
        return self._known[id(value)][1]


def _as_array(value: Any, name: str) -> np.ndarray:
    array = np.asarray(keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else value)
    if array.dtype.kind not in "fiubUS":
        raise DataError(f"{name} must hold numbers. Got dtype {array.dtype}. Encode what it holds as numbers first.")
    return array


def _send(
    folder: Path, recipes: Sequence[Recipe], named: bool, data: Mapping[str, Any], options: dict[str, Any], batch: Any
) -> None:
    """Writes the request."""
    in_place = options["seeds"] is None
    first_fits = _finish_building_given(recipes, batch) if in_place else [True] * len(recipes)
    sender = Sender(folder, "sent")
    numpy_state: Any = np.random.get_state()
    request = {
        "recipes": [
            sent(recipe, folder, number, sender, in_place, first_fit)
            for number, (recipe, first_fit) in enumerate(zip(recipes, first_fits, strict=True))
        ],
        "named": named,
        "data": {name: sender.packed(value, name) for name, value in data.items()},
        "options": {name: sender.packed(value, name) for name, value in options.items()},
        "keras": {
            "floatx": keras.config.floatx(),
            "epsilon": keras.config.epsilon(),
            "image_data_format": keras.config.image_data_format(),
            "dtype_policy": keras.dtype_policies.serialize(keras.config.dtype_policy()),
        },
        "random": sender.packed((random.getstate(), numpy_state), "random") if in_place else None,
    }
    write(folder, REQUEST, request)


def _finish_building_given(recipes: Sequence[Recipe], batch: Any) -> list[bool]:
    """Builds given models as their `fit` would, so that they travel with all weights; which of them had been built."""
    owner: dict[int, str] = {}
    first_fits = []
    for recipe in recipes:
        first_fits.append(True)
        model: Any = recipe.given
        if model is None or batch is None or not model.compiled:
            continue
        try:
            first_fits[-1] = finish_building(model, batch)
        except Exception:
            continue  # a model that does not take this data; the child will say so
        for variable in [*model.trainable_variables, *model.optimizer.variables]:
            other = owner.setdefault(id(variable), recipe.name)
            if other != recipe.name:
                raise RecipeError(
                    f"recipes {other!r} and {recipe.name!r} share the variable {variable.path!r}, so one would train "
                    "the other's weights. Give each its own layers and optimizer, or train them one after another."
                )
    return first_fits


def _received(folder: Path, recipes: Sequence[Recipe], batch: Any) -> Any:
    """Raises what the child raised, or makes its runs ours and lets given models have what they learned."""
    result = read(folder, RESULT)
    for category, message in result["warnings"]:
        warnings.warn(message, getattr(builtins, category, UserWarning), stacklevel=3)
    if "error" in result:
        raise _raised(**result["error"])
    trained = {told["name"]: _Trained.of(told, folder) for told in result["recipes"]}
    given = {recipe.name: recipe for recipe in recipes}
    runs: dict[Any, Run] = {}
    in_place: list[_Model] = []
    for told in unpacked(result["runs"], folder):
        model, run = trained[told["recipe"]].run(told, given[told["recipe"]], batch)
        runs[told["key"]] = run
        if model.given is not None:
            model.state.check(model.given, run.recipe)
            in_place.append(model)
    for model in in_place:  # all of them, or none
        model.put(model.given)
    if result["random"] is not None:
        python_state, numpy_state = unpacked(result["random"], folder)
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    if result["alone"]:
        return next(iter(runs.values()))
    return Runs(runs, cohorts=[tuple(names) for names in result["cohorts"]], separate=result["separate"])


def _raised(name: str, arguments: list[Any], message: str, trace: str) -> BaseException:
    """The child's error, of the same class where this process knows it."""
    own = getattr(errors, name, None)
    if isinstance(own, type) and issubclass(own, errors.KohortError):
        return own(message)
    known = getattr(builtins, name, None)
    error: BaseException = BackendError(f"the child process that trains on JAX failed with {name}: {message}")
    if isinstance(known, type) and issubclass(known, Exception):
        with suppress(TypeError):  # not what its constructor takes
            error = known(*arguments)
    error.add_note(f"Raised in the child process that trains on JAX:\n{trace}")
    return error


@dataclass(frozen=True)
class _Model:
    """Makes a run's model: the given one, or one that is built anew on this process' backend.

    Attributes:
        recipe: The recipe.
        seed: The run's seed.
        state: What its training left.
        batch: A batch of the data, at which it is built.
        history: Log name -> one value per epoch.
        epochs: The epochs trained.
        params: Keras' `History.params`.
    """

    recipe: Recipe
    seed: int | None
    state: State
    batch: Any
    history: dict[str, list[float]]
    epochs: list[int]
    params: dict[str, Any]

    @property
    def given(self) -> Any:
        """The model that was trained in place, if one was."""
        return self.recipe.given if self.seed is None else None

    def __call__(self) -> Any:
        """The trained model."""
        if self.given is not None:
            return self.given
        with global_randomness_restored():
            if self.seed is not None:
                random.seed(self.seed)
                np.random.seed(self.seed)
            model: Any = self.recipe.build()
            finish_building(model, self.batch)
        self.state.check(model, self.recipe.name)
        self.put(model)
        return model

    def put(self, model: Any) -> None:
        """Leaves a model as `fit` does."""
        self.state.put(model)
        history = keras.callbacks.History()
        history.set_params(dict(self.params))
        history.set_model(model)
        history.history = dict(self.history)
        history.epoch = list(self.epochs)
        model.history = history
        model.stop_training = False  # without callbacks nothing stops it


@dataclass(frozen=True)
class _Trained:
    """What the child sends of a recipe.

    Attributes:
        sizes: How many variables are trainable, not trainable, the optimiser's.
        names: The names of the model's own variables.
        weights: Where among the variables those of `model.get_weights()` stand.
        states: For each variable its values, one for each run.
    """

    sizes: Sequence[int]
    names: Sequence[str]
    weights: Sequence[int]
    states: Sequence[np.ndarray]

    @classmethod
    def of(cls, told: Mapping[str, Any], folder: Path) -> "_Trained":
        """What was sent."""
        return cls(told["sizes"], told["names"], told["weights"], unpacked(told["states"], folder))

    def run(self, told: Mapping[str, Any], recipe: Recipe, batch: Any) -> tuple[_Model, Run]:
        """One of its runs, and what makes its model."""
        values = [stacked[told["number"]] for stacked in self.states]
        history, params, seed = told["history"], told["params"], told["seed"]
        state = parts(values, self.sizes, self.names)
        model = _Model(recipe, seed, state, batch, history, told["epochs"], params)
        run = Run(
            recipe.name,
            seed,
            history,
            Outcome(told["diverged_at"]),
            tuple(values[position] for position in self.weights),
            params,
            model,
            first_epoch=told["first_epoch"],
            why_by_fit=told["why_by_fit"],
            plan=told["plan"],
        )
        return model, run
