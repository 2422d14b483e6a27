"""Estimators as scikit-learn has them: they compare recipes, choose on validation rows, and predict as an ensemble."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, assert_all_finite, check_consistent_length, check_scalar, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_is_fitted, validate_data

import kohort
from kohort.data.classes import names_of
from kohort.data.columns import Column
from kohort.data.dataset import Dataset
from kohort.data.encoding import encoding_of
from kohort.data.frames import Features, features, is_table
from kohort.data.splitting import split
from kohort.errors import DataError, RecipeError
from kohort.estimators.choice import (
    Choice,
    chosen_of_search,
    chosen_of_study,
    on_all_rows,
    to_keep,
    too_few_rows,
)
from kohort.estimators.ensemble import Ensemble, network_of
from kohort.fitting import fit
from kohort.recipes.recipe import Recipe
from kohort.seeds import LARGEST_SEED, as_seeds
from kohort.study import Study, StudyResult

if TYPE_CHECKING:
    from kohort.tuner.result import TuneResult

RECIPES = ("none", "l2", "dropout=0.3", "batchnorm")
"""The textbook's comparison."""

MANY_ROWS = 2_500
"""With so many, batches are of 128 rows, else of 32; as `kohort.tune` has it."""


_ONE_AT_A_TIME = Lock()
"""Training sets the generators of the whole process, as `keras.utils.set_random_seed` does, so threads take turns."""


