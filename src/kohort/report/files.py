"""The report and its figures as files."""

from collections.abc import Sequence
from pathlib import Path

from kohort.errors import DataError
from kohort.report.charts.drawn import png_file, svg_file
from kohort.report.destination import check_report
from kohort.report.document import Document
from kohort.report.figures import figures
from kohort.report.html import page
from kohort.report.markdown import markdown

WRITERS = {"svg": svg_file, "png": png_file}
"""How a figure of each kind is made."""


def write_report(document: Document, path: Path, *, interactive: bool = True) -> Path:
    """Writes a report as its name says: `.html`, or `.md` with its figures as SVG in a folder beside it.

    Args:
        document: What it says.
        path: The file.
        interactive: Of HTML: whether charts answer to a pointer and recipes can be hidden.

    Returns:
        The file.

    Raises:
        DataError: The name ends otherwise, or the file cannot be written.
    """
    check_report(path)
    try:
        if path.suffix == ".md":
            folder = path.with_name(f"{path.stem}_figures")
            write_figures(document, folder, ("svg",))
            path.write_text(markdown(document, folder.name), encoding="utf-8")
        else:
            path.write_text(page(document, interactive=interactive), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: the report cannot be written: {error}. Name another file.") from error
    return path


def write_figures(document: Document, folder: Path, kinds: Sequence[str] = ("svg", "png")) -> list[Path]:
    """Writes each figure of a report as a file, for papers and slides.

    Args:
        document: The report.
        folder: Where; it is made if it does not exist.
        kinds: `"svg"`, `"png"` (192 dots per inch), or both.

    Returns:
        The files.

    Raises:
        DataError: A kind is unknown, or a file cannot be written.
    """
    unknown = [kind for kind in kinds if kind not in WRITERS]
    if unknown:
        raise DataError(f"kinds of figures must be among {', '.join(WRITERS)}. Got {', '.join(map(str, unknown))}.")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for figure in figures(document, hover=False):
            chart = figure.chart()
            for kind in kinds:
                written.append(folder / f"{figure.name}.{kind}")
                written[-1].write_bytes(WRITERS[kind](chart))
    except OSError as error:
        raise DataError(f"{folder}: figures cannot be written: {error}. Name another folder.") from error
    return written
