"""Metrics by name that Keras lacks."""

from typing import Any

from kohort.parts import BalancedAccuracy


def metric_of(asked: Any, outputs: int) -> Any:
    """A metric as Keras takes it.

    Args:
        asked: What was asked for; `"balanced_accuracy"` is the one name that Keras does not know.
        outputs: How many classes there are.
    """
    return BalancedAccuracy(outputs) if asked == "balanced_accuracy" else asked
