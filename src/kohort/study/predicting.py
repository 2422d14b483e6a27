"""What a study's networks predict: each of a recipe, all together, or one with dropout at work."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import keras
import numpy as np

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import state_of, weight_positions
from kohort.cohort.outcomes import Measure
from kohort.cohort.predict import ROWS_AT_ONCE, predict
from kohort.data.dataset import Dataset
from kohort.data.splitting import Split, split
from kohort.errors import DataError, RecipeError
from kohort.run import Evaluation, Run
from kohort.statistics.calibration import Calibration, calibration

Rows = Literal["test", "validation"] | np.ndarray
"""Rows of a study's data, or others as `Dataset.x` holds them, of shape (rows, …), neither scaled nor encoded."""

DROPOUTS = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)  # spatial dropout is one


@dataclass(frozen=True, eq=False)
class Predictions:
    """What several networks, or passes through one, predict for rows.

    Attributes:
        recipe: The recipe.
        seeds: The seeds of the networks.
        each: What each predicts, (networks or passes, rows, classes) of probabilities, or (…, rows, 1) of numbers in
            units of the target.
        classes: The classes' names; none of a regression.
        evaluation: How the mean does on the test rows; None of other rows.
    """

    recipe: str
    seeds: tuple[int, ...]
    each: np.ndarray = field(repr=False)
    classes: tuple[str, ...] = ()
    evaluation: Evaluation | None = field(default=None, repr=False)

    @property
    def mean(self) -> np.ndarray:
        """What they predict together: the mean of probabilities or numbers, (rows, outputs)."""
        return self.each.mean(axis=0)

    @property
    def spread(self) -> np.ndarray:
        """The standard deviation between them, (rows, outputs)."""
        return self.each.std(axis=0, ddof=1 if len(self.each) > 1 else 0)

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each row by its name, (rows,).

        Raises:
            DataError: It is a regression.
        """
        return np.array(self._of_classes())[self.mean.argmax(axis=1)]

    @property
    def entropy(self) -> np.ndarray:
        """How unsure they are together of each row's class, in nats: from 0 to log of the number of classes, (rows,).

        Raises:
            DataError: It is a regression.
        """
        self._of_classes()
        return _entropy(self.mean)

    @property
    def disagreement(self) -> np.ndarray:
        """The part of the entropy that is between them and not within each, (rows,).

        It is the mutual information of class and network (Gal 2016, Uncertainty in Deep Learning, §3.3.1): high where
        each is sure of another class, 0 where all say the same; more data would lower it.

        Raises:
            DataError: It is a regression.
        """
        return self.entropy - _entropy(self.each).mean(axis=0)

    def _of_classes(self) -> tuple[str, ...]:
        if not self.classes:
            raise DataError("only classes have labels and entropies. Got a regression. Look at mean and spread.")
        return self.classes


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    safe = np.maximum(probabilities.astype(np.float64), np.finfo(np.float64).tiny)
    return -(probabilities * np.log(safe)).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Predictor:
    """Lets a study's networks predict.

    Attributes:
        dataset: What they learnt.
        batch_size: Rows of a batch, which decides how rows were cut.
        measure: What they are judged by.
    """

    dataset: Dataset
    batch_size: int
    measure: Measure

    def ensemble(self, runs: Sequence[Run], rows: Rows = "test") -> Predictions:
        """What networks of one recipe predict.

        Args:
            runs: Their runs, all finished.
            rows: For which rows; of `"validation"` each network has its own.
        """
        splits = [self._split(run) for run in runs]
        inputs = [self._inputs(own, rows) for own in splits]
        outputs = zip(self._outputs(runs, inputs), splits, strict=True)
        each = np.stack([self.dataset.targets(own.train).in_units(found) for found, own in outputs])
        return self._told(runs, each, rows, splits[0])

    def validated(self, runs: Sequence[Run]) -> tuple[float, ...]:
        """The metric of each network on its own validation rows.

        Args:
            runs: Runs of one recipe, all finished.
        """
        rows = [self._split(run).validation for run in runs]
        every = zip(rows, self.ensemble(runs, "validation").each, strict=True)
        return tuple(self.measure.evaluation(own, self.dataset.y[own], told).score for own, told in every)

    def monte_carlo(self, run: Run, rows: Rows, passes: int, seed: int) -> Predictions:
        """What one network predicts with dropout at work.

        Args:
            run: Its run.
            rows: For which rows.
            passes: How often.
            seed: Fixes the masks.

        Raises:
            DataError: There is not one pass at least.
            RecipeError: The network has no dropout.
        """
        if not isinstance(passes, int | np.integer) or isinstance(passes, bool) or passes < 1:
            raise DataError(f"passes must be a whole number of at least 1. Got {passes!r}.")
        own = self._split(run)
        outputs = monte_carlo(run, self._inputs(own, rows), int(passes), seed)
        return self._told([run], self.dataset.targets(own.train).in_units(outputs), rows, own)

    def calibration(self, runs: Sequence[Run], bins: int) -> Calibration:
        """How far probabilities of some networks can be believed.

        Args:
            runs: Their runs.
            bins: Bins of confidence.

        Raises:
            DataError: It is a regression.
        """
        if not self.dataset.classes:
            raise DataError("only probabilities of classes can be calibrated. Got a regression.")
        splits = [self._split(run) for run in runs]
        held_out = [np.concatenate([own.validation, own.test]) for own in splits]
        inputs = [self.dataset.inputs(own.train)[rows] for own, rows in zip(splits, held_out, strict=True)]
        count = len(splits[0].validation)
        told = [
            (outputs, self.dataset.y[rows]) for outputs, rows in zip(self._outputs(runs, inputs), held_out, strict=True)
        ]
        validation = [(outputs[:count], labels[:count]) for outputs, labels in told]
        test = [(outputs[count:], labels[count:]) for outputs, labels in told]
        return calibration(runs[0].recipe, [_seed(run) for run in runs], validation, test, bins)

    def test_inputs(self, run: Run) -> np.ndarray:
        """The test rows as a network sees them.

        Args:
            run: The network's run.
        """
        return self._inputs(self._split(run), "test")

    def _outputs(self, runs: Sequence[Run], inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What each network gives for its rows, in one program."""
        model = runs[0].model()
        first, positions = state_of(model), weight_positions(model)
        states = []
        for run in runs:
            state = list(first)
            for position, weight in zip(positions, run.weights, strict=True):
                state[position] = weight
            states.append(state)
        pool = Arrays((np.concatenate(inputs),), jax.tree.structure(0))
        rows = np.arange(len(pool.leaves[0])).reshape(len(runs), -1)
        found = {member: outputs for member, outputs, _ in predict([model], [0] * len(runs), states, pool, rows)}
        return [found[member] for member in range(len(runs))]

    def _split(self, run: Run) -> Split:
        return split(self.dataset, _seed(run), self.batch_size)

    def _inputs(self, own: Split, rows: Rows) -> np.ndarray:
        check_rows(rows)
        if isinstance(rows, str):
            return self.dataset.inputs(own.train)[getattr(own, rows)]
        return self.dataset.inputs_of(rows, own.train)

    def _told(self, runs: Sequence[Run], each: np.ndarray, rows: Rows, own: Split) -> Predictions:
        evaluation = None
        if isinstance(rows, str) and rows == "test":
            evaluation = self.measure.evaluation(own.test, self.dataset.y[own.test], each.mean(axis=0))
        seeds = tuple(_seed(run) for run in runs)
        return Predictions(runs[0].recipe, seeds, each, self.dataset.classes, evaluation)


