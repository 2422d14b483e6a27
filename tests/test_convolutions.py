"""Convolutions and pooling in the form that XLA:CPU is fast at: the same numbers, and the form is reached."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxpr_as_fun
from keras import layers

from kohort.cohort.rewrite import rewritten

LAYERS: dict[str, tuple[tuple[int, ...], Callable[[], Any]]] = {
    "Conv2D": ((4, 8, 9, 3), lambda: layers.Conv2D(5, 3, padding="same")),
    "Conv2D of even kernels and strides": ((4, 9, 8, 3), lambda: layers.Conv2D(5, (2, 4), strides=(2, 1))),
    "Conv2D dilated": ((4, 9, 9, 2), lambda: layers.Conv2D(3, 3, dilation_rate=2)),
    "Conv2D of one channel": ((4, 8, 8, 1), lambda: layers.Conv2D(3, 3)),
    "Conv1D": ((4, 12, 3), lambda: layers.Conv1D(4, 5, padding="causal")),
    "Conv3D": ((2, 5, 5, 4, 2), lambda: layers.Conv3D(3, 2)),
    "Conv2DTranspose": ((4, 5, 5, 2), lambda: layers.Conv2DTranspose(3, 3, strides=2)),
    "DepthwiseConv2D": ((4, 8, 8, 3), lambda: layers.DepthwiseConv2D(3)),
    "grouped Conv2D": ((4, 8, 8, 4), lambda: layers.Conv2D(4, 3, groups=2)),
    "MaxPooling2D": ((4, 8, 8, 2), lambda: layers.MaxPooling2D(2)),
    "MaxPooling2D that leaves a rest": ((4, 7, 9, 2), lambda: layers.MaxPooling2D((2, 4))),
    "MaxPooling2D that overlaps": ((4, 8, 8, 2), lambda: layers.MaxPooling2D(3, strides=2)),
    "MaxPooling1D": ((4, 10, 2), lambda: layers.MaxPooling1D(3)),
    "MaxPooling3D": ((2, 4, 4, 4, 2), lambda: layers.MaxPooling3D(2)),
}


def gradients(name: str) -> tuple[Any, list[Any]]:
    """A layer's gradients with respect to its weights and inputs as a jaxpr, and what to call it with."""
    shape, make = LAYERS[name]
    layer = make()
    layer.build(shape)
    random = np.random.RandomState(0)
    # few different numbers, so that windows of pooling have several largest cells
    inputs = random.randint(0, 3, shape).astype("float32") if "Pooling" in name else random.randn(*shape)

    def loss(weights: Any, inputs: Any) -> Any:
        outputs, _ = layer.stateless_call(weights, [], inputs)
        return (outputs * jnp.sin(jnp.arange(outputs.size, dtype="float32")).reshape(outputs.shape)).sum()

    given = [[jnp.asarray(variable.value) for variable in layer.trainable_variables], inputs.astype("float32")]
    closed = jax.make_jaxpr(lambda *leaves: jax.grad(loss, (0, 1))(list(leaves[:-1]), leaves[-1]))(*given[0], given[1])
    return closed, [*given[0], given[1]]


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_the_same(name: str) -> None:
    closed, given = gradients(name)
    changed = rewritten(closed, "cpu")
    for theirs, ours in zip(jaxpr_as_fun(closed)(*given), jaxpr_as_fun(changed)(*given), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", [name for name in LAYERS if name.startswith("Conv")])
def test_every_convolution_has_the_fast_form(name: str) -> None:
    closed, _ = gradients(name)
    found = [e for e in rewritten(closed, "cpu").jaxpr.eqns if e.primitive.name == "conv_general_dilated"]
    assert len(found) >= 2  # with respect to weights and inputs
    for equation in found:
        numbers, axes = equation.params["dimension_numbers"], len(equation.params["window_strides"])
        assert numbers.lhs_spec == numbers.out_spec == (0, axes + 1, *range(1, axes + 1))
        assert numbers.rhs_spec == (axes + 1, axes, *range(axes))


def test_windows_side_by_side_are_not_scattered() -> None:
    for name, scattered in (
        ("MaxPooling2D", 0),
        ("MaxPooling2D that leaves a rest", 0),
        ("MaxPooling2D that overlaps", 1),
    ):
        names = [e.primitive.name for e in rewritten(gradients(name)[0], "cpu").jaxpr.eqns]
        assert names.count("select_and_scatter_add") == scattered, name


def test_other_platforms_are_left_alone() -> None:
    closed, _ = gradients("Conv2D")
    assert rewritten(closed, "gpu") is closed
