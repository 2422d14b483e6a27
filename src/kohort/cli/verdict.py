"""`kohort verdict`: verdicts on scores that any framework wrote."""

import json
from dataclasses import asdict
from difflib import get_close_matches
from typing import Annotated, Any

import typer

from kohort.cli.printing import finite, print_table
from kohort.errors import DataError


def verdict(
    scores: Annotated[
        str, typer.Argument(help="A CSV file with the columns recipe, seed, score, and row if there is one; or -.")
    ],
    baseline: Annotated[
        str | None, typer.Option(help="The recipe to compare with; by default `none`, or the first in the file.")
    ] = None,
    metric: Annotated[str, typer.Option(help="What the score is, for the words.")] = "score",
    lower_is_better: Annotated[
        bool | None,
        typer.Option(
            "--lower-is-better/--greater-is-better",
            help="Which scores are good; by default told from the metric's name.",
        ),
    ] = None,
    smallest_effect: Annotated[
        float | None,
        typer.Option(
            help="The smallest effect that matters, in units of the score; by default 0.005 of a share, "
            "1 % of the baseline's mean otherwise."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="With which probability all intervals hold together.")] = 0.95,
    resplit_test: Annotated[
        bool,
        typer.Option("--resplit-test", help="Each seed drew test rows of its own; needs --train-rows and --test-rows."),
    ] = False,
    train_rows: Annotated[int | None, typer.Option(help="How many rows a run trained on.")] = None,
    test_rows: Annotated[int | None, typer.Option(help="How many rows a score is taken from.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say of each recipe whether it helps, from scores that any framework wrote. Exit code 0 whatever the verdict.

    Columns recipe, seed, score: the verdict is on these test rows. With a column row, a line for each test row (1 where
    the class was right, else 0; or the row's error), the verdict is on the population behind the rows.

    Example: kohort verdict scores.csv --metric accuracy --baseline none
    """
    from kohort.scores import read_scores, wants_low
    from kohort.statistics.verdict import judge

    low = wants_low(metric) if lower_is_better is None else lower_is_better
    paired = read_scores(scores, metric=metric, greater_is_better=not low, train_rows=train_rows, test_rows=test_rows)
    table = paired.table
    against = _baseline(baseline, table.recipes, scores)
    try:
        verdicts = judge(table, against, smallest_effect=smallest_effect, level=level, resplit_test=resplit_test)
    except ValueError as error:
        raise DataError(f"{scores}: {error}") from error
    notes = []
    if lower_is_better is None:
        other = "--greater-is-better" if low else "--lower-is-better"
        notes.append(f"{'Lower' if low else 'Greater'} {metric} is taken for better; {other} says otherwise.")
    if paired.dropped:
        shown = [f"{seed} (not of {', '.join(lacking)})" for seed, lacking in list(paired.dropped.items())[:5]]
        more = f" and {len(paired.dropped) - 5} more" if len(paired.dropped) > 5 else ""
        notes.append(f"Left out, since not every recipe has them: seeds {', '.join(shown)}{more}.")
    if smallest_effect is None and not low and 1.0 < table.scores.max() <= 100.0 and table.scores.min() >= 0.0:
        delta = f"{verdicts.smallest_effect:.3g}"
        notes.append(
            f"The smallest effect that matters is taken for 1 % of the baseline's mean, {delta}. If scores are "
            "percentages, --smallest-effect 0.5 makes it half a point."
        )
    if as_json:
        print(json.dumps(_json(verdicts, table, paired.dropped, notes), indent=2, allow_nan=False))
        return
    from kohort.report.scores import ranks_in_words, scores_table

    print_table(scores_table(table, verdicts))
    print()
    for sentence in (*(own.words() for own in verdicts.verdicts), "", ranks_in_words(verdicts), *notes):
        print(sentence)


def _baseline(asked: str | None, recipes: tuple[str, ...], file: str) -> str:
    if asked is None:
        return "none" if "none" in recipes else recipes[0]
    if asked not in recipes:
        near = get_close_matches(asked, recipes, cutoff=0.5)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{file}: the baseline must be one of {', '.join(recipes)}. Got {asked!r}.{guess}")
    return asked


def _json(verdicts: Any, table: Any, dropped: Any, notes: list[str]) -> dict[str, Any]:
    return finite(
        {
            "kohort_json": 1,  # the version of this layout
            "baseline": verdicts.baseline,
            "metric": table.metric,
            "greater_is_better": table.greater_is_better,
            "estimand": verdicts.estimand,
            "level": verdicts.level,
            "smallest_effect": verdicts.smallest_effect,
            "seeds": list(table.seeds),
            "test_rows": verdicts.rows,
            "dropped": {str(seed): list(lacking) for seed, lacking in dropped.items()},
            "means": dict(zip(table.recipes, map(float, table.scores.mean(axis=1)), strict=True)),
            "verdicts": [{**asdict(own), "words": own.words()} for own in verdicts.verdicts],
            "ranks": [asdict(rank) for rank in verdicts.ranks],
            "notes": notes,
        }
    )
