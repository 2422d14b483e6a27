"""The report as Markdown, for a repository's pages, pull requests and notebooks."""

import re
from collections.abc import Iterator, Sequence

from kohort.report.document import Document
from kohort.report.figures import figures
from kohort.report.sentences import improvement_in_words
from kohort.report.text import mean, seconds

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~$@]|:(?=//))")  # what means something within a line; @ calls people


def markdown(document: Document, folder: str) -> str:
    """The report as Markdown text. Every name a user chose is escaped.

    Args:
        document: The report.
        folder: Where its figures lie as SVG, seen from the file.
    """
    return "\n".join(_lines(document, folder))


def text(value: str) -> str:
    r"""Text that Markdown shows as it is, in one line.

    >>> text("<b>*l2*</b>\n# x")
    '\\<b\\>\\*l2\\*\\</b\\> \\# x'
    """
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))


def _lines(document: Document, folder: str) -> Iterator[str]:
    comparison, units = document.comparison, document.units
    yield f"# {text(document.title)}\n"
    yield f"**{text(document.lead)}**\n"
    yield from (f"- {text(sentence)}" for sentence in document.verdicts)
    yield ""
    yield f"{text(document.textbook)}\n"
    if document.honesty:
        yield f"{text(document.honesty)}\n"
    heads = (
        "recipe",
        f"test {units.heading}, mean ± sd",
        f"improvement on {comparison.baseline} (95 %)",
        "best validation epoch, mean",
        "train, last epoch, mean",
        "seeds",
    )
    rows = [
        (
            row.recipe,
            f"{units.score(row.test_mean.mean)} ± {units.score(row.test_spread)}",
            improvement_in_words(row, units),
            units.score(mean(row.best_validation)),
            units.score(mean(row.train)),
            f"{row.test_mean.n}{f', {row.diverged} diverged' if row.diverged else ''}",
        )
        for row in comparison.recipes
    ]
    yield from table(heads, rows)
    if document.search is not None:
        yield "## The search\n"
        yield from (f"- {text(sentence)}" for sentence in document.search.sentences)
        yield ""
        yield from table(document.search.heads, document.search.rows)
    for figure in figures(document):
        yield f"## {text(figure.title)}\n"
        yield f"![{text(figure.title)}]({folder}/{figure.name}.svg)\n"
        yield f"{text(figure.caption)}\n"
        yield from table(figure.heads, figure.numbers)
    yield "## What it took\n"
    yield from table(
        ("recipe", "runs", "epochs, all runs", "seconds, all runs", "by model.fit, about"),
        [
            (own.recipe, str(own.runs), f"{own.epochs:,}", seconds(own.seconds), seconds(own.by_fit))
            for own in document.costs
        ],
    )
    if document.cost:
        yield f"{text(document.cost)}\n"
    if document.failures:
        yield "## Runs that gave no usable network\n"
        yield from (f"- {text(failure)}" for failure in document.failures)
        yield ""
    yield "## How this was made\n"
    yield from (f"- {text(name)}: {text(value)}" for name, value in document.how.items())
    yield ""
    for name, source in document.code.items():
        yield f"Recipe {text(name)}:\n"
        yield from code(source)
    if document.command:
        yield "The command that makes it again:\n"
        yield from code(document.command)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, every cell escaped; none where there are no rows."""
    if rows:
        yield f"| {' | '.join(map(text, heads))} |"
        yield f"|{'---|' * len(heads)}"
        yield from (f"| {' | '.join(map(text, row))} |" for row in rows)
        yield ""


def code(source: str) -> Iterator[str]:
    """The lines of a piece of code."""
    yield from (f"    {line}" for line in source.splitlines())  # indented, for a fence could be closed from within
    yield ""
