"""Logs leave the loop: what a step reports is computed once an epoch, not once a batch.

Keras' `train_step` returns, besides the new state, the logs: each metric's result so far. `fit` keeps those of the
last batch only. In a compiled loop they would be computed after every batch all the same, so the jaxpr is cut in two
wherever the logs depend on nothing but the new metric state: a step without logs, and a function from metric state to
logs. A step of the user's own whose logs depend on something else stays whole and hands its logs on through the loop.
"""

from collections.abc import Sequence

from jax.extend.core import ClosedJaxpr, Literal, Var

from kohort.cohort.unify import Flat, flat


def logs_from_metrics(step: ClosedJaxpr, log_count: int, metrics: range) -> ClosedJaxpr | None:
    """The function from the new metric state to the logs, or None where the logs depend on more.

    Args:
        step: Its outputs are `log_count` logs and then the new state.
        log_count: The number of logs.
        metrics: The positions of the metric state among the new state.

    Returns:
        A jaxpr whose inputs are the new metric state and whose outputs are the logs.
    """
    whole = flat(step)
    metric_outputs = [whole.outputs[log_count + position] for position in metrics]
    if any(isinstance(output, Literal) for output in metric_outputs) or len(set(metric_outputs)) < len(metric_outputs):
        return None
    given = set(metric_outputs)
    equations, needed = _slice(whole, whole.outputs[:log_count], given)
    if needed - given - set(whole.constants):
        return None
    renamed = {output: Var(output.aval) for output in metric_outputs}

    def rename(atom: object) -> object:
        return renamed.get(atom, atom) if isinstance(atom, Var) else atom

    cut = Flat(
        [renamed[output] for output in metric_outputs],
        [rename(output) for output in whole.outputs[:log_count]],
        [equation.replace(invars=[rename(atom) for atom in equation.invars]) for equation in equations],
        whole.constants,
        whole.like,
    )
    return cut.closed()


def _slice(whole: Flat, outputs: Sequence[object], given: set[Var]) -> tuple[list, set[Var]]:
    """The equations that `outputs` need when `given` is known, in order, and the variables they leave free."""
    needed = {atom for atom in outputs if isinstance(atom, Var)}
    kept = []
    for equation in reversed(whole.equations):
        made = needed.intersection(equation.outvars) - given
        if not made:
            continue
        kept.append(equation)
        needed -= set(equation.outvars) - given
        needed |= {atom for atom in equation.invars if isinstance(atom, Var)}
    return kept[::-1], needed
