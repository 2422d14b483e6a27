"""The first values of variables, drawn by Keras' own initialisers, with less compiling than Keras spends on them.

Keras calls an initialiser operation by operation, and XLA compiles each with all its effort for the one time it runs:
some 1.5 s for the first network of a process. Here the draw of a shape is one function of its seed, compiled with
little effort, and its bits are the same (`tests/test_initial.py`); a constant needs no compiling at all.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import keras
import numpy as np
from keras.src.backend import Variable

Noting = Callable[[Any, Any], None]


def drawn(initialiser: Any, shape: Any, dtype: Any) -> Any:
    """What an initialiser gives for a shape: from the quick function where there is one, else from a call of it."""
    quick = _quickly(initialiser, tuple(shape), dtype)
    return initialiser(shape, dtype=dtype) if quick is None else quick


@contextmanager
def quick_initialisers(note: Noting) -> Iterator[None]:
    """Lets Keras variables that come into being take their first values from `drawn`.

    Args:
        note: Told each variable and its initialiser.
    """
    original = Variable._initialize_with_initializer

    def initialised(self: Any, initializer: Any) -> None:
        note(self, initializer)
        laid_out = self._layout is not None or keras.distribution.distribution() is not None
        quick = None if laid_out else _quickly(initializer, tuple(self._shape), self._dtype)
        if quick is None:
            original(self, initializer)
        else:
            self._initialize(self._convert_to_tensor(quick))

    Variable._initialize_with_initializer = initialised
    try:
        yield
    finally:
        Variable._initialize_with_initializer = original


_compiled: dict[Any, Callable[[Any], Any]] = {}  # a function per kind of initialiser, shape and dtype; changes no value

CONSTANTS = {keras.initializers.Zeros: 0, keras.initializers.Ones: 1}
SCALED = (  # one draw of JAX, or one times a number: nothing that fusing operations could round differently
    keras.initializers.HeNormal,
    keras.initializers.HeUniform,
    keras.initializers.GlorotNormal,
    keras.initializers.GlorotUniform,
    keras.initializers.LecunNormal,
    keras.initializers.LecunUniform,
    keras.initializers.RandomUniform,
)
LITTLE_EFFORT = {"xla_backend_optimization_level": 1}  # level 0 gives other bits, level 3 takes four times as long


def _quickly(initialiser: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    kind = type(initialiser)
    if jax.default_backend() != "cpu" or dtype != "float32" or jax.config.read("jax_disable_most_optimizations"):
        return None  # compiled without optimisations, Keras' own draws have other bits
    if kind in CONSTANTS:
        return np.full(shape, CONSTANTS[kind], np.float32)
    seed = getattr(initialiser, "seed", None)
    if kind not in SCALED or type(seed) is not int or not 0 <= seed < 2**32:
        return None
    options = {name: value for name, value in vars(initialiser).items() if name not in ("seed", "_init_seed")}
    key = (kind, shape, repr(sorted(options.items())))  # attention layers say which axes are inputs
    if key not in _compiled:
        same = copy.copy(initialiser)

        def draw(seed: Any) -> Any:
            own = copy.copy(same)
            own.seed = seed  # Keras takes an array for the state of a seed generator
            return own(shape, dtype=dtype)

        _compiled[key] = jax.jit(draw, compiler_options=LITTLE_EFFORT)
    return _compiled[key](np.array([seed, 0], np.uint32))
