"""What commands are given: a dataset, a network."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kohort.errors import DataError

Given = Annotated[
    str, typer.Argument(help="A CSV, TSV, Parquet or .npz file, a folder of images by class, or a dataset by name.")
]
Target = Annotated[str | None, typer.Option(help="Of a file: the column to learn; the last by default.")]
Task = Annotated[
    str | None, typer.Option(help="Of a file: classification or regression; found from the target by default.")
]
Group = Annotated[
    str | None, typer.Option(help="Of a file: a column that says which rows belong together; no group is cut.")
]
Time = Annotated[
    str | None, typer.Option(help="Of a file: a column that says when a row was; the latest rows are the test.")
]
Drop = Annotated[str, typer.Option(help="Of a file: columns to leave out, separated by commas.")]
Separator = Annotated[str | None, typer.Option(help="Of a text file: what parts the cells; found by default.")]
Encoding = Annotated[
    str | None, typer.Option(help="Of a text file: its encoding; UTF-8, UTF-16 or Windows-1252 by default.")
]

MLflowUri = Annotated[
    str | None,
    typer.Option(
        help="Tell MLflow of the runs: its server, or a store such as sqlite:///mlflow.db; needs kohort[mlflow]."
    ),
]
Experiment = Annotated[str, typer.Option(help="With --mlflow: the experiment.")]
TensorBoardFolder = Annotated[
    Path | None,
    typer.Option(help="Write the runs as event files to a folder for TensorBoard; needs kohort[tensorboard]."),
]


def data_of(dataset: str, of_a_file: dict[str, Any]) -> Any:
    """The dataset of a name, or of a file."""
    from kohort.data.named import named, names

    said = [f"--{name}" for name, value in of_a_file.items() if value]
    if dataset in names() or not (Path(dataset).exists() or Path(dataset).suffix):
        _check_said(said, "a file", f"the dataset {dataset!r}")
        return named(dataset)
    if Path(dataset).is_dir():
        from kohort.data.images import load_images

        _check_said(said, "a table", repr(dataset))
        return load_images(dataset)
    if Path(dataset).suffix == ".npz":
        from kohort.data.array_files import load_arrays

        _check_said([name for name in said if name != "--task"], "a table", repr(dataset))
        return load_arrays(dataset, task=of_a_file["task"])
    from kohort.data.tables import load

    dropped = [name.strip() for name in of_a_file["drop"].split(",") if name.strip()]
    return load(dataset, **{**of_a_file, "drop": dropped})


def _check_said(said: list[str], of: str, got: str) -> None:
    if said:
        raise DataError(f"{', '.join(said)} can be said of {of} only. Got {got}.")


def network_of(model: str) -> Any:
    """The network that `--model` names: its name, or a function of a module in the present folder or installed."""
    module, colon, name = model.partition(":")
    if not colon:
        return model
    from importlib import import_module

    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DataError(f"--model must name a function as module:function. Got {model!r}: {error}.") from error
    if not callable(found):
        raise DataError(f"--model must name a function. Got {model!r}, which is {type(found).__name__}.")
    return found


EXECUTORS = ("local", "ray")


def executor_of(name: str, **options: Any) -> Any:
    """Who trains: None for this process, or the workers of a Ray cluster; options of None are left to it."""
    said = {option: value for option, value in options.items() if value is not None}
    if name not in EXECUTORS:
        raise DataError(f"--executor must be one of {', '.join(EXECUTORS)}. Got {name!r}.")
    if name == "local":
        for option, value in said.items():
            raise DataError(f"--{option} is of a Ray cluster, so it needs --executor ray. Got {value!r} alone.")
        return None
    from kohort.executors import Ray

    return Ray(**said)


def trackers_of(mlflow: str | None, experiment: str, tensorboard: Path | None) -> list[Any]:
    """The trackers that the options name."""
    found: list[Any] = []
    if mlflow is not None:
        from kohort.trackers import MLflow

        found.append(MLflow(mlflow, experiment))
    if tensorboard is not None:
        from kohort.trackers import TensorBoard

        found.append(TensorBoard(tensorboard))
    return found
