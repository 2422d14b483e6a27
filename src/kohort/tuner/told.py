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


def tried_in_words(searched: Searched) -> str:
    """How much was tried: candidates, structures, seconds, and what became of them.

    Args:
        searched: The search.
    """
    structures = len(searched.structures)
    among = f", of {structures} structures" if structures > 1 else ""
    pace = f"{searched.seconds:.0f} s, {searched.per_minute:.3g} candidates a minute"
    return f"{outcomes_in_words(searched.tried)}{among}; {pace}"


def too_few_in_words(searched: Searched) -> str:
    """That a search was too short for a choice among several; empty where it was not."""
    finished = sum(own.finished for own in searched.tried)
    if finished >= min(FINALISTS, len(searched.tried)):
        return ""
    return (
        f"Only {finished} of {len(searched.tried)} candidates trained to the end, fewer than the {FINALISTS} that are "
        "compared under fresh seeds: more time, more candidates or fewer epochs give a wider choice."
    )


def promise_in_words(promise: Interval, units: Units) -> str:
    """What the best validation score of a search promised too much."""
    return (
        "What the best validation score of the search promised above the recipe's score on test rows: "
        f"{units.span(promise)}{units.unit_of_change}."
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
        *(own for own in (too_few_in_words(found.searched),) if own),
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
