"""Which equations are replaced on which platform."""

from jax.extend.core import ClosedJaxpr

from kohort.cohort.cpu.convolutions import convolution
from kohort.cohort.cpu.pooling import largest_of_windows_gradient
from kohort.cohort.cpu.random_bits import threefry_bits
from kohort.cohort.cpu.sums import large_sum
from kohort.cohort.rewrite import Rule, replace_equations

CPU_RULES: dict[str, Rule] = {
    "random_bits": threefry_bits,
    "reduce_sum": large_sum,
    "conv_general_dilated": convolution,
    "select_and_scatter_add": largest_of_windows_gradient,
}


def rewritten(closed: ClosedJaxpr, platform: str) -> ClosedJaxpr:
    """The same function, with the equations replaced that a platform handles badly.

    Args:
        closed: A jaxpr.
        platform: `"cpu"`, `"gpu"`, …; only for `"cpu"` there is anything to replace.
    """
    return replace_equations(closed, CPU_RULES) if platform == "cpu" else closed
