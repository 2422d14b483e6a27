"""What a search came to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kohort.errors import DataError
from kohort.notebook import list_html
from kohort.recipes.compose import Built
from kohort.recipes.recipe import Recipe
from kohort.report.document import Document, Search
from kohort.report.files import write_report
from kohort.report.sentences import verdict_sentences
from kohort.run import Evaluation, Run
from kohort.statistics.comparison import RecipeSummary
from kohort.statistics.intervals import Interval, mean_interval
from kohort.statistics.verdict import Verdict
from kohort.study import StudyResult
from kohort.study.predicting import Predictions, Rows
from kohort.tuner.ensemble import Greedy
from kohort.tuner.setting import Setting
from kohort.tuner.side import Side
from kohort.tuner.space import Called
from kohort.tuner.together import Together
from kohort.tuner.told import promise_in_words, search_of, shortcomings, tried_in_words

AGAIN = (
    "The chosen recipe trained again for this page, under the same seeds but beside other recipes, in another program. "
    "That is the same but for rounding, which many epochs enlarge: its figures may differ from report.html by a row or "
    "two."
)


@dataclass(frozen=True)
class TuneResult:
    """A recipe that was searched for, and how it does beside a plain network that was tuned as long.

    Attributes:
        setting: What candidates trained on.
        plain: The search for the plain network's learning rate and epochs.
        found: The search for the recipe.
        final: Both under fresh seeds, on the test rows.
        ingredients: The recipe beside itself without each of its techniques; None where that was not asked for, or
            there is nothing to leave out.
        doses: The recipe beside itself with other strengths, one at a time; None likewise.
        greedy: How often each of the finalists' networks counts in the greedy ensemble.
        seconds: Wall-clock seconds of this process for everything; what a folder holds took others.
    """

    setting: Setting = field(repr=False)
    plain: Side = field(repr=False)
    found: Side = field(repr=False)
    final: StudyResult = field(repr=False)
    ingredients: StudyResult | None = field(repr=False)
    doses: StudyResult | None = field(repr=False)
    greedy: Greedy = field(repr=False)
    seconds: float

    @property
    def recipe(self) -> str:
        """The chosen recipe, as it is written for `Study` and `kohort compare`."""
        return self.found.recipe

    @property
    def called(self) -> Called:
        """What reports call the chosen recipe and what it is compared with: `result.called.chosen`, `.beside`."""
        return self.found.searched.space.called

    @property
    def verdict(self) -> Verdict:
        """What is to be said of it against the plain network."""
        verdict = self._summary(self.called.chosen).verdict
        if verdict is None:
            raise DataError("the recipe must have trained under every seed for a verdict. Look at final.failures.")
        return verdict

    def _summary(self, name: str) -> RecipeSummary:
        return next(own for own in self.final.comparison.recipes if own.recipe == name)

    @cached_property
    def optimism(self) -> Interval:
        """What the search promises above what the recipe does on test rows, the mean over seeds with its interval.

        The promise is the best validation score among all candidates, which owes part of its height to luck. Of a
        regression it is in units of the target.
        """
        sign = 1.0 if self.setting.objective.greater_is_better else -1.0
        return mean_interval(sign * (self._promised - np.array(self._summary(self.called.chosen).test)))

    @property
    def _promised(self) -> float:
        tried = self.found.searched.tried
        finished = [own.score for own in tried if own.finished]
        return self.setting.in_units(max(finished or [own.score for own in tried]))

    def code(self, recipe: str | None = None) -> str:
        """A Python script that builds and trains a recipe's network with Keras alone; of a builder its values.

        Args:
            recipe: `called.chosen`, the default, or `called.beside`.

        Raises:
            DataError: It is neither.
        """
        return self.found.searched.space.code(self._recipe(recipe), self.setting)

    def best(self, recipe: str | None = None) -> Run:
        """The run of a recipe that does best on its own validation rows, of the final comparison.

        Args:
            recipe: `called.chosen`, the default, or `called.beside`.

        Raises:
            DataError: It is neither.
        """
        own = self._recipe(recipe).name
        runs = [run for (name, _), run in self.final.runs.items() if name == own]
        sign = 1.0 if self.setting.objective.greater_is_better else -1.0
        return max(runs, key=lambda run: sign * run.history[self._logged(run)][-1])

    def _recipe(self, name: str | None) -> Recipe:
        known = {own.name: own for own in self.final.recipes}
        if (name or self.called.chosen) not in known:
            raise DataError(f"the recipe must be one of {', '.join(map(repr, known))}. Got {name!r}.")
        return known[name or self.called.chosen]

    def _logged(self, run: Run) -> str:
        names = (f"val_{self.setting.objective.metric}", self.setting.objective.log)
        return next(name for name in names if name in run.history)

    def model(self, recipe: str | None = None) -> Any:
        """The network of that run, a trained `keras.Model`.

        Args:
            recipe: As `best` takes it.
        """
        return self.best(recipe).model()

    def ensemble(self, rows: Rows = "test") -> Predictions:
        """What the greedy ensemble of the finalists' networks predicts: `.mean`, `.labels`, each network's.

        Args:
            rows: `"test"`, `"validation"` (of the search, on which it was chosen), or rows as `Dataset.x` holds them.

        Raises:
            DataError: They are neither, or not of the shape of `x`.
        """
        return self._together.predictions(rows)

    def ensemble_model(self) -> Any:
        """The greedy ensemble as one `keras.Model`, for rows as its networks see them: `setting.material.inputs`."""
        return self._together.model()

    @cached_property
    def ensemble_test(self) -> Evaluation:
        """How the greedy ensemble does on the test rows."""
        evaluation = self.ensemble("test").evaluation
        assert evaluation is not None  # there is one of the test rows
        return evaluation

    @property
    def _together(self) -> Together:
        return Together(self.setting, self.found.final.networks, self.greedy)

    def document(self, command: str = "") -> Document:
        """What the report of the final comparison says, the search that it ends included, as records.

        Args:
            command: The command that makes it again, where there is one.
        """
        units = self.final.comparison.units
        told = (*self._passed_by, self._promise, self._of_the_ensemble)
        return replace(
            self.final.document(command), search=search_of(self.setting, self.found, self.plain, units, told)
        )

    def report(self, folder: str | Path, command: str = "") -> list[Path]:
        """Writes the reports of the final comparison, of ingredients and strengths, and the recipes as code.

        Args:
            folder: Where: `report.html`, `ingredients.html`, `doses.html`; `recipe.keras`, the network of `best()`, and
                `ensemble.keras`, the greedy ensemble, as `kohort.load_network` reads them; `recipe.py`, which trains
                the network of `best()` again with Keras alone, on the rows in `recipe.npz`; and `plain.py` with
                `plain.npz` likewise. Of a builder the scripts hold its values. What an earlier search has written there
                is replaced, and its pages of ingredients and doses are removed where there are none now.
            command: The command that makes it again, where there is one.

        Returns:
            The files.

        Raises:
            DataError: They cannot be written.
        """
        place = Path(folder)
        with _writing(place):
            place.mkdir(parents=True, exist_ok=True)
        files = [write_report(self.document(command), place / "report.html")]
        for name, study in (("ingredients", self.ingredients), ("doses", self.doses)):
            page = place / f"{name}.html"
            if study is not None:
                files.append(write_report(replace(study.document(), search=Search((AGAIN,), (), ())), page))
            else:
                with _writing(page):
                    page.unlink(missing_ok=True)  # it would be of another search
        files.append(self.final.export(self.called.chosen, self._seed(self.called.chosen), place / "recipe.keras"))
        files.append(place / "ensemble.keras")
        with _writing(files[-1]):
            self.ensemble_model().save(files[-1])
        for name, recipe in (("recipe", self.called.chosen), ("plain", self.called.beside)):
            files.append(self._write_code(recipe, place / f"{name}.py"))
        return files

    def _seed(self, recipe: str) -> int:
        seed = self.best(recipe).seed
        assert seed is not None  # runs of a study have seeds
        return seed

    def _write_code(self, recipe: str, path: Path) -> Path:
        if isinstance(self._recipe(recipe).build, Built):
            return self.final.export(recipe, self._seed(recipe), path)
        with _writing(path):
            path.write_text(self.code(recipe), "utf-8")
        return path

    @property
    def _promise(self) -> str:
        units = self.final.comparison.units
        return promise_in_words(self.setting, self._promised, self.optimism, units)

    @property
    def _of_the_ensemble(self) -> str:
        networks, units = np.count_nonzero(self.greedy.counts), self.final.comparison.units
        return (
            f"A greedy ensemble of {networks} of the finalists' networks, chosen on the validation rows: "
            f"{units.said(self.ensemble_test.score)} on the test rows."
        )

    @property
    def _passed_by(self) -> tuple[str, ...]:
        return tuple(
            f"{recipe}, among the best of the search, was passed by under fresh seeds: {why}."
            for recipe, why in self.found.final.left_out.items()
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What came of it, in sentences."""
        called, found, plain, units = self.called, self.found.searched, self.plain.searched, self.final.comparison.units
        alone, beside = (self._summary(name).test_mean.mean for name in (called.chosen, called.beside))
        told = [
            f"{called.what}: {self.recipe}",
            f"{called.other}: {self.plain.recipe}",
            f"On {self.final.comparison.test_rows} test rows: {units.said(alone)}, the {called.other.lower()} "
            f"{units.said(beside)}.",
            self._of_the_ensemble,
            *verdict_sentences(self.final.comparison),
        ]
        verdict = self._summary(called.chosen).verdict
        if verdict is not None and verdict.kind == "hurts":
            told.append(f"Better here: the {called.other.lower()}.")
        told += [called.remark] if called.remark else []
        told += self._passed_by
        if self.ingredients is not None:
            told += ["Its ingredients, each left out:", *verdict_sentences(self.ingredients.comparison)]
        told.append(self._promise)
        told += shortcomings(found)
        before = len(found.tried) + len(plain.tried) - found.new - plain.new
        return (
            *told,
            f"Tried for the {called.what.lower()}: {tried_in_words(found)}.",
            f"Tried for the {called.other.lower()}: {tried_in_words(plain)}.",
            f"{self.seconds:.0f} s from the first candidate to the last comparison"
            f"{', besides what the folder held already' if before else ''}.",
        )

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        """What came of it, for notebooks."""
        return list_html(self.sentences)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error}. Name another folder.") from error
