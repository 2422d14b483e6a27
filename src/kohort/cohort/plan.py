"""How a cohort is laid out on the machine: which devices, and how many members at once on each.

On CPU each device is one core and trains its members one after another: a member's weights and optimiser state fit
in that core's cache, and its numbers do not depend, to the last bit, on who else is in the program. (They do depend in
the last bits on whether there is one device or several: XLA compiles the program differently.) On an accelerator, where
one small network cannot fill the chip, members are vectorised, as many as memory holds.

The choice follows from the platform and from memory alone. It was measured (`benchmarks/plans.py`): on CPU no other is
more than a tenth faster but for networks of a few thousand weights, whose kernels take less time than starting them,
and now and then with batch normalisation. There several at once are faster, at the price of last bits that depend on
the size of a cohort. Whoever accepts that asks for a number (`at_once`), or has the fastest measured (`layouts.py`):
that compiles every candidate, and noise decides between those that are equally fast, so it is done for nobody who has
not asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

ORDER_BYTES = 64 * 2**20  # row orders that one call may hold: 80 members x 1,152 rows x 180 epochs


@dataclass(frozen=True)
class Plan:
    """Where the members of a cohort train.

    Attributes:
        devices: JAX devices; each trains a share of the members.
        at_once: Members that a device vectorises; 1: one after another.
        members: How many members there are.
        epochs_per_call: The most epochs that one call of the program trains.
        reason: Why, in words.
    """

    devices: tuple[Any, ...]
    at_once: int
    members: int
    epochs_per_call: int
    reason: str

    @property
    def per_device(self) -> int:
        """Slots for members on each device, whole groups of those at once; some may stay empty."""
        share = -(-self.members // len(self.devices))
        return -(-share // self.at_once) * self.at_once

    def active(self, wanted: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Who trains: for each device how many, and all of its slots, the active ones first.

        Args:
            wanted: The slots whose members go on training.

        Returns:
            Counts, int32 (devices,), and slots, int32 (devices * per_device,).
        """
        counts, slots = [], []
        for device in range(len(self.devices)):
            first = device * self.per_device
            own = [slot - first for slot in wanted if first <= slot < first + self.per_device]
            counts.append(len(own))
            slots += [*own, *sorted(set(range(self.per_device)).difference(own))]
        return np.array(counts, np.int32), np.array(slots, np.int32)


def plan_for(
    members: int,
    epochs: int,
    rows: int,
    *,
    devices: int | None = None,
    at_once: int | None = None,
    room: int | None = None,
    why: str = "as asked",
) -> Plan:
    """The plan for a cohort.

    Args:
        members: Its size.
        epochs: Epochs that will be trained.
        rows: Training rows.
        devices: Use this many devices instead of all.
        at_once: Vectorise so many members instead of as many as suits the platform.
        room: For how many members at once a device has memory; None: for all.
        why: Why `at_once`, in words.
    """
    found = jax.local_devices()
    # one per member at the most, since each device holds the data; but two where there are two, because XLA compiles
    # for one and for several differently, and a member's last bits should not depend on how many others there are
    used = found[: min(devices or len(found), max(members, 2))]
    share, platform = -(-members // len(used)), found[0].platform
    if at_once is not None:
        chosen = min(at_once, share)
    elif platform == "cpu":
        chosen, why = 1, "each fits into a core's cache"
    else:
        chosen, why = share if room is None else min(share, max(1, room)), "one alone would not fill the chip"
    fitting = max(1, ORDER_BYTES // (4 * rows * members))
    told = "one member after another on each" if chosen == 1 else f"{chosen} members at once on each"
    reason = f"{len(used)} of {len(found)} {platform} devices, {told} ({why})"
    return Plan(tuple(used), chosen, members, min(epochs, fitting), reason)
