"""`kohort compare`: recipes side by side on one dataset."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from kohort.cli.given import (
    Drop,
    Encoding,
    Experiment,
    Given,
    Group,
    MLflowUri,
    Separator,
    Target,
    Task,
    TensorBoardFolder,
    Time,
    data_of,
    executor_of,
    network_of,
    trackers_of,
)
from kohort.cli.printing import command_of, finite, print_table, told_if_interrupted
from kohort.errors import DataError


def compare(
    dataset: Given,
    target: Target = None,
    task: Task = None,
    group: Group = None,
    time: Time = None,
    drop: Drop = "",
    separator: Separator = None,
    encoding: Encoding = None,
    recipes: Annotated[
        str,
        typer.Option(
            help="Recipes, separated by commas: dropout=0.5, batchnorm+adamw, cosine:warmup=5; see `kohort recipes`."
        ),
    ] = "none,l2,dropout,batchnorm",
    model: Annotated[
        str,
        typer.Option(
            help="What recipes are applied to: mlp, cnn, cnn1d (rows are sequences), auto (by the data), or a "
            "function, my_module:build."
        ),
    ] = "auto",
    seeds: Annotated[
        str, typer.Option(help="How many seeds: 0, 1, 2, …; or auto: rounds of seeds until every verdict is settled.")
    ] = "20",
    most_seeds: Annotated[int, typer.Option(help="With --seeds auto: at most so many.")] = 40,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows.")] = 50,
    batch_size: Annotated[int, typer.Option(help="Rows of a batch.")] = 32,
    baseline: Annotated[str | None, typer.Option(help="The recipe to compare with; the first by default.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="What runs are judged by: the name of a Keras metric; accuracy by default, of a regression the root "
            "of the mean squared error."
        ),
    ] = None,
    smallest_effect: Annotated[
        float | None,
        typer.Option(help="The smallest effect that matters, in units of the metric; 0.005 of an accuracy by default."),
    ] = None,
    report: Annotated[
        Path, typer.Option(help="Where to write the report: .html, or .md with its figures in a folder beside it.")
    ] = Path("report.html"),
    figures: Annotated[
        Path | None, typer.Option(help="A folder to write each figure of the report to, as SVG and PNG.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--study", help="A folder that keeps each run as soon as it has ended; typed again, it goes on."),
    ] = None,
    weights: Annotated[
        str, typer.Option(help="Which runs' weights the study keeps: all, best (of each recipe), none.")
    ] = "all",
    force: Annotated[
        bool, typer.Option("--force", help="Begin anew where the folder holds another study, and keep that.")
    ] = False,
    diagnostics: Annotated[
        bool, typer.Option(help="Measure norms of weights and gradients, zeros and dead units of each run.")
    ] = True,
    at_once: Annotated[
        str | None,
        typer.Option(
            help="How many runs each device trains vectorised: a number, or fastest, which times some and keeps what "
            "it has found. By default one on a CPU, where numbers then do not depend on the others to the last digit."
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(help="Who trains: local (this process), or ray (workers of a Ray cluster; needs kohort[ray])."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="With --executor ray: the cluster, auto or host:port; by default workers on this machine."),
    ] = None,
    cpus: Annotated[float | None, typer.Option(help="With --executor ray: CPUs of a worker; 1 by default.")] = None,
    gpus: Annotated[
        float | None, typer.Option(help="With --executor ray: GPUs of a worker; by default none, it trains on CPUs.")
    ] = None,
    time_fit: Annotated[
        bool,
        typer.Option(
            "--time-fit",
            help="Also time three epochs of plain model.fit for each recipe, so that the report can compare.",
        ),
    ] = False,
    mlflow: MLflowUri = None,
    experiment: Experiment = "kohort",
    tensorboard: TensorBoardFolder = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say which recipes trained in one program, and how it lay on the machine.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no remarks, only the result.")] = False,
) -> None:
    """Compare recipes on a dataset: train each under every seed, test the final weights, print a table, write a report.

    Example: kohort compare digits --recipes none,dropout=0.3,dropout=0.5 --seeds 10
    """
    count = "auto" if seeds == "auto" else _number("--seeds", seeds, "auto")
    together = at_once if at_once in (None, "fastest") else _number("--at-once", at_once, "fastest")
    from kohort.report.destination import check_report
    from kohort.runtime import check_backend

    check_report(report)
    workers = executor_of(executor, address=address, cpus=cpus, gpus=gpus)
    check_backend()
    # before anything slow is imported, so that a wrong name is answered at once
    of_a_file = {"target": target, "task": task, "group": group, "time": time, "drop": drop}
    of_a_file |= {"separator": separator, "encoding": encoding}
    data = data_of(dataset, of_a_file)
    from kohort.study import Study

    study = Study(
        [text for text in recipes.split(",") if text.strip()],
        data,
        seeds=count,
        epochs=epochs,
        batch_size=batch_size,
        baseline=baseline,
        network=network_of(model),
        metric=metric,
        smallest_effect=smallest_effect,
        most_seeds=most_seeds,
        folder=folder,
        weights=cast(Any, weights),
        force=force,
        diagnostics=diagnostics,
        at_once=cast(Any, together),
        trackers=trackers_of(mlflow, experiment, tensorboard),
    )
    with told_if_interrupted(folder):
        result = study.run(verbose=0 if quiet else 1, time_fit=time_fit, executor=workers)
    for remark in (*result.mended, *result.unfinished):
        print(f"kohort: {remark}", file=sys.stderr)
    from kohort.report.files import write_figures, write_report
    from kohort.report.sentences import honesty_sentence, textbook_sentence, verdict_sentences

    comparison = result.comparison
    told = {**of_a_file, "recipes": recipes, "seeds": seeds, "epochs": epochs, "batch_size": batch_size}
    told |= {"most_seeds": most_seeds if count == "auto" else None, "model": None if model == "auto" else model}
    told |= {"metric": metric, "smallest_effect": smallest_effect, "baseline": study.plan.baseline}
    told |= {"at_once": at_once}
    command = command_of("compare", dataset, told, [] if diagnostics else ["--no-diagnostics"])
    document = result.document(command)
    if as_json:
        print(json.dumps(_json(result, comparison), indent=2, allow_nan=False))
    else:
        from kohort.report.text import table

        print_table(table(comparison))
    write_report(document, report)
    if figures is not None:
        write_figures(document, figures)
    if not as_json and not quiet:
        print()
        for remark in result.remarks:
            print(remark)
        if result.remarks:
            print()
        for sentence in (
            *verdict_sentences(comparison),
            "",
            textbook_sentence(comparison),
            honesty_sentence(comparison),
        ):
            print(sentence)
        if result.ended:
            print(f"Seeds: {result.ended}.")
        print(f"{len(result.runs)} runs in {result.seconds:.1f} s. Report: {report}")
    if explain:
        print(result.runs.explain(), file=sys.stderr if as_json else sys.stdout)


def _number(option: str, given: str, else_: str) -> int:
    try:
        return int(given)
    except ValueError:
        raise DataError(f"{option} must be a whole number or {else_}. Got {given!r}.") from None


def _json(result: Any, comparison: Any) -> dict[str, Any]:
    """The result as JSON values."""
    return finite(
        {
            "kohort_json": 1,  # the version of this layout
            "plan": asdict(result.plan),
            "seconds": round(result.seconds, 3),
            "environment": dict(result.environment),
            "baseline": comparison.baseline,
            "test_rows": comparison.test_rows,
            "metric": comparison.metric,
            "recipes": [asdict(summary) for summary in comparison.recipes],
            "verdicts": {v.recipe: v.words() for v in comparison.verdicts.verdicts} if comparison.verdicts else {},
            "ranks": [asdict(rank) for rank in comparison.verdicts.ranks] if comparison.verdicts else [],
            "naive_pick": comparison.naive_pick.recipe,
            "regret": None if comparison.regret is None else asdict(comparison.regret),
            "ended": result.ended,
            "remarks": list(result.remarks),
            "failures": [asdict(failure) for failure in result.failures],
            "by_fit": {recipe: asdict(pace) for recipe, pace in result.by_fit.items()},
        }
    )
