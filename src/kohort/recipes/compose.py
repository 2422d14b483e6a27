"""Recipes as they are written, and a problem -> recipes that build."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras

from kohort.errors import RecipeError
from kohort.recipes.compiling import compiled, optimizer_of
from kohort.recipes.convolutional import cnn_network
from kohort.recipes.design import Design, Problem, sharing_programs
from kohort.recipes.grammar import Composition, combined, parse
from kohort.recipes.networks import mlp_network
from kohort.recipes.recipe import Recipe
from kohort.recipes.technique import Need

NETWORKS: Mapping[str, Callable[..., keras.Model]] = {
    "mlp": mlp_network,
    "cnn": cnn_network,
    "cnn1d": partial(cnn_network, sequence=True),
}

WORDS = {
    "mlp": "MLP 128-64",
    "cnn": "CNN of 3×3 convolutions and pooling (5 wide for sequences), then 64 units",
    "cnn1d": "CNN of convolutions along a sequence, 5 wide, and pooling, then 64 units",
}

IN_WORDS: Mapping[Need, str] = {
    "classes": "classes to learn",
    "counts": "the number of rows of each class, which a study knows",
    "images": "images",
    "convolutions": "a network with convolutions",
    "vectors": "rows that are plain vectors of numbers",
    "widths": "a network of fully connected layers",
}


@dataclass(frozen=True)
class Network:
    """What recipes are applied to.

    Attributes:
        name: `"mlp"`, `"cnn"`, `"cnn1d"`, or that of the user's own function.
        build: Builds a network that is not compiled, from a problem and arguments.
        words: What it is, for a reader.
        draws_nothing: Whether it is known to draw nothing itself.
    """

    name: str
    build: Callable[..., keras.Model]
    words: str
    draws_nothing: bool = True


def network_for(problem: Problem, asked: Any = "auto") -> Network:
    """The network that recipes are applied to.

    Args:
        problem: What it is for.
        asked: `"mlp"`, `"cnn"`; `"cnn1d"` where rows are sequences (length, channels) and no images; `"auto"`:
            convolutions for images, else a perceptron; or a function of (inputs, outputs) and as many arguments of
            `Block` as it likes, that returns a network, compiled or not.

    Raises:
        RecipeError: There is no network of that name, or it is not for such rows.
    """
    if callable(asked):
        name = getattr(asked, "__name__", "network")
        return Network(name, partial(_own, asked, name), f"the user's own function {name}", draws_nothing=False)
    if asked == "auto":
        asked = "cnn" if len(problem.inputs) > 1 else "mlp"
    if asked not in NETWORKS:
        raise RecipeError(f"no network is called {asked!r}. There are: {', '.join(NETWORKS)}, or pass a function.")
    if asked == "cnn1d" and len(problem.inputs) > 2:
        raise RecipeError(
            f"'cnn1d' is for sequences, rows of shape (length,) or (length, channels). Got {list(problem.inputs)}. "
            "Use 'cnn'."
        )
    return Network(asked, NETWORKS[asked], f"{WORDS[asked]}, He initialisation, ReLU, Adam with η = 0.001")


def _own(build: Callable[..., Any], name: str, problem: Problem, **arguments: Any) -> keras.Model:
    """The user's network, given those arguments that a recipe sets."""
    taken = inspect.signature(build).parameters
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    unknown = [argument for argument in arguments if argument not in taken and not anything]
    if unknown:
        raise RecipeError(
            f"{name!r} must take what the recipe sets. It takes {', '.join(taken) or 'nothing'}, the recipe sets "
            f"{', '.join(unknown)}. Add it as a keyword argument, or leave the recipe out."
        )
    given = {"inputs": problem.inputs, "outputs": problem.outputs}
    model = build(
        **{argument: value for argument, value in given.items() if argument in taken or anything}, **arguments
    )
    if not isinstance(model, keras.Model):
        raise RecipeError(f"{name!r} must return a keras.Model. Got {type(model).__name__}.")
    return model


