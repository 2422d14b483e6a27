"""Recipes × seeds become runs: members are built, cohorts train, and each run is handed on as `fit` would leave it."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import keras

from kohort.cohort.callbacks import copies, given
from kohort.cohort.capture import (
    OR_FIT,
    Traced,
    check_can_train,
    check_compiled,
    put_state,
    state_of,
    trace,
    weight_positions,
)
from kohort.cohort.diagnostics import measured
from kohort.cohort.groups import Group, groups_of
from kohort.cohort.halfway import Keeper
from kohort.cohort.known_layouts import KnownLayouts
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
from kohort.cohort.memory import trained_in_parts
from kohort.cohort.order import Course, Data, Order
from kohort.cohort.out_of_memory import lack_of_memory
from kohort.cohort.streaming import train_on_stream
from kohort.cohort.streams import Stream
from kohort.cohort.train import Trained
from kohort.errors import NotSupportedError, RecipeError
from kohort.progress import Counter, Listener
from kohort.recipes.misfit import misfit
from kohort.recipes.recipe import Recipe
from kohort.run import Outcome, Run, first_not_finite
from kohort.runtime import garbage_collection_paused
from kohort.seeds import BatchOrders, RowBatches, make_numpy_generator_global, numpy_generator_now


@dataclass(frozen=True)
class Request:
    """What all recipes of a call train on, and how.

    Attributes:
        options: How batches are drawn; its arrays are what a model sees when it is built.
        data: What is trained on; where rows differ by member, member i is seed i of every recipe.
        course: Which epochs, and the callbacks.
        validation_batch_size: Rows of a batch of validation; as in training if None.
        devices: Train on at most so many.
        at_once: Vectorise so many members on each; None: as many as suits the platform; or what knows with how many a
            cohort is fastest, or learns it.
        stream: What is trained on instead of arrays; the arrays are then its first batch.
        validation_stream: What is validated on instead of arrays.
        plain: The arguments of `fit`, all but callbacks, for a recipe that no cohort can train and that is therefore
            trained alone; None: refuse it.
        keeper: Gives who keeps where a cohort stands, from its recipes and seeds; None: nobody does.
        diagnostics: Whether `run.DIAGNOSTICS` are measured.
        begun: Told which members, by recipe and seed, begin to train.
        failed: Told of a member that cannot be trained, by kind, recipe, seed and cause, as `run.Failure` has them;
            the others train. None: that is an error.
        alongside: Steps of recipes that do not train, as `trace_alone` gives them; see `groups.groups_of`.
        capacity: For how many recipes and members, at least, a program has room; 0: for those that there are.
    """

    options: Training
    data: Data
    course: Course
    validation_batch_size: int | None = None
    devices: int | None = None
    at_once: int | KnownLayouts | None = None
    stream: Stream | None = None
    validation_stream: Stream | None = None
    plain: Mapping[str, Any] | None = None
    keeper: Callable[[Sequence[str], Sequence[int]], Keeper] | None = None
    diagnostics: bool = False
    begun: Callable[[Sequence[tuple[str, int]]], None] | None = None
    failed: Callable[[Literal["out of memory", "refused"], str, int, str], None] | None = None
    alongside: Sequence[Traced] = ()
    capacity: int = 0

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
    outputs: int | None = None,
    ended: Callable[[Cohort, list[Run]], None] | None = None,
) -> Fitted:
    """Trains every recipe under every seed.

    Args:
        recipes: What to train.
        seeds: With which seeds.
        request: On what, and how.
        listener: Hears of progress.
        required_logs: Logs that each recipe must give, for what is done with the runs.
        outputs: How many numbers each network must give for a row, where that matters.
        ended: Told each cohort that has ended, and its runs in the order of its members, before the next one begins.
    """
    counter = Counter(listener, request.course.length * len(recipes) * len(seeds))
    built: dict[int, Recipients] = {}
    alone: dict[int, str] = {}
    for index, recipe in enumerate(recipes):
        counter.say(f"building {recipe.name}")
        try:
            with garbage_collection_paused():
                built[index] = _built(recipe, seeds, request, required_logs, outputs)
        except NotSupportedError as error:
            if request.plain is not None:
                alone[index] = _without_advice(error)
            elif len(recipes) == 1 or not _failed(request, "refused", recipe, seeds, _without_advice(error)):
                raise
        except Exception as error:
            why = lack_of_memory(error)
            if not why or not _failed(request, "out of memory", recipe, seeds, why):
                raise
    for index, own in built.items():
        _warn_of_schedules(recipes[index].name, own.model, request.course)
    runs: dict[tuple[int, int], Run] = {}
    cohorts: list[Cohort] = []
    for cohort in _trained_together(recipes, seeds, built, request, counter):
        cohorts.append(cohort)
        ended_now: list[Run] = []
        for member, result in zip(cohort.members, cohort.results, strict=True):
            index = cohort.group.recipes[member.recipe]
            assert member.seed is not None
            rebuild = _Rebuild(recipes[index], member.seed, request.options, result, request.course.params)
            run = _run(recipes[index].name, member.seed, built[index].model, result, request.course.params, rebuild)
            runs[index, seeds.index(member.seed)] = run
            ended_now.append(run)
        if ended is not None:
            ended(cohort, ended_now)
    for index, why in alone.items():
        heard = counter.cohort((recipes[index].name,))
        for position, seed in enumerate(seeds):
            runs[index, position] = _by_fit(recipes[index], seed, request, why)
            heard((position + 1) * request.course.length, 0)
    _tell_of_those_alone(recipes, alone)
    return Fitted([runs[key] for key in sorted(runs)], cohorts)


def trace_alone(recipe: Recipe, seed: int, request: Request) -> Traced:
    """A recipe's steps, without a run of it.

    Args:
        recipe: The recipe.
        seed: A seed to build it with.
        request: What it would train on.
    """
    return _built(recipe, [seed], request, (), None).traced


def _failed(
    request: Request, kind: Literal["out of memory", "refused"], recipe: Recipe, seeds: Sequence[int], why: str
) -> bool:
    """Whether somebody takes it as a result that a recipe fails under every seed."""
    if request.failed is None:
        return False
    for seed in seeds:
        request.failed(kind, recipe.name, seed, why)
    return True


def _without_advice(error: NotSupportedError) -> str:
    return str(error).replace(f", or {OR_FIT}", "")


def _built(
    recipe: Recipe, seeds: Sequence[int], request: Request, required_logs: Sequence[str], outputs: int | None
) -> Recipients:
    """The members of one recipe."""
    if recipe.given is not None:
        check_compiled(recipe.given, recipe.name)
        check_can_train(recipe.given, recipe.name)
    trace_own = partial(request.trace, recipe.name)
    own = Recipients(recipe.build, recipe.name, seeds, request.options, trace_own, recipe.draws_nothing)
    missing = [log for log in required_logs if log not in own.traced.logs]
    if missing:
        raise RecipeError(
            f"recipe {recipe.name!r} must log {missing[0]!r}. Got {', '.join(own.traced.logs)}. "
            "Compile it with metrics=['accuracy']."
        )
    shape: Any = getattr(own.model, "output_shape", None)  # a model that does not tell is found out when it predicts
    if outputs is not None and shape is not None and (not isinstance(shape, tuple) or shape[1:] != (outputs,)):
        told = f"shape {list(shape[1:])}" if isinstance(shape, tuple) else f"shapes {shape}"
        raise RecipeError(
            f"recipe {recipe.name!r} must give one output per class, {outputs} here. Got outputs of {told}. "
            f"Give the last layer {outputs} units."
        )
    return own


def _trained_together(
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    built: Mapping[int, Recipients],
    request: Request,
    counter: Counter,
) -> Iterator[Cohort]:
    """Groups the recipes that were built, and trains their members; groups speak of positions among all recipes."""
    if not built:
        return
    which = list(built)
    names, models = [recipes[index].name for index in which], [built[index].model for index in which]
    _refuse_shared_variables([recipes[index] for index in which], models)
    traced = [built[index].traced for index in which]
    orders = []
    for group in groups_of(traced, names, models, request.alongside, request.capacity):
        members = [
            Member(position, *member)
            for position, index in enumerate(group.recipes)
            for own in [built[which[index]]]
            for member in zip(seeds, own.states, own.orders, own.python_states, strict=True)
        ]
        data = request.data.of([*range(len(seeds))] * len(group.recipes))
        own_order = _order(group, members, models, names, traced, replace(request, data=data))
        keeper = request.keeper(own_order.names, seeds) if request.keeper is not None else None
        orders.append(replace(own_order, keeper=keeper))
    if request.stream is not None:
        first = built[which[0]]
        request.stream.begin_from(first.python_states[0], first.orders[0].generator)
    for cohort in _trained(orders, counter, request):
        yield replace(cohort, group=replace(cohort.group, recipes=tuple(which[i] for i in cohort.group.recipes)))


def _by_fit(recipe: Recipe, seed: int, request: Request, why: str) -> Run:
    """A run by plain `fit`, for what no cohort can train."""
    assert request.plain is not None
    with keras_randomness_restored():
        model = build_model(recipe.build, recipe.name, seed, alone=True)
        heard = copies(request.course.callbacks, recipe.name, seed, request.course.data)
        model.fit(**request.plain, callbacks=heard)
    return _run_of_fit(recipe.name, seed, model, heard, request, why)


def _run_of_fit(
    name: str, seed: int | None, model: keras.Model, heard: Sequence[Any], request: Request, why: str
) -> Run:
    history = {log: [float(value) for value in values] for log, values in model.history.history.items()}
    bad = [first for values in history.values() if (first := first_not_finite(values)) is not None]
    first_epoch = model.history.epoch[0] if model.history.epoch else 0
    return Run(
        name,
        seed,
        history,
        Outcome(first_epoch + min(bad) if bad else None),
        tuple(model.get_weights()),
        dict(request.course.params),
        _Given(model),
        first_epoch=first_epoch,
        callbacks=tuple(heard),
        why_by_fit=why,
    )


def _tell_of_those_alone(recipes: Sequence[Recipe], alone: Mapping[int, str]) -> None:
    for index, why in alone.items():
        warnings.warn(f"recipe {recipes[index].name!r} was trained alone, by model.fit: {why}", stacklevel=4)


def _warn_of_schedules(name: str, model: keras.Model, course: Course) -> None:
    steps = course.params.get("steps")
    wrong = misfit(model.optimizer, steps * course.length) if steps else ""
    if wrong:
        warnings.warn(f"recipe {name!r}: {wrong}.", stacklevel=5)


def fit_in_place(recipes: Sequence[Recipe], request: Request, listener: Listener) -> Fitted:
    """Trains given models from the weights they have, drawing what a loop over `fit` would draw, in its order."""
    if len(recipes) > 1 and (request.course.callbacks is not None or request.plain is not None):
        # a callback may stop a model early or draw, and the next model's draws follow: one after another
        each = [fit_in_place([recipe], request, listener) for recipe in recipes]
        shifted = [
            replace(cohort, group=replace(cohort.group, recipes=(index,)))
            for index, one in enumerate(each)
            for cohort in one.cohorts
        ]
        return Fitted([run for one in each for run in one.runs], shifted)
    course, counter = request.course, Counter(listener, request.course.length * len(recipes))
    for recipe in recipes:
        if recipe.given is not None:
            check_compiled(recipe.given, recipe.name)
            if request.plain is None:
                check_can_train(recipe.given, recipe.name)
    models: list[keras.Model] = []
    orders: list[BatchOrders] = []
    with keras_randomness_restored(only_after_an_error=True):
        try:
            for recipe in recipes:
                given = recipe.given
                models.append(build_model(recipe.build, recipe.name, None, alone=True) if given is None else given)
                check_can_train(models[-1], recipe.name)
                orders.append(finish_building(models[-1], recipe.name, request.options))
                if request.plain is None:
                    _draw_ahead(orders[-1], course)
            for recipe, model in zip(recipes, models, strict=True):
                _warn_of_schedules(recipe.name, model, course)
            _refuse_shared_variables(recipes, models)
            traced = [request.trace(recipe.name, model) for recipe, model in zip(recipes, models, strict=True)]
        except NotSupportedError as error:
            if request.plain is None:
                raise
            return _given_to_fit(recipes[0], models[0], request, _without_advice(error))
    if request.plain is not None:
        _draw_ahead(orders[0], course)
    names = [recipe.name for recipe in recipes]
    work = []
    for group in groups_of(traced, names, models):
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


def _given_to_fit(recipe: Recipe, model: keras.Model, request: Request, why: str) -> Fitted:
    """Trains a model in place by `fit`; as far as it is built by now, it has drawn what `fit` would have drawn."""
    assert request.plain is not None
    heard = given(request.course.callbacks, recipe.name)
    model.fit(**request.plain, callbacks=heard)
    _tell_of_those_alone([recipe], {0: why})
    return Fitted([_run_of_fit(recipe.name, None, model, heard, request, why)], [])


def _draw_ahead(orders: BatchOrders, course: Course) -> None:
    """Without callbacks, leaves NumPy's global generator where the last epoch will leave it."""
    if course.callbacks is None:
        ahead = BatchOrders(orders.rows, orders.batch_size, orders.shuffle, numpy_generator_now())
        batches = RowBatches(ahead, course.steps_per_epoch)
        for _ in range(course.length):
            batches.next_epoch()
        make_numpy_generator_global(ahead.generator)


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
        [traced[index].columns for index in group.recipes],
        request.data,
        request.course,
        request.devices,
        request.at_once,
        in_place,
        norms=request.diagnostics,
        capacity=request.capacity,
    )


