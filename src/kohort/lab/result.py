"""What came of an experiment: the evidence with how it was made; predictions and verdict follow from it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from kohort.lab.claim import Claim, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Judged
from kohort.lab.verdict import Verdict
from kohort.notebook import table_html

FORMAT = 1
"""Of the JSON in which results are kept."""


@dataclass(frozen=True, eq=False)
class Result:
    """What came of an experiment.

    Attributes:
        claim: What was tried.
        scale: With how many seeds, and whether as a quick look.
        evidence: What was measured.
        made: When and with which versions: name -> value.
        seconds: How long it took.
        identity: A hash of what decides the evidence: the experiment's code, its scale, the versions.
    """

    claim: Claim
    scale: Scale
    evidence: Evidence = field(repr=False)
    made: Mapping[str, str]
    seconds: float
    identity: str = field(default="", repr=False)

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Each prediction with what was found."""
        return self.claim.judged(self.evidence)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on the claim."""
        return self.claim.verdict(self.evidence)

    def __str__(self) -> str:
        lines = [f"{self.claim.title}\n{self.verdict.words}"]
        if self.scale.quick:
            lines.append(f"A quick look with {self.scale.seeds} seeds: too few to settle what is small.")
        for own in self.judged:
            wanted, found = own.prediction.bound, own.measured
            lines.append(f"  {own.outcome:>9}  {own.prediction.name}: predicted {wanted}, found {found}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """A table for notebooks: each prediction with what was found."""
        heads = ("prediction", "predicted", "found (together 95 %)", "")
        rows = [(own.prediction.name, own.prediction.bound, own.measured, own.outcome) for own in self.judged]
        return table_html(heads, rows, f"{self.claim.title}. {self.verdict.words}")

    @property
    def summary(self) -> dict[str, Any]:
        """What came of it without the evidence, as JSON holds it."""
        return {
            "claim": self.claim.name,
            "scale": asdict(self.scale),
            "made": dict(self.made),
            "seconds": round(self.seconds, 1),
            "verdict": asdict(self.verdict),
            "predictions": [
                {
                    "name": own.prediction.name,
                    "predicted": own.prediction.bound,
                    "found": own.measured,
                    "is": own.outcome,
                }
                for own in self.judged
            ],
        }

    def to_json(self) -> str:
        """The evidence and how it was made, with what follows from it, as JSON."""
        evidence = {name: own.to_json() for name, own in self.evidence.items()}
        told = {"kohort_lab": FORMAT, "identity": self.identity, **self.summary, "evidence": evidence}
        return json.dumps(told, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes, claim: Claim) -> "Result | None":
        """What `to_json` told of a claim; None where the text is of another format or claim, or damaged."""
        try:
            told: dict[str, Any] = json.loads(text)
            if told["kohort_lab"] != FORMAT or told["claim"] != claim.name:
                return None
            evidence = {name: Measured.from_json(own) for name, own in told["evidence"].items()}
            scale = Scale(**told["scale"])
            return cls(claim, scale, evidence, told["made"], told["seconds"], told["identity"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
