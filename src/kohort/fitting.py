"""`kohort.fit`: the arguments of `model.fit`, for many recipes and many seeds at once."""

import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal

import keras
import numpy as np

from kohort.cohort.arrays import Arrays, fit_arrays, validation_arrays
from kohort.cohort.known_layouts import AtOnce, KnownLayouts, check_at_once, resolved
from kohort.cohort.members import Training
from kohort.cohort.order import Course, Data
from kohort.cohort.streams import Stream, is_stream
from kohort.errors import DataError, NotSupportedError
from kohort.progress import silent
from kohort.recipes.recipe import Recipe, as_recipes, check_for_fit
from kohort.run import Runs
from kohort.runtime import check_backend
from kohort.seeds import Shuffle, as_seeds
from kohort.terminal import Display
from kohort.training import Fitted, Request, fit_in_place, fit_members


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
    at_once: AtOnce = None,
    on_unsupported: Literal["raise", "fit"] = "raise",
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
        callbacks: Keras callbacks, unmodified. Each run has copies of its own (`run.callbacks`) and of what they hold;
            files and folders that Keras' callbacks write get the recipe's name and the seed in front of their own name
            (or where the path says `{recipe}` and `{seed}`). Also a function of (recipe, seed) that makes a run's
            callbacks, so that early stopping can be a recipe like any other. With `seeds=None` the given objects are
            used themselves, model after model. A callback that acts at each batch makes its cohort go at a batch's
            pace.
        validation_split: The share of the rows to validate on: the *last* rows, before any shuffling, as in Keras.
        validation_data: `(x, y)` or `(x, y, sample_weight)` to validate on instead, or a stream of batches, which is
            read whole where `x` is arrays.
        shuffle: Whether to draw a new order of rows each epoch; `"batch"` only within each batch.
        class_weight: Class -> weight of its rows in the training loss.
        sample_weight: A weight for each row in the training loss.
        initial_epoch: The number of the first epoch, from 0.
        steps_per_epoch: Batches of an epoch; the next epoch goes on where it ended. All rows if None.
        validation_steps: Batches to validate on, from the first row; all if None.
        validation_batch_size: Rows of a batch of validation; `batch_size` if None.
        validation_freq: Validate after every so many epochs, or after the epochs in this list, counted from 1.
        devices: Train on at most this many devices; all by default. It changes numbers by rounding only.
        at_once: Vectorise so many members on each device. By default one on a CPU, where a member's numbers then do
            not depend on the others to the last bit, and as many as fit on an accelerator. For networks of fewer than
            3,000 weights more take two thirds to four fifths of the time on a CPU. `"fastest"`: one, all,
            4 and 8 are timed on copies of the members before they train, which compiles each, for some ten seconds or a
            tenth of the training; the fastest trains them. What was timed is kept for this program and machine (in
            `~/.cache/kohort`), so it is timed once. With `steps_per_epoch` nothing is timed.
        on_unsupported: What to do with a recipe that `fit` trains and no cohort can (`run_eagerly`, a `fit` of its
            own, Python code that looks at values, …): `"raise"` refuses it before anything is trained; `"fit"` trains
            just that recipe by plain `model.fit`, one seed after another, and its runs say why (`run.why_by_fit`).

    Returns:
        A mapping of runs. Keys are `(recipe, seed)`; seeds alone where one builder or model was given instead of a
        mapping; recipe names where `seeds` is None. One given model without seeds gives its run itself.

    Raises:
        BackendError: Keras does not run on JAX, or JAX computes wrongly here.
        DataError: The arrays, seeds or options cannot be trained on. Nothing was trained.
        RecipeError: A recipe does not build or does not fit the data. Nothing was trained.
        NotSupportedError: `model.fit` does this, a cohort cannot. Nothing was trained.

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
    check_at_once(at_once)
    if at_once == "fastest" and is_stream(x, y):
        raise DataError("at_once='fastest' needs data that can be read again. Got a stream. Pass a number, or arrays.")
    layout = resolved(at_once)
    if on_unsupported not in ("raise", "fit"):
        raise DataError(f"on_unsupported must be 'raise' or 'fit'. Got {on_unsupported!r}.")
    plain = {
        "x": x,
        "y": y,
        "batch_size": batch_size,
        "epochs": epochs,
        "validation_split": validation_split,
        "validation_data": validation_data,
        "shuffle": shuffle,
        "class_weight": class_weight,
        "sample_weight": sample_weight,
        "initial_epoch": initial_epoch,
        "steps_per_epoch": steps_per_epoch,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size,
        "validation_freq": validation_freq,
        "verbose": 0,
    }
    if on_unsupported == "fit" and isinstance(x, Generator):
        raise DataError(
            "on_unsupported='fit' needs data that can be read again. Got a generator. Pass arrays or a PyDataset."
        )
    alone = plain if on_unsupported == "fit" else None
    asked, named = as_recipes(recipes)
    check_for_fit(asked)
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
            layout,
            verbose,
            {"x": x, "y": y, "sample_weight": sample_weight, "class_weight": class_weight, "shuffle": bool(shuffle)},
        )
        if request.stream is not None and request.stream.shuffled and wanted is not None and len(wanted) > 1:
            warnings.warn(
                "the PyDataset is shuffled, and each batch is given to all runs: they see its batches in the order of "
                f"the first (seed {wanted[0]}), where model.fit would draw another for each seed. Pass shuffle=False "
                "for runs that fit repeats.",
                stacklevel=2,
            )
        return _trained_as_asked(replace(request, plain=alone), asked, named, wanted, verbose)
    loaded = None
    if validation_data is not None and is_stream(validation_data):
        loaded = _loaded(validation_data, validation_steps)
        validation_data, validation_split, validation_steps = None, 0.0, None
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
    if loaded is not None:
        validation, held_out = loaded
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
    request = Request(options, Data(training, validation), course, held_out, devices, layout, plain=alone)
    return _trained_as_asked(request, asked, named, wanted, verbose)


