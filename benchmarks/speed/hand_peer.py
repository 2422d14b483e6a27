"""What a program can be that does nothing but this task: written by hand in JAX for these networks, as a floor.

Fully connected layers, and convolutions along a sequence with pooling, as XLA's own or as products of patches. It knows
no Keras model, no other optimiser, loss or metric. Its loss is of logits, which is less work than Keras' loss of
probabilities; it draws its own weights and orders in NumPy and tells nothing while it runs. Like Kohort it trains
members one after another on each core, and ends with the loss and the accuracy of each epoch, over training and
validation rows.
"""

import itertools
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from benchmarks.speed.tasks import Network, Task
from benchmarks.speed.timing import Seconds, twice

WIDE = 5  # convolutions
RATE, FIRST, SECOND, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # Adam's
MOMENTUM, SMALL = 0.99, 1e-3  # batch normalisation's


def drawn(network: Network, task: Task, rows: int, seed: int) -> tuple[Any, ...]:
    """Weights, running statistics, orders of rows and keys of masks of all members."""
    rng = np.random.default_rng(seed)
    members, inputs = task.seeds, network.inputs[0]
    if network.filters:
        inputs = inputs // 2 ** len(network.filters) * network.filters[-1]
    sizes = [inputs, *network.widths, network.outputs]

    def zeros(units: int) -> np.ndarray:
        return np.zeros((members, units), np.float32)

    kernels = [
        rng.normal(0, np.sqrt(2 / before), (members, before, units)).astype(np.float32)
        for before, units in itertools.pairwise(sizes)
    ]
    hidden = network.widths if network.batchnorm else ()
    weights = {
        "kernels": kernels,
        "shifts": [zeros(units) for units in sizes[1:]],  # biases, or what batch normalisation adds
        "scales": [zeros(units) + 1 for units in hidden],
        "filters": [
            rng.normal(0, np.sqrt(2 / (WIDE * before)), (members, WIDE, before, units)).astype(np.float32)
            for before, units in itertools.pairwise([1, *network.filters])
        ],
        "biases": [zeros(units) for units in network.filters],
    }
    running = [(zeros(units), zeros(units) + 1) for units in hidden]
    orders = np.stack([[rng.permutation(rows) for _ in range(task.epochs)] for _ in range(members)]).astype(np.int32)
    orders = orders.reshape(members, task.epochs, -1, task.batch)
    keys = rng.integers(0, 2**32, (*orders.shape[:3], 2), np.uint32)
    return weights, running, orders, keys


