"""Programs that are equal up to numbers become one program with those numbers as inputs.

Two recipes `Dropout(0.3)` and `Dropout(0.5)` trace to the same equations; only a literal differs. `unify` walks such
jaxprs side by side: same primitives, parameters and wiring; where literals (or constants) differ, that number becomes
an input with one value per recipe. Nothing here knows of any layer, optimiser or loss, and no rate is ever traced
through Keras, whose Python tests (`if self.rate > 0`) could not bear it.

What makes it work:

- Nested calls (`jit`, `custom_jvp`, …) are inlined first, so that literals inside are seen. Gradients have been taken
  when a training step is traced, so a custom rule has done its work by then.
- Numbers are compared by bytes: every BatchNormalization holds a NaN literal, and NaN is not equal to itself.
- Bodies of control flow (`scan`, `while`, `cond`) must be equal to the last literal; else the recipes are separate
  programs, with that as the reason. Lifting inside them is possible and not done yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, DropVar, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun

CALLS = frozenset({"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"})
"""Primitives that only call the jaxpr in their parameters."""

CALLED = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class Different(Exception):  # noqa: N818 - a finding, not an error
    """Two jaxprs differ in more than numbers; the message says in what."""


@dataclass(frozen=True)
class Unified:
    """One jaxpr for several recipes.

    Attributes:
        jaxpr: Its inputs are `lifted`, one value of each, and then the inputs of the jaxprs it was made from.
        lifted: For each number that differs: its values, of shape (recipes, …).
    """

    jaxpr: ClosedJaxpr
    lifted: tuple[np.ndarray, ...]

    def __call__(self, lifted: Sequence[Any], *inputs: Any) -> list[Any]:
        """Evaluates the jaxpr with one recipe's numbers."""
        return jaxpr_as_fun(self.jaxpr)(*lifted, *inputs)


def unify(jaxprs: Sequence[ClosedJaxpr]) -> Unified:
    """Makes one jaxpr of several that are equal up to numbers.

    Args:
        jaxprs: One per recipe; at least one.

    Raises:
        Different: They differ in more than numbers.
    """
    return _Walk([flat(jaxpr) for jaxpr in jaxprs]).unified()


@dataclass(frozen=True)
class Flat:
    """A jaxpr without nested calls.

    Attributes:
        inputs: Its input variables.
        outputs: Its output variables or literals.
        equations: In order.
        constants: Arrays that it closes over; scalar ones have become literals.
        like: The jaxpr it was made from.
    """

    inputs: list[Var]
    outputs: list[Any]
    equations: list[JaxprEqn]
    constants: dict[Var, Any]
    like: Jaxpr

    def closed(self, extra_inputs: Iterable[Var] = ()) -> ClosedJaxpr:
        """The jaxpr itself, with `extra_inputs` in front of its inputs."""
        jaxpr = Jaxpr(
            list(self.constants),
            [*extra_inputs, *self.inputs],
            self.outputs,
            self.equations,
            self.like.effects,
            debug_info=self.like.debug_info._replace(arg_names=None, result_paths=None),
        )
        return ClosedJaxpr(jaxpr, list(self.constants.values()))


