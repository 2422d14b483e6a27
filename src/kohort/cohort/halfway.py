"""A cohort half-way: all that the rest of its training depends on, as arrays, and who keeps it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

_NAMED = ("logs", "norms", "trained", "keys", "positions")


@dataclass(frozen=True, eq=False)
class Halfway:
    """Where a cohort stands between two epochs.

    Attributes:
        epochs: How many epochs are trained.
        state: The members' states, an array of shape (members, …) for each variable in the order of
            `capture.variables`: weights, optimiser, seed generators, metrics.
        logs: The epochs' logs, of shape (members, epochs, logs); NaN after a member has stopped.
        norms: The epochs' norms, of shape (members, epochs, norms), alike.
        trained: How many epochs each member has trained, (members,).
        keys: NumPy's generators that draw the orders of the members' batches: their words, of shape (members, 624).
        positions: How far each has used these, and the normal number that it may hold, of shape (members, 3).
        heard: What the members' callbacks hold in mind, JSON values for each member; empty where there are none.
        held: The arrays of which that speaks.
    """

    epochs: int
    state: Sequence[np.ndarray]
    logs: np.ndarray
    norms: np.ndarray
    trained: np.ndarray
    keys: np.ndarray
    positions: np.ndarray
    heard: Sequence[Any] = ()
    held: Sequence[np.ndarray] = ()

    def arrays(self) -> dict[str, np.ndarray]:
        """Its arrays by name."""
        state = {f"state/{position}": values for position, values in enumerate(self.state)}
        held = {f"held/{position}": values for position, values in enumerate(self.held)}
        heard = np.frombuffer(json.dumps(list(self.heard)).encode(), np.uint8)
        return {**state, **held, "heard": heard, **{name: getattr(self, name) for name in _NAMED}}

    @classmethod
    def of(cls, epochs: int, arrays: Mapping[str, np.ndarray]) -> "Halfway":
        """What `arrays` gave, back."""

        def numbered(kind: str) -> list[np.ndarray]:
            count = sum(name.startswith(f"{kind}/") for name in arrays)
            return [arrays[f"{kind}/{position}"] for position in range(count)]

        heard = json.loads(arrays["heard"].tobytes())
        named = {name: arrays[name] for name in _NAMED}
        return cls(epochs, numbered("state"), **named, heard=heard, held=numbered("held"))

    def generators(self) -> list[np.random.RandomState]:
        """The members' generators, each where it stood."""
        found = []
        for keys, (position, has_normal, normal) in zip(self.keys, self.positions, strict=True):
            own = np.random.RandomState()
            own.set_state(("MT19937", keys, int(position), int(has_normal), float(normal)))
            found.append(own)
        return found


def written(generators: Sequence[np.random.RandomState]) -> tuple[np.ndarray, np.ndarray]:
    """`keys` and `positions` of generators."""
    states: list[Any] = [own.get_state() for own in generators]
    keys = np.stack([keys for _, keys, *_ in states]).astype(np.uint32)
    return keys, np.array([rest for _, _, *rest in states], np.float64)


class Keeper(Protocol):
    """Keeps where a cohort stands, so that it can go on from there in another process."""

    def load(self) -> Halfway | None:
        """Where it stood; None if nothing was kept."""
        ...

    def offer(self, now: Callable[[], Halfway]) -> None:
        """Keeps where it stands if it is time to, which the keeper decides."""
        ...
