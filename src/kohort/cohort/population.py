"""The members of a cohort on the devices: their states, who still trains, and what the host sees or changes of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from kohort.cohort.members import Member
from kohort.cohort.plan import Plan
from kohort.cohort.program import Own, Shared, Spread
from kohort.runtime import garbage_collection_paused


class Population:
    """States of members in slots. A slot belongs to a device; a member may move to another slot between calls.

    Args:
        members: The members; each begins with its own initial state.
        plan: Devices and layout.
    """

    def __init__(self, members: Sequence[Member], plan: Plan):
        self.members = list(members)
        self.plan = plan
        self.spread = Spread(plan)
        spare = plan.per_device * len(plan.devices) - len(members)
        self._member_in = np.array([*range(len(members)), *[-1] * spare])  # slot -> member; −1: empty
        self._recipe = np.array([member.recipe for member in members], np.int32)
        padded = [*self.members, *[self.members[-1]] * spare]  # what lies in an empty slot never trains
        # a variable after the other, so that only one lies on the way to the devices
        self.state: Any = [
            self.spread.apart(np.stack(values)) for values in zip(*(member.state for member in padded), strict=True)
        ]
        self._host: list[np.ndarray] | None = None
        self._changed: set[int] = set()

    def run(
        self,
        program: Any,
        counts: Mapping[int, int],
        rows: np.ndarray,
        shared: Shared,
        *,
        held_out: np.ndarray | None = None,
        fresh: Iterable[int] = (),
    ) -> np.ndarray:
        """Calls a program on some members' states.

        Args:
            program: From `epochs_program` or `batches_program`.
            counts: Member -> how many epochs or batches it trains.
            rows: `Own.rows` by slot, as `rows_by_slot` lays them out.
            shared: What is the same for all members, on the devices.
            held_out: Validation rows by member, (members, rows); None where all share them.
            fresh: The members whose metrics begin anew.

        Returns:
            The results by member; those of members that did not train are meaningless.
        """
        return self.landed(self.launch(program, counts, rows, shared, held_out=held_out, fresh=fresh))

    def landed(self, results: Any) -> np.ndarray:
        """Results of a call by member, once they are there."""
        return np.asarray(results)[self._slots()]

    def launch(
        self,
        program: Any,
        counts: Mapping[int, int],
        rows: np.ndarray,
        shared: Shared,
        *,
        held_out: np.ndarray | None = None,
        fresh: Iterable[int] = (),
    ) -> Any:
        """`run` without waiting: its results are still on the devices, and `landed` brings them over."""
        self.upload()
        wanted = [slot for slot, member in enumerate(self._member_in) if counts.get(int(member), 0)]
        active, slots = self.plan.active(wanted)
        count = np.array([counts.get(int(member), 0) for member in self._member_in], np.int32)
        begun = set(fresh)
        own = Own(
            recipe=self.by_slot(self._recipe),
            count=count,
            rows=rows,
            held_out=np.zeros((len(count), 0), np.int32) if held_out is None else self.by_slot(held_out),
            fresh=np.array([int(member) in begun for member in self._member_in]),
        )
        self._host = None
        arguments = self.spread.apart((active, slots, own))
        with garbage_collection_paused():  # the first call compiles
            self.state, results = program(self.state, *arguments, shared)
        return results

    def by_slot(self, values: np.ndarray) -> np.ndarray:
        """Values by member, laid out by slot."""
        return values[np.maximum(self._member_in, 0)]

    def slot_of(self, member: int) -> int:
        """Where a member lies."""
        return int(self._slots()[member])

    @property
    def slots(self) -> int:
        """How many slots there are, empty ones included."""
        return len(self._member_in)

    def _slots(self) -> np.ndarray:
        slots = np.zeros(len(self.members), int)
        slots[self._member_in[self._member_in >= 0]] = np.flatnonzero(self._member_in >= 0)
        return slots

    def fetch(self, member: int) -> list[np.ndarray]:
        """A member's state as it is now, on the host. All members' states come over at once, when first asked for."""
        if self._host is None:
            self._host = list(jax.device_get(self.state))
        slot = self.slot_of(member)
        return [values[slot] for values in self._host]

    def fetch_all(self) -> list[np.ndarray]:
        """All members' states as they are now, an array of shape (members, …) for each variable."""
        self.upload()
        slots = self._slots()
        return [np.array(values[slots]) for values in jax.device_get(self.state)]

    def withdraw(self, members: Iterable[int]) -> dict[int, list[np.ndarray]]:
        """Some members' last states, on the host. The devices give theirs up: each variable is there or here."""
        last: dict[int, list[np.ndarray]] = {member: [] for member in members}
        if not last:
            return last
        self.upload()
        self._host, slots = None, self._slots()
        for position in range(len(self.state)):
            values = jax.device_get(self.state[position])
            self.state[position] = None
            for member, state in last.items():
                state.append(np.array(values[slots[member]]))
            del values  # before the next comes over
        return last

    def replace_all(self, state: Sequence[np.ndarray]) -> None:
        """Gives all members the states that `fetch_all` gave."""
        self._host, self._changed = None, set()
        self.state = self.spread.apart([self.by_slot(np.asarray(values)) for values in state])

    def change(self, member: int, changes: Mapping[int, Any]) -> None:
        """Writes into a member's state: position -> value. The devices get it before the next call."""
        if not changes:
            return
        self.fetch(member)
        assert self._host is not None
        slot = self.slot_of(member)
        for position, value in changes.items():
            if position not in self._changed:
                self._host[position] = np.array(self._host[position])
                self._changed.add(position)
            self._host[position][slot] = value

    def upload(self) -> None:
        """Brings what was changed to the devices."""
        if self._changed:
            assert self._host is not None
            positions = sorted(self._changed)
            new = self.spread.apart([self._host[position] for position in positions])
            for position, values in zip(positions, new, strict=True):
                self.state[position] = values
            self._changed.clear()
            self._host = None

    def copied(self) -> Any:
        """A copy of all states on the devices, for `put_back`."""
        self.upload()
        return [values.copy() for values in self.state]

    def put_back(self, copied: Sequence[Any], members: Iterable[int]) -> None:
        """Gives some members the states that they had when they were copied."""
        before = jax.device_get(copied)
        for member in members:
            slot = self.slot_of(member)
            self.change(member, {position: values[slot] for position, values in enumerate(before)})

    def balance(self, training: Iterable[int]) -> None:
        """Shares the members that still train out evenly over the devices, where some have got two more than others."""
        going = set(training)
        per_device, devices = self.plan.per_device, len(self.plan.devices)
        shares = [
            [slot for slot in range(d * per_device, (d + 1) * per_device) if int(self._member_in[slot]) in going]
            for d in range(devices)
        ]
        order = np.arange(self.slots)
        while len(most := max(shares, key=len)) - len(least := min(shares, key=len)) >= 2:
            first = shares.index(least) * per_device
            free = next(slot for slot in range(first, first + per_device) if slot not in least)
            moved = most.pop()
            order[[free, moved]] = order[[moved, free]]
            least.append(free)
        if (order != np.arange(self.slots)).any():
            self.upload()
            self.state = self.spread.apart([values[order] for values in jax.device_get(self.state)])
            self._member_in = self._member_in[order]
            self._host = None
