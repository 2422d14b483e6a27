"""A network's layers -> the statements that make them and send rows through them."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from kohort.errors import RecipeError
from kohort.recipes.code.draws import Draws
from kohort.recipes.code.expressions import Expressions, quoted
from kohort.recipes.code.layout import INDENT, Bracketed, Code, laid_out

UNUSED = "  # the draw of a layer that was made and left out"


@dataclass
class Statements:
    """The lines of a function, in which objects draw in the same order as the originals did.

    Attributes:
        draws: What the originals drew.
        expressions: How objects are written.
        lines: The lines so far.
        drawn: How many draws the lines take.
    """

    draws: Draws
    expressions: Expressions
    lines: list[str] = field(default_factory=list)
    drawn: int = 0

    def add(self, code: Code, before: str = "") -> None:
        """Adds a statement."""
        self.lines += laid_out(code, before, INDENT)

    def draw(self, thing: Any, but_for: Any = None) -> None:
        """Notes that the next statement makes an object, and adds what has to be drawn before.

        Args:
            thing: The object.
            but_for: An object in it that is made already.

        Raises:
            RecipeError: It draws where no statement could.
        """
        numbers = self.draws.of(thing, but_for)
        if not numbers:
            return
        for _ in range(self.drawn, numbers[0]):
            self.add(f"keras.random.SeedGenerator(){UNUSED}")
        if numbers[0] < self.drawn or numbers != list(range(numbers[0], numbers[-1] + 1)):
            raise RecipeError(
                f"a recipe that is written as code must make its layers one after another, each with initialisers of "
                f"its own. {thing.name!r} shares one, or draws while others are made. Give it its own."
            )
        self.drawn = numbers[-1] + 1

    def first(self, things: Sequence[Any]) -> int | None:
        """The next draw that one of several objects takes."""
        return min((number for thing in things for number in self.draws.of(thing)), default=None)


def write_network(network: keras.Model, statements: Statements) -> None:
    """Adds the statements that make a network, which is called `model` in the end.

    Args:
        network: The network: a `Sequential`, or made of layers with `keras.Model(inputs, outputs)`.
        statements: Where to.

    Raises:
        RecipeError: It is of another kind, or has layers that cannot be written.
    """
    if type(network) is keras.Sequential:
        _write_stack(network, statements)
    elif type(network).__name__ == "Functional" and type(network).__module__.startswith("keras."):
        _Graph(network, statements).write()
    else:
        raise RecipeError(
            f"a network that is written as code must be a keras.Sequential or keras.Model(inputs, outputs). Got a "
            f"class of its own, {type(network).__name__}. Its source is its code."
        )


def _write_stack(network: keras.Sequential, statements: Statements) -> None:
    made = sorted(
        (layer for layer in network.layers if statements.draws.of(layer)), key=lambda layer: statements.draws.of(layer)
    )
    order = [number for layer in network.layers for number in statements.draws.of(layer)]
    names: dict[int, str] = {}
    if order != list(range(statements.drawn, statements.drawn + len(order))):  # not made in the order of the stack
        for position, layer in enumerate(made):
            names[id(layer)] = f"layer_{position + 1}"
            statements.draw(layer)
            statements.add(_layer(layer, statements), f"layer_{position + 1} = ")
    items: list[Code] = [_input(layer) for layer in _inputs_of(network)]
    for layer in network.layers:
        if id(layer) not in names:
            statements.draw(layer)
        items.append(names.get(id(layer)) or _layer(layer, statements))
    stack = Bracketed("[", tuple(("", item) for item in items), "]", an_item_a_line=True)
    statements.add(Bracketed("keras.Sequential(", (("", stack), *_named(network, "sequential")), ")"), "model = ")


def _named(network: keras.Model, by_itself: str) -> tuple[tuple[str, Code], ...]:
    """A network's name as an argument, unless Keras gave it."""
    return () if re.fullmatch(rf"{by_itself}(_\d+)?", network.name) else (("name=", quoted(network.name)),)


def _inputs_of(network: keras.Sequential) -> list[Any]:
    return [tensor._keras_history.operation for tensor in network.inputs] if network.built and network.inputs else []


def _input(layer: Any, call: str = "layers.Input(") -> Code:
    config = layer.get_config()
    rows, *shape = config["batch_shape"]
    items = [("", repr(tuple(shape)))]
    if rows is not None:
        items.append(("batch_size=", repr(rows)))
    if config["dtype"] != keras.config.floatx():
        items.append(("dtype=", quoted(config["dtype"])))
    items += [(f"{name}=", "True") for name in ("sparse", "ragged", "optional") if config.get(name)]
    if not layer.name.startswith(("input_layer", "keras_tensor")):
        items.append(("name=", quoted(layer.name)))
    return Bracketed(call, tuple(items), ")")


def _layer(layer: Any, statements: Statements) -> Bracketed:
    if isinstance(layer, keras.Model):
        raise RecipeError(
            f"a network that is written as code must be made of layers. It has a model in it, {layer.name!r}. "
            "Use that model's layers themselves."
        )
    return statements.expressions.made(layer)


