"""What a search came to."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kohort.errors import DataError
from kohort.notebook import list_html
from kohort.report.sentences import verdict_sentences
from kohort.run import Evaluation, Run
from kohort.statistics.comparison import RecipeSummary
from kohort.statistics.intervals import Interval, mean_interval
from kohort.statistics.verdict import Verdict
from kohort.study import StudyResult
from kohort.tuner.ending import CHOSEN, PLAIN
from kohort.tuner.ensemble import Greedy
from kohort.tuner.setting import Setting
from kohort.tuner.side import Side


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
        ensemble: How much each of the finalists' networks counts in the greedy ensemble.
        ensemble_test: How that does on the test rows.
        seconds: Wall-clock seconds for everything.
    """

    setting: Setting = field(repr=False)
    plain: Side = field(repr=False)
    found: Side = field(repr=False)
    final: StudyResult = field(repr=False)
    ingredients: StudyResult | None = field(repr=False)
    doses: StudyResult | None = field(repr=False)
    ensemble: Greedy = field(repr=False)
    ensemble_test: Evaluation = field(repr=False)
    seconds: float

    @property
    def recipe(self) -> str:
        """The chosen recipe, as it is written for `Study` and `kohort compare`."""
        return self.found.recipe

    @property
    def verdict(self) -> Verdict:
        """What is to be said of it against the plain network."""
        verdict = self._summary(CHOSEN).verdict
        if verdict is None:
            raise DataError("the recipe must have trained under every seed for a verdict. Look at final.failures.")
        return verdict

    def _summary(self, name: str) -> RecipeSummary:
        return next(own for own in self.final.comparison.recipes if own.recipe == name)

    @cached_property
    def optimism(self) -> Interval | None:
        """What the search promises above what the recipe does on test rows, the mean over seeds with its interval.

        The promise is the best validation score among all candidates, which owes part of its height to luck. Of a
        regression it is in units of the target; None where a metric of centred and scaled targets has none.
        """
        objective, learnt = self.setting.objective, self.setting.material.targets[0]
        factor = 1.0 if self.setting.dataset.classes else learnt.factor(objective.metric)
        if factor is None:
            return None
        promised = max(own.score for own in self.found.searched.tried if own.finished)
        sign = 1.0 if objective.greater_is_better else -1.0
        return mean_interval(factor * promised - sign * np.array(self._summary(CHOSEN).test))

    def code(self) -> str:
        """A Python script that builds and trains the recipe's network with Keras alone; of a builder its values."""
        return self.found.searched.space.code(self.recipe, self.setting)

    def best(self) -> Run:
        """The run of the recipe that does best on its own validation rows, of the final comparison."""
        runs = [run for (name, _), run in self.final.runs.items() if name == CHOSEN]
        sign = 1.0 if self.setting.objective.greater_is_better else -1.0
        return max(runs, key=lambda run: sign * run.history[self._logged(run)][-1])

    def _logged(self, run: Run) -> str:
        names = (f"val_{self.setting.objective.metric}", self.setting.objective.log)
        return next(name for name in names if name in run.history)

    def model(self) -> Any:
        """The network of that run, a trained `keras.Model`."""
        return self.best().model()

    def report(self, folder: str | Path) -> list[Path]:
        """Writes the reports of the final comparison, of ingredients and strengths, and the recipe as code.

        Args:
            folder: Where: `report.html`, `ingredients.html`, `doses.html`, `recipe.py`.

        Returns:
            The files.

        Raises:
            DataError: They cannot be written.
        """
        place = Path(folder)
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / "recipe.py").write_text(self.code(), "utf-8")
        except OSError as error:
            raise DataError(f"{place}: cannot be written: {error}. Name another folder.") from error
        files = [self.final.report(place / "report.html")]
        for name, study in (("ingredients", self.ingredients), ("doses", self.doses)):
            if study is not None:
                files.append(study.report(place / f"{name}.html"))
        return [*files, place / "recipe.py"]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What came of it, in sentences."""
        found, plain, units = self.found.searched, self.plain.searched, self.final.comparison.units
        alone, beside = (self._summary(name).test_mean.mean for name in (CHOSEN, PLAIN))
        networks = np.count_nonzero(self.ensemble.weights)
        told = [
            f"Recipe: {self.recipe}",
            f"Plain network: {self.plain.recipe}",
            f"On {self.final.comparison.test_rows} test rows: {units.said(alone)}, the plain network "
            f"{units.said(beside)}, a greedy ensemble of {networks} of the search's networks "
            f"{units.said(self.ensemble_test.score)}.",
            *verdict_sentences(self.final.comparison),
        ]
        verdict = self._summary(CHOSEN).verdict
        if verdict is not None and verdict.kind == "hurts":
            told.append("The plain network is the better one here.")
        for recipe, why in self.found.final.left_out.items():
            told.append(f"{recipe}, among the best of the search, was passed by under fresh seeds: {why}.")
        if self.ingredients is not None:
            told += ["Its ingredients, each left out:", *verdict_sentences(self.ingredients.comparison)]
        if self.optimism is not None:
            told.append(
                "What the best validation score of the search promised above the recipe's score on test rows: "
                f"{units.span(self.optimism)}{units.unit_of_change}."
            )
        return (
            *told,
            f"Tried {len(found.tried)} candidates of {len(found.structures)} structures, and {len(plain.tried)} of the "
            f"plain network; {self.seconds:.0f} s in all.",
        )

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        """What came of it, for notebooks."""
        return list_html(self.sentences)
