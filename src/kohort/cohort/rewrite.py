"""Equations that XLA:CPU handles badly, rewritten in the jaxpr.

JAX could be told to lower a primitive otherwise, but for the whole process: the user's own `fit`, which is what a
cohort is compared with, would change too. So the equations of a cohort's own jaxpr are replaced.

Random bits. On CPU JAX lowers Threefry to a loop over rounds, each of which passes through memory: some 10 ns a number,
most of what dropout adds to a step. Written out, the twenty rounds become one vectorised kernel, 1.4 ns a number, and
the bits are the same.

Sums of whole arrays, as in L1 and L2 penalties. XLA adds them up one after another, or squares into memory and sums in
windows: some 7 µs for 8,192 numbers. Column sums first run in vector registers. The order of adding differs, hence the
last bits.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var

from kohort.cohort.convolutions import laid_out, pooled_gradient
from kohort.cohort.unify import Flat, flat

Replacement = Callable[..., Any]
Rule = Callable[[JaxprEqn], Replacement | None]


def rewritten(closed: ClosedJaxpr, platform: str) -> ClosedJaxpr:
    """The same function, with the equations replaced that a platform handles badly.

    Args:
        closed: A jaxpr.
        platform: `"cpu"`, `"gpu"`, …; only for `"cpu"` there is anything to replace.
    """
    return replace_equations(closed, CPU_RULES) if platform == "cpu" else closed


def replace_equations(closed: ClosedJaxpr, rules: dict[str, Rule]) -> ClosedJaxpr:
    """Replaces equations by what other functions trace to.

    Args:
        closed: A jaxpr; equations inside control flow are left alone.
        rules: Primitive name -> rule. A rule is given an equation and returns a function of its inputs that computes
            its outputs, or None to leave it.
    """
    whole = flat(closed)
    equations: list[JaxprEqn] = []
    constants = dict(whole.constants)
    renamed: dict[Var, Any] = {}

    def now(atom: Any) -> Any:
        return renamed.get(atom, atom) if isinstance(atom, Var) else atom

    for equation in whole.equations:
        own = equation.replace(invars=[now(atom) for atom in equation.invars])
        rule = rules.get(own.primitive.name)
        replacement = rule(own) if rule else None
        if replacement is None:
            equations.append(own)
            continue
        avals: list[Any] = [atom.aval for atom in own.invars]
        shapes = [jax.ShapeDtypeStruct(aval.shape, aval.dtype) for aval in avals]
        inner = flat(jax.make_jaxpr(replacement)(*shapes))
        given = dict(zip(inner.inputs, own.invars, strict=True))

        def outer(atom: Any, given: dict[Var, Any] = given) -> Any:
            return atom if isinstance(atom, Literal) else given.get(atom, atom)

        constants.update(inner.constants)
        equations += [e.replace(invars=[outer(atom) for atom in e.invars]) for e in inner.equations]
        renamed.update(zip(own.outvars, map(outer, inner.outputs), strict=True))
    outputs = [now(atom) for atom in whole.outputs]
    return Flat(whole.inputs, outputs, equations, constants, whole.like).closed()


ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry_bits(equation: JaxprEqn) -> Replacement | None:
    """`random_bits` of a Threefry key, 32 bits a number, as straight-line code (Salmon et al. 2011, Threefry-2x32-20).

    In JAX's partitionable mode number i is the hash of the 64-bit counter i, its two halves combined by exclusive or.
    """
    key: Any = equation.invars[0]
    shape = tuple(equation.params["shape"])
    size = int(np.prod(shape))
    plain = str(key.aval.dtype) == "key<fry>" and key.aval.shape == () and equation.params["bit_width"] == 32
    if not plain or not jax.config.jax_threefry_partitionable or not 0 < size < 2**32:  # pyright: ignore
        return None

    def bits(key: Any) -> Any:
        first, second = jax.random.key_data(key)
        keys = (first, second, first ^ second ^ PARITY)
        low = lax.iota(np.uint32, size)
        x, y = jnp.full(size, keys[0]), low + keys[1]
        for group in range(5):
            for rotation in ROTATIONS[group % 2]:
                x = x + y
                y = x ^ ((y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation)))
            x = x + keys[(group + 1) % 3]
            y = y + keys[(group + 2) % 3] + np.uint32(group + 1)
        return (x ^ y).reshape(shape)

    def once(key: Any) -> Any:
        # Behind a condition that XLA cannot see through the bits are computed once. Plain code it repeats wherever they
        # are used, in the backward pass once more; an optimization_barrier is removed before it decides.
        always = jax.random.key_data(key)[1] | np.uint32(1) != 0
        return lax.cond(always, bits, lambda key: jnp.zeros(shape, np.uint32), key)

    return once


LANES = 64  # partial sums kept side by side; four AVX-512 registers of float32


def whole_sum(equation: JaxprEqn) -> Replacement | None:
    """`reduce_sum` of a whole float32 array, as sums of columns and their sum."""
    array: Any = equation.invars[0].aval
    result: Any = equation.outvars[0].aval
    whole = result.shape == () and array.dtype == np.float32
    if not whole or array.size < 8 * LANES or array.size % LANES:
        return None
    options = {name: value for name, value in equation.params.items() if name != "axes"}

    def total(x: Any) -> Any:
        columns = equation.primitive.bind(x.reshape(-1, LANES), axes=(0,), **options)
        # else XLA makes one sum of the two again
        return equation.primitive.bind(lax.optimization_barrier(columns), axes=(0,), **options)

    return total


CPU_RULES: dict[str, Rule] = {
    "random_bits": threefry_bits,
    "reduce_sum": whole_sum,
    "conv_general_dilated": laid_out,
    "select_and_scatter_add": pooled_gradient,
}
