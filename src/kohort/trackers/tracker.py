"""A tracker: keeps runs where a team looks at all its runs, those of other programs among them."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kohort.report.document import Document
from kohort.report.markdown import text
from kohort.report.tidy import BY_EPOCH
from kohort.run import ONE_NUMBER, Run
from kohort.store.identity import Identity


class TrackerLog(Protocol):
    """A study in a tracker, open."""

    def add(self, run: Run) -> None:
        """Keeps a run that has ended, unless it is there."""
        ...

    def finish(self, document: Document | None) -> None:
        """Keeps what the study says, when it has ended.

        Args:
            document: Its report; None where there is nothing to compare yet.
        """
        ...

    def leave(self) -> None:
        """Notes that the study was interrupted."""
        ...


class Tracker(Protocol):
    """Keeps the runs of studies. Its text names it."""

    def open(self, identity: Identity) -> TrackerLog:
        """Opens a study, which may be there from an earlier time.

        Args:
            identity: What the study is.
        """
        ...


def key_of(identity: Identity) -> str:
    """Sixteen hexadecimal digits by which a tracker knows a study again: of its data, and of all that decides numbers.

    Recipes and seeds have no part in it, so that a study to which some are added remains the same.
    """
    told = json.dumps([identity.dataset, dict(identity.decides)], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def run_key(run: Run, identity: Identity) -> str:
    """By which a tracker knows a run again: what its recipe is, and its seed."""
    told = json.dumps([run.recipe, identity.recipes.get(run.recipe, ""), run.seed])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def parameters(run: Run, identity: Identity) -> dict[str, Any]:
    """What was chosen for a run: recipe, its strengths, seed, epochs, batch size."""
    strengths = strengths_of(identity.recipes.get(run.recipe, ""))
    size = int(strengths.get("batch", identity.decides["batch_size"]))
    return {
        "recipe": run.recipe,
        "seed": run.seed,
        "epochs": run.params["epochs"],
        "batch_size": size,
        **{name: value for name, value in strengths.items() if name not in ("batch", "epochs")},
    }


def strengths_of(text: str) -> dict[str, Any]:
    """The techniques of a recipe that was written as text: name -> strength, or True where there is none.

    Args:
        text: What the recipe is, as `Recipe.text`; of the user's own function nothing is known.

    >>> strengths_of("dropout 0.3 + batchnorm + cosine warmup 5")
    {'dropout': 0.3, 'batchnorm': True, 'cosine': True, 'cosine.warmup': 5.0}
    >>> strengths_of("build 9f86d081"), strengths_of("none")
    ({}, {})
    """
    found: dict[str, Any] = {}
    for part in text.split(" + "):
        name, *words = part.split() or [""]
        first = float(words.pop(0)) if words and _is_number(words[0]) else True
        pairs = list(zip(words[::2], words[1::2], strict=False))
        if not re.fullmatch(r"[a-z][a-z0-9]*", name) or len(words) % 2 or not all(_is_number(own) for _, own in pairs):
            return {}
        found[name] = first
        found |= {f"{name}.{parameter}": float(value) for parameter, value in pairs}
    found.pop("none", None)
    return found


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?\d+\.?\d*(e[-+]?\d+)?", word) is not None


def verdicts_of(document: Document) -> str:
    """What a study says, as Markdown."""
    return "\n".join([f"**{text(document.lead)}**", "", *(f"- {text(own)}" for own in document.verdicts)])


def by_epoch(run: Run) -> Mapping[str, Sequence[float]]:
    """What is known of each epoch: the logs, and norms of weights and gradients where they were measured."""
    measured = {name: run.diagnostics[name].tolist() for name in BY_EPOCH if name in run.diagnostics}
    return {**run.history, **measured}


def at_the_end(run: Run) -> dict[str, float]:
    """What is known when a run has ended: its test score, and single numbers that were measured."""
    test = {} if run.test is None else {f"test_{run.test.metric}": run.test.score}
    single = [name for name in ONE_NUMBER if name not in BY_EPOCH and len(run.diagnostics.get(name, ()))]
    return {**test, **{name: float(run.diagnostics[name][-1]) for name in single}}
