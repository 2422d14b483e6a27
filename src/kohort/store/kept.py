"""A run as rows of a study's SQLite file and as part of a record, and back."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from kohort.errors import StudyError
from kohort.run import Evaluation, Outcome, Run
from kohort.store.records import digest_of, read_arrays

COLUMNS: tuple[str, ...] = (
    "recipe", "seed", "ended", "diverged_at", "first_epoch", "epochs", "params", "why_by_fit", "metric", "higher",
    "score", "cohort", "weights", "weights_sha256",
)  # fmt: skip
"""What a row of `run` and the header of a record both tell of a run."""


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a run.

    Attributes:
        columns: Values of `COLUMNS`.
        logs: Log name -> float64 of shape (epochs,).
        rows: The numbers of the test rows, int32.
        outcomes: What each contributes, float32.
        diagnostics: Name -> what was measured, float64.
    """

    columns: Mapping[str, Any]
    logs: Mapping[str, np.ndarray]
    rows: np.ndarray
    outcomes: np.ndarray
    diagnostics: Mapping[str, np.ndarray]

    def digest(self, generation: int, record: str, place: int) -> str:
        """SHA-256 of all of it and of where its weights are, in hexadecimal.

        Args:
            generation: The generation's number.
            record: The record's name.
            place: Its place in the record.
        """
        told = json.dumps(
            {**{name: self.columns[name] for name in COLUMNS}, "at": [generation, record, place]}, sort_keys=True
        )
        names = [*self.logs, *self.diagnostics]
        arrays = [*self.logs.values(), self.rows, self.outcomes, *self.diagnostics.values()]
        return hashlib.sha256("\n".join([told, *names, digest_of(arrays)]).encode()).hexdigest()

    def arrays(self, place: int) -> dict[str, np.ndarray]:
        """Its arrays but for the weights, by their names in a record.

        Args:
            place: Its place in the record.
        """
        logs = {f"{place}/log/{name}": values for name, values in self.logs.items()}
        measured = {f"{place}/diagnostic/{name}": values for name, values in self.diagnostics.items()}
        return {**logs, **measured, f"{place}/rows": self.rows, f"{place}/outcomes": self.outcomes}

    @classmethod
    def of(cls, columns: Mapping[str, Any], arrays: Mapping[str, np.ndarray], place: int) -> "Kept":
        """What `arrays` gave, back.

        Args:
            columns: Values of `COLUMNS`.
            arrays: A record's arrays.
            place: Its place in the record.
        """

        def named(kind: str) -> dict[str, np.ndarray]:
            start = f"{place}/{kind}/"
            return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}

        return cls(columns, named("log"), arrays[f"{place}/rows"], arrays[f"{place}/outcomes"], named("diagnostic"))


def keep(run: Run, cohort: Sequence[str], ended: str, weights: bool) -> Kept:
    """What is kept of a run that has been tested.

    Args:
        run: The run.
        cohort: The recipes that trained in one program with it.
        ended: When, UTC, ISO 8601.
        weights: Whether its weights are kept.
    """
    assert run.test is not None
    assert run.seed is not None
    score = run.test.score
    columns = {
        "recipe": run.recipe,
        "seed": run.seed,
        "ended": ended,
        "diverged_at": run.outcome.diverged_at,
        "first_epoch": run.first_epoch,
        "epochs": len(run.epoch),
        "params": json.dumps(run.params, sort_keys=True),
        "why_by_fit": run.why_by_fit,
        "metric": run.test.metric,
        "higher": int(run.test.greater_is_better),
        "score": score if math.isfinite(score) else None,
        "cohort": json.dumps({"recipes": list(cohort), "plan": run.plan}),
        "weights": len(run.weights) if weights else 0,
        "weights_sha256": digest_of(run.weights) if weights else "",
    }
    logs = {name: np.asarray(values, "<f8") for name, values in run.history.items()}
    measured = {name: np.asarray(values, "<f8") for name, values in run.diagnostics.items()}
    return Kept(columns, logs, run.test.rows.astype("<i4"), run.test.outcomes.astype("<f4"), measured)


def revived(kept: Kept, record: Path, place: int) -> Run:
    """A run as it was kept; its weights are read when they are asked for."""
    told = kept.columns
    names = [f"{place}/weights/{position}" for position in range(told["weights"])]
    weights: Any = StoredWeights(record, names, told["weights_sha256"]) if names else NoWeights(told["recipe"])
    return Run(
        told["recipe"],
        told["seed"],
        {name: values.tolist() for name, values in kept.logs.items()},
        Outcome(told["diverged_at"]),
        weights,
        json.loads(told["params"]),
        test=Evaluation(kept.rows, kept.outcomes, told["metric"], bool(told["higher"])),
        first_epoch=told["first_epoch"],
        why_by_fit=told["why_by_fit"],
        diagnostics=dict(kept.diagnostics),
        plan=cohort_of(kept)[1],
    )


def cohort_of(kept: Kept) -> tuple[tuple[str, ...], str]:
    """The recipes that trained in one program with a run, and how that lay on the machine; not known of old ones."""
    told = json.loads(kept.columns["cohort"])
    return (tuple(told["recipes"]), told["plan"]) if isinstance(told, dict) else (tuple(told), "")


class StoredWeights(Sequence[np.ndarray]):
    """A run's weights in its record, read and checked whenever they are looked at, and not kept in memory.

    Args:
        record: The record.
        names: The arrays' names.
        sha256: Their hash.
    """

    def __init__(self, record: Path, names: Sequence[str], sha256: str):
        self._record, self._names, self._sha256 = record, tuple(names), sha256

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: Any) -> Any:
        return read_arrays(self._record, self._names, self._sha256)[index]

    def __iter__(self) -> Any:
        return iter(self[:])


class NoWeights(Sequence[np.ndarray]):
    """The weights of a run that were not kept.

    Args:
        recipe: The run's recipe.
    """

    def __init__(self, recipe: str):
        self._recipe = recipe

    def __len__(self) -> int:
        return 0

    def __getitem__(self, index: Any) -> Any:
        raise StudyError(
            f"the weights of this run of {self._recipe!r} must have been kept. Got a study that keeps others' only, or "
            "none. Train it again with weights='all'."
        )

    def __iter__(self) -> Any:
        return iter(self[:])  # refuses, where an empty sequence would pass for a network without weights
