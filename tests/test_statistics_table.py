"""A table of scores keeps what it was given, in its place, and refuses by name what cannot be compared."""

import numpy as np
import pytest

from kohort.statistics import ScoreTable, table_of_rows, table_of_scores
from kohort.statistics.table import all_contrasts, contrasts_with

RUNS = [("l2 0.01", 7, 0.93), ("none", 3, 0.9), ("none", 7, 0.92), ("l2 0.01", 3, 0.97), ("none", 5, 0.8)]


def test_records_in_any_order_make_one_table_of_shared_seeds() -> None:
    paired = table_of_scores(RUNS, metric="auc", test_rows=40, train_rows=80)
    table = paired.table
    assert (table.recipes, table.seeds) == (("l2 0.01", "none"), (3, 7))
    assert table.scores.tolist() == [[0.97, 0.93], [0.9, 0.92]]
    assert paired.dropped == {5: ("l2 0.01",)}
    assert (table.metric, table.n_rows, table.train_rows) == ("auc", 40, 80)


def test_rows_are_matched_by_name_and_a_score_is_their_mean() -> None:
    cells = [
        ("none", 1, "b", 1.0),
        ("none", 1, "a", 0.0),
        ("none", 1, "c", 0.0),
        ("l2", 1, "c", 1.0),
        ("l2", 1, "a", 0.0),
        ("l2", 1, "b", 1.0),
    ]
    table = table_of_rows(cells).table
    assert table.rows is not None
    assert table.rows.tolist() == [[[0.0, 1.0, 0.0]], [[0.0, 1.0, 1.0]]]
    assert table.scores == pytest.approx(np.array([[1 / 3], [2 / 3]]), abs=1e-15)
    assert table.n_rows == 3


def test_rows_with_numbers_are_in_their_order() -> None:
    cells = [("none", 1, row, float(row)) for row in (10, 9, 2)]
    table = table_of_rows(cells).table
    assert table.rows is not None
    assert table.rows[0, 0].tolist() == [2.0, 9.0, 10.0]


def test_rows_of_a_metric_that_is_no_mean_are_moved_onto_the_score() -> None:
    rows = np.array([[[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]]])
    table = ScoreTable(("a",), (1, 2), np.array([[4.0, 0.5]]), rows)
    assert table.linear_rows.tolist() == [[[2.0, 3.0, 7.0], [-0.5, -0.5, 2.5]]]


def test_shares_are_told_from_errors() -> None:
    score = np.array([[0.0, 1.0]])
    assert ScoreTable(("a",), (1, 2), score).is_share
    assert not ScoreTable(("a",), (1, 2), score, greater_is_better=False).is_share
    assert not ScoreTable(("a",), (1, 2), score + 0.01).is_share
    assert not ScoreTable(("a",), (1, 2), score - 0.01).is_share
    assert ScoreTable(("a",), (1, 2), np.array([[0.01, 0.002]])).is_share
    assert not ScoreTable(("a",), (1, 2), np.array([[0.0099, 0.002]])).is_share  # such as losses of a millionth
    assert ScoreTable(("a",), (1, 2), np.zeros((1, 2))).is_share


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([("none", 1, 0.5), ("none", 1, 0.6)], "recipe 'none', seed 1 twice"),
        ([("none", 1, 0.5), ("l2", 2, 0.6)], "2 recipes (none, l2) without a seed that all have"),
        ([("none", 1, 0.5), ("l2", 1, float("nan"))], "Got nan of recipe 'l2', seed 1. Give the score"),
        ([], "share seeds"),
    ],
)
def test_scores_that_cannot_be_compared_are_refused(records: list, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        table_of_scores(records)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([("none", 1, 4, 0.5), ("none", 1, 4, 0.6)], "recipe 'none', seed 1, row 4 twice"),
        ([("a", 1, 4, 1.0), ("a", 1, 5, 1.0), ("b", 1, 4, 1.0)], "none of recipe 'b', seed 1 for row 5"),
        ([("a", 1, 4, 1.0), ("a", 1, 5, float("inf"))], "finite"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(records: list, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        table_of_rows(records)
    assert message in str(refused.value)


def test_a_cell_that_is_not_finite_is_named() -> None:
    rows = np.ones((2, 2, 3))
    rows[1, 0, 2] = np.inf
    with pytest.raises(ValueError, match="finite outcome. Got inf of recipe 'b', seed 8, row 2"):
        ScoreTable(("a", "b"), (8, 9), np.ones((2, 2)), rows)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((("a",), (1, 2), np.ones((2, 1))), "shape (recipes, seeds) = (1, 2). Got (2, 1)"),
        ((("a", "a"), (1,), np.ones((2, 1))), "recipe 'a' twice"),
        ((("a",), (1, 1), np.ones((1, 2))), "seed 1 twice"),
        ((("a",), (), np.ones((1, 0))), "Got 1 recipes and 0 seeds"),
        ((("a",), (1,), np.ones((1, 1)), np.ones((1, 2, 3))), "(1, 1, 2 or more). Got (1, 2, 3)"),
        ((("a",), (1,), np.ones((1, 1)), np.ones((1, 1, 1))), "2 or more"),
        ((("a",), (1,), np.ones((1, 1)), np.ones((1, 1, 3)), "accuracy", True, None, 4), "number of rows, 3. Got 4"),
    ],
)
def test_a_table_of_the_wrong_shape_is_refused(given: tuple, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        ScoreTable(*given)
    assert message in str(refused.value)


def test_a_table_without_rows_says_so() -> None:
    table = ScoreTable(("a",), (1,), np.ones((1, 1)))
    assert table.n_rows is None
    with pytest.raises(ValueError, match="no rows"):
        _ = table.linear_rows


def test_contrasts() -> None:
    assert contrasts_with(1, 3).tolist() == [[0, 1], [2, 1]]
    assert all_contrasts(3).tolist() == [[1, 0], [2, 0], [2, 1]]


def test_one_score_off_its_rows_mean_moves_that_run_alone() -> None:
    rows = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    table = ScoreTable(("a",), (1, 2), np.array([[0.5, 0.7]]), rows)
    assert table.linear_rows == pytest.approx(np.array([[[1.0, 0.0], [0.2, 1.2]]]))


def test_higher_is_better_unless_said() -> None:
    assert table_of_scores([("a", 1, 0.5)]).table.greater_is_better
    assert table_of_rows([("a", 1, 0, 0.5), ("a", 1, 1, 0.5)]).table.greater_is_better
    assert not table_of_scores([("a", 1, 0.5)], greater_is_better=False).table.greater_is_better
