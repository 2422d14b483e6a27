"""Tables become datasets: types and tasks are found and said, what networks see is fitted on the training rows only."""

import gzip
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from kohort.data import Column, Dataset, duplicates_across, load, split
from kohort.data.encoding import inputs
from kohort.data.splitting import parts
from kohort.errors import DataError

ROWS = 60
RNG = np.random.default_rng(0)
YES = ["yes" if row % 3 else "no" for row in range(ROWS)]


def frame(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"x": RNG.normal(size=ROWS), **columns, "y": YES})


def said(dataset: Dataset) -> str:
    return " ".join(dataset.remarks)


def names_of(dataset: Dataset) -> list[str]:
    assert dataset.columns is not None
    return [column.name for column in dataset.columns]


TEXT = "age;wage;city;member;since;bare;const;id;city_id\n" + "\n".join(
    f"{20 + row % 40};{1000 + row},5;{'Köln' if row % 2 else 'Bonn'};{'true' if row % 3 else 'FALSE'};"
    f"2024-01-{1 + row % 28:02};{'' if row % 4 else row};7;{row};{row % 5}"
    for row in range(ROWS)
)


def written(path: Path, text: str = TEXT, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_is_read_whatever_its_encoding(encoding: str, tmp_path: Path) -> None:
    dataset = load(written(tmp_path / "people.csv", encoding=encoding), "city")
    assert (dataset.name, dataset.rows, dataset.task, dataset.classes) == (
        "people.csv",
        ROWS,
        "binary",
        ("Bonn", "Köln"),
    )
    assert names_of(dataset) == ["age", "wage", "member", "since", "bare", "city_id"]
    assert dataset.x[:2].tolist() == [[20, 1000.5, 0, 19723, 0, 0], [21, 1001.5, 1, 19724, np.nan, 1]] or np.isnan(
        dataset.x[1, 4]
    )
    told = said(dataset)
    assert "'const' is left out: it is constant." in told
    assert "'id' is left out: it numbers the rows." in told
    assert "A classification of 'city' into 2 classes: Bonn, Köln." in told
    assert "6 columns: 6 of numbers, 0 of categories, 1 with missing cells." in told
    assert ("Windows-1252" in told) == (encoding == "cp1252")


def test_separators_compression_and_parquet_mean_the_same(tmp_path: Path) -> None:
    table = frame(kind=["a", "b", None] * 20, n=range(ROWS))
    text = table.write_csv()
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "t.tsv").write_text(text.replace(",", "\t"))
    (tmp_path / "t.txt").write_text(text.replace(",", "|"))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    table.write_parquet(tmp_path / "t.parquet")
    sets = [load(tmp_path / f"t.{end}") for end in ("csv", "tsv", "txt", "csv.gz", "parquet")]
    sets += [load(table, "y"), load(pd.DataFrame(table.to_dict(as_series=False)), "y")]
    for own in sets:
        np.testing.assert_allclose(own.x, sets[0].x, rtol=1e-12)
        assert (own.columns, own.classes) == (sets[0].columns, ("no", "yes"))
    assert names_of(sets[0]) == ["x", "kind"]  # n numbers the rows
    assert len({own.fingerprint for own in sets[4:6]}) == 1


def test_lines_end_as_they_may_and_quoted_separators_part_no_cells(tmp_path: Path) -> None:
    lines = ['"a;b;c",n,y', *(f'"{row % 3},{row % 5}",{row % 7},{own}' for row, own in enumerate(YES))]
    sets = [
        load(written(tmp_path / "t.csv", text))
        for text in ("\n".join(lines), "\r\n".join(lines) + "\r\n", "\r".join(lines), "\n\n" + "\n".join(lines))
    ]
    assert [names_of(own) for own in sets] == [["a;b;c", "n"]] * 4
    assert len({own.fingerprint for own in sets}) == 1


def test_classes_keep_names_of_their_own() -> None:
    x = RNG.normal(size=ROWS)
    assert load(pl.DataFrame({"x": x, "y": [1234567.0, 1234568.0] * 30})).classes == ("1234567.0", "1234568.0")
    blank = load(pl.DataFrame({"x": x, "y": ["a", "", "b"] * 20}))
    assert (blank.classes, blank.rows) == (("a", "b"), 40)


