"""Why two recipes do or do not share a program, in the words in which they were written: layers, optimiser, loss."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

import keras
from keras.saving import serialize_keras_object

NAMES = frozenset({"name", "dtype", "trainable_weights", "build_config", "shared_object_id"})
"""Entries of a configuration that say nothing of what is computed, or say it again."""


def differences(own: keras.Model, other: keras.Model, names: tuple[str, str]) -> list[str]:
    """What differs between two compiled models, as far as their configurations tell.

    Args:
        own: A model.
        other: Another.
        names: What to call them.
    """
    return [
        *_layers(_leaves(own), _leaves(other), names),
        *_compared("optimizer", own.optimizer, other.optimizer, names),
        *_compared("loss", own.loss, other.loss, names),
        *_compared("metrics", _metrics(own), _metrics(other), names),
    ]


def in_words(own: keras.Model, other: keras.Model, names: tuple[str, str], obstacle: str) -> str:
    """One sentence or two on whether two recipes share a program.

    Args:
        own: A recipe's model.
        other: Another's.
        names: The recipes' names.
        obstacle: What forbids it in the compiled step, or nothing.
    """
    found = differences(own, other, names)
    told = "; ".join(found[:4]) + ("; …" if len(found) > 4 else "")
    both = f"{names[0]} and {names[1]}"
    if obstacle:
        return f"{both} are separate programs: {told or 'their own code differs'}. In the compiled step, {obstacle}."
    if told:
        return f"{both} share one program, since they differ in numbers only: {told}."
    return f"{both} share one program: nothing differs."


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers that compute, in order, nested models opened."""
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if not isinstance(layer, keras.Model | keras.layers.InputLayer)
    ]


def _layers(own: Sequence[Any], other: Sequence[Any], names: tuple[str, str]) -> Iterator[str]:
    kinds = [[type(layer).__name__ for layer in layers] for layers in (own, other)]
    for what, a, b, c, d in SequenceMatcher(None, *kinds, autojunk=False).get_opcodes():
        if what == "equal":
            for number, (mine, others) in enumerate(zip(own[a:b], other[c:d], strict=True), start=a + 1):
                yield from _compared(f"layer {number} ({type(mine).__name__})", mine, others, names)
        if what in ("delete", "replace"):
            yield f"{names[0]} has {_listed(own[a:b])}{_after(own, a)}, {names[1]} has not"
        if what in ("insert", "replace"):
            yield f"{names[1]} has {_listed(other[c:d])}{_after(other, c)}, {names[0]} has not"


def _listed(layers: Sequence[Any]) -> str:
    return " and ".join(type(layer).__name__ for layer in layers)


def _after(layers: Sequence[Any], position: int) -> str:
    return f" after layer {position} ({type(layers[position - 1]).__name__})" if position else " first"


def _metrics(model: keras.Model) -> Any:
    return getattr(model._compile_metrics, "_user_metrics", None)


def _compared(what: str, own: Any, other: Any, names: tuple[str, str]) -> Iterator[str]:
    yield from _unequal(what, _config(own), _config(other), names)


def _config(thing: Any) -> Any:
    """A thing's configuration as plain values; its class where it has none."""
    try:
        return serialize_keras_object(thing)
    except Exception:  # of the user's own code: then the class is all there is to tell
        return type(thing).__name__


def _unequal(what: str, own: Any, other: Any, names: tuple[str, str]) -> Iterator[str]:
    if isinstance(own, dict) and isinstance(other, dict):
        if own.get("class_name") != other.get("class_name"):
            yield f"{what} is {_short(own)} in {names[0]} and {_short(other)} in {names[1]}"
            return
        if "config" in own and "config" in other:
            yield from _unequal(what, own["config"], other["config"], names)
            return
        for key in [*own, *(key for key in other if key not in own)]:
            if key not in NAMES:
                yield from _unequal(f"{key} of {what}", own.get(key), other.get(key), names)
    elif own != other:
        yield f"{what} is {_short(own)} in {names[0]} and {_short(other)} in {names[1]}"


def _short(value: Any) -> str:
    if isinstance(value, dict) and "class_name" in value:
        return str(value["class_name"])
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
