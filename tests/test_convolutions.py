"""Convolutions and pooling in forms that XLA:CPU is fast at: NumPy's numbers in float64, and the forms are reached."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax import lax
from jax.extend.core import jaxpr_as_fun
from keras import layers

import kohort
from kohort.cohort.cpu.rules import CPU_RULES, rewritten
from kohort.cohort.kept_programs import forget
from tests.compilations import CompiledTexts

pytestmark = pytest.mark.optimised


@dataclass(frozen=True)
class Case:
    """A convolution of (batch, cells …, channels) as a network has it."""

    cells: tuple[int, ...]
    channels: int = 3
    outputs: int = 4
    kernel: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    padding: Any = "SAME"
    groups: int = 1
    batch: int = 4

    @property
    def axes(self) -> int:
        return len(self.cells)

    @property
    def full(self) -> "Case":
        """With everything written out."""
        ones = (1,) * self.axes
        kernel, strides, dilation = self.kernel or (3,) * self.axes, self.strides or ones, self.dilation or ones
        padding = self.padding
        if isinstance(padding, str):
            wide = [(size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True)]
            padding = tuple(lax.padtype_to_pads(self.cells, wide, strides, padding))
        return Case(
            self.cells, self.channels, self.outputs, kernel, strides, dilation, padding, self.groups, self.batch
        )

    def operands(self) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.RandomState(0)
        x = random.randn(self.batch, *self.cells, self.channels)
        return x, random.randn(*self.full.kernel, self.channels // self.groups, self.outputs)

    def by_jax(self, x: Any, kernel: Any) -> Any:
        own = self.full
        spatial = "WHD"[: self.axes][::-1]
        return lax.conv_general_dilated(
            x,
            kernel,
            own.strides,
            own.padding,
            rhs_dilation=own.dilation,
            dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
            feature_group_count=self.groups,
        )


CASES = {
    "1-D": Case((12,)),
    "2-D": Case((8, 9)),
    "3-D": Case((5, 4, 6), channels=2),
    "strided": Case((9, 8), strides=(2, 3)),
    "strided, 3-D": Case((5, 6, 7), strides=(2, 1, 2)),
    "dilated": Case((9, 10), dilation=(2, 3)),
    "strided and dilated": Case((11, 12), strides=(2, 2), dilation=(2, 1)),
    "valid": Case((8, 8), padding="VALID"),
    "padded on one side": Case((10,), kernel=(4,), padding=((3, 0),)),
    "even kernel": Case((8, 7), kernel=(2, 4)),
    "kernel of one cell": Case((6, 6), kernel=(1, 1)),
    "kernel as large as the input": Case((5, 5), kernel=(5, 5), padding="VALID"),
    "one channel": Case((8, 8), channels=1),
    "one channel, 1-D": Case((20,), channels=1, kernel=(5,), strides=(2,)),
    "one channel, 3-D, dilated": Case((5, 5, 5), channels=1, dilation=(1, 2, 1)),
    "one channel, large kernel": Case((12, 12), channels=1, kernel=(7, 7)),
    "one row": Case((8, 8), batch=1),
    "in strips": Case((8, 9), batch=64),
    "in strips, strided and dilated": Case((11, 12), strides=(2, 2), dilation=(2, 1), batch=128),
    "in strips, one channel": Case((20, 20), channels=1, padding="VALID", batch=16),
    "planes in strips": Case((4, 8, 9), channels=2, batch=16, strides=(2, 1, 1)),
    "in strips, grouped": Case((8, 8), channels=4, outputs=6, groups=2, batch=64),
    "grouped": Case((8, 8), channels=4, outputs=6, groups=2),
    "grouped, strided, 3-D": Case((5, 4, 6), channels=4, groups=2, strides=(2, 1, 2)),
    "grouped, strided, 1-D": Case((11,), channels=6, outputs=6, groups=3, strides=(2,)),
    "depthwise": Case((8, 9), channels=5, outputs=5, groups=5),
    "depthwise, several outputs a channel": Case((8, 8), channels=3, outputs=6, groups=3),
    "depthwise, strided and dilated": Case((11, 9), channels=3, outputs=3, groups=3, strides=(2, 1), dilation=(1, 2)),
    "depthwise, 1-D": Case((12,), channels=4, outputs=8, groups=4, kernel=(5,)),
    "depthwise, 3-D": Case((4, 5, 4), channels=2, outputs=2, groups=2),
    "depthwise of one row": Case((8, 8), channels=3, outputs=3, groups=3, batch=1),
}


def convolved(case: Case, x: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], tuple]]:
    """What NumPy makes of it in float64, kernel cell by kernel cell, and its gradients given those of the outputs."""
    own = case.full
    padded = np.pad(x, [(0, 0), *own.padding, (0, 0)])
    wide = [(size - 1) * gap + 1 for size, gap in zip(own.kernel, own.dilation, strict=True)]
    places = [
        (whole - size) // step + 1 for whole, size, step in zip(padded.shape[1:-1], wide, own.strides, strict=True)
    ]
    own_inputs, own_outputs = case.channels // case.groups, case.outputs // case.groups

    def under(cell: Sequence[int]) -> tuple[slice, ...]:
        starts = [place * gap for place, gap in zip(cell, own.dilation, strict=True)]
        return (
            slice(None),
            *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, places, own.strides, strict=True)),
        )

    out = np.zeros((case.batch, *places, case.outputs))
    for cell in np.ndindex(*own.kernel):
        for group in range(case.groups):
            ins = slice(group * own_inputs, (group + 1) * own_inputs)
            outs = slice(group * own_outputs, (group + 1) * own_outputs)
            out[..., outs] += padded[under(cell)][..., ins] @ kernel[cell][:, outs]

    def gradients(slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        of_inputs, of_kernel = np.zeros_like(padded), np.zeros_like(kernel)
        for cell in np.ndindex(*own.kernel):
            for group in range(case.groups):
                ins = slice(group * own_inputs, (group + 1) * own_inputs)
                outs = slice(group * own_outputs, (group + 1) * own_outputs)
                seen = padded[under(cell)][..., ins].reshape(-1, own_inputs)
                of_kernel[cell][:, outs] = seen.T @ slopes[..., outs].reshape(-1, own_outputs)
                of_inputs[(*under(cell), ins)] += slopes[..., outs] @ kernel[cell][:, outs].T
        inside = (slice(None), *(slice(lo, lo + n) for (lo, _), n in zip(own.padding, case.cells, strict=True)))
        return of_inputs[inside], of_kernel

    return out, gradients


def outputs_and_gradients(function: Callable[..., Any], *operands: Any) -> Any:
    """The function that gives outputs and both gradients, for some gradients of the outputs."""

    def whole(slopes: Any, *given: Any) -> Any:
        outputs, back = jax.vjp(function, *given)
        return (outputs, *back(slopes))

    shape = jax.eval_shape(function, *operands)
    slopes = np.random.RandomState(1).randn(*shape.shape)
    return whole, slopes


def by_rules(function: Callable[..., Any], *given: Any) -> list[np.ndarray]:
    """What a cohort computes of a function."""
    closed = jax.make_jaxpr(function)(*given)
    return [np.asarray(value, np.float64) for value in jax.jit(jaxpr_as_fun(rewritten(closed, "cpu")))(*given)]


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("float32", 1e-5), ("bfloat16", 2e-2), ("float16", 4e-3), ("float64", 1e-12)],
)
@pytest.mark.parametrize("name", CASES)
def test_outputs_and_both_gradients_are_numpys(name: str, dtype: str, tolerance: float) -> None:
    case = CASES[name]
    with jax.enable_x64(dtype == "float64"):
        x, kernel = (jnp.asarray(array, dtype) for array in case.operands())
        whole, slopes = outputs_and_gradients(case.by_jax, x, kernel)
        slopes = jnp.asarray(slopes, dtype)
        found = by_rules(whole, slopes, x, kernel)
        out, gradients = convolved(case, *(np.asarray(array, np.float64) for array in (x, kernel)))
        for mine, theirs in zip(found, (out, *gradients(np.asarray(slopes, np.float64))), strict=True):
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine, theirs, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize(
    ("case", "convolutions", "products"),
    [
        pytest.param(Case((8, 9)), 3, 0, id="2-D"),
        pytest.param(Case((8, 9), batch=64), 2 + 3, 0, id="2-D, in three strips"),
        pytest.param(Case((8, 8), channels=1, batch=64), 1 + 2, 0, id="one channel, in two strips"),
        pytest.param(Case((5, 4, 6), channels=2), 3 * 3, 0, id="3-D, each plane by plane"),
        pytest.param(Case((5, 4, 6), channels=4, groups=2), 2 * 3 * 3, 0, id="3-D, in two groups"),
        pytest.param(Case((6, 6), kernel=(1, 1)), 2, 1, id="kernel of one cell"),
        pytest.param(Case((12,)), 3, 0, id="1-D, where XLA's kernel is as fast"),
        pytest.param(Case((4, 4), padding="VALID"), 3, 0, id="fewer cells come out than the kernel has"),
        pytest.param(Case((2, 2)), 3, 0, id="fewer cells than the kernel has"),
    ],
)
def test_gradients_of_kernels_are_strips_or_products_and_what_only_looks_like_one_is_not(
    case: Case, convolutions: int, products: int
) -> None:
    whole, slopes = outputs_and_gradients(case.by_jax, *case.operands())
    closed = rewritten(jax.make_jaxpr(whole)(slopes, *case.operands()), "cpu")
    found = Counter(equation.primitive.name for equation in closed.jaxpr.eqns)
    assert (found["conv_general_dilated"], found["dot_general"]) == (convolutions, products)


@pytest.mark.parametrize("name", CASES)
def test_vectorised_over_members(name: str) -> None:
    case = CASES[name]
    x, kernel = (np.stack([array, -2 * array]).astype(np.float32) for array in case.operands())
    whole, slopes = outputs_and_gradients(case.by_jax, x[0], kernel[0])
    both = np.stack([slopes, slopes[::-1]]).astype(np.float32)
    found = by_rules(jax.vmap(whole), both, x, kernel)
    for member in range(2):
        out, gradients = convolved(case, x[member].astype(float), kernel[member].astype(float))
        for mine, theirs in zip(found, (out, *gradients(both[member].astype(float))), strict=True):
            np.testing.assert_allclose(mine[member], theirs, atol=1e-5 * np.abs(theirs).max())


@dataclass(frozen=True)
class Pool:
    """Max pooling of (batch, cells …, channels)."""

    cells: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str = "VALID"

    def by_jax(self, x: Any) -> Any:
        window, strides = (1, *self.window, 1), (1, *self.strides, 1)
        return lax.reduce_window(x, -np.inf, lax.max, window, strides, self.padding)


POOLS = {
    "side by side": Pool((8, 8), (2, 2), (2, 2)),
    "a rest is left": Pool((7, 9), (2, 4), (2, 4)),
    "overlapping": Pool((8, 9), (3, 3), (2, 2)),
    "overlapping a lot": Pool((7, 6), (4, 3), (1, 1)),
    "apart": Pool((9, 9), (2, 2), (3, 4)),
    "padded": Pool((7, 9), (2, 2), (2, 2), "SAME"),
    "padded and overlapping": Pool((7, 8), (3, 3), (2, 2), "SAME"),
    "1-D": Pool((10,), (3,), (3,)),
    "1-D, overlapping and padded": Pool((11,), (3,), (2,), "SAME"),
    "3-D": Pool((4, 5, 6), (2, 2, 2), (2, 2, 2)),
    "3-D, overlapping": Pool((5, 5, 5), (3, 2, 2), (2, 1, 2)),
}


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2e-2), ("float16", 2e-3), ("float64", 1e-12)]
)
@pytest.mark.parametrize("members", [0, 2])
@pytest.mark.parametrize("name", POOLS)
def test_the_gradient_of_max_pooling_goes_to_the_first_of_the_largest(
    name: str, members: int, dtype: str, tolerance: float
) -> None:
    pool = POOLS[name]
    random = np.random.RandomState(0)
    # few different numbers, so that windows have several largest cells
    x = random.randint(0, 3, (*(members,) * bool(members), 3, *pool.cells, 2))
    with jax.enable_x64(dtype == "float64"):
        x = jnp.asarray(x, dtype)
        whole, slopes = outputs_and_gradients(pool.by_jax, x[0] if members else x)
        slopes = np.broadcast_to(slopes, (members, *slopes.shape)) if members else slopes
        slopes = jnp.asarray(slopes, dtype)
        function = jax.vmap(whole) if members else whole
        closed = jax.make_jaxpr(function)(slopes, x)
        assert "select_and_scatter_add" not in {e.primitive.name for e in rewritten(closed, "cpu").jaxpr.eqns}
        out, gradient = by_rules(function, slopes, x)
    x, slopes = np.asarray(x, np.float64), np.asarray(slopes, np.float64)
    pads = lax.padtype_to_pads(pool.cells, pool.window, pool.strides, pool.padding)
    for member in range(members or 1):
        mine = (x, slopes, out, gradient) if not members else (x[member], slopes[member], out[member], gradient[member])
        values, given, found, slope = mine
        expected = np.zeros(values.shape)
        for place in np.ndindex(*found.shape):
            row, *window, channel = place
            cells = [
                tuple(w * s - lo + c for w, s, (lo, _), c in zip(window, pool.strides, pads, cell, strict=True))
                for cell in np.ndindex(*pool.window)
            ]
            inside = [cell for cell in cells if all(0 <= c < n for c, n in zip(cell, pool.cells, strict=True))]
            largest = max(inside, key=lambda cell: values[(row, *cell, channel)])
            assert found[place] == values[(row, *largest, channel)]
            expected[(row, *largest, channel)] += given[place]
        np.testing.assert_allclose(slope, expected, atol=tolerance)


NETWORKS: dict[str, tuple[tuple[int, ...], list[Callable[[], Any]]]] = {
    "images": (
        (12, 12, 1),
        [lambda: layers.Conv2D(4, 3, padding="same"), layers.MaxPooling2D, lambda: layers.Conv2D(8, 3, strides=2)],
    ),
    "colours": (
        (12, 12, 3),
        [lambda: layers.Conv2D(4, 3, dilation_rate=2), lambda: layers.Conv2DTranspose(4, 3, strides=2)],
    ),
    "sequences": ((16, 3), [lambda: layers.Conv1D(4, 5, padding="causal"), lambda: layers.MaxPooling1D(3, strides=2)]),
    "volumes": ((6, 6, 6, 2), [lambda: layers.Conv3D(4, 3), lambda: layers.MaxPooling3D(2)]),
    "separable": (
        (12, 12, 4),
        [
            lambda: layers.SeparableConv2D(8, 3),
            lambda: layers.DepthwiseConv2D(3),
            lambda: layers.Conv2D(8, 3, groups=2),
        ],
    ),
}
POLICIES = {"float32": "f32[2,", "mixed_bfloat16": "bf16[2,", "float64": "f64[2,"}
"""Policy -> how a program that trains in it writes the arrays of a batch of two rows."""
CANONICAL = {"b0f_0io->b0f", "b01f_01io->b01f", "b012f_012io->b012f"}


def slow_parts(name: str, policy: str) -> set[str]:
    """What XLA:CPU is slow at in the program that trains a network's cohort."""
    shape, stack = NETWORKS[name]

    def build() -> keras.Model:
        made = [layer() for layer in stack]
        model = keras.Sequential([keras.Input(shape), *made, layers.Flatten(), layers.Dense(2)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    forget()
    try:
        with jax.enable_x64(policy == "float64"), CompiledTexts() as compiled:
            kohort.fit(build, np.ones((8, *shape), np.float32), np.zeros(8), seeds=2, batch_size=2, verbose=0)
    finally:
        keras.config.set_dtype_policy(usual)
    text = compiled["jit_train_cohort"]
    assert POLICIES[policy] in text
    others = set(re.findall(r"dim_labels=(\S+?),? ", text + " ")) - CANONICAL
    return others | {word for word in ("feature_group_count", "select_and_scatter") if word in text}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", NETWORKS)
def test_no_naive_convolution_is_left_in_the_program_that_trains(name: str, policy: str) -> None:
    assert slow_parts(name, policy) == set()


def test_there_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    for rule in ("conv_general_dilated", "select_and_scatter_add"):
        monkeypatch.delitem(CPU_RULES, rule)
    found = slow_parts("images", "float32") | slow_parts("separable", "float32")
    assert {"feature_group_count", "select_and_scatter"} < found


def test_other_platforms_are_left_alone() -> None:
    closed = jax.make_jaxpr(CASES["2-D"].by_jax)(*(array.astype(np.float32) for array in CASES["2-D"].operands()))
    assert rewritten(closed, "gpu") is closed
