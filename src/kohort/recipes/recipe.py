"""A recipe: one way to train a network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from kohort.errors import RecipeError

Builder = Callable[[], keras.Model]


@dataclass(frozen=True)
class Recipe:
    """One way to train a network.

    Attributes:
        name: What reports call it.
        build: Returns a new compiled `keras.Model`.
        given: The user's own model where one was given instead of a builder; else None.
        draws_nothing: Whether the builder is known to draw nothing itself, as Kohort's own, and so to make the same
            network under every seed; else that is looked at.
        callbacks: Make the callbacks of a run.
        batch_size: Rows of a batch in a study; None: as many as the study says.
        epochs: Passes over the training rows in a study; None: as many as the study says.
        text: What was written, where it was written as a text; a recipe keeps it under another name.
    """

    name: str
    build: Builder
    given: keras.Model | None = None
    draws_nothing: bool = False
    callbacks: tuple[Callable[[], keras.callbacks.Callback], ...] = ()
    batch_size: int | None = None
    epochs: int | None = None
    text: str = ""

    @property
    def own_training(self) -> str:
        """Its own epochs and batch size in words; empty where the study decides both."""
        told = [f"{self.epochs} epochs"] if self.epochs is not None else []
        return ", ".join(told + ([f"batch size {self.batch_size}"] if self.batch_size is not None else []))


def callbacks_of(recipes: Sequence[Recipe]) -> Callable[[str, Any], list[keras.callbacks.Callback]] | None:
    """What makes the callbacks of each run, from its recipe's name and its seed; None where no recipe has any."""
    makers = {recipe.name: recipe.callbacks for recipe in recipes}
    if not any(makers.values()):
        return None
    return lambda recipe, seed: [make() for make in makers[recipe]]


def check_for_fit(recipes: Sequence[Recipe]) -> None:
    """Refuses recipes that decide what arguments of `kohort.fit` decide.

    Raises:
        RecipeError: One has a batch size or epochs of its own.
    """
    for recipe in recipes:
        for name, value in (("batch_size", recipe.batch_size), ("epochs", recipe.epochs)):
            if value is not None:
                raise RecipeError(
                    f"recipe {recipe.name!r} has {name}={value} of its own, which kohort.fit takes as an argument for "
                    f"all recipes. Pass {name}={value} and leave it out of the recipe, or use kohort.Study."
                )


def as_recipes(recipes: Any) -> tuple[tuple[Recipe, ...], bool]:
    """The recipes that an argument `recipes` means.

    Args:
        recipes: A compiled model, a builder, or a mapping of names to either.

    Returns:
        The recipes, and whether there were several with names of their own (a mapping).

    Raises:
        RecipeError: It is neither, or there is none.
    """
    if isinstance(recipes, Mapping):
        if not recipes:
            raise RecipeError("recipes must hold at least one recipe. Got an empty mapping.")
        for name in recipes:
            if not isinstance(name, str):
                raise RecipeError(f"names of recipes must be text. Got {name!r}. Write {str(name)!r}.")
        return tuple(_recipe(name, given) for name, given in recipes.items()), True
    name = getattr(recipes, "name", getattr(recipes, "__name__", "model"))
    if name == "<lambda>":
        name = "model"
    return (_recipe(str(name), recipes),), False


def _recipe(name: str, given: Any) -> Recipe:
    if isinstance(given, Recipe):
        return replace(given, name=name)
    if isinstance(given, keras.Model):
        model = given
        return Recipe(name, lambda: cloned(model, name), model)
    if callable(given):
        build: Any = given
        return Recipe(name, build)
    raise RecipeError(
        f"recipe {name!r} must be a compiled keras.Model or a function that returns one. "
        f"Got {type(given).__name__}. For example: {{'dropout': lambda: build(rate=0.5)}}."
    )


def cloned(model: keras.Model, name: str) -> keras.Model:
    """A new model of the same configuration, compiled alike, with weights of its own.

    Raises:
        RecipeError: The model's configuration does not travel; a builder is needed.
    """
    try:
        twin = type(model).from_config(model.get_config())
        compiled = model.get_compile_config()
        if compiled is None:
            raise ValueError("it was compiled with objects that do not serialise")
        twin.compile_from_config(compiled)
    except Exception as error:
        raise RecipeError(
            f"recipe {name!r}: a model given with seeds is built anew under each seed from its configuration, and "
            f"this one cannot be: {error}. Pass a function that builds and compiles it instead."
        ) from error
    lost = _lost(model, twin)
    if lost:
        raise RecipeError(
            f"recipe {name!r}: a model given with seeds is built anew under each seed from its configuration, which "
            f"would lose {lost}. Pass a function that builds, prepares and compiles it instead."
        )
    return twin


def _lost(model: keras.Model, twin: keras.Model) -> str:
    """What of a model, besides trainable weights, its configuration does not carry; empty if nothing."""
    optimizer: Any = model.optimizer
    excluded = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    if any(getattr(optimizer, name, None) for name in excluded):
        return "what optimizer.exclude_from_weight_decay excludes"
    if model.built and not twin.built:
        twin.build_from_config(model.get_build_config())
    for own, other in zip(model.non_trainable_weights, twin.non_trainable_weights, strict=False):
        if not np.array_equal(np.asarray(own.value), np.asarray(other.value)):
            return f"the non-trainable weights {own.path!r}, adapted, trained or frozen as they are"
    return ""
