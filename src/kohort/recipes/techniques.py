"""The techniques that a recipe can name, each once: formula, domain of its strength, source, how it is applied."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from kohort.errors import RecipeError
from kohort.recipes.networks import mlp
from kohort.recipes.recipe import Recipe


@dataclass(frozen=True)
class Domain:
    """The strengths that make sense: the open or half-open interval from `low` to `high`."""

    low: float
    high: float
    low_allowed: bool

    def __contains__(self, strength: float) -> bool:
        above = strength >= self.low if self.low_allowed else strength > self.low
        return above and strength < self.high

    def __str__(self) -> str:
        return f"{'[' if self.low_allowed else '('}{self.low:g}, {self.high:g})"


@dataclass(frozen=True)
class Technique:
    """One way to regularise.

    Attributes:
        name: The name in recipes.
        formula: What it does.
        source: The paper or the chapter's section.
        strength: The default strength, None where there is no number to it.
        domain: The strengths that make sense.
        arguments: From strength to the arguments of a network builder.
    """

    name: str
    formula: str
    source: str
    strength: float | None
    domain: Domain | None
    arguments: Callable[[float | None], dict[str, Any]]

    def label(self, strength: float | None) -> str:
        """The recipe's name in reports: a verdict names the strength."""
        return self.name if strength is None else f"{self.name} {strength:.12g}"


TECHNIQUES: dict[str, Technique] = {
    technique.name: technique
    for technique in (
        # a penalty of 0, so that none and every L2 are one program
        Technique("none", "the network as it is", "the baseline", None, None, lambda _: {"l2": 0.0}),
        Technique(
            "l2",
            "adds λ·‖W‖² for each kernel W to the loss (the chapter's λ/2·‖W‖² with twice this λ)",
            "chapter 8, section 2",
            1e-3,
            Domain(0.0, 10.0, True),
            lambda strength: {"l2": strength},
        ),
        Technique(
            "dropout",
            "in each training step sets a fraction p of the hidden units to 0 and the others to 1/(1 − p) of theirs",
            "Srivastava et al. 2014",
            0.3,  # the chapter's rate for smaller networks
            Domain(0.0, 1.0, False),
            lambda strength: {"dropout": strength},
        ),
        Technique(
            "batchnorm",
            "normalises each pre-activation over the batch, then scales by γ and shifts by β",
            "Ioffe & Szegedy 2015",
            None,
            None,
            lambda _: {"batchnorm": True},
        ),
    )
}


def parse(text: str) -> tuple[Technique, float | None]:
    """The technique and strength that `name` or `name=strength` means.

    Raises:
        RecipeError: The name is unknown (with the near matches), or the strength is no number of its domain.

    >>> parse("dropout=0.5")[1]
    0.5
    """
    name, given, value = (part.strip() for part in text.partition("="))
    if name not in TECHNIQUES:
        near = get_close_matches(name, TECHNIQUES, cutoff=0.5)
        guess = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise RecipeError(f"no recipe is called {name!r}. {guess}There are: {', '.join(TECHNIQUES)}.")
    technique = TECHNIQUES[name]
    if not given:
        return technique, technique.strength
    if technique.domain is None:
        raise RecipeError(f"recipe {name!r} takes no strength. Got {text!r}. Write {name!r}.")
    try:
        strength = float(value)
    except ValueError:
        strength = float("nan")
    if strength not in technique.domain:
        raise RecipeError(f"the strength of {name!r} must be a number in {technique.domain}. Got {value!r}.")
    return technique, strength


def recipes_for(texts: Sequence[str], inputs: Sequence[int], classes: int, steps: int) -> tuple[Recipe, ...]:
    """Recipes for a dataset.

    Args:
        texts: `none`, `l2`, `dropout=0.5`, …
        inputs: The shape of one row.
        classes: The number of classes.
        steps: Training steps of a run.

    Raises:
        RecipeError: A text means no recipe, two mean the same, or there is none.
    """
    recipes: list[Recipe] = []
    for text in texts:
        technique, strength = parse(text)
        build = partial(mlp, inputs, classes, steps=steps, **technique.arguments(strength))
        label = technique.label(strength if technique.domain else None)
        if any(recipe.name == label for recipe in recipes):
            raise RecipeError(f"each recipe must appear once. Got {label!r} twice.")
        recipes.append(Recipe(label, build, draws_nothing=True))
    if not recipes:
        raise RecipeError(f"there must be at least one recipe. There are: {', '.join(TECHNIQUES)}.")
    return tuple(recipes)
