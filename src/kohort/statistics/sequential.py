"""Seeds until settled: after each round of seeds, whether another is worth training.

Rounds follow a schedule of looks (`spending.Looks`), whose error rate is spent in advance, so that stopping at any of
them, for any reason, leaves the intervals of estimand P right; those of S are confidence sequences.
Nothing here trains: a study, or a simulation, asks `next_round`, adds the seeds, and calls `judge` with the looks
taken.

    looks = Looks.upto(budget)
    while True:
        verdicts = judge(table_with(looks.now), baseline, looks=looks)
        decision = next_round(verdicts)
        if decision.seeds is None: break
        looks = verdicts.looks
"""

from dataclasses import dataclass

from kohort.statistics.verdict import Verdict, Verdicts


@dataclass(frozen=True)
class Decision:
    """Whether to go on.

    Attributes:
        seeds: How many seeds, in all, the next look has; None to stop.
        why: The reason, for the reader.
    """

    seeds: int | None
    why: str


def next_round(verdicts: Verdicts) -> Decision:
    """Whether more seeds are worth training, after a look.

    It stops when every verdict is settled; when none that is open could be settled by any number of seeds, as forecast
    from the variance components; or when the budget ends. The forecast only decides whether one goes on, never
    what is said, so that a wrong one costs evidence and not validity.

    Args:
        verdicts: What `judge` said at the last look, with `looks`.

    Raises:
        ValueError: The verdicts were made without looks.
    """
    looks = verdicts.looks
    if looks is None:
        raise ValueError(
            "verdicts must come from looks at rounds of seeds. Got one look; judge(…, looks=Looks.upto(n))."
        )
    waiting = [verdict for verdict in verdicts.verdicts if not verdict.settled]
    if not waiting:
        return Decision(None, f"every verdict is settled with {verdicts.seeds} seeds")
    if len(looks.nominal) == len(looks.seeds):
        return Decision(None, f"the budget of {looks.seeds[-1]} seeds has ended, {_named(waiting)} open")
    hopeless = [v for v in waiting if v.settlement is not None and v.settlement.seeds is None]
    if len(hopeless) == len(waiting):
        return Decision(None, f"more seeds cannot settle {_named(waiting)}")
    return Decision(looks.now, f"{_named(waiting)} open after {verdicts.seeds} seeds")


def _named(verdicts: list[Verdict]) -> str:
    return ", ".join(verdict.recipe for verdict in verdicts)
