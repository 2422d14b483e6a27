"""Passes over data: whole epochs in one call, or batch by batch, for some or all members of a population."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.kept_programs import kept_program
from kohort.cohort.order import Order
from kohort.cohort.population import Population
from kohort.cohort.program import NORMS, Part, Shared, SharedSteps, batches_program, epochs_program

BATCHES_PER_CALL = 64  # where nothing happens between batches: long enough that calling costs little


class WholeEpochs:
    """Trains whole epochs, validation included, on arrays in memory.

    Args:
        population: Who trains.
        steps: Their steps.
        training: What is trained on.
        validation: What is validated with, or None.
        held_out: Validation rows by member, (members, rows); None: all rows, for every member.
        validation_rows: How many rows are validated on where `held_out` is None.
        rows: Training rows of an epoch.
        epochs: The most epochs of a call.
        sometimes: Whether some epochs do not validate.
        norms: Whether norms of weights and gradients are measured.

    Attributes:
        norms: Of the epochs last trained, (members, epochs, 2); None where they are not measured.
    """

    def __init__(
        self,
        population: Population,
        steps: SharedSteps,
        training: Arrays,
        validation: Arrays | None,
        *,
        held_out: np.ndarray | None,
        validation_rows: int,
        rows: int,
        epochs: int,
        sometimes: bool,
        norms: bool = False,
    ):
        self.norms: np.ndarray | None = None
        self._measures = norms
        self.population, self.steps, self.epochs, self.sometimes = population, steps, epochs, sometimes
        self.held_out = None if held_out is None else held_out.astype(np.int32)
        self.rows = np.zeros((population.slots, epochs, rows), np.int32)
        self.shared = population.spread.everywhere(
            Shared(
                numbers=steps.lifted,
                training=training.leaves,
                validation=validation.leaves if validation else (),
                held_out=np.arange(validation_rows, dtype=np.int32),
                validate=np.ones(epochs, bool),
            )
        )
        self._compiled: dict[Part, Any] = {}

    @classmethod
    def of(cls, order: Order, population: Population) -> "WholeEpochs":
        """The epochs that an order asks for.

        Args:
            order: What to train on.
            population: Its members.
        """
        data, course = order.data, order.course
        return cls(
            population,
            order.group.steps,
            data.training,
            data.validation,
            held_out=data.validation_rows,
            validation_rows=data.validation.rows if data.validation else 0,
            rows=order.members[0].orders.rows,
            epochs=population.plan.epochs_per_call,
            sometimes=course.validation_freq != 1 and data.validation is not None,
            norms=order.norms,
        )

    def prepare(self) -> None:
        """Compiles the program of whole epochs."""
        self._program("both")

    def run(
        self,
        orders: Mapping[int, Sequence[np.ndarray]],
        *,
        part: Part = "both",
        validate: Sequence[bool] | None = None,
    ) -> np.ndarray:
        """Trains some members.

        Args:
            orders: Member -> the training rows of each of its epochs, in order; not looked at where none trains.
            part: `"train"` or `"test"` for that half of an epoch alone.
            validate: For each epoch, whether it validates; all do if None.

        Returns:
            Logs by member, (members, epochs, logs + 1).
        """
        for member, epochs in orders.items():
            slot = self.population.slot_of(member)
            for number, rows in enumerate(epochs if part != "test" else ()):
                self.rows[slot, number] = rows
        shared = self.shared
        if validate is not None:
            flags = np.ones(self.epochs, bool)
            flags[: len(validate)] = validate
            shared = shared._replace(validate=self.population.spread.everywhere(flags))
        counts = {member: len(epochs) for member, epochs in orders.items()}
        found = self.population.run(self._program(part), counts, self.rows, shared, held_out=self.held_out)
        if not self._measures:
            return found
        if part != "test":
            self.norms = found[..., -NORMS:]
        return found[..., :-NORMS]

    def _program(self, part: Part) -> Any:
        if part not in self._compiled:
            spread = self.population.spread
            options = {
                "own_held_out": self.held_out is not None,
                "part": part,
                "sometimes": self.sometimes,
                "norms": self._measures,
            }
            kind = ("epochs", spread.where, self.epochs, *options.values())
            make = partial(epochs_program, self.steps, spread, self.epochs, **options)
            self._compiled[part] = kept_program(kind, self.steps, make)
        return self._compiled[part]


class Batches:
    """Trains, or tests, batch by batch.

    Args:
        population: Who trains.
        steps: Their steps; those for other shapes of batches can be handed to `run`.
    """

    def __init__(self, population: Population, steps: SharedSteps):
        self.population, self.steps = population, steps
        self._compiled: dict[Any, Any] = {}
        self._placed: dict[int, tuple[Arrays, Any]] = {}

    def pick(
        self,
        data: Arrays,
        batches: Mapping[int, Sequence[np.ndarray]],
        *,
        training: bool,
        fresh: Iterable[int] = (),
    ) -> np.ndarray:
        """Takes batches that each member picks from shared arrays.

        Args:
            data: The arrays.
            batches: Member -> the rows of each of its batches.
            training: Whether to train on them or to test.
            fresh: The members whose metrics begin anew.

        Returns:
            The logs after each member's last batch, (members, logs + 1).
        """
        begun, logs = set(fresh), None
        left = {member: list(own) for member, own in batches.items() if len(own)}
        while left:
            size = max(len(own[0]) for own in left.values())
            now = {m: _leading(own, size) for m, own in left.items() if len(own[0]) == size}
            most = 1 if max(map(len, now.values())) == 1 else BATCHES_PER_CALL
            rows = np.zeros((self.population.slots, most, size), np.int32)
            for member, own in now.items():
                rows[self.population.slot_of(member), : len(own)] = own
            counts = {member: len(own) for member, own in now.items()}
            program = self._program(self.steps, size, training, own_rows=True)
            found = self.population.run(program, counts, rows, self._shared(data, training), fresh=begun & set(now))
            logs = found if logs is None else logs
            logs[list(now)] = found[list(now)]
            begun -= set(now)
            for member, own in now.items():
                left[member] = left[member][len(own) :]
            left = {member: own for member, own in left.items() if own}
        if logs is None:
            raise ValueError("there must be at least one batch")
        return logs

    def give(
        self,
        leaves: Sequence[np.ndarray],
        count: int,
        members: Iterable[int],
        steps: SharedSteps,
        *,
        training: bool,
        fresh: Iterable[int] = (),
    ) -> Any:
        """Takes batches of one shape that all members share, without waiting for them.

        Args:
            leaves: The arrays of the batches, each (batches, rows, …).
            count: How many of them to take; the others only fill the arrays to a size that is compiled for.
            members: Who takes them.
            steps: The steps for batches of this shape.
            training: Whether to train on them or to test.
            fresh: The members whose metrics begin anew.

        Returns:
            What `Population.landed` makes the logs after the last batch of, (members, logs + 1).
        """
        size = leaves[0].shape[1]
        spread = self.population.spread
        shared = Shared(
            numbers=spread.everywhere(steps.lifted),
            training=spread.everywhere(tuple(leaves)) if training else (),
            validation=() if training else spread.everywhere(tuple(leaves)),
            held_out=np.zeros(0, np.int32),
            validate=np.zeros(0, bool),
        )
        rows = np.zeros((self.population.slots, 0), np.int32)
        program = self._program(steps, size, training, own_rows=False)
        counts = dict.fromkeys(members, count)
        return self.population.launch(program, counts, rows, shared, fresh=fresh)

    def _program(self, steps: SharedSteps, size: int, training: bool, own_rows: bool) -> Any:
        key = (id(steps), size, training, own_rows)
        if key not in self._compiled:
            spread = self.population.spread
            make = partial(batches_program, steps, spread, size, training=training, own_rows=own_rows)
            self._compiled[key] = kept_program(("batches", spread.where, *key[1:]), steps, make)
        return self._compiled[key]

    def _shared(self, data: Arrays, training: bool) -> Shared:
        if training not in self._placed:
            leaves = self.population.spread.everywhere(data.leaves)
            shared = Shared(
                numbers=self.population.spread.everywhere(self.steps.lifted),
                training=leaves if training else (),
                validation=() if training else leaves,
                held_out=np.zeros(0, np.int32),
                validate=np.zeros(0, bool),
            )
            self._placed[training] = (data, shared)
        assert self._placed[training][0] is data
        return self._placed[training][1]


def _leading(batches: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """The first batches that all have this size, as many as one call takes."""
    found: list[np.ndarray] = []
    for rows in batches[:BATCHES_PER_CALL]:
        if len(rows) != size:
            break
        found.append(rows)
    return found
