"""The outcome of every run, as one table: recipes × seeds, and where known × test rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Label = int | str
"""What a seed or a test row is called."""


A_POINT = 0.01  # scores that are all smaller are no shares of anything: half a point could not tell them apart


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The scores of recipes that ran with the same seeds.

    A run's score is that of the weights it ended with, on test rows that are the same for every run. `rows` holds
    what each row contributed. Where the metric is a mean (accuracy: 0 or 1 a row; squared error) a score is the mean
    of its rows. Where it is none (AUC, F1), `rows` holds the jackknife pseudo-values n·θ − (n − 1)·θ₋ᵢ, whose
    mean is the score up to O(1/n) (Efron & Tibshirani 1993, chapter 11); `linear_rows` moves them onto it.

    A run that diverged and has no finite score is refused by its name: whether it counts with the accuracy that its
    weights have, or its seed is left out for every recipe, changes the question, so the caller decides.

    Attributes:
        recipes: Their names, with the strength in them.
        seeds: The seeds that every recipe ran with.
        scores: float64 of shape (recipes, seeds).
        rows: Outcomes of shape (recipes, seeds, rows); None where only scores are known.
        metric: What the score is, for words: `"accuracy"`, `"mse"`.
        greater_is_better: Whether a recipe wants it high.
        train_rows: How many rows a run trained on; needed where test rows are drawn anew for each seed.
        test_rows: How many rows a score is taken from, where `rows` is None and it is known.
    """

    recipes: tuple[str, ...]
    seeds: tuple[Label, ...]
    scores: np.ndarray
    rows: np.ndarray | None = None
    metric: str = "accuracy"
    greater_is_better: bool = True
    train_rows: int | None = None
    test_rows: int | None = None

    def __post_init__(self) -> None:
        expected = (len(self.recipes), len(self.seeds))
        if not all(expected):
            raise ValueError(f"a table needs a recipe and a seed. Got {expected[0]} recipes and {expected[1]} seeds.")
        for what, names in (("recipe", self.recipes), ("seed", self.seeds)):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"each {what} must appear once. Got {what} {twice!r} twice.")
        if np.shape(self.scores) != expected:
            raise ValueError(
                f"scores must be of shape (recipes, seeds) = {expected}. Got {np.shape(self.scores)}; "
                "give every recipe a score for every seed."
            )
        self._refuse(self.scores, "a finite score")
        if self.rows is not None:
            if np.ndim(self.rows) != 3 or self.rows.shape[:2] != expected or self.rows.shape[2] < 2:
                raise ValueError(
                    f"rows must be of shape (recipes, seeds, rows) = ({expected[0]}, {expected[1]}, 2 or more). "
                    f"Got {np.shape(self.rows)}."
                )
            self._refuse(self.rows, "a finite outcome")
            if self.test_rows not in (None, self.rows.shape[2]):
                raise ValueError(f"test_rows must be the number of rows, {self.rows.shape[2]}. Got {self.test_rows}.")

    def _refuse(self, values: np.ndarray, wanted: str) -> None:
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            recipe, seed, *row = wrong[0]
            at = f", row {row[0]}" if row else ""
            raise ValueError(
                f"each run needs {wanted}. Got {values[tuple(wrong[0])]} of recipe {self.recipes[recipe]!r}, "
                f"seed {self.seeds[seed]}{at}. Give the score that its weights have, or leave that seed out for all."
            )

    @property
    def n_rows(self) -> int | None:
        """How many test rows a score is taken from, where that is known."""
        return self.test_rows if self.rows is None else int(self.rows.shape[2])

    @property
    def is_share(self) -> bool:
        """Whether scores read as percentage points: greater is better, all lie in [0, 1], and not all below a point."""
        within = bool(((self.scores >= 0.0) & (self.scores <= 1.0)).all())
        return self.greater_is_better and within and (float(self.scores.max()) >= A_POINT or not self.scores.any())

    @property
    def linear_rows(self) -> np.ndarray:
        """Outcomes whose mean over rows is the run's score, float64 of shape (recipes, seeds, rows)."""
        if self.rows is None:
            raise ValueError("this table has scores and no rows. Give `rows` to speak of the population behind them.")
        rows = np.asarray(self.rows, dtype=np.float64)
        off = self.scores - rows.mean(axis=2)
        return rows if not off.any() else rows + off[:, :, None]

    def index(self, recipe: str) -> int:
        """Where a recipe stands in the table."""
        if recipe not in self.recipes:
            raise ValueError(f"the baseline must be one of {', '.join(self.recipes)}. Got {recipe!r}.")
        return self.recipes.index(recipe)


