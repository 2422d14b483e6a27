"""The chapter's viva questions, answered by what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from kohort.lab.claim import Claim
from kohort.lab.result import Result
from kohort.lab.saying import Findings

QUESTIONS = (
    "Explain the difference between L1 and L2 regularisation in terms of weight distributions.",
    "How does Dropout act as an ensemble method?",
    "Why is Dropout disabled during inference?",
    "What problem does Batch Normalization solve (internal covariate shift)?",
    "Compare BatchNorm and LayerNorm — when is each preferred?",
)
"""As the chapter asks them."""


@dataclass(frozen=True)
class Part:
    """An answer's part that one claim gives.

    Attributes:
        says: The answer in plain words, with numbers.
        result: What it is backed by.
    """

    says: str
    result: Result


def parts(result: Result) -> tuple[tuple[int, Part], ...]:
    """The answers that a claim gives to viva questions, each with the question's number from 1."""
    found = Findings(result.judged)
    return tuple((own.question, Part(own.says(result.evidence, found), result)) for own in result.claim.answers)


def answering(claims: Mapping[str, Claim]) -> tuple[Claim, ...]:
    """The claims that answer a viva question."""
    return tuple(claim for claim in claims.values() if claim.answers)


def answered(results: Mapping[str, Result]) -> tuple[tuple[str, tuple[Part, ...]], ...]:
    """The five questions with the parts of their answers, in the order of the claims.

    Args:
        results: Claim name -> result.
    """
    given = [own for result in results.values() for own in parts(result)]
    return tuple(
        (question, tuple(part for number, part in given if number == position))
        for position, question in enumerate(QUESTIONS, start=1)
    )