class _Graph:
    """Layers that are called one after another, with branches.

    Args:
        network: The network.
        statements: Where to write.
    """

    def __init__(self, network: Any, statements: Statements):
        self.network = network
        self.statements = statements
        self.calls = self._calls()
        self.made: dict[int, str] = {}  # layer -> the variable that holds it
        self.names: dict[int, str] = {}  # tensor -> the variable that holds it
        self.uses: dict[int, int] = {}  # tensor -> calls to come that take it
        for call in self.calls:
            for tensor in call.input_tensors:
                self.uses[id(tensor)] = self.uses.get(id(tensor), 0) + 1
        for tensor in network.outputs:
            self.uses[id(tensor)] = self.uses.get(id(tensor), 0) + 1

    def _calls(self) -> list[Any]:
        """The calls of layers, each after those whose outputs it takes, branch after branch."""
        found: list[Any] = []
        seen: set[int] = set()
        waiting = [(_call_of(tensor), False) for tensor in reversed(self.network.outputs)]
        while waiting:
            call, done = waiting.pop()
            if done:
                found.append(call)
            elif id(call) not in seen:
                seen.add(id(call))
                waiting.append((call, True))
                waiting += [(_call_of(tensor), False) for tensor in reversed(call.input_tensors)]
        return [call for call in found if not call.is_input]

    def write(self) -> None:
        """Adds the statements."""
        inputs = self.network.inputs
        for position, tensor in enumerate(inputs):
            self.names[id(tensor)] = "inputs" if len(inputs) == 1 else f"input_{position + 1}"
            self.statements.add(_input(_call_of(tensor).operation, "keras.Input("), f"{self.names[id(tensor)]} = ")
        waiting = list(self.calls)
        while waiting:
            next_draw = self.statements.first([call.operation for call in waiting if not self._is_made(call)])
            call = next((call for call in waiting if self._can_follow(call, next_draw)), None)
            if call is None:  # a layer was made before its inputs were
                self._make_ahead(next(call for call in waiting if self._takes(call, next_draw)).operation)
                continue
            waiting.remove(call)
            self._write_call(call, uses_again=any(other.operation is call.operation for other in waiting))
        ends = [self._several([self.names[id(tensor)] for tensor in own]) for own in (inputs, self.network.outputs)]
        items = (*(("", end) for end in ends), *_named(self.network, "functional"))
        self.statements.add(Bracketed("keras.Model(", items, ")"), "model = ")

    def _several(self, names: list[str]) -> str:
        return names[0] if len(names) == 1 else f"[{', '.join(names)}]"

    def _is_made(self, call: Any) -> bool:
        return id(call.operation) in self.made

    def _takes(self, call: Any, draw: int | None) -> bool:
        return not self._is_made(call) and draw in self.statements.draws.of(call.operation)

    def _can_follow(self, call: Any, draw: int | None) -> bool:
        """Whether a call's inputs are there and its layer is the next to draw, or does not."""
        ready = all(id(tensor) in self.names for tensor in call.input_tensors)
        quiet = self._is_made(call) or not self.statements.draws.of(call.operation)
        return ready and (quiet or self._takes(call, draw))

    def _make_ahead(self, layer: Any) -> None:
        name = f"layer_{len(self.made) + 1}"
        self.statements.draw(layer)
        self.statements.add(_layer(layer, self.statements), f"{name} = ")
        self.made[id(layer)] = name

    def _write_call(self, call: Any, uses_again: bool) -> None:
        layer: Any = call.operation
        if not isinstance(layer, keras.layers.Layer) or len(call.outputs) != 1:
            raise RecipeError(
                f"a network that is written as code must be made of layers with one output each. Got {layer.name!r}. "
                "Use a layer for it."
            )
        if uses_again and not self._is_made(call):
            self._make_ahead(layer)
        made: Code
        if self._is_made(call):
            made = self.made[id(layer)]
        else:
            self.statements.draw(layer)
            made = _layer(layer, self.statements)
        taken = self._arguments(call)
        last = any(call.outputs[0] is tensor for tensor in self.network.outputs)
        name = "outputs" if last and len(self.network.outputs) == 1 else self._free_name()
        self.names[id(call.outputs[0])] = name
        if isinstance(made, str):
            self.statements.add(f"{name} = {made}({taken})")
        else:
            self.statements.add(Bracketed(made.opening, made.items, f"{made.closing}({taken})"), f"{name} = ")

    def _arguments(self, call: Any) -> str:
        """What a layer is called with: tensors, and plain values."""
        told = [self._argument(argument, call) for argument in call.arguments.args]
        usual = inspect.signature(call.operation.call).parameters
        named = {
            name: value
            for name, value in call.arguments.kwargs.items()
            if not (name in usual and value is usual[name].default)  # Keras adds `training`
        }
        return ", ".join([*told, *(f"{name}={self._argument(value, call)}" for name, value in named.items())])

    def _argument(self, argument: Any, call: Any) -> str:
        if isinstance(argument, keras.KerasTensor):
            return self._taken(argument)
        if isinstance(argument, list | tuple):
            return f"[{', '.join(self._argument(item, call) for item in argument)}]"
        if argument is None or isinstance(argument, bool | int | float | str):
            return repr(argument)
        raise RecipeError(
            f"a network that is written as code must call layers with tensors and plain values. Got a "
            f"{type(argument).__name__} for {call.operation.name!r}. Leave that out."
        )

    def _taken(self, tensor: Any) -> str:
        self.uses[id(tensor)] -= 1
        return self.names[id(tensor)]

    def _free_name(self) -> str:
        """A name for a tensor: the main line is `x`, what runs beside it `branch`."""
        kept = {name for tensor, name in self.names.items() if self.uses.get(tensor, 0)}
        names = ("x", "branch", *(f"branch_{number}" for number in range(2, len(kept) + 3)))
        return next(name for name in names if name not in kept)


def _call_of(tensor: Any) -> Any:
    made, number, _ = tensor._keras_history
    return made._inbound_nodes[number]
