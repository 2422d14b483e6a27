"""What a study is, so that a folder takes in no runs of another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Identity:
    """What a study is.

    Attributes:
        dataset: The data's name.
        decides: Name -> value of all that decides a run's numbers, but for recipe and seed.
        recipes: Recipe -> what it does, as text that changes when the recipe does.
        facts: Name -> value of what else a reader wants to know.
    """

    dataset: str
    decides: Mapping[str, str]
    recipes: Mapping[str, str]
    facts: Mapping[str, Any]

    def differences(self, other: "Identity") -> list[str]:
        """How another study is not this one, in words; recipes that only one of them has are no difference."""
        names = dict.fromkeys([*self.decides, *other.decides])
        told = [
            f"{name} {_short(self.decides.get(name))} instead of {_short(other.decides.get(name))}"
            for name in names
            if self.decides.get(name) != other.decides.get(name)
        ]
        changed = [name for name in self.recipes if other.recipes.get(name, self.recipes[name]) != self.recipes[name]]
        return told + [f"another recipe {name!r}" for name in changed]


def _short(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 60 else f"{value[:57]}…"
