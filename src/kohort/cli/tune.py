"""`kohort tune`: the recipe that suits a dataset, and how sure that is."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kohort.cli.given import Drop, Encoding, Given, Group, Separator, Target, Task, Time, data_of, network_of
from kohort.cli.printing import command_of, finite, told_if_interrupted


def tune(
    dataset: Given,
    target: Target = None,
    task: Task = None,
    group: Group = None,
    time: Time = None,
    drop: Drop = "",
    separator: Separator = None,
    encoding: Encoding = None,
    space: Annotated[
        str,
        typer.Option(
            help="What is chosen from: cocktail, or recipes with ranges: "
            "'batchnorm|none + dropout=0.1..0.6? + adamw:rate=0.0003..0.03'."
        ),
    ] = "cocktail",
    minutes: Annotated[
        float | None,
        typer.Option(
            help="How long is searched; the plain network's rate as long again. 10 unless another end is told."
        ),
    ] = None,
    candidates: Annotated[int | None, typer.Option(help="How many candidates are tried; repeats to the digit.")] = None,
    run_epochs: Annotated[
        int | None, typer.Option(help="How many epochs all candidates train together, at the most.")
    ] = None,
    epochs: Annotated[int, typer.Option(help="The most passes over the training rows.")] = 54,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows of a batch of recipes that have no own; found from the rows by default.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What is made good: accuracy, balanced_accuracy, root_mean_squared_error, ….")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Fresh seeds of the final comparison; 6 at the least.")] = 10,
    seed: Annotated[int, typer.Option(help="What decides the search.")] = 0,
    structures: Annotated[int, typer.Option(help="How many structures are looked at; each is compiled once.")] = 6,
    halving: Annotated[bool, typer.Option(help="Stop candidates early that others are ahead of.")] = True,
    ingredients: Annotated[
        bool, typer.Option(help="Train the recipe also without each of its techniques and with other strengths.")
    ] = True,
    model: Annotated[str, typer.Option(help="What recipes are applied to, as `kohort compare` takes it.")] = "auto",
    report: Annotated[Path, typer.Option(help="A folder for the reports and the recipe as code.")] = Path("tuned"),
    folder: Annotated[
        Path | None, typer.Option("--study", help="A folder that keeps what was tried; typed again, it goes on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no remarks, only the result.")] = False,
) -> None:
    """Search the recipe that suits a dataset, and judge it once on test rows beside a plain network tuned as long.

    Example: kohort tune customers.csv --target churned --minutes 10
    """
    from kohort.report.destination import check_folder
    from kohort.runtime import check_backend

    check_backend()
    check_folder(report)
    of_a_file = {"target": target, "task": task, "group": group, "time": time, "drop": drop}
    data = data_of(dataset, {**of_a_file, "separator": separator, "encoding": encoding})
    from kohort.tuner.tune import tune as search

    if minutes is None and candidates is None and run_epochs is None:
        minutes = 10.0
    asked: dict[str, Any] = {
        "space": space,
        "minutes": minutes,
        "candidates": candidates,
        "run_epochs": run_epochs,
        "epochs": epochs,
        "batch_size": batch_size,
        "metric": metric,
        "seeds": seeds,
        "seed": seed,
        "structures": structures,
    }
    switches: dict[str, Any] = {"halving": halving, "ingredients": ingredients}
    with told_if_interrupted(folder):
        result = search(data, **asked, **switches, network=network_of(model), folder=folder, verbose=0 if quiet else 1)
    told = {**of_a_file, "separator": separator, "encoding": encoding, **asked}
    told |= {"model": None if model == "auto" else model}
    command = command_of("tune", dataset, told, [f"--no-{name}" for name, on in switches.items() if not on])
    files = result.report(report, command)
    if as_json:
        print(json.dumps(_json(result, files), indent=2, allow_nan=False))
        return
    if result.final.remarks and not quiet:
        print(*result.final.remarks, "", sep="\n")
    for sentence in result.sentences:
        print(sentence)
    print(f"Written: {', '.join(map(str, files))}")


def _json(result: Any, files: list[Path]) -> dict[str, Any]:
    """The result as JSON values."""

    def side(own: Any) -> dict[str, Any]:
        return {
            "recipe": own.recipe,
            "candidates": len(own.searched.tried),
            "structures": list(own.searched.structures),
            "seconds": round(own.searched.seconds, 3),
            "tried": [tried(one) for one in own.searched.tried],
        }

    def tried(own: Any) -> dict[str, Any]:
        """A candidate, its scores as the metric has them."""
        in_units = result.setting.in_units
        scores = {"validation": in_units(own.score), "curve": [in_units(value) for value in own.curve]}
        left_out = ("score", "epochs")
        told = {name: value for name, value in asdict(own).items() if name not in left_out}
        return {**told, **scores, "best_epoch": own.epochs, "trained_epochs": len(own.curve)}

    def scores(study: Any) -> list[dict[str, Any]]:
        return [] if study is None else [asdict(summary) for summary in study.comparison.recipes]

    return finite(
        {
            "kohort_json": 1,
            "metric": result.setting.objective.metric,
            "recipe": result.recipe,
            "verdict": result.verdict.words(),
            "test": {own.recipe: own.test_mean.mean for own in result.final.comparison.recipes},
            "found": side(result.found),
            "plain": side(result.plain),
            "final": scores(result.final),
            "ingredients": scores(result.ingredients),
            "doses": scores(result.doses),
            "optimism": asdict(result.optimism),
            "remarks": list(result.final.remarks),
            "ensemble": {"weights": result.greedy.weights.tolist(), "test": result.ensemble_test.score},
            "seconds": round(result.seconds, 3),
            "files": [str(path) for path in files],
        }
    )
