"""What a study will do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kohort.cohort.known_layouts import AtOnce


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
        diagnostics: Whether `kohort.run.DIAGNOSTICS` are measured.
        texts: Recipe -> what was written of it, where it is called otherwise.
        own_training: Recipe -> its own epochs and batch size in words, where it has any.
        strengths: The baseline's own strength of techniques that other recipes vary: technique -> strength.
        at_once: Members that are vectorised on each device, as `kohort.fit` takes it.
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
    diagnostics: bool = True
    texts: Mapping[str, str] = field(default_factory=dict)
    own_training: Mapping[str, str] = field(default_factory=dict)
    strengths: Mapping[str, float] = field(default_factory=dict)
    at_once: AtOnce = None
