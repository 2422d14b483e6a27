"""`kohort.fit`: the arguments of `model.fit`, for many recipes and many seeds at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np

from kohort.cohort.arrays import Arrays, fit_arrays
from kohort.cohort.capture import (
    Traced,
    check_can_train,
    finalized,
    put_state,
    state_of,
    trace,
    weight_positions,
)
from kohort.cohort.groups import Group, groups_of
from kohort.cohort.labels import check_labels
from kohort.cohort.members import (
    Member,
    Recipients,
    Training,
    build_member,
    build_model,
    finish_building,
    keras_randomness_restored,
)
from kohort.cohort.train import Data, Order, Trained, train_in_turn
from kohort.errors import DataError, NotSupportedError, RecipeError
from kohort.progress import Bar, Counter, Listener, silent
from kohort.recipes.recipe import Recipe, as_recipes
from kohort.run import Outcome, Run, Runs
from kohort.runtime import check_backend
from kohort.seeds import BatchOrders, Shuffle, as_seeds, make_numpy_generator_global, numpy_generator_now


def fit(
    recipes: Any,
    x: Any,
    y: Any = None,
    *,
    seeds: int | Iterable[int] | None = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: Shuffle = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    devices: int | None = None,
    **not_yet: Any,
) -> Any:
    """Trains recipes × seeds together; each run gets what `model.fit` would have given it.

    The run (recipe, seed) equals `keras.utils.set_random_seed(seed); model = build(); model.fit(...)` up to float
    rounding: initial weights, batch orders, dropout masks, logs. The arguments mean what they mean to `model.fit`.

    Args:
        recipes: One compiled model, one function that builds and compiles one, or a mapping of names to either.
        x: Inputs: an array, or a list or dict of arrays, with rows first.
        y: Targets, alike.
        seeds: A number n for the seeds 0 … n−1, or the seeds themselves. A builder is called under each seed; a
            given model is built anew from its configuration, with new weights (and refused if that would lose more
            than trainable weights). Logs that Keras numbers by itself (`auc_1`) bear the names that the first seed's
            model gives them. None, the default: models are
            trained in place from the weights they have, one after another as far as random draws go, so that the
            call can stand for a loop over `model.fit`.
        batch_size: Rows of a batch; 32 if None, as in Keras. Fewer rows than that are refused, not made one batch.
        epochs: Passes over the training rows.
        verbose: 0 silent; else a progress bar on standard error if that is a terminal.
        validation_split: The share of the rows to validate on: the *last* rows, before any shuffling, as in Keras.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on instead.
        shuffle: Whether to draw a new order of rows each epoch; `"batch"` only within each batch.
        class_weight: Class -> weight of its rows in the training loss.
        sample_weight: A weight for each row in the training loss.
        devices: Train on at most this many devices; all by default. It changes numbers by rounding only.
        **not_yet: Arguments of `model.fit` that are not supported yet are refused by name.

    Returns:
        A mapping of runs. Keys are `(recipe, seed)`; seeds alone where one builder or model was given instead of a
        mapping; recipe names where `seeds` is None. One given model without seeds gives its run itself.

    Raises:
        BackendError: Keras does not run on JAX, or JAX computes wrongly here.
        DataError: The arrays, seeds or options cannot be trained on. Nothing was trained.
        RecipeError: A recipe does not build or does not fit the data. Nothing was trained.
        NotSupportedError: `model.fit` could do this, Kohort does not yet. Nothing was trained.

    >>> runs = kohort.fit(recipes, x, y, seeds=20, epochs=50, validation_split=0.2)  # doctest: +SKIP
    >>> runs["dropout", 3].history["val_accuracy"]  # doctest: +SKIP
    """
    check_backend()
    _check_options(epochs, batch_size, shuffle, devices, class_weight, not_yet)
    asked, named = as_recipes(recipes)
    wanted = None if seeds is None else as_seeds(seeds)
    size = batch_size or 32
    training, validation = fit_arrays(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_split=validation_split,
        validation_data=validation_data,
        batch_size=size,
    )
    options = Training(training, size, shuffle)
    steps = -(-training.rows // size)
    params = {"verbose": verbose, "epochs": epochs, "steps": steps}
    with nullcontext(silent) if verbose == 0 else Bar() as listener:
        if wanted is None:
            trained = _fit_in_place(asked, options, validation, epochs, params, listener, devices)
        else:
            data = Data(training, validation)
            trained = fit_members(asked, wanted, options, data, epochs, params, listener, devices)
    return _keyed(trained, asked, named, wanted)


NOT_YET = {  # argument of model.fit -> its default, which asks for nothing
    "callbacks": None,
    "initial_epoch": 0,
    "steps_per_epoch": None,
    "validation_steps": None,
    "validation_batch_size": None,
    "validation_freq": 1,
}


def _check_options(
    epochs: int,
    batch_size: int | None,
    shuffle: Any,
    devices: int | None,
    class_weight: Any,
    not_yet: Mapping[str, Any],
) -> None:
    for name, value in not_yet.items():
        if name not in NOT_YET:
            raise TypeError(f"kohort.fit() got an unexpected keyword argument {name!r}")
        if value != NOT_YET[name]:
            raise NotSupportedError(
                f"kohort.fit does not support {name}= yet. Got {name}={value!r}. Leave it out, or train with model.fit."
            )
    if not (isinstance(shuffle, bool | np.bool_) or shuffle == "batch"):
        raise DataError(f"shuffle must be True, False or 'batch'. Got {shuffle!r}.")
    if class_weight is not None and not isinstance(class_weight, Mapping):
        raise DataError(f"class_weight must map classes to weights, as in {{0: 1.0, 1: 5.0}}. Got {class_weight!r}.")
    counts = {
        "epochs": epochs,
        "batch_size": 32 if batch_size is None else batch_size,
        "devices": 1 if devices is None else devices,
    }
    for name, value in counts.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
            raise DataError(f"{name} must be a whole number of at least 1. Got {value!r}.")


@dataclass(frozen=True)
class Cohort:
    """A group of recipes after training.

    Attributes:
        group: What its recipes share.
        models: One built model per recipe.
        members: Who trained.
        results: How each came out, ended as `fit` ends it, in the order of the members.
    """

    group: Group
    models: list[keras.Model]
    members: list[Member]
    results: list[Trained]


@dataclass(frozen=True)
class Fitted:
    """Runs in the order of recipes and seeds, and the cohorts in which they trained."""

    runs: list[Run]
    cohorts: list[Cohort]


def fit_members(
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    options: Training,
    data: Data,
    epochs: int,
    params: dict[str, Any],
    listener: Listener,
    devices: int | None = None,
    required_logs: Sequence[str] = (),
) -> Fitted:
    """Trains every recipe under every seed.

    Args:
        recipes: What to train.
        seeds: With which seeds.
        options: How batches are drawn; its arrays are what a model sees when it is built.
        data: What is trained on; where rows differ by member, member i is seed i of every recipe.
        epochs: How many epochs.
        params: `History.params` of the runs.
        listener: Hears of progress.
        devices: At most so many.
        required_logs: Logs that each recipe must give, for what is done with the runs.
    """
    counter = Counter(listener, epochs * len(recipes) * len(seeds))
    built, traced = [], []
    for recipe in recipes:
        counter.say(f"building {recipe.name}")
        if recipe.given is not None:
            check_can_train(recipe.given, recipe.name)
        held_out = data.validation_of_a_member
        own = Recipients(recipe.build, recipe.name, seeds, options, partial(_traced, recipe.name, options, held_out))
        built.append(own)
        traced.append(own.traced)
        missing = [log for log in required_logs if log not in traced[-1].logs]
        if missing:
            raise RecipeError(
                f"recipe {recipe.name!r} must log {missing[0]!r}. Got {', '.join(traced[-1].logs)}. "
                "Compile it with metrics=['accuracy']."
            )
    _refuse_shared_variables(recipes, [own.model for own in built])
    names = [recipe.name for recipe in recipes]
    orders = []
    for group in groups_of(traced, names):
        members = [
            Member(position, seed, state, own_orders)
            for position, index in enumerate(group.recipes)
            for seed, state, own_orders in zip(seeds, built[index].states, built[index].orders, strict=True)
        ]
        own_data = data.of([*range(len(seeds))] * len(group.recipes))
        orders.append(Order(group, members, own_data, epochs, devices))
    runs: dict[tuple[int, int], Run] = {}
    cohorts: list[Cohort] = []
    for cohort in _trained(orders, [own.model for own in built], counter, names):
        cohorts.append(cohort)
        for member, result in zip(cohort.members, cohort.results, strict=True):
            index = cohort.group.recipes[member.recipe]
            assert member.seed is not None
            rebuild = _Rebuild(recipes[index], member.seed, options, result, traced[index].logs, params)
            run = _run(names[index], member.seed, built[index].model, result, traced[index], params, rebuild)
            runs[index, seeds.index(member.seed)] = run
    return Fitted([runs[key] for key in sorted(runs)], cohorts)


def _fit_in_place(
    recipes: Sequence[Recipe],
    options: Training,
    validation: Arrays | None,
    epochs: int,
    params: dict[str, Any],
    listener: Listener,
    devices: int | None,
) -> Fitted:
    """Trains given models from the weights they have, drawing what a loop over `fit` would draw, in its order."""
    counter = Counter(listener, epochs * len(recipes))
    for recipe in recipes:
        if recipe.given is not None:
            check_can_train(recipe.given, recipe.name)
    models: list[keras.Model] = []
    orders = []
    with keras_randomness_restored(only_after_an_error=True):
        for recipe in recipes:
            model = recipe.given if recipe.given is not None else build_model(recipe.build, recipe.name, None)
            own = finish_building(model, recipe.name, options)
            ahead = BatchOrders(own.rows, own.batch_size, own.shuffle, numpy_generator_now())
            for _ in range(epochs):
                ahead.next_epoch()
            make_numpy_generator_global(ahead.generator)
            models.append(model)
            orders.append(own)
        _refuse_shared_variables(recipes, models)
        traced = [_traced(r.name, options, validation, m) for r, m in zip(recipes, models, strict=True)]
    names = [recipe.name for recipe in recipes]
    work = []
    for group in groups_of(traced, names):
        members = [Member(i, None, state_of(models[index]), orders[index]) for i, index in enumerate(group.recipes)]
        work.append(Order(group, members, Data(options.arrays, validation), epochs, devices))
    runs: dict[int, Run] = {}
    cohorts: list[Cohort] = []
    for cohort in _trained(work, models, counter, names):
        cohorts.append(cohort)
        for index, model, result in zip(cohort.group.recipes, cohort.models, cohort.results, strict=True):
            runs[index] = _run(names[index], None, model, result, traced[index], params, _Given(model))
            _leave_as_fit_does(model, result, traced[index].logs, params)
    return Fitted([runs[index] for index in sorted(runs)], cohorts)


def _trained(
    orders: Sequence[Order], models: Sequence[keras.Model], counter: Counter, names: Sequence[str]
) -> Iterator[Cohort]:
    """Trains groups in turn and ends each member's training as `fit` does."""

    def told(order: Order) -> Callable[[int], None]:
        return counter.cohort(tuple(names[i] for i in order.group.recipes), len(order.members))

    for order, results in train_in_turn(orders, told):
        own = [models[index] for index in order.group.recipes]
        ended = [
            replace(result, state=finalized(own[member.recipe], result.state))
            for member, result in zip(order.members, results, strict=True)
        ]
        yield Cohort(order.group, own, list(order.members), ended)


