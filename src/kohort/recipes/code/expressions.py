"""An object of Keras -> the call that makes it, with those arguments that are not the default.

What is written comes from the object's own configuration, and counts only if the call makes an object of the same.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kohort.errors import RecipeError
from kohort.recipes.code.layout import Bracketed, Code

ALWAYS = ("learning_rate",)
"""Arguments that are written even where they are the default: what a reader looks for."""

_ABSENT = object()


class Expressions:
    """Writes objects as calls.

    Attributes:
        parts: Classes of Kohort that the calls need, by name.
    """

    def __init__(self) -> None:
        self.parts: dict[str, type] = {}

    def made(self, thing: Any, given: Mapping[str, tuple[Any, str]] | None = None) -> Bracketed:
        """The call that makes an object.

        Args:
            thing: The object: a layer, an optimiser, a loss, …
            given: Arguments that exist already: their value and the variable that holds it.

        Raises:
            RecipeError: No call makes it.
        """
        return self._call(thing, _configuration(thing), given or {})

    def callback(self, thing: keras.callbacks.Callback) -> Bracketed:
        """The call that makes a callback, which tells its arguments by attributes of their names.

        Raises:
            RecipeError: It does not.
        """
        own = list(inspect.signature(type(thing)).parameters)
        lacking = [name for name in own if not hasattr(thing, name)]
        if lacking:
            raise RecipeError(
                f"a callback must tell its arguments by attributes of their names. {type(thing).__name__} does not "
                f"tell {', '.join(lacking)}. Leave the technique out."
            )
        return self._call(thing, {name: _told(getattr(thing, name)) for name in own}, {})

    def value(self, value: Any, name: str = "") -> Code:
        """A value of a configuration.

        Args:
            value: The value, as Keras serialises it.
            name: The argument that it is for.

        Raises:
            RecipeError: It cannot be written.
        """
        if value is None or isinstance(value, bool | int | float):
            return _number(value)
        if isinstance(value, str):
            return quoted(value)
        if isinstance(value, list):
            return Bracketed("[", tuple(("", self.value(item)) for item in value), "]")
        if isinstance(value, tuple):
            return Bracketed("(", tuple(("", self.value(item)) for item in value), ",)" if len(value) == 1 else ")")
        if isinstance(value, dict) and "class_name" in value:
            return self._object(value, name)
        if isinstance(value, dict):
            return Bracketed("{", tuple((f"{quoted(key)}: ", self.value(own)) for key, own in value.items()), "}")
        raise RecipeError(f"what is written as code must be an object of Keras or plain. Got {value!r} for {name!r}.")

    def _object(self, told: dict[str, Any], name: str) -> Code:
        thing = _live(told, name)
        if isinstance(thing, keras.initializers.Initializer):
            short = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(thing).__name__).lower()
            if _known_as(short, told):
                return quoted(short)
        return self.made(thing)

    def _call(self, thing: Any, config: dict[str, Any], given: Mapping[str, tuple[Any, str]]) -> Bracketed:
        made: Any = type(thing)
        path = self._path(thing)
        parameters = inspect.signature(made).parameters
        needed = [
            name
            for name, parameter in parameters.items()
            if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        lacking = [name for name in needed if name not in config and name not in given]
        if lacking:
            raise RecipeError(
                f"{path} cannot be written as code: its configuration must tell {', '.join(lacking)}. Got "
                f"{', '.join(config) or 'nothing'}."
            )
        live = {name: value for name, (value, _) in given.items()}
        own = {name: config[name] for name in needed if name not in given}

        def same(arguments: dict[str, Any]) -> dict[str, Any]:
            """The configuration of an object that is made with these arguments."""
            again = made(**live, **{name: _live(value, name) for name, value in arguments.items()})
            if isinstance(again, keras.callbacks.Callback):
                return {name: _told(getattr(again, name)) for name in config}
            return {name: value for name, value in _configuration(again).items() if name not in live}

        plain = same(own)
        config = {name: value for name, value in config.items() if name not in live}
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        for name, value in config.items():
            if name in own or (name in plain and plain[name] == value and name not in ALWAYS):
                continue
            if name not in parameters and not anything:
                raise RecipeError(f"{path} cannot be written as code: it takes no argument {name!r} (now {value!r}).")
            own[name] = value
        for name, value in own.items():
            shorter = _shorter(value)
            if shorter != value and same(own | {name: shorter}) == config:
                own[name] = shorter
        again = same(own)
        if again != config:
            lost = [name for name in config if again.get(name, _ABSENT) != config[name]]
            raise RecipeError(f"{path} cannot be written as code: its arguments do not tell {', '.join(lost)}.")
        items: list[tuple[str, Code]] = []
        for name in [*needed, *(name for name in own if name not in needed)]:
            code = given[name][1] if name in given else self.value(own[name], name)
            alone = name in given or isinstance(thing, keras.layers.Layer)  # elsewhere, a bare number says little
            items.append(("" if name in needed and alone else f"{name}=", code))
        items += [(f"{name}=", code) for name, (_, code) in given.items() if name not in needed]
        return Bracketed(f"{path}(", tuple(items), ")")

    def _path(self, thing: Any) -> str:
        """How code names an object's class."""
        made = type(thing)
        if made.__module__.startswith("kohort."):
            self.parts[made.__name__] = made
            return made.__name__
        if isinstance(thing, keras.callbacks.Callback):
            if getattr(keras.callbacks, made.__name__, None) is made:
                return f"keras.callbacks.{made.__name__}"
        elif made.__module__.startswith("keras."):
            told: Any = keras.saving.serialize_keras_object(thing)
            module: str = told["module"]
            if not module.startswith("keras.src"):
                return f"{module}.{made.__name__}".replace("keras.layers.", "layers.")
        raise RecipeError(
            f"a recipe that is written as code must be made of Keras' own classes and Kohort's. Got "
            f"{made.__module__}.{made.__qualname__}. Leave it out, or copy your function that makes it."
        )


