"""What is kept of a network's answers on the test rows, so that its mistakes can be shown when it is gone."""

import numpy as np

from kohort.run import MOST_CONFUSED
from kohort.statistics.calibration import reliability


def answers(y: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """What `run.DIAGNOSTICS` names of answers: confusion and reliability of classes, else residuals.

    Args:
        y: The rows' class numbers, or their targets, (rows,).
        predicted: What the network says in the same units, (rows, outputs).
        classes: How many classes there are; 0: it is a regression.

    Returns:
        Name -> numbers; without those that are not defined: reliability where outputs are no probabilities, all of
        them where an output is not finite.

    >>> answers(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]]), 2)["confusion"].tolist()
    [1.0, 0.0, 1.0, 1.0]
    """
    if not np.isfinite(predicted).all():
        return {}
    if not classes:
        errors = predicted.reshape(len(y), -1)[:, 0].astype(np.float64) - y.reshape(len(y), -1)[:, 0]
        return {"residuals": np.percentile(errors, np.arange(101))}
    found = {}
    if classes <= MOST_CONFUSED:
        pairs = classes * y.astype(np.int64) + predicted.argmax(axis=1)
        found["confusion"] = np.bincount(pairs, minlength=classes**2).astype(np.float64)
    try:
        told = reliability(predicted, y)
    except ValueError:  # logits: what they say of how sure a network is depends on its loss
        return found
    sums = [told.rows, np.nan_to_num(told.rows * told.confidence), np.nan_to_num(told.rows * told.accuracy)]
    found["reliability"] = np.concatenate(sums).astype(np.float64)
    return found