class _KohortEstimator(BaseEstimator):
    """What classifier and regressor have in common."""

    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(
        self,
        recipes: Sequence[str] | Mapping[str, Any] = RECIPES,
        *,
        seeds: int | Sequence[int] = 6,
        epochs: int = 50,
        batch_size: int | None = None,
        network: Any = "auto",
        metric: Any = None,
        search_minutes: float | None = None,
        candidates: int | None = None,
        space: str = "cocktail",
        refit: bool = True,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.recipes = recipes
        self.seeds = seeds
        self.epochs = epochs
        self.batch_size = batch_size
        self.network = network
        self.metric = metric
        self.search_minutes = search_minutes
        self.candidates = candidates
        self.space = space
        self.refit = refit
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: Any = super().__getstate__()
        if state.get("result_") is None:
            return state
        return {**state, "result_": to_keep(state["result_"]), "search_": None}

    @property
    def models_(self) -> list[keras.Model]:
        """The networks, each a `keras.Model` of its own, made anew at each call.

        They take rows as `encoded` gives them. A regressor's give numbers that are centred and scaled by the rows that
        it trained on: see `ensemble_.networks`.
        """
        check_is_fitted(self, "ensemble_")
        return [self.ensemble_.model(network) for network in self.ensemble_.networks]

    def encoded(self, X: Any) -> list[np.ndarray]:  # noqa: N803 (scikit-learn's name)
        """Rows as each of `models_` sees them: scaled, categories as inputs of their own.

        Args:
            X: As `predict` takes them.

        Returns:
            For each network float32 of shape (rows, inputs).
        """
        check_is_fitted(self, "ensemble_")
        return self.ensemble_.inputs(self._cells(X))

    def _learn(self, cells: np.ndarray, y: np.ndarray, classes: tuple[str, ...]) -> Self:
        """Compares, chooses and trains.

        Args:
            cells: Inputs, float64 of shape (rows, columns).
            y: Class numbers, int32, or numbers, float32, of shape (rows,).
            classes: The classes' names; none of a regression.
        """
        with _ONE_AT_A_TIME:
            return self._learnt(cells, y, classes)

    def _learnt(self, cells: np.ndarray, y: np.ndarray, classes: tuple[str, ...]) -> Self:
        seeds = self._seeds()
        size = (128 if len(y) >= MANY_ROWS else 32) if self.batch_size is None else self.batch_size
        check_scalar(size, "batch_size", Integral, min_val=1)
        check_scalar(self.epochs, "epochs", Integral, min_val=1)
        source = f"X as {type(self).__name__}.fit was given it, {len(y):,} rows"
        dataset = Dataset("X", cells, y, classes, source=source, columns=self._columns(cells), remarks=self._remarks())
        choice = self._choice(dataset, size, seeds)
        recipe = on_all_rows(
            self.recipes if choice is None or choice.search is None else [choice.recipe],
            choice.name if choice is not None and choice.search is None else None,
            dataset,
            self.network,
            size,
            self.epochs,
        )
        if choice is not None and (not self.refit or recipe.callbacks):
            self.ensemble_ = _of_study(choice, dataset, size)
        else:
            self.ensemble_ = _on_all(recipe, dataset, seeds, self.verbose)
        self.recipe_ = recipe.name if choice is None else choice.recipe
        self.result_: StudyResult | None = None if choice is None else choice.result
        self.search_: TuneResult | None = None if choice is None else choice.search
        self.validation_scores_ = {} if choice is None else dict(choice.validation)
        self.remarks_ = dataset.remarks
        return self

    def _choice(self, dataset: Dataset, size: int, seeds: tuple[int, ...]) -> Choice | None:
        """The recipe that is chosen; None where there is nothing to choose, or too few rows to choose by."""
        searching = self.search_minutes is not None or self.candidates is not None
        if not searching and self.refit and len(self.recipes) == 1:
            return None
        lacking = too_few_rows(dataset, size)
        if lacking:
            warnings.warn(
                f"too few rows to choose a recipe by: {lacking} The first recipe trains on all rows.", stacklevel=4
            )
            return None
        told: dict[str, Any] = {"epochs": self.epochs, "batch_size": size, "metric": self.metric}
        if searching:
            return chosen_of_search(
                kohort.tune(
                    dataset,
                    space=self.space,
                    minutes=self.search_minutes,
                    candidates=self.candidates,
                    seeds=len(seeds),
                    seed=seeds[0],
                    ingredients=False,
                    network=self.network,
                    verbose=self.verbose,
                    **told,
                )
            )
        study = Study(self.recipes, dataset, seeds=seeds, network=self.network, **told)
        return chosen_of_study(study.run(verbose=self.verbose))

    def _seeds(self) -> tuple[int, ...]:
        seeds = as_seeds(self.seeds)
        if self.random_state is None or not isinstance(self.seeds, int | np.integer):
            return seeds
        return as_seeds(sample_without_replacement(LARGEST_SEED // 4, len(seeds), random_state=self.random_state))

    def _columns(self, cells: np.ndarray) -> tuple[Column, ...]:
        if self._features is not None:
            return self._features.columns
        names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(cells.shape[1])])
        return tuple(
            Column(str(name), missing=bool(np.isnan(own).any())) for name, own in zip(names, cells.T, strict=True)
        )

    def _remarks(self) -> tuple[str, ...]:
        return () if self._features is None else self._features.remarks

    def _checked(self, X: Any, y: Any, **how: Any) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        """Cells and targets of rows to learn from; what the columns are is kept."""
        if not is_table(X):
            self._features: Features | None = None
            return _validated(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2, **how)
        _validated(self, X, y, skip_check_array=True)
        self._features, cells = features(X)
        targets = column_or_1d(y, warn=True)
        assert_all_finite(targets, input_name="y")
        check_consistent_length(cells, targets)
        return cells, targets

    def _cells(self, X: Any) -> np.ndarray:  # noqa: N803
        """Cells of rows to predict for."""
        if self._features is None:
            return _validated(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        if not hasattr(X, "columns"):
            raise DataError(
                f"X must be a data frame with the columns {', '.join(self._features.names[:10])}, as the one that was "
                f"learnt from. Got {type(X).__name__}."
            )
        _validated(self, X, reset=False, skip_check_array=True)
        return self._features.cells(X)


_validated: Any = validate_data  # whose declared result is that of no call of ours


class KohortClassifier(ClassifierMixin, _KohortEstimator):
    """A classifier that compares recipes of regularisation and predicts with an ensemble of the best one's networks.

    `fit` trains every recipe under every seed as one `kohort.Study`, chooses the recipe that does best on validation
    rows, on average over seeds, and trains it under the same seeds on all rows. `predict_proba` is the mean of these
    networks' probabilities. With `search_minutes` or `candidates` the recipe is searched by `kohort.tune` instead.

    Where rows are too few for training, validation and a test (fewer than 72 with batches of 32, or than 3 of a class),
    nothing can be chosen: the first recipe trains on all rows, with a warning, and `result_` is None.

    Args:
        recipes: What is compared, as `kohort.Study` takes it; the textbook's comparison by default. With one recipe
            there is nothing to choose, and only the networks on all rows are trained.
        seeds: How many networks of each recipe; 6, the fewest with which a verdict on a recipe is possible. Or the
            seeds themselves, whatever `random_state` is.
        epochs: Passes over the rows; 50 is the textbook's number.
        batch_size: Rows of a batch; None: 128, of fewer than 2,500 rows 32, as `kohort.tune` has it.
        network: What recipes are applied to, as `kohort.Study` takes it: by default a perceptron.
        metric: What recipes are judged and chosen by, as `kohort.Study` takes it; None: accuracy.
        search_minutes: Search a recipe for so long instead of comparing `recipes`; needs the extra `kohort[tune]`.
        candidates: Search a recipe among so many instead.
        space: What a search chooses from: `"cocktail"`, or a text as `kohort.tune` takes it.
        refit: Whether the chosen recipe trains again, on all rows, as `GridSearchCV` does. If not, the comparison's
            networks predict, each of which has seen 64 % of the rows. Those of a recipe with callbacks, such as early
            stopping, which needs validation rows, are always the comparison's.
        random_state: What seeds are drawn from, an int or a `RandomState`; None: the seeds 0, 1, …, the same each time.
        verbose: 0 silent, else a progress bar on standard error if that is a terminal.

    Attributes:
        classes_: The classes, sorted.
        recipe_: The recipe that predicts; after a search it is the plain network's if that did better.
        result_: The comparison, a `kohort.study.StudyResult` with its verdicts and report; of a search its final one,
            beside a tuned plain network; None where there was none. Its scores are of networks that have not seen all
            rows. After pickling it has no networks.
        search_: The search, a `kohort.tuner.result.TuneResult`; None where there was none, and after pickling.
        validation_scores_: Of each recipe, as `result_` calls it, its mean validation score over seeds, by which it was
            chosen; empty where there was nothing to choose.
        ensemble_: The networks.
        remarks_: What was found in the columns of a data frame, in sentences: those left out, and why.
        n_features_in_: The number of columns of X.
        feature_names_in_: Their names, where X was a data frame whose names are all texts.
    """

    classes_: np.ndarray

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Chooses a recipe and trains its networks.

        Args:
            X: Numbers of shape (rows, columns), NaN where missing; or a pandas or polars data frame whose columns may
                hold categories and dates, which `kohort.data.load` would read.
            y: Labels of any kind, of shape (rows,).

        Raises:
            ValueError: Rows or labels cannot be learnt from, or a recipe or option is none; as `kohort.DataError` or
                `kohort.RecipeError` where Kohort says so.
            TypeError: X is sparse, or an option is of another kind.
        """
        cells, labels = self._checked(X, y)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y must hold more than one class to learn. Got one class, {self.classes_[0]!r}.")
        return self._learn(cells, numbers.astype(np.int32), names_of(self.classes_.tolist()))

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """The probability of each class, the mean over networks, float64 of shape (rows, classes).

        Args:
            X: Rows as `fit` takes them.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: The columns are others than those that were learnt from.
        """
        check_is_fitted(self, "ensemble_")
        mean = self.ensemble_(self._cells(X))
        return mean / mean.sum(axis=1, keepdims=True)  # float32's softmax sums to 1 within 1e-7 only

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The most probable class of each row, of shape (rows,).

        Args:
            X: Rows as `fit` takes them.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: The columns are others than those that were learnt from.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]


class KohortRegressor(RegressorMixin, _KohortEstimator):
    """A regressor that compares recipes of regularisation and predicts with an ensemble of the best one's networks.

    It does what `KohortClassifier` does, and takes the same arguments and has the same attributes but `classes_`; its
    `metric` is by default the root of the mean squared error, and targets are centred and scaled by the training rows.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803
        """Chooses a recipe and trains its networks.

        Args:
            X: As `KohortClassifier.fit` takes it.
            y: Numbers of shape (rows,).

        Raises:
            ValueError: Rows or targets cannot be learnt from, or a recipe or option is none; as `kohort.DataError` or
                `kohort.RecipeError` where Kohort says so.
            TypeError: X is sparse, or an option is of another kind.
        """
        cells, targets = self._checked(X, y, y_numeric=True)
        return self._learn(cells, targets.astype(np.float32), ())

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The mean of the networks' predictions, float64 of shape (rows,).

        Args:
            X: Rows as `fit` takes them.

        Raises:
            NotFittedError: `fit` was not called.
            ValueError: The columns are others than those that were learnt from.
        """
        check_is_fitted(self, "ensemble_")
        return self.ensemble_(self._cells(X))[:, 0]


def _of_study(choice: Choice, dataset: Dataset, size: int) -> Ensemble:
    """The networks of a comparison, each of which sees rows scaled by its own training rows."""
    assert choice.result is not None
    assert dataset.columns is not None
    runs = [run for run in choice.result.runs.of(choice.name) if run.outcome.finished]
    networks = []
    for run in runs:
        assert run.seed is not None
        train = split(dataset, run.seed, size).train
        networks.append(network_of(run, encoding_of(dataset.x[train], dataset.columns), dataset.targets(train)))
    return Ensemble(runs[0].model(), networks)


def _on_all(recipe: Recipe, dataset: Dataset, seeds: Sequence[int], verbose: int) -> Ensemble:
    """Networks of a recipe that train on all rows."""
    if recipe.callbacks:
        raise RecipeError(
            f"recipe {recipe.name!r} watches validation rows, of which there are none where it trains on all rows. "
            "Pass several recipes and more rows, refit=False, or leave early stopping out."
        )
    assert dataset.columns is not None
    encoding, targets = encoding_of(dataset.x, dataset.columns), dataset.targets(np.arange(dataset.rows))
    plain = {recipe.name: replace(recipe, epochs=None, batch_size=None)}
    told = {"epochs": recipe.epochs, "batch_size": recipe.batch_size, "verbose": verbose}
    runs = fit(plain, encoding(dataset.x), targets.values, seeds=seeds, **told)
    finished = [run for run in runs.values() if run.outcome.finished]
    if not finished:
        raise RecipeError(f"recipe {recipe.name!r} must train to its end. Got {len(runs)} runs that diverged.")
    if len(finished) < len(runs):
        warnings.warn(
            f"{len(runs) - len(finished)} of {len(runs)} networks of recipe {recipe.name!r} diverged on all rows and "
            "have no part in the ensemble.",
            stacklevel=5,
        )
    return Ensemble(finished[0].model(), [network_of(run, encoding, targets) for run in finished])
