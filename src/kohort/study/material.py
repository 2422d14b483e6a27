"""What some seeds of a study train on and are tested by."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.order import Data
from kohort.data.dataset import Dataset, Targets
from kohort.data.splitting import Split, split
from kohort.errors import DataError

MOST_BYTES = 6 * 2**30  # of inputs of all seeds; they lie once on the host and once on the devices

_ROWS = jax.tree.structure((0, 0))  # how (x, y) nests


@dataclass(frozen=True)
class Material:
    """What some seeds train on and are tested by.

    Attributes:
        seeds: The seeds.
        splits: Each seed's rows.
        targets: The targets as each seed's networks learn them.
        pool: The arrays that all rows are picked from.
        data: Which rows of these are whose.
    """

    seeds: tuple[int, ...]
    splits: list[Split]
    targets: list[Targets]
    pool: Arrays
    data: Data

    @property
    def inputs(self) -> Arrays:
        """What networks see of all rows, without targets."""
        return Arrays(self.pool.leaves[:1], jax.tree.structure(0))


def material_of(dataset: Dataset, seeds: tuple[int, ...], batch_size: int) -> Material:
    """The rows of some seeds.

    Args:
        dataset: What is learnt.
        seeds: The seeds, each of which cuts its own rows.
        batch_size: The study's, which decides the sizes of the parts.

    Raises:
        DataError: Inputs that each seed scales by its own rows take too much memory.
    """
    splits = [split(dataset, seed, batch_size) for seed in seeds]
    targets = [dataset.targets(own.train) for own in splits]
    return Material(seeds, splits, targets, *_pooled(dataset, splits, targets))


def _pooled(dataset: Dataset, splits: Sequence[Split], targets: Sequence[Targets]) -> tuple[Arrays, Data]:
    """All rows that any member sees, and which are whose.

    Where inputs are scaled by the training rows, every seed sees other numbers: their rows stand one after another.
    """
    if not dataset.depends_on_split:
        pool, offset = Arrays((dataset.x, dataset.y), _ROWS), 0
    else:
        each = dataset.rows * int(np.prod(dataset.shape)) * 4
        if each * len(splits) > MOST_BYTES:
            raise DataError(
                f"each seed sees {dataset.name!r} scaled by its own training rows: {len(splits)} times "
                f"{each / 2**20:,.0f} MiB are more than {MOST_BYTES / 2**30:g} GiB. Train fewer seeds at once."
            )
        x = np.concatenate([dataset.inputs(part.train) for part in splits])
        y = np.concatenate([own.values for own in targets])
        pool, offset = Arrays((x, y), _ROWS), dataset.rows
    train = np.stack([part.train + index * offset for index, part in enumerate(splits)]).astype(np.int32)
    validation = np.stack([part.validation + index * offset for index, part in enumerate(splits)]).astype(np.int32)
    return pool, Data(pool, pool, train, validation)