def _traced(name: str, options: Training, validation: Arrays | None, model: keras.Model) -> Traced:
    check_labels(model, name, options.arrays, "y")
    if validation is not None:
        check_labels(model, name, validation, "validation y")
    return trace(model, name, options.arrays, validation, options.batch_size)


def _refuse_shared_variables(recipes: Sequence[Recipe], models: Sequence[keras.Model]) -> None:
    owner: dict[int, str] = {}
    for recipe, model in zip(recipes, models, strict=True):
        for variable in [*model.trainable_variables, *model.optimizer.variables, *model.metrics_variables]:
            other = owner.setdefault(id(variable), recipe.name)
            if other != recipe.name:
                raise RecipeError(
                    f"recipes {other!r} and {recipe.name!r} share the variable {variable.path!r}, so one would train "
                    "the other's weights. Give each its own layers and optimizer, or train them one after another."
                )


@dataclass(frozen=True)
class _Given:
    model: keras.Model

    def __call__(self) -> keras.Model:
        return self.model


@dataclass(frozen=True)
class _Rebuild:
    """Builds a run's model anew and gives it the trained state."""

    recipe: Recipe
    seed: int
    options: Training
    result: Trained
    logs: tuple[str, ...]
    params: dict[str, Any]

    def __call__(self) -> keras.Model:
        with keras_randomness_restored():
            model, _ = build_member(self.recipe.build, self.recipe.name, self.seed, self.options)
        _leave_as_fit_does(model, self.result, self.logs, self.params)
        return model


