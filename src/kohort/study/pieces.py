"""A study cut into pieces for workers: by seeds, and where these are too few by recipes."""

from collections.abc import Sequence
from itertools import pairwise

from kohort.executors.work import Piece
from kohort.recipes.grammar import parse
from kohort.recipes.recipe import Recipe


def cut(recipes: Sequence[Recipe], seeds: Sequence[int], count: int, epochs: int) -> list[Piece]:
    """About so many pieces.

    Seeds are parted first: every worker then compiles the same programs, all at the same time. Where there are fewer
    seeds than pieces, recipes are parted too, those of equal techniques staying together, as they share a program.

    Args:
        recipes: Recipes of equal batch size and epochs.
        seeds: Their seeds.
        count: How many pieces.
        epochs: The epochs of a run.
    """
    groups: list[Sequence[Recipe]] = [recipes]
    if len(seeds) < count:
        kinds: dict[str, list[Recipe]] = {}
        for recipe in recipes:
            kinds.setdefault(_kind(recipe), []).append(recipe)
        groups = _shared_out(list(kinds.values()), -(-count // len(seeds)))
    parts = _even(seeds, min(len(seeds), -(-count // len(groups))))
    return [
        Piece(tuple(recipe.name for recipe in group), part, len(group) * len(part) * epochs)
        for part in parts
        for group in groups
    ]


def _kind(recipe: Recipe) -> str:
    """Techniques without their strengths; builders of the user's own are of one kind."""
    return "+".join(part.technique.name for part in parse(recipe.text).parts) if recipe.text else ""


def _shared_out(kinds: list[list[Recipe]], most: int) -> list[Sequence[Recipe]]:
    """Kinds of recipes in at most so many groups of about equal size."""
    groups: list[list[Recipe]] = [[] for _ in range(min(most, len(kinds)))]
    for kind in sorted(kinds, key=len, reverse=True):
        min(groups, key=len).extend(kind)
    return list(groups)


def _even(seeds: Sequence[int], count: int) -> list[tuple[int, ...]]:
    edges = [round(place * len(seeds) / count) for place in range(count + 1)]
    return [tuple(seeds[low:high]) for low, high in pairwise(edges)]
