"""The report as one HTML file: no script, no request, readable in ten years."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from kohort.report import figures
from kohort.report.document import Document, difference_in_words, percent
from kohort.report.text import mean


def page(document: Document) -> str:
    """The report as HTML text. Every name a user chose is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=percent, mean=mean, difference=difference_in_words)
    template = environment.from_string(files("kohort.report").joinpath("page.html.jinja").read_text("utf-8"))
    said = figures.descriptions(document)
    charts = {
        "test_accuracies": figures.test_accuracies(document),
        "learning_curves": figures.learning_curves(document),
    }
    if len(document.comparison.recipes) > 1:
        charts["differences"] = figures.differences(document)
    drawn = {name: Markup(figures.svg(chart, name)) for name, chart in charts.items()}
    return template.render(document=document, comparison=document.comparison, drawn=drawn, said=said)
