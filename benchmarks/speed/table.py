"""The README's table of speed, from the committed results."""

import json
import statistics
from typing import Any

from benchmarks.speed.tasks import RESULTS, TASKS

COLUMNS = {  # heading -> peers, of which the fastest counts
    "build, compile, `fit`": ("a", "b"),
    "compile once, reset, `fit`": ("c", "bc"),
    "tf.keras": ("d",),
    "PyTorch loop": ("e, 1 thread", "e, 2 threads", "e, 2 processes"),
    "`torch.func.vmap`": ("f",),
    "scikit-learn": ("g",),
    "one run a call": ("one member",),
}


def section() -> str:
    """Seconds of Kohort, and how many times as long the best of each kind of peer takes: cold / warm.

    Peers that were run at another time, beside Kohort again, are in `TASK-others.json`.
    """
    heads = ["task", "runs × epochs", "Kohort, s", *COLUMNS]
    rows = [_row(_read(name), _read(f"{name}-others")) for name in TASKS if _read(name)]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *rows, ""])


def _read(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def _row(result: dict[str, Any], others: dict[str, Any]) -> str:
    task, seconds = TASKS[result["task"]["name"]], result["seconds"]
    ours = [_number(statistics.median(seconds["kohort"][kind])) for kind in ("cold", "warm")]
    ratios = others.get("times as long as kohort", {}) | result["times as long as kohort"]
    epochs = f"up to {task.epochs}" if task.patience else str(task.epochs)
    cells = [task.name, f"{task.runs} × {epochs}", " / ".join(ours)]
    for peers in COLUMNS.values():
        known = [ratios[peer] for peer in peers if peer in ratios]
        least = [min((own[kind]["median"] for own in known), default=None) for kind in ("cold", "warm")]
        cells.append("" if None in least else " / ".join(_number(value) for value in least if value is not None))
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"
