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
        kind: Of the predictions that say what the claim says, `"supported"`: every one was met; `"refuted"`: some were
            not, and none was met; `"depends"`: some were met and some were not; `"not enough evidence"`: none failed,
            and not all are decided.
        words: The verdict in sentences: where it is so and where not, and what came of the predictions beside.
    """

    kind: Kind
    words: str


def verdict(judged: Sequence[Judged]) -> Verdict:
    """The verdict that judged predictions give.

    Args:
        judged: All predictions of a claim; at least one of them decides, that is, it does not stand beside.
    """
    deciding = [own for own in judged if not own.prediction.beside]
    beside = [own for own in judged if own.prediction.beside]
    kind = _kind({own.outcome for own in deciding})
    heading = {"depends": "It depends", "refuted": "Refuted here"}.get(kind, kind.capitalize())
    return Verdict(kind, f"{heading}: {_told(deciding)}{f' Beside the claim, {_told(beside)}' if beside else ''}")


def _kind(outcomes: set[str]) -> Kind:
    if {"met", "not met"} <= outcomes:
        return "depends"
    if "not met" in outcomes:
        return "refuted"
    return "not enough evidence" if "undecided" in outcomes else "supported"


def _told(judged: Sequence[Judged]) -> str:
    """Which predictions were met and which were not; where all came to the same, only how many there were."""
    by = {
        outcome: [own.prediction.name for own in judged if own.outcome == outcome]
        for outcome in ("met", "not met", "undecided")
    }
    count = f"{len(by['met'])} of {len(judged)} predictions {'was' if len(by['met']) == 1 else 'were'} met."
    if len(judged) in map(len, by.values()):
        return f"{count} All are undecided." if len(by["undecided"]) == len(judged) > 1 else count
    return " ".join(
        [count, *(f"{outcome.capitalize()}: {'; '.join(names)}." for outcome, names in by.items() if names)]
    )