def _configuration(thing: Any) -> dict[str, Any]:
    """What an object was made with, as Keras serialises it, without a name that Keras gave by itself.

    Raises:
        RecipeError: It does not tell.
    """
    try:
        config = {name: _told(value) for name, value in thing.get_config().items()}
    except Exception as error:
        raise RecipeError(
            f"what is written as code must tell its configuration. Got {type(thing).__name__}, which cannot: {error}. "
            "Leave it out."
        ) from error
    name = config.get("name")
    if isinstance(name, str) and re.fullmatch(rf"{_snake(type(thing).__name__)}(_\d+)?", name):
        del config["name"]
    return config


def _told(value: Any) -> Any:
    return keras.saving.serialize_keras_object(value)


def _live(value: Any, name: str) -> Any:
    """What Keras serialised, as an object again; tuples stay tuples.

    Args:
        value: The value.
        name: The argument that it is for.

    Raises:
        RecipeError: It is a function.
    """
    if isinstance(value, list | tuple):
        return type(value)(_live(item, name) for item in value)
    if not isinstance(value, dict):
        return value
    if value.get("class_name") in ("function", "__lambda__"):
        raise RecipeError(
            f"what is written as code must be an object of Keras or plain. Got a function for {name!r}. Use a class of "
            "Keras for it."
        )
    return keras.saving.deserialize_keras_object(value)


def _snake(name: str) -> str:
    """A class's name as Keras makes a layer's of it: `Conv2D` -> `conv2d`."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()


def _known_as(short: str, told: dict[str, Any]) -> bool:
    """Whether an initialiser has a short name."""
    try:
        return keras.initializers.serialize(keras.initializers.get(short)) == told
    except ValueError:
        return False


def _shorter(value: Any) -> Any:
    """A number of 32 bits as it was typed: 0.001 for 0.0010000000474974513."""
    if isinstance(value, float) and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value


def _number(value: Any) -> str:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    return repr(value)


def quoted(text: str) -> str:
    """A text between quotation marks."""
    return f'"{text}"' if '"' not in text and repr(text) == f"'{text}'" else repr(text)