def _trained_as_asked(
    request: Request, asked: Sequence[Recipe], named: bool, wanted: Sequence[int] | None, verbose: str | int
) -> Any:
    with nullcontext(silent) if verbose == 0 else Display() as listener:
        trained = (
            fit_in_place(asked, request, listener) if wanted is None else fit_members(asked, wanted, request, listener)
        )
    return _keyed(trained, asked, named, wanted)


def _request_on_stream(
    course: Course,
    validation_data: Any,
    validation_counts: tuple[int | None, int | None, int | None],
    validation_split: float,
    devices: int | None,
    at_once: int | KnownLayouts | None,
    verbose: str | int,
    source: dict[str, Any],
) -> Request:
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
    return Request(options, Data(first, validation), course, held_out, devices, at_once, stream, source_of_validation)


def _loaded(source: Any, steps: int | None) -> tuple[Arrays, int]:
    """A validation stream beside arrays, as arrays and the size of its batches: it is read twice, to see that it stays.

    Raises:
        NotSupportedError: It has no end, is another the second time, or its batches are not of one size.
    """
    stream = Stream(source, steps=steps, shuffle=False, name="validation_data")
    if isinstance(source, Generator) or stream.num_batches is None:
        raise NotSupportedError(
            "a validation stream beside x of arrays is read whole before training, so it must have an end and come "
            f"again. Got {type(source).__name__}. Pass arrays or a keras.utils.PyDataset."
        )
    first = list(stream.epoch())
    stream.reset()
    second = list(stream.epoch())
    if not first:
        raise DataError("validation_data must yield at least one batch. Got none.")
    pairs = zip(first, second, strict=False)
    stays = len(first) == len(second) and all(
        len(a.leaves) == len(b.leaves) and all(map(np.array_equal, a.leaves, b.leaves)) for a, b in pairs
    )
    size = first[0].rows
    even = all(batch.rows == size for batch in first[:-1]) and first[-1].rows <= size
    if not (stays and even):
        why = "batches of one size, but for the last" if stays else "the same rows each time it is read"
        raise NotSupportedError(
            f"a validation stream beside x of arrays must yield {why}. Got others from {type(source).__name__}. "
            "Pass its rows as arrays, or wrap x in a keras.utils.PyDataset."
        )
    leaves = zip(*(batch.leaves for batch in first), strict=True)
    return Arrays(tuple(np.concatenate(parts) for parts in leaves), first[0].structure), size


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
