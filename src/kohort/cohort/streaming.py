"""Training on a stream: all cohorts go through the batches together, since a stream may be read only once."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import trace
from kohort.cohort.order import Order
from kohort.cohort.program import SharedSteps
from kohort.cohort.streams import Stream, chunks, shape_of
from kohort.cohort.train import CohortTraining, Trained, warn_of_the_pace
from kohort.errors import NotSupportedError
from kohort.progress import Told

BYTES_PER_CALL = 8 * 2**20  # of a stream's batches; two calls' worth are in memory at a time
BATCHES_PER_CALL = 32


def train_on_stream(
    orders: Sequence[Order], stream: Stream, validation: Stream | None, progress: Told
) -> list[list[Trained]]:
    """Trains groups side by side on one stream.

    Args:
        orders: What to train. Their arrays are a stream's first batch.
        stream: What to train on.
        validation: What to validate on if that is a stream, too; else the orders' arrays are.
        progress: Told how many run-epochs are trained, of all groups together.
    """
    cohorts = [_OnStream(order) for order in orders]
    paced = [name for cohort in cohorts for name in cohort.training.needs.batches]
    if paced:
        warn_of_the_pace(list(dict.fromkeys(paced)))
    for cohort in cohorts:
        cohort.training.begin()
    course = orders[0].course
    for epoch in range(min(first for cohort in cohorts for first in cohort.training.first), course.epochs):
        if not any(cohort.training.going for cohort in cohorts):
            break
        for cohort in cohorts:
            cohort.start(epoch)
        _train_epoch(cohorts, stream)
        if orders[0].data.validation is not None and course.validates(epoch):
            _validate(cohorts, validation)
        for cohort in cohorts:
            cohort.training.finish(epoch, cohort.now, cohort.logs)
        told = [cohort.training.progress() for cohort in cohorts]
        looks = [cohort.training.look for cohort in cohorts]
        progress(
            sum(done for done, _ in told),
            sum(spared for _, spared in told),
            lambda looks=looks: [one for look in looks for one in look()],
        )
    return [cohort.training.results() for cohort in cohorts]


class _OnStream:
    """A cohort that takes batches as they come.

    Attributes:
        training: Its members and callbacks.
        now: The members that train this epoch.
        logs: Their logs by member.
    """

    def __init__(self, order: Order):
        self.training = CohortTraining(order)
        self.now: list[int] = []
        self.logs = np.zeros(0, np.float32)
        self._left: set[int] = set()
        self._steps: dict[Any, SharedSteps] = {}
        self._flying: list[Any] = []
        at_once = max(model.steps_per_execution for model in order.models)
        if self.paced and at_once > 1:
            raise NotSupportedError(
                f"callbacks that act at each batch of a stream see one batch at a time. Got a model compiled with "
                f"steps_per_execution={at_once}. Compile it without, or train it with model.fit."
            )

    @property
    def paced(self) -> bool:
        """Whether something may happen between batches."""
        needs = self.training.needs
        return bool(needs.batches) or needs.stop_at_nan or any(self.training.stopped(member) for member in self.now)

    def start(self, epoch: int) -> None:
        """Begins an epoch."""
        self.now = self.training.start(epoch)
        steps = self.training.order.group.steps
        self.logs = np.zeros((len(self.training.order.members), sum(steps.logs) + 1), np.float32)

    def begin(self) -> None:
        """Begins a pass over the stream."""
        self._left, self._flying = set(self.now), []

    @property
    def takes(self) -> bool:
        """Whether any member still takes batches in this pass."""
        return bool(self._left)

    def take(self, chunk: Sequence[Arrays], size: int, step: int, *, training: bool) -> None:
        """Lets the members take a chunk of batches, the first of which is number `step` of the pass."""
        own, kind, members = self.training, "train" if training else "test", sorted(self._left)
        steps = self._steps_for(chunk[0], training)
        leaves = [np.stack(parts) for parts in zip(*(batch.leaves for batch in chunk), strict=True)]
        if len(chunk) < size:  # to the size that is compiled for
            leaves = [np.concatenate([leaf, leaf[:1].repeat(size - len(chunk), 0)]) for leaf in leaves]
        for member in members if self.paced else ():
            own.call(member, f"on_{kind}_batch_begin", step)
        results = own.batches.give(
            leaves, len(chunk), members, steps, training=training, fresh=members if step == 0 else ()
        )
        self._flying.append((members, results))
        if not self.paced:
            if len(self._flying) > 1:  # wait for the call before last, so that no more than two calls' batches are held
                self._land(self._flying.pop(0), training)
            return
        while self._flying:
            self._land(self._flying.pop(0), training)
        for member in members:
            told = own.columns(member, training).read(self.logs[member, self._columns(training)])
            own.call(member, f"on_{kind}_batch_end", step, told)
            if training and own.stopped(member):
                self._left.discard(member)

    def end(self, training: bool) -> None:
        """Ends a pass: the logs of the last batch are those of the epoch."""
        while self._flying:
            self._land(self._flying.pop(0), training)

    def _land(self, flying: tuple[list[int], Any], training: bool) -> None:
        members, results = flying
        columns = [*self._columns(training), -1]
        self.logs[np.ix_(members, columns)] = self.training.population.landed(results)[members]

    def _columns(self, training: bool) -> list[int]:
        return list(range(self.training.training_logs)) if training else self.training.validation_columns

    def _steps_for(self, batch: Arrays, training: bool) -> SharedSteps:
        key = (training, shape_of(batch))
        if key not in self._steps:
            order = self.training.order
            pairs = list(zip(order.models, order.names, strict=True))
            if training:
                traced = [trace(model, name, batch, None, batch.rows) for model, name in pairs]
            else:
                traced = [trace(model, name, batch, batch, batch.rows) for model, name in pairs]
            self._steps[key] = SharedSteps.of(traced)
        return self._steps[key]


def _train_epoch(cohorts: Sequence[_OnStream], stream: Stream) -> None:
    _pass(cohorts, stream.epoch(), stream.num_batches, training=True)


def _validate(cohorts: Sequence[_OnStream], validation: Stream | None) -> None:
    if validation is None:  # arrays: one call for all rows
        for cohort in cohorts:
            cohort.training.validate(cohort.now, cohort.logs)
        return
    for cohort in cohorts:
        for member in cohort.now:
            cohort.training.call(member, "on_test_begin")
    validation.reset()
    _pass(cohorts, validation.epoch(), validation.num_batches, training=False)
    for cohort in cohorts:
        cohort.training.tell_validation(cohort.now, cohort.logs, True, begin=False)


def _pass(cohorts: Sequence[_OnStream], batches: Iterator[Arrays], known: int | None, *, training: bool) -> None:
    for cohort in cohorts:
        cohort.begin()
    paced = any(cohort.paced for cohort in cohorts)

    def most(batch: Arrays) -> int:
        if paced:
            return 1
        fitting = max(1, BYTES_PER_CALL // max(1, sum(leaf.nbytes for leaf in batch.leaves)))
        return min(fitting, BATCHES_PER_CALL, known or BATCHES_PER_CALL)

    step = 0
    for chunk in chunks(batches, most):
        for cohort in cohorts:
            if cohort.takes:
                cohort.take(chunk, most(chunk[0]), step, training=training)
        step += len(chunk)
        if not any(cohort.takes for cohort in cohorts):
            break
    for cohort in cohorts:
        cohort.end(training)
