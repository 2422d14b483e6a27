"""How recipes travel between processes, and how what was trained comes back into a model.

A given model goes as the `.keras` file that `model.save` writes, loaded in safe mode after the modules that define its
own classes were imported. A builder goes as `module:qualname`, a `functools.partial` of one with its arguments. What
comes back is matched with a model's variables by their order, and refused where names or shapes differ.
"""

import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

from kohort.elsewhere.parcel import Sender, cannot_travel, unpacked
from kohort.errors import BackendError
from kohort.recipes.recipe import Recipe, as_recipes

OR_A_BUILDER = "Or pass a builder from a module."


@dataclass(frozen=True)
class State:
    """The values of a model's variables, in Keras' order.

    Attributes:
        trainable: Of the trainable ones.
        non_trainable: Of the others, seed generators included.
        optimizer: Of the optimiser's.
        names: The names of the model's own variables, trainable first.
    """

    trainable: tuple[np.ndarray, ...]
    non_trainable: tuple[np.ndarray, ...]
    optimizer: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: keras.Model) -> "State":
        """A model's present state."""
        return cls(
            tuple(map(_value, model.trainable_variables)),
            tuple(map(_value, model.non_trainable_variables)),
            tuple(map(_value, model.optimizer.variables)),
            names_of(model),
        )

    def check(self, model: keras.Model, recipe: str) -> None:
        """Refuses a model whose own variables are not those of the state.

        Raises:
            BackendError: They differ in number, name or shape.
        """
        own = [_told(name, v.shape) for name, v in zip(names_of(model), _own_variables(model), strict=True)]
        values = (*self.trainable, *self.non_trainable)
        theirs = [_told(name, value.shape) for name, value in zip(self.names, values, strict=True)]
        if own != theirs or len(model.trainable_variables) != len(self.trainable):
            different = next((pair for pair in zip(own, theirs, strict=False) if pair[0] != pair[1]), None)
            told = f"{different[0]} here and {different[1]} there" if different else f"{len(own)} and {len(theirs)}"
            raise BackendError(
                f"recipe {recipe!r}: the model must have the same variables in this process and in the one that trains "
                f"on JAX. Got {told}. Build it the same on every backend."
            )

    def put(self, model: keras.Model) -> None:
        """Gives a model this state; the optimiser's part only if all its shapes agree."""
        for variable, value in zip(_own_variables(model), (*self.trainable, *self.non_trainable), strict=True):
            _assign(variable, value)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        slots = model.optimizer.variables
        if [tuple(v.shape) for v in slots] == [value.shape for value in self.optimizer]:
            for variable, value in zip(slots, self.optimizer, strict=True):
                _assign(variable, value)


def names_of(model: keras.Model) -> tuple[str, ...]:
    """The names of a model's own variables, without what Keras numbers as it is made or calls by its backend."""
    return tuple(re.sub(r"\w*variable|_?\d+", "", variable.name) for variable in _own_variables(model))


def _own_variables(model: keras.Model) -> list[Any]:
    return [*model.trainable_variables, *model.non_trainable_variables]


def _told(name: str, shape: Any) -> str:
    return f"{name}{[*shape]}"


def _value(variable: Any) -> np.ndarray:
    return portable(keras.ops.convert_to_numpy(variable.value))


