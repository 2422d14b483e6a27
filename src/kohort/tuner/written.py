"""Spaces that are written as recipes are, with ranges instead of numbers."""

from kohort.errors import RecipeError
from kohort.recipes.grammar import technique_named
from kohort.tuner.space import OFF, Knob, Space


def written_space(text: str) -> Space:
    """A space that is written as recipes are, with ranges: `batchnorm|layernorm|none + dropout=0.1..0.6? + adamw`.

    Parts are joined by `+`. Alternatives are separated by `|`, `none` for nothing. A number is a range `low..high`,
    chosen evenly, or by its logarithm where it spans a factor of more than ten. A `?` after a part: it may be off.

    Args:
        text: The text; `"cocktail"` and `"baseline"` mean others and are not written so.

    Raises:
        RecipeError: It cannot be read, a technique is unknown, or a value is not of its domain.

    >>> [knob.name for knob in written_space("adamw:rate=0.001..0.1 + dropout=0.1..0.6?").knobs]
    ['adamw rate', 'dropout rate']
    """
    choices: dict[str, tuple[str, ...]] = {}
    knobs: list[Knob] = []
    for part in (own.strip() for own in text.split("+")):
        may_be_off, part = part.endswith("?"), part.removesuffix("?").strip()
        options = [own.strip() for own in part.split("|")]
        if len(options) == 1 and ".." in part:
            knobs += _ranges(part, may_be_off, text)
            continue
        if ".." in part:
            raise RecipeError(f"space {text!r}: alternatives must have no ranges. Got {part!r}. Write one of them.")
        cleaned = tuple("" if own == "none" else own.replace(" ", "") for own in options)
        choices[part] = ("", *cleaned) if may_be_off and "" not in cleaned else cleaned
    space = Space(text, choices, tuple(knobs))
    if not knobs and all(len(options) == 1 for options in choices.values()):
        raise RecipeError(f"space {text!r} must leave something to choose. Write a range, as in 'dropout=0.1..0.6'.")
    return space


def _ranges(part: str, may_be_off: bool, text: str) -> list[Knob]:
    head, *options = (own.strip() for own in part.split(":"))
    name, _, strength = (own.strip() for own in head.partition("="))
    technique = technique_named(name, text)
    if strength:
        if technique.strength is None:
            raise RecipeError(f"space {text!r}: {name!r} takes no strength. Got {strength!r}.")
        options.insert(0, f"{technique.strength.name}={strength}")
    found: list[Knob] = []
    for option in options:
        parameter, _, values = (own.strip() for own in option.partition("="))
        own = technique.parameter(parameter)
        low, dots, high = values.partition("..")
        try:
            bounds = float(low), float(high if dots else low)
        except ValueError:
            raise RecipeError(f"space {text!r}: a range must be two numbers, low..high. Got {values!r}.") from None
        if bounds[0] > bounds[1]:
            raise RecipeError(
                f"space {text!r}: the range of {parameter!r} of {name!r} must go from its lower end to its upper one. "
                f"Got {values!r}. Write {high}..{low}."
            )
        if not (bounds[0] in own.domain and bounds[1] in own.domain):
            raise RecipeError(
                f"space {text!r}: {parameter!r} of {name!r} must be a range of a {own.domain}. Got {values!r}."
            )
        if own.domain.whole and bounds[0] < bounds[1]:
            raise RecipeError(
                f"space {text!r}: {parameter!r} of {name!r} must be written as choices, since it is a {own.domain}. "
                f"Got {values!r}. Write '{name}={bounds[0]:g}|{name}={bounds[1]:g}'."
            )
        off = _off(name, text) if may_be_off and own is technique.strength else None
        log = bounds[0] > 0.0 and bounds[1] > 10.0 * bounds[0]
        found.append(Knob(name, parameter, *bounds, log, off))
    return found


def _off(name: str, text: str) -> float:
    if name not in OFF:
        can = ", ".join(OFF)
        raise RecipeError(
            f"space {text!r}: no strength of {name!r} does nothing, so '?' cannot follow its range; it can after "
            f"{can}. Write it as a choice instead, such as '{name}|none'."
        )
    return OFF[name]