def _leave_as_fit_does(model: keras.Model, result: Trained, logs: Sequence[str], params: dict[str, Any]) -> None:
    put_state(model, result.state)
    history = keras.callbacks.History()
    history.set_params(params)
    history.set_model(model)
    history.history = _history(result.logs, logs)
    history.epoch = list(range(len(result.logs)))
    model.history = history
    model.stop_training = False


def _history(logs: np.ndarray, names: Sequence[str]) -> dict[str, list[float]]:
    """Keras' `History.history`: log name -> one value per epoch, the names sorted as Keras sorts them."""
    return {name: [float(value) for value in logs[:, names.index(name)]] for name in sorted(names)}


def _run(
    name: str,
    seed: int | None,
    model: keras.Model,
    result: Trained,
    traced: Traced,
    params: dict[str, Any],
    rebuild: Any,
) -> Run:
    weights = tuple(result.state[position] for position in weight_positions(model))
    history = _history(result.logs, traced.logs)
    return Run(name, seed, history, Outcome(result.diverged_at), weights, params, rebuild)


def _keyed(fitted: Fitted, recipes: Sequence[Recipe], named: bool, seeds: Sequence[int] | None) -> Any:
    if seeds is None and not named:
        return fitted.runs[0]
    told: dict[str, Any] = {
        "cohorts": [tuple(recipes[i].name for i in cohort.group.recipes) for cohort in fitted.cohorts],
        "separate": [reason for cohort in fitted.cohorts for reason in cohort.group.why_separate],
    }
    if seeds is None:
        return Runs({run.recipe: run for run in fitted.runs}, **told)
    if not named:
        return Runs({run.seed: run for run in fitted.runs}, **told)
    return Runs({(run.recipe, run.seed): run for run in fitted.runs}, **told)