def portable(value: Any) -> np.ndarray:
    """A value that an `.npy` file can hold: bfloat16 and its like become float32, which holds all their values."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def _assign(variable: Any, value: np.ndarray) -> None:
    # seeds are uint32 on JAX and signed elsewhere; they are drawn below 2³¹
    variable.assign(value.astype(variable.dtype))


def first_batch(x: Any, y: Any, sample_weight: Any, batch_size: int | None) -> Any:
    """The batch of arrays at which models are built; None if Keras does not take them."""
    try:
        adapter = ArrayDataAdapter(x, y, sample_weight=sample_weight, batch_size=batch_size or 32, shuffle=False)
        return next(iter(adapter.get_numpy_iterator()))
    except Exception:  # whoever trains on them will say why
        return None


def finish_building(model: Any, batch: Any) -> bool:
    """Builds what `fit` would still build before its first epoch.

    Returns:
        Whether there was something for which `fit` looks at a batch, and so draws an order of rows.
    """
    parts = [*model._flatten_layers(), model._compile_metrics, model._compile_loss]
    looked = not all(part is None or part.built for part in parts)
    try:
        model._symbolic_build(data_batch=batch)
    except Exception:
        # Keras' NumPy backend computes with what happens to be in memory, and a loss may index with it
        if not all(layer.built for layer in model._flatten_layers()):
            raise
    if not model.optimizer.built:  # which Keras' NumPy backend leaves out
        model.optimizer.build(model.trainable_variables)
    return looked


def sent(recipe: Recipe, folder: Path, number: int, sender: Sender, in_place: bool, first_fit: bool) -> dict[str, Any]:
    """What the child needs to know of a recipe; its model is written into the folder.

    Args:
        recipe: The recipe.
        folder: Where to.
        number: Its number among the recipes.
        sender: Writes arrays.
        in_place: Whether a given model is trained from the state it has.
        first_fit: Whether the given model's next `fit` would draw for building it.

    Raises:
        BackendError: It cannot travel.
    """
    if recipe.given is None:
        return {"name": recipe.name, "builder": _builder(recipe, sender)}
    model: Any = recipe.given
    _refuse_what_a_file_loses(model, recipe.name)
    file = f"{number}.keras"
    try:
        with warnings.catch_warnings():  # a model that is not built has no weights to lose
            warnings.filterwarnings("ignore", "You are saving a model that has not yet been built")
            model.save(folder / f"own_{file}")
    except Exception as error:
        raise cannot_travel(
            f"recipe {recipe.name!r}, which model.save cannot write: {_short(error)}",
            OR_A_BUILDER,
        ) from error
    return {
        "name": recipe.name,
        "model": file,
        "objects": _objects(_made_portable(folder / f"own_{file}", folder / file), recipe.name),
        "first_fit": first_fit,
        "state": _packed(State.of(model), sender) if in_place and model.built and model.optimizer else None,
    }


def received(told: dict[str, Any], folder: Path, batch: Any) -> Recipe:
    """The recipe that was sent.

    Raises:
        BackendError: Its module cannot be imported, or its model not loaded.
    """
    name = told["name"]
    if "builder" in told:
        return as_recipes({name: _imported_builder(told["builder"], folder, name)})[0][0]
    try:
        own = {registered: _attribute(module, attribute) for module, attribute, registered in told["objects"]}
        with warnings.catch_warnings():  # its state, the optimiser's included, is put below where it matters
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model: Any = keras.saving.load_model(folder / told["model"], custom_objects=own, safe_mode=True)
    except Exception as error:
        raise cannot_travel(
            f"recipe {name!r}, whose model cannot be loaded there in safe mode: {_short(error)}",
            OR_A_BUILDER,
        ) from error
    if told["state"] is not None:
        state = _state(told["state"], folder)
        state.check(model, name)
        state.put(model)
    if not told["first_fit"] and batch is not None and getattr(model, "compiled", False):
        finish_building(model, batch)  # a file does not say that losses and metrics were built
    return as_recipes({name: model})[0][0]


def _refuse_what_a_file_loses(model: Any, name: str) -> None:
    optimizer = getattr(model, "optimizer", None)
    excluded = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    if any(getattr(optimizer, attribute, None) for attribute in excluded):
        raise cannot_travel(
            f"recipe {name!r}, whose optimizer.exclude_from_weight_decay no .keras file holds",
            OR_A_BUILDER,
        )


def _made_portable(own: Path, file: Path) -> Any:
    """Copies a `.keras` file without what binds it to this process' backend, and returns its configuration."""
    with zipfile.ZipFile(own) as before, zipfile.ZipFile(file, "w") as after:
        config = _without_backend(json.loads(before.read("config.json")))
        if config.get("compile_config"):
            config["compile_config"]["jit_compile"] = "auto"  # said of, or found for, the other backend's compiler
        for entry in before.infolist():
            whole = json.dumps(config) if entry.filename == "config.json" else before.read(entry)
            after.writestr(entry, whole)
    own.unlink()
    return config


def _without_backend(config: Any) -> Any:
    """A configuration in which optimisers are Keras' own, and not the subclasses that PyTorch's backend makes of them.

    Keras saves `keras.src.backend.torch.optimizers.torch_adam.Adam` by that name, which no other backend can run.
    """
    if isinstance(config, list):
        return [_without_backend(item) for item in config]
    if not isinstance(config, dict):
        return config
    changed = {key: _without_backend(item) for key, item in config.items()}
    if re.match(r"keras\.src\.backend\.\w+\.optimizers\b", str(config.get("module"))):
        changed |= {"module": "keras.optimizers", "registered_name": None}
    return changed