def test_every_kind_of_column_becomes_numbers() -> None:
    dataset = load(
        frame(
            day=[date(2024, 1, 1 + row % 9) for row in range(ROWS)],
            moment=[datetime(2024, 1, 1, row % 5) for row in range(ROWS)],
            clock=[time(row % 4) for row in range(ROWS)],
            flag=[bool(row % 2) for row in range(ROWS)],
            small=pl.Series([row % 7 for row in range(ROWS)], dtype=pl.UInt8),
            word=pl.Series([f"w{row % 3}" for row in range(ROWS)], dtype=pl.Categorical),
        )
    )
    assert dataset.columns is not None
    assert [column.levels for column in dataset.columns][-1] == ("w0", "w1", "w2")
    assert dataset.x[1, 1:].tolist() == pytest.approx([19724.0, 19723 + 1 / 24, 1.0, 1.0, 1.0, 1.0], abs=1e-9)


@pytest.mark.parametrize(
    ("cells", "numbers", "how"),
    [
        (["1,5", "1,234", "7"], [1.5, 1.234, 7.0], "commas are decimal marks, as in '1,5'"),
        (["1.234,5", "12.000", "-3"], [1234.5, 12000.0, -3.0], "commas are decimal marks, as in '1.234,5'"),
        (["0,500", "1,234", "2,000"], [0.5, 1.234, 2.0], "commas are decimal marks, as in '0,500'"),
        (["1,234", "5.5", "999"], [1234.0, 5.5, 999.0], "commas part thousands, as in '1,234'"),
        (["1,234,567", "1,234", "12"], [1234567.0, 1234.0, 12.0], "commas part thousands, as in '1,234,567'"),
        (["1.5", "2", "1e3"], [1.5, 2.0, 1000.0], ""),
    ],
)
def test_commas_in_numbers_mean_the_same_in_a_whole_column(cells: list[str], numbers: list[float], how: str) -> None:
    dataset = load(frame(n=[*cells, *cells[:2], None] * 10))
    assert dataset.x[:6, 1].tolist() == pytest.approx([*numbers, *numbers[:2], np.nan], nan_ok=True)
    assert (f"'n' holds numbers: {how}." in said(dataset)) == bool(how)
    assert ("commas" in said(dataset)) == bool(how)


def test_commas_between_words_and_in_lists_are_names() -> None:
    dataset = load(frame(who=["Roe, Jane", "Doe, John", None] * 20, tags=["1,2,3", "2,1", "3"] * 20))
    assert dataset.columns is not None
    assert [column.levels for column in dataset.columns[1:]] == [("Doe, John", "Roe, Jane"), ("1,2,3", "2,1", "3")]


def test_a_target_with_decimal_commas_is_a_regression() -> None:
    dataset = load(pl.DataFrame({"x": RNG.normal(size=ROWS), "y": [f"{row},25" for row in range(ROWS)]}))
    assert (dataset.task, dataset.y[:3].tolist()) == ("regression", [0.25, 1.25, 2.25])
    coded = load(pl.DataFrame({"x": RNG.normal(size=ROWS), "y": ["01", "02"] * 30}))
    assert coded.classes == ("01", "02")


def test_the_task_is_found_from_the_target() -> None:
    def task(values: Any, **options: Any) -> tuple[str, int]:
        own = load(pl.DataFrame({"x": RNG.normal(size=ROWS), "y": values}), **options)
        return own.task, own.outputs

    assert task(YES) == ("binary", 2)
    assert task([row % 4 for row in range(ROWS)]) == ("multiclass", 4)
    assert task([row % 30 for row in range(ROWS)]) == ("regression", 1)
    assert task([row % 4 for row in range(ROWS)], task="regression") == ("regression", 1)
    assert task([float(row % 2) for row in range(ROWS)]) == ("binary", 2)
    assert task(RNG.normal(size=ROWS)) == ("regression", 1)
    assert task([row % 20 for row in range(ROWS)], task="classification") == ("multiclass", 20)
    gaps = load(pl.DataFrame({"x": RNG.normal(size=ROWS), "y": [None, *YES[1:]]}))
    assert (gaps.rows, "1 rows without 'y' are left out" in said(gaps)) == (ROWS - 1, True)


