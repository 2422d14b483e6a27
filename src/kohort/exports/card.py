"""A model card: what a trained network is, how it does and where it ends, in Markdown.

The sections are those of Mitchell et al. (2019, Model Cards for Model Reporting, Figure 1), under a header as the
Hugging Face Hub reads it. What Kohort cannot know is said to be unknown, for whoever hands the network on to fill in.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kohort.errors import DataError
from kohort.report.document import Document
from kohort.report.markdown import code, table, text
from kohort.report.sentences import improvement_in_words
from kohort.run import Run
from kohort.statistics import mean_interval, share_interval


def write_card(document: Document, run: Run, path: Path, *, chosen: bool = False) -> Path:
    """Writes a network's card.

    Args:
        document: The report of the study that it comes from.
        run: Its run.
        path: The file, which ends in `.md`.
        chosen: Whether it is the best of all runs on validation rows.

    Returns:
        The file.

    Raises:
        DataError: The name ends otherwise, the run is not one of the study's, or the file cannot be written.
    """
    if path.suffix != ".md":
        raise DataError(f"a card's file must end in .md. Got {path.name!r}.")
    told = card(document, run, chosen=chosen)
    try:
        path.write_text(told, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: the card cannot be written: {error}. Name another file.") from error
    return path


def card(document: Document, run: Run, *, chosen: bool = False) -> str:
    """A network's card as Markdown, every name that a user chose escaped; what is taken is as for `write_card`."""
    if run.recipe not in document.comparison.names or run.test is None:
        names = ", ".join(document.comparison.names)
        raise DataError(f"the run must be one of a recipe that was compared: {names}. Got {run.recipe!r}.")
    return "\n".join([*_header(document, run), *_details(document, run, chosen), *_numbers(document, run, chosen)])


def _header(document: Document, run: Run) -> Iterator[str]:
    yield "---"
    yield "library_name: keras"
    yield "tags: [kohort]"
    yield f"metrics: [{json.dumps(document.comparison.metric)}]"
    yield "---\n"
    yield f"# {text(run.recipe)}, seed {run.seed}: a network trained on {text(_data(document))}\n"


def _data(document: Document) -> str:
    return document.how.get("data", "its data").split(": ")[0]


def _details(document: Document, run: Run, chosen: bool) -> Iterator[str]:
    how = document.how
    yield "## Model details\n"
    yield from _list(
        ("recipe", run.recipe),
        ("seed", str(run.seed)),
        ("network", how.get("network", "not known")),
        ("training", how.get("training", "not known")),
        ("epochs that it trained", str(len(run.epoch))),
        ("versions", how.get("versions", "not known")),
        ("devices", how.get("devices", "not known")),
        ("which run", _which(document, run, chosen)),
    )
    if source := document.code.get(run.recipe):
        yield "The recipe:\n"
        yield from code(source)
    yield "## Intended use\n"
    yield "Not known to Kohort: say here what the network is for, who uses it, and what it must not be used for.\n"
    yield (
        "It takes rows as it saw them in training, scaled and encoded by its own training rows where its data are; of "
        "a regression it gives targets that are centred and scaled by these. It is of use for rows that come about as "
        "those did that it was tested on.\n"
    )
    yield "## Factors\n"
    yield "Scores were not taken apart by groups of people, instruments or places. Where these matter, test each.\n"


def _which(document: Document, run: Run, chosen: bool) -> str:
    count = sum(len(summary.seeds) for summary in document.comparison.recipes)
    names = len(document.comparison.recipes)
    among = f"one of {count} runs of {names} recipe{'s' if names > 1 else ''}"
    if not chosen:
        return f"{among}, taken by its name"
    return f"{among}, the one that does best on its own validation rows; test rows had no say in the choice"


def _numbers(document: Document, run: Run, chosen: bool) -> Iterator[str]:
    comparison, units, how = document.comparison, document.units, document.how
    assert run.test is not None
    summary = next(own for own in comparison.recipes if own.recipe == run.recipe)
    yield "## Metrics\n"
    better = "higher is better" if comparison.greater_is_better else "lower is better"
    yield f"{text(units.name.capitalize())} on the test rows, with the weights that training ended with; {better}.\n"
    yield "## Evaluation data\n"
    yield f"{comparison.test_rows:,} test rows, on which no run trained. {text(how.get('rows', ''))}\n"
    yield "## Training data\n"
    found = {name: how[name] for name in ("data", "fingerprint", "found in the data") if name in how}
    yield from _list(*found.items())
    yield "## Quantitative analyses\n"
    yield f"- **This network's test {text(units.heading)}: {_score(document, run)}.**"
    yield (
        f"- Its recipe over {summary.test_mean.n} seed{'s' if summary.test_mean.n > 1 else ''}: mean "
        f"{units.within(summary.test_mean)}, 95 % interval; standard deviation {units.score(summary.test_spread)}."
    )
    if summary.verdict is not None:
        yield f"- The verdict on its recipe: {text(summary.verdict.words())}."
    elif run.recipe == comparison.baseline:
        yield "- Its recipe is the baseline that the others are compared with."
    yield f"- Of all recipes: {text(document.lead)}\n"
    heads = ("recipe", f"test {units.heading}, mean ± sd", f"improvement on {comparison.baseline} (95 %)", "seeds")
    yield from table(
        heads,
        [
            (
                own.recipe,
                f"{units.score(own.test_mean.mean)} ± {units.score(own.test_spread)}",
                improvement_in_words(own, units),
                f"{own.test_mean.n}{f', {own.diverged} diverged' if own.diverged else ''}",
            )
            for own in comparison.recipes
        ],
    )
    yield "## Ethical considerations\n"
    yield "Not known to Kohort: say here whether rows are about people, what they agreed to, and what an error does.\n"
    yield "## Caveats and recommendations\n"
    yield from _limits(document, run, chosen)
    yield ""


def _limits(document: Document, run: Run, chosen: bool) -> Iterator[str]:
    yield "- Verdicts are on recipes, over all their seeds; another run of this recipe does better or worse."
    yield "- Scores are of rows like the test rows. Of other sources, later times and rarer cases nothing is known."
    yield "- The report's intervals hold for the recipes that were compared, and say nothing of those that were not."
    if document.honesty:
        yield f"- {text(document.honesty)}"
    if chosen:
        yield "- It was chosen among several by a score on few validation rows, which flatters; trust the test score."
    if not run.outcome.finished:
        yield f"- The run {text(str(run.outcome))}: the network is of no use."
    yield from (f"- A run that gave no usable network: {text(own)}" for own in document.failures)
    if document.command:
        yield "\nThe command that makes the study again:\n"
        yield from code(document.command)


def _score(document: Document, run: Run) -> str:
    """The test score with its interval over test rows: exact of a share, else Student's where it is finite."""
    assert run.test is not None
    units, outcomes = document.units, run.test.outcomes.astype(np.float64)
    if not math.isfinite(run.test.score) or np.ptp(outcomes) == 0.0:
        return f"{units.score(run.test.score)} ({len(outcomes):,} rows)"
    interval = share_interval(outcomes) if set(np.unique(outcomes)) == {0.0, 1.0} else mean_interval(outcomes)
    return f"{units.within(interval)}, 95 % interval over {len(outcomes):,} rows"


def _list(*told: tuple[str, str]) -> Iterator[str]:
    yield from (f"- {text(name)}: {text(value)}" for name, value in told)
    yield ""
