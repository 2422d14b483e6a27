"""A builder's definition as text: equal texts, equal code, as far as can be seen without running it."""

import functools
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from kohort.recipes.recipe import Recipe

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_NUMBERED = re.compile(r'_\d+"')  # auto-numbered names differ by call


def definition_of(recipe: Recipe) -> str:
    """What a recipe does, as text that changes when the recipe does.

    Of a recipe that is written as text it is that text. Of a function it is a hash of its source, its defaults, what it
    closes over, and the functions of its module that it names, and so on. Code of other modules is not looked at.

    Args:
        recipe: The recipe.
    """
    if recipe.given is not None:
        told = _NUMBERED.sub('"', recipe.given.to_json())
        return f"a model {hashlib.sha256(told.encode()).hexdigest()}"
    if not _is_code(recipe.build):
        return recipe.text or recipe.name  # an object of Kohort's own: its text says it all
    told = "\n".join(_sources(recipe.build, set()))
    return f"{_name(recipe.build)} {hashlib.sha256(told.encode()).hexdigest()}"


def source_of(recipe: Recipe) -> str:
    """A recipe as a reader wants to see it: its text, its function's source, or what it was made of.

    Args:
        recipe: The recipe.
    """
    if recipe.given is not None:
        return f"a compiled {type(recipe.given).__name__}"
    if not _is_code(recipe.build):
        return recipe.text or recipe.name
    build, given = recipe.build, []
    while isinstance(build, functools.partial):
        given += [*map(_plain, build.args), *(f"{name}={_plain(value)}" for name, value in build.keywords.items())]
        build = build.func
    try:
        source = textwrap.dedent(inspect.getsource(build)).strip()
    except (OSError, TypeError):  # typed at a prompt
        source = _name(build)
    cells = inspect.getclosurevars(build).nonlocals if isinstance(build, FunctionType) else {}
    given += [f"{name}={_plain(value)}" for name, value in cells.items() if not callable(value)]
    return f"{source}\n# with {', '.join(given)}" if given else source


def code_of(function: Callable[..., Any]) -> str:
    """A hash of a function's code, in the same sense."""
    return hashlib.sha256("\n".join(_sources(function, set())).encode()).hexdigest()


def _is_code(build: Any) -> bool:
    return isinstance(build, FunctionType | functools.partial) or inspect.ismethod(build) or inspect.isclass(build)


def _name(build: Any) -> str:
    return getattr(build, "__qualname__", type(build).__name__)


def _sources(what: Any, seen: set[int]) -> list[str]:
    """The source of some code, and of all that it leads to in its module."""
    if id(what) in seen:
        return []
    seen.add(id(what))
    if isinstance(what, functools.partial):
        values = [_value(value, seen) for value in (*what.args, *what.keywords.items())]
        return _sources(what.func, seen) + values
    if inspect.ismethod(what):
        return _sources(what.__func__, seen)
    code = getattr(what, "__code__", None)
    try:
        # of two lambdas in one line the source is the same
        found = [_compiled(code) if code and code.co_name == "<lambda>" else inspect.getsource(what)]
    except (OSError, TypeError):  # typed at a prompt, or written in another language
        found = [_name(what) if code is None else _compiled(code)]
    if not isinstance(what, FunctionType):
        return found
    found += [_value(value, seen) for value in (what.__defaults__, what.__kwdefaults__)]
    for cell in what.__closure__ or ():
        try:
            found.append(_value(cell.cell_contents, seen))
        except ValueError:  # not filled yet
            found.append("")
    for name in sorted(set(what.__code__.co_names)):
        other = what.__globals__.get(name)
        if isinstance(other, FunctionType | type) and other.__module__ == what.__module__:
            found += _sources(other, seen)
        elif isinstance(other, int | float | str | tuple | bool):
            found.append(f"{name}={other!r}")
    return found


def _compiled(code: CodeType) -> str:
    """What a function was compiled to, wherever it stands."""
    constants = [_compiled(own) if isinstance(own, CodeType) else _plain(own) for own in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names} {code.co_varnames}"


def _value(value: Any, seen: set[int]) -> str:
    if isinstance(value, FunctionType | functools.partial):
        return "\n".join(_sources(value, seen))
    return _plain(value)


def _plain(value: Any) -> str:
    return _ADDRESS.sub("", repr(value))
