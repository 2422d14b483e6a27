"""What `kohort export`, `card` and `track` take from a study in a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from kohort.errors import DataError, RecipeError, StudyError
from kohort.report.document import Document, document
from kohort.run import Run
from kohort.statistics.comparison import compare
from kohort.store.reading import StoredStudy

NOT_OF_THE_WEIGHTS = ("kohort", "keras", "jax", "numpy", "devices", "diagnostics", "at_once")
"""What decides how a run trains, and no longer matters when its weights are there."""


def document_of(study: StoredStudy) -> Document | None:
    """The report of a study that is in a folder; None where seeds came in rounds, or nothing can be compared yet."""
    baseline = study.compared_with
    if baseline is None:
        return None
    runs = study.comparable
    return document(compare(runs, baseline), runs, **study.reported)


def run_of(study: StoredStudy, recipe: str | None, seed: int | None) -> Run:
    """A run of a study, by its recipe's name or text, and its seed."""
    if recipe is None or seed is None:
        raise DataError(f"a network has a recipe and a seed. Got {recipe!r} and {seed!r}. Pass --recipe and --seed.")
    if (recipe, seed) in study.runs:
        return study.runs[recipe, seed]
    name = _label(recipe) or recipe
    if (name, seed) not in study.runs:
        known = ", ".join(f"{own!r}" for own in study.identity.recipes)
        raise DataError(f"the study must have the run. Got {recipe!r}, seed {seed}. Its recipes are {known}.")
    return study.runs[name, seed]


def _label(recipe: str) -> str | None:
    """What reports call a recipe that is written in another way; None of what is no recipe of the catalogue."""
    from kohort.recipes.grammar import parse

    try:
        return parse(recipe).label
    except RecipeError:
        return None


def export_network(
    study: StoredStudy,
    to: Path,
    recipe: str | None,
    seed: int | None,
    data: str | None,
    of_a_file: dict[str, Any],
    model: str,
) -> Path:
    """Writes a network of a study: its folder has the weights, data and `--model` tell what it is built for."""
    from kohort.cli.given import data_of, network_of
    from kohort.runtime import check_backend

    run = run_of(study, recipe, seed)
    assert run.seed is not None
    text = study.identity.facts.get("texts", {}).get(run.recipe)  # what a recipe is that has a name of its own
    written = text or run.recipe
    if _label(written) is None:
        raise DataError(
            f"{to}: the recipe must be one of the catalogue, to be built anew. Got {run.recipe!r}, which is a function "
            "of your own; a folder does not hold it. In Python run the study in its folder again, where nothing "
            f"trains anew, and call result.export({run.recipe!r}, {run.seed}, {str(to)!r})."
        )
    if data is None:
        raise DataError("a network is built for its data, which a study's folder does not hold. Pass --data.")
    check_backend()
    dataset = data_of(data, of_a_file)
    from kohort.study import Study

    decides = study.identity.decides
    options: dict[str, Any] = {
        "seeds": [run.seed],
        "epochs": int(decides["epochs"]),
        "batch_size": int(decides["batch_size"]),
        "network": network_of(model),
        "metric": decides["metric"],
    }
    own = Study([written], dataset, **options)
    if text is not None:
        own = Study({run.recipe: replace(own.recipes[0], text=text)}, dataset, **options)
    differences = [
        told for told in own.identity.differences(study.identity) if told.split()[0] not in NOT_OF_THE_WEIGHTS
    ]
    if differences:
        raise StudyError(
            f"{study.folder}: the network must be one of the study that is there. Got {'; '.join(differences)}. Pass "
            "--data and --model as they were."
        )
    return own.result_of([run]).export(run.recipe, run.seed, to)
