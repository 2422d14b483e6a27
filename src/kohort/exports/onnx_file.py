"""ONNX files: one thing about them mended, and a look at what they predict. The only file that imports onnx.

Max pooling of images: JAX pools all four axes of (rows, height, width, channels), by 1 along the first and the last.
jax2onnx 0.17.1 makes of it an ONNX MaxPool over four axes, and ONNX Runtime has none of more than three. Here it
becomes what both know, pooling of (rows, channels, height, width), between two transpositions. To be deleted when
jax2onnx does so; what is pooled otherwise is left as it is.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from kohort.errors import NotSupportedError

TOLERANCE = 1e-5
"""Of what a file predicts, absolute and relative: both compute in float32, and add in different orders."""


def mended(path: Path) -> bytes:
    """A file's contents, with max pooling that ONNX Runtime has.

    Args:
        path: The file, with weights that may lie beside it.
    """
    model = onnx.load(path)
    nodes = list(model.graph.node)
    instead = {node.output[0]: _as_images(node) for node in nodes if node.op_type == "MaxPool"}
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.extend(instead.get(node.output[0]) or [node])
    return model.SerializeToString()


def _as_images(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """What takes the place of a MaxPool over more than three axes; nothing where it cannot, or need not, be replaced.

    (1, 1, rows, height, width, channels) is pooled along its last four axes, of which rows and channels are left alone.
    """
    told = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    kernel, axes = told["kernel_shape"], len(told["kernel_shape"])
    usual = {"strides": [1] * axes, "dilations": [1] * axes, "pads": [0] * 2 * axes}
    strides, dilations, pads = (told.get(name, default) for name, default in usual.items())
    alone = [axis for axis in range(axes) if kernel[axis] == strides[axis] == 1 and not pads[axis] + pads[axes + axis]]
    if not 3 < axes < 6 or len(alone) < 2:
        return []
    rows, channels = alone[0], alone[-1]
    pooled = [axis for axis in range(axes) if axis not in (rows, channels)]
    order = [axis + 2 for axis in (rows, channels, *pooled)] + [0, 1]  # (rows, channels, height, width, 1, 1)
    name = node.output[0]
    ones, moved, flat, small, full = (f"{name}_{step}" for step in ("ones", "moved", "flat", "small", "full"))
    axes_of_ones = onnx.numpy_helper.from_array(np.array([axes, axes + 1]))
    make = onnx.helper.make_node
    return [
        make("Constant", [], [ones], value=axes_of_ones),
        make("Transpose", [node.input[0]], [moved], perm=order),
        make("Squeeze", [moved, ones], [flat]),
        make(
            "MaxPool",
            [flat],
            [small],
            kernel_shape=[kernel[axis] for axis in pooled],
            strides=[strides[axis] for axis in pooled],
            dilations=[dilations[axis] for axis in pooled],
            pads=[pads[end + axis] for end in (0, axes) for axis in pooled],
        ),
        make("Unsqueeze", [small, ones], [full]),
        make("Transpose", [full], [name], perm=[order.index(axis) for axis in range(axes + 2)]),
    ]


def check(contents: bytes, rows: Sequence[Any], predicted: Sequence[np.ndarray]) -> None:
    """Refuses a file that predicts something else than the network.

    Args:
        contents: The file's.
        rows: Rows, an array for each input.
        predicted: What the network makes of them, an array for each output.

    Raises:
        NotSupportedError: It does, or ONNX Runtime cannot run it.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are told below
    try:
        session = onnxruntime.InferenceSession(contents, options, providers=["CPUExecutionProvider"])
        told = {own.name: np.asarray(array) for own, array in zip(session.get_inputs(), rows, strict=True)}
        found: Any = session.run(None, told)
    except Exception as error:
        raise NotSupportedError(f"ONNX Runtime must run the network. Got: {error}. Write it as .keras.") from error
    for own, wanted in zip(found, predicted, strict=True):
        if not np.allclose(own, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            furthest = float(np.abs(own - wanted).max())
            raise NotSupportedError(
                f"the ONNX file must predict what the network does to {TOLERANCE:g}. Got predictions {furthest:g} off. "
                "Write it as .keras."
            )