@dataclass(frozen=True)
class Paired:
    """A table, and what could not enter it.

    Attributes:
        table: Runs of the seeds that all recipes share.
        dropped: Seed -> the recipes that lack it. Their other runs with that seed are not used: differences are
            taken at equal seed.
    """

    table: ScoreTable
    dropped: dict[Label, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Column:
    """A column of names, each line's as a number.

    Attributes:
        names: The names that occur, each once.
        codes: For each line, the position of its name, int of shape (lines,).
    """

    names: tuple[Any, ...]
    codes: np.ndarray

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Column":
        """The column of these values; names in the order in which they first appear."""
        position: dict[Any, int] = {}
        codes = np.array([position.setdefault(value, len(position)) for value in values], dtype=np.int64)
        return cls(tuple(position), codes)

    def sorted(self) -> "Column":
        """The same column with its names in order, numbers before text."""
        order = sorted(range(len(self.names)), key=lambda i: (isinstance(self.names[i], str), self.names[i]))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return Column(tuple(self.names[i] for i in order), rank[self.codes])


def table_of_scores(
    records: Iterable[tuple[str, Label, float]],
    *,
    metric: str = "accuracy",
    greater_is_better: bool = True,
    train_rows: int | None = None,
    test_rows: int | None = None,
) -> Paired:
    """Builds a table from one record a run.

    Args:
        records: (recipe, seed, score), in any order; recipes keep the order in which they first appear.
        metric: What the score is.
        greater_is_better: Whether a recipe wants it high.
        train_rows: How many rows a run trained on.
        test_rows: How many rows a score is taken from.

    Raises:
        ValueError: A run appears twice, a score is not finite, or no seed is shared by all recipes.
    """
    given = list(records)
    recipe, seed, score = ([record[i] for record in given] for i in range(3))
    return table_of_columns(
        Column.of(recipe),
        Column.of(seed),
        np.array(score, dtype=np.float64),
        metric=metric,
        greater_is_better=greater_is_better,
        train_rows=train_rows,
        test_rows=test_rows,
    )


def table_of_rows(
    records: Iterable[tuple[str, Label, Label, float]],
    *,
    metric: str = "accuracy",
    greater_is_better: bool = True,
    train_rows: int | None = None,
) -> Paired:
    """Builds a table from one record a run and test row; a run's score is the mean of its rows.

    Args:
        records: (recipe, seed, row, outcome), in any order. A row's name tells only which outcomes belong together.
        metric: What the score is.
        greater_is_better: Whether a recipe wants it high.
        train_rows: How many rows a run trained on.

    Raises:
        ValueError: A cell appears twice or is missing, an outcome is not finite, or no seed is shared.
    """
    given = list(records)
    recipe, seed, row, outcome = ([record[i] for record in given] for i in range(4))
    return table_of_columns(
        Column.of(recipe),
        Column.of(seed),
        np.array(outcome, dtype=np.float64),
        Column.of(row),
        metric=metric,
        greater_is_better=greater_is_better,
        train_rows=train_rows,
    )


def table_of_columns(
    recipe: Column,
    seed: Column,
    score: np.ndarray,
    row: Column | None = None,
    *,
    metric: str = "accuracy",
    greater_is_better: bool = True,
    train_rows: int | None = None,
    test_rows: int | None = None,
) -> Paired:
    """Builds a table from columns, one line a run, or one line a run and test row.

    Args:
        recipe: The recipe of each line.
        seed: The seed of each line.
        score: The score, or the row's outcome, of shape (lines,).
        row: The test row of each line; None where a line is a run.
        metric: What the score is.
        greater_is_better: Whether a recipe wants it high.
        train_rows: How many rows a run trained on.
        test_rows: How many rows a score is taken from, where `row` is None.

    Raises:
        ValueError: A line appears twice or is missing, a score is not finite, or no seed is shared by all recipes.
    """
    seed = seed.sorted()
    run = recipe.codes * len(seed.names) + seed.codes
    shape = (len(recipe.names), len(seed.names))
    lines = np.bincount(run, minlength=shape[0] * shape[1]).reshape(shape)
    if row is None and lines.max(initial=0) > 1:
        one, other = np.argwhere(lines > 1)[0]
        raise ValueError(
            f"each run must appear once. Got recipe {recipe.names[one]!r}, seed {seed.names[other]} twice."
        )
    shared: np.ndarray = np.all(lines > 0, axis=0, keepdims=True)[0]
    if not shared.any():
        raise ValueError(
            f"recipes must share seeds, at which they are compared. Got {len(recipe.names)} recipes "
            f"({', '.join(map(str, recipe.names))}) without a seed that all have; run each recipe with the same seeds."
        )
    dropped = {
        seed.names[s]: tuple(name for name, count in zip(recipe.names, lines[:, s], strict=True) if not count)
        for s in np.flatnonzero(~shared)
    }
    seeds = tuple(name for name, kept in zip(seed.names, shared, strict=True) if kept)
    kept = shared[seed.codes]
    place = np.cumsum(shared) - 1  # where a shared seed stands among them
    size = (len(recipe.names), len(seeds))
    cell = recipe.codes[kept] * size[1] + place[seed.codes[kept]]
    options = (metric, greater_is_better, train_rows)
    if row is None:
        scores = np.empty(size[0] * size[1])
        scores[cell] = score[kept]
        return Paired(ScoreTable(recipe.names, seeds, scores.reshape(size), None, *options, test_rows), dropped)
    rows = _cells(recipe, seeds, cell, row.sorted(), kept, score)
    return Paired(ScoreTable(recipe.names, seeds, rows.mean(axis=2), rows, *options), dropped)


def _cells(
    recipe: Column, seeds: tuple[Label, ...], run: np.ndarray, row: Column, kept: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Outcomes of shape (recipes, seeds, rows); `run` numbers the kept lines' runs."""
    used, where = np.unique(row.codes[kept], return_inverse=True)
    key = run * len(used) + where
    order = np.argsort(key, kind="stable")
    runs = len(recipe.names) * len(seeds)
    twice = np.flatnonzero(key[order][1:] == key[order][:-1])

    def told(number: Any) -> str:
        return f"recipe {recipe.names[number // len(seeds)]!r}, seed {seeds[number % len(seeds)]}"

    if len(twice):
        at = order[twice[0]]
        raise ValueError(f"each cell must appear once. Got {told(run[at])}, row {row.names[used[where[at]]]} twice.")
    short = np.flatnonzero(np.bincount(run, minlength=runs) < len(used))
    if len(short):
        missing = np.setdiff1d(np.arange(len(used)), where[run == short[0]])[0]
        raise ValueError(
            f"every run must be scored on the same test rows. Got none of {told(short[0])} for "
            f"row {row.names[used[missing]]}, which another run has."
        )
    return score[kept][order].reshape(len(recipe.names), len(seeds), len(used))


def contrasts_with(baseline: int, recipes: int) -> np.ndarray:
    """The comparisons of every other recipe with the baseline: indices (recipe, baseline), (recipes − 1, 2)."""
    return np.array([(recipe, baseline) for recipe in range(recipes) if recipe != baseline]).reshape(-1, 2)


def all_contrasts(recipes: int) -> np.ndarray:
    """The comparisons of every pair of recipes once: indices (one, other), of shape (recipes (recipes − 1) / 2, 2)."""
    return np.array([(one, other) for one in range(recipes) for other in range(one)]).reshape(-1, 2)


def named_contrasts(table: ScoreTable, baseline: str) -> Sequence[str]:
    """The recipes other than the baseline, in the order of `contrasts_with`."""
    table.index(baseline)
    return [recipe for recipe in table.recipes if recipe != baseline]
