"""`kohort lab`: the textbook's claims as experiments."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from kohort.cli.printing import print_table
from kohort.errors import DataError


def lab(
    name: Annotated[str, typer.Argument(help="A claim to try, or 'viva'; all are listed without.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Try every claim and write the whole book.")] = False,
    quick: Annotated[
        bool, typer.Option(help="Little training and 4 seeds: it shows what there is, and settles little.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="How many seeds; 20 for most claims unless told.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where pages and their numbers are written: 'lab', or 'lab-quick' with --quick.")
    ] = None,
    again: Annotated[bool, typer.Option(help="Run again what the folder holds already.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Try the textbook's claims: each an experiment with a prediction that can fail.

    Example: kohort lab l1-sparsity
    """
    from kohort.runtime import check_backend

    check_backend()
    if everything and name:
        raise DataError(f"--all tries every claim. Got the claim {name!r} beside it. Leave one of them out.")
    place = folder or Path("lab-quick" if quick else "lab")
    how: dict[str, Any] = {"seeds": seeds, "quick": quick, "again": again}
    if everything:
        _book(place, how, as_json)
    elif name == "viva":
        _viva(place, how, as_json)
    elif name:
        _one(name, place, how, as_json)
    else:
        _list(as_json)


def _list(as_json: bool) -> None:
    from kohort.lab.chapter8 import CLAIMS

    told = [
        {
            "number": claim.number,
            "name": claim.name,
            "title": claim.title,
            "chapter": claim.quoted,
            "predictions": [{"name": own.name, "predicted": own.bound} for own in claim.predictions],
            "seeds": claim.seeds,
            "sources": list(claim.sources),
        }
        for claim in CLAIMS.values()
    ]
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table("", "name", "claim", "predictions", box=None, pad_edge=False)
    for claim in CLAIMS.values():
        table.add_row(str(claim.number), claim.name, claim.title, str(len(claim.predictions)))
    print_table(table)
    print("\n`kohort lab NAME` tries one and writes its page, `kohort lab --all` the whole book.")


def _begins(claim: Any) -> None:
    typer.echo(f"{claim.number}. {claim.name}: {claim.title} …", err=True)


def _one(name: str, folder: Path, how: dict[str, Any], as_json: bool) -> None:
    from kohort.lab.book import write_pages
    from kohort.lab.running import claim_named, kept_or_run, scale_of

    claim = claim_named(name)
    scale = scale_of(claim, how["seeds"], how["quick"])
    result, kept = kept_or_run(claim, scale, folder, again=how["again"], begins=_begins)
    write_pages(folder, result)
    if as_json:
        print(json.dumps(result.summary, indent=2, ensure_ascii=False))
        return
    print(result)
    when = f"as run on {result.made['date']}; --again runs it anew" if kept else f"{result.seconds:.0f} s"
    print(f"\n{folder / f'{name}.html'} ({when})")


def _book(folder: Path, how: dict[str, Any], as_json: bool) -> None:
    from kohort.lab.book import write_book

    def ended(result: Any, kept: bool) -> None:
        seconds = "was there" if kept else f"{result.seconds:.0f} s"
        typer.echo(f"{result.claim.number}. {result.claim.name}: {result.verdict.kind} ({seconds})", err=as_json)

    results = write_book(folder, **how, begins=_begins, ended=ended)
    if as_json:
        print(json.dumps([result.summary for result in results.values()], indent=2, ensure_ascii=False))
        return
    print(f"\n{folder / 'index.html'}")


def _viva(folder: Path, how: dict[str, Any], as_json: bool) -> None:
    from kohort.lab.book import write_pages
    from kohort.lab.chapter8 import CLAIMS
    from kohort.lab.running import kept_or_run, kept_result, scale_of
    from kohort.lab.viva import answered, answering

    results = {}
    for claim in answering(CLAIMS):
        found = None if how["again"] or how["seeds"] else kept_result(claim, folder)  # of whatever scale
        if found is None:
            scale = scale_of(claim, how["seeds"], how["quick"])
            found, _ = kept_or_run(claim, scale, folder, again=how["again"], begins=_begins)
            write_pages(folder, found)
        results[claim.name] = found
    told = [
        {
            "question": question,
            "answer": [
                {
                    "says": part.says,
                    "claim": part.result.claim.name,
                    "verdict": part.result.verdict.kind,
                    "page": str(folder / f"{part.result.claim.name}.html"),
                }
                for part in parts
            ],
        }
        for question, parts in answered(results)
    ]
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for number, own in enumerate(told, start=1):
        print(f"{number}. {own['question']}\n")
        for part in own["answer"]:
            print(f"{part['says']}\n  → {part['claim']} ({part['verdict']}): {part['page']}\n")
