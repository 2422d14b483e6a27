"""`kohort recipes`: the techniques that a recipe can name."""

import json
from itertools import groupby
from typing import Annotated, Any

import typer

from kohort.cli.printing import finite, print_table

GRAMMAR = """\
A recipe is techniques joined by '+': dropout=0.3, batchnorm+dropout=0.2+adamw, sgd:momentum=0.9+cosine:warmup=5.
'name=value' sets a technique's strength, ':number=value' its other numbers; what is not told has its default.
"""


def recipes(
    names: Annotated[list[str] | None, typer.Argument(help="Only these, with all their numbers.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the techniques: what each does, its numbers, and where it comes from.

    Example: kohort recipes dropout cosine
    """
    from kohort.recipes.grammar import technique_named
    from kohort.recipes.techniques import TECHNIQUES

    chosen = [technique_named(name) for name in names] if names else list(TECHNIQUES.values())
    if as_json:
        print(json.dumps({"kohort_json": 1, "techniques": [_json(technique) for technique in chosen]}, indent=2))
        return
    if names:
        for technique in chosen:
            _print_one(technique)
        return
    from rich.table import Table

    table = Table("recipe", "what it does", "default", "source", box=None, pad_edge=False)
    for group, own in groupby(chosen, key=lambda technique: technique.group):
        table.add_row(f"\n{group}", "", "", "")
        for technique in own:
            table.add_row(technique.name, technique.formula, _defaults(technique), technique.source)
    print(GRAMMAR)
    print_table(table)


def _defaults(technique: Any) -> str:
    return " ".join(f"{parameter.name}={parameter.default:g}" for parameter in technique.parameters)


def _print_one(technique: Any) -> None:
    print(f"{technique.name} ({technique.group})\n  {technique.formula}")
    if technique.source:
        print(f"  source: {technique.source}")
    if technique.needs:
        print(f"  needs: {', '.join(technique.needs)}")
    if technique.beside:
        print(f"  works on: {', '.join(technique.beside)}")
    if technique.against:
        print(f"  does not go with: {', '.join(technique.against)}")
    for position, parameter in enumerate(technique.parameters):
        written = f"{technique.name}=…" if position == 0 else f"{technique.name}:{parameter.name}=…"
        tried = f"; worth trying: {', '.join(f'{value:g}' for value in parameter.grid)}" if parameter.grid else ""
        print(f"  {written}  {parameter.meaning}; a {parameter.domain}; default {parameter.default:g}{tried}")


def _json(technique: Any) -> dict[str, Any]:
    return finite(
        {
            "name": technique.name,
            "group": technique.group,
            "formula": technique.formula,
            "source": technique.source,
            "needs": list(technique.needs),
            "works_on": list(technique.beside),
            "does_not_go_with": list(technique.against),
            "parameters": [
                {
                    "name": parameter.name,
                    "meaning": parameter.meaning,
                    "default": parameter.default,
                    "domain": str(parameter.domain),
                    "low": parameter.domain.low,
                    "high": parameter.domain.high,
                    "grid": list(parameter.grid),
                }
                for parameter in technique.parameters
            ],
        }
    )