def check_rows(rows: Rows) -> None:
    """Refuses words that name no rows.

    Raises:
        DataError: They do not.
    """
    if isinstance(rows, str) and rows not in ("test", "validation"):
        raise DataError(f"rows must be 'test', 'validation' or an array. Got {rows!r}.")


def _seed(run: Run) -> int:
    assert run.seed is not None
    return run.seed


def monte_carlo(run: Run, inputs: np.ndarray, passes: int, seed: int) -> np.ndarray:
    """What a network gives in several passes with dropout at work and all else as in prediction.

    A pass is a draw from an approximate posterior of networks (Gal & Ghahramani 2016, Dropout as a Bayesian
    Approximation, §4).

    Args:
        run: The network's run.
        inputs: Rows as it sees them.
        passes: How many.
        seed: Fixes the masks.

    Returns:
        Its outputs, (passes, rows, outputs).

    Raises:
        RecipeError: The network has no dropout.
    """
    model = run.model()
    dropouts = [layer for layer in model._flatten_layers() if isinstance(layer, DROPOUTS)]
    if not any(layer.rate for layer in dropouts):
        raise RecipeError(
            f"recipe {run.recipe!r} must have dropout for its passes to differ. Got none. Train one with dropout, or "
            "look at the ensemble over its seeds."
        )
    trainable = [variable.value for variable in model.trainable_variables]
    others = _reseeded(model.non_trainable_variables, seed)

    @jax.jit
    def one_pass(trainable: Any, others: Any, batch: Any) -> tuple[Any, Any]:
        with _at_work(dropouts):
            return model.stateless_call(trainable, others, batch, training=False)

    found = []
    for _ in range(passes):
        batches = []
        for first in range(0, len(inputs), ROWS_AT_ONCE):
            outputs, others = one_pass(trainable, others, inputs[first : first + ROWS_AT_ONCE])
            batches.append(np.asarray(outputs))
        found.append(np.concatenate(batches))
    return np.stack(found)


def _reseeded(variables: Sequence[Any], seed: int) -> list[Any]:
    """The values of variables, with those of seed generators begun anew."""
    values = []
    for place, variable in enumerate(variables):
        drawn = variable.name == "seed_generator_state"
        own = np.random.SeedSequence([seed, place]).generate_state(1)[0]
        values.append(np.array([own, 0], variable.dtype) if drawn else variable.value)
    return values


@contextmanager
def _at_work(dropouts: Sequence[Any]) -> Iterator[None]:
    """Lets dropout layers do in prediction what they do in training."""

    def call_of(layer: Any) -> Any:
        return lambda inputs, training=None, **named: type(layer).call(layer, inputs, training=True, **named)

    for layer in dropouts:
        layer.__dict__["call"] = call_of(layer)
    try:
        yield
    finally:
        for layer in dropouts:
            del layer.__dict__["call"]


def chosen(runs: Mapping[tuple[str, int], Run], recipe: str, seeds: Sequence[int] | None) -> list[Run]:
    """The runs of a recipe, under some seeds, that finished.

    Raises:
        RecipeError: There is none.
        DataError: A seed was not trained.
    """
    own = {seed: run for (name, seed), run in runs.items() if name == recipe}
    if not own:
        names = ", ".join(dict.fromkeys(name for name, _ in runs))
        raise RecipeError(f"the recipe must be one of {names}. Got {recipe!r}.")
    missing = [seed for seed in seeds or () if seed not in own]
    if missing:
        raise DataError(f"seeds must be among {', '.join(map(str, own))}. Got {', '.join(map(str, missing))}.")
    finished = [own[seed] for seed in (own if seeds is None else seeds) if own[seed].outcome.finished]
    if not finished:
        raise RecipeError(f"recipe {recipe!r} must have a run that finished. Got {len(own)} that diverged.")
    return finished
