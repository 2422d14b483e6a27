"""`kohort`: the commands, and how they fail."""

import sys
from typing import Annotated

import typer

import kohort
from kohort.cli.check import check
from kohort.cli.compare import compare
from kohort.cli.dashboard import dashboard
from kohort.cli.doctor import doctor
from kohort.cli.lab import lab
from kohort.cli.recipes import recipes
from kohort.cli.stored import card, export, gc, report, rm, show, studies, track
from kohort.cli.tune import tune
from kohort.cli.verdict import verdict
from kohort.errors import KohortError

app = typer.Typer(
    help="Train many recipes × many seeds of a Keras model as one program, and see which regularisation helps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(compare)
app.command()(tune)
app.command()(verdict)
app.command()(recipes)
app.command()(check)
for _command in (studies, show, report, export, card, track, rm, gc):
    app.command()(_command)
app.command()(dashboard)
app.command()(lab)
app.command()(doctor)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kohort {kohort.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line; what Kohort refuses is one message on standard error and exit code 2."""
    try:
        app()
    except KohortError as error:
        print(f"kohort: {error}", file=sys.stderr)
        sys.exit(2)
