"""The book: all experiments one after another in a folder, each with its page, an index and the viva."""

from collections.abc import Callable
from pathlib import Path

from kohort.lab.chapter8 import CLAIMS
from kohort.lab.claim import Claim
from kohort.lab.page import claim_page, index_page, neighbours, viva_page
from kohort.lab.result import Result
from kohort.lab.running import kept_or_run, kept_result, scale_of, write_whole


def write_book(
    folder: str | Path,
    *,
    seeds: int | None = None,
    quick: bool = False,
    again: bool = False,
    begins: Callable[[Claim], None] | None = None,
    ended: Callable[[Result, bool], None] | None = None,
) -> dict[str, Result]:
    """Runs every claim that the folder does not hold yet, and writes the book into it.

    A book that was interrupted goes on: what is there with the same code, scale and versions is not run again.

    Args:
        folder: Where: `index.html`, `viva.html`, and `NAME.html` with its numbers in `NAME.json` for each claim.
        seeds: Seeds of each claim; its own number unless told.
        quick: A quick look: little training, 4 seeds.
        again: Run all of them again.
        begins: Told each claim before it is run.
        ended: Told each result, and whether it was there already.

    Returns:
        Claim name -> result.

    Raises:
        DataError: The folder cannot be written to.
        KohortError: An experiment could not be run; those before it are kept.
    """
    place = Path(folder)
    results: dict[str, Result] = {}
    for claim in CLAIMS.values():
        scale = scale_of(claim, seeds, quick)
        result, kept = kept_or_run(claim, scale, place, again=again, begins=begins)
        results[claim.name] = result
        write_pages(place, result)
        if ended is not None:
            ended(result, kept)
    return results


def write_pages(folder: Path, new: Result) -> None:
    """Writes the page of a result into a book, and the index and the viva of all that the book holds.

    The pages before and after it are written too: their links pass by claims that the book has no page of.

    Args:
        folder: The book's, which keeps the result.
        new: The result.
    """
    found = {**kept(folder), new.claim.name: new}
    results = {name: found[name] for name in CLAIMS if name in found}
    held = [result.claim for result in results.values()]
    for claim in (*neighbours(new.claim, held), new.claim):
        if claim is not None:
            write_whole(folder / f"{claim.name}.html", claim_page(results[claim.name], held))
    write_whole(folder / "index.html", index_page(results, list(CLAIMS.values())))
    write_whole(folder / "viva.html", viva_page(results))


def write_page(result: Result, path: str | Path) -> Path:
    """Writes the page of a result as one HTML file that needs nothing else.

    Args:
        result: What came of an experiment.
        path: The file.

    Returns:
        The file.

    Raises:
        DataError: It cannot be written.
    """
    write_whole(Path(path), claim_page(result))
    return Path(path)


def kept(folder: Path) -> dict[str, Result]:
    """The results that a folder keeps and this code and these versions have made: claim name -> result."""
    found = {claim.name: kept_result(claim, folder) for claim in CLAIMS.values()}
    return {name: result for name, result in found.items() if result is not None}
