"""Studies as readers see them, while one is being written perhaps; nothing here writes, or needs Keras or JAX."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohort.errors import StudyError
from kohort.run import Failure, Run, Runs, comparable, diverged
from kohort.store.database import FILE, opened_to_read
from kohort.store.facts import facts_of
from kohort.store.identity import Identity
from kohort.store.layout import folders_with, is_locked
from kohort.store.rows import Key, failures_of, identity_of, stored_runs


@dataclass(frozen=True)
class StoredStudy:
    """A generation of a study, as its folder holds it.

    Attributes:
        folder: The folder.
        generation: Its number, from 1.
        generations: How many there are.
        begun: When it began, UTC, ISO 8601.
        ended: When its last run ended; empty if none has.
        identity: What it is.
        runs: Its runs by (recipe, seed), in the order of recipes and seeds.
        unfinished: The runs that have begun and not ended, or that cannot be trained.
    """

    folder: Path
    generation: int
    generations: int
    begun: str
    ended: str
    identity: Identity
    runs: Runs[Key]
    unfinished: tuple[Failure, ...] = ()

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All runs that gave no usable network, and why."""
        return (*diverged(self.runs.values()), *self.unfinished)

    @property
    def comparable(self) -> Mapping[Key, Run]:
        """The runs of the recipes that have any, under the seeds that all of these have.

        Raises:
            StudyError: There are none.
        """
        found = comparable(self.runs)
        if not found:
            raise StudyError(f"{self.folder}: recipes must have run under the same seeds. Got none yet. Run it on.")
        return found

    @property
    def compared_with(self) -> str | None:
        """The baseline; None where it has not run yet, or where verdicts must know of the rounds that seeds came in."""
        baseline = self.identity.facts["baseline"]
        has_run = any(recipe == baseline for recipe, _ in comparable(self.runs))
        return baseline if has_run and not self.identity.facts.get("most_seeds") else None

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that occur, in order."""
        return tuple(sorted({seed for _, seed in self.runs}))

    @property
    def reported(self) -> dict[str, Any]:
        """What a report takes from it besides runs and their comparison, as `report.document` names it."""
        facts = self.identity.facts
        return {
            "dataset": self.identity.dataset,
            "how": self.facts(),
            "classes": facts.get("classes", ()),
            "failures": self.failures,
            "code": facts.get("code", {}),
            "strengths": facts.get("strengths", {}),
        }

    def facts(self) -> dict[str, str]:
        """How the runs were made: name -> value, for a reader."""
        facts: Mapping[str, Any] = self.identity.facts
        decides = self.identity.decides
        return facts_of(
            self.runs,
            data=(self.identity.dataset, facts["source"], decides["data"]),
            rows=facts["rows"],
            cut=facts["cut"],
            remarks=facts["remarks"],
            network=facts["network"],
            epochs=decides["epochs"],
            batch_size=decides["batch_size"],
            recipes=list(self.identity.recipes),
            texts=facts.get("texts", {}),
            own_training=facts.get("own_training", {}),
            seeds=f"{len(self.seeds)}: {', '.join(map(str, self.seeds))}",
            metric=decides["metric"],
            failures=self.failures,
            when={"study": f"begun {self.begun}, last run ended {self.ended or 'never'}"},
            versions={name: decides[name] for name in ("kohort", "keras", "jax", "numpy") if name in decides},
            devices=facts["environment"]["devices"],
        )


def read_study(folder: Path, generation: int | None = None) -> StoredStudy:
    """A study from its folder.

    Args:
        folder: The folder.
        generation: Which generation; the last if None.

    Raises:
        StudyError: There is no study, or no such generation, or it is damaged.
    """
    with opened_to_read(folder) as database:
        known = [own for (own,) in database.all("SELECT id FROM generation ORDER BY id")]
        own = known[-1] if generation is None and known else generation
        if own is None or own not in known:
            raise StudyError(
                f"{folder}: the generation must be one of {', '.join(map(str, known)) or 'none'}. Got {generation}."
            )
        identity = identity_of(database, own)
        found = list(stored_runs(database, folder, own))
        begun = database.one("SELECT begun FROM generation WHERE id = ?", (own,))
        unfinished = failures_of(database, own, is_locked(folder))
        ended = database.one("SELECT max(ended) FROM run WHERE generation = ?", (own,)) or ""
    place = {name: index for index, name in enumerate(identity.recipes)}
    runs = {key: run for key, run, _ in sorted(found, key=lambda one: (place.get(one[0][0], len(place)), one[0][1]))}
    cohorts = list(dict.fromkeys(cohort for *_, cohort in found))
    return StoredStudy(folder, own, len(known), begun, ended, identity, Runs(runs, cohorts=cohorts), unfinished)


def studies_below(folder: Path) -> Iterator[Path]:
    """Folders of studies: this one, and all below it that are not hidden."""
    return folders_with(folder, FILE)