def test_what_a_network_sees_is_fitted_on_the_training_rows() -> None:
    columns = (
        Column("n", missing=True),
        Column("few", ("a", "b", "c"), missing=True),
        Column("many", tuple("abcdefghijklmn")),
    )
    cells = np.array([[1.0, 0, 3], [3.0, 1, 3], [np.nan, 0, 5], [100.0, np.nan, 13], [5.0, 2, 0]])
    seen = inputs(cells, columns, np.array([0, 1, 2]))
    assert seen.shape == (5, 2 + 4 + 1)
    np.testing.assert_allclose(
        seen[:, 0], (np.array([1, 3, 2, 100, 5]) - 2.0) / 1.0, rtol=1e-6
    )  # median 2, mean 2, sd 1
    assert seen[:, 1].tolist() == [0, 0, 1, 0, 0]
    assert seen[:, 2:6].tolist() == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 0, 0],
    ]  # c is unseen
    assert seen[:, 6].tolist() == [4, 4, 6, 0, 0]
    changed = cells.copy()
    changed[3:] = [[-7.0, 1, 1], [9.0, 0, 2]]
    np.testing.assert_array_equal(inputs(changed, columns, np.array([0, 1, 2]))[:3], seen[:3])
    dataset = Dataset("t", cells, np.array([0, 1, 0, 1, 0]), ("no", "yes"), columns=columns)
    assert (dataset.shape, dataset.embedded, dataset.depends_on_split) == ((7,), ((6, 15),), True)
    np.testing.assert_array_equal(dataset.inputs(np.array([0, 1, 2])), seen)


@pytest.mark.parametrize(
    "values", [[1e300, -1e300, 1.0], [5.0, 5.0, 5.0 + 1e-9], [1e-300, 2e-300, 1e-310], [0.0, 0.0, 9.0]]
)
def test_extreme_numbers_stay_finite(values: list[float]) -> None:
    cells = np.array([*values, np.nan, 1e308])[:, None]
    for rows in ([0, 1, 2], [0, 1], [3]):
        assert np.isfinite(inputs(cells, (Column("n", missing=True),), np.array(rows))).all()


def test_targets_of_a_regression_are_scaled_by_the_training_rows() -> None:
    y = RNG.normal(5.0, 2.0, ROWS).astype(np.float32)
    dataset = load(pl.DataFrame({"x": RNG.normal(size=ROWS), "y": y}))
    own = dataset.targets(np.arange(30))
    assert own.values.dtype == np.float32
    assert (own.centre, own.spread) == pytest.approx((y[:30].mean(), y[:30].std()), rel=1e-5)
    np.testing.assert_allclose(own.values * own.spread + own.centre, y, rtol=1e-5)


def test_groups_are_not_cut_and_parts_keep_their_sizes() -> None:
    groups = RNG.integers(0, 25, 400)
    table = pl.DataFrame({"x": RNG.normal(size=400), "who": groups, "y": ["a", "b"] * 200})
    dataset = load(table, "y", group="who")
    assert names_of(dataset) == ["x"]
    splits = [split(dataset, seed, 8) for seed in range(6)]
    for own in splits:
        parts = [set(groups[rows]) for rows in (own.train, own.validation, own.test)]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]
        assert len(own.train) % 8 == len(own.validation) % 8 == 0
        assert len(set(own.train)) == len(own.train)
    assert len({(len(own.train), len(own.validation), len(own.test)) for own in splits}) == 1
    assert len({tuple(own.test) for own in splits}) == 1
    assert len({tuple(own.train) for own in splits}) == 6
    assert 0.1 < len(splits[0].test) / 400 < 0.3
    assert len(splits[0].train) >= 120
    assert "rows over whole batches are left out at random" in dataset.cut
    with pytest.raises(DataError, match=r"must have at least 3 groups|too large for batch_size"):
        split(load(pl.DataFrame({"x": RNG.normal(size=60), "g": [0, 1] * 30, "y": YES}), group="g"), 0, 4)


def grouped(groups: np.ndarray) -> Dataset:
    rows = len(groups)
    return Dataset("g", np.zeros((rows, 1), np.float32), np.arange(rows, dtype=np.float32), groups=groups)


SKEWED = np.minimum(np.random.default_rng(333).zipf(1.8, 333), 15)  # half of the rows in one group


