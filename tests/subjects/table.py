"""The table of features in the documentation, made of the subjects: `python -m tests.subjects.table`."""

from pathlib import Path

from tests.subjects import SUBJECTS
from tests.subjects.subject import Subject

PAGE = Path(__file__).parents[2] / "docs" / "features.md"

HEADINGS = {
    "models": "Models",
    "layers": "Layers",
    "compile": "Optimisers, schedules, losses and metrics",
    "fit": "Arguments and data of `fit`",
    "callbacks": "Callbacks",
    "recipes": "Recipes of the catalogue",
    "public": "Whole architectures",
}

MEANINGS = {
    "same": "in a cohort",
    "batch pace": "in a cohort, at a batch's pace",
    "slow path": "by `fit` itself, with `on_unsupported='fit'`",
    "refused": "refused",
    "keras fails": "refused; `fit` fails, too",
}


def page() -> str:
    """The page as Markdown."""
    counts = {status: sum(subject.status == status for subject in SUBJECTS) for status in MEANINGS}
    told = ", ".join(f"{count} {MEANINGS[status]}" for status, count in counts.items() if count)
    lines = [
        "# What of Keras trains in a cohort",
        "",
        "Made by `python -m tests.subjects.table` from the table that `tests/test_equivalence.py` is driven by: each",
        "row is a model that is trained with two seeds in one call of `kohort.fit` and again, seed by seed, by plain",
        "`model.fit`. Logs, weights, statistics, seed generators and the optimiser's state must agree to rounding.",
        "",
        f"{len(SUBJECTS)} features: {told}.",
        "",
        "Refused besides, each with the reason and what to do: `run_eagerly=True`, a `fit` or `evaluate` of the class'",
        "own, Python code that looks at values, metrics that never begin anew, ordered callbacks to Python from inside",
        "a step, sparse arrays, `keras.distribution`. All but the last two train with `on_unsupported='fit'`.",
    ]
    for group, heading in HEADINGS.items():
        lines += ["", f"## {heading}", "", "| feature | trains | remarks |", "| --- | --- | --- |"]
        lines += [_row(subject) for subject in SUBJECTS if subject.group == group]
    return "\n".join(lines) + "\n"


def _row(subject: Subject) -> str:
    remarks = [subject.why] if subject.why else []
    remarks += [f"tested where {subject.requires} is installed"] if subject.requires else []
    cells = (subject.feature, MEANINGS[subject.status], "; ".join(remarks))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
