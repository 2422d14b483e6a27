"""Convolutions in forms that XLA:CPU is fast at inside a loop.

XLA lays the operands of a convolution out for its fast kernel only outside of loops; inside, as in a cohort's program,
one that is not already in the form NHWC × HWIO -> NHWC becomes a naive nest of loops (openxla/xla, its pass for that
looks at the entry computation alone; jax-ml/jax#12868). A network's own convolutions have that form, their gradients
never. So operands are transposed explicitly, which is what XLA does elsewhere.

That kernel is slow at long sums, and a gradient with respect to weights sums over all cells of all rows: along two axes
it is taken apart into strips, some rows of cells each, and their results are added up.

The kernel for three axes is slow altogether, so these are taken apart into planes: sums of convolutions along two.

Four kinds are better off without the kernel:

- of one channel (images without colour, depthwise convolutions and their gradients with respect to inputs): each cell
  of the kernel times the whole shifted input, all of it one vectorised loop;
- the gradient with respect to the weights of a convolution of one channel along one axis: one product of all shifted
  inputs, as rows, with the outputs' gradients;
- the same of a depthwise convolution: for each cell of the kernel the sum of a product;
- the same of a kernel of one cell, along two axes or three: one product.

Grouped convolutions are taken apart into their groups.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import JaxprEqn

from kohort.cohort.cpu.halves import HALVES
from kohort.cohort.cpu.once import computed_once, witness_of
from kohort.cohort.rewrite import Replacement

MOST_CELLS = 64  # of a kernel that is written out cell by cell; 7 × 7 is the largest that depthwise layers use
MOST_CELLS_OF_ONE_CHANNEL = 25  # beyond, XLA's kernel is as fast
MOST_TERMS = 2048  # that the kernel adds up at full speed; of 10,000 it takes up to three times as long for each
MOST_STRIPS = 16  # that the gradient of a kernel is taken apart into; each is a convolution to compile, in 30 ms
MOST_PLANES = 8  # of a kernel along three axes, which is taken apart into them
MOST_GROUPS = 64  # that are taken apart, each a convolution to compile


def convolution(equation: JaxprEqn) -> Replacement | None:
    """`conv_general_dilated` in the form that is fastest; None where that is the one it has."""
    own = Convolution.of(equation)
    lhs: Any = equation.invars[0].aval
    result: Any = equation.outvars[0].aval
    if lhs.dtype not in (np.float32, np.float64, *HALVES) or not 1 <= own.axes <= 3:
        return None
    computed = np.float32 if lhs.dtype in HALVES else lhs.dtype
    way = own.way()
    if way is None:
        return None
    compute = own.transposed(way)

    def convolved(lhs: Any, rhs: Any) -> Any:
        return compute(lhs.astype(computed), rhs.astype(computed)).astype(result.dtype)

    return convolved


@dataclass(frozen=True)
class Convolution:
    """A convolution, spoken of in one form: (batch, cells …, features) × (cells …, features, outputs).

    Attributes:
        lhs: The shape of what is convolved.
        rhs: The shape of the kernel.
        out: The shape of the result, (batch, cells …, outputs).
        from_lhs: How the equation's first input is transposed to that form.
        from_rhs: The same of the second.
        from_out: The same of its result.
        strides: Of the kernel, along each axis.
        padding: Cells before and behind, along each axis; negative ones cut.
        apart: Distances of cells of the input, 1 where they lie side by side.
        dilation: Distances of cells of the kernel.
        groups: Groups of features.
        batch_groups: Groups of the batch, each with outputs of its own.
        precision: As JAX has it.
    """

    lhs: tuple[int, ...]
    rhs: tuple[int, ...]
    out: tuple[int, ...]
    from_lhs: tuple[int, ...]
    from_rhs: tuple[int, ...]
    from_out: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    apart: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    batch_groups: int
    precision: Any

    @classmethod
    def of(cls, equation: JaxprEqn) -> "Convolution":
        """The convolution of an equation."""
        given: dict[str, Any] = dict(equation.params)
        numbers = given["dimension_numbers"]
        from_lhs = (numbers.lhs_spec[0], *numbers.lhs_spec[2:], numbers.lhs_spec[1])
        from_rhs = (*numbers.rhs_spec[2:], numbers.rhs_spec[1], numbers.rhs_spec[0])
        from_out = (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1])
        avals: list[Any] = [equation.invars[0].aval, equation.invars[1].aval, equation.outvars[0].aval]
        lhs, rhs, out = (
            tuple(int(aval.shape[axis]) for axis in order)
            for aval, order in zip(avals, (from_lhs, from_rhs, from_out), strict=True)
        )
        return cls(
            lhs=lhs,
            rhs=rhs,
            out=out,
            from_lhs=from_lhs,
            from_rhs=from_rhs,
            from_out=from_out,
            strides=tuple(given["window_strides"]),
            padding=tuple((before, behind) for before, behind in given["padding"]),
            apart=tuple(given["lhs_dilation"]),
            dilation=tuple(given["rhs_dilation"]),
            groups=given["feature_group_count"],
            batch_groups=given["batch_group_count"],
            precision=given["precision"],
        )

    @property
    def axes(self) -> int:
        """How many axes it goes along."""
        return len(self.strides)

    @property
    def kernel(self) -> tuple[int, ...]:
        """Cells of the kernel along each axis."""
        return self.rhs[: self.axes]

    @property
    def is_laid_out(self) -> bool:
        """Whether the equation has the form already."""
        as_it_is = tuple(range(self.axes + 2))
        return self.from_lhs == self.from_rhs == self.from_out == as_it_is

    def way(self) -> Callable[[Any, Any], Any] | None:
        """What computes it fastest, of operands in the form; None if that is the equation as it is."""
        cells, features = int(np.prod(self.kernel)), self.rhs[-2]
        if self.batch_groups > 1:
            if self.lhs[0] == self.batch_groups and self._is_gradient:
                return self.sums_of_products
            return self.group_by_group if self.batch_groups <= MOST_GROUPS else None
        if features == 1 and cells <= (MOST_CELLS_OF_ONE_CHANNEL if self.groups == 1 else MOST_CELLS):
            return self.cell_by_cell
        if self.groups > 1:
            return self.group_by_group if self.groups <= MOST_GROUPS else None
        if self._is_gradient and self.axes > 1 and set(self.out[1:-1]) == {1}:
            return self.product_of_cells
        if self._is_gradient and self.axes == 2:
            return self.strip_by_strip
        if self._is_gradient and self.axes == 1 and self.lhs[0] == 1 and self.out[1] <= MOST_CELLS:
            return self.one_product
        if self.axes == 3 and min(self.kernel[0], self.out[1]) <= MOST_PLANES:
            return self.plane_by_plane
        return None if self.is_laid_out else self.laid_out

    def computed(self, lhs: Any, rhs: Any) -> Any:
        """Computes it, of operands in the form."""
        return (self.way() or self.laid_out)(lhs, rhs)

    def transposed(self, way: Callable[[Any, Any], Any]) -> Replacement:
        """A way to compute it, of the equation's own operands."""
        to_out = tuple(int(place) for place in np.argsort(self.from_out))

        def convolved(lhs: Any, rhs: Any) -> Any:
            return lax.transpose(way(lax.transpose(lhs, self.from_lhs), lax.transpose(rhs, self.from_rhs)), to_out)

        return convolved

    @property
    def _is_gradient(self) -> bool:
        """Whether it looks like one with respect to weights: rows and features exchanged, more cells go in than out."""
        exchanged = self.from_lhs[0] > self.from_lhs[-1]
        shrinks = int(np.prod(self.kernel)) > int(np.prod(self.out[1:-1]))
        return exchanged and shrinks and all(gap == 1 for gap in self.apart)

    def laid_out(self, lhs: Any, rhs: Any) -> Any:
        """By XLA's own kernel."""
        padding, apart = self.padding, self.apart
        if np.prod(self.kernel) > np.prod(lhs.shape[1:-1]):
            # XLA exchanges the operands where the kernel has more cells, and the form is lost
            lhs, padding, apart = self._padded(lhs), "VALID", None
        spatial = "WHD"[: self.axes][::-1]
        form = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
        return lax.conv_general_dilated(
            lhs, rhs, self.strides, padding, apart, self.dilation, dimension_numbers=form, precision=self.precision
        )

    def strip_by_strip(self, lhs: Any, rhs: Any) -> Any:
        """The gradient of a kernel by XLA's own kernel, of some rows of cells after others, so that no sum is long."""
        height, terms, whole = self.kernel[0], int(np.prod(self.rhs[:-1])), self._padded(lhs)
        rows = max(MOST_TERMS * height // terms, -(-height // MOST_STRIPS), 1)
        reach, total = (self.out[1] - 1) * self.strides[0], None
        for first in range(0, height, rows):
            own = rhs[first : first + rows]
            start, length = first * self.dilation[0], (len(own) - 1) * self.dilation[0] + reach + 1
            under = lax.slice_in_dim(whole, start, start + length, axis=1)
            strip = replace(self, lhs=under.shape, rhs=own.shape, padding=((0, 0),) * self.axes)
            part = strip.laid_out(under, own)
            total = part if total is None else total + part
        return total

    def plane_by_plane(self, lhs: Any, rhs: Any) -> Any:
        """Three axes as two: for each plane of the kernel planes are rows of a batch; of a gradient, features."""
        depths, wide = self.kernel[0], self.out[1]
        step, gap = self.strides[0], self.dilation[0]
        lhs = replace(self, padding=(self.padding[0], (0, 0), (0, 0)), apart=(self.apart[0], 1, 1))._padded(lhs)
        if depths <= wide:
            total: Any = None
            for depth in range(depths):
                under = lax.slice_in_dim(lhs, depth * gap, depth * gap + (wide - 1) * step + 1, step, 1)
                part = self._of_planes(under.reshape(-1, *lhs.shape[2:]), rhs[depth])
                total = part if total is None else total + part
            return total.reshape(self.out)
        kernel = jnp.moveaxis(rhs, 0, 2).reshape(*rhs.shape[1:3], -1, rhs.shape[-1])
        found = []
        for place in range(wide):
            under = lax.slice_in_dim(lhs, place * step, place * step + (depths - 1) * gap + 1, gap, 1)
            found.append(self._of_planes(jnp.moveaxis(under, 1, 3).reshape(len(lhs), *lhs.shape[2:4], -1), kernel))
        return jnp.stack(found, 1)

    def _of_planes(self, lhs: Any, rhs: Any) -> Any:
        """A convolution along the last two axes."""
        own = replace(
            self,
            lhs=lhs.shape,
            rhs=rhs.shape,
            out=(lhs.shape[0], *self.out[2:]),
            strides=self.strides[1:],
            padding=self.padding[1:],
            apart=self.apart[1:],
            dilation=self.dilation[1:],
        )
        return own.computed(lhs, rhs)

    def group_by_group(self, lhs: Any, rhs: Any) -> Any:
        """Each group of features, or of the batch, as a convolution of its own; there are never both."""
        count, axis = (self.groups, -1) if self.groups > 1 else (self.batch_groups, 0)
        found = []
        for part, kernel in zip(jnp.split(lhs, count, axis), jnp.split(rhs, count, -1), strict=True):
            out = (*self.out[:-1], kernel.shape[-1])
            own = replace(self, lhs=part.shape, rhs=kernel.shape, out=out, groups=1, batch_groups=1)
            found.append(own.computed(part, kernel))
        return jnp.concatenate(found, -1)

    def cell_by_cell(self, lhs: Any, rhs: Any) -> Any:
        """Of one channel a group: every cell of the kernel times the input that it falls on."""
        each = self.rhs[-1] // self.lhs[-1]  # outputs of a channel
        padded = self._padded(lhs)
        total: Any = None
        for cell in np.ndindex(*self.kernel):
            start = [place * step for place, step in zip(cell, self.dilation, strict=True)]
            under = self._under(padded, start, self.out[1:-1], self.strides)
            if each > 1 and self.lhs[-1] > 1:
                under = jnp.repeat(under, each, -1)
            product = under * rhs[cell][0]
            total = product if total is None else total + product
        return total

    def one_product(self, lhs: Any, rhs: Any) -> Any:
        """The gradient of a kernel of one channel along one axis."""
        rows, slopes = self._of_layer(lhs, rhs)
        shifted = [self._under(rows, start, self.kernel, self.dilation) for start in self._starts()]
        product = jnp.stack(shifted).reshape(len(shifted), -1) @ slopes.reshape(-1, self.rhs[-1])
        return product.reshape(self.out)

    def product_of_cells(self, lhs: Any, rhs: Any) -> Any:
        """The gradient of a kernel of one cell."""
        rows, slopes = self._of_layer(lhs, rhs)
        under = self._under(rows, self._starts()[0], self.kernel, self.dilation)
        return (under.reshape(-1, self.lhs[0]).T @ slopes.reshape(-1, self.rhs[-1])).reshape(self.out)

    def sums_of_products(self, lhs: Any, rhs: Any) -> Any:
        """The gradient of a depthwise kernel: for each of its cells a sum over rows and cells."""
        rows, slopes = self._of_layer(lhs, rhs)
        each = self.rhs[-1] // self.lhs[0]

        def partly(rows: Any, slopes: Any) -> Any:
            found = []
            for start in self._starts():
                under = self._under(rows, start, self.kernel, self.dilation)
                product = (jnp.repeat(under, each, -1) if each > 1 else under) * slopes
                found.append(product.sum(0).reshape(-1, self.rhs[-1]))
            return jnp.stack(found)

        return computed_once(partly, witness_of(rhs), rows, slopes).sum(1).reshape(self.out)

    def _of_layer(self, lhs: Any, rhs: Any) -> tuple[Any, Any]:
        """The layer's input, padded, and its outputs' gradients, both (rows, cells …, features)."""
        return self._padded(jnp.moveaxis(lhs, (0, -1), (-1, 0))), jnp.moveaxis(rhs, -2, 0)

    def _padded(self, lhs: Any) -> Any:
        spread = [(*pair, gap - 1) for pair, gap in zip(self.padding, self.apart, strict=True)]
        if not np.any(spread):
            return lhs
        padded = lax.pad(lhs, np.zeros((), lhs.dtype), [(0, 0, 0), *spread, (0, 0, 0)])
        return lax.optimization_barrier(padded)  # else each of its many readers asks where the padding is

    def _starts(self) -> list[list[int]]:
        """Where in the input the kernel begins, for each cell of the result."""
        return [
            [place * step for place, step in zip(cell, self.strides, strict=True)]
            for cell in np.ndindex(*self.out[1:-1])
        ]

    def _under(self, padded: Any, start: Sequence[int], cells: Sequence[int], steps: Sequence[int]) -> Any:
        """The input from a place on: so many cells, so far apart; first axis and last are taken whole."""
        end = [first + (count - 1) * step + 1 for first, count, step in zip(start, cells, steps, strict=True)]
        return lax.slice(padded, [0, *start, 0], [padded.shape[0], *end, padded.shape[-1]], [1, *steps, 1])
