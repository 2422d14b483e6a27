"""How a dataset is cut into training, validation and test rows."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split

from kohort.data.dataset import Dataset
from kohort.errors import DataError

TEST_SHARE = 0.2  # of all rows
VALIDATION_SHARE = 0.2  # of the rows that are not test, as the textbook's validation_split=0.2
TEST_SEED = 8  # the test rows are drawn once, whatever the seed of a run; the number of the book's chapter
BINS = 10  # of a regression's target, from which each part gets its share


@dataclass(frozen=True, eq=False)
class Split:
    """Which rows a run trains on, validates on and is judged by.

    Attributes:
        train: Row numbers, int32.
        validation: Row numbers, int32.
        test: Row numbers, int32, the same for every seed.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def sizes(rows: int, batch_size: int) -> tuple[int, int, int]:
    """How many rows train, validate and test.

    About a fifth is for test and a fifth of the rest for validation. Training and validation rows are whole
    batches: a last, smaller batch would be another program to compile for nothing; the rows over go to the test.

    Raises:
        DataError: There are too few rows.

    >>> sizes(1797, 32)
    (1152, 288, 357)
    """
    free = rows - round(TEST_SHARE * rows)
    validation = max(1, round(VALIDATION_SHARE * free / batch_size)) * batch_size
    train = round((free - validation) / batch_size) * batch_size
    if rows - train - validation < TEST_SHARE * rows / 2:
        train -= batch_size
    if train < batch_size:
        raise DataError(
            f"the data must have enough rows for a batch of training, one of validation and a test. Got {rows} rows "
            f"and batch_size={batch_size}. Pass a batch size of at most {max(1, rows // 5)}."
        )
    return train, validation, rows - train - validation


def parts(dataset: Dataset, batch_size: int) -> tuple[int, int, int]:
    """How many rows of a dataset train, validate and test, the same for every seed.

    Where rows come in groups none of which is cut, the parts have about the sizes of `sizes`. Which groups a seed holds
    out decides how many rows are left, so training has as many as every seed leaves, and some are left out. So are rows
    over whole batches where the test rows are given.
    """
    if dataset.tested is not None:
        return _around(dataset, batch_size)
    train, validation, test = sizes(dataset.rows, batch_size)
    if dataset.groups is None:
        return train, validation, test
    rest = dataset.groups[~_tested(dataset.groups, batch_size)]
    counts = np.unique(rest, return_counts=True)[1]
    if len(counts) < 2:
        raise DataError(
            f"{dataset.name!r} must have at least 3 groups, for training, validation and test. "
            f"Got {len(np.unique(dataset.groups))}. Choose another column for groups."
        )
    drawn = counts[_may_be_held_out(counts, validation)]
    before_the_last = min(validation - 1, int(drawn[drawn < validation].sum()))  # one that suffices is the last
    train = (len(rest) - before_the_last - int(drawn.max())) // batch_size * batch_size
    if train < batch_size:
        raise DataError(
            f"{dataset.name!r} has groups of up to {int(counts.max())} rows, too large for batch_size={batch_size}. "
            "Pass a smaller batch size, or choose another column for groups."
        )
    return train, validation, dataset.rows - len(rest)


def split(dataset: Dataset, seed: int, batch_size: int) -> Split:
    """The rows of one seed: the test rows drawn once, the others cut anew for each seed.

    Classes, and the tenths of a regression's target, have the same share of each part. Groups are not cut. Of rows with
    times the latest are the test, and the latest of the others the validation, whatever the seed.

    Raises:
        DataError: There are too few rows, or a class has too few to appear in every part.
    """
    train, validation, test = parts(dataset, batch_size)
    _check_classes(dataset, validation, test)
    if dataset.groups is not None:
        return _grouped(dataset.groups, seed, train, validation, _tested(dataset.groups, batch_size))
    if dataset.times is not None:
        order = np.argsort(dataset.times, kind="stable")
        return _split(order[:train], order[train : train + validation], order[train + validation :])
    strata = dataset.y if dataset.classes else _tenths(dataset.y, test)
    if dataset.tested is not None:
        rest, tested = np.flatnonzero(~dataset.tested), np.flatnonzero(dataset.tested)
    else:
        rest, tested = train_test_split(
            np.arange(dataset.rows), test_size=test, random_state=TEST_SEED, stratify=strata
        )
    kept = strata[rest] if strata is not None else None
    if kept is not None and np.bincount(kept, minlength=len(dataset.classes)).min() < 2:
        _check_others(dataset, kept)
        kept = None
    trained, validated = train_test_split(
        rest, train_size=train, test_size=validation, random_state=seed, stratify=kept
    )
    return _split(np.asarray(trained), np.asarray(validated), np.asarray(tested))


