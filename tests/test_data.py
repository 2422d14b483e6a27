"""How data are cut: the test once, the rest by seed, stratified, in whole batches."""

import numpy as np
import pytest

from kohort.data import Dataset, named, names, sizes, split
from kohort.data.downloads import DOWNLOADED
from kohort.errors import DataError


def test_sizes_are_whole_batches_and_about_a_fifth_each() -> None:
    assert sizes(1797, 32) == (1152, 288, 357)
    for rows in range(170, 3000, 37):
        train, validation, test = sizes(rows, 32)
        assert train % 32 == validation % 32 == 0
        assert train + validation + test == rows
        assert test >= 0.1 * rows


def test_too_few_rows_for_the_batch() -> None:
    with pytest.raises(DataError, match="Got 40 rows and batch_size=32. Pass a batch size of at most 8"):
        sizes(40, 32)


@pytest.mark.parametrize("name", [name for name in names() if name not in ("diabetes", *DOWNLOADED)])
def test_named_sets_are_cut_without_overlap_and_stratified(name: str) -> None:
    dataset = named(name)
    parts = [split(dataset, seed, 16) for seed in (0, 1)]
    for part in parts:
        together = np.concatenate([part.train, part.validation, part.test])
        assert sorted(together) == list(range(dataset.rows))
        shares = [np.bincount(dataset.y[rows], minlength=len(dataset.classes)) / len(rows) for rows in (
            part.train, part.validation, part.test)]  # fmt: skip
        assert np.abs(shares[0] - shares[1]).max() < 0.06
        assert np.abs(shares[0] - shares[2]).max() < 0.06
    np.testing.assert_array_equal(parts[0].test, parts[1].test)
    assert set(parts[0].train) != set(parts[1].train)
    np.testing.assert_array_equal(parts[0].train, split(dataset, 0, 16).train)


def test_scaling_knows_the_training_rows_only() -> None:
    dataset = named("wine")
    rows = split(dataset, 3, 16).train
    scaled = dataset.inputs(rows)
    np.testing.assert_allclose(scaled[rows].mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(scaled[rows].std(axis=0), 1.0, atol=1e-5)
    assert np.abs(scaled.mean(axis=0)).max() > 1e-3


def test_a_constant_feature_stays_finite() -> None:
    dataset = Dataset("c", np.ones((10, 2), np.float32), np.arange(10) % 2, ("a", "b"), "standard")
    assert not dataset.inputs(np.arange(5)).any()


def test_the_fingerprint_tells_data_apart() -> None:
    digits = named("digits")
    changed = digits.x.copy()
    changed[3, 3] += 1e-3
    other = Dataset("digits", changed, digits.y, digits.classes)
    assert digits.fingerprint == named("digits").fingerprint != other.fingerprint
    x, y, order = np.zeros((6, 1), np.float32), np.arange(6) % 2, np.arange(6)
    sets = [
        Dataset("own", x, y, ("a", "b")),
        Dataset("own", x, y, ("b", "a")),
        Dataset("own", x, y, ("a", "b"), "standard"),
        Dataset("own", x, y, ("a", "b"), groups=order),
        Dataset("own", x, y, ("a", "b"), times=order),
    ]
    assert len({own.fingerprint for own in sets}) == len(sets)


def test_rows_are_cut_by_groups_or_by_times() -> None:
    order = np.arange(6)
    with pytest.raises(DataError, match="Got groups and times. Pass one of them"):
        Dataset("own", np.zeros((6, 1), np.float32), order % 2, ("a", "b"), groups=order, times=order)


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(DataError, match="no dataset is called 'digit'. Did you mean 'digits'"):
        named("digit")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((3, 2)), np.array([0, 1]), r"Got x \[3, 2\], y \[2\]"),
        ([[1.0]], np.array([0]), "must be NumPy arrays, y of whole numbers. Got list"),
        (np.ones((2, 2)), np.array([0.5, 1.0]), "Got ndarray and ndarray of float64"),
        (np.ones((0, 2)), np.array([], int), "must have rows"),
        (np.full((2, 2), np.nan), np.array([0, 1]), "x must be finite"),
        (np.ones((2, 2)), np.array([0, 2]), "class numbers from 0 to 1. Got numbers from 0 to 2"),
    ],
)
def test_arrays_that_are_no_dataset(x: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Dataset("bad", x, y, ("a", "b"))


def test_more_classes_than_validation_rows() -> None:
    y = np.arange(120) % 30
    dataset = Dataset("wide", np.zeros((120, 1), np.float32), y, tuple(map(str, range(30))))
    with pytest.raises(DataError, match="a row for each of the 30 classes of 'wide'. Got 20 validation rows"):
        split(dataset, 0, 4)


def test_a_class_with_two_rows_is_refused() -> None:
    y = np.array([0] * 50 + [1] * 2)
    dataset = Dataset("rare", np.zeros((52, 1), np.float32), y, ("many", "few"))
    with pytest.raises(DataError, match="Got 2 of class 'few' in 'rare'"):
        split(dataset, 0, 4)