def _objects(config: Any, name: str) -> list[tuple[str, str, str]]:
    """The classes and functions in a saved model that are not Keras' own: module, name there, registered name."""
    found = dict.fromkeys(_own_objects(config))
    for module, attribute, _ in found:
        where = "in __main__" if module == "__main__" else "inside a function" if "<" in attribute else ""
        if where:
            raise cannot_travel(
                f"recipe {name!r}, whose {attribute!r} is defined {where}, which no other process can import",
                "Or define it in a module.",
            )
        if attribute == "lambda":
            raise cannot_travel(f"recipe {name!r}, which holds a Python lambda, and safe mode loads none", OR_A_BUILDER)
    return list(found)


def _own_objects(config: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(config, dict):
        kind, registered = config.get("class_name"), config.get("registered_name")
        if kind == "__lambda__":
            yield "builtins", "lambda", ""
        if kind == "function":
            own = keras.saving.get_registered_object(config["config"])
            if own is not None:
                yield own.__module__, own.__qualname__, config["config"]
        elif isinstance(registered, str) and "module" in config:
            own = keras.saving.get_registered_object(registered)
            module = config["module"] or "__main__"  # for which Keras writes None
            if module.split(".")[0] != "keras":
                yield module, getattr(own, "__qualname__", str(kind)), registered
    for item in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from _own_objects(item)


def _builder(recipe: Recipe, sender: Sender) -> dict[str, Any]:
    build: Any = recipe.build
    call: Any = build.func if isinstance(build, partial) else build
    where = _where(call, recipe.name)
    if not isinstance(build, partial):
        return {"call": where}
    arguments = f"an argument of recipe {recipe.name!r}"
    return {
        "call": where,
        "arguments": sender.packed(list(build.args), arguments),
        "keywords": sender.packed(build.keywords, arguments),
    }


def _where(call: Any, recipe: str) -> str:
    """The `module:qualname` by which another process finds a function."""
    module, qualname = getattr(call, "__module__", None), getattr(call, "__qualname__", "")
    instead = "Or define it in a module, and pass functools.partial(build, rate=0.5) for its arguments."
    told = f"recipe {recipe!r}, whose builder {qualname or type(call).__name__!r} "
    if not module or not qualname or "<" in qualname:
        kind = "a lambda" if "<lambda>" in qualname else "defined inside a function" if qualname else "no function"
        raise cannot_travel(f"{told}is {kind}, which no other process can import", instead)
    if module == "__main__":
        raise cannot_travel(f"{told}is defined in __main__, which no other process can import", instead)
    try:
        found = _attribute(module, qualname)
    except (ImportError, AttributeError):
        found = None
    if found != call:
        raise cannot_travel(f"{told}is not what {module}:{qualname} is", instead)
    return f"{module}:{qualname}"


def _imported_builder(told: dict[str, Any], folder: Path, recipe: str) -> Any:
    module, qualname = told["call"].split(":")
    try:
        build = _attribute(module, qualname)
    except Exception as error:
        raise cannot_travel(
            f"recipe {recipe!r}, whose builder {told['call']} cannot be imported there: {_short(error)}"
        ) from error
    if "keywords" not in told:
        return build
    return partial(build, *unpacked(told["arguments"], folder), **unpacked(told["keywords"], folder))


def _short(error: Exception) -> str:
    told = str(error).rsplit("Exception encountered:", 1)[-1]  # Keras tells of a layer by way of all around it
    text = " ".join(told.split())
    return f"{type(error).__name__}: {text if len(text) <= 300 else text[:300] + ' …'}"


def _attribute(module: str, qualname: str) -> Any:
    return reduce(getattr, qualname.split("."), import_module(module))


def _packed(state: State, sender: Sender) -> Any:
    parts = [state.trainable, state.non_trainable, state.optimizer]
    return [sender.packed(parts, "the model's state"), list(state.names)]


def _state(packed: Any, folder: Path) -> State:
    trainable, non_trainable, optimizer = unpacked(packed[0], folder)
    return State(trainable, non_trainable, optimizer, tuple(packed[1]))


def parts(values: Sequence[np.ndarray], sizes: Sequence[int], names: Sequence[str]) -> State:
    """The state whose values stand one after another: trainable, non-trainable, optimiser."""
    trainable, own, whole = np.cumsum(sizes)
    return State(tuple(values[:trainable]), tuple(values[trainable:own]), tuple(values[own:whole]), tuple(names))
