"""What would settle it: how many more seeds, or how many more test rows."""

from collections.abc import Callable
from dataclasses import dataclass

from scipy import special

from kohort.statistics.estimates import FEW_ROWS, few_rows_bound
from kohort.statistics.population import Components

MOST_SEEDS, MOST_ROWS = 10_000, 100_000_000  # beyond these we say that they cannot


@dataclass(frozen=True)
class Settlement:
    """What would settle a comparison that is open, if the estimate stayed as it is.

    Attributes:
        seeds: About how many more seeds would, with the same rows; None where no number of them would.
        rows: About how many more test rows would, with the same seeds; None where no number would, or where
            nothing is known of single rows.
    """

    seeds: int | None
    rows: int | None


def needed_half_width(estimate: float, smallest_effect: float) -> float:
    """The widest half interval around the estimate that settles it: max(|estimate|, δ − |estimate|).

    Narrower than |estimate| it leaves out 0; narrower than δ − |estimate| it lies within (−δ, δ).
    """
    return max(abs(estimate), smallest_effect - abs(estimate))


def settlement(
    estimate: float,
    smallest_effect: float,
    components: Components,
    seeds: int,
    rows: int,
    alpha: float,
    discordant: float = FEW_ROWS,
) -> Settlement:
    """More seeds, or more test rows, for which the interval of estimand P would be as narrow as needed.

    Args:
        estimate: The difference seen.
        smallest_effect: δ.
        components: What its error is made of.
        seeds: How many there are.
        rows: How many test rows there are.
        alpha: The probability with which the interval errs on its own.
        discordant: As in `Estimates`. Few such rows bound the interval from below, whatever the number of seeds; of
            more rows the same share is expected to be discordant.
    """
    wanted = needed_half_width(estimate, smallest_effect)

    def half(some_seeds: float, some_rows: float) -> float:
        t = special.stdtrit(components.df(some_seeds, some_rows), 1.0 - alpha / 2.0)
        width = float(t * components.variance(some_seeds, some_rows) ** 0.5)
        expected = discordant * some_rows / rows
        if discordant < FEW_ROWS and expected < FEW_ROWS:
            return max(width, float(few_rows_bound(expected, some_rows, alpha)))
        return width

    return Settlement(
        seeds=_more(lambda n: half(n, rows) < wanted, seeds, MOST_SEEDS),
        rows=_more(lambda n: half(seeds, n) < wanted, rows, MOST_ROWS),
    )


def settling_seeds(
    estimate: float, smallest_effect: float, variance: float, seeds: int, alpha: float, *, test_to_train: float = 0.0
) -> int | None:
    """More seeds for which the interval of estimand S would be as narrow as needed; None where no number would.

    Args:
        estimate: The difference seen.
        smallest_effect: δ.
        variance: s², of the differences over seeds.
        seeds: How many there are.
        alpha: The probability with which the interval errs on its own.
        test_to_train: As in `seed_estimates`.
    """
    wanted = needed_half_width(estimate, smallest_effect)

    def enough(n: float) -> bool:
        t = float(special.stdtrit(n - 1, 1.0 - alpha / 2.0))
        return t * (variance * (1.0 / n + test_to_train)) ** 0.5 < wanted

    return _more(enough, seeds, MOST_SEEDS)


def _more(enough: Callable[[int], bool], now: int, most: int) -> int | None:
    """The least n > now that is enough, less now, by doubling and then halving; None where `most` is not."""
    low, high = now, now + 1
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high - now
