"""The report as one HTML file: no script, no request, readable in ten years."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from kohort.report import figures
from kohort.report.document import Document, improvement_in_words
from kohort.report.text import mean


def page(document: Document) -> str:
    """The report as HTML text. Every name a user chose is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    units = document.units
    environment.filters.update(score=units.score, mean=mean, improvement=lambda row: improvement_in_words(row, units))
    template = environment.from_string(files("kohort.report").joinpath("page.html.jinja").read_text("utf-8"))
    said = figures.descriptions(document)
    charts = {"test_scores": figures.test_scores(document)}
    if document.curves:
        charts["learning_curves"] = figures.learning_curves(document)
    if document.comparison.verdicts is not None:
        charts["improvements"] = figures.improvements(document)
    drawn = {name: Markup(figures.svg(chart, name)) for name, chart in charts.items()}
    return template.render(
        document=document, comparison=document.comparison, units=document.units, drawn=drawn, said=said
    )
