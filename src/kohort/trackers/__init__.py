"""Where a study's runs are told of besides its own folder: MLflow and TensorBoard, each loaded when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kohort.extras import require

if TYPE_CHECKING:
    from kohort.trackers.mlflow import MLflow as MLflow
    from kohort.trackers.tensorboard import TensorBoard as TensorBoard

_HOMES = {  # name -> its module, the package that it needs, the extra that installs it
    "MLflow": ("kohort.trackers.mlflow", "mlflow", "mlflow"),
    "TensorBoard": ("kohort.trackers.tensorboard", "tensorboardX", "tensorboard"),
}

__all__ = [*_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kohort.trackers' has no attribute {name!r}")
    module, package, extra = _HOMES[name]
    require(name, extra, package)
    return getattr(import_module(module), name)
