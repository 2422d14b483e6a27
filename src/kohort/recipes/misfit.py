"""Whether a learning-rate schedule suits the length of a run.

Keras' schedules count steps, and nobody's epochs are steps: a cosine over 10,000 steps in a run of 2,250 ends at 88 %
of its rate, and does not anneal at all.
"""

from typing import Any

import keras
from keras.optimizers import schedules

from kohort.parts import Resting

TOLERANCE = 0.02  # of the run's steps; the last partial batch and rounding are no misfit


def misfit(optimizer: Any, steps: int) -> str:
    """What is wrong with a schedule that ends elsewhere than the run; empty where nothing is.

    Looked at are schedules that have an end: cosine and polynomial decay, and those of other makers that tell their
    `decay_steps` and are no exponential, inverse-time or restarting schedule.

    Args:
        optimizer: The optimiser, after the steps that it has taken.
        steps: The steps to come.
    """
    while (inner := getattr(optimizer, "inner_optimizer", None)) is not None:
        if isinstance(optimizer, Resting):
            steps = min(steps, optimizer.start - int(_number(optimizer.iterations.value)))
        optimizer = inner
    schedule = getattr(optimizer, "_learning_rate", None)
    if not isinstance(schedule, schedules.LearningRateSchedule):
        return ""
    planned = getattr(schedule, "decay_steps", None)
    endless = (schedules.ExponentialDecay, schedules.InverseTimeDecay, schedules.CosineDecayRestarts)
    if planned is None or isinstance(schedule, endless) or getattr(schedule, "cycle", False):
        return ""
    warmup = getattr(schedule, "warmup_steps", 0) or 0
    begun = int(_number(optimizer.iterations.value))
    end, whole = begun + steps, int(planned) + int(warmup)
    if abs(whole - end) <= max(1.0, TOLERANCE * end):
        return ""
    peak = max(_rate(schedule, begun), _rate(schedule, int(warmup)))
    left = 100.0 * _rate(schedule, end) / peak if peak else 0.0
    name = type(schedule).__name__
    fitting = f"decay_steps={max(1, end - int(warmup))} fits this run"
    if whole > end:
        return f"its {name} lasts {whole:,} steps, the run {end:,}, so it ends at {left:.0f} % of its rate; {fitting}"
    return (
        f"its {name} ends after {whole:,} of {end:,} steps, and the rest of the run has {left:.2g} % of its rate; "
        f"{fitting}"
    )


def _rate(schedule: Any, step: int) -> float:
    return _number(schedule(step))


def _number(value: Any) -> float:
    found: Any = keras.ops.convert_to_numpy(value)
    return float(found)
