"""Spaces that a function defines by running, `build(hp)`, as KerasTuner has them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras

from kohort.errors import KohortError, RecipeError
from kohort.recipes.definition import code_of
from kohort.recipes.recipe import Recipe
from kohort.tuner.setting import Setting
from kohort.tuner.space import Called, Trial, Values

UNTUNED = (
    "The defaults were not searched for, so what is gained on them may be due to any value that was, such as the rate."
)


class HyperParameters:
    """What `build(hp)` is given: the methods of KerasTuner's class of this name, answered by a sampler.

    Args:
        choose: From a name, a kind and its bounds to a value.

    Attributes:
        values: What was chosen, in the order in which it was asked for.
    """

    def __init__(self, choose: Callable[[str, str, Mapping[str, Any]], Any]):
        self._choose = choose
        self.values: dict[str, Any] = {}
        self._scope: list[tuple[str, tuple[Any, ...]]] = []
        self._within: list[str] = []

    def Int(  # noqa: N802 - KerasTuner's name
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str | None = None,
        default: int | None = None,
        **_: Any,
    ) -> int:
        """A whole number between two, both included; `sampling="log"` chooses its logarithm evenly."""
        bounds = {"low": min_value, "high": max_value, "step": step or 1, "log": sampling == "log"}
        return self._value(name, "int", bounds, min_value if default is None else default)

    def Float(  # noqa: N802
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str | None = None,
        default: float | None = None,
        **_: Any,
    ) -> float:
        """A number between two; `sampling="log"` chooses its logarithm evenly."""
        bounds = {"low": min_value, "high": max_value, "step": step, "log": sampling == "log"}
        return self._value(name, "float", bounds, min_value if default is None else default)

    def Choice(  # noqa: N802
        self, name: str, values: Sequence[Any], ordered: bool | None = None, default: Any = None, **_: Any
    ) -> Any:
        """One of several."""
        return self._value(name, "choice", {"choices": tuple(values)}, values[0] if default is None else default)

    def Boolean(self, name: str, default: bool = False, **_: Any) -> bool:  # noqa: N802
        """Yes or no."""
        return self._value(name, "choice", {"choices": (False, True)}, default)

    def Fixed(self, name: str, value: Any, **_: Any) -> Any:  # noqa: N802
        """A value that is no choice."""
        self.values[self._whole(name)] = value
        return value

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """Where what is asked for only matters if another value is one of these; elsewhere it has its default."""
        wanted = tuple(parent_values) if isinstance(parent_values, list | tuple) else (parent_values,)
        self._scope.append((self._whole(parent_name), wanted))
        try:
            yield
        finally:
            self._scope.pop()

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Where what is asked for is called `scope/name`, so that blocks of one kind have values of their own."""
        self._within.append(name)
        try:
            yield
        finally:
            self._within.pop()

    def get(self, name: str) -> Any:
        """A value that was asked for before."""
        return self.values[self._whole(name)]

    def _whole(self, name: str) -> str:
        return "/".join([*self._within, name])

    def _value(self, name: str, kind: str, bounds: Mapping[str, Any], default: Any) -> Any:
        name = self._whole(name)
        if any(self.values.get(parent) not in wanted for parent, wanted in self._scope):
            return default
        if name not in self.values:
            self.values[name] = self._choose(name, kind, {**bounds, "default": default})
        return self.values[name]


def _by(trial: Trial, name: str, kind: str, bounds: Mapping[str, Any]) -> Any:
    if kind == "choice":
        return trial.suggest_categorical(name, bounds["choices"])
    low, high, log = bounds["low"], bounds["high"], bounds["log"]
    if not (low <= high and (low > 0 or not log)):
        least = "above 0 and " if log else ""
        raise ValueError(f"{name!r} must go from a lower end, {least}at most the upper one. Got {low} to {high}")
    if kind == "int":
        return trial.suggest_int(name, low, high, step=1 if log else bounds["step"], log=log)
    return trial.suggest_float(name, low, high, step=None if log else bounds["step"], log=log)


class BuilderSpace:
    """The networks that a function `build(hp)` can build.

    What recipes are for texts, JSON of the chosen values is here. A builder decides how it trains, so nothing is known
    of its techniques: no ingredient is left out, and each candidate trains for all epochs.

    Args:
        build: From hyper-parameters to a compiled `keras.Model`.
        defaults: Only the defaults of all values, which is what others are compared with.
    """

    def __init__(self, build: Callable[[Any], keras.Model], defaults: bool = False):
        self.build, self.defaults = build, defaults
        named = getattr(build, "__name__", "build")
        self.name = named if named.isidentifier() else "build"  # a lambda's is none

    @property
    def called(self) -> Called:
        """What reports call what is chosen from it."""
        return Called(f"{self.name} (tuned)", f"{self.name} (defaults)", "Values", "Defaults", UNTUNED)

    def __repr__(self) -> str:
        return f"{self.name} {code_of(self.build)}{' with its defaults' if self.defaults else ''}"

    def structures(self, count: int, seed: int) -> tuple[str, ...]:
        """None: what is a structure is found when candidates are trained together."""
        return ("",)

    def draw(self, trial: Trial, structures: Sequence[str]) -> dict[str, Any]:
        """What a sampler chooses, found by building a network."""
        asked = HyperParameters(
            lambda name, kind, own: own["default"] if self.defaults else _by(trial, name, kind, own)
        )
        _built(self.build, asked, "a candidate")
        return dict(asked.values)

    def searched(self, values: Values) -> str:
        """The chosen values as JSON."""
        return json.dumps(dict(values))

    recipe = searched

    def recipes(self, texts: Sequence[str], setting: Setting) -> tuple[Recipe, ...]:
        """Recipes of chosen values."""
        return tuple(Recipe(text, partial(_told, self.build, text), text=text) for text in texts)

    def spanning(self, structure: str) -> tuple[str, ...]:
        """None is known."""
        return ()

    def without(self, values: Values) -> dict[str, str]:
        """None is known."""
        return {}

    def strengths(self, values: Values) -> dict[str, float]:
        """None is known."""
        return {}

    def doses(self, values: Values, factors: Sequence[float]) -> dict[str, str]:
        """None is known."""
        return {}

    def is_planned(self, values: Values) -> bool:
        """Always: a builder's schedule may be made for all epochs."""
        return True

    def code(self, recipe: Recipe, setting: Setting) -> str:
        """The chosen values, as a remark on the user's own code."""
        return (
            f"# {self.name}(hp) with these values of hp:\nvalues = {json.loads(recipe.text)!r}\n\n"
            "# With KerasTuner:\n# hp = keras_tuner.HyperParameters()\n# hp.values = values\n"
            f"# model = {self.name}(hp)\n"
        )


def _told(build: Callable[[Any], keras.Model], text: str) -> keras.Model:
    told = json.loads(text)
    return _built(build, HyperParameters(lambda name, kind, own: told.get(name, own["default"])), f"with {text}")


def _built(build: Callable[[Any], keras.Model], given: HyperParameters, what: str) -> keras.Model:
    try:
        return build(given)
    except KohortError:
        raise
    except Exception as error:
        raise RecipeError(
            f"build(hp) does not build {what} ({given.values}): {type(error).__name__}: {error}"
        ) from error
