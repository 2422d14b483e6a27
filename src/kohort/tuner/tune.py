"""From a dataset to a recipe: search, finalists, and one look at the test rows beside a plain network's."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from kohort.data.dataset import Dataset, check_dataset
from kohort.errors import DataError, RecipeError, StudyError
from kohort.progress import Listener, silent
from kohort.recipes.definition import code_of
from kohort.runtime import check_backend
from kohort.store.database import FILE
from kohort.store.journal import Journal
from kohort.store.layout import locked
from kohort.store.searches import SIDES, journal_of
from kohort.terminal import Display
from kohort.tuner.builder import BuilderSpace
from kohort.tuner.cocktail import baseline, cocktail
from kohort.tuner.ending import Ending, ensemble_of
from kohort.tuner.finalists import final_of
from kohort.tuner.halving import rungs_of
from kohort.tuner.objective import objective_of
from kohort.tuner.result import TuneResult
from kohort.tuner.search import Budget, Searched, search
from kohort.tuner.setting import SEARCH_SEED, Setting
from kohort.tuner.side import FINALISTS, Side
from kohort.tuner.space import Searchable
from kohort.tuner.written import written_space

IN_USE = "one process may search in a folder. Got another that does. Wait for it, or name another folder."

FEWEST_SEEDS = 6
"""Seeds of the final comparison: with fewer no verdict is possible."""


def tune(
    dataset: Dataset,
    *,
    space: str | Searchable | Callable[[Any], Any] = "cocktail",
    minutes: float | None = 10.0,
    candidates: int | None = None,
    run_epochs: int | None = None,
    epochs: int = 54,
    batch_size: int | None = None,
    metric: str | None = None,
    seeds: int = 10,
    seed: int = 0,
    structures: int = 6,
    halving: bool = True,
    ingredients: bool = True,
    network: Any = "auto",
    smallest_effect: float | None = None,
    folder: str | Path | None = None,
    study: optuna.Study | None = None,
    verbose: int = 1,
    listener: Listener | None = None,
) -> TuneResult:
    """Searches the recipe that suits a dataset, and says by how much it is ahead of a plain network.

    Three parts of the data have three tasks. Candidates train on the training rows and are compared on the validation
    rows of one cut. The best few train again under seeds that the search has not seen, and of these the best on average
    is chosen, with its number of epochs. Then it and a plain network, whose learning rate and epochs were searched for
    with the same budget, train under fresh seeds and fresh cuts, and are judged once on the test rows.

    Args:
        dataset: What to learn.
        space: What is chosen from: `"cocktail"`; a text such as `"batchnorm|none + dropout=0.1..0.6? + adamw"` (see
            `kohort.tuner.written`); a `Space`; or a function `build(hp)` that returns a compiled model, as KerasTuner
            has it, which is compared with itself at its defaults.
        minutes: When the search ends, in minutes of wall-clock time, those of earlier processes included where it goes
            on in a folder; None: only `candidates` says so. The search for the plain network may take as long again,
            the final comparison comes after them.
        candidates: When the search ends, in candidates.
        run_epochs: When the search ends, in epochs that all candidates train together.
        epochs: The most passes over the training rows of a candidate. With 54 candidates are compared after 9 and 27.
        batch_size: Rows of a batch of recipes that have no own; it decides the sizes of the parts. By default 128, of
            fewer than 2,500 rows 32.
        metric: What is made good: `"accuracy"` (the default), `"balanced_accuracy"`,
            `"sparse_categorical_crossentropy"`; of numbers `"root_mean_squared_error"` or `"mean_absolute_error"`.
        seeds: Seeds of the final comparison, at least 6.
        seed: What decides the search: the same seed with the same number of candidates is the same search.
        structures: How many structures (normalisation, size, batch size, …) are looked at; each is compiled once.
        halving: Whether candidates leave after a sixth and a half of their epochs that are not in the better half.
        ingredients: Whether the chosen recipe also trains without each of its techniques, and with other strengths.
        network: What recipes are applied to, as `Study` takes it.
        smallest_effect: The smallest effect that matters, as `Study` takes it.
        folder: Where all of it is kept, so that a killed search goes on; None: nowhere.
        study: A study of Optuna of your own, which then chooses the candidates.
        verbose: 0 silent, else a progress bar on standard error if that is a terminal.
        listener: Hears of progress instead of the bar.

    Raises:
        DataError: The data or an option cannot be used.
        RecipeError: The space cannot be read, or does not suit the data.
        StudyError: The folder is of another search, another process searches in it, or it cannot be written to.
    """
    check_backend()
    started = time.perf_counter()
    if minutes is None and candidates is None and run_epochs is None:
        raise DataError("a search must end. Got minutes, candidates and run_epochs of None. Pass one of them.")
    for name, value, least in (
        ("minutes", minutes, 0.0),
        ("candidates", candidates, 1),
        ("run_epochs", run_epochs, 1),
        ("epochs", epochs, 1),
        ("structures", structures, 1),
        ("seeds", seeds, FEWEST_SEEDS),
        ("batch_size", batch_size, 1),
    ):
        if value is not None and not (value >= least and value > 0.0):
            told = f"at least {least:g}" if least else "above 0"
            raise DataError(f"{name} must be {told}. Got {value!r}.")
    check_dataset(dataset)
    if study is not None and not isinstance(study, optuna.Study):
        raise DataError(
            f"study must be an optuna.Study. Got {type(study).__name__}. A folder that keeps the search is passed as "
            "folder."
        )
    if seed < 0:
        raise DataError(f"seed must be at least 0. Got {seed!r}.")
    place = None if folder is None else Path(folder)
    size = batch_size or (128 if dataset.rows >= 2500 else 32)
    objective = objective_of(metric, bool(dataset.classes))
    images = len(dataset.shape) > 1
    with ExitStack() as held:
        if place is not None:
            held.enter_context(_kept_in(place))
        shown = nullcontext(listener) if listener else nullcontext(silent) if verbose == 0 else Display()
        heard = held.enter_context(shown)
        setting = Setting(dataset, SEARCH_SEED + seed, epochs, size, objective, network, heard)
        looked = _space(space, setting, images)
        defaults = BuilderSpace(looked.build, defaults=True) if isinstance(looked, BuilderSpace) else None
        plain_space = defaults or baseline(images=images, balanced=objective.balanced)
        asked = dict(zip(SIDES, ((looked, study), (plain_space, None)), strict=True))
        sides: dict[str, Side] = {}
        for name, (own, choose) in asked.items():
            identity = _identity(setting, own, structures, halving, choose)
            journal = Journal(None if place is None else journal_of(place, name), identity)
            budget = Budget(candidates=1) if own is defaults else Budget(minutes, candidates, run_epochs)
            ended = search(setting, own, budget, structures=structures, halving=halving, study=choose, journal=journal)
            sides[name] = Side(ended, final_of(setting, ended, finalists=FINALISTS), epochs)
            if not sides[name].final.finalists:
                raise DataError(_nothing(ended, sides[name].final.left_out))
        found, plain = (sides[name] for name in SIDES)
        ending = Ending(setting, seeds, smallest_effect, place, heard)
        judged = ending.judged(plain, found)
        others = (ending.examined(found), ending.dosed(found)) if ingredients else (None, None)
    greedy = ensemble_of(setting, found.final)
    return TuneResult(setting, plain, found, judged, *others, greedy, time.perf_counter() - started)


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Makes a search's folder, and keeps other searches out of it meanwhile."""
    if (folder / FILE).is_file():
        raise StudyError(f"{folder}: a search needs a folder of its own. Got that of a study. Name another.")
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder, IN_USE))
        except OSError as error:
            raise StudyError(f"{folder}: a search cannot be kept there: {error}. Name another folder.") from error
        yield


