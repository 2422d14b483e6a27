"""`kohort studies`, `show`, `report`, `export`, `card`, `track`, `rm`, `gc`: studies in folders.

Of these only the export of a network loads Keras and JAX.
"""

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kohort.cli.given import (
    Drop,
    Encoding,
    Experiment,
    Group,
    MLflowUri,
    Separator,
    Target,
    Task,
    TensorBoardFolder,
    Time,
    trackers_of,
)
from kohort.cli.printing import finite, print_rows, print_table
from kohort.errors import DataError, StudyError

Folder = Annotated[Path, typer.Argument(help="The study's folder.")]
Generation = Annotated[int | None, typer.Option(help="Which generation; the last by default.")]
Recipe = Annotated[str | None, typer.Option(help="Of a network: its recipe, as the report or as --recipes names it.")]
Seed = Annotated[int | None, typer.Option(help="Of a network: its seed.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


ROUNDS = (
    "seeds came in rounds until verdicts were settled, which verdicts must know of. Type the command that made the "
    "study again; what it holds is not trained again."
)


def studies(
    folder: Annotated[Path, typer.Argument(help="Where to look, in all folders below too.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """List the studies and searches in a folder and below it.

    Example: kohort studies experiments
    """
    from kohort.cli.searched import searches_in
    from kohort.store.reading import read_study, studies_below

    searches = searches_in(folder)
    found = [read_study(own) for own in studies_below(folder)]
    told = [
        {
            "folder": str(own.folder),
            "data": own.identity.dataset,
            "recipes": len(own.identity.recipes),
            "seeds": len(own.seeds),
            "runs": len(own.runs),
            "last run ended": own.ended,
        }
        for own in found
    ]
    if as_json:
        print(json.dumps(finite({"kohort_json": 1, "studies": told, "searches": searches}), indent=2))
    elif told or searches:
        if told:
            print_rows(told)
        if told and searches:
            print()
        if searches:
            print_rows(searches)
    else:
        print(
            f"No study in {folder.resolve()} or below it. `kohort compare … --study FOLDER` makes one, "
            "`kohort tune … --study FOLDER` a search."
        )


def show(folder: Folder, generation: Generation = None, as_json: AsJson = False) -> None:
    """Show a study: how it was made, which runs have ended, and how. Of a search: what was tried, and the best so far.

    Example: kohort show digits-study
    """
    from kohort.cli.searched import show_search
    from kohort.store.reading import read_study
    from kohort.store.searches import is_search

    if is_search(folder):
        show_search(folder, as_json=as_json)
        return

    study = read_study(folder, generation)
    rows = []
    for recipe in study.identity.recipes:
        runs = study.runs.of(recipe)
        scores = [run.test.score for run in runs if run.test is not None and run.outcome.finished]
        rows.append(
            {
                "recipe": recipe,
                "runs": len(runs),
                "diverged": sum(not run.outcome.finished for run in runs),
                "epochs": sum(len(run.epoch) for run in runs),
                f"mean test {study.identity.decides['metric']}": sum(scores) / len(scores) if scores else None,
            }
        )
    if as_json:
        told = {"generation": study.generation, "generations": study.generations, "facts": study.facts()}
        failures = [asdict(failure) for failure in study.failures]
        told |= {"recipes": rows, "failures": failures, "plans": study.runs.explain().splitlines()}
        print(json.dumps(finite({"kohort_json": 1, **told}), indent=2))
        return
    for name, value in study.facts().items():
        print(f"{name}: {value}")
    print(f"generation: {study.generation} of {study.generations}\n")
    print_rows(rows)
    print(study.runs.explain())


def report(
    folder: Folder,
    to: Annotated[
        Path,
        typer.Option(
            "--report", help="Where to write the report: .html, or .md with its figures in a folder beside it."
        ),
    ] = Path("report.html"),
    figures: Annotated[
        Path | None, typer.Option(help="A folder to write each figure of the report to, as SVG and PNG.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="The recipe to compare with; the study's by default.")] = None,
    smallest_effect: Annotated[
        float | None, typer.Option(help="The smallest effect that matters, in units of the metric.")
    ] = None,
    generation: Generation = None,
) -> None:
    """Compare what a study holds: print the table, write the report, train nothing.

    Example: kohort report digits-study --baseline dropout
    """
    from kohort.cli.searched import study_in
    from kohort.report.document import document
    from kohort.report.files import write_figures, write_report
    from kohort.report.sentences import verdict_sentences
    from kohort.report.text import table
    from kohort.statistics.comparison import compare
    from kohort.store.reading import read_study
    from kohort.store.searches import is_search

    search = is_search(folder)
    folder = study_in(folder)
    study = read_study(folder, generation)
    if study.identity.facts.get("most_seeds"):
        raise StudyError(f"{folder}: {ROUNDS}")
    runs = study.comparable
    against = baseline or study.identity.facts["baseline"]
    recipes = list(dict.fromkeys(recipe for recipe, _ in runs))
    if against not in recipes:
        raise DataError(f"the baseline must be one of {', '.join(recipes)}. Got {against!r}.")
    comparison = compare(runs, against, smallest_effect=smallest_effect)
    command = shlex.join(["kohort", "report", str(folder), "--baseline", against])
    told = document(comparison, runs, **study.reported, command=command)
    print_table(table(comparison))
    write_report(told, to)
    if figures is not None:
        write_figures(told, figures)
    print()
    for sentence in verdict_sentences(comparison):
        print(sentence)
    missing = len(study.runs) - len(runs)
    if missing:
        print(f"{missing} runs are left out: not all recipes have run under their seeds yet.")
    print(f"{len(runs)} runs. Report: {to}")
    if search:
        print(f"Of the search itself: kohort show {shlex.quote(str(folder.parent))}")


def export(
    folder: Folder,
    to: Annotated[
        Path,
        typer.Argument(help="The file to write: .csv, .parquet, .md or .tex, or of a network .keras, .onnx or .py."),
    ],
    logs: Annotated[bool, typer.Option("--logs", help="A row for each epoch of each run, with all logs.")] = False,
    recipe: Recipe = None,
    seed: Seed = None,
    data: Annotated[
        str | None, typer.Option(help="Of a network: the data of the study, as `kohort compare` was given them.")
    ] = None,
    target: Target = None,
    task: Task = None,
    group: Group = None,
    time: Time = None,
    drop: Drop = "",
    separator: Separator = None,
    encoding: Encoding = None,
    model: Annotated[str, typer.Option(help="Of a network: the option --model of the study.")] = "auto",
    generation: Generation = None,
) -> None:
    """Write a study's runs as a table, a row for each run, or for each epoch; or one of its networks as a file.

    A .keras file is Keras' own, an .onnx file predicts without Keras, and a .py file trains the network again with
    Keras alone, on the rows in the .npz file beside it.

    Example: kohort export digits-study runs.csv

    Example: kohort export digits-study network.onnx --recipe "dropout 0.3" --seed 3 --data digits
    """
    from kohort.cli.searched import study_in
    from kohort.report.tidy import logs_table, runs_table, write_table
    from kohort.store.reading import read_study

    study = read_study(study_in(folder), generation)
    if to.suffix in (".keras", ".onnx", ".py"):
        from kohort.cli.exported import export_network

        of_a_file = {"target": target, "task": task, "group": group, "time": time, "drop": drop}
        read_as = {"separator": separator, "encoding": encoding}
        print(f"A network: {export_network(study, to, recipe, seed, data, of_a_file | read_as, model)}")
        return
    table = logs_table(study.runs) if logs else runs_table(study.runs)
    write_table(table, to)
    print(f"{table.height:,} rows: {to}")


def card(
    folder: Folder,
    to: Annotated[Path, typer.Argument(help="The file to write, which ends in .md.")] = Path("model_card.md"),
    recipe: Recipe = None,
    seed: Seed = None,
    generation: Generation = None,
) -> None:
    """Write the model card of one of a study's networks: data, recipe, scores, verdict, versions, limits.

    By default of the network that does best on its own validation rows; of a search, among those of its recipe.

    Example: kohort card digits-study card.md --recipe "dropout 0.3" --seed 3
    """
    from kohort.cli.exported import document_of, run_of
    from kohort.cli.searched import study_in
    from kohort.exports.card import write_card
    from kohort.run import best_validated
    from kohort.store.reading import read_study
    from kohort.store.searches import is_search

    study = read_study(study_in(folder), generation)
    document = document_of(study)
    if document is None:
        baseline = study.identity.facts["baseline"]
        nothing = (
            f"a card compares with the baseline, {baseline!r}, under seeds that all have run. Got none. Run it on."
        )
        raise StudyError(f"{folder}: {ROUNDS if study.identity.facts.get('most_seeds') else nothing}")
    passed_by = study.identity.facts["baseline"] if is_search(folder) else None  # a search has chosen the other
    candidates = [run for run in study.comparable.values() if run.recipe != passed_by]
    best = best_validated(candidates) if recipe is None and seed is None else None
    own = best or run_of(study, recipe, seed)
    print(f"The card of {own.recipe}, seed {own.seed}: {write_card(document, own, to, chosen=best is not None)}")


def track(
    folder: Folder,
    mlflow: MLflowUri = None,
    experiment: Experiment = "kohort",
    tensorboard: TensorBoardFolder = None,
    generation: Generation = None,
) -> None:
    """Tell MLflow or TensorBoard of a study that is in a folder; what they know already they are not told again.

    Example: kohort track digits-study --mlflow http://localhost:5000 --tensorboard logs
    """
    from kohort.cli.exported import document_of
    from kohort.cli.searched import study_in
    from kohort.store.reading import read_study
    from kohort.trackers.sending import send

    trackers = trackers_of(mlflow, experiment, tensorboard)
    if not trackers:
        raise DataError("a tracker must be named. Got none. Pass --mlflow URI or --tensorboard FOLDER.")
    study = read_study(study_in(folder), generation)
    for tracker in trackers:
        send(tracker, study.identity, study.runs.values(), lambda: document_of(study))
        print(f"{len(study.runs)} runs: {tracker}")


def rm(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a study with all its runs, or a search with its studies; other files in the folder stay.

    Example: kohort rm digits-study
    """
    from kohort.store.reading import read_study
    from kohort.store.searches import is_search, read_search
    from kohort.store.tidying import remove_search, remove_study

    search = is_search(folder)
    if not yes:
        if search:
            tried = read_search(folder)
            count = sum(map(len, tried.tried.values()))
            told = f"a search of {count:,} candidates on {tried.identity.get('dataset', '')} and its studies"
        else:
            study = read_study(folder)
            told = f"{len(study.runs)} runs of {study.identity.dataset} in {study.generations} generations"
        typer.confirm(f"Remove {folder} with {told}?", abort=True)
    freed = (remove_search if search else remove_study)(folder) / 2**20
    stays = ", but for other files that are in the folder" if folder.exists() else ""
    print(f"{folder} is removed{stays}: {freed:,.1f} MiB.")


def gc(folder: Folder) -> None:
    """Remove what a study does not need: files put aside as damaged, half-written ones, records of no run.

    Of a search, what its studies do not need.

    Example: kohort gc digits-study
    """
    from kohort.store.searches import is_search, read_search
    from kohort.store.tidying import collect_garbage

    folders = [folder / name for name in read_search(folder).studies] if is_search(folder) else [folder]
    print(f"{sum(map(collect_garbage, folders)) / 2**20:,.1f} MiB removed from {folder}.")
