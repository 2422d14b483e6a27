"""One side of the final comparison: a search with its finalists."""

from dataclasses import dataclass, field

from kohort.tuner.finalists import Final
from kohort.tuner.search import Searched

FINALISTS = 8
"""Candidates that train again under fresh seeds: a choice among more would be one among the search's luck again."""


@dataclass(frozen=True)
class Side:
    """A search and the finalists that came of it.

    Attributes:
        searched: The search.
        final: Its finalists.
        epochs: Passes over the training rows of a candidate that trains to the end.
    """

    searched: Searched = field(repr=False)
    final: Final = field(repr=False)
    epochs: int

    @property
    def recipe(self) -> str:
        """The chosen recipe, with its number of epochs."""
        return self.with_epochs(self.final.chosen.tried.recipe)

    def with_epochs(self, recipe: str) -> str:
        """A recipe with the number of epochs of the chosen one."""
        epochs = self.final.chosen.epochs
        if epochs == self.epochs:
            return recipe
        return f"epochs={epochs}" if recipe == "none" else f"{recipe}+epochs={epochs}"
