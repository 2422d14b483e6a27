"""Keras' own callback objects in a cohort: a set of its own for every member, called on the host as `fit` calls them.

A callback sees its member's model. That model is a *view*: an object of the same class that shares layers and
optimiser with the recipe's model and has its own `stop_training`, `history` and the like. Keras' `Callback.model` asks
the model to bring its state from the devices (`jax_state_sync`) before it hands it over; here that is what fetches a
member's weights, so that nothing is fetched where no callback looks. What a callback then assigns (a learning rate,
restored weights) is read back by comparing the variables' values with those that were given.
"""

import copy
import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
from keras.src import tree
from keras.src.utils.python_utils import is_default

from kohort.cohort.callback_state import put_callback_state, state_of_callback
from kohort.cohort.capture import State, variables
from kohort.errors import DataError, NotSupportedError
from kohort.seeds import (
    PythonState,
    global_randomness,
    packed_python_state,
    set_global_randomness,
    unpacked_python_state,
)

BATCH_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)

FILES = {  # Keras' callbacks that write, and the attribute that says where: to a file, or to a folder
    keras.callbacks.ModelCheckpoint: ("filepath", "file"),
    keras.callbacks.CSVLogger: ("filename", "file"),
    keras.callbacks.TensorBoard: ("log_dir", "folder"),
    keras.callbacks.BackupAndRestore: ("backup_dir", "folder"),
}


class _Recorded(keras.callbacks.History):
    """Keras' History, but for looking at the model at each epoch's end, which would fetch its weights."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class MemberCallbacks:
    """The callbacks of one member.

    Args:
        callbacks: Its own objects.
        model: Its recipe's model, or, with `in_place`, the member itself.
        recipe: The recipe's name, for messages.
        seed: The seed, for messages.
        params: `epochs`, `steps` and `verbose`, as `fit` passes them on.
        generator: The member's NumPy generator, from which its batch orders are drawn.
        python_state: The member's state of Python's `random`; None: the process' own goes on.
        in_place: Whether a given model is trained in place.
    """

    def __init__(
        self,
        callbacks: Sequence[Any],
        model: keras.Model,
        *,
        recipe: str,
        seed: int | None,
        params: Mapping[str, Any],
        generator: np.random.RandomState,
        python_state: PythonState | None,
        in_place: bool,
    ):
        self.own = list(callbacks)
        self.recipe, self.seed = recipe, seed
        self.model = model if in_place else _view(model)
        self._variables = variables(model)
        self._generator, self._python_state = generator, python_state
        foreign = any(not type(callback).__module__.startswith("keras.") for callback in self.own)
        foreign |= any(isinstance(callback, keras.callbacks.LambdaCallback) for callback in self.own)
        self._may_draw = foreign
        self._may_hold_the_model = foreign and in_place
        recorded = next((c for c in self.own if isinstance(c, keras.callbacks.History)), None)
        self.history = recorded or _Recorded()
        self._listed = self.own if recorded else [*self.own, self.history]
        self._born = [dict(vars(callback)) for callback in self._listed]
        self.model.stop_training = False
        self.model.history = self.history
        self.list = keras.callbacks.CallbackList(self._listed, model=self.model, **params)

    @property
    def stopped(self) -> bool:
        """Whether a callback asked to stop the training."""
        return bool(self.model.stop_training)

    def call(self, hook: str, *arguments: Any, fetch: Callable[[], State]) -> dict[int, Any]:
        """Calls a hook of all callbacks, as `fit` would at this point.

        Args:
            hook: `"on_epoch_end"`, …
            *arguments: Its arguments.
            fetch: Gives the member's present state, if somebody looks.

        Returns:
            What the callbacks changed in the state: position -> value.
        """
        if not self.hears(hook):
            return {}
        given: list[Any] = []
        model = self.model
        original = type(model).jax_state_sync

        def bring_state() -> None:
            if given:
                original(model)
                return
            given.extend(jax.device_put([np.asarray(value) for value in fetch()]))
            for variable, value in zip(self._variables, given, strict=True):
                variable._value = value

        model.__dict__["jax_state_sync"] = bring_state
        try:
            if self._may_hold_the_model:
                bring_state()
            with self._own_randomness():
                getattr(self.list, hook)(*arguments)
        except Exception as error:
            error.add_note(f"raised in {hook} by a callback of recipe {self.recipe!r}, seed {self.seed}")
            raise
        finally:
            del model.__dict__["jax_state_sync"]
        if not given:
            return {}
        if self._may_draw and [id(v) for v in variables(model)] != [id(v) for v in self._variables]:
            raise NotSupportedError(
                f"a callback of recipe {self.recipe!r}, seed {self.seed} must not change which weights there are or "
                f"train, which the compiled step is made for. Got such a change in {hook}. Freeze or unfreeze layers "
                "between two calls of fit."
            )
        pairs = enumerate(zip(self._variables, given, strict=True))
        return {i: np.asarray(variable.value) for i, (variable, value) in pairs if variable._value is not value}

    def kept(self, arrays: list[np.ndarray]) -> dict[str, Any]:
        """What its callbacks hold in mind between two epochs, and what it has noted itself, as JSON values.

        Args:
            arrays: Takes the arrays that the JSON speaks of by number.

        Raises:
            CannotBeKeptError: A callback holds something that is neither numbers nor code.
        """
        return {
            "callbacks": [
                state_of_callback(callback, born, arrays)
                for callback, born in zip(self._listed, self._born, strict=True)
            ],
            "stopped": self.stopped,
            "python": unpacked_python_state(self._python_state) if self._may_draw and self._python_state else None,
        }

    def restore(self, told: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
        """Brings back what `kept` gave.

        Args:
            told: The JSON values.
            arrays: The arrays of which they speak.
        """
        for callback, own in zip(self._listed, told["callbacks"], strict=True):
            put_callback_state(callback, own, arrays)
        self.model.stop_training = told["stopped"]
        if told["python"] is not None:
            self._python_state = packed_python_state(told["python"])

    def hears(self, hook: str) -> bool:
        """Whether any callback has this hook."""
        hooks = {hook, hook.replace("_train_batch_", "_batch_")}  # the newer hook's default calls the older one
        if hook in ("on_test_begin", "on_test_end"):  # Keras' list wants both or none
            hooks = {"on_test_begin", "on_test_end"}
        return any(not is_default(getattr(callback, name)) for callback in self._listed for name in hooks)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Lets a user's callback draw from the member's generators, as it would in `fit`."""
        if not self._may_draw:
            yield
            return
        outside = global_randomness()
        np.random.set_state(self._generator.get_state())
        if self._python_state is not None:
            random.setstate(unpacked_python_state(self._python_state))
        try:
            yield
        finally:
            self._generator.set_state(np.random.get_state())
            own = random.getstate()
            set_global_randomness(outside)
            if self._python_state is None:
                random.setstate(own)
            else:
                self._python_state = packed_python_state(own)


