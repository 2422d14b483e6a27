"""The end of a search: the test rows are looked at once, beside a plain network that was tuned as long."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kohort.progress import Listener
from kohort.recipes.recipe import Recipe
from kohort.store.searches import FINAL, INGREDIENTS, STRENGTHS
from kohort.study import Study, StudyResult
from kohort.tuner.ensemble import Greedy, greedy
from kohort.tuner.finalists import Final
from kohort.tuner.setting import Setting
from kohort.tuner.side import Side

DOSES = (0.25, 0.5, 2.0, 4.0)
"""Factors of a chosen strength at which it is tried again."""


@dataclass(frozen=True)
class Ending:
    """How what was found is judged.

    Attributes:
        setting: What candidates trained on.
        seeds: Fresh seeds, from 0.
        smallest_effect: The smallest effect that matters.
        folder: Where the studies are kept; None: nowhere.
        listener: Hears of progress.
    """

    setting: Setting
    seeds: int
    smallest_effect: float | None
    folder: Path | None
    listener: Listener

    def judged(self, plain: Side, found: Side) -> StudyResult:
        """The plain network and the chosen recipe under fresh seeds, on test rows that nobody has looked at."""
        called = found.searched.space.called
        recipes = {
            **self._recipes(plain, {called.beside: plain.recipe}),
            **self._recipes(found, {called.chosen: found.recipe}),
        }
        return self._run(recipes, called.beside, FINAL)

    def examined(self, found: Side) -> StudyResult | None:
        """The chosen recipe beside itself without each of its techniques; None if none can be left out."""
        others = found.searched.space.without(found.final.chosen.tried.values)
        return self._beside(found, {f"without {name}": text for name, text in others.items()}, INGREDIENTS)

    def dosed(self, found: Side) -> StudyResult | None:
        """The chosen recipe beside itself with other strengths, one at a time; None if it has none."""
        space, values = found.searched.space, found.final.chosen.tried.values
        return self._beside(found, space.doses(values, DOSES), STRENGTHS, space.strengths(values))

    def _beside(
        self, found: Side, others: Mapping[str, str], name: str, strengths: Mapping[str, float] | None = None
    ) -> StudyResult | None:
        if not others:
            return None
        chosen = found.searched.space.called.chosen
        texts = {other: found.with_epochs(text) for other, text in others.items()}
        return self._run(self._recipes(found, {chosen: found.recipe, **texts}), chosen, name, strengths)

    def _recipes(self, side: Side, texts: Mapping[str, str]) -> dict[str, Recipe]:
        """Recipes under other names than their texts; some may have one text."""
        unique = list(dict.fromkeys(texts.values()))
        made = dict(zip(unique, side.searched.space.recipes(unique, self.setting), strict=True))
        return {name: replace(made[text], name=name, text=text) for name, text in texts.items()}

    def _run(
        self, recipes: Mapping[str, Recipe], against: str, name: str, strengths: Mapping[str, float] | None = None
    ) -> StudyResult:
        setting = self.setting
        study = Study(
            recipes,
            setting.dataset,
            seeds=self.seeds,
            epochs=setting.epochs,
            batch_size=setting.batch_size,
            baseline=against,
            network=setting.network,
            metric=setting.objective.metric,
            smallest_effect=self.smallest_effect,
            folder=self.folder and self.folder / name,
            weights="best",
            force=True,  # more time may choose another recipe; what was judged before stays in the folder
            strengths=strengths,
        )
        return study.run(listener=self.listener)


def ensemble_of(setting: Setting, final: Final) -> Greedy:
    """The greedy ensemble of the finalists' networks, chosen on the validation rows."""
    own = setting.material.splits[0]
    sign = 1.0 if setting.objective.greater_is_better else -1.0
    return greedy(
        [network.validation for network in final.networks],
        lambda told: sign * setting.evaluation(own.validation, told).score,
    )
