"""`kohort check`: members of a cohort beside plain `model.fit`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def check(
    dataset: Annotated[str, typer.Argument(help="A dataset by name: digits, wdbc, wine, iris.")] = "digits",
    recipes: Annotated[
        str, typer.Option(help="Recipes, separated by commas: dropout=0.5, batchnorm+adamw; see `kohort recipes`.")
    ] = "none,l2,dropout,batchnorm",
    members: Annotated[int, typer.Option(help="How many seeds of each recipe to train again by fit.")] = 1,
    seeds: Annotated[int, typer.Option(help="How many seeds to train together.")] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training rows.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Rows of a batch.")] = 32,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Train recipes together, then some of their members again by plain fit, and show how far they are apart.

    Ends with exit code 1 if a member is not what fit gives.

    Example: kohort check digits --recipes dropout=0.5,batchnorm --members 2
    """
    from kohort.runtime import check_backend

    check_backend()
    import numpy as np

    from kohort.data.named import named

    data = named(dataset)
    from kohort.checking import check_against_fit
    from kohort.recipes.compose import recipes_for
    from kohort.recipes.design import Problem
    from kohort.recipes.recipe import callbacks_of

    steps = -(-int(data.rows * 0.8) // batch_size)
    counts = tuple(map(int, np.bincount(data.y)))
    problem = Problem(data.x.shape[1:], len(data.classes), "multiclass", steps, epochs, class_rows=counts)
    asked = recipes_for([text for text in recipes.split(",") if text.strip()], problem)
    found = check_against_fit(
        {recipe.name: recipe.build for recipe in asked},
        data.inputs(np.arange(data.rows)),
        data.y,
        members=members,
        callbacks=callbacks_of(asked),
        seeds=max(seeds, members),
        epochs=epochs,
        batch_size=batch_size,
        validation_split=0.2,
    )
    if as_json:
        told = [{**asdict(own), "verdict": own.verdict} for own in found.members]
        print(json.dumps({"kohort_json": 1, "passed": found.passed, "members": told}, indent=2))
    else:
        print(found)
    if not found.passed:
        raise typer.Exit(1)
