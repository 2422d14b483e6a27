"""Convolutions and their gradients as Kohort computes them on CPU, beside XLA's own kernel for the whole of each.

python -m benchmarks.convolutions

Each runs in a compiled loop on all cores at once, each core its own; of three times the least counts. Rates are of the
products that the convolution itself needs. What Kohort leaves to that kernel as a whole is left out.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from kohort.cohort.cpu.convolutions import Convolution, convolution

import jax  # isort: skip - kohort comes first, which tells JAX of the cores
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

from benchmarks.provenance import provenance
from benchmarks.speed.profile import on_all_cores

RESULTS = Path(__file__).parent / "results" / "convolutions.json"
CASES = {  # name: (rows, cells along each axis, channels, outputs, cells of the kernel along each axis, stride)
    "mnist-cnn, first": (64, (28, 28), 1, 16, 3, 1),
    "mnist-cnn, second": (64, (14, 14), 16, 32, 3, 1),
    "colours": (32, (32, 32), 3, 32, 3, 1),
    "few channels, many cells": (64, (32, 32), 16, 16, 3, 1),
    "many channels": (64, (16, 16), 64, 64, 3, 1),
    "many channels, few cells": (64, (8, 8), 64, 64, 3, 1),
    "5 × 5": (64, (14, 14), 16, 32, 5, 1),
    "1 × 1": (32, (16, 16), 64, 64, 1, 1),
    "strided": (64, (28, 28), 8, 16, 3, 2),
    "3-D": (32, (8, 8, 8), 8, 16, 3, 1),
    "3-D, strided": (32, (8, 8, 8), 8, 16, 3, 2),
}


def equations(rows: int, cells: tuple[int, ...], channels: int, outputs: int, kernel: int, stride: int) -> list[Any]:
    """The convolution, its gradient with respect to its input and that with respect to its kernel."""
    axes = len(cells)
    spatial = "WHD"[:axes][::-1]
    form = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")

    def layer(x: Any, weights: Any) -> Any:
        return lax.conv_general_dilated(x, weights, (stride,) * axes, "SAME", dimension_numbers=form)

    def all_three(x: Any, weights: Any, slopes: Any) -> Any:
        return jax.vjp(layer, x, weights)[1](slopes)

    given = [jnp.zeros((rows, *cells, channels)), jnp.zeros((*[kernel] * axes, channels, outputs))]
    closed = jax.make_jaxpr(all_three)(*given, jax.eval_shape(layer, *given))
    found = [own for own in closed.jaxpr.eqns if own.primitive.name == "conv_general_dilated"]
    of_kernel = next(own for own in found if own.outvars[0].aval.shape == given[1].shape)
    of_input = next(own for own in found if own.outvars[0].aval.shape == given[0].shape)
    return [next(own for own in found if own not in (of_kernel, of_input)), of_input, of_kernel]


def step(way: Callable[[Any, Any], Any], lhs: Any, rhs: Any, last: Any) -> Any:
    """One turn of the loop; each operand has a number of the result before, else all would be computed once, ahead."""
    first = 1e-9 * last.ravel()[0]
    lhs, rhs = (operand.at[(0,) * operand.ndim].set(first) for operand in (lhs, rhs))
    return lhs, rhs, way(lhs, rhs)


def measured(equation: JaxprEqn, way: Callable[[Any, Any], Any]) -> float:
    """Seconds of a convolution."""
    random = np.random.default_rng(0)
    *operands, result = (own.aval.shape for own in (*equation.invars, *equation.outvars))
    given = [random.standard_normal(shape, np.float32) for shape in operands]
    return on_all_cores(partial(step, way), *given, np.zeros(result, np.float32))


def main() -> None:
    result: dict[str, Any] = {}
    for name, case in CASES.items():
        rows, cells, channels, outputs, kernel, stride = case
        places = rows * np.prod([-(-count // stride) for count in cells])
        products = 2 * places * kernel ** len(cells) * channels * outputs
        result[name] = {"rows, cells, channels, outputs, kernel, stride": case}
        for part, equation in zip(("forward", "input", "kernel"), equations(*case), strict=True):
            own = Convolution.of(equation)
            ways = own.transposed(own.laid_out), convolution(equation)
            if ways[1] is None or own.way() == own.laid_out:
                continue
            theirs, ours = (measured(equation, way) for way in ways)
            result[name][part] = {
                "XLA's kernel, ms": round(1e3 * theirs, 3),
                "Kohort, ms": round(1e3 * ours, 3),
                "times": round(theirs / ours, 2),
                "GFLOP/s a core": round(products / ours / 1e9, 1),
            }
        print(name, json.dumps(result[name]), flush=True)
    RESULTS.write_text(json.dumps(provenance() | {"convolutions": result}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
