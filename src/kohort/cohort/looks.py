"""A look at a cohort in training, for whoever follows it."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from kohort.cohort.order import Order
from kohort.progress import Band, CohortNow


def look_at(
    order: Order, logs: Sequence[Sequence[np.ndarray]], trained: Sequence[Sequence[int]], going: int
) -> CohortNow:
    """Where a cohort stands.

    Args:
        order: What it trains.
        logs: By member, the logs of each epoch it trained.
        trained: By member, which epochs these were.
        going: How many members still train.
    """
    first, validates = order.course.initial_epoch, order.course.validates
    length = max((epochs[-1] + 1 - first for epochs in trained if epochs), default=0)
    width = max((len(rows[0]) for rows in logs if rows), default=0)
    table = np.full((len(logs), length, width), np.nan)
    for member, (rows, epochs) in enumerate(zip(logs, trained, strict=True)):
        if rows:
            table[member, np.array(epochs) - first] = np.stack(rows)
    known = ~np.isnan(table[..., -1]) if width else np.zeros((len(logs), 0), bool)
    training_logs = order.group.steps.logs[0]
    unvalidated = [epoch for epoch in range(length) if not validates(first + epoch)]
    finite = np.isfinite(table).all(axis=-1) & (table[..., -1:] != 0.0).all(axis=-1) if width else known
    diverged = int((known & ~finite).any(axis=1).sum())
    table[:, unvalidated, training_logs:-1] = np.nan
    found: dict[str, Mapping[str, Band]] = {}
    for recipe, name in enumerate(order.names):
        own = table[[number for number, member in enumerate(order.members) if member.recipe == recipe]]
        columns: dict[str, int] = {}
        for prefix, part, offset in (("", order.logs[recipe][0], 0), ("val_", order.logs[recipe][1], training_logs)):
            for log, shape in zip(part.names, part.shapes, strict=True):
                column = part.of(log)
                if shape == () and column is not None:
                    columns[prefix + log] = offset + column
        found[name] = {log: _band(own[:, :, column]) for log, column in columns.items()}
    return CohortNow(tuple(order.names), len(order.members), going, diverged, length, order.course.length, found)


def _band(values: np.ndarray) -> Band:
    """Mean and percentiles over members; NaN where no member has trained an epoch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an epoch without validation has none
        low, high = np.nanpercentile(values, [10, 90], axis=0) if values.size else (values[0:0, 0], values[0:0, 0])
        return Band(*(np.asarray(own).tolist() for own in (np.nanmean(values, axis=0), low, high)))
