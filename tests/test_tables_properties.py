"""Whatever polars can hold is learnt from or refused in one line: 600 generated tables."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing.parametric import series

from kohort.data import load, split
from kohort.data.written_numbers import read_numbers
from kohort.errors import DataError

KINDS = (
    pl.Int8, pl.Int64, pl.UInt16, pl.UInt64, pl.Float32, pl.Float64, pl.Boolean, pl.String, pl.Date, pl.Datetime("us"),
    pl.Duration("us"), pl.Time, pl.Categorical, pl.Decimal(10, 2), pl.Null, pl.Int128, pl.Enum(["a", "b", "c"]),
    pl.Datetime("ns", "UTC"), pl.Datetime("ms"),
)  # fmt: skip
REFUSED = (pl.Binary, pl.List(pl.Int8), pl.Array(pl.Int8, 2), pl.Struct({"a": pl.Int8}))

CLASSES = st.sampled_from([["a", "b", "c"], [0, 1], [True, False], [1.0, 2.5], [-3, 10**12]])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@st.composite
def tables(draw: st.DrawFn, classes: bool) -> pl.DataFrame:
    """A table of up to six columns of any kinds and a target; often with missing cells."""
    rows = draw(st.integers(20, 60))
    kinds: list[Any] = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    if draw(st.integers(0, 9)) == 0:
        kinds.append(draw(st.sampled_from(REFUSED)))
    gaps = draw(st.booleans())
    columns = [
        draw(series(name=f"c{place}", dtype=kind, min_size=rows, max_size=rows, allow_null=gaps or kind == pl.Null))
        for place, kind in enumerate(kinds)
    ]
    few = draw(CLASSES) if classes else []
    one = st.sampled_from(few) if classes else NUMBERS
    target = [*few * 3, *draw(st.lists(one, min_size=rows, max_size=rows))][:rows]
    return pl.DataFrame([*columns, pl.Series("target", target)])


def outcome(table: Any, batch_size: int) -> str:
    """A dataset is cut and seen whole, or refused in one line."""
    try:
        dataset = load(table, "target")
        own = split(dataset, 0, batch_size)
        targets = dataset.targets(own.train).values
    except DataError as error:
        return "refused in lines" if "\n" in str(error) else "refused"
    seen = dataset.inputs(own.train)
    assert seen.shape == (dataset.rows, *dataset.shape)
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    for position, codes in dataset.embedded:
        assert ((seen[:, position] >= 0) & (seen[:, position] < codes)).all()
    assert np.isfinite(targets).all()
    together = np.concatenate([own.train, own.validation, own.test])
    assert len(set(together)) == len(together) == dataset.rows
    return "learnt"


def written(number: int, hundredths: int, thousands: str, point: str) -> str:
    return f"{number:,}".replace(",", thousands) + f"{point}{hundredths:02}"


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 99)), min_size=1, max_size=20),
    st.sampled_from([(",", "."), (".", ","), ("", ","), ("", ".")]),
)
def test_numbers_are_read_back_as_they_were_written(numbers: list[tuple[int, int]], marks: tuple[str, str]) -> None:
    found = read_numbers(pl.Series([written(*number, *marks) for number in numbers]))
    assert found.doubtful is None
    plain = [float(written(*number, "", ".")) for number in numbers]
    assert found.numbers.to_list() == plain


@pytest.mark.slow
@pytest.mark.parametrize("classes", [True, False])
def test_tables_are_learnt_from_or_refused_in_one_line(classes: bool) -> None:
    seen: Counter[str] = Counter()
    checks: Any = list(HealthCheck)

    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=checks)
    @given(tables(classes), st.sampled_from([2, 4]))
    def look(table: pl.DataFrame, batch_size: int) -> None:
        seen[outcome(table, batch_size)] += 1

    look()
    assert seen.total() >= 300
    assert seen["learnt"] >= 100
    assert seen["refused"] >= 10
    assert set(seen) == {"learnt", "refused"}
