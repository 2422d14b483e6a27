"""What of a process decides the last digits of a run's numbers."""

import jax
import keras
import numpy as np

import kohort


def here() -> dict[str, str]:
    """Versions, and the kind of this process' devices, as text by name."""
    devices = jax.local_devices()
    return {
        "kohort": kohort.__version__,
        "keras": keras.__version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        # XLA compiles for one device and for several differently, for any number of several alike
        "devices": f"{'one' if len(devices) == 1 else 'several'} {devices[0].device_kind}",
    }
