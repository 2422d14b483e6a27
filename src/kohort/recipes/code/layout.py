"""How code is broken into lines: as Black does, a bracket's inside on one line where it fits, else an item a line."""

from dataclasses import dataclass

WIDTH = 100
INDENT = 4


@dataclass(frozen=True)
class Bracketed:
    """A call, a list or the like.

    Attributes:
        opening: What stands before the items, up to the bracket: `layers.Dense(`, `[`.
        items: The items, each with what stands before it: `units=`, a key and a colon, or nothing.
        closing: The bracket and what follows it.
        an_item_a_line: Whether each item stands on a line of its own even if all fit on one.
    """

    opening: str
    items: "tuple[tuple[str, Code], ...]"
    closing: str
    an_item_a_line: bool = False

    @property
    def broken(self) -> bool:
        """Whether it takes several lines however short it is."""
        return self.an_item_a_line or any(isinstance(item, Bracketed) and item.broken for _, item in self.items)


Code = str | Bracketed


def flat(code: Code) -> str:
    """Code on one line."""
    return code if isinstance(code, str) else f"{code.opening}{_inside(code)}{code.closing}"


def _inside(code: Bracketed) -> str:
    return ", ".join(before + flat(item) for before, item in code.items)


def laid_out(code: Code, before: str = "", indent: int = 0, after: str = "") -> list[str]:
    """Code as lines that are no longer than `WIDTH` where brackets allow that.

    Args:
        code: The code.
        before: What stands before it on its first line, such as `x = `.
        indent: By how many spaces its first line is indented.
        after: What follows it on its last line.

    >>> laid_out(Bracketed("f(", (("", "1"), ("name=", '"n"')), ")"), "x = ")
    ['x = f(1, name="n")']
    """
    margin, inner = " " * indent, indent + INDENT
    line = f"{margin}{before}{flat(code)}{after}"
    broken = isinstance(code, Bracketed) and code.broken
    if isinstance(code, str) or not code.items or (not broken and len(line) <= WIDTH):
        return [line]
    inside = f"{' ' * inner}{_inside(code)}"
    if not broken and len(inside) <= WIDTH:
        middle = [inside]
    else:
        end = "," if len(code.items) > 1 else ""
        middle = [line for name, item in code.items for line in laid_out(item, name, inner, end)]
    return [f"{margin}{before}{code.opening}", *middle, f"{margin}{code.closing}{after}"]