def _view(model: keras.Model) -> Any:
    """An object of the model's class with the model's attributes, and its own from then on."""
    view = object.__new__(type(model))
    view.__dict__.update(model.__dict__)
    return view


@dataclass(frozen=True)
class Needs:
    """What callbacks ask of the pace of training.

    Attributes:
        batches: The callbacks, by class name, that act at each batch.
        before_validation: Whether one acts between training and validation.
        stop_at_nan: Whether the only batch-level act is to stop at a loss that is not finite.
    """

    batches: tuple[str, ...] = ()
    before_validation: bool = False
    stop_at_nan: bool = False


def needs_of(callbacks: Sequence[Any]) -> Needs:
    """What these callbacks ask for, seen from which hooks they have."""
    batchwise = tuple(dict.fromkeys(type(c).__name__ for c in callbacks if _acts_at_batches(c)))
    before = any(not is_default(c.on_test_begin) and not _is_epochwise_tensorboard(c) for c in callbacks)
    return Needs(batchwise, before, any(type(c) is keras.callbacks.TerminateOnNaN for c in callbacks))


def _acts_at_batches(callback: Any) -> bool:
    kind = type(callback)
    if kind is keras.callbacks.TerminateOnNaN or _is_epochwise_tensorboard(callback):
        return False
    hooks = [hook for hook in BATCH_HOOKS if not is_default(getattr(callback, hook))]
    if isinstance(callback, keras.callbacks.ModelCheckpoint | keras.callbacks.BackupAndRestore):
        base = keras.callbacks.ModelCheckpoint
        base = base if isinstance(callback, base) else keras.callbacks.BackupAndRestore
        inherited = all(getattr(kind, hook) is getattr(base, hook) for hook in hooks)
        if inherited and not isinstance(callback.save_freq, int):
            return False  # their hook then only asks whether it is time to save, and it never is
    return bool(hooks)


def _is_epochwise_tensorboard(callback: Any) -> bool:
    if type(callback) is not keras.callbacks.TensorBoard:
        return False
    profiles = bool(getattr(callback, "_should_trace", False)) or getattr(callback, "profile_batch", 0)
    return callback.update_freq == "epoch" and not callback.write_steps_per_second and not profiles