@pytest.mark.parametrize("batch_size", [1, 4, 7])
@pytest.mark.parametrize(
    "groups",
    [np.arange(60) // 2, np.arange(90) % 9, np.arange(100) % 5, np.repeat(np.arange(14), np.arange(3, 17)), SKEWED],
)
def test_parts_of_groups_are_full_whatever_the_sizes_of_groups(groups: np.ndarray, batch_size: int) -> None:
    dataset = grouped(groups)
    train, validation, test = parts(dataset, batch_size)
    assert train % batch_size == validation % batch_size == 0
    for seed in range(20):
        own = split(dataset, seed, batch_size)
        assert (len(own.train), len(own.validation), len(own.test)) == (train, validation, test)
        assert not set(groups[own.train]) & set(groups[own.validation])
    assert test == pytest.approx(0.2 * len(groups), abs=8 + batch_size)  # half a group and the rows over whole batches
    assert validation >= 0.1 * len(groups)
    assert train + validation + test > 0.8 * len(groups)


def test_a_target_too_far_from_all_others_is_refused_with_its_row() -> None:
    y = RNG.normal(size=200)
    y[17] = 1.5e37
    dataset = load(pl.DataFrame({"x": RNG.normal(size=200), "y": y}))
    rows = np.arange(20, 120)
    with pytest.raises(DataError, match=r"within 1e\+15 standard deviations.*Got 1.5e\+37 in row 18. Mend it"):
        dataset.targets(rows)
    assert np.isfinite(dataset.targets(np.arange(120)).values).all()


def test_of_rows_with_times_the_latest_are_the_test() -> None:
    days = RNG.permutation(200)
    dataset = load(pl.DataFrame({"x": RNG.normal(size=200), "day": days, "y": ["a", "b"] * 100}), "y", time="day")
    own = split(dataset, 3, 8)
    assert days[own.train].max() < days[own.validation].min() < days[own.validation].max() < days[own.test].min()
    assert dataset.cut.startswith("the latest rows are the test")


def test_a_regressions_parts_have_their_share_of_each_tenth() -> None:
    dataset = load(pl.DataFrame({"x": RNG.normal(size=2000), "y": RNG.exponential(size=2000)}))
    own = split(dataset, 0, 32)
    edges = np.quantile(dataset.y, [0.5, 0.9])
    for rows in (own.train, own.validation, own.test):
        assert np.mean(dataset.y[rows] > edges[0]) == pytest.approx(0.5, abs=0.02)
        assert np.mean(dataset.y[rows] > edges[1]) == pytest.approx(0.1, abs=0.01)


def test_copies_across_parts_are_counted() -> None:
    x = RNG.normal(size=(100, 2))
    table = pl.DataFrame({"a": [*x[:, 0]] * 2, "b": [*x[:, 1]] * 2, "y": [0, 1] * 100})
    dataset = load(table, "y")
    assert "100 of 200 rows are copies of others" in said(dataset)
    own = split(dataset, 0, 8)
    train = {tuple(row) for row in np.column_stack([dataset.x, dataset.y])[own.train]}
    assert duplicates_across(dataset, own) == sum(
        tuple(row) in train for row in np.column_stack([dataset.x, dataset.y])[own.test]
    )


def test_columns_that_give_the_target_away_are_told() -> None:
    y = RNG.integers(0, 2, 300)
    dataset = load(
        pl.DataFrame({"x": RNG.normal(size=300), "code": [f"k{own}" for own in y], "score": y + 0.3, "y": y})
    )
    assert "'code' alone tells the target (100.0 % of the rows right): would it be known in time?" in said(dataset)
    assert "'score' alone tells" in said(dataset)
    assert "'x' alone" not in said(dataset)
    value = RNG.normal(size=300)
    dataset = load(pl.DataFrame({"x": RNG.normal(size=300), "twice": 2 * value, "y": value}))
    assert "'twice' alone tells the target" in said(dataset)
    rare = load(pl.DataFrame({"x": RNG.normal(size=1000), "y": [1] * 4 + [0] * 996}))
    assert "alone tells" not in said(rare)  # most rows are right without any column


def test_pandas_columns_of_every_kind() -> None:
    table = pd.DataFrame(
        {
            "whole": pd.array([1, None, *range(58)], dtype="Int64"),
            "flag": pd.array([True, None, *[bool(row % 2) for row in range(58)]], dtype="boolean"),
            "when": pd.to_datetime(["2024-01-01", None, *["2024-01-02"] * 58]),
            "zoned": pd.to_datetime(["2024-01-01T12:00+01:00"] * 30 + ["2024-01-02T12:00+01:00"] * 30, utc=True),
            "group": pd.Categorical(["a", None, *["b", "c"] * 29]),
            "number": [1.5, np.nan, *range(58)],
            7: [f"k{row % 4}" for row in range(60)],
            "y": YES,
        },
        index=range(100, 160),
    )
    dataset = load(table)
    assert names_of(dataset) == ["whole", "flag", "when", "zoned", "group", "number", "7"]
    assert dataset.columns is not None
    assert [column.missing for column in dataset.columns] == [True, True, True, False, True, True, False]
    assert dataset.x[0].tolist() == [1, 1, 19723, 19723 + 11 / 24, 0, 1.5, 0]
    mixed = load(pd.DataFrame({"n": pd.Series([1, 2.5, None] * 20, dtype=object), "y": YES}))
    np.testing.assert_array_equal(mixed.x[:3, 0], [1.0, 2.5, np.nan])
    with pytest.raises(DataError, match="'a' twice"):
        load(pd.DataFrame([[1, 2, "x"]] * 5, columns=["a", "a", "y"]))
    with pytest.raises(DataError, match="'odd' must hold cells of one kind. Got int, str"):
        load(pd.DataFrame({"odd": [1, "b"] * 30, "y": YES}))


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no column": (frame(), {"target": "Y2"}, "there is no column 'Y2'. Did you mean 'y'"),
    "no dropped column": (frame(), {"target": "y", "drop": ["z9"]}, "there is no column 'z9'"),
    "one class": (pl.DataFrame({"x": range(9), "y": ["a"] * 9}), {}, "must have two classes at least. Got 'a'"),
    "a class of one row": (pl.DataFrame({"x": range(9), "y": ["a"] * 8 + ["b"]}), {}, "3 rows at least.*Got 1 of 'b'"),
    "a constant number": (pl.DataFrame({"x": range(9), "y": [1.5] * 9}), {}, "must vary. Got 1.5"),
    "no rows": (pl.DataFrame({"x": [], "y": []}), {}, "must have rows, a target and a column"),
    "one column": (pl.DataFrame({"y": YES}), {}, "Got 60 rows and 1 columns"),
    "nothing to learn from": (
        pl.DataFrame({"x": [1] * ROWS, "y": YES}),
        {},
        "must have a column to learn from besides 'y'. Got none: 'x' is left out: it is constant",
    ),
    "no target": (pl.DataFrame({"x": [1.0, 2.0], "y": [None, None]}), {}, "must have rows with a target"),
    "lists": (frame(bag=[[1, 2]] * ROWS), {}, r"'bag' must hold numbers, names, dates or booleans.*drop=\['bag'\]"),
    "infinite": (
        frame(n=[1.0] * 7 + [float("inf")] * 53),
        {},
        "'n' must hold finite numbers. Got an infinite one in row 8",
    ),
    "mixed": (
        frame(n=["1.5", "2", "x"] + ["3"] * 57),
        {},
        "'n' must hold numbers or names. Got 'x' in row 3 among 98% numbers",
    ),
    "thousands or thousandths": (
        frame(n=["999", "1,234"] + ["2,500"] * 58),
        {},
        r"Got '1,234' in row 2, which is 1234 or 1.234. Write the numbers plainly, or leave .* drop=\['n'\]",
    ),
    "a doubtful target": (
        pl.DataFrame({"x": RNG.normal(size=ROWS), "y": [f"{1 + row},000" for row in range(ROWS)]}),
        {},
        "column 'y' must hold numbers that can be read in one way. Got '1,000' in row 1",
    ),
    "words in a regression": (frame(), {"task": "regression"}, "must hold numbers for a regression. Got 'no' in row 1"),
    "another task": (frame(), {"task": "cluster"}, "task must be 'classification' or 'regression'"),
    "many columns": (
        pl.DataFrame({f"c{i}": [1, 2] for i in range(10_001)}),
        {},
        "10,000 columns at the most. Got 10,001",
    ),
    "a pandas series": (pd.Series([1, 2]), {}, "must be a path, a polars or a pandas data frame. Got Series"),
    "wide pandas": (pd.DataFrame(np.zeros((2, 100_000))), {}, "10,000 columns at the most. Got 100,000"),
    "a list": ([[1, 2]], {}, "must be a path, a polars or a pandas data frame. Got list"),
    "times as text": (frame(day=["01/02/03"] * ROWS), {"time": "day"}, "must hold dates or numbers. Got text such as"),
    "a group that is missing": (
        frame(g=[1, None, *range(58)]),
        {"group": "g"},
        "each row must have a group. Got 1 without 'g', first row 2",
    ),
    "a group that is no number": (frame(g=[float("nan"), 1.0] * 30), {"group": "g"}, "Got 30 without 'g', first row 1"),
    "groups of lists": (frame(g=[[1]] * ROWS), {"group": "g"}, "'g' must hold names, numbers or dates of groups"),
    "groups of objects": (
        frame(g=pl.Series([object()] * ROWS, dtype=pl.Object)),
        {"group": "g"},
        "'g' must hold names, numbers or dates of groups. Got Object",
    ),
    "a time that is missing": (frame(t=[*range(59), None]), {"time": "t"}, "Got 1 without 't', first row 60"),
    "a time that is no number": (frame(t=[0.5, float("nan")] * 30), {"time": "t"}, "Got 30 without 't', first row 2"),
    "groups and times": (
        frame(g=list(range(60)), t=list(range(60))),
        {"group": "g", "time": "t"},
        "cut by group or by time. Got group='g' and time='t'. Pass one of them",
    ),
    "a target that is the group": (frame(), {"target": "y", "group": "y"}, "Got 'y' as both"),
    "a target that is the time": (frame(), {"target": "x", "time": "x"}, "Got 'x' as both"),
    "infinite, after rows without a target": (
        pl.DataFrame({"n": [1.0] * 7 + [float("inf")] * 53, "y": [None] * 3 + YES[3:]}),
        {},
        "Got an infinite one in row 8",
    ),
    "words in a regression, after rows without a target": (
        pl.DataFrame({"n": range(ROWS), "y": [None, "1", "2.5", "no", *["4"] * 56]}),
        {"task": "regression"},
        "Got 'no' in row 4",
    ),
    "many classes": (
        pl.DataFrame({"x": range(6000), "y": [f"c{row % 2000}" for row in range(6000)]}),
        {},
        "1,000 classes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_learnt_from_is_refused(name: str) -> None:
    source, options, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as error:
        load(source, **options)
    assert "\n" not in str(error.value)


FILES: dict[str, tuple[str, bytes, dict[str, Any], str]] = {
    "empty": ("t.csv", b"  \n", {}, "must have a header and lines. Got an empty file"),
    "missing": ("", b"", {}, "must be readable. Got: No such file"),
    "uneven": ("t.csv", b"a,b\n1,2\n1,2,3\n", {}, "t.csv, line 3: each line must have as many cells as the header"),
    "binary": ("t.csv", b"\x00\x01\xff\x00" * 50, {}, "must be text or Parquet"),
    "no parquet": ("t.parquet", b"not parquet", {}, "damaged or no .parquet file"),
    "no gzip": ("t.csv.gz", b"not gzip", {}, "damaged or no .gz file"),
    "another encoding": (
        "t.csv",
        "a,b\n1,é".encode("latin-1"),
        {"encoding": "utf-8"},
        "line 2: the text must be utf-8",
    ),
    "no encoding that is known": (
        "t.csv",
        b"a,b\n1,x\n2,\x81",
        {},
        "line 3: the text must be UTF-8, or Windows-1252. Got the byte 0x81. Save it as UTF-8",
    ),
    "a name twice": ("t.csv", b"a,a,y\n1,2,3\n", {}, "Got 'a' twice in the first line"),
    "a long separator": ("t.csv", b"a,b\n1,2", {"separator": ";;"}, "must be one plain character, such as ';'"),
    "no separator": ("t.csv", b"a,b\n1,2", {"separator": ""}, "must be one plain character"),
    "many columns": (
        "t.csv",
        b",".join(b"c%d" % place for place in range(100_000)) + b"\n" + b",".join([b"1"] * 100_000),
        {},
        "10,000 columns at the most. Got 100,000",
    ),
    "no encoding": ("t.csv", b"a,b\n1,2", {"encoding": "klingon"}, "encoding must be one that Python knows"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_read_are_refused(name: str, tmp_path: Path) -> None:
    file, raw, options, message = FILES[name]
    path = tmp_path / (file or "nowhere.csv")
    if file:
        path.write_bytes(raw)
    with pytest.raises(DataError, match=message) as error:
        load(path, **options)
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="must be a file. Got a folder"):
        load(tmp_path)
