"""What a row of the table is: one feature of Keras in the smallest training that uses it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import keras

Builder = Callable[[], keras.Model]

Options = Mapping[str, Any]
"""Arguments of `fit` by name."""

Group = Literal["models", "layers", "compile", "fit", "callbacks", "recipes", "public"]

Status = Literal["same", "batch pace", "slow path", "refused", "keras fails"]
"""What Kohort makes of it: members that equal `fit`; the same, batch by batch; the same, by `fit` itself; a refusal; a
refusal where `fit` itself fails."""

FIT: dict[str, Any] = {"batch_size": 16, "epochs": 2, "validation_split": 0.25}
"""How subjects train: of 64 rows, 3 batches an epoch, and 16 rows to validate on."""

TRAINING: dict[str, Any] = {"batch_size": 16, "epochs": 2}
"""How subjects train that do in validation just what they do in training: 4 batches an epoch."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A feature of Keras, and what a cohort must make of it.

    Attributes:
        feature: The feature, in the words of a table for readers.
        group: The heading under which it stands.
        build: Builds a compiled model; equal models under equal seeds.
        x: What it is trained on, as `fit` takes it.
        y: Its targets.
        options: Arguments of `fit`.
        made: Makes arguments that every training needs anew: callbacks, streams.
        in_place: Whether the model is built first and then trained from the weights it has, without `seeds`.
        tolerance: Largest gap of a weight after training, relative to the largest weight of its array (at least 1).
        why: The reason of a `tolerance` that is not the default, or of a status other than "same".
        status: What Kohort makes of it.
        error: The error of a refusal, by its name in `kohort.errors`.
        words: A regular expression that the message of a refusal matches.
        requires: A package without which the row is skipped.
        lacks: A package with which the row is skipped.
        defect: What is wrong today, if it does not do what the row says; the row then is expected to fail.
        slow: Whether it takes more than a few seconds.
    """

    feature: str
    group: Group
    build: Builder
    x: Any
    y: Any
    options: Options = field(default_factory=lambda: dict(FIT))
    in_place: bool = False
    tolerance: float = 1e-5
    why: str = ""
    status: Status = "same"
    error: str = "KohortError"
    words: str = ""
    requires: str = ""
    lacks: str = ""
    defect: str = ""
    slow: bool = False
    made: Callable[[], Options] = dict

    def arguments(self) -> dict[str, Any]:
        """All arguments of `fit`, data included."""
        return {"x": self.x, "y": self.y, **self.options, **self.made()}

    @property
    def name(self) -> str:
        """The feature as a name for the test."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.feature).lower().split())
