"""A run, one recipe trained with one seed, as a frozen record; nothing here needs Keras or JAX.

This is the waist of the house: the making half (data, recipes, cohorts) ends in runs, and the reading half
(statistics, reports) begins with them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from kohort.errors import KohortError
from kohort.notebook import table_html

Key = TypeVar("Key")

DIAGNOSTICS: Mapping[str, str] = {
    "weight_norm": "after each epoch, the L2 norm of all trainable weights",
    "gradient_norm": "after each epoch, the L2 norm of the gradient, penalties included, of its last batch; NaN where "
    "not known",
    "zeros": "the share of exact zeros among the kernels (trainable weights of two axes or more), at the end",
    "near_zeros": "the share of the kernels' weights that are below 1e-3 in magnitude, at the end",
    "dead_units": "the share of ReLU units that are 0 for every test row; there are none without ReLU",
    "weights": "how many of the kernels' weights lie between two neighbours of WEIGHT_EDGES, at the end",
    "seconds": "its share of the seconds that its cohort took, by the epochs that it trained",
    "confusion": "how many test rows of each class were given each class, (true, given) row after row, at the end; of "
    "50 classes at the most",
    "reliability": "test rows by the probability of the class they were given, in 15 bins of equal width: how many, "
    "then the sums of these probabilities, then how many were given the right class",
    "residuals": "of a regression, the percentiles 0, 1, …, 100 of prediction − target over the test rows, in units of "
    "the target",
}
"""What is measured of a run besides its logs, in words; all float64, of one number unless they say otherwise."""

ONE_NUMBER = ("weight_norm", "gradient_norm", "zeros", "near_zeros", "dead_units", "seconds")
"""Those that are one number, at the end at least."""

MOST_CONFUSED = 50
"""Classes of which a confusion matrix is kept: of more it is neither read nor small."""

NEAR_ZERO = 1e-3
"""A weight that is nearer to zero is near zero. Weights of 0.1 are usual; proximal L1 makes exact zeros, and L1 by
subgradients leaves weights swinging around zero by about the learning rate, 1e-3."""

_MAGNITUDES = 10.0 ** np.arange(-6, 2.25, 0.25)
WEIGHT_EDGES: np.ndarray = np.concatenate([-_MAGNITUDES[::-1], _MAGNITUDES])
"""Edges of histograms of weights: four to the decade from 1e-6 to 100 on either side of zero; what lies beyond the
outermost counts to the outermost bins."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        diverged_at: The epoch (from 0) at whose end a log or a trainable weight was first not finite, or None.
    """

    diverged_at: int | None = None

    @property
    def finished(self) -> bool:
        """Whether the run ended with finite losses and weights."""
        return self.diverged_at is None

    def __str__(self) -> str:
        return "finished" if self.finished else f"diverged at epoch {self.diverged_at}"


@dataclass(frozen=True)
class FitPace:
    """What a recipe costs by plain `model.fit`, in seconds.

    Attributes:
        first: To build and compile a model and train its first epoch.
        epoch: To train each later epoch.
    """

    first: float
    epoch: float


@dataclass(frozen=True)
class Failure:
    """A run that gave no usable network, and why.

    Attributes:
        recipe: The recipe's name.
        seed: The seed.
        kind: `"diverged"`: a loss or weight was not finite; `"out of memory"`: it did not fit, even alone;
            `"refused"`: no cohort can train it; `"interrupted"`: its process ended before it did; `"running"`: a
            process trains it.
        cause: Why, in words; empty where the kind says all.
        epoch: How many epochs it had trained, or in which (from 0) it diverged; None if that is not known.
    """

    recipe: str
    seed: int | None
    kind: Literal["diverged", "out of memory", "refused", "interrupted", "running"]
    cause: str = ""
    epoch: int | None = None

    def __str__(self) -> str:
        when = "" if self.epoch is None else f" at epoch {self.epoch}"
        return f"{self.recipe}, seed {self.seed}: {self.kind}{when}{f': {self.cause}' if self.cause else ''}"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a run's final weights do on rows that it neither trained nor validated on.

    Attributes:
        rows: The numbers of these rows in the dataset, of shape (rows,).
        outcomes: What each row contributes, float32 of shape (rows,); their mean is the score. Of accuracy: 1 where
            the class was right, else 0. Of a metric that is no mean (AUC, F1, …): the score plus the row's influence
            on it.
        metric: The metric's name.
        greater_is_better: Whether one wants it high.
    """

    rows: np.ndarray
    outcomes: np.ndarray
    metric: str = "accuracy"
    greater_is_better: bool = True

    @property
    def score(self) -> float:
        """The metric on these rows."""
        return float(np.mean(self.outcomes, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Run:
    """One recipe trained with one seed.

    Attributes:
        recipe: The recipe's name.
        seed: The seed, or None where given models were trained from the weights they had.
        history: Keras' `History.history`: log name -> one value per epoch.
        outcome: How it ended.
        weights: The weights as `model.get_weights()` orders them, after the last epoch.
        params: Keras' `History.params`: epochs, steps per epoch, verbosity.
        test: How the final weights do on test rows; None where there are none.
        first_epoch: The number of the first epoch that was trained.
        callbacks: The run's own Keras callbacks, as its training left them.
        why_by_fit: Why the run was trained by plain `model.fit`; empty where it trained in a cohort.
        diagnostics: What was measured of weights, gradients and units; see `DIAGNOSTICS`. Empty where nothing was.
        plan: How its cohort lay on the machine, in words; empty where `fit` trained it or nothing tells.
    """

    recipe: str
    seed: int | None
    history: dict[str, list[float]]
    outcome: Outcome
    weights: tuple[np.ndarray, ...] = field(repr=False)
    params: dict[str, Any] = field(repr=False)
    rebuild: Callable[[], Any] | None = field(default=None, repr=False)
    test: Evaluation | None = field(default=None, repr=False)
    first_epoch: int = field(default=0, repr=False)
    callbacks: tuple[Any, ...] = field(default=(), repr=False)
    why_by_fit: str = ""
    diagnostics: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    plan: str = field(default="", repr=False)

    def _repr_html_(self) -> str:
        """A table for notebooks: how it ended, its test score, and each log in its last epoch."""
        rows = [("outcome", str(self.outcome)), ("epochs", str(len(self.epoch)))]
        if self.test is not None:
            rows.append((f"test {self.test.metric}", f"{self.test.score:.4g}"))
        rows += [(name, f"{values[-1]:.4g}") for name, values in self.history.items() if values]
        return table_html((), rows, f"{self.recipe}{'' if self.seed is None else f', seed {self.seed}'}")

    @property
    def epoch(self) -> list[int]:
        """The epochs trained, counted from 0, like Keras' `History.epoch`."""
        trained = max(map(len, self.history.values()), default=0)
        return list(range(self.first_epoch, self.first_epoch + trained))

    def gap(self, log: str = "loss") -> float:
        """The training value of a log less its validation value, after the last epoch.

        Overfitting makes it negative for a loss and positive for an accuracy. Keras measures the training value with
        dropout and augmentation at work and over the epoch, so that heavily regularised runs have a gap of the other
        sign.

        Args:
            log: Its name, without `val_`.

        Raises:
            KohortError: The run did not log it on training and validation rows.
        """
        if not self.history.get(log) or not self.history.get(f"val_{log}"):
            raise KohortError(f"the run must have logged {log!r} and 'val_{log}'. Got {', '.join(self.history)}.")
        return self.history[log][-1] - self.history[f"val_{log}"][-1]

    def validation_score(self) -> float | None:
        """The metric that it is judged by, on its own validation rows after its last epoch; None if not logged.

        Of a recipe that averages weights when training ends it is that of the weights before.
        """
        values = None if self.test is None else self.history.get(f"val_{self.test.metric}")
        return values[-1] if values else None

    def model(self) -> Any:
        """The trained model, an ordinary compiled `keras.Model`, with its optimiser's state: it saves, predicts
        and goes on with `fit`.

        Where given models were trained (no seeds) it is the very model; else it is built anew at each call.
        """  # noqa: D205
        if self.rebuild is None:
            raise KohortError(
                f"the run of recipe {self.recipe!r} with seed {self.seed} carries no way to build its model. "
                "Build it yourself and call set_weights(run.weights)."
            )
        return self.rebuild()


def best_validated(runs: Iterable[Run]) -> Run | None:
    """The run that does best on its own validation rows; None where none has a finite score there."""
    scores = [(score, run) for run in runs if (score := run.validation_score()) is not None and math.isfinite(score)]
    if not scores:
        return None
    test = scores[0][1].test
    choose = max if test is None or test.greater_is_better else min
    return choose(scores, key=lambda one: one[0])[1]


def diverged(runs: Iterable[Run]) -> tuple[Failure, ...]:
    """The failures of runs that trained to their end and diverged."""
    found = [(run, run.outcome.diverged_at) for run in runs]
    return tuple(Failure(run.recipe, run.seed, "diverged", epoch=epoch) for run, epoch in found if epoch is not None)


def comparable(runs: Mapping[tuple[str, int], Run]) -> dict[tuple[str, int], Run]:
    """The runs of the recipes that have any, under the seeds that all of these have; perhaps none."""
    recipes = dict.fromkeys(recipe for recipe, _ in runs)
    seeds = dict.fromkeys(seed for _, seed in runs)
    shared = [seed for seed in seeds if all((recipe, seed) in runs for recipe in recipes)]
    return {(recipe, seed): runs[recipe, seed] for recipe in recipes for seed in shared}


def first_not_finite(values: Sequence[float]) -> int | None:
    """The index of the first value that is NaN or infinite; None if all are finite."""
    return next((index for index, value in enumerate(values) if not math.isfinite(value)), None)


class Runs(Mapping[Key, Run], Generic[Key]):
    """Runs by key, in the order of the recipes and then of the seeds.

    The key is `(recipe, seed)`; where only one recipe was given it is the seed, and where no seeds were given it
    is the recipe's name.

    Args:
        runs: Key -> run.
        separate: Why recipes did not train in one program, a sentence for each cohort after the first.
        cohorts: The recipes that trained together, a tuple of names per cohort.
    """

    def __init__(
        self,
        runs: Mapping[Key, Run],
        *,
        cohorts: Sequence[tuple[str, ...]] = (),
        separate: Sequence[str] = (),
    ):
        self._runs = dict(runs)
        self.cohorts = tuple(cohorts)
        self.separate = tuple(separate)

    def __getitem__(self, key: Key) -> Run:
        try:
            return self._runs[key]
        except KeyError:
            known = ", ".join(map(repr, list(self._runs)[:6])) + (", …" if len(self) > 6 else "")
            raise KeyError(f"no run {key!r}; there are {len(self)} runs: {known}") from None

    def __iter__(self) -> Iterator[Key]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def of(self, recipe: str) -> list[Run]:
        """The runs of one recipe, in the order of the seeds."""
        return [run for run in self.values() if run.recipe == recipe]

    def explain(self) -> str:
        """How the runs were trained: for each cohort its recipes and how it lay on the machine; why there are several.

        >>> print(runs.explain())  # doctest: +SKIP
        none + l2: 40 runs: 2 of 2 cpu devices, one member after another on each: a member fits into a core's cache; …
        """
        lines = []
        for names in dict.fromkeys(self.cohorts):  # one that memory did not hold trained in parts
            own = [run for run in self.values() if run.recipe in names]
            for plan in dict.fromkeys(run.plan for run in own):
                count = sum(run.plan == plan for run in own)
                lines.append(f"{' + '.join(names)}: {count} runs: {plan or 'trained before'}")
        for run in {run.recipe: run for run in self.values() if run.why_by_fit}.values():
            lines.append(f"{run.recipe}: by model.fit: {run.why_by_fit}")
        return "\n".join([*lines, *self.separate])

    @property
    def epochs_planned(self) -> int:
        """The epochs of all runs, had each trained to its last."""
        return sum(run.params["epochs"] - run.first_epoch for run in self.values())

    @property
    def epochs_trained(self) -> int:
        """The epochs that all runs trained; fewer than planned where callbacks stopped some."""
        return sum(len(run.epoch) for run in self.values())

    def __repr__(self) -> str:
        recipes = list(dict.fromkeys(run.recipe for run in self.values()))
        diverged = sum(not run.outcome.finished for run in self.values())
        told = f", {diverged} diverged" if diverged else ""
        stopped = sum(len(run.epoch) < run.params["epochs"] - run.first_epoch for run in self.values())
        if stopped:
            told += f", {stopped} stopped early: {self.epochs_trained} of {self.epochs_planned} epochs"
        return f"<{len(self)} runs of {len(recipes)} recipes ({', '.join(recipes)}){told}>"