def _space(asked: str | Searchable | Callable[[Any], Any], setting: Setting, images: bool) -> Searchable:
    if callable(asked):
        return BuilderSpace(asked)
    if not isinstance(asked, str):
        if not hasattr(asked, "structures"):
            raise RecipeError(
                f"space must be a text, a function build(hp), or a kohort.tuner Space. Got {type(asked).__name__}. "
                "Pass 'cocktail' for the usual one."
            )
        return asked
    if asked == "cocktail":
        balanced = setting.objective.balanced
        return cocktail(setting.dataset.task, images=images, rows=setting.rows[0], balanced=balanced)
    return baseline(images=images, balanced=setting.objective.balanced) if asked == "baseline" else written_space(asked)


def _identity(
    setting: Setting, space: Searchable, structures: int, halving: bool, study: optuna.Study | None
) -> Mapping[str, Any]:
    """What decides the numbers of a search."""
    return {
        "dataset": setting.dataset.name,
        "data": setting.dataset.fingerprint,
        "called": space.name,
        "space": repr(space),
        "structures": structures,
        "halving": rungs_of(setting.epochs) if halving else (),
        "chosen by": "Kohort" if study is None else f"a study of Optuna, {type(study.sampler).__name__}",
        "seed": setting.seed - SEARCH_SEED,
        "epochs": setting.epochs,
        "batch_size": setting.batch_size,
        "metric": setting.objective.metric,
        "greater_is_better": setting.objective.greater_is_better,
        "unit_of_scores": abs(setting.in_units(1.0)),
        "network": setting.network if isinstance(setting.network, str) else code_of(setting.network),
        **{package: metadata.version(package) for package in ("kohort", "keras", "jax", "numpy", "optuna")},
    }


def _nothing(searched: Searched, left_out: Mapping[str, str]) -> str:
    tried = len(searched.tried)
    whys = sorted({*(own.why for own in searched.tried if own.why), *left_out.values()})
    failed = sum(own.score == -np.inf for own in searched.tried)
    told = f" {failed} diverged or could not be trained{': ' + '; '.join(whys) if whys else ''}." if failed else ""
    return (
        f"the search of {searched.space.name!r} must leave a candidate that trained to the end under other seeds. "
        f"Got none of {tried}.{told} Give it more time, or a space with smaller learning rates."
    )
