"""Classifiers of tables beside Kohort's search, at their defaults and tuned by Optuna, for `tuner_quality`.

Trees get a table's cells, with categories and missing cells as such; networks the inputs that Kohort's networks get,
those of many categories one-hot. All train on the training rows alone. Validation rows choose among candidates, and
where a tuned method can stop early, they stop it; at their defaults methods do not see them (scikit-learn's trees then
stop early on a tenth of the training rows, from 10,000 rows on). RealMLP and TabM choose their epoch by them.

The spaces are published ones. XGBoost and LightGBM: Prokhorenkova et al. 2018 (CatBoost: unbiased boosting with
categorical features), as in github.com/catboost/benchmarks, quality_benchmarks; at most 1,000 trees instead of 5,000,
stopped after 50 without gain in log loss. HistGradientBoosting: Grinsztajn et al. 2022 (Why do tree-based models still
outperform deep learning on typical tabular data?), as in github.com/LeoGrin/tabular-benchmark, hgbt_config.py; its
normal distributions are even here, two standard deviations to each side. MLPClassifier: auto-sklearn (Feurer et al.
2015), components/classification/mlp.py, at scikit-learn's most of 200 epochs.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight

from kohort.data import Dataset, Split
from kohort.runtime import cores

TREES, PATIENCE = 1000, 50
MANY = 10_000
"""Rows from which on methods use both cores, where the process may. On fewer, two threads gain little where the machine
is quiet, and wait for each other where it is not: XGBoost then took 50 times as long on car."""

Options = Mapping[str, Any]
Predicts = Callable[[np.ndarray], np.ndarray]
"""From row numbers to class numbers."""


@dataclass(frozen=True)
class Fit:
    """What a model is fitted to.

    Attributes:
        dataset: What is learnt.
        part: Which rows train and validate.
        seed: The model's.
        options: The values that were chosen; None: the method's defaults.
        weighted: Whether all classes weigh the same in the loss.
    """

    dataset: Dataset
    part: Split
    seed: int
    options: Options | None = None
    weighted: bool = False

    @property
    def y(self) -> tuple[np.ndarray, np.ndarray]:
        """Class numbers of training and validation rows."""
        return self.dataset.y[self.part.train], self.dataset.y[self.part.validation]

    @property
    def weights(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Weights of training and validation rows."""
        return tuple(compute_sample_weight("balanced", y) if self.weighted else None for y in self.y)  # pyright: ignore

    @property
    def threads(self) -> int:
        """On how many threads a method works."""
        return min(2, cores()) if self.dataset.rows >= MANY else 1

    @property
    def categories(self) -> list[bool]:
        """Which columns are categories."""
        return [bool(column.levels) for column in self.dataset.columns or ()]

    @property
    def inputs(self) -> np.ndarray:
        """All rows as networks see them, float32."""
        x = self.dataset.inputs(self.part.train)
        places = dict(self.dataset.embedded)
        columns = [
            np.eye(places[i], dtype=x.dtype)[x[:, i].astype(int)] if i in places else x[:, [i]]
            for i in range(x.shape[1])
        ]
        return np.concatenate(columns, axis=1)


def mlp(fit: Fit) -> Predicts:
    options = dict(fit.options or {})
    if options:
        options["hidden_layer_sizes"] = (options.pop("units"),) * options.pop("depth")
    x = fit.inputs
    model = MLPClassifier(random_state=fit.seed, **options)
    model.fit(x[fit.part.train], fit.y[0], sample_weight=fit.weights[0])
    return lambda rows: np.asarray(model.predict(x[rows]))


def mlp_space(trial: Any) -> dict[str, Any]:
    return {
        "depth": trial.suggest_int("depth", 1, 3),
        "units": trial.suggest_int("units", 16, 264, log=True),
        "activation": trial.suggest_categorical("activation", ("tanh", "relu")),
        "alpha": trial.suggest_float("alpha", 1e-5, 1.0, log=True),
        "learning_rate_init": trial.suggest_float("learning_rate_init", 1e-4, 0.5, log=True),
    }


def hist_gradient_boosting(fit: Fit) -> Predicts:
    x, (train, validation) = fit.dataset.x, (fit.part.train, fit.part.validation)
    options, held_out = dict(fit.options or {}), {}
    if options:
        options |= {"max_iter": TREES, "early_stopping": True, "n_iter_no_change": 20}
        held_out = {"X_val": x[validation], "y_val": fit.y[1], "sample_weight_val": fit.weights[1]}
    categories: Any = fit.categories
    model = HistGradientBoostingClassifier(random_state=fit.seed, categorical_features=categories, **options)
    model.fit(x[train], fit.y[0], fit.weights[0], **held_out)
    return lambda rows: model.predict(x[rows])


def hist_gradient_boosting_space(trial: Any) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 21, 41),
        "max_depth": trial.suggest_categorical("max_depth", (None, 2, 3, 4)),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 16, 24),
    }


