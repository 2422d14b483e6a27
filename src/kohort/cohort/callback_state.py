"""What callbacks hold in mind between two epochs, as JSON and arrays, so that another process can go on with them.

A callback's attributes are its state. Numbers, texts, arrays and what is made of them are kept as they are, functions
of Keras by their names. Other functions are code, which the callback that is made anew has, too, if this one has had
them from its beginning. Anything else (an open file, an object of the user's, a function that closes over something
that may change) cannot be kept, and then nothing is.
"""

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import FunctionType
from typing import Any

import jax
import numpy as np

NOT_STATE = ("_model", "_params", "params", "validation_data", "seen")
"""Attributes that whoever makes the callback anew sets, too."""


class CannotBeKeptError(Exception):
    """A callback holds something that is neither numbers nor code."""


def state_of_callback(callback: Any, born: Mapping[str, Any], arrays: list[np.ndarray]) -> dict[str, Any]:
    """A callback's state as JSON values.

    Args:
        callback: The callback.
        born: Its attributes when it was made.
        arrays: Takes the arrays that the JSON speaks of by number.

    Raises:
        CannotBeKeptError: It holds something else.
    """
    own = {name: value for name, value in vars(callback).items() if name not in NOT_STATE}
    code = {name for name, value in own.items() if _is_code(value) and born.get(name) is value}
    return {name: _told(value, arrays) for name, value in own.items() if name not in code}


def put_callback_state(callback: Any, told: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
    """Gives a callback that was made anew the state that another had.

    Args:
        callback: The callback.
        told: What `state_of_callback` gave.
        arrays: The arrays of which it speaks.
    """
    callback.__dict__.update({name: _read(value, arrays) for name, value in told.items()})


def _told(value: Any, arrays: list[np.ndarray]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if inspect.isfunction(value) and _named(value.__module__, value.__qualname__) is value:
        return {"function": [value.__module__, value.__qualname__]}  # such as that by which early stopping compares
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        arrays.append(np.asarray(value))
        return {"array": len(arrays) - 1, "scalar": isinstance(value, np.generic)}
    if type(value) is list:
        return [_told(item, arrays) for item in value]
    if type(value) is tuple:
        return {"tuple": [_told(item, arrays) for item in value]}
    if type(value) is dict and all(isinstance(key, str) for key in value):
        return {"dict": {key: _told(item, arrays) for key, item in value.items()}}
    raise CannotBeKeptError(type(value).__name__)


def _named(module: str, name: str) -> Any:
    """A function of Keras by its name; None where there is none."""
    return getattr(import_module(module), name, None) if module.split(".")[0] == "keras" else None


def _is_code(value: Any) -> bool:
    """Whether this is a function that holds nothing that may change."""
    if inspect.isbuiltin(value):
        return inspect.ismodule(value.__self__)
    if not isinstance(value, FunctionType):
        return False
    held = [cell.cell_contents for cell in value.__closure__ or ()]
    return all(item is None or isinstance(item, bool | int | float | str) or _is_code(item) for item in held)


def _read(value: Any, arrays: Sequence[np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_read(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if "function" in value:
        return _named(*value["function"])
    if "array" in value:
        array = arrays[value["array"]]
        return array[()] if value["scalar"] else np.array(array)
    if "tuple" in value:
        return tuple(_read(item, arrays) for item in value["tuple"])
    return {key: _read(item, arrays) for key, item in value["dict"].items()}
