"""Seeds mean what they say, and orders are the ones NumPy's global generator would give `fit`."""

import random
from typing import Any

import numpy as np
import pytest

from kohort.errors import DataError
from kohort.seeds import BatchOrders, as_seeds, global_randomness_restored, numpy_generator_now

pytestmark = pytest.mark.optimised


def test_a_number_means_that_many_seeds_from_zero() -> None:
    assert as_seeds(3) == (0, 1, 2)
    assert as_seeds(np.int64(2)) == (0, 1)  # type: ignore[arg-type]


def test_given_seeds_keep_their_order_and_zero_is_a_seed() -> None:
    assert as_seeds([7, 0, 3]) == (7, 0, 3)
    assert as_seeds(range(4, 6)) == (4, 5)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (0, "at least 1.*Got seeds=0"),
        (-3, "at least 1"),
        ([], "at least one seed"),
        ([1, 1], "Got 1 twice"),
        ([-1], "from 0 to 4294967295.*Got -1"),
        ([2**32], "Got 4294967296"),
        ([0.5], "Got 0.5"),
        ([True], "Got True"),
        ("20", "Got seeds='20'"),
        (True, "Got seeds=True"),
        (1.5, "Got seeds=1.5"),
    ],
)
def test_what_is_no_seed_is_refused(seeds: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_seeds(seeds)


def test_orders_are_the_permutations_of_the_global_generator() -> None:
    np.random.seed(5)
    orders = BatchOrders(10, 4, True, numpy_generator_now())
    for _ in range(3):
        np.testing.assert_array_equal(orders.next_epoch(), np.random.permutation(10))


def test_batch_shuffling_stays_within_batches() -> None:
    orders = BatchOrders(10, 4, "batch", np.random.RandomState(0))
    order = orders.next_epoch()
    assert [sorted(order[a:b]) for a, b in ((0, 4), (4, 8), (8, 10))] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert order.tolist() != list(range(10))


def test_without_shuffling_nothing_is_drawn() -> None:
    generator = np.random.RandomState(0)
    orders = BatchOrders(5, 2, False, generator)
    orders.draw_for_building()
    assert orders.next_epoch().tolist() == [0, 1, 2, 3, 4]
    assert generator.randint(10**9) == np.random.RandomState(0).randint(10**9)


def test_global_randomness_is_restored_even_after_an_error() -> None:
    random.seed(1)
    np.random.seed(1)
    expected = (random.Random(1).random(), np.random.RandomState(1).rand())
    with pytest.raises(RuntimeError, match="inside"), global_randomness_restored():
        random.seed(9)
        np.random.rand(7)
        raise RuntimeError("inside")
    assert (random.random(), np.random.rand()) == expected


def test_draws_can_count_unless_there_was_an_error() -> None:
    random.seed(1)
    expected = random.Random(1)
    with global_randomness_restored(only_after_an_error=True):
        assert random.random() == expected.random()
    assert random.random() == expected.random()
