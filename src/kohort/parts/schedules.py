"""Learning-rate schedules that Keras lacks. A step is one update; after the last step of a plan the rate stays."""

from typing import Any

import keras
from keras import ops


class _Warm(keras.optimizers.schedules.LearningRateSchedule):
    """What schedules have in common whose rate first rises to a peak.

    Args:
        peak: The largest rate.
        warmup_steps: Steps of the rise from 0, in equal parts; 0 for none.
        name: Its name.
    """

    def __init__(self, peak: float, warmup_steps: int, name: str):
        super().__init__()
        if warmup_steps < 0:
            raise ValueError(f"warmup_steps must be at least 0. Got {warmup_steps}.")
        self.peak, self.warmup_steps, self.name = peak, int(warmup_steps), name

    def __call__(self, step: Any) -> Any:
        """The rate at a step, counted from 0."""
        now = ops.cast(step, "float32")
        rising = now / max(1, self.warmup_steps)
        return self.peak * ops.where(now < self.warmup_steps, rising, self.share(now))

    def share(self, step: Any) -> Any:
        """The share of the peak after the rise."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """What makes the same schedule again."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "name": self.name}


@keras.saving.register_keras_serializable(package="kohort")
class LinearDecay(_Warm):
    """Warm-up, then straight down to a share of the peak (Devlin et al. 2019, BERT).

    Args:
        peak: The largest rate.
        decay_steps: Steps of the way down.
        warmup_steps: Steps of the rise from 0.
        floor: The share of the peak that is left.
        name: Its name.

    Raises:
        ValueError: There are no steps for the way down.
    """

    def __init__(
        self, peak: float, decay_steps: int, warmup_steps: int = 0, floor: float = 0.0, name: str = "LinearDecay"
    ):
        super().__init__(peak, warmup_steps, name)
        if decay_steps < 1:
            raise ValueError(f"decay_steps must be at least 1. Got {decay_steps}.")
        self.decay_steps, self.floor = int(decay_steps), floor

    def share(self, step: Any) -> Any:
        """1 − (1 − floor)·t, t from 0 to 1."""
        gone = ops.minimum((step - self.warmup_steps) / self.decay_steps, 1.0)
        return 1.0 - (1.0 - self.floor) * gone

    def get_config(self) -> dict[str, Any]:
        """What makes the same schedule again."""
        return super().get_config() | {"decay_steps": self.decay_steps, "floor": self.floor}


@keras.saving.register_keras_serializable(package="kohort")
class InverseSquareRoot(_Warm):
    """Warm-up, then peak·√(warm-up / step) (Vaswani et al. 2017, section 5.3).

    Args:
        peak: The largest rate, at the end of the warm-up.
        warmup_steps: Steps of the rise from 0, at least 1.
        name: Its name.

    Raises:
        ValueError: There is no warm-up, by whose length the decay is measured.
    """

    def __init__(self, peak: float, warmup_steps: int, name: str = "InverseSquareRoot"):
        if warmup_steps < 1:
            raise ValueError(f"warmup_steps must be at least 1: the decay is measured by it. Got {warmup_steps}.")
        super().__init__(peak, warmup_steps, name)

    def share(self, step: Any) -> Any:
        """√(warm-up / step)."""
        return ops.sqrt(self.warmup_steps / ops.maximum(step, 1.0))


@keras.saving.register_keras_serializable(package="kohort")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine up from peak / start to the peak, then half a cosine down to peak / (start·end).

    Smith & Topin 2019, with cosines instead of lines, as fastai and PyTorch do.

    Args:
        peak: The largest rate.
        total_steps: Steps of the whole cycle, at least 2.
        rise: The share of them on the way up.
        start: How many times smaller the first rate is than the peak.
        end: How many times smaller the last rate is than the first.
        name: Its name.

    Raises:
        ValueError: There are fewer than 2 steps, or the rise is no share.
    """

    def __init__(
        self,
        peak: float,
        total_steps: int,
        rise: float = 0.3,
        start: float = 25.0,
        end: float = 1e4,
        name: str = "OneCycle",
    ):
        super().__init__()
        if total_steps < 2 or not 0.0 < rise < 1.0:
            raise ValueError(f"total_steps must be at least 2 and rise in (0, 1). Got {total_steps} and {rise}.")
        self.peak, self.total_steps, self.rise = peak, int(total_steps), rise
        self.start, self.end, self.name = start, end, name

    def __call__(self, step: Any) -> Any:
        """The rate at a step, counted from 0."""
        last = float(self.total_steps - 1)
        top = self.rise * self.total_steps - 1.0 if self.rise * self.total_steps > 2.0 else self.rise * last
        now = ops.minimum(ops.cast(step, "float32"), last)
        first = self.peak / self.start
        up = _between(first, self.peak, now / top)
        down = _between(self.peak, first / self.end, (now - top) / (last - top))
        return ops.where(now <= top, up, down)

    def get_config(self) -> dict[str, Any]:
        """What makes the same schedule again."""
        own = ("peak", "total_steps", "rise", "start", "end", "name")
        return {name: getattr(self, name) for name in own}


def _between(begin: float, end: float, way: Any) -> Any:
    """Half a cosine from one rate to another."""
    return end + (begin - end) * 0.5 * (1.0 + ops.cos(ops.clip(way, 0.0, 1.0) * 3.141592653589793))
