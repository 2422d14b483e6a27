"""Feature by feature: a member of a cohort equals `set_random_seed(seed); build().fit(...)`.

The table is `tests/subjects`. The oracle is `fit`, in the same process, for each seed by itself.
"""

from importlib.util import find_spec
from typing import Any

import keras
import numpy as np
import pytest

import kohort
from kohort import errors
from kohort.run import Run
from tests.subjects import SUBJECTS
from tests.subjects.subject import Subject

pytestmark = [  # Keras' own warnings, which fit gives too
    pytest.mark.filterwarnings("ignore:.*Explicitly requested dtype int64:UserWarning"),  # MeanIoU and MixUp on JAX
    pytest.mark.filterwarnings("ignore:EveryBatch acts at each batch:UserWarning"),
    pytest.mark.filterwarnings("ignore:steps_per_epoch=2 does not divide:UserWarning"),
    pytest.mark.filterwarnings("ignore:recipe .* its (Cosine|Polynomial)Decay:UserWarning"),
    pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning"),
]

SEEDS = (0, 1)

PARTS = ("layers", "compile", "fit", "recipes")
"""Groups of single features. Whole networks and the properties below are compiled as users' are."""


FIRST_EPOCH = 1e-5
"""Logs of the first epoch, relative to their size (at least 1): a few steps, each exact to float32's 6e-8."""

LATER_EPOCHS = 1e-3
"""Logs of later epochs: rounding grows with every step, since each step starts where the last one ended."""

OPTIMISER = 1e-3
"""Momenta and the like, relative to the largest of their array: gradients round more than the weights they move."""

NO_GRADIENT = 1e-6
"""Momenta below are of gradients that are zero but for rounding, such as that of the key's bias in attention."""

COUNTED = ("acc", "precision", "recall", "auc", "iou", "f1", "positives", "negatives")
"""Words in the names of metrics that count rows, and so may differ by one row that lies on the boundary."""


def parameters(*statuses: str) -> list[Any]:
    """The subjects of some statuses, as parameters of a test."""

    def marks(subject: Subject) -> list[pytest.MarkDecorator]:
        known = [pytest.mark.xfail(reason=subject.defect, strict=True)] if subject.defect else []
        if subject.requires and not find_spec(subject.requires):
            known.append(pytest.mark.skip(f"needs {subject.requires}"))
        if subject.lacks and find_spec(subject.lacks):
            known.append(pytest.mark.skip(f"fails only without {subject.lacks}"))
        return known + [pytest.mark.slow] * subject.slow + [pytest.mark.optimised] * (subject.group not in PARTS)

    chosen = [subject for subject in SUBJECTS if subject.status in statuses]
    return [pytest.param(subject, id=f"{subject.group}-{subject.name}", marks=marks(subject)) for subject in chosen]


def built(subject: Subject, seed: int) -> keras.Model:
    """The subject's model as a fresh process would build it after `set_random_seed`: auto-numbered names included."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    return subject.build()


def trained_by_fit(subject: Subject, seed: int) -> keras.Model:
    model = built(subject, seed)
    model.fit(verbose=0, **subject.arguments())  # type: ignore[arg-type]
    return model


def trained_by_kohort(subject: Subject, **options: Any) -> dict[int, Run]:
    """Both seeds in one call; where models are trained in place, each in a call that follows its own seed."""
    options = {"verbose": 0, **subject.arguments(), **options}
    if subject.in_place:
        return {seed: kohort.fit(built(subject, seed), **options) for seed in SEEDS}
    keras.backend.clear_session(free_memory=False)
    return kohort.fit(subject.build, seeds=SEEDS, **options)


def gaps(ours: Any, theirs: Any) -> list[float]:
    """The largest gap of each array, relative to its largest value (at least 1); whole numbers must be equal."""
    return [_gap(a, b, 1.0) for a, b in zip(ours, theirs, strict=True)]


def _gap(ours: Any, theirs: Any, least: float) -> float:
    a, b = np.asarray(ours), np.asarray(theirs)
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    if a.dtype.kind not in "fV" and "float" not in a.dtype.name:
        np.testing.assert_array_equal(a, b)
        return 0.0
    a, b = a.astype("float64"), b.astype("float64")
    np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))
    if not b.size:
        return 0.0
    return float(np.abs(a - b).max() / max(least, np.abs(b).max()))


def both_are_rounding(ours: Any, theirs: Any) -> bool:
    """Whether two momenta are each zero by the bound for those without a gradient; their signs are then chance."""
    a, b = np.asarray(ours), np.asarray(theirs)
    return all(own.dtype.kind == "f" and np.abs(own).max(initial=0.0) <= OPTIMISER * NO_GRADIENT for own in (a, b))


def assert_same_history(ours: dict[str, list[float]], theirs: dict[str, list[float]], subject: Subject) -> None:
    assert list(ours) == list(theirs)
    rows = len(keras.tree.flatten(subject.y)[0]) if subject.y is not None else 64
    for name, values in theirs.items():
        assert len(ours[name]) == len(values)
        gap = np.abs(np.array(ours[name]) - np.array(values)) / np.maximum(1.0, np.abs(values))
        if any(word in name for word in COUNTED):
            assert gap.max() <= 4.0 / rows, name
        else:
            scale = max(1.0, subject.tolerance / 1e-5)
            assert gap[0].max() <= scale * FIRST_EPOCH, (name, ours[name], values)
            assert gap.max() <= scale * LATER_EPOCHS, (name, ours[name], values)


def assert_equal_fit(subject: Subject, runs: dict[int, Run]) -> None:
    """Logs, weights, statistics, seed generators and the optimiser's state."""
    for seed in SEEDS:
        theirs = trained_by_fit(subject, seed)
        ours = runs[seed].model()
        assert_same_history(runs[seed].history, theirs.history.history, subject)
        assert max(gaps(runs[seed].weights, theirs.get_weights())) <= subject.tolerance
        assert max(gaps(values(ours.weights), values(theirs.weights))) <= subject.tolerance
        assert max(gaps(values(ours.variables), values(theirs.variables))) <= OPTIMISER  # sums of metrics among them
        for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
            gap = _gap(a.value, b.value, NO_GRADIENT)
            assert gap <= OPTIMISER or both_are_rounding(a.value, b.value), a.path
    assert max(gaps(runs[SEEDS[0]].weights, runs[SEEDS[1]].weights)) > 1e-2  # two runs, not one copied


