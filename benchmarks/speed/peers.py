"""Who trains: each peer's name, what it is, where it runs, and what it is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks.speed.tasks import Task

Environment = Literal["kohort", "plain", "torch", "tensorflow"]
"""`plain`: the interpreter that has Kohort, but JAX as it is without it."""


@dataclass(frozen=True)
class Peer:
    """One way to train a task.

    Attributes:
        about: What it is, for tables.
        environment: Which interpreter runs it.
        module: Where among the benchmarks its function is.
        function: The function's name.
        arguments: Its arguments besides task and data.
        processes: How many processes share the seeds.
        once: Whether it is timed in the first round only, since it takes long and is not close.
        samples: Whether it takes runs one after another, so that some of many recipes stand for all.
        applies: Whether it can train a task.
    """

    about: str
    environment: Environment
    module: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    processes: int = 1
    once: bool = False
    samples: bool = True
    applies: Callable[[Task], bool] = lambda task: True

    def call(self, task: Task, data: dict[str, Any]) -> dict[str, float]:
        """Seconds, cold and warm, of the whole task."""
        import importlib

        function = getattr(importlib.import_module(f"benchmarks.speed.{self.module}"), self.function)
        return function(task, data, **self.arguments)


def _plain(task: Task) -> bool:
    return task.patience is None


def _few(task: Task) -> bool:
    return len(task.recipes) < 10


def _for_scikit(task: Task) -> bool:
    return _plain(task) and any(not (n.filters or n.dropout or n.batchnorm) for n in task.recipes.values())


def _for_hand(task: Task) -> bool:
    return task.name in ("digits-mlp", "mnist1d-cnn")


PEERS = {
    "kohort": Peer("`kohort.fit`", "kohort", "keras_peers", "cohorts", samples=False),
    "study": Peer(
        "`kohort.Study`: splits by seed, diagnostics, a test of each run",
        "kohort",
        "keras_peers",
        "study",
        samples=False,
        applies=lambda task: task.name == "digits-mlp",
    ),
    "one device": Peer(
        "`kohort.fit` on one device", "kohort", "keras_peers", "cohorts", {"devices": 1}, once=True, samples=False
    ),
    "one member": Peer("(h) `kohort.fit`, one run a call", "kohort", "keras_peers", "one_at_a_time", once=True),
    "by hand": Peer(
        "a program of this task alone, written by hand in JAX",
        "plain",
        "hand_peer",
        "loop",
        samples=False,
        applies=_for_hand,
    ),
    "by hand, patches": Peer(
        "the same, convolutions as products of patches",
        "plain",
        "hand_peer",
        "loop",
        {"patches": True},
        samples=False,
        applies=lambda task: _for_hand(task) and any(network.filters for network in task.recipes.values()),
    ),
    "a": Peer("(a) build, compile, `fit`", "plain", "keras_peers", "loop"),
    "b": Peer(
        "(b) the same, 16 steps an execution", "plain", "keras_peers", "loop", {"steps_per_execution": 16}, once=True
    ),
    "c": Peer("(c) compile once a recipe, reset, `fit`", "plain", "keras_peers", "loop", {"reuse": True}, applies=_few),
    "bc": Peer(
        "(b) and (c)",
        "plain",
        "keras_peers",
        "loop",
        {"reuse": True, "steps_per_execution": 16},
        once=True,
        applies=_few,
    ),
    "d": Peer("(d) tf.keras: build, compile, `fit`", "tensorflow", "keras_peers", "loop", once=True, applies=_few),
    "e, 1 thread": Peer("(e) PyTorch loop, one thread", "torch", "torch_peers", "loop", {"threads": 1}),
    "e, 2 threads": Peer("(e) PyTorch loop, two threads", "torch", "torch_peers", "loop", {"threads": 2}),
    "e, 2 processes": Peer(
        "(e) PyTorch loop, two processes", "torch", "torch_peers", "loop", {"threads": 1}, processes=2
    ),
    "f": Peer("(f) `torch.func.vmap` over seeds", "torch", "torch_peers", "vectorised", once=True, applies=_plain),
    "g": Peer("(g) scikit-learn's MLPClassifier, no validation", "plain", "scikit_peer", "loop", applies=_for_scikit),
}