def xgboost(fit: Fit) -> Predicts:
    options = dict(fit.options or {})
    x, (train, validation) = fit.dataset.x, (fit.part.train, fit.part.validation)
    kinds = ["c" if category else "q" for category in fit.categories]
    given = {"enable_categorical": True, "feature_types": kinds, "random_state": fit.seed, "n_jobs": fit.threads}
    stopped = {}
    if options:
        given |= {"n_estimators": TREES, "early_stopping_rounds": PATIENCE}
        weights = None if fit.weights[1] is None else [fit.weights[1]]
        stopped = {"eval_set": [(x[validation], fit.y[1])], "sample_weight_eval_set": weights, "verbose": False}
    model = importlib.import_module("xgboost").XGBClassifier(**given, **options)
    model.fit(x[train], fit.y[0], sample_weight=fit.weights[0], **stopped)
    return lambda rows: model.predict(x[rows])


def lightgbm(fit: Fit) -> Predicts:
    library, options = importlib.import_module("lightgbm"), dict(fit.options or {})
    x, (train, validation) = fit.dataset.x, (fit.part.train, fit.part.validation)
    given, stopped = {"random_state": fit.seed, "n_jobs": fit.threads, "verbose": -1}, {}
    if options:
        given |= {"n_estimators": TREES, "subsample_freq": 1}
        weights = None if fit.weights[1] is None else [fit.weights[1]]
        halt = library.early_stopping(PATIENCE, verbose=False)
        held_out = {"eval_X": x[validation], "eval_y": fit.y[1], "eval_sample_weight": weights}
        stopped = held_out | {"callbacks": [halt]}
    model = library.LGBMClassifier(**given, **options)
    own = [place for place, category in enumerate(fit.categories) if category]
    model.fit(x[train], fit.y[0], sample_weight=fit.weights[0], categorical_feature=own, **stopped)
    return lambda rows: model.predict(x[rows])


def _boosting_space(trial: Any, names: Sequence[str]) -> dict[str, Any]:
    """What the spaces of both have in common; penalties are off or log-uniform."""
    found = {"learning_rate": trial.suggest_float("learning_rate", np.exp(-7), 1.0, log=True)}
    found |= {name: trial.suggest_float(name, 0.5, 1.0) for name in ("subsample", "colsample_bytree")}
    found["min_child_weight"] = trial.suggest_float("min_child_weight", np.exp(-16), np.exp(5), log=True)
    for name in names:
        on = trial.suggest_categorical(f"{name} on", (True, False))
        found[name] = trial.suggest_float(name, np.exp(-16), np.exp(2), log=True) if on else 0.0
    return found


def xgboost_space(trial: Any) -> dict[str, Any]:
    return _boosting_space(trial, ("reg_alpha", "reg_lambda", "gamma")) | {
        "max_depth": trial.suggest_int("max_depth", 2, 10),
        "colsample_bylevel": trial.suggest_float("colsample_bylevel", 0.5, 1.0),
    }


def lightgbm_space(trial: Any) -> dict[str, Any]:
    return _boosting_space(trial, ("reg_alpha", "reg_lambda")) | {
        "num_leaves": trial.suggest_int("num_leaves", 2, 1096, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 1, 403, log=True),
    }


def pytabkit(name: str) -> Callable[[Fit], Predicts]:
    """A network of pytabkit (Holzmüller et al. 2024, Better by default) at its defaults."""

    def fitted(fit: Fit) -> Predicts:
        kind = getattr(importlib.import_module("pytabkit"), name)
        pandas = importlib.import_module("pandas")
        cells = pandas.DataFrame(fit.dataset.x).add_prefix("column_")
        for place, category in enumerate(fit.categories):
            column = f"column_{place}"
            if category:
                cells[column] = pandas.Categorical(cells[column].fillna(-1).astype(int).astype(str))
            else:
                cells[column] = cells[column].fillna(cells[column].iloc[fit.part.train].median())
        model = kind(device="cpu", random_state=fit.seed, n_threads=fit.threads)
        rows = (fit.part.train, fit.part.validation)
        (x, held_out), (y, y_held_out) = (cells.iloc[own] for own in rows), fit.y
        model.fit(x, y, held_out, y_held_out, cat_indicator=fit.categories)
        return lambda rows: np.asarray(model.predict(cells.iloc[rows])).astype(int)

    return fitted


@dataclass(frozen=True)
class Peer:
    """A method.

    Attributes:
        fit: Fits it.
        space: What Optuna chooses from.
    """

    fit: Callable[[Fit], Predicts]
    space: Callable[[Any], dict[str, Any]] | None = None


PEERS = {
    "MLPClassifier": Peer(mlp, mlp_space),
    "HistGradientBoosting": Peer(hist_gradient_boosting, hist_gradient_boosting_space),
    "XGBoost": Peer(xgboost, xgboost_space),
    "LightGBM": Peer(lightgbm, lightgbm_space),
    "RealMLP": Peer(pytabkit("RealMLP_TD_Classifier")),
    "TabM": Peer(pytabkit("TabM_D_Classifier")),
}