def values(variables: Any) -> list[np.ndarray]:
    return [np.asarray(variable.value) for variable in variables]


def assert_refused(subject: Subject) -> None:
    with pytest.raises(getattr(errors, subject.error), match=subject.words):
        trained_by_kohort(subject)


@pytest.mark.parametrize("subject", parameters("same", "batch pace"))
def test_members_equal_fit(subject: Subject) -> None:
    """Two seeds, trained together."""
    assert_equal_fit(subject, trained_by_kohort(subject))


@pytest.mark.parametrize("subject", parameters("slow path"))
def test_what_no_cohort_can_train_is_trained_by_fit_if_asked(subject: Subject) -> None:
    assert_refused(subject)
    with pytest.warns(UserWarning, match="model.fit"):
        runs = trained_by_kohort(subject, on_unsupported="fit")
    assert all(run.why_by_fit for run in runs.values())
    assert_equal_fit(subject, runs)


@pytest.mark.parametrize("subject", parameters("refused"))
def test_what_is_refused_trains_with_fit(subject: Subject) -> None:
    """A refusal says what `fit` can do and Kohort cannot; it must not be Keras' own error passed on."""
    trained_by_fit(subject, 0)
    assert_refused(subject)


@pytest.mark.parametrize("subject", parameters("keras fails"))
def test_what_fit_fails_at_is_refused(subject: Subject) -> None:
    with pytest.raises(Exception):  # noqa: B017 - Keras raises whatever it happens to stumble over
        trained_by_fit(subject, 0)
    assert_refused(subject)


DIVERSE = (
    "Dropout",
    "BatchNormalization of images",
    "LSTM with dropout",
    "Text classification with a Transformer",
    "Several inputs and outputs in lists",
    "RandomFlip",
)
"""Features on which it is tried that members know nothing of one another."""


@pytest.fixture(scope="module", params=DIVERSE)
def subject(request: pytest.FixtureRequest) -> Subject:
    return next(subject for subject in SUBJECTS if subject.feature == request.param)


def at(subject: Subject, rate: float) -> Any:
    """The subject's builder with another learning rate."""

    def build() -> keras.Model:
        model = subject.build()
        model.optimizer.learning_rate = rate
        return model

    return build


def cohort(subject: Subject, rates: dict[str, float], seeds: Any, **options: Any) -> kohort.Runs:
    recipes = {name: at(subject, rate) for name, rate in rates.items()}
    runs = kohort.fit(recipes, subject.x, subject.y, seeds=seeds, verbose=0, **subject.options, **options)
    assert len(runs.cohorts) == 1
    return runs


@pytest.fixture(scope="module")
def usual(subject: Subject) -> kohort.Runs:
    return cohort(subject, {"slow": 0.01, "other": 0.03, "fast": 0.05}, 3)


def assert_same_bits(one: Run, other: Run) -> None:
    assert list(one.history.values()) == list(other.history.values())  # auto-numbered names differ by call
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.optimised
def test_a_neighbour_that_diverges_changes_no_bit(subject: Subject, usual: kohort.Runs) -> None:
    for rate in (1e30, 1e38):  # where the first does not diverge: that depends on how a processor rounds
        runs = cohort(subject, {"slow": 0.01, "other": rate, "fast": 0.05}, 3)
        if not any(runs["other", seed].outcome.finished for seed in range(3)):
            break
    for seed in range(3):
        assert not runs["other", seed].outcome.finished
        assert_same_bits(runs["slow", seed], usual["slow", seed])
        assert_same_bits(runs["fast", seed], usual["fast", seed])


@pytest.mark.slow
@pytest.mark.optimised
def test_some_of_the_seeds_and_recipes_in_another_order_change_no_bit(subject: Subject, usual: kohort.Runs) -> None:
    runs = cohort(subject, {"fast": 0.05, "slow": 0.01}, [2, 0])
    for key, run in runs.items():
        assert_same_bits(run, usual[key])


@pytest.mark.slow
@pytest.mark.optimised
def test_one_device_equals_two_to_rounding(subject: Subject, usual: kohort.Runs) -> None:
    runs = cohort(subject, {"slow": 0.01, "other": 0.03, "fast": 0.05}, 3, devices=1)
    for key, run in runs.items():
        assert max(gaps(run.weights, usual[key].weights)) <= subject.tolerance
