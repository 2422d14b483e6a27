"""Those who train with PyTorch: a loop with its fused optimiser, and an ensemble vectorised by `torch.func`.

Both do what `fit` does in an epoch: shuffled batches, the mean loss and accuracy, and both over the validation rows.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.speed.tasks import Network, Task
from benchmarks.speed.timing import Seconds, extrapolated, twice

ADAM = {"lr": 0.001, "eps": 1e-7}


class SpatialDropout(nn.Module):
    """Drops whole channels."""

    def __init__(self, rate: float, images: bool):
        super().__init__()
        self.rate, self.drop = rate, functional.dropout2d if images else functional.dropout1d

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(x, self.rate, self.training)


def module(network: Network) -> nn.Module:
    """The network; its outputs are logits, as PyTorch's loss wants them."""
    images = len(network.inputs) == 2
    stack: list[nn.Module] = []
    channels, cells = 1, list(network.inputs)
    for filters in network.filters:
        size = 3 if images else 5
        convolution = nn.Conv2d if images else nn.Conv1d
        stack.append(convolution(channels, filters, size, padding=size // 2, bias=not network.batchnorm))
        if network.batchnorm:
            stack.append((nn.BatchNorm2d if images else nn.BatchNorm1d)(filters, eps=1e-3, momentum=0.01))
        stack += [nn.ReLU(), (nn.MaxPool2d if images else nn.MaxPool1d)(2)]
        if network.spatial_dropout:
            stack.append(SpatialDropout(network.spatial_dropout, images))
        channels, cells = filters, [cell // 2 for cell in cells]
    width = int(np.prod(cells)) * channels
    stack += [nn.Flatten()] if network.filters else []
    for units in network.widths:
        stack.append(nn.Linear(width, units, bias=not network.batchnorm))
        stack += [nn.BatchNorm1d(units, eps=1e-3, momentum=0.01)] if network.batchnorm else []
        stack.append(nn.ReLU())
        stack += [nn.Dropout(network.dropout)] if network.dropout else []
        width = units
    found = nn.Sequential(*stack, nn.Linear(width, network.outputs))
    for part in found.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
    return found


def tensors(network: Network, data: dict[str, np.ndarray]) -> list[torch.Tensor]:
    """x, y, x_val, y_val; images with their channels last in memory."""
    x, y, x_val, y_val = (torch.from_numpy(data[key]) for key in ("x", "y", "x_val", "y_val"))
    if network.filters:
        x, x_val = x.unsqueeze(1), x_val.unsqueeze(1)
    if len(network.inputs) == 2:
        x, x_val = (array.to(memory_format=torch.channels_last) for array in (x, x_val))
    return [x, y.long(), x_val, y_val.long()]


def penalty(network: Network, weights: list[torch.Tensor]) -> Any:
    """L2 of all kernels but the last, in the loss as Keras has it."""
    return network.l2 * sum((kernel**2).sum() for kernel in weights[:-1]) if network.l2 else 0.0


def train(network: Network, data: list[torch.Tensor], task: Task) -> None:
    """One run."""
    model = module(network)
    if len(network.inputs) == 2:
        model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True, **ADAM)
    kernels = [p for p in model.parameters() if p.ndim > 1]
    x, y, x_val, y_val = data
    best, waited, kept = np.inf, 0, None
    for _ in range(task.epochs):
        model.train()
        total, right = torch.zeros(()), torch.zeros((), dtype=torch.long)
        for rows in torch.randperm(len(x)).split(task.batch):
            optimizer.zero_grad(set_to_none=True)
            logits = model(x[rows])
            loss = functional.cross_entropy(logits, y[rows]) + penalty(network, kernels)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
            right += (logits.argmax(1) == y[rows]).sum()
        model.eval()
        with torch.no_grad():
            lost = 0.0
            for first in range(0, len(x_val), 1024):  # larger batches than in training are faster here
                logits = model(x_val[first : first + 1024])
                lost += functional.cross_entropy(logits, y_val[first : first + 1024], reduction="sum").item()
        if task.patience is not None:
            if lost < best:
                best, waited, kept = lost, 0, {name: p.clone() for name, p in model.state_dict().items()}
            else:
                waited += 1
            if waited >= task.patience:
                model.load_state_dict(kept)
                break


def loop(task: Task, data: dict[str, np.ndarray], threads: int) -> Seconds:
    """One run after another."""
    torch.set_num_threads(threads)

    def one_seed(seed: int) -> None:
        torch.manual_seed(seed)
        for network in task.recipes.values():
            train(network, tensors(network, data), task)

    return extrapolated(task, one_seed)


def vectorised(task: Task, data: dict[str, np.ndarray]) -> Seconds:
    """All seeds of a recipe at once, by `torch.func.vmap`.

    BatchNorm keeps no running statistics here, which `vmap` cannot update: a little less work than the others do.
    """

    def whole_task(turn: int) -> None:
        torch.manual_seed(turn)
        for network in task.recipes.values():
            _train_ensemble(network, tensors(network, data), task)

    return twice(whole_task)


def _train_ensemble(network: Network, data: list[torch.Tensor], task: Task) -> None:
    models = [module(network) for _ in range(task.seeds)]
    for model in models:
        torch.func.replace_all_batch_norm_modules_(model)
    weights, _ = torch.func.stack_module_state(models)
    weights = {name: value.detach().requires_grad_() for name, value in weights.items()}
    base = models[0]
    optimizer = torch.optim.Adam(list(weights.values()), fused=True, **ADAM)
    x, y, x_val, y_val = data

    def loss_of(own: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.func.functional_call(base, own, (x,))
        loss = functional.cross_entropy(logits, y)
        return loss + penalty(network, [w for w in own.values() if w.ndim > 1]), (logits.argmax(1) == y).sum()

    step = torch.func.vmap(loss_of, randomness="different")
    over_all = torch.func.vmap(loss_of, in_dims=(0, None, None), randomness="different")
    for _ in range(task.epochs):
        base.train()
        total, right = torch.zeros(task.seeds), torch.zeros(task.seeds, dtype=torch.long)
        orders = torch.stack([torch.randperm(len(x)) for _ in range(task.seeds)])
        for rows in orders.split(task.batch, dim=1):
            optimizer.zero_grad(set_to_none=True)
            losses, hits = step(weights, x[rows], y[rows])
            losses.sum().backward()
            optimizer.step()
            total += losses.detach() * rows.shape[1]
            right += hits
        base.eval()
        with torch.no_grad():
            for first in range(0, len(x_val), 1024):
                over_all(weights, x_val[first : first + 1024], y_val[first : first + 1024])
