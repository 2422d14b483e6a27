"""Kohort: many recipes × many seeds of your own Keras model as one compiled program, and an honest verdict.

    import kohort

    runs = kohort.fit({"none": build, "dropout": lambda: build(rate=0.5)}, x, y, seeds=20, epochs=50)
    runs["dropout", 3].history["loss"], runs["dropout", 3].model()

Importing Kohort before Keras selects Keras' JAX backend; it loads neither of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kohort.runtime import check_backend, other_backend, prepare

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kohort import data as data
    from kohort import executors as executors
    from kohort import lab as lab
    from kohort import statistics as statistics
    from kohort import trackers as trackers
    from kohort.checking import check_against_fit as check_against_fit
    from kohort.checking import why_separate as why_separate
    from kohort.errors import BackendError as BackendError
    from kohort.errors import DataError as DataError
    from kohort.errors import KohortError as KohortError
    from kohort.errors import NotSupportedError as NotSupportedError
    from kohort.errors import RecipeError as RecipeError
    from kohort.estimators import KohortClassifier as KohortClassifier
    from kohort.estimators import KohortRegressor as KohortRegressor
    from kohort.exports.network import export as export
    from kohort.exports.network import load_network as load_network
    from kohort.fitting import fit as fit
    from kohort.recipes.recipe import Recipe as Recipe
    from kohort.report.tidy import logs_table as logs_table
    from kohort.report.tidy import runs_table as runs_table
    from kohort.run import Outcome as Outcome
    from kohort.run import Run as Run
    from kohort.run import Runs as Runs
    from kohort.study import Study as Study
    from kohort.tuner.tune import tune as tune

_HOMES = {  # public name -> the module it lives in; loaded when first asked for (PEP 562)
    "data": "kohort.data",
    "executors": "kohort.executors",
    "lab": "kohort.lab",
    "Recipe": "kohort.recipes.recipe",
    "fit": "kohort.fitting",
    "check_against_fit": "kohort.checking",
    "why_separate": "kohort.checking",
    "Run": "kohort.run",
    "Runs": "kohort.run",
    "Outcome": "kohort.run",
    "Study": "kohort.study",
    "tune": "kohort.tuner.tune",
    "KohortClassifier": "kohort.estimators",
    "KohortRegressor": "kohort.estimators",
    "runs_table": "kohort.report.tidy",
    "logs_table": "kohort.report.tidy",
    "statistics": "kohort.statistics",
    "export": "kohort.exports.network",
    "load_network": "kohort.exports.network",
    "trackers": "kohort.trackers",
    "KohortError": "kohort.errors",
    "DataError": "kohort.errors",
    "RecipeError": "kohort.errors",
    "NotSupportedError": "kohort.errors",
    "BackendError": "kohort.errors",
}

_ON_JAX = {
    "fit",
    "check_against_fit",
    "why_separate",
    "Study",
    "Recipe",
    "lab",
    "tune",
    "export",
    "load_network",
    "KohortClassifier",
    "KohortRegressor",
}

_ELSEWHERE = {  # where Keras already runs on another backend
    "fit": "kohort.elsewhere.parent",
    "Recipe": "kohort.recipes.recipe",
}

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kohort' has no attribute {name!r}")
    elsewhere = _ELSEWHERE if other_backend() else {}
    if name in _ON_JAX and name not in elsewhere:
        check_backend()  # before Keras is loaded on another backend, or fails to
    place = elsewhere.get(name, _HOMES[name])
    home = import_module(place)
    value = home if place == f"kohort.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


prepare()