def duplicates_across(dataset: Dataset, own: Split) -> int:
    """How many test rows have a copy, inputs and target alike, among the training rows."""
    cells = np.concatenate([dataset.x.reshape(dataset.rows, -1), dataset.y[:, None]], axis=1)
    keys = pl.from_numpy(cells).hash_rows(seed=0).to_numpy()  # 64 bits: two rows that differ hardly ever agree
    return int(np.isin(keys[own.test], keys[own.train]).sum())


def _split(train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> Split:
    return Split(*(np.asarray(part, dtype=np.int32) for part in (train, validation, test)))


def _around(dataset: Dataset, batch_size: int) -> tuple[int, int, int]:
    """The sizes of the parts where the test rows are given."""
    assert dataset.tested is not None
    test = int(dataset.tested.sum())
    free = dataset.rows - test
    validation = max(1, round(VALIDATION_SHARE * free / batch_size)) * batch_size
    train = (free - validation) // batch_size * batch_size
    if not test or train < batch_size:
        raise DataError(
            f"{dataset.name!r} must have test rows and as many others as a batch of training and one of validation. "
            f"Got {test} and {free}, and batch_size={batch_size}. Pass a smaller batch size, or other rows."
        )
    return train, validation, test


def _check_classes(dataset: Dataset, validation: int, test: int) -> None:
    if not dataset.classes:
        return
    counts = np.bincount(dataset.y, minlength=len(dataset.classes))
    if min(validation, test) < len(dataset.classes):
        raise DataError(
            f"validation and test must have a row for each of the {len(dataset.classes)} classes of {dataset.name!r}. "
            f"Got {validation} validation rows and {test} test rows. Bring more rows or fewer classes."
        )
    if counts.min() < 3:
        rare = dataset.classes[int(counts.argmin())]
        raise DataError(
            f"each class must have at least 3 rows, one for each of training, validation and test. "
            f"Got {counts.min()} of class {rare!r} in {dataset.name!r}. Remove the class or add rows."
        )


def _check_others(dataset: Dataset, y: np.ndarray) -> None:
    """Refuses given test rows that leave a class fewer than two rows, from which no training and validation is cut."""
    if dataset.classes:
        counts = np.bincount(y, minlength=len(dataset.classes))
        raise DataError(
            f"each class must have at least 2 rows that are no test rows, one for training and one for validation. "
            f"Got {counts.min()} of class {dataset.classes[int(counts.argmin())]!r} in {dataset.name!r}. "
            "Remove the class or add rows."
        )


def _tenths(y: np.ndarray, test: int) -> np.ndarray | None:
    """To which tenth of the target each row belongs; None where rows are too few for shares."""
    bins = min(BINS, test // 2, len(y) // 10)
    if bins < 2:
        return None
    edges = np.unique(np.quantile(y, np.linspace(0.0, 1.0, bins + 1)[1:-1]))
    found = np.searchsorted(edges, y)
    return found if np.bincount(found, minlength=len(edges) + 1).min() >= 10 else None


def _tested(groups: np.ndarray, batch_size: int) -> np.ndarray:
    """Which rows are the test: groups in a random order, each of which brings it nearer to the size it should have.

    A group too large for that is passed over; if all are, the smallest is the test.
    """
    wanted = sizes(len(groups), batch_size)[2]
    names, counts = np.unique(groups, return_counts=True)
    chosen, reached = [], 0
    for place in np.random.default_rng(TEST_SEED).permutation(len(names)):
        if abs(reached + counts[place] - wanted) < abs(reached - wanted):
            chosen.append(place)
            reached += counts[place]
        if reached >= wanted:
            break
    return np.isin(groups, names[chosen or [int(np.argmin(counts))]])


def _may_be_held_out(counts: np.ndarray, validation: int) -> np.ndarray:
    """Which groups may validate, by their numbers of rows: those that fit, if they suffice; the larger always train."""
    fit = counts <= validation
    return fit if counts[fit].sum() >= validation else np.ones(len(counts), bool)


def _grouped(groups: np.ndarray, seed: int, train: int, validation: int, tested: np.ndarray) -> Split:
    generator = np.random.default_rng([TEST_SEED, seed])
    rest = np.flatnonzero(~tested)
    names, counts = np.unique(groups[rest], return_counts=True)
    order = generator.permutation(np.flatnonzero(_may_be_held_out(counts, validation)))
    enough = int(np.searchsorted(np.cumsum(counts[order]), validation)) + 1
    held_out = np.isin(groups[rest], names[order[:enough]])
    validated, trained = generator.permutation(rest[held_out]), generator.permutation(rest[~held_out])
    return _split(np.sort(trained[:train]), np.sort(validated[:validation]), np.flatnonzero(tested))
