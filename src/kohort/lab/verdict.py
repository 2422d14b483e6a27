"""The verdict on a claim: what its predictions came to, by a rule that is the same for all claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kohort.lab.prediction import Judged

Kind = Literal["supported", "refuted", "depends", "not enough evidence"]


@dataclass(frozen=True)
class Verdict:
    """A verdict.

    Attributes:
        kind: `"supported"`: every prediction was met; `"refuted"`: some were not, and none was met; `"depends"`: some
            were met and some were not; `"not enough evidence"`: none failed, and not all are decided.
        words: The verdict as a sentence.
    """

    kind: Kind
    words: str


def verdict(judged: Sequence[Judged], depends_on: str = "") -> Verdict:
    """The verdict that judged predictions give.

    Args:
        judged: All predictions of a claim.
        depends_on: What a claim may depend on, for the case that predictions part: "the size of the batch".
    """
    by = {
        outcome: [own.prediction.name for own in judged if own.outcome == outcome]
        for outcome in ("met", "not met", "undecided")
    }
    met, missed, undecided = by["met"], by["not met"], by["undecided"]
    count = f"{len(met)} of {len(judged)} predictions {'was' if len(met) == 1 else 'were'} met."
    failed = f" Not met: {'; '.join(missed)}." if missed else ""
    left_open = f" Undecided: {'; '.join(undecided)}." if undecided else ""
    if met and missed:
        return Verdict("depends", f"It depends{f' on {depends_on}' if depends_on else ''}: {count}{failed}{left_open}")
    if missed:
        return Verdict("refuted", f"Refuted here: {count}{failed}{left_open}")
    if undecided:
        return Verdict("not enough evidence", f"Not enough evidence: {count}{left_open}")
    return Verdict(
        "supported", f"Supported: all {len(judged)} predictions were met." if judged[1:] else f"Supported: {count}"
    )