def _trained(orders: Sequence[Order], counter: Counter, request: Request) -> Iterator[Cohort]:
    """Trains groups: in turn, or, on a stream, side by side."""
    if request.stream is not None:
        told_of_all = counter.cohort(tuple(name for order in orders for name in order.names))
        results = train_on_stream(orders, request.stream, request.validation_stream, told_of_all)
        for order, own in zip(orders, results, strict=True):
            yield Cohort(order.group, list(order.models), list(order.members), own)
        return

    give_up = None if request.failed is None else partial(request.failed, "out of memory")
    # Compiling the next program while one trains was tried and gained nothing on two cores: XLA compiles on one core
    # and a half, and the devices, which share the work evenly, then wait for the one that lost its core.
    for order in orders:
        if request.begun is not None:
            own_seeds = [(order.names[member.recipe], member.seed) for member in order.members]
            request.begun([(recipe, seed) for recipe, seed in own_seeds if seed is not None])
        for own, results in trained_in_parts(order, counter.cohort(tuple(order.names)), give_up):
            yield Cohort(own.group, list(own.models), list(own.members), results)


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


def with_model(run: Run, recipe: Recipe, options: Callable[[], Training]) -> Run:
    """A run that was kept, able to build its model: compiled, with the run's weights; the optimiser begins anew.

    Args:
        run: The run.
        recipe: Its recipe.
        options: Gives what its model is built from.
    """

    def rebuild() -> keras.Model:
        assert run.seed is not None
        with keras_randomness_restored():
            model, _ = build_member(recipe.build, recipe.name, run.seed, options())
        model.set_weights(list(run.weights))
        return model

    return replace(run, rebuild=rebuild)


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
        diagnostics=measured(model, result),
        plan=result.plan,
    )
