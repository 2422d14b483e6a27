"""What a study is when it has run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from kohort.errors import DataError, RecipeError
from kohort.exports.card import write_card
from kohort.exports.network import WRITERS, export
from kohort.exports.script import write_script
from kohort.notebook import list_html
from kohort.recipes.recipe import Recipe
from kohort.report.document import Document, document
from kohort.report.files import write_report
from kohort.report.plots import Plots
from kohort.report.sentences import verdict_sentences
from kohort.run import Failure, FitPace, Run, Runs, best_validated, diverged
from kohort.statistics.calibration import BINS, Calibration
from kohort.statistics.comparison import Comparison, compare
from kohort.statistics.spending import Looks
from kohort.store.facts import facts_of
from kohort.store.identity import Identity
from kohort.study.plan import Plan
from kohort.study.predicting import Predictions, Predictor, Rows, chosen
from kohort.trackers.sending import send
from kohort.trackers.tracker import Tracker


@dataclass(frozen=True)
class StudyResult:
    """A study that has run.

    Attributes:
        plan: What was asked.
        runs: Every run, by (recipe, seed), with its evaluation on the test rows. A regression learns targets that are
            centred and scaled, and its logs are of those, except for the logs of the study's metric, which are in
            units of the target (and left out where the metric does not allow that).
        source: Where the data comes from.
        cut: How the rows were cut, in words.
        remarks: What was found in the data, in sentences.
        seconds: Wall-clock seconds for everything: building, compiling, training, testing.
        environment: Versions and devices.
        looks: Where seeds came in rounds: the looks at them before the last.
        ended: Why no more seeds were trained, where seeds came in rounds; else empty.
        mended: What was found damaged in the study's folder, and what was done about it.
        unfinished: The runs that could not be trained.
        predictor: Lets the networks predict.
        code: The recipes as code: name -> source.
        by_fit: What each recipe costs by plain `model.fit`, where that was timed.
        recipes: The recipes.
        identity: What the study is, by which trackers know it again; None where no study ran.
    """

    plan: Plan
    runs: Runs[tuple[str, int]]
    source: str
    seconds: float
    environment: Mapping[str, str]
    cut: str = ""
    remarks: tuple[str, ...] = ()
    looks: Looks | None = None
    ended: str = ""
    mended: tuple[str, ...] = ()
    unfinished: tuple[Failure, ...] = ()
    predictor: Predictor | None = field(default=None, repr=False)
    code: Mapping[str, str] = field(default_factory=dict, repr=False)
    by_fit: Mapping[str, FitPace] = field(default_factory=dict, repr=False)
    recipes: tuple[Recipe, ...] = field(default=(), repr=False)
    identity: Identity | None = field(default=None, repr=False)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All runs that gave no usable network, and why: those that diverged, and those that could not be trained."""
        return (*diverged(self.runs.values()), *self.unfinished)

    @cached_property
    def comparison(self) -> Comparison:
        """The recipes side by side, with a verdict on each; those are left out of which a run could not be trained.

        Raises:
            RecipeError: The baseline is one of these.
        """
        plan = self.plan
        left_out = {failure.recipe: failure for failure in reversed(self.unfinished)}
        if plan.baseline in left_out:
            raise RecipeError(
                f"the baseline must have trained under every seed. Got {left_out[plan.baseline]}. Compare with another "
                "recipe."
            )
        runs = {key: run for key, run in self.runs.items() if run.recipe not in left_out}
        return compare(runs, plan.baseline, smallest_effect=plan.smallest_effect, looks=self.looks)

    def document(self, command: str = "") -> Document:
        """What a report says of it, as records.

        Args:
            command: The command that makes it again, where there is one.
        """
        return document(
            self.comparison,
            self.runs,
            dataset=self.plan.dataset[0],
            how=self.facts(),
            command=command,
            classes=() if self.predictor is None else self.predictor.dataset.classes,
            failures=self.failures,
            code=self.code,
            by_fit=self.by_fit,
            seconds=self.seconds,
            strengths=self.plan.strengths,
        )

    def told(self) -> Document | None:
        """What trackers are told: the report, or None where the baseline has not trained under every seed."""
        return None if any(failure.recipe == self.plan.baseline for failure in self.unfinished) else self.document()

    def log_to(self, *trackers: Tracker) -> None:
        """Tells trackers of the runs and the verdicts; what they know of it already they are not told again.

        Args:
            *trackers: `kohort.trackers.MLflow(…)`, `kohort.trackers.TensorBoard(…)`.

        Raises:
            DataError: The result is not one of a study that ran.
            KohortError: A tracker fails.
        """
        if self.identity is None:
            raise DataError("trackers are told of studies that ran. Got another result. Make it by Study.run().")
        for tracker in trackers:
            send(tracker, self.identity, self.runs.values(), self.told)

    @property
    def plot(self) -> Plots:
        """Its charts: `result.plot.forest()`, `.scores()`, `.curves()`, `.dose_response()`, `.weights()`, …."""
        return Plots(self.document())

    def report(self, path: str | Path, *, interactive: bool = True) -> Path:
        """Writes the report: one HTML file that needs nothing else, or Markdown with its figures in a folder beside it.

        Args:
            path: The file, which ends in `.html` or `.md`.
            interactive: Of HTML: whether charts answer to a pointer and recipes can be hidden, for 0.9 MB of script.

        Returns:
            The file.

        Raises:
            DataError: The name ends otherwise, or the file cannot be written.
        """
        return write_report(self.document(), Path(path), interactive=interactive)

    def _repr_html_(self) -> str:
        """The comparison as a table and the verdicts in words, for notebooks."""
        return self.comparison._repr_html_() + list_html(verdict_sentences(self.comparison))

    def best(self) -> Run:
        """The run that does best on its own validation rows after its last epoch; the test rows have no say in it.

        Its test score is therefore honest, but for the optimism of a choice among few: see `comparison.regret`.

        Raises:
            DataError: Runs did not log the study's metric on validation rows.
        """
        found = best_validated(self.runs.values())
        if found is None:
            logged = ", ".join(next(iter(self.runs.values())).history)
            raise DataError(
                f"runs must have logged 'val_{self.plan.metric}' for the best to be chosen on validation rows. "
                f"Got {logged}. Choose among result.runs yourself."
            )
        return found

    def model(self, recipe: str, seed: int) -> Any:
        """A trained network, an ordinary compiled `keras.Model`.

        Args:
            recipe: Its recipe.
            seed: Its seed.

        Raises:
            KeyError: There is no such run.
            StudyError: Its weights were not kept.
        """
        return self.runs[recipe, seed].model()

    def export(self, recipe: str, seed: int, path: str | Path) -> Path:
        """Writes a trained network as the file's name says: `.keras`, `.onnx`, or `.py`.

        The first two are as `kohort.export` writes them, an ONNX file compared with the network on the test rows. A
        script trains the network again, with Keras alone; the rows that it trains on are written beside it, in a file
        of its name that ends in `.npz`.

        Args:
            recipe: The network's recipe.
            seed: Its seed.
            path: The file.

        Returns:
            The file.

        Raises:
            DataError: The name ends otherwise, or the file cannot be written.
            KeyError: There is no such run.
            NotSupportedError: ONNX has no such network.
            RecipeError: A script is asked for of the user's own function, which is code already.
            StudyError: The run's weights were not kept.
        """
        path, run = Path(path), self.runs[recipe, seed]
        if path.suffix == ".py":
            own = self.recipe(recipe)
            if recipe in self.plan.texts:
                own = replace(own, name=f"{recipe}: {self.plan.texts[recipe]}")
            measured = (
                (f"The run of seed {seed}: {self.plan.metric} {run.test.score:.6g} on the test rows in the study.",)
                if run.test is not None
                else ()
            )
            return write_script(own, seed, self._predictor.dataset, self.plan.batch_size, path, measured)
        if path.suffix not in WRITERS:
            raise DataError(f"a network's file must end in {', '.join(WRITERS)} or .py. Got {path.name!r}.")
        return export(run, path, rows=self._predictor.test_inputs(run) if path.suffix == ".onnx" else None)

    def card(self, path: str | Path, recipe: str | None = None, seed: int | None = None) -> Path:
        """Writes the model card of a network: data, recipe, scores with their intervals, the verdict, versions, limits.

        Args:
            path: The file, which ends in `.md`.
            recipe: The network's recipe; with `seed` None too, that of `best()`.
            seed: Its seed.

        Returns:
            The file.

        Raises:
            DataError: One of recipe and seed is told without the other, or the file cannot be written.
            KeyError: There is no such run.
        """
        if (recipe is None) != (seed is None):
            raise DataError(f"a network has a recipe and a seed. Got {recipe!r} and {seed!r}. Pass both, or neither.")
        chosen = self.best() if recipe is None or seed is None else self.runs[recipe, seed]
        return write_card(self.document(), chosen, Path(path), chosen=recipe is None)

    def ensemble(self, recipe: str, rows: Rows = "test", *, seeds: Sequence[int] | None = None) -> Predictions:
        """What a recipe's networks predict, each and together: the mean of their probabilities, or of their numbers.

        Args:
            recipe: The recipe.
            rows: `"test"`, `"validation"`, or other rows as the dataset holds them, neither scaled nor encoded.
            seeds: Which networks; all that finished if None.

        Raises:
            DataError: The rows or seeds cannot be used.
            RecipeError: There is no such recipe, or none of its runs finished.
            StudyError: Their weights were not kept.
        """
        return self._predictor.ensemble(chosen(self.runs, recipe, seeds), rows)

    def validation_scores(self, recipe: str, *, seeds: Sequence[int] | None = None) -> tuple[float, ...]:
        """How a recipe's networks, as training left them, do on the validation rows of their own seeds.

        Mostly what they logged last. Where training ends with other weights than those that it validated, such as
        averages, it is what choices are to be made by.

        Args:
            recipe: The recipe.
            seeds: Which networks; all that finished if None.

        Raises:
            RecipeError: There is no such recipe, or none of its runs finished.
            StudyError: Their weights were not kept.
        """
        return self._predictor.validated(chosen(self.runs, recipe, seeds))

    def recipe(self, name: str) -> Recipe:
        """A recipe by its name.

        Raises:
            KeyError: There is none of that name.
        """
        return {own.name: own for own in self.recipes}[name]

    def monte_carlo(
        self, recipe: str, seed: int, rows: Rows = "test", *, passes: int = 100, masks: int = 0
    ) -> Predictions:
        """What one network predicts with dropout at work, in several passes: how unsure it is (Gal & Ghahramani 2016).

        Args:
            recipe: A recipe with dropout.
            seed: The network's seed.
            rows: As `ensemble` takes them.
            passes: How many; with 100 a spread is known to 7 %.
            masks: Fixes the masks.

        Raises:
            DataError: The rows or passes cannot be used.
            RecipeError: There is no such recipe, it has no dropout, or its run diverged.
            StudyError: Its weights were not kept.
        """
        (run,) = chosen(self.runs, recipe, [seed])
        return self._predictor.monte_carlo(run, rows, passes, masks)

    def calibration(self, recipe: str, *, seeds: Sequence[int] | None = None, bins: int = BINS) -> Calibration:
        """How far a recipe's probabilities can be believed on the test rows, as they are and after a temperature.

        Each network's temperature is fitted on its own validation rows (Guo et al. 2017).

        Args:
            recipe: The recipe.
            seeds: Which networks; all that finished if None.
            bins: Bins of confidence.

        Raises:
            DataError: It is a regression, or the seeds cannot be used.
            RecipeError: There is no such recipe, or none of its runs finished.
            StudyError: Their weights were not kept.
        """
        return self._predictor.calibration(chosen(self.runs, recipe, seeds), bins)

    @property
    def _predictor(self) -> Predictor:
        if self.predictor is None:
            raise DataError("a result must come from Study.run for its networks to predict. Got one without data.")
        return self.predictor

    def __str__(self) -> str:
        """The verdicts in words."""
        verdicts = self.comparison.verdicts
        return str(verdicts) if verdicts is not None else f"{len(self.runs)} runs of {', '.join(self.plan.recipes)}"

    def facts(self) -> dict[str, str]:
        """How the runs were made: name -> value, for a reader."""
        plan = self.plan
        counted = plan.seeds == tuple(range(len(plan.seeds)))
        seeds = f"0 to {len(plan.seeds) - 1}" if counted else ", ".join(map(str, plan.seeds))
        until = f"; added until settled, at most {plan.most_seeds}: {self.ended}" if plan.most_seeds else ""
        smallest = "the usual one" if plan.smallest_effect is None else f"{plan.smallest_effect:g}"
        name, fingerprint = plan.dataset
        return facts_of(
            self.runs,
            data=(name, self.source, fingerprint),
            rows=plan.rows,
            cut=self.cut,
            remarks=self.remarks,
            network=plan.network,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            recipes=plan.recipes,
            texts=plan.texts,
            own_training=plan.own_training,
            seeds=f"{len(plan.seeds)}: {seeds}{until}",
            metric=f"{plan.metric}; smallest effect that matters: {smallest}",
            failures=self.failures,
            when={"time": f"{self.seconds:.1f} s for building, compiling, training and testing"},
            versions={package: own for package, own in self.environment.items() if package != "devices"},
            devices=self.environment["devices"],
        )
