"""Words that turn with what was found: a sentence says that it was as expected only where it was."""

from dataclasses import dataclass

from kohort.lab.prediction import Judged


@dataclass(frozen=True)
class Findings:
    """What came of a claim's predictions, to be put into words.

    Attributes:
        judged: All of them.
    """

    judged: tuple[Judged, ...]

    def of(self, begins: str) -> Judged:
        """The prediction whose name begins so.

        Raises:
            ValueError: None does, or more than one.
        """
        found = [own for own in self.judged if own.prediction.name.startswith(begins)]
        if len(found) != 1:
            names = "; ".join(own.prediction.name for own in self.judged)
            raise ValueError(f"one prediction's name must begin with {begins!r}. Got {len(found)} of: {names}.")
        return found[0]

    def number(self, begins: str) -> str:
        """What was found for the prediction whose name begins so, without its interval: "3.2 points"."""
        own = self.of(begins)
        return f"{own.prediction.written(own.found.mean)}{own.prediction.unit}"

    def worded(
        self,
        begins: str,
        met: str = "as expected",
        missed: str = "which is not as expected",
        undecided: str = "which leaves open whether it is as expected",
    ) -> str:
        """One of three wordings, by what came of a prediction.

        Args:
            begins: How the prediction's name begins.
            met: What is said where it was met.
            missed: Where it was not.
            undecided: Where it is undecided.
        """
        return {"met": met, "not met": missed, "undecided": undecided}[self.of(begins).outcome]