def copies(callbacks: Any, recipe: str, seed: int | None, kept: Sequence[Any]) -> list[Any]:
    """A member's own callbacks.

    Args:
        callbacks: What `fit` got: a callback or several, each copied; or a function of (recipe, seed) that makes them.
        recipe: The recipe's name.
        seed: The seed.
        kept: Objects that are not copied although callbacks hold them: the models, the data.

    Raises:
        NotSupportedError: A callback cannot be copied.
    """
    if callbacks is None:
        return []
    if _makes(callbacks):
        return _checked(callbacks(recipe, seed))
    own = []
    for callback in _checked(callbacks):
        memo: dict[int, Any] = {id(thing): thing for thing in kept}
        if callback._model is not None:
            memo[id(callback._model)] = callback._model
        try:
            own.append(copy.deepcopy(callback, memo))
        except Exception as error:
            raise NotSupportedError(
                f"each member needs callbacks of its own, and {type(callback).__name__} cannot be copied: {error}. "
                "Pass callbacks=lambda recipe, seed: [...], which makes them."
            ) from error
        _tell_apart(own[-1], recipe, seed)
    return own


def given(callbacks: Any, recipe: str) -> list[Any]:
    """The callbacks of a model that is trained in place: the objects themselves, or what a function of them makes."""
    return _checked(callbacks(recipe, None) if _makes(callbacks) else callbacks)


def _makes(callbacks: Any) -> bool:
    """Whether this is a function that makes callbacks, and one that can be called."""
    if isinstance(callbacks, type):
        raise DataError(f"callbacks must be objects. Got the class {callbacks.__name__}. Pass {callbacks.__name__}(…).")
    if isinstance(callbacks, Mapping):
        raise DataError(
            "callbacks must be a list, or a function of (recipe, seed). "
            f"Got a mapping of {', '.join(map(str, callbacks))}. "
            "For callbacks of their own pass callbacks=lambda recipe, seed: {...}[recipe]."
        )
    if not callable(callbacks) or isinstance(callbacks, keras.callbacks.Callback):
        return False
    try:
        inspect.signature(callbacks).bind("recipe", 0)
    except TypeError as error:
        raise DataError(f"a function that makes callbacks must take (recipe, seed). Got one with {error}.") from error
    return True


def check_apart(members: Sequence[tuple[str, int | None, Sequence[Any]]]) -> None:
    """Refuses callbacks that two members would share, or that would write to the same place.

    Args:
        members: Recipe, seed and callbacks of each.

    Raises:
        DataError: Two members have the same object, or two of Keras' callbacks the same file or folder.
    """
    owners: dict[Any, str] = {}
    for recipe, seed, callbacks in members:
        member = f"recipe {recipe!r}, seed {seed}"
        for callback in callbacks:
            places = [
                (kind.__name__, str(getattr(callback, attribute)))
                for kind, (attribute, _) in FILES.items()
                if isinstance(callback, kind)
            ]
            for key in [id(callback), *places]:
                other = owners.setdefault(key, member)
                if other != member:
                    what = (
                        f"one {type(callback).__name__}" if key == id(callback) else f"one place, {key[1]}, to write to"
                    )
                    raise DataError(
                        f"each run must have callbacks of its own. Got {what} for {other} and for {member}. "
                        "Make a new one at each call of the function, and name recipe and seed in its path."
                    )


def _checked(callbacks: Any) -> list[Any]:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    found = [] if callbacks is None else list(tree.flatten(callbacks))
    for callback in found:
        if not isinstance(callback, keras.callbacks.Callback):
            raise DataError(
                f"callbacks must be keras.callbacks.Callback objects, or a function of (recipe, seed) that makes them. "
                f"Got {type(callback).__name__}."
            )
    return found


def _tell_apart(callback: Any, recipe: str, seed: int | None) -> None:
    """Gives each member a file or folder of its own, where Keras' callbacks write."""
    for kind, (attribute, what) in FILES.items():
        if not isinstance(callback, kind):
            continue
        path = str(getattr(callback, attribute))
        safe = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in recipe)
        parts = {"{recipe}": safe} if seed is None else {"{recipe}": safe, "{seed}": str(seed)}
        name = "-".join(
            value for place, value in parts.items() if place not in path
        )  # what the path does not say itself
        for place, value in parts.items():
            path = path.replace(place, value)
        if name:
            own = Path(path)
            path = str(own / name if what == "folder" else own.with_name(f"{name}-{own.name}"))
        setattr(callback, attribute, path)
        if kind is keras.callbacks.BackupAndRestore:
            again = kind(path, callback.save_freq, callback.double_checkpoint, callback.delete_checkpoint)
            callback.__dict__.update({key: value for key, value in again.__dict__.items() if key.endswith("_path")})