def flat(closed: ClosedJaxpr) -> Flat:
    """Inlines the calls of a jaxpr and turns its scalar constants into literals."""
    equations: list[JaxprEqn] = []
    constants: dict[Var, Any] = {}

    def inline(jaxpr: Jaxpr, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        known: dict[Var, Any] = dict(zip(jaxpr.invars, arguments, strict=True))
        for variable, value in zip(jaxpr.constvars, consts, strict=True):
            known[variable] = _constant(variable, value, constants)

        def read(atom: Any) -> Any:
            return atom if isinstance(atom, Literal) else known[atom]

        for equation in jaxpr.eqns:
            inputs = [read(atom) for atom in equation.invars]
            if equation.primitive.name in CALLS:
                called = next(equation.params[name] for name in CALLED if name in equation.params)
                body, body_consts = _opened(called)
                known.update(zip(equation.outvars, inline(body, body_consts, inputs), strict=True))
                continue
            outputs = [v if isinstance(v, DropVar) else Var(v.aval) for v in equation.outvars]
            known.update(zip(equation.outvars, outputs, strict=True))
            equations.append(equation.replace(invars=inputs, outvars=outputs))
        return [read(atom) for atom in jaxpr.outvars]

    jaxpr, consts = _opened(closed)
    inputs = [Var(v.aval) for v in jaxpr.invars]
    outputs = inline(jaxpr, consts, inputs)
    return Flat(inputs, outputs, equations, constants, jaxpr)


def _opened(jaxpr: Any) -> tuple[Jaxpr, Sequence[Any]]:
    return (jaxpr.jaxpr, jaxpr.consts) if isinstance(jaxpr, ClosedJaxpr) else (jaxpr, ())


def _constant(variable: Var, value: Any, constants: dict[Var, Any]) -> Any:
    scalar = np.ndim(value) == 0 and not _is_key(variable)
    if scalar:
        return Literal(np.asarray(value), variable.aval)
    fresh = next((known for known, held in constants.items() if held is value), None)
    if fresh is None:
        fresh = Var(variable.aval)
        constants[fresh] = value
    return fresh


def _is_key(atom: Any) -> bool:
    """Whether a variable holds a typed random key, which has no number to lift."""
    return jnp.issubdtype(atom.aval.dtype, jax.dtypes.extended)


class _Walk:
    """The walk over several flat jaxprs; what it builds speaks in the variables of the first."""

    def __init__(self, flats: Sequence[Flat]):
        self.flats = flats
        self.first = flats[0]
        self.canonical: list[dict[Var, Var]] = [{} for _ in flats]
        self.lifted: dict[tuple[Any, ...], tuple[Var, np.ndarray]] = {}

    def unified(self) -> Unified:
        counts = {len(f.inputs) for f in self.flats}
        if len(counts) > 1:
            raise Different(f"their training states hold different numbers of arrays: {sorted(counts)}")
        for flat_jaxpr, names in zip(self.flats, self.canonical, strict=True):
            for variable, own in zip(flat_jaxpr.inputs, self.first.inputs, strict=True):
                _same_type(variable, own, "an array of the training state")
                names[variable] = own
        results = sorted({len(f.outputs) for f in self.flats})
        if len(results) > 1:
            raise Different(f"they give different numbers of results: {results}")
        equations = [self._equation(i, row) for i, row in enumerate(self._rows())]
        outputs = [
            self._atom(row, f"output {i}") for i, row in enumerate(zip(*(f.outputs for f in self.flats), strict=True))
        ]
        merged = Flat(self.first.inputs, outputs, equations, self.first.constants, self.first.like)
        variables = [variable for variable, _ in self.lifted.values()]
        return Unified(merged.closed(variables), tuple(values for _, values in self.lifted.values()))

    def _rows(self) -> Iterable[tuple[JaxprEqn, ...]]:
        for row in zip(*(f.equations for f in self.flats), strict=False):
            if any(equation.primitive is not row[0].primitive for equation in row):
                names = list(dict.fromkeys(equation.primitive.name for equation in row))
                raise Different(f"where one computes {names[0]}, another computes {' or '.join(names[1:])}")
            yield row
        lengths = [len(f.equations) for f in self.flats]
        if len(set(lengths)) > 1:
            raise Different(f"one computes more than another: {max(lengths)} equations against {min(lengths)}")

    def _equation(self, index: int, row: tuple[JaxprEqn, ...]) -> JaxprEqn:
        own = row[0]
        name = own.primitive.name
        for other in row[1:]:
            for key, value in own.params.items():
                if not same(value, other.params.get(key)):
                    raise Different(_parameter_difference(name, key, value, other.params.get(key)))
        inputs = [
            self._atom(atoms, f"input {i} of {name} (equation {index})")
            for i, atoms in enumerate(zip(*(equation.invars for equation in row), strict=True))
        ]
        for equation, names in zip(row, self.canonical, strict=True):
            for variable, mine in zip(equation.outvars, own.outvars, strict=True):
                _same_type(variable, mine, f"the result of {name}")
                names[variable] = mine
        return own.replace(invars=inputs)

    def _atom(self, atoms: Sequence[Any], where: str) -> Any:
        """The atom of the merged jaxpr for the same place in each jaxpr."""
        own = atoms[0]
        if all(isinstance(atom, Literal) for atom in atoms):
            values = [np.asarray(atom.val, dtype=own.aval.dtype) for atom in atoms]
        elif all(isinstance(a, Var) and a in f.constants for a, f in zip(atoms, self.flats, strict=True)):
            values = [f.constants[a] for a, f in zip(atoms, self.flats, strict=True)]
            if _is_key(own):
                raise Different(f"{where} is a random key of their own")
            values = [np.asarray(value) for value in values]
        else:
            names = (None if isinstance(a, Literal) else n.get(a) for a, n in zip(atoms, self.canonical, strict=True))
            if any(isinstance(own, Literal) or name is not own for name in names):
                raise Different(f"{where} is wired differently")
            return own
        for atom in atoms[1:]:
            _same_type(atom, own, where)
        contents = tuple(value.tobytes() for value in values)
        if len(set(contents)) == 1:
            return own
        key = (contents, str(own.aval))
        if key not in self.lifted:
            self.lifted[key] = (Var(own.aval), np.stack(values))
        return self.lifted[key][0]


def _same_type(atom: Any, own: Any, where: str) -> None:
    mine, other = own.aval, atom.aval
    if (mine.shape, mine.dtype) != (other.shape, other.dtype):
        raise Different(
            f"{where} is {mine.dtype}{list(mine.shape)} in one and {other.dtype}{list(other.shape)} in another"
        )


def _parameter_difference(primitive: str, key: str, own: Any, other: Any) -> str:
    if _holds_jaxpr(own) or _holds_jaxpr(other):
        return f"their {primitive} (control flow) holds other numbers or another computation"
    return f"{primitive} has {key}={_short(own)} in one and {key}={_short(other)} in another"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _holds_jaxpr(value: Any) -> bool:
    return isinstance(value, Jaxpr | ClosedJaxpr) or (isinstance(value, tuple | list) and any(map(_holds_jaxpr, value)))


def same(own: Any, other: Any) -> bool:
    """Whether two parameters of a primitive are equal by structure; jaxprs to the last literal, numbers by bytes."""
    if own is other:
        return True
    if isinstance(own, Jaxpr | ClosedJaxpr):
        return isinstance(other, Jaxpr | ClosedJaxpr) and _same_jaxpr(own, other)
    if type(own) is not type(other):
        return False
    if isinstance(own, tuple | list):
        return len(own) == len(other) and all(map(same, own, other))
    if isinstance(own, dict):
        return own.keys() == other.keys() and all(same(own[key], other[key]) for key in own)
    if isinstance(own, np.ndarray | np.generic | jax.Array | float):
        mine, others = np.asarray(own), np.asarray(other)
        return (mine.shape, mine.dtype, mine.tobytes()) == (others.shape, others.dtype, others.tobytes())
    return bool(own == other)


def _same_jaxpr(own: Jaxpr | ClosedJaxpr, other: Jaxpr | ClosedJaxpr) -> bool:
    as_closed = [j if isinstance(j, ClosedJaxpr) else ClosedJaxpr(j, ()) for j in (own, other)]
    try:
        return not unify(as_closed).lifted
    except Different:
        return False
