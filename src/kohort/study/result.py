"""What a study will do, and what it is when it has run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from kohort.errors import DataError
from kohort.run import Run, Runs
from kohort.statistics.comparison import Comparison, compare
from kohort.statistics.spending import Looks


@dataclass(frozen=True)
class Plan:
    """What a study will do, before it does it: all that decides its numbers.

    Attributes:
        dataset: Name and fingerprint of the data.
        recipes: The recipes' names, the baseline among them.
        baseline: The recipe that the others are compared with.
        seeds: The seeds.
        epochs: Passes over the training rows.
        batch_size: Rows of a batch.
        rows: Rows for training, validation and test.
        network: What the recipes are applied to, in words.
        metric: What runs are judged by.
        smallest_effect: The smallest effect that matters, in units of the metric; None: the metric's usual one.
        most_seeds: Where seeds are added until verdicts are settled, at most so many; else None.
    """

    dataset: tuple[str, str]
    recipes: tuple[str, ...]
    baseline: str
    seeds: tuple[int, ...]
    epochs: int
    batch_size: int
    rows: tuple[int, int, int]
    network: str
    metric: str = "accuracy"
    smallest_effect: float | None = None
    most_seeds: int | None = None


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

    @cached_property
    def comparison(self) -> Comparison:
        """The recipes side by side, with a verdict on each."""
        plan = self.plan
        return compare(self.runs, plan.baseline, smallest_effect=plan.smallest_effect, looks=self.looks)

    def best(self) -> Run:
        """The run that does best on its own validation rows after its last epoch; the test rows have no say in it.

        Its test score is therefore honest, but for the optimism of a choice among few: see `comparison.regret`.

        Raises:
            DataError: Runs did not log the study's metric on validation rows.
        """
        log = f"val_{self.plan.metric}"
        last = {key: run.history[log][-1] for key, run in self.runs.items() if run.history.get(log)}
        known = {key: value for key, value in last.items() if math.isfinite(value)}
        if not known:
            logged = ", ".join(next(iter(self.runs.values())).history)
            raise DataError(
                f"runs must have logged {log!r} for the best to be chosen on validation rows. Got {logged}. Choose "
                "among result.runs yourself."
            )
        test = next(iter(self.runs.values())).test
        high = test is None or test.greater_is_better
        return self.runs[(max if high else min)(known, key=lambda key: known[key])]

    def __str__(self) -> str:
        """The verdicts in words."""
        verdicts = self.comparison.verdicts
        return str(verdicts) if verdicts is not None else f"{len(self.runs)} runs of {', '.join(self.plan.recipes)}"

    def facts(self) -> dict[str, str]:
        """How the runs were made: name -> value, for a reader."""
        plan = self.plan
        train, validation, test = plan.rows
        together = "; ".join(" + ".join(names) for names in self.runs.cohorts)
        versions = [f"{name} {value}" for name, value in self.environment.items() if name != "devices"]
        counted = plan.seeds == tuple(range(len(plan.seeds)))
        return {
            "data": f"{plan.dataset[0]}: {self.source}",
            "fingerprint": f"SHA-256 {plan.dataset[1]}",
            "rows": f"{train} train, {validation} validate, {test} test; {self.cut}",
            **({"found in the data": " ".join(self.remarks)} if self.remarks else {}),
            "network": plan.network,
            "training": f"{plan.epochs} epochs, batch size {plan.batch_size}",
            "recipes": ", ".join(plan.recipes),
            "seeds": f"{len(plan.seeds)}: "
            + (f"0 to {len(plan.seeds) - 1}" if counted else ", ".join(map(str, plan.seeds)))
            + (f"; added until settled, at most {plan.most_seeds}: {self.ended}" if plan.most_seeds else ""),
            "metric": f"{plan.metric}; smallest effect that matters: "
            + ("the usual one" if plan.smallest_effect is None else f"{plan.smallest_effect:g}"),
            "programs": f"{len(self.runs.cohorts)} for {len(self.runs)} runs: {together}",
            "time": f"{self.seconds:.1f} s for building, compiling, training and testing",
            "versions": ", ".join(versions),
            "devices": self.environment["devices"],
        }
