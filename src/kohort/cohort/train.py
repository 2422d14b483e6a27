"""The loop over epochs: members train and validate, and their callbacks are called, in the order of `fit`."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from kohort.cohort.callback_state import CannotBeKeptError
from kohort.cohort.callbacks import MemberCallbacks, check_apart, copies, given, needs_of
from kohort.cohort.capture import finalized
from kohort.cohort.columns import Columns
from kohort.cohort.halfway import Halfway, written
from kohort.cohort.looks import look_at
from kohort.cohort.members import Member
from kohort.cohort.order import Order, in_words, plan_of
from kohort.cohort.passes import Batches, WholeEpochs
from kohort.cohort.population import Population
from kohort.cohort.program import NORMS
from kohort.progress import CohortNow, Told
from kohort.seeds import RowBatches

_NO_ROWS = np.zeros(0, np.int32)
_UNKNOWN = np.full(NORMS, np.nan, np.float32)

SECONDS_PER_CALL = 0.5  # long enough that calling costs nothing, short enough that a bar moves and Ctrl-C is heard


@dataclass(frozen=True)
class Trained:
    """A member after its last epoch.

    Attributes:
        state: Its state, NumPy arrays in the order of `capture.variables`, ended as `fit` ends it.
        history: Log name -> one value per epoch, as Keras' `History.history`.
        epochs: The epochs trained, from 0.
        diverged_at: The first epoch after which a log or a weight was not finite, or None.
        callbacks: The member's own callbacks.
        stopped: Whether a callback ended its training.
        seconds: Its share of the seconds that its cohort took, by the epochs that it trained.
        plan: How its cohort lay on the machine, in words.
        norms: After each epoch the L2 norm of its trainable weights, and of the gradients of the last batch, (epochs,
            2), NaN where not known; None where they were not measured.
    """

    state: list[np.ndarray]
    history: dict[str, list[float]]
    epochs: list[int]
    diverged_at: int | None
    callbacks: tuple[Any, ...] = ()
    stopped: bool = False
    seconds: float = 0.0
    norms: np.ndarray | None = None
    plan: str = ""


class CohortTraining:
    """One cohort on its way through the epochs.

    Args:
        order: What to train.
    """

    def __init__(self, order: Order):
        self.order, self.course = order, order.course
        members = order.members
        self.heard = [self._callbacks_of(member) for member in members]
        check_apart([(own.recipe, own.seed, own.own) for own in self.heard if own])
        self.needs = needs_of([callback for own in self.heard if own for callback in own.own])
        plan = plan_of(order)
        self.told = in_words(order, plan)
        self.population = Population(members, plan)
        if order.capacity > len(members):
            self.population.balance(range(len(members)))
        self.epochs = WholeEpochs.of(order, self.population)
        steps = order.group.steps
        self.batches = Batches(self.population, steps)
        self.training_logs = steps.logs[0]
        self.logs: list[list[np.ndarray]] = [[] for _ in members]
        self.norms: list[list[np.ndarray]] = [[] for _ in members]
        self.trained: list[list[int]] = [[] for _ in members]
        self.ended: dict[int, list[np.ndarray]] = {}
        self.first: list[int] = []
        self.going: set[int] = set()
        self._can_be_kept = True

    def run(self, progress: Told) -> list[Trained]:
        """Trains the members on arrays in memory."""
        started = time.perf_counter()
        if any(self.heard) or self.course.steps_per_epoch is not None:
            self._run_epoch_by_epoch(progress)
        else:
            self._run_chunks(progress)
        each = (time.perf_counter() - started) / max(1, sum(map(len, self.trained)))
        return [replace(result, seconds=each * len(result.epochs)) for result in self.results()]

    def results(self) -> list[Trained]:
        """The members after their training, which cannot go on."""
        numbers = range(len(self.order.members))
        last = self.population.withdraw(member for member in numbers if member not in self.ended)
        for member in last:
            last[member] = finalized(self.order.models[self.recipe(member)], last[member])
        last |= self.ended
        return [self._result(member, last[member]) for member in numbers]

    # without callbacks: as many epochs a call as fill half a second

    def _run_chunks(self, progress: Told) -> None:
        done, wanted = self._resume(), 1
        self.going = {member for member, own in enumerate(self.trained) if len(own) == done}
        while done < self.course.length and self.going:
            count = min(wanted, self._to_next_rung(done), self.epochs.epochs)
            numbers = range(self.course.initial_epoch + done, self.course.initial_epoch + done + count)
            orders = {member: [self._rows(member) for _ in numbers] for member in sorted(self.going)}
            started = time.perf_counter()
            logs = self.epochs.run(orders, validate=self._validations(numbers))
            seconds = time.perf_counter() - started
            for member in orders:
                for position, epoch in enumerate(numbers):
                    self._note(member, epoch, logs[member, position], position)
            done += count
            leaving = self._leaving(done)
            self.going -= leaving
            if leaving:
                self.population.balance(self.going)
            progress(*self.progress(), self.look)
            self._offer(done)
            wanted = max(1, int(count * SECONDS_PER_CALL / max(seconds, 1e-6)))

    def _to_next_rung(self, done: int) -> int:
        """How many epochs are left until members are compared, or to the end."""
        rungs = self.course.rungs.after if self.course.rungs else ()
        return next((rung for rung in rungs if rung > done), self.course.length) - done

    def _leaving(self, done: int) -> set[int]:
        """The members that leave after so many epochs since others do better."""
        rungs = self.course.rungs
        if rungs is None or done not in rungs.after or done >= self.course.length:
            return set()
        going = {(self.order.names[self.recipe(own)], self.order.members[own].seed): own for own in sorted(self.going)}
        kept = rungs.judge(done, {member: self._history(own) for member, own in going.items()})
        return {own for member, own in going.items() if member not in kept}

    def _resume(self) -> int:
        """Goes back to where the cohort stood when its process ended; gives how many epochs it had trained."""
        kept = self.order.keeper.load() if self.order.keeper is not None else None
        if kept is None:
            return 0
        self.population.replace_all(kept.state)
        for number, (member, generator) in enumerate(zip(self.order.members, kept.generators(), strict=True)):
            count = int(kept.trained[number])
            member.orders.generator.set_state(generator.get_state())  # callbacks hold the very generator
            self.logs[number], self.norms[number] = list(kept.logs[number][:count]), list(kept.norms[number][:count])
            self.trained[number] = [self.course.initial_epoch + epoch for epoch in range(count)]
            own = self.heard[number]
            if own is not None:
                own.restore(kept.heard[number], kept.held)
        for member in [own for own in self.going if self.stopped(own)]:
            self.going.discard(member)
            self.ended[member] = [np.array(value) for value in self.population.fetch(member)]
        self.population.balance(self.going or range(len(self.order.members)))
        return kept.epochs

    def _halfway(self, epochs: int) -> Halfway:
        """Where the cohort stands.

        Raises:
            CannotBeKeptError: A callback holds what cannot be kept.
        """
        held: list[np.ndarray] = []
        heard = [None if own is None else own.kept(held) for own in self.heard]
        keys, positions = written([member.orders.generator for member in self.order.members])
        trained = np.array([len(own) for own in self.trained])
        logs, norms = (_padded(own, epochs) for own in (self.logs, self.norms))
        return Halfway(epochs, self.population.fetch_all(), logs, norms, trained, keys, positions, heard, held)

    def _offer(self, epochs: int) -> None:
        """Lets the keeper keep where the cohort stands after so many epochs, if it will."""
        if self.order.keeper is None or not self._can_be_kept or epochs >= self.course.length:
            return
        try:
            self.order.keeper.offer(partial(self._halfway, epochs))
        except CannotBeKeptError:
            self._can_be_kept = False

    # with callbacks: every member's callbacks are heard at the points at which fit calls them

    def _run_epoch_by_epoch(self, progress: Told) -> None:
        if self.needs.batches:
            warn_of_the_pace(self.needs.batches)
        self.begin()
        # with steps_per_epoch an epoch may end amid the rows; a backup of the user's own may begin later
        alike = all(first == self.course.initial_epoch for first in self.first)
        self._can_be_kept = alike and self.course.steps_per_epoch is None
        done = self._resume() if self._can_be_kept else 0
        batches = [RowBatches(member.orders, self.course.steps_per_epoch) for member in self.order.members]
        for epoch in self.epochs_to_go(done):
            now = self.start(epoch)
            if now:
                self.finish(epoch, now, self._epoch(epoch, now, batches))
                progress(*self.progress(), self.look)
                if self.going:
                    self._offer(epoch + 1 - self.course.initial_epoch)

    def begin(self) -> None:
        """Tells callbacks that training begins; a restored backup may then begin later than others."""
        for member in range(len(self.order.members)):
            self.call(member, "on_train_begin")
            own = self.heard[member]
            asked = own.model._initial_epoch if own else None
            self.first.append(asked or self.course.initial_epoch)
            if self.first[member] >= self.course.epochs:
                self._end(member)
            else:
                self.going.add(member)

    def epochs_to_go(self, done: int = 0) -> Iterator[int]:
        """The epochs, until nobody is left; but for so many that were trained before."""
        for epoch in range(min(self.first) + done, self.course.epochs):
            if not self.going:
                return
            yield epoch

    def start(self, epoch: int) -> list[int]:
        """Tells callbacks that an epoch begins; gives the members that train it."""
        self.epochs.norms = None
        now = [member for member in sorted(self.going) if self.first[member] <= epoch]
        for member in now:
            self.call(member, "on_epoch_begin", epoch)
        return now

    def finish(self, epoch: int, now: Sequence[int], logs: np.ndarray) -> None:
        """Notes an epoch's logs by member, tells callbacks, and ends the training of those who stop."""
        for member in now:
            self._note(member, epoch, logs[member])
            self.call(member, "on_epoch_end", epoch, self._named(member, epoch, logs[member]))
            if self.stopped(member) or epoch + 1 == self.course.epochs:
                self._end(member, self._named(member, epoch, logs[member]))
                self.going.discard(member)
        for member in self._leaving(epoch + 1 - self.course.initial_epoch):
            self._end(member, self._named(member, epoch, logs[member]))
            self.going.discard(member)
        self.population.balance(self.going)

    def look(self) -> list[CohortNow]:
        """Where the cohort stands, for whoever follows it."""
        return [look_at(self.order, self.logs, self.trained, len(self.going))]

    def progress(self) -> tuple[int, int]:
        """The run-epochs trained so far, and those that never will be since their members have stopped."""
        ended = set(range(len(self.order.members))) - self.going
        spared = sum(self.course.length - len(self.trained[member]) for member in ended)
        return sum(map(len, self.trained)), spared

    def _epoch(self, epoch: int, now: Sequence[int], batches: Sequence[RowBatches]) -> np.ndarray:
        """Trains and validates one epoch of some members; gives their logs by member."""
        validates = self.order.data.validation is not None and self.course.validates(epoch)
        cut = [member for member in now if self.stopped(member)]  # asked to stop before the first batch: fit trains one
        if not (self.needs.batches or cut or self.course.steps_per_epoch):
            orders = {member: [self._rows(member)] for member in now}
            before = self.population.copied() if self.needs.stop_at_nan else None
            if not self.needs.before_validation:
                logs = self.epochs.run(orders, validate=[validates] if self.epochs.sometimes else None)[:, 0]
                if before is not None:
                    self._replay(logs, before, orders, epoch, validates)
                self.tell_validation(now, logs, validates)
                return logs
            logs = self.epochs.run(orders, part="train")[:, 0]
            if before is not None:
                self._replay(logs, before, orders, epoch, validates=False)
        else:
            picked = {member: self.order.data.among_all(member, batches[member].next_epoch()) for member in now}
            logs = np.zeros((len(self.order.members), sum(self.order.group.steps.logs) + 1), np.float32)
            self._train_batches(picked, logs)
        if validates:
            self.validate(now, logs)
        return logs

    def _train_batches(self, picked: Mapping[int, Sequence[np.ndarray]], logs: np.ndarray) -> None:
        """Trains members on batches of their own, calling batch-level hooks where somebody hears; writes their logs."""
        cut = any(self.stopped(member) for member in picked)
        if self.needs.batches or self.needs.stop_at_nan or cut:
            self._batch_by_batch(picked, logs, training=True)
        else:
            found = self.batches.pick(self.order.data.training, picked, training=True, fresh=picked)
            logs[:, [*range(self.training_logs), -1]] = found

    def _batch_by_batch(self, picked: Mapping[int, Sequence[np.ndarray]], logs: np.ndarray, *, training: bool) -> None:
        """As many batches at once as the model's steps_per_execution says, and its hooks before and after."""
        kind = "train" if training else "test"
        columns = [*(range(self.training_logs) if training else self.validation_columns), -1]
        data = self.order.data.training if training else self.order.data.validation
        assert data is not None
        at_once = {member: self.order.models[self.recipe(member)].steps_per_execution for member in picked}
        begin = dict.fromkeys(picked, 0)
        while begin:
            for member, first in begin.items():
                self.call(member, f"on_{kind}_batch_begin", first)
            given = {member: picked[member][first : first + at_once[member]] for member, first in begin.items()}
            fresh = [member for member, first in begin.items() if first == 0]
            found = self.batches.pick(data, given, training=training, fresh=fresh)
            for member in list(begin):
                logs[member, columns] = found[member]
                begin[member] += at_once[member]
                told = self.columns(member, training).read(found[member])
                self.call(member, f"on_{kind}_batch_end", begin[member] - 1, told)
                if begin[member] >= len(picked[member]) or (training and self.stopped(member)):
                    del begin[member]

    def _replay(
        self, logs: np.ndarray, before: Any, orders: Mapping[int, Sequence[np.ndarray]], epoch: int, validates: bool
    ) -> None:
        """Trains an epoch that ended in a loss that is not finite again, batch by batch, up to where that began."""
        loss = self.order.logs[0][0].of("loss")
        bad = [member for member in orders if loss is not None and not np.isfinite(logs[member, loss])]
        if not bad:
            return
        self.population.put_back(before, bad)
        if self.epochs.norms is not None:
            self.epochs.norms[bad] = np.nan  # they were of the whole epoch
        self._train_batches({member: _cut(orders[member][0], self._size()) for member in bad}, logs)
        if validates:
            self.validate(bad, logs, told=False)

    def validate(self, now: Sequence[int], logs: np.ndarray, told: bool = True) -> None:
        """Validates some members and writes their logs."""
        validation, held_out = self.order.data.validation, self.order.data.validation_rows
        assert validation is not None
        for member in now if told else ():
            self.call(member, "on_test_begin")
        if told and any(self.hears(m, f"on_test_batch_{end}") for m in now for end in ("begin", "end")):
            size = next(iter(self.order.group.steps.test))
            rows = {m: np.arange(validation.rows) if held_out is None else held_out[m] for m in now}
            self._batch_by_batch({m: _cut(own, size) for m, own in rows.items()}, logs, training=False)
        else:
            columns = np.ix_(now, [*self.validation_columns, -1])
            logs[columns] = self.epochs.run({member: [_NO_ROWS] for member in now}, part="test")[:, 0][columns]
        if told:
            self.tell_validation(now, logs, True, begin=False)

    def tell_validation(self, now: Sequence[int], logs: np.ndarray, validated: bool, begin: bool = True) -> None:
        """Tells callbacks of a validation that has been, if there was one."""
        for member in now if validated and self.order.data.validation is not None else ():
            if begin:
                self.call(member, "on_test_begin")
            told = self.columns(member, training=False).read(logs[member][self.validation_columns])
            self.call(member, "on_test_end", told)

    # one member

    def _callbacks_of(self, member: Member) -> MemberCallbacks | None:
        order = self.order
        if self.course.callbacks is None:
            return None
        name, model = order.names[member.recipe], order.models[member.recipe]
        kept = [*order.models, *self.course.data]
        asked = self.course.callbacks
        own = given(asked, name) if order.in_place else copies(asked, name, member.seed, kept)
        if not own and not order.in_place:
            return None
        return MemberCallbacks(
            own,
            model,
            recipe=name,
            seed=member.seed,
            params=self.course.params,
            generator=member.orders.generator,
            python_state=member.python_state,
            in_place=order.in_place,
        )

    def _end(self, member: int, logs: dict[str, float] | None = None) -> None:
        """Ends a member's training: optimiser's averages are written, then its callbacks are told."""
        reached = self.population.fetch(member)
        state = finalized(self.order.models[self.recipe(member)], reached)
        if state is not reached:
            self.population.change(member, dict(enumerate(state)))
        self.call(member, "on_train_end", logs or {})
        self.ended[member] = [np.array(value) for value in self.population.fetch(member)]

    def call(self, member: int, hook: str, *arguments: Any) -> None:
        """Calls a hook of a member's callbacks and takes over what they change."""
        own = self.heard[member]
        if own is not None:
            changes = own.call(hook, *arguments, fetch=lambda: self.population.fetch(member))
            self.population.change(member, changes)

    def hears(self, member: int, hook: str) -> bool:
        """Whether one of a member's callbacks has this hook."""
        own = self.heard[member]
        return own is not None and own.hears(hook)

    def stopped(self, member: int) -> bool:
        """Whether a callback asked a member to stop."""
        own = self.heard[member]
        return own is not None and own.stopped

    def recipe(self, member: int) -> int:
        """The position of a member's recipe in the group."""
        return self.order.members[member].recipe

    def _size(self) -> int:
        return next(iter(self.order.group.steps.train))

    def _rows(self, member: int) -> np.ndarray:
        """The rows of a member's next epoch."""
        return self.order.data.among_all(member, [self.order.members[member].orders.next_epoch()])[0]

    def _validations(self, epochs: range) -> list[bool] | None:
        return [self.course.validates(epoch) for epoch in epochs] if self.epochs.sometimes else None

    def _note(self, member: int, epoch: int, logs: np.ndarray, position: int = 0) -> None:
        """Notes an epoch of a member; norms are those of the last call, where it trained whole epochs."""
        measured = self.epochs.norms
        self.logs[member].append(np.array(logs))
        self.norms[member].append(_UNKNOWN if measured is None else measured[member, position])
        self.trained[member].append(epoch)

    def _named(self, member: int, epoch: int, logs: np.ndarray) -> dict[str, Any]:
        """The logs of an epoch by name, without validation where there was none."""
        named = self.columns(member, training=True).read(logs)
        if self.course.validates(epoch):
            named |= self.columns(member, training=False).read(logs[self.training_logs :], prefix="val_")
        return {name: named[name] for name in sorted(named)}

    def columns(self, member: int, training: bool) -> Columns:
        """The logs of a member's training or validation."""
        return self.order.logs[self.recipe(member)][0 if training else 1]

    @property
    def validation_columns(self) -> list[int]:
        """Where among an epoch's logs those of validation stand."""
        return list(range(self.training_logs, sum(self.order.group.steps.logs)))

    def _history(self, member: int) -> dict[str, list[Any]]:
        """What a member has logged, by name, as Keras' `History` has it."""
        history: dict[str, list[Any]] = {}
        for epoch, logs in zip(self.trained[member], self.logs[member], strict=True):
            for name, value in self._named(member, epoch, logs).items():
                history.setdefault(name, []).append(value)
        return history

    def _result(self, member: int, state: list[np.ndarray]) -> Trained:
        own = self.heard[member]
        epochs = self.trained[member]
        history = self._history(member) if own is None else dict(own.history.history)
        validated = [self.course.validates(epoch) for epoch in epochs]
        bad = _first_bad(self.logs[member], validated, self.training_logs)
        diverged_at = None if bad is None else epochs[bad]
        heard = tuple(own.own) if own else ()
        norms = np.array(self.norms[member], np.float32).reshape(-1, NORMS) if self.order.norms else None
        stopped, told = self.stopped(member), self.told
        return Trained(state, history, list(epochs), diverged_at, heard, stopped, norms=norms, plan=told)


def _padded(rows: Sequence[Sequence[np.ndarray]], epochs: int) -> np.ndarray:
    """The epochs of all members as one array, with NaN after those who have stopped."""
    width = max((len(row) for own in rows for row in own), default=0)
    found = np.full((len(rows), epochs, width), np.nan, np.float32)
    for member, own in enumerate(rows):
        for epoch, row in enumerate(own):
            found[member, epoch] = row
    return found


def warn_of_the_pace(callbacks: Sequence[str]) -> None:
    """Says that callbacks act at each batch and what that costs."""
    warnings.warn(
        f"{', '.join(callbacks)} acts at each batch, so the cohort trains at a batch's pace. "
        "Callbacks that act at epochs only leave it at full speed.",
        stacklevel=2,
    )


def _cut(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _first_bad(logs: Sequence[np.ndarray], validated: Sequence[bool], training_logs: int) -> int | None:
    for number, (row, whole) in enumerate(zip(logs, validated, strict=True)):
        seen = row if whole else row[[*range(training_logs), -1]]
        if not np.isfinite(seen).all() or row[-1] == 0.0:
            return number
    return None
