"""What a technique of the catalogue is: a name, its numbers and their domains, and how it changes a design."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from kohort.errors import RecipeError
from kohort.recipes.design import Design

Group = Literal[
    "baseline",
    "optimiser",
    "schedule",
    "penalty",
    "training",
    "dropout",
    "normalisation",
    "initialisation",
    "augmentation",
    "network",
]

Need = Literal["classes", "counts", "images", "convolutions", "vectors", "widths"]
"""What a technique needs: a classification, the number of rows of each class, images, a network with convolutions, rows
that are plain vectors, hidden layers with a number of units."""

Values = Mapping[str, float]
"""A technique's numbers by name, all of them."""


@dataclass(frozen=True)
class Domain:
    """The numbers that make sense.

    Attributes:
        low: The lower end.
        high: The upper end.
        with_low: Whether the lower end belongs to it.
        with_high: Whether the upper end does.
        whole: Whether only whole numbers do.
    """

    low: float
    high: float = float("inf")
    with_low: bool = False
    with_high: bool = False
    whole: bool = False

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.with_low else value > self.low
        below = value <= self.high if self.with_high else value < self.high
        return above and below and (not self.whole or float(value).is_integer())

    def __str__(self) -> str:
        numbers = "whole number" if self.whole else "number"
        if self.high == float("inf"):
            return f"{numbers} {'of at least' if self.with_low else 'above'} {self.low:g}"
        return (
            f"{numbers} in {'[' if self.with_low else '('}{self.low:g}, {self.high:g}{']' if self.with_high else ')'}"
        )


@dataclass(frozen=True)
class Parameter:
    """A number of a technique.

    Attributes:
        name: Its name in recipes, as in `cosine:warmup=5`.
        meaning: What it is, with its unit.
        default: Its value where a recipe does not tell.
        domain: The values that make sense.
        grid: Values worth trying, from weak to strong.
    """

    name: str
    meaning: str
    default: float
    domain: Domain
    grid: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for value in (self.default, *self.grid):
            if value not in self.domain:
                raise ValueError(f"{self.name}: {value} must be a {self.domain}")


@dataclass(frozen=True)
class Technique:
    """One way to train or regularise.

    Attributes:
        name: Its name in recipes.
        group: What it is about. A recipe has at most one optimiser, one schedule and one initialisation.
        formula: What it does.
        source: The paper, or the chapter's section.
        change: From a design and the values of its parameters to the design with it.
        parameters: Its numbers; the first is its strength, which `name=value` sets.
        needs: What it needs; elsewhere it is refused.
        alone: Whether nothing can be added to it.
        beside: Techniques without which it does nothing.
        against: Techniques that it does not go together with.
    """

    name: str
    group: Group
    formula: str
    source: str
    change: Callable[[Design, Values], Design]
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[Need, ...] = ()
    alone: bool = False
    beside: tuple[str, ...] = ()
    against: tuple[str, ...] = ()

    @property
    def strength(self) -> Parameter | None:
        """The number that says how much of it; None where there is none to it."""
        return self.parameters[0] if self.parameters else None

    @property
    def defaults(self) -> dict[str, float]:
        """Its numbers where a recipe tells none."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    def parameter(self, name: str) -> Parameter:
        """A parameter by name.

        Raises:
            RecipeError: It has none of that name.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = ", ".join(parameter.name for parameter in self.parameters)
        has = f"Its numbers are: {known}." if known else "It has none."
        raise RecipeError(f"{self.name!r} has no number called {name!r}. {has}")
