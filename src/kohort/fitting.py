"""`kohort.fit`: the arguments of `model.fit`, for many recipes and many seeds at once."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np

from kohort.cohort.arrays import Arrays, fit_arrays, validation_arrays
from kohort.cohort.capture import Traced, check_can_train, put_state, state_of, trace, weight_positions
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
from kohort.cohort.streaming import train_on_stream
from kohort.cohort.streams import Stream, is_stream
from kohort.cohort.train import Course, Data, Order, Progress, Trained, train_in_turn
from kohort.errors import DataError, RecipeError
from kohort.progress import Bar, Counter, Listener, silent
from kohort.recipes.recipe import Recipe, as_recipes
from kohort.run import Outcome, Run, Runs
from kohort.runtime import check_backend
from kohort.seeds import (
    BatchOrders,
    RowBatches,
    Shuffle,
    as_seeds,
    make_numpy_generator_global,
    numpy_generator_now,
)


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
) -> Any:
    """Trains recipes × seeds together; each run gets what `model.fit` would have given it.

    The run (recipe, seed) equals `keras.utils.set_random_seed(seed); model = build(); model.fit(...)` up to float
    rounding: initial weights, batch orders, dropout masks, logs, the epoch at which a callback stops it. The arguments
    mean what they mean to `model.fit`.

    Args:
        recipes: One compiled model, one function that builds and compiles one, or a mapping of names to either.
        x: Inputs: an array, or a list or dict of arrays, with rows first. Or a stream of batches as `fit` takes it: a
            generator, `keras.utils.PyDataset`, tf.data, torch `DataLoader`, Grain. Each batch is drawn once and given
            to all members, so it may be larger than memory; the batches of a shuffled `PyDataset` come in the order
            of the first recipe and seed. Only its first batch is looked at before training begins.
        y: Targets, alike; None for a stream, whose batches hold them.
        seeds: A number n for the seeds 0 … n−1, or the seeds themselves. A builder is called under each seed; a
            given model is built anew from its configuration, with new weights (and refused if that would lose more
            than trainable weights). Logs that Keras numbers by itself (`auc_1`) bear the names that the first seed's
            model gives them. None, the default: models are
            trained in place from the weights they have, one after another as far as random draws go, so that the
            call can stand for a loop over `model.fit`.
        batch_size: Rows of a batch; 32 if None, as in Keras. Fewer rows than that are refused, not made one batch.
        epochs: The number of the last epoch: passes over the training rows, unless `initial_epoch` says otherwise.
        verbose: 0 silent; else a progress bar on standard error if that is a terminal.
        callbacks: Keras callbacks, unmodified. Each run has copies of its own (`run.callbacks`); files and folders
            that Keras' callbacks write get the recipe's name and the seed in front of their own name (or where the
            path says `{recipe}` and `{seed}`). Also a function of (recipe, seed) that makes a run's callbacks, so
            that early stopping can be a recipe like any other. With `seeds=None` the given objects are used
            themselves, model after model. A callback that acts at each batch makes its cohort go at a batch's pace.
        validation_split: The share of the rows to validate on: the *last* rows, before any shuffling, as in Keras.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on instead.
        shuffle: Whether to draw a new order of rows each epoch; `"batch"` only within each batch.
        class_weight: Class -> weight of its rows in the training loss.
        sample_weight: A weight for each row in the training loss.
        initial_epoch: The number of the first epoch, from 0.
        steps_per_epoch: Batches of an epoch; the next epoch goes on where it ended. All rows if None.
        validation_steps: Batches to validate on, from the first row; all if None.
        validation_batch_size: Rows of a batch of validation; `batch_size` if None.
        validation_freq: Validate after every so many epochs, or after the epochs in this list, counted from 1.
        devices: Train on at most this many devices; all by default. It changes numbers by rounding only.

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
    _check_options(
        {
            "epochs": epochs,
            "batch_size": batch_size,
            "devices": devices,
            "steps_per_epoch": steps_per_epoch,
            "validation_steps": validation_steps,
            "validation_batch_size": validation_batch_size,
        },
        shuffle,
        class_weight,
        initial_epoch,
        validation_freq,
    )
    asked, named = as_recipes(recipes)
    wanted = None if seeds is None else as_seeds(seeds)
    given = tuple(keras.tree.flatten((x, y, sample_weight, validation_data)))
    if is_stream(x, y):
        course = Course(epochs, initial_epoch, validation_freq, steps_per_epoch, callbacks, data=given)
        request = _request_on_stream(
            course,
            validation_data,
            (validation_batch_size, validation_steps, batch_size),
            validation_split,
            devices,
            verbose,
            {"x": x, "y": y, "sample_weight": sample_weight, "class_weight": class_weight, "shuffle": bool(shuffle)},
        )
        return _trained_as_asked(request, asked, named, wanted, verbose)
    training, validation = fit_arrays(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        validation_split=validation_split,
        validation_data=validation_data,
    )
    size = _batch_size(batch_size, training, steps_per_epoch)
    if training.rows < size:
        raise DataError(
            f"a batch must not be larger than the training data. Got batch_size={size} and {training.rows} "
            f"training rows. Pass batch_size={training.rows} to train on all rows at once."
        )
    held_out = (
        None if validation is None else validation_batch_size or _batch_size(batch_size, validation, validation_steps)
    )
    if validation is not None and held_out is not None and validation_steps:
        validation = validation.picked(slice(0, validation_steps * held_out))
    options = Training(training, size, shuffle)
    steps = -(-training.rows // size)
    if steps_per_epoch and steps % steps_per_epoch:
        warnings.warn(
            f"steps_per_epoch={steps_per_epoch} does not divide the {steps} batches of the data: as in model.fit, an "
            f"epoch is cut short to {steps % steps_per_epoch} batches whenever the rows are used up.",
            stacklevel=2,
        )
    course = Course(
        epochs,
        initial_epoch,
        validation_freq,
        steps_per_epoch,
        callbacks,
        {"verbose": verbose, "epochs": epochs, "steps": steps_per_epoch or steps},
        given,
    )
    request = Request(options, Data(training, validation), course, held_out, devices)
    return _trained_as_asked(request, asked, named, wanted, verbose)


def _trained_as_asked(
    request: "Request", asked: Sequence[Recipe], named: bool, wanted: Sequence[int] | None, verbose: str | int
) -> Any:
    with nullcontext(silent) if verbose == 0 else Bar() as listener:
        trained = (
            _fit_in_place(asked, request, listener) if wanted is None else fit_members(asked, wanted, request, listener)
        )
    return _keyed(trained, asked, named, wanted)


def _request_on_stream(
    course: Course,
    validation_data: Any,
    validation_counts: tuple[int | None, int | None, int | None],
    validation_split: float,
    devices: int | None,
    verbose: str | int,
    source: dict[str, Any],
) -> "Request":
    """What there is to do on a stream, whose first batch stands for the others."""
    if validation_split:
        raise DataError(
            f"validation_split needs arrays. Got validation_split={validation_split} and a stream of batches. "
            "Pass validation_data."
        )
    stream = Stream(source.pop("x"), steps=course.steps_per_epoch, **source)
    first = stream.first_batch()
    course = replace(course, params={"verbose": verbose, "epochs": course.epochs, "steps": stream.num_batches})
    size, steps, batch_size = validation_counts
    validation, held_out, source_of_validation = None, None, None
    if validation_data is not None and is_stream(validation_data):
        source_of_validation = Stream(validation_data, steps=steps, shuffle=False, name="validation_data")
        validation = source_of_validation.first_batch()
        held_out = validation.rows
    elif validation_data is not None:
        validation = validation_arrays(validation_data)
        held_out = size or _batch_size(batch_size, validation, steps)
        if steps:
            validation = validation.picked(slice(0, steps * held_out))
    options = Training(first, first.rows, False, stream.draw_for_building)
    return Request(options, Data(first, validation), course, held_out, devices, stream, source_of_validation)


def _batch_size(asked: int | None, arrays: Arrays, steps: int | None) -> int:
    """Rows of a batch: what was asked, else so many that `steps` batches hold all rows, else 32; as Keras decides."""
    return asked or (-(-arrays.rows // steps) if steps else 32)


def _check_options(
    counts: Mapping[str, int | None], shuffle: Any, class_weight: Any, initial_epoch: Any, validation_freq: Any
) -> None:
    if not (isinstance(shuffle, bool | np.bool_) or shuffle == "batch"):
        raise DataError(f"shuffle must be True, False or 'batch'. Got {shuffle!r}.")
    if class_weight is not None and not isinstance(class_weight, Mapping):
        raise DataError(f"class_weight must map classes to weights, as in {{0: 1.0, 1: 5.0}}. Got {class_weight!r}.")
    for name, value in counts.items():
        if value is None and name != "epochs":
            continue
        if not _is_count(value, 1):
            raise DataError(f"{name} must be a whole number of at least 1. Got {value!r}.")
    if not _is_count(initial_epoch, 0):
        raise DataError(f"initial_epoch must be a whole number of at least 0. Got {initial_epoch!r}.")
    listed = isinstance(validation_freq, list) and all(_is_count(epoch, 1) for epoch in validation_freq)
    if not listed and not _is_count(validation_freq, 1):
        raise DataError(
            "validation_freq must be a whole number of at least 1, or a list of epochs counted from 1. "
            f"Got {validation_freq!r}."
        )


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


@dataclass(frozen=True)
class Request:
    """What all recipes of a call train on, and how.

    Attributes:
        options: How batches are drawn; its arrays are what a model sees when it is built.
        data: What is trained on; where rows differ by member, member i is seed i of every recipe.
        course: Which epochs, and the callbacks.
        validation_batch_size: Rows of a batch of validation; as in training if None.
        devices: Train on at most so many.
        stream: What is trained on instead of arrays; the arrays are then its first batch.
        validation_stream: What is validated on instead of arrays.
    """

    options: Training
    data: Data
    course: Course
    validation_batch_size: int | None = None
    devices: int | None = None
    stream: Stream | None = None
    validation_stream: Stream | None = None

    def trace(self, name: str, model: keras.Model) -> Traced:
        """A built model's steps for this data, after a look at the labels."""
        held_out = self.data.validation_of_a_member
        check_labels(model, name, self.options.arrays, "y")
        if held_out is not None:
            check_labels(model, name, held_out, "validation y")
        return trace(model, name, self.options.arrays, held_out, self.options.batch_size, self.validation_batch_size)


@dataclass(frozen=True)
class Cohort:
    """A group of recipes after training.

    Attributes:
        group: What its recipes share.
        models: One built model per recipe.
        members: Who trained.
        results: How each came out, in the order of the members.
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
    request: Request,
    listener: Listener,
    required_logs: Sequence[str] = (),
) -> Fitted:
    """Trains every recipe under every seed.

    Args:
        recipes: What to train.
        seeds: With which seeds.
        request: On what, and how.
        listener: Hears of progress.
        required_logs: Logs that each recipe must give, for what is done with the runs.
    """
    options, course = request.options, request.course
    counter = Counter(listener, course.length * len(recipes) * len(seeds))
    built, traced = [], []
    for recipe in recipes:
        counter.say(f"building {recipe.name}")
        if recipe.given is not None:
            check_can_train(recipe.given, recipe.name)
        own = Recipients(recipe.build, recipe.name, seeds, options, partial(request.trace, recipe.name))
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
            Member(position, *member)
            for position, index in enumerate(group.recipes)
            for member in zip(seeds, built[index].states, built[index].orders, built[index].python_states, strict=True)
        ]
        data = request.data.of([*range(len(seeds))] * len(group.recipes))
        models = [own.model for own in built]
        orders.append(_order(group, members, models, names, traced, replace(request, data=data)))
    runs: dict[tuple[int, int], Run] = {}
    cohorts: list[Cohort] = []
    if request.stream is not None:
        first = built[0]
        request.stream.begin_from(first.python_states[0], first.orders[0].generator.get_state())
    for cohort in _trained(orders, counter, request):
        cohorts.append(cohort)
        for member, result in zip(cohort.members, cohort.results, strict=True):
            index = cohort.group.recipes[member.recipe]
            assert member.seed is not None
            rebuild = _Rebuild(recipes[index], member.seed, options, result, course.params)
            run = _run(names[index], member.seed, built[index].model, result, course.params, rebuild)
            runs[index, seeds.index(member.seed)] = run
    return Fitted([runs[key] for key in sorted(runs)], cohorts)


def _fit_in_place(recipes: Sequence[Recipe], request: Request, listener: Listener) -> Fitted:
    """Trains given models from the weights they have, drawing what a loop over `fit` would draw, in its order."""
    if request.course.callbacks is not None and len(recipes) > 1:
        # a callback may stop a model early or draw, and the next model's draws follow: one after another
        each = [_fit_in_place([recipe], request, listener) for recipe in recipes]
        return Fitted([run for one in each for run in one.runs], [cohort for one in each for cohort in one.cohorts])
    options, course = request.options, request.course
    counter = Counter(listener, course.length * len(recipes))
    for recipe in recipes:
        if recipe.given is not None:
            check_can_train(recipe.given, recipe.name)
    models: list[keras.Model] = []
    orders: list[BatchOrders] = []
    with keras_randomness_restored(only_after_an_error=True):
        for recipe in recipes:
            model = recipe.given if recipe.given is not None else build_model(recipe.build, recipe.name, None)
            own = finish_building(model, recipe.name, options)
            if course.callbacks is None:
                ahead = RowBatches(
                    BatchOrders(own.rows, own.batch_size, own.shuffle, numpy_generator_now()), course.steps_per_epoch
                )
                for _ in range(course.length):
                    ahead.next_epoch()
                make_numpy_generator_global(ahead.orders.generator)
            models.append(model)
            orders.append(own)
        _refuse_shared_variables(recipes, models)
        traced = [request.trace(recipe.name, model) for recipe, model in zip(recipes, models, strict=True)]
    names = [recipe.name for recipe in recipes]
    work = []
    for group in groups_of(traced, names):
        members = [Member(i, None, state_of(models[index]), orders[index]) for i, index in enumerate(group.recipes)]
        work.append(_order(group, members, models, names, traced, request, in_place=True))
    runs: dict[int, Run] = {}
    cohorts: list[Cohort] = []
    for cohort in _trained(work, counter, request):
        cohorts.append(cohort)
        for index, model, result in zip(cohort.group.recipes, cohort.models, cohort.results, strict=True):
            runs[index] = _run(names[index], None, model, result, course.params, _Given(model))
            _leave_as_fit_does(model, result, course.params)
    if course.callbacks is not None:
        make_numpy_generator_global(orders[0].generator)
    return Fitted([runs[index] for index in sorted(runs)], cohorts)


def _order(
    group: Group,
    members: Sequence[Member],
    models: Sequence[keras.Model],
    names: Sequence[str],
    traced: Sequence[Traced],
    request: Request,
    in_place: bool = False,
) -> Order:
    """A group's part of what all recipes were given."""
    return Order(
        group,
        members,
        [models[index] for index in group.recipes],
        [names[index] for index in group.recipes],
        [traced[index].logs for index in group.recipes],
        request.data,
        request.course,
        request.devices,
        in_place,
    )


def _trained(orders: Sequence[Order], counter: Counter, request: Request) -> Iterator[Cohort]:
    """Trains groups: in turn, or, on a stream, side by side."""
    if request.stream is not None:
        told_of_all = counter.cohort(tuple(name for order in orders for name in order.names))
        results = train_on_stream(orders, request.stream, request.validation_stream, told_of_all)
        for order, own in zip(orders, results, strict=True):
            yield Cohort(order.group, list(order.models), list(order.members), own)
        return

    def told(order: Order) -> Progress:
        return counter.cohort(tuple(order.names))

    for order, results in train_in_turn(orders, told):
        yield Cohort(order.group, list(order.models), list(order.members), results)


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
    params: Mapping[str, Any]

    def __call__(self) -> keras.Model:
        with keras_randomness_restored():
            model, _ = build_member(self.recipe.build, self.recipe.name, self.seed, self.options)
        _leave_as_fit_does(model, self.result, self.params)
        return model


def _leave_as_fit_does(model: keras.Model, result: Trained, params: Mapping[str, Any]) -> None:
    put_state(model, result.state)
    history = keras.callbacks.History()
    history.set_params(dict(params))
    history.set_model(model)
    history.history = dict(result.history)
    history.epoch = list(result.epochs)
    model.history = history
    model.stop_training = result.stopped


def _run(
    name: str, seed: int | None, model: keras.Model, result: Trained, params: Mapping[str, Any], rebuild: Any
) -> Run:
    return Run(
        name,
        seed,
        result.history,
        Outcome(result.diverged_at),
        tuple(result.state[position] for position in weight_positions(model)),
        dict(params),
        rebuild,
        first_epoch=result.epochs[0] if result.epochs else 0,
        callbacks=result.callbacks,
    )


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
