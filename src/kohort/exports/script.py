"""A run of a study as a script that trains it again with Keras alone, and the rows that it trains on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kohort.data.dataset import Dataset, Targets
from kohort.data.splitting import split
from kohort.errors import DataError
from kohort.recipes.as_code import as_code
from kohort.recipes.recipe import Recipe

MOST_INPUTS = 100
"""Names of inputs or classes that a script tells."""


def write_script(
    recipe: Recipe, seed: int, dataset: Dataset, batch_size: int, path: Path, remarks: Sequence[str] = ()
) -> Path:
    """Writes a script, and beside it an `.npz` file with the rows of a seed as its networks see them.

    Run where Keras, JAX and NumPy are installed, and Kohort need not be, the script trains as the run did: the same
    weights at the start, batches and noise, so the same logs up to rounding. Targets of a regression are centred and
    scaled by the training rows, and so are the script's logs; `target_mean` and `target_deviation` lie with the rows.

    Args:
        recipe: A recipe of the catalogue.
        seed: The seed.
        dataset: What the study learns.
        batch_size: The study's, which decides how rows are cut.
        path: The script; the rows are written to a file of the same name that ends in `.npz`.
        remarks: What the script shall say besides what its rows are.

    Returns:
        The script.

    Raises:
        DataError: The files cannot be written, or there is another `.npz` file of that name.
        RecipeError: The recipe is the user's own function, which is code already.
    """
    rows = path.with_suffix(".npz")
    if rows.exists() and not _is_of_a_script(rows):
        raise DataError(f"{path}: the script's rows go to {rows.name}, where another file is. Name another script.")
    own = split(dataset, seed, batch_size)
    learnt = dataset.targets(own.train)
    told = (*_of_inputs(dataset), _of_targets(dataset, learnt), *remarks)
    text = as_code(recipe, batch_size=batch_size, seed=seed, rows=rows.name, remarks=told)
    x, y = dataset.inputs(own.train), learnt.values
    parts = {"": own.train, "_validation": own.validation, "_test": own.test}
    arrays: dict[str, Any] = {
        f"{name}{part}": array[numbers] for part, numbers in parts.items() for name, array in (("x", x), ("y", y))
    }
    if not dataset.classes:
        arrays |= {"target_mean": learnt.centre, "target_deviation": learnt.spread}
    try:
        np.savez_compressed(rows, **arrays)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: the script cannot be written: {error}. Name another file.") from error
    return path


def _of_inputs(dataset: Dataset) -> tuple[str, ...]:
    """What the inputs of rows are, where that is known, in sentences."""
    if dataset.columns is None:
        return () if dataset.scaling == "none" else ("Inputs are centred and scaled by the training rows.",)
    names = [name for column in dataset.columns for name in column.inputs]
    shown = "; ".join(map(repr, names[:MOST_INPUTS]))
    more = f"; and {len(names) - MOST_INPUTS} more" if len(names) > MOST_INPUTS else ""
    return (f"Inputs, numbers being centred and scaled by the training rows: {shown}{more}.",)


def _of_targets(dataset: Dataset, learnt: Targets) -> str:
    if not dataset.classes:
        return (
            f"Targets are centred by {learnt.centre:.6g} and divided by {learnt.spread:.6g}, mean and standard "
            "deviation of the training rows, so losses and errors are in units of the latter."
        )
    names = [f"{number} {name!r}" for number, name in enumerate(dataset.classes[:MOST_INPUTS])]
    more = f"; and {len(dataset.classes) - MOST_INPUTS} more" if len(dataset.classes) > MOST_INPUTS else ""
    return f"Classes by number: {'; '.join(names)}{more}."


def _is_of_a_script(rows: Path) -> bool:
    """Whether a file holds the rows of a script that was written before."""
    try:
        with np.load(rows) as arrays:
            return "x_validation" in arrays
    except (OSError, ValueError):
        return False