AT_THE_END = ("ema", "swa", "reestimate")
"""Techniques by which the weights that training ends with are others than those of its last validation."""


def may_end_otherwise(recipe: Recipe) -> bool:
    """Whether training may end with other weights than those of its last validation; of a user's function: perhaps.

    What `fit` logs last is then not the score of the network that it leaves behind.

    Args:
        recipe: The recipe.
    """
    if not isinstance(recipe.build, Built):
        return True
    return any(part.technique.name in AT_THE_END for part in parse(recipe.text).parts)


def recipes_for(
    texts: Sequence[str],
    problem: Problem,
    network: Any = "auto",
    logged: tuple[Callable[[Problem], keras.metrics.Metric], ...] = (),
) -> tuple[Recipe, ...]:
    """Recipes for a problem.

    Args:
        texts: As `kohort.recipes.grammar` says: `none`, `l2`, `batchnorm+dropout=0.5`, …
        problem: What the networks are for.
        network: As `network_for` takes it.
        logged: Make metrics that are logged besides the usual ones.

    Raises:
        RecipeError: A text means no recipe or one that does not suit the problem, two mean the same, or there is none.
    """
    own = network_for(problem, network)
    compositions = combined(texts)
    for composition in compositions:
        _check_needs(composition, problem, own)
    designs = sharing_programs([replace(composition.design(), logged=logged) for composition in compositions])
    recipes: list[Recipe] = []
    for composition, design in zip(compositions, designs, strict=True):
        try:
            its_own = problem.trained_by(design)
            optimizer_of(design, its_own)
        except RecipeError as error:
            raise RecipeError(f"recipe {composition.label!r}: {error}") from error
        recipes.append(
            Recipe(
                composition.label,
                Built(own, design, its_own),
                draws_nothing=own.draws_nothing,
                callbacks=tuple(partial(callback, its_own) for callback in design.callbacks),
                batch_size=design.batch_size,
                epochs=design.epochs,
                text=composition.label,
            )
        )
    return tuple(recipes)


def _check_needs(composition: Composition, problem: Problem, network: Network) -> None:
    has: dict[Need, bool] = {
        "classes": problem.task != "regression",
        "counts": bool(problem.class_rows),
        "images": len(problem.inputs) > 1 and network.name != "cnn1d",
        "convolutions": network.name != "mlp",
        "widths": not network.name.startswith("cnn"),
        "vectors": len(problem.inputs) == 1,
    }
    for part in composition.parts:
        for need in part.technique.needs:
            if not has[need]:
                raise RecipeError(
                    f"recipe {composition.label!r}: {part.technique.name!r} needs {IN_WORDS[need]}. "
                    f"Got {problem.task} of rows of shape {list(problem.inputs)} with the network {network.name!r}. "
                    "Leave it out."
                )


@dataclass(frozen=True)
class Built:
    """A recipe's builder: makes a network and compiles it as the design says."""

    network: Network
    design: Design
    problem: Problem

    def __call__(self) -> keras.Model:
        """The compiled network."""
        arguments = dict(self.design.network)
        if self.design.resting:
            arguments["precise_from"] = self.problem.without_last(self.design.resting).steps
        model = self.network.build(self.problem, **arguments)
        if getattr(model, "compiled", False):
            return self._changed(model)
        return compiled(model, self.design, self.problem)

    def _changed(self, model: keras.Model) -> keras.Model:
        """A model that its builder has compiled, with what the recipe decides instead."""
        plain = replace(self.design, network={}, callbacks=(), batch_size=None, epochs=None, logged=())
        if plain == Design():
            return model
        raise RecipeError(
            f"{self.network.name!r} must return a network that is not compiled where recipes decide how it trains. "
            "Leave compile() to Kohort, or pass a mapping of names to functions that compile."
        )
