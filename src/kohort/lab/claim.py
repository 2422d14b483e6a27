"""A claim of the textbook: what it says, why, how it is tried, what is predicted, and how runs become evidence."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from kohort.lab.evidence import Evidence
from kohort.lab.prediction import Judged, Prediction, judge
from kohort.lab.saying import Findings
from kohort.lab.verdict import Verdict, verdict

T = TypeVar("T")

SEEDS = 20
"""Seeds of an experiment unless it says otherwise: enough to see a difference of one standard deviation."""

QUICK_SEEDS = 4
"""Seeds of a quick look, which shows that an experiment works and settles little."""


@dataclass(frozen=True)
class Scale:
    """How much an experiment trains.

    Attributes:
        seeds: How many seeds; they are 0 … n − 1.
        quick: Whether it is a quick look, with fewer epochs, conditions or rows.
    """

    seeds: int = SEEDS
    quick: bool = False

    def of(self, full: T, quick: T) -> T:
        """One of two sizes of something."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Drawing:
    """A figure: one quantity under all its conditions, as rows with runs and intervals, or as curves over its points.

    Attributes:
        quantity: Which.
        title: Its heading.
        caption: What is seen.
        y: What was measured, with its unit.
        x: Of curves: what the points are.
        log_x: Of curves: a logarithmic axis of points.
        log_y: A logarithmic axis of the quantity.
    """

    quantity: str
    title: str
    caption: str
    y: str
    x: str = ""
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Answer:
    """A viva question that the claim belongs to, answered in plain words with the measured numbers.

    Attributes:
        question: Which, from 1 to 5; see `kohort.lab.viva.QUESTIONS`.
        says: Evidence and what came of the claim's predictions -> the answer, a few sentences.
    """

    question: int
    says: Callable[[Evidence, Findings], str]


@dataclass(frozen=True)
class Beside:
    """A number of the literature beside ours.

    Attributes:
        theirs: What they found, with the number.
        source: Where.
        ours: Evidence -> what was found here, with the number.
        why: Why the two differ, or may.
    """

    theirs: str
    source: str
    ours: Callable[[Evidence], str]
    why: str


@dataclass(frozen=True)
class Claim:
    """A claim with its experiment.

    Attributes:
        number: Its place in the book, from 1.
        name: What commands and files call it.
        title: The claim in one line.
        quoted: What the chapter says, word for word.
        why: Why it should be so.
        experiment: What is trained, on which rows, and how recipes get the same chance.
        predictions: What is predicted, written before anything was trained. Which of them decide was settled by the
            chapter's words and the title alone, by a reader who had seen no result.
        measure: Trains, and tells what was measured.
        drawings: The figures.
        code: Ten lines with which readers try it themselves.
        sources: Where the claim and the method come from.
        untested: What of the chapter's words was not tried, in words; may be empty.
        answers: The viva questions it answers.
        beside: Numbers of the literature.
        seeds: How many seeds it takes unless told otherwise.
    """

    number: int
    name: str
    title: str
    quoted: str
    why: str
    experiment: str
    predictions: tuple[Prediction, ...]
    measure: Callable[[Scale], Evidence] = field(repr=False)
    drawings: tuple[Drawing, ...]
    code: str = field(repr=False)
    sources: tuple[str, ...]
    untested: str = ""
    answers: tuple[Answer, ...] = ()
    beside: tuple[Beside, ...] = ()
    seeds: int = SEEDS

    def judged(self, evidence: Evidence) -> tuple[Judged, ...]:
        """Each prediction, held against evidence."""
        return judge(self.predictions, evidence)

    def verdict(self, evidence: Evidence) -> Verdict:
        """What the predictions come to."""
        return verdict(self.judged(evidence))