def convolved(x: Any, kernel: Any, patches: bool) -> Any:
    """A convolution along a sequence (rows, length, channels), as long as it was."""
    if not patches:
        return lax.conv_general_dilated(x, kernel, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))
    around = jnp.pad(x, ((0, 0), (WIDE // 2, WIDE // 2), (0, 0)))
    seen = jnp.concatenate([around[:, at : at + x.shape[1]] for at in range(WIDE)], axis=2)
    return (seen.reshape(-1, seen.shape[2]) @ kernel.reshape(-1, kernel.shape[2])).reshape(*x.shape[:2], -1)


def outputs(network: Network, weights: Any, running: Any, x: Any, key: Any, patches: bool) -> tuple[Any, list[Any]]:
    """Logits, and the running statistics after this batch; a key of None: not in training."""
    training, after = key is not None, []
    x = x[:, :, None] if network.filters else x
    for kernel, bias in zip(weights["filters"], weights["biases"], strict=True):
        x = jnp.maximum(convolved(x, kernel, patches) + bias, 0)
        x = x.reshape(len(x), x.shape[1] // 2, 2, -1).max(2)
    x = x.reshape(len(x), -1)
    last = len(weights["kernels"]) - 1
    for layer, (kernel, shift) in enumerate(zip(weights["kernels"], weights["shifts"], strict=True)):
        x = x @ kernel
        if network.batchnorm and layer < last:
            mean, variance = running[layer]
            if training:
                of_batch = x.mean(0), x.var(0)
                after.append(
                    tuple(
                        MOMENTUM * old + (1 - MOMENTUM) * new for old, new in zip(running[layer], of_batch, strict=True)
                    )
                )
                mean, variance = of_batch
            x = (x - mean) * (lax.rsqrt(variance + SMALL) * weights["scales"][layer])
        x = x + shift
        if layer < last:
            x = jnp.maximum(x, 0)
            if network.dropout and training:
                key, own = jax.random.split(key)
                x = jnp.where(jax.random.bernoulli(own, 1 - network.dropout, x.shape), x / (1 - network.dropout), 0)
    return x, after


def loss_of(
    network: Network, patches: bool, weights: Any, running: Any, x: Any, y: Any, key: Any
) -> tuple[Any, tuple[Any, Any]]:
    """The loss with its penalty; how many rows are right, and the running statistics."""
    logits, after = outputs(network, weights, running, x, key, patches)
    loss = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()
    if network.l2:
        loss += network.l2 * sum(jnp.sum(kernel**2) for kernel in weights["kernels"][:-1])
    return loss, ((logits.argmax(1) == y).sum(), after)


def member(network: Network, task: Task, data: dict[str, Any], patches: bool, given: Any) -> Any:
    """One run: its weights, its running statistics, and what each epoch tells."""
    weights, running, orders, keys = given
    gradients_of = jax.value_and_grad(lambda w, *rest: loss_of(network, patches, w, *rest), has_aux=True)
    rows = len(data["x_val"]) // task.batch * task.batch
    validation = tuple(data[key][:rows].reshape(-1, task.batch, *data[key].shape[1:]) for key in ("x_val", "y_val"))

    def step(carry: Any, given: Any) -> tuple[Any, None]:
        weights, running, first, second, steps, loss, right = carry
        rows, key = given
        (own, (hits, after)), gradients = gradients_of(weights, running, data["x"][rows], data["y"][rows], key)
        steps += 1
        rate = RATE * jnp.sqrt(1 - SECOND**steps) / (1 - FIRST**steps)
        first = jax.tree.map(lambda m, g: m + (1 - FIRST) * (g - m), first, gradients)
        second = jax.tree.map(lambda v, g: v + (1 - SECOND) * (g * g - v), second, gradients)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), weights, first, second)
        return (weights, after, first, second, steps, loss + own, right + hits), None

    def epoch(carry: Any, given: Any) -> tuple[Any, Any]:
        (*state, loss, right), _ = lax.scan(step, (*carry, 0.0, 0), given)

        def validate(so_far: Any, batch: Any) -> tuple[Any, None]:
            own, (hits, _) = loss_of(network, patches, state[0], state[1], *batch, None)
            return (so_far[0] + own, so_far[1] + hits), None

        validated, _ = lax.scan(validate, (0.0, 0), validation)
        return tuple(state), (loss, right, *validated)

    zeros = jax.tree.map(jnp.zeros_like, weights)
    (weights, running, *_), told = lax.scan(epoch, (weights, running, zeros, zeros, 0.0), (orders, keys))
    return weights, running, told


def program(network: Network, task: Task, data: dict[str, Any], patches: bool) -> Any:
    """Members one after another on each core."""

    def on_a_core(given: Any) -> Any:
        return lax.map(lambda own: member(network, task, data, patches, own), given)

    members = PartitionSpec("members")
    mesh = Mesh(np.array(jax.devices()), ("members",))
    return jax.jit(jax.shard_map(on_a_core, mesh=mesh, in_specs=members, out_specs=members, check_vma=False))


def loop(task: Task, data: dict[str, np.ndarray], patches: bool = False) -> Seconds:
    """All recipes, one after another; convolutions as XLA's own, or as products of patches."""
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    on_device = {key: jnp.asarray(array) for key, array in data.items()}
    programs = {name: program(network, task, on_device, patches) for name, network in task.recipes.items()}

    def whole_task(turn: int) -> None:
        for name, network in task.recipes.items():
            found = programs[name](drawn(network, task, len(data["x"]), turn))
            _, _, (_, right, _, validated) = jax.tree.map(np.asarray, found)
            if not (right[:, -1].mean() > 0.8 * len(data["x"]) and validated[:, -1].mean() > 0.7 * len(data["x_val"])):
                raise SystemExit(f"{name}: the program written by hand does not learn")

    return twice(whole_task)
