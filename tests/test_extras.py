"""What comes with an extra that is not installed says so before anything is done."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import pytest

import kohort
from kohort import executors, extras, trackers
from kohort.errors import KohortError

USED: dict[str, tuple[str, str, Callable[[Path], Any]]] = {
    "a search": ("tune", "optuna", lambda _: import_module("kohort.tuner")),
    "an ONNX file": ("onnx", "jax2onnx", lambda path: kohort.export(keras.Sequential(), path / "network.onnx")),
    "kohort.executors.Ray": ("ray", "ray", lambda _: executors.Ray),
    "MLflow": ("mlflow", "mlflow", lambda _: trackers.MLflow),
    "TensorBoard": ("tensorboard", "tensorboardX", lambda _: trackers.TensorBoard),
}
"""What is asked for: its extra, a package of that, how it is used."""


@pytest.mark.parametrize("what", USED)
def test_a_missing_package_says_what_to_install(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra, package, use = USED[what]
    for name in [name for name in sys.modules if name.startswith("kohort.tuner")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(extras, "find_spec", lambda asked: None if asked == package else object())
    message = rf"{what}.* needs the package.* {package}.*Got no {package}\. .*pip install 'kohort\[{extra}\]'"
    with pytest.raises(KohortError, match=message):
        use(tmp_path)
    assert not list(tmp_path.iterdir())
