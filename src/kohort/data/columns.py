"""Columns of a table: what they hold, and how many inputs of a network they become."""

from collections.abc import Sequence
from dataclasses import dataclass

ONE_HOT_AT_MOST = 12  # levels; more are embedded, since a column each would outnumber the other inputs


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        levels: The names of its categories, by number; empty where it holds numbers.
        missing: Whether cells are missing.
    """

    name: str
    levels: tuple[str, ...] = ()
    missing: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether a network learns a vector for each of its categories."""
        return len(self.levels) > ONE_HOT_AT_MOST

    @property
    def width(self) -> int:
        """How many inputs it becomes."""
        if self.is_embedded:
            return 1
        return (len(self.levels) or 1) + self.missing

    @property
    def inputs(self) -> tuple[str, ...]:
        """What each of these inputs is.

        >>> Column("job", ("clerk", "cook"), missing=True).inputs
        ('job is clerk', 'job is cook', 'job is missing')
        """
        if self.is_embedded:
            return (f"number of {self.name}, 0 if unknown",)
        own = tuple(f"{self.name} is {level}" for level in self.levels) or (self.name,)
        return (*own, f"{self.name} is missing") if self.missing else own


def embedded(columns: Sequence[Column]) -> tuple[tuple[int, int], ...]:
    """Where among the inputs numbers of a category stand, and how many there are: 0 stands for missing and unseen."""
    found, position = [], 0
    for column in columns:
        if column.is_embedded:
            found.append((position, len(column.levels) + 1))
        position += column.width
    return tuple(found)
