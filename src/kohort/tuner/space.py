"""What a search may choose: structures, each a program of its own, and strengths, which share one."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kohort.errors import RecipeError
from kohort.recipes.as_code import as_code
from kohort.recipes.compose import AT_THE_END, recipes_for
from kohort.recipes.grammar import parse, technique_named
from kohort.recipes.recipe import Recipe
from kohort.tuner.setting import Setting

OFF = {
    "l1": 1e-12,
    "l2": 1e-12,
    "dropout": 1e-9,
    "gaussiandropout": 1e-9,
    "gaussiannoise": 1e-9,
    "inputnoise": 1e-9,
    "labelsmoothing": 1e-9,
    "classweights": 1e-9,
}
"""Strengths at which a technique does nothing, to rounding, and is the same compiled program as at any other. Zero is
another program, since Keras asks in Python whether there is a strength; at a dropout rate of 1e-9 float32 keeps every
unit and scales none."""

Values = Mapping[str, Any]
"""What was chosen, by name, as the sampler knows it."""


class Trial(Protocol):
    """Whoever chooses; a trial of Optuna is one."""

    def suggest_categorical(self, name: str, choices: Sequence[Any], /) -> Any:
        """One of several."""
        ...

    def suggest_float(
        self, name: str, low: float, high: float, /, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number."""
        ...

    def suggest_int(self, name: str, low: int, high: int, /, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""
        ...


@dataclass(frozen=True)
class Called:
    """What reports call what a search chose, and what it is compared with.

    Attributes:
        chosen: The name of the chosen recipe in comparisons.
        beside: The name of the other.
        what: What is chosen, as a heading.
        other: What it is compared with, as a heading.
        remark: What is to be said of that comparison; mostly nothing.
    """

    chosen: str
    beside: str
    what: str
    other: str
    remark: str = ""


class Searchable(Protocol):
    """What a search needs of a space."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def called(self) -> Called:
        """What reports call what is chosen from it."""
        ...

    def structures(self, count: int, seed: int) -> tuple[str, ...]:
        """Some structures, each a program of its own."""
        ...

    def draw(self, trial: Trial, structures: Sequence[str]) -> dict[str, Any]:
        """What a sampler chooses."""
        ...

    def searched(self, values: Values) -> str:
        """The recipe that is trained in a search."""
        ...

    def recipe(self, values: Values) -> str:
        """The recipe that was chosen."""
        ...

    def recipes(self, texts: Sequence[str], setting: Setting) -> tuple[Recipe, ...]:
        """Recipes that build, from what they are written as."""
        ...

    def spanning(self, structure: str) -> tuple[str, ...]:
        """Recipes of a structure that differ in every strength; none where they are not known."""
        ...

    def without(self, values: Values) -> dict[str, str]:
        """The chosen recipe without each of its techniques."""
        ...

    def strengths(self, values: Values) -> dict[str, float]:
        """The chosen strengths: name -> strength."""
        ...

    def doses(self, values: Values, factors: Sequence[float]) -> dict[str, str]:
        """The chosen recipe with other strengths, one at a time."""
        ...

    def is_planned(self, values: Values) -> bool:
        """Whether training is planned for all epochs, so that it cannot end before."""
        ...

    def code(self, recipe: Recipe, setting: Setting) -> str:
        """A recipe as Python code."""
        ...


@dataclass(frozen=True)
class Knob:
    """A strength that a search chooses.

    Attributes:
        technique: Of which technique.
        parameter: Its name there.
        low: The smallest that is tried; equal to `high`, there is nothing to choose but whether it is on.
        high: The largest.
        log: Whether its logarithm is chosen evenly.
        off: The value at which it does nothing, see `OFF`; None: it is always on.
    """

    technique: str
    parameter: str
    low: float
    high: float
    log: bool = True
    off: float | None = None

    @property
    def name(self) -> str:
        """What the sampler calls it."""
        return f"{self.technique} {self.parameter}"

    def draw(self, trial: Trial) -> float | None:
        """What a sampler chooses, to three digits; None: off."""
        if self.off is not None and not trial.suggest_categorical(f"{self.name} on", (True, False)):
            return None
        if self.low == self.high:
            return self.low
        return float(f"{trial.suggest_float(self.name, self.low, self.high, log=self.log):.3g}")

    def between(self, share: float) -> float:
        """The value that lies so far on the way from the smallest to the largest."""
        if self.log and self.low > 0.0:
            return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Space:
    """Recipes that a search chooses from.

    Attributes:
        name: What it is called.
        choices: Structural choices: name -> the options, each a part of a recipe (`"batchnorm"`, `"width=256+depth=3"`,
            `""` for nothing); the first of each make the plain structure.
        knobs: Strengths.

    Raises:
        RecipeError: An option is no recipe, or decides when training ends.
    """

    name: str
    choices: Mapping[str, tuple[str, ...]]
    knobs: tuple[Knob, ...]

    def __post_init__(self) -> None:
        options = [parse(option) for own in self.choices.values() for option in own if option]
        names = {part.technique.name for own in options for part in own.parts} | {own.technique for own in self.knobs}
        for name in CHOSEN_BY_THE_SEARCH:
            if name in names:
                raise RecipeError(
                    f"space {self.name!r} must leave out {name!r}: after how many epochs a recipe ends is chosen from "
                    "its validation curve."
                )

    @property
    def called(self) -> Called:
        """What reports call what is chosen from it."""
        chosen = self.name if self.name == "cocktail" else "recipe (tuned)"
        return Called(chosen, "plain (tuned)", "Recipe", "Plain network")

    def structures(self, count: int, seed: int) -> tuple[str, ...]:
        """Some of all combinations of options, as recipes without strengths; the plain one is the first.

        The others are drawn such that every option of a choice appears as often as any other, or once more (a Latin
        square where two choices have equally many). Each is a compiled program, so there should be few.

        Args:
            count: How many at the most.
            seed: What decides the draw.
        """
        options = list(self.choices.values())
        every = [_joined(combination) for combination in itertools.product(*options)]
        if len(every) <= count:
            return tuple(every)
        generator = np.random.default_rng([seed, 10])
        found = [every[0]]
        while len(found) < count:
            columns = [[own[i] for i in generator.permutation(len(own))] for own in options]
            for row in range(max(map(len, columns))):
                combined = _joined([column[row % len(column)] for column in columns])
                if combined not in found and len(found) < count:
                    found.append(combined)
        return tuple(found)

    def draw(self, trial: Trial, structures: Sequence[str]) -> dict[str, Any]:
        """What a sampler chooses: `"structure"`, and each knob's value or None."""
        return {
            "structure": trial.suggest_categorical("structure", tuple(structures)),
            **{knob.name: knob.draw(trial) for knob in self.knobs},
        }

    def searched(self, values: Values) -> str:
        """The recipe that is trained in a search: what is off is there with a strength that does nothing."""
        own = {knob: _given(knob, values[knob.name]) for knob in self.knobs}
        return self._text(values["structure"], own) or "none"

    def recipe(self, values: Values) -> str:
        """The recipe that was chosen: what is off is left out."""
        own = {knob: _given(knob, values[knob.name]) for knob in self.knobs if not self._is_out(knob, values)}
        return self._text(values["structure"], own) or "none"

    def spanning(self, structure: str) -> tuple[str, str]:
        """Two recipes of a structure that differ in every strength, so that a program made of them serves all."""
        low, high = (
            self._text(structure, {knob: _apart(knob, share) for knob in self.knobs}) for share in (0.25, 0.75)
        )
        return low, high

    def without(self, values: Values) -> dict[str, str]:
        """The chosen recipe without one of its techniques, for each that can be left out: technique -> recipe."""
        whole = self.recipe(values)
        found: dict[str, str] = {}
        for knob in self.knobs:
            if knob.off is not None and values[knob.name] is not None:
                left = {**values, knob.name: None}
                found[knob.technique if self._is_out(knob, left) else knob.name] = self.recipe(left)
        for name, options in self.choices.items():
            chosen = _chosen(values["structure"], options)
            if name not in SIZES and chosen:
                parts = [part for part in values["structure"].split("+") if part not in chosen.split("+")]
                found[chosen] = self.recipe({**values, "structure": "+".join(parts)})
        return {technique: text for technique, text in found.items() if text != whole}

    def strengths(self, values: Values) -> dict[str, float]:
        """The strengths that are on, of those that there is a choice of: `"dropout rate"` -> strength."""
        return {own.name: values[own.name] for own in self.knobs if values[own.name] is not None and own.low < own.high}

    def doses(self, values: Values, factors: Sequence[float]) -> dict[str, str]:
        """The chosen recipe with one strength changed, for each that is on: `"dropout rate 0.2"` -> recipe."""
        found: dict[str, str] = {}
        chosen = self.strengths(values)
        for knob in (own for own in self.knobs if own.name in chosen):
            domain = technique_named(knob.technique).parameter(knob.parameter).domain
            for own in (float(f"{factor * chosen[knob.name]:.3g}") for factor in factors):
                if own in domain:
                    found[f"{knob.name} {own:g}"] = self.recipe({**values, knob.name: own})
        return found

    def recipes(self, texts: Sequence[str], setting: Setting) -> tuple[Recipe, ...]:
        """Recipes that log what the search goes by."""
        return recipes_for(texts, setting.problem, setting.network, setting.objective.logged)

    def is_planned(self, values: Values) -> bool:
        """Whether the recipe is planned for all epochs, by a schedule or by what it does at the end of them."""
        techniques = [part.technique for part in parse(self.recipe(values)).parts]
        schedules = {own.name for own in techniques if own.group == "schedule"} - {"constant"}
        return bool(schedules) or any(own.name in AT_THE_END for own in techniques)

    def code(self, recipe: Recipe, setting: Setting) -> str:
        """A recipe as a script that runs with Keras alone."""
        return as_code(recipe, batch_size=setting.batch_size)

    def _is_out(self, knob: Knob, values: Values) -> bool:
        """Whether a knob's technique is left out: the one that says how strong it is is off."""
        strengths = [own for own in self.knobs if own.technique == knob.technique]
        return all(own.off is not None and values[own.name] is None for own in strengths)

    def _text(self, structure: str, values: Mapping[Knob, float]) -> str:
        by_technique: dict[str, list[str]] = {}
        for knob, value in values.items():
            by_technique.setdefault(knob.technique, []).append(f":{knob.parameter}={value:.12g}")
        return "+".join(
            [part for part in structure.split("+") if part]
            + [technique + "".join(numbers) for technique, numbers in by_technique.items()]
        )


CHOSEN_BY_THE_SEARCH = ("epochs", "earlystopping")
"""Techniques that decide when training ends."""

SIZES = ("size", "batch")
"""Choices of which there is always one: they are no technique that could be left out."""


def _joined(parts: Iterable[str]) -> str:
    return "+".join(part for part in parts if part)


def _chosen(structure: str, options: Sequence[str]) -> str:
    parts = set(structure.split("+"))
    return max((own for own in options if own and set(own.split("+")) <= parts), key=len, default="")


def _given(knob: Knob, value: float | None) -> float:
    if value is not None:
        return value
    assert knob.off is not None
    return knob.off


def _apart(knob: Knob, share: float) -> float:
    """A value, another for each share even where a knob is only on or off."""
    if knob.low < knob.high:
        return knob.between(share)
    assert knob.off is not None
    return knob.low if share < 0.5 else knob.off
