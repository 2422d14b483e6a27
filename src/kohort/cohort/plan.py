"""How a cohort is laid out on the machine: which devices, and members mapped or vectorised.

On CPU each device is one core and trains its members one after another: a member's weights and optimiser state fit
in that core's cache, and its numbers do not depend, to the last bit, on who else is in the program. (They do depend in
the last bits on whether there is one device or several: XLA compiles the program differently.) On an
accelerator, where one small network cannot fill the chip, members are vectorised.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

Layout = Literal["map", "vmap"]

ORDER_BYTES = 64 * 2**20  # row orders that one call may hold: 80 members x 1,152 rows x 180 epochs


@dataclass(frozen=True)
class Plan:
    """Where the members of a cohort train.

    Attributes:
        devices: JAX devices; each trains a share of the members.
        layout: `"map"`: one member after another on each device; `"vmap"`: all of a device's members at once.
        members: How many members there are.
        epochs_per_call: The most epochs that one call of the program trains.
        reason: Why, in words.
    """

    devices: tuple[Any, ...]
    layout: Layout
    members: int
    epochs_per_call: int
    reason: str

    @property
    def per_device(self) -> int:
        """Slots for members on each device; the last device may leave some empty."""
        return -(-self.members // len(self.devices))

    def active(self, wanted: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Who trains: for each device how many, and which of its slots, the active ones first.

        Args:
            wanted: The members that go on training.

        Returns:
            Counts, int32 (devices,), and slots, int32 (devices * per_device,).
        """
        counts, slots = [], []
        for device in range(len(self.devices)):
            first = device * self.per_device
            own = [member - first for member in wanted if first <= member < first + self.per_device]
            counts.append(len(own))
            slots += own + [0] * (self.per_device - len(own))
        return np.array(counts, np.int32), np.array(slots, np.int32)


def plan_for(members: int, epochs: int, rows: int, *, devices: int | None = None, layout: Layout | None = None) -> Plan:
    """The plan for a cohort.

    Args:
        members: Its size.
        epochs: Epochs that will be trained.
        rows: Training rows.
        devices: Use this many devices instead of all.
        layout: Use this layout instead of the one that suits the platform.
    """
    found = jax.local_devices()
    # one per member at the most, since each device holds the data; but two where there are two, because XLA compiles
    # for one and for several differently, and a member's last bits should not depend on how many others there are
    used = found[: min(devices or len(found), max(members, 2))]
    platform = found[0].platform
    chosen = layout or ("map" if platform == "cpu" else "vmap")
    fitting = max(1, ORDER_BYTES // (4 * rows * members))
    told = "one member after another on each" if chosen == "map" else "the members of each at once"
    reason = f"{len(used)} of {len(found)} {platform} devices, {told}"
    return Plan(tuple(used), chosen, members, min(epochs, fitting), reason)
