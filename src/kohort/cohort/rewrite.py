"""Equations of a jaxpr are replaced by what other functions trace to.

JAX could be told to lower a primitive otherwise, but for the whole process: the user's own `fit`, which is what a
cohort is compared with, would change too. So the equations of a cohort's own jaxpr are replaced.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var

from kohort.cohort.unify import Flat, flat

Replacement = Callable[..., Any]
"""Of an equation's inputs: computes its outputs."""

Rule = Callable[[JaxprEqn], Replacement | None]
"""Gives what replaces an equation, or None to leave it."""


def replace_equations(closed: ClosedJaxpr, rules: Mapping[str, Rule]) -> ClosedJaxpr:
    """Replaces equations by what other functions trace to.

    Args:
        closed: A jaxpr; equations inside control flow are left alone.
        rules: Primitive name -> rule.
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
