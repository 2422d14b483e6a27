"""What the networks of a dataset are for."""

import numpy as np

from kohort.data.dataset import Dataset
from kohort.data.splitting import Split, split
from kohort.recipes.design import Problem


def problem_of(dataset: Dataset, batch_size: int, epochs: int, cut: Split | None = None) -> Problem:
    """The problem that recipes are made for.

    Args:
        dataset: What is learnt.
        batch_size: Rows of a batch, which decides the sizes of the parts.
        epochs: Passes over the training rows.
        cut: The rows of any seed, if they are known; each has the same test rows and as many of the others.
    """
    own = split(dataset, 0, batch_size) if cut is None else cut
    rows = len(own.train)
    free = np.setdiff1d(np.arange(dataset.rows), own.test)
    counts = np.bincount(dataset.y[free], minlength=dataset.outputs) if dataset.classes else ()
    steps = -(-rows // batch_size)
    return Problem(
        dataset.shape,
        dataset.outputs,
        dataset.task,
        steps,
        epochs,
        dataset.embedded,
        rows,
        tuple(int(count) for count in counts),
    )
