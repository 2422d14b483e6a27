"""Who trains the runs of a study, where it is not this process: workers of a Ray cluster."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kohort.executors.work import Executor as Executor
from kohort.extras import require

if TYPE_CHECKING:
    from kohort.executors.ray import Ray as Ray

__all__ = ["Executor", "Ray"]


def __getattr__(name: str) -> Any:
    if name == "Ray":  # loaded when it is asked for: Ray is an extra
        require("kohort.executors.Ray", "ray", "ray")
        return import_module("kohort.executors.ray").Ray
    raise AttributeError(f"module 'kohort.executors' has no attribute {name!r}")
