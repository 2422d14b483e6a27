"""What notebooks show of objects: tables in HTML in which every name is data."""

from collections.abc import Sequence
from html import escape


def table_html(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table.

    Args:
        heads: Its headings; none where rows are names and values.
        rows: Its cells as text.
        caption: What stands above it.

    >>> table_html(["recipe"], [["<b>"]])
    '<table><thead><tr><th scope="col">recipe</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col">{escape(own)}</th>' for own in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{told}{f'<thead><tr>{head}</tr></thead>' if heads else ''}<tbody>{body}</tbody></table>"


def list_html(sentences: Sequence[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{escape(own)}</li>' for own in sentences)}</ul>"
