"""What a step costs, read from its jaxpr: operations of its products, and memory.

Both are estimates made before anything is compiled. Operations are those of matrix products and convolutions, which is
what a step's length is measured against. Memory is the most that is alive at once if every equation writes its result;
XLA fuses many away, so a step takes less.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var


def operations(closed: ClosedJaxpr) -> int:
    """Floating-point operations of the products of a jaxpr, a multiplication and an addition being two.

    Loops inside count once for each of their steps where that number is known, branches as the longest of them.
    """
    return _operations(closed.jaxpr)


def _operations(jaxpr: Jaxpr) -> int:
    return sum(map(_of_equation, jaxpr.eqns))


def _of_equation(equation: JaxprEqn) -> int:
    name, given = equation.primitive.name, equation.params
    result: Any = equation.outvars[0].aval if equation.outvars else None
    if name == "dot_general":
        (contracted, _), _ = given["dimension_numbers"]
        return 2 * result.size * _lengths(equation.invars[0], contracted)
    if name == "conv_general_dilated":
        kernel = given["dimension_numbers"].rhs_spec
        return 2 * result.size * _lengths(equation.invars[1], kernel[1:])
    if name == "cond":
        return max((_operations(_opened(branch)) for branch in given["branches"]), default=0)
    times = int(given.get("length", 1)) if name == "scan" else 1
    return times * sum(_operations(inner) for inner in _inner(given.values()))


def _lengths(atom: Any, axes: Iterable[int]) -> int:
    return int(np.prod([atom.aval.shape[axis] for axis in axes], initial=1))


def most_alive(closed: ClosedJaxpr) -> int:
    """Bytes of the results of a jaxpr's equations that are needed at once, at the most; inputs do not count."""
    jaxpr = closed.jaxpr
    last: dict[Var, int] = {}
    for place, equation in enumerate(jaxpr.eqns):
        last.update((atom, place) for atom in equation.invars if isinstance(atom, Var))
    last.update((atom, len(jaxpr.eqns)) for atom in jaxpr.outvars if isinstance(atom, Var))
    alive = most = 0
    held: dict[Var, int] = {}
    for place, equation in enumerate(jaxpr.eqns):
        for result in equation.outvars:
            if result in last:
                held[result] = _bytes(result)
                alive += held[result]
        within = max((most_alive(_as_closed(inner)) for inner in _inner(equation.params.values())), default=0)
        most = max(most, alive + within)
        for atom in equation.invars:
            if not isinstance(atom, Literal) and last.get(atom) == place:
                alive -= held.pop(atom, 0)
    return most


def bytes_of(arrays: Iterable[Any]) -> int:
    """Bytes of arrays."""
    return sum(int(np.asarray(array).nbytes) for array in arrays)


def _bytes(atom: Any) -> int:
    itemsize = getattr(atom.aval.dtype, "itemsize", 8)
    return int(np.prod(atom.aval.shape, initial=1)) * itemsize


def _inner(values: Iterable[Any]) -> list[Jaxpr]:
    found: list[Jaxpr] = []
    for value in values:
        if isinstance(value, Jaxpr | ClosedJaxpr):
            found.append(_opened(value))
        elif isinstance(value, tuple | list):
            found += _inner(value)
    return found


def _opened(jaxpr: Any) -> Jaxpr:
    return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr


def _as_closed(jaxpr: Jaxpr) -> ClosedJaxpr:
    return ClosedJaxpr(jaxpr, [None] * len(jaxpr.constvars))
