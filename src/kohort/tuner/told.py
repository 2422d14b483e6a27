"""What a search tried and chose, in sentences and as a table."""

import re

from kohort.report.document import Search
from kohort.statistics.intervals import Interval
from kohort.statistics.units import Units
from kohort.store.searches import outcomes_in_words
from kohort.tuner.search import Searched
from kohort.tuner.setting import SEARCH_SEED, Setting
from kohort.tuner.side import FINALISTS, Side

_BETWEEN = re.compile(r"\+(?=[a-z])")  # a plus between techniques, and none of an exponent

OVERRUN = 1.2
"""How many times as long as was asked for a search may take without a word."""

BY_THE_CLOCK = (
    "A search that ends by the clock tries more or fewer candidates when it is run again, and may choose another "
    "recipe: one of as many --candidates repeats to the digit."
)


def tried_in_words(searched: Searched) -> str:
    """How much was tried: candidates, structures, seconds, and what became of them.

    Args:
        searched: The search.
    """
    structures = len(searched.structures)
    among = f", of {structures} structures" if structures > 1 else ""
    pace = f"{searched.seconds:.0f} s, {searched.per_minute:,.0f} candidates a minute"
    return f"{outcomes_in_words(searched.tried)}{among}; {pace}"


def too_few_in_words(searched: Searched) -> str:
    """That a search was too short for a choice among several; empty where it was not."""
    finished = sum(own.finished for own in searched.tried)
    if finished >= min(FINALISTS, len(searched.tried)):
        return ""
    return (
        f"Only {finished} of {len(searched.tried)} candidates trained to the end, fewer than the {FINALISTS} that are "
        "compared under fresh seeds, so others were added: more time, more candidates or fewer epochs give a better "
        "choice."
    )


def overrun_in_words(searched: Searched) -> str:
    """That the first round took longer than was asked for; empty where it did not."""
    minutes = searched.budget.minutes
    if minutes is None or searched.seconds < OVERRUN * 60.0 * minutes or any(own.round for own in searched.tried):
        return ""
    return (
        f"The search took {searched.seconds:.0f} s instead of {60.0 * minutes:.0f}: its first round, of "
        f"{len(searched.tried)} candidates, always ends."
    )


def shortcomings(searched: Searched) -> tuple[str, ...]:
    """What a reader should know of a search that was too short, in sentences."""
    return tuple(told for told in (too_few_in_words(searched), overrun_in_words(searched)) if told)


def promise_in_words(setting: Setting, promised: float, optimism: Interval, units: Units) -> str:
    """What the best validation score of a search promised, and what the recipe does on test rows.

    Args:
        setting: What candidates trained on.
        promised: The promise, in units of the metric.
        optimism: How much it is above what the recipe does, where one wants the score high; else how much below.
        units: How scores are written.
    """
    sign = 1.0 if setting.objective.greater_is_better else -1.0
    low, high = sorted((abs(optimism.low), abs(optimism.high))) if optimism.low * optimism.high > 0 else (None, None)
    reached = promised - sign * optimism.mean
    said = f"The best validation score of the search promised {units.said(promised)}; on the test rows the recipe has "
    said += f"{units.said(reached)} on average"
    if low is None or high is None:
        return f"{said}, which is as promised to what {optimism.n} seeds can tell."
    unit = units.unit_of_change or f" {units.name}"
    how = "worse" if optimism.mean > 0 else "better"
    return (
        f"{said}, {units.change(abs(optimism.mean)).lstrip('+')} ({units.change(low).lstrip('+')} to "
        f"{units.change(high).lstrip('+')} over seeds){unit} {how} than promised: by luck, and since other rows are "
        "easier or harder."
    )


def search_of(setting: Setting, found: Side, beside: Side, units: Units, told: tuple[str, ...]) -> Search:
    """What a report says of a search.

    Args:
        setting: What candidates trained on.
        found: The search.
        beside: The search for what is compared with.
        units: How scores are written.
        told: Further sentences.
    """
    called, final = found.searched.space.called, found.final
    train, validation, _ = setting.rows
    choice = "its rate and epochs" if beside.searched.budget == found.searched.budget else "as it is"
    sentences = [
        f"Searched in: {found.searched.space.name}, until {found.searched.budget}; seed {setting.seed - SEARCH_SEED}. "
        f"Each candidate trained on {train:,} rows for {setting.epochs} epochs at the most, and was compared by "
        f"{units.name} on {validation:,} validation rows of one cut.",
        f"Tried for the {called.what.lower()}: {tried_in_words(found.searched)}.",
        f"Tried for the {called.other.lower()}, {choice}: {tried_in_words(beside.searched)}.",
        f"The best {len(final.finalists)} trained again under {len(final.finalists[0].curves)} seeds that the search "
        "had not seen; the best of these, on average on the validation rows, was chosen with its number of epochs.",
        *((BY_THE_CLOCK,) if found.searched.budget.minutes is not None else ()),
        *shortcomings(found.searched),
        *told,
    ]
    heads = (
        "finalist",
        "in the search, one seed",
        f"validation {units.heading}, mean of fresh seeds",
        "after epochs",
    )
    rows = tuple(
        (
            _BETWEEN.sub(" + ", own.tried.recipe),
            units.score(setting.in_units(own.tried.score)),
            units.score(setting.in_units(own.score)),
            str(own.epochs),
        )
        for own in final.finalists
    )
    return Search(tuple(sentences), heads, rows)
