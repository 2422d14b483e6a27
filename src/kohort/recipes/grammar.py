"""How recipes are written: `none`, `dropout=0.3`, `batchnorm+dropout=0.2+adamw`, `sgd:momentum=0.9+cosine:warmup=5`.

    recipe     = part { "+" part }
    part       = technique [ "=" strength ] { ":" number's name "=" value }

What reports call a recipe, such as `dropout 0.3 + adamw` or `cosine warmup 5`, means the same recipe.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches

from kohort.errors import RecipeError
from kohort.recipes.design import Design
from kohort.recipes.technique import Parameter, Technique, Values
from kohort.recipes.techniques import TECHNIQUES

ONE_ONLY = ("optimiser", "schedule", "initialisation", "normalisation")
"""Groups of which a recipe has one technique at the most."""

ALWAYS_TOLD = ("penalty", "dropout", "training", "augmentation", "network")
"""Groups whose strength is named even where it is the default: a verdict names the strength."""


@dataclass(frozen=True)
class Part:
    """A technique with its numbers.

    Attributes:
        technique: The technique.
        values: All its numbers by name.
    """

    technique: Technique
    values: Values

    @property
    def label(self) -> str:
        """What reports call it: the name, the strength, and other numbers that are not the default."""
        words = [self.technique.name]
        for position, parameter in enumerate(self.technique.parameters):
            value = self.values[parameter.name]
            if position == 0 and (self.technique.group in ALWAYS_TOLD or value != parameter.default):
                words.append(f"{value:.12g}")
            elif value != parameter.default:
                words += [parameter.name, f"{value:.12g}"]
        return " ".join(words)


@dataclass(frozen=True)
class Composition:
    """A recipe as it is written: techniques one after another."""

    parts: tuple[Part, ...]

    @property
    def label(self) -> str:
        """What reports call it."""
        return " + ".join(part.label for part in self.parts)

    def design(self) -> Design:
        """What the techniques make of the plain design.

        Raises:
            RecipeError: Two of them decide the same thing.
        """
        plain = Design()
        design = plain
        decided: dict[str, str] = {}
        for part in self.parts:
            for what in sorted(_changes(plain, part.technique.change(plain, part.values))):
                if what in decided:
                    raise RecipeError(
                        f"recipe {self.label!r}: {decided[what]!r} and {part.technique.name!r} both decide {what}. "
                        "Leave one of them out."
                    )
                decided[what] = part.technique.name
            design = part.technique.change(design, part.values)
        return design


def _changes(plain: Design, changed: Design) -> set[str]:
    """What a technique decides, as the names of arguments and attributes."""
    found: set[str] = set()
    for field in fields(Design):
        before, after = getattr(plain, field.name), getattr(changed, field.name)
        if isinstance(before, Mapping):
            found |= {name for name in after if name not in before or after[name] != before[name]}
        elif not isinstance(before, tuple) and before != after:
            found.add(field.name)
    return found


def parse(text: str) -> Composition:
    """The recipe that a text means.

    Args:
        text: Such as `batchnorm+dropout=0.2+adamw`.

    Raises:
        RecipeError: A name is unknown (with the near matches), a number is not of its domain, techniques do not go
            together.

    >>> parse("dropout=0.5 + cosine:warmup=5").label
    'dropout 0.5 + cosine warmup 5'
    """
    parts = tuple(_part(part.strip(), text) for part in re.split(r"\+(?![\d.])", text))
    composition = Composition(parts)
    seen: dict[str, str] = {}
    for technique in (part.technique for part in parts):
        if technique.alone and len(parts) > 1:
            raise RecipeError(f"recipe {text!r}: nothing can be added to {technique.name!r}. Leave it out.")
        key = technique.group if technique.group in ONE_ONLY else technique.name
        if key in seen:
            both = f"{seen[key]!r} twice" if seen[key] == technique.name else f"{seen[key]!r} and {technique.name!r}"
            raise RecipeError(f"recipe {text!r} must have one {key} at the most. Got {both}. Leave one of them out.")
        seen[key] = technique.name
    _check_company(text, parts)
    composition.design()
    return composition


def _check_company(text: str, parts: Sequence[Part]) -> None:
    """Refuses techniques that lack what they work on, or that do not go together."""
    names = {part.technique.name for part in parts}
    for technique in (part.technique for part in parts):
        lacking = [name for name in technique.beside if name not in names]
        if lacking:
            raise RecipeError(
                f"recipe {text!r}: {technique.name!r} works on {lacking[0]!r}. Write {lacking[0]}+{text}."
            )
        against = [name for name in technique.against if name in names]
        if against:
            raise RecipeError(
                f"recipe {text!r}: {technique.name!r} and {against[0]!r} do not go together. Leave one of them out."
            )


def _part(text: str, whole: str) -> Part:
    head, *options = (piece.strip() for piece in text.split(":"))
    found = re.fullmatch(r"([^\s=]*)(?:\s*=\s*(.*)|\s+(.*))?", head, re.DOTALL)
    name, strength, words = found.groups() if found else (head, None, None)
    technique = technique_named(name, whole)
    pairs = [_pair(option, technique) for option in options]
    if words:  # as a report calls it
        tokens = words.split()
        if len(tokens) % 2:
            strength, *tokens = tokens
        pairs += zip(tokens[::2], tokens[1::2], strict=True)
    values = technique.defaults
    told: set[str] = set()
    if strength is not None:
        if technique.strength is None:
            raise RecipeError(f"recipe {technique.name!r} takes no strength. Got {text!r}. Write {technique.name!r}.")
        pairs.insert(0, (technique.strength.name, strength))
    for own, value in pairs:
        parameter = technique.parameter(own)
        if own in told:
            raise RecipeError(f"recipe {whole!r} must tell {own!r} of {technique.name!r} once. Got it twice.")
        told.add(own)
        values[own] = _number(value, parameter, technique, is_strength=parameter is technique.strength)
    return Part(technique, values)


def _pair(option: str, technique: Technique) -> tuple[str, str]:
    name, equals, value = (piece.strip() for piece in option.partition("="))
    if not equals:
        known = ", ".join(parameter.name for parameter in technique.parameters) or "none"
        raise RecipeError(
            f"what follows ':' must be a number's name, '=' and its value. Got {option!r} for {technique.name!r}, "
            f"whose numbers are: {known}."
        )
    return name, value


def technique_named(name: str, recipe: str = "") -> Technique:
    """The technique of a name.

    Args:
        name: The name; capitals are as good as small letters.
        recipe: The recipe in which it stands, for the message.

    Raises:
        RecipeError: There is none; the message tells the near matches.
    """
    if name.lower() in TECHNIQUES:
        return TECHNIQUES[name.lower()]
    near = get_close_matches(name.lower(), TECHNIQUES, cutoff=0.5)
    guess = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
    within = f" (in {recipe!r})" if recipe not in ("", name) else ""
    raise RecipeError(f"no recipe is called {name!r}{within}. {guess}There are: {', '.join(TECHNIQUES)}.")


def _number(value: str, parameter: Parameter, technique: Technique, *, is_strength: bool) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if number not in parameter.domain:
        what = f"the strength of {technique.name!r}" if is_strength else f"{parameter.name!r} of {technique.name!r}"
        raise RecipeError(f"{what} ({parameter.meaning}) must be a {parameter.domain}. Got {value!r}.")
    return number


def combined(texts: Iterable[str]) -> list[Composition]:
    """The recipes that several texts mean.

    Raises:
        RecipeError: There is none, or two mean the same.
    """
    compositions: list[Composition] = []
    for text in texts:
        composition = parse(text)
        if any(other.label == composition.label for other in compositions):
            raise RecipeError(f"each recipe must appear once. Got {composition.label!r} twice.")
        compositions.append(composition)
    if not compositions:
        raise RecipeError(f"there must be at least one recipe. There are: {', '.join(TECHNIQUES)}.")
    return compositions
