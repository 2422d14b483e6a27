"""Which recipes train in one program, and why the others do not."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from kohort.cohort.capture import Traced
from kohort.cohort.program import SharedSteps
from kohort.cohort.reasons import in_words
from kohort.cohort.unify import Different, unify
from kohort.runtime import garbage_collection_paused


@dataclass(frozen=True)
class Group:
    """Recipes whose steps are the same program up to numbers.

    Attributes:
        recipes: Their positions among all recipes.
        steps: What they share.
        why_separate: Why they did not join the groups before, a reason each.
    """

    recipes: tuple[int, ...]
    steps: SharedSteps
    why_separate: tuple[str, ...]


def groups_of(
    traced: Sequence[Traced],
    names: Sequence[str],
    models: Sequence[keras.Model],
    alongside: Sequence[Traced] = (),
    capacity: int = 0,
) -> list[Group]:
    """Puts recipes together that can share a program.

    Args:
        traced: The recipes' steps.
        names: The recipes' names, for the reasons.
        models: The recipes' models, for the reasons.
        alongside: Steps of other recipes, which do not train. A program is made as if those that can share it were
            there, so that groups that differ from these in the same numbers have the same program, however many of
            their recipes agree in some of them.
        capacity: For how many recipes, at least, a program has room.
    """
    with garbage_collection_paused():
        return _groups(traced, names, models, alongside, capacity)


def _groups(
    traced: Sequence[Traced],
    names: Sequence[str],
    models: Sequence[keras.Model],
    alongside: Sequence[Traced],
    capacity: int,
) -> list[Group]:
    together: list[list[int]] = []
    reasons: list[list[str]] = []
    for position, recipe in enumerate(traced):
        refused = []
        for group in together:
            first = group[0]
            try:
                _compare(traced[first], recipe)
            except Different as error:
                both = names[position], names[first]
                refused.append(in_words(models[position], models[first], both, str(error)))
            else:
                group.append(position)
                break
        else:
            together.append([position])
            reasons.append(refused)
    groups: list[Group] = []
    for group, why in zip(together, reasons, strict=True):
        others = [own for own in alongside if not obstacle(traced[group[0]], own)]
        room = capacity + len(others) if capacity else 0
        steps = SharedSteps.of([*(traced[i] for i in group), *others], room)
        groups.append(Group(tuple(group), steps, tuple(why)))
    return groups


def obstacle(own: Traced, other: Traced) -> str:
    """What forbids two recipes to share a program; empty if nothing does."""
    try:
        _compare(own, other)
    except Different as error:
        return str(error)
    return ""


def _compare(own: Traced, other: Traced) -> None:
    if own.parts != other.parts:
        raise Different("their training states hold different numbers of arrays")
    if [columns.shapes for columns in own.columns] != [columns.shapes for columns in other.columns]:
        raise Different("their logs have different shapes")
    for steps, others in ((own.train, other.train), (own.test, other.test)):
        for size, step in steps.items():
            unify([step.jaxpr, others[size].jaxpr])
