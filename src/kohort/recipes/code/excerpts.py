"""Source of classes, with all of Kohort that they need, such that it runs without Kohort."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

from kohort.errors import RecipeError


class Excerpts:
    """Definitions of Kohort's modules as text, each after those that it needs.

    Attributes:
        texts: The definitions by name.
        imports: What they import from elsewhere: (module, name), or (module, "") for the module itself.
    """

    def __init__(self, classes: Iterable[type] = ()):
        self.texts: dict[str, str] = {}
        self.imports: set[tuple[str, str]] = set()
        self._seen: set[tuple[str, str]] = set()
        for own in classes:
            self._need(own.__module__, own.__name__)

    def _need(self, module: str, name: str) -> None:
        if (module, name) in self._seen:
            return
        self._seen.add((module, name))
        source = _source(module)
        if name in source.imported:
            origin, original = source.imported[name]
            if origin.split(".")[0] != "kohort":
                self.imports.add((origin, original))
            else:
                self._need(origin, original)
            return
        for used in source.names_in(name):
            self._need(module, used)
        text = re.sub(r'(@keras\.saving\.register_keras_serializable\()package="kohort"\)', r"\1)", source.text(name))
        if self.texts.setdefault(name, text) != text:
            raise RecipeError(
                f"two definitions called {name!r} cannot be written into one script. Leave out one of the techniques "
                "that need them."
            )


class _Source:
    """A module's definitions and imports.

    Args:
        module: Its name.
    """

    def __init__(self, module: str):
        self.source = inspect.getsource(importlib.import_module(module))
        self.definitions: dict[str, Any] = {}
        self.imported: dict[str, tuple[str, str]] = {}
        for node in ast.parse(self.source).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                self.definitions[node.name] = node
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self.definitions.update({own.id: node for own in ast.walk(target) if isinstance(own, ast.Name)})
            elif isinstance(node, ast.Import):
                self.imported.update({alias.asname or alias.name: (alias.name, "") for alias in node.names})
            elif isinstance(node, ast.ImportFrom) and node.module:
                self.imported.update({alias.asname or alias.name: (node.module, alias.name) for alias in node.names})

    def names_in(self, name: str) -> list[str]:
        """What of the module, and of its imports, a definition names, in the order in which it does."""
        found = [own.id for own in ast.walk(self.definitions[name]) if isinstance(own, ast.Name)]
        return [own for own in dict.fromkeys(found) if own in self.definitions or own in self.imported]

    def text(self, name: str) -> str:
        """A definition's source, with its decorators."""
        node = self.definitions[name]
        begin = min([node.lineno, *(own.lineno for own in getattr(node, "decorator_list", []))])
        return "\n".join(self.source.splitlines()[begin - 1 : node.end_lineno])


_source = cache(_Source)


def import_lines(imports: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Lines of imports: those of Python itself, and the others.

    Args:
        imports: (module, name), or (module, "") for the module itself.
    """
    lines: tuple[list[str], list[str]] = ([], [])
    modules = {module for module, name in imports if not name}
    names: dict[str, set[str]] = {}
    for module, name in imports:
        if name:
            names.setdefault(module, set()).add(name)
    own = [(module, f"import {module}") for module in sorted(modules)]
    own += [(module, f"from {module} import {', '.join(sorted(names[module]))}") for module in sorted(names)]
    for module, line in own:
        lines[module.split(".")[0] not in sys.stdlib_module_names].append(line)
    return lines
