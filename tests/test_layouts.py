"""The fastest layout is measured where it is asked for, kept by program and machine, and only then used."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pytest

import kohort
from kohort.cli.app import main
from kohort.cohort import known_layouts, layouts
from kohort.cohort.known_layouts import KnownLayouts, Seconds, resolved, usual_place
from kohort.data import Dataset
from kohort.errors import DataError, StudyError
from kohort.seeds import global_randomness
from kohort.study import Study
from tests.test_equality import largest_gap

OPTIONS: Any = {"seeds": 12, "epochs": 3, "validation_split": 0.25, "verbose": 0}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return usual_place()


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.standard_normal((80, 6)).astype("float32"), draw.integers(0, 3, 80).astype("int32")


def build(units: int = 8, dropout: float = 0.2) -> keras.Model:
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dropout(dropout), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Stopwatch:
    """Says what layouts take, whatever they take, and counts how often it was asked.

    Args:
        seconds: Of each number of members at once.
    """

    def __init__(self, seconds: Callable[[int], float]):
        self.seconds, self.asked = seconds, 0

    def __call__(self, _order: Any, plan: Any, _count: int) -> float:
        self.asked += 1
        return self.seconds(plan.at_once)


@pytest.fixture
def four_is_fastest(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    watch = Stopwatch(lambda at_once: 1.0 + abs(at_once - 4))
    monkeypatch.setattr(layouts, "_epoch", watch)
    return watch


def plans(runs: kohort.Runs[Any]) -> set[str]:
    return {run.plan for run in runs.values()}


def test_the_fastest_is_measured_and_trains_as_if_it_had_been_asked_for(data: tuple[np.ndarray, np.ndarray]) -> None:
    """With the real clock: whatever was fastest, no bit depends on its having been measured."""
    runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    (plan,) = plans(runs)
    assert "(fastest as measured, ms an epoch of all: 1 at once" in plan
    assert "6 at once" in plan  # all of a device's twelve halves
    (chosen,) = (n for n in (1, 4, 6) if f"{n} members at once on" in plan or (n == 1 and "after another" in plan))
    asked = kohort.fit(build, *data, at_once=chosen, **OPTIONS)
    for seed, run in asked.items():
        assert run.history == runs[seed].history
        assert largest_gap(run.weights, runs[seed].weights) == 0.0


def test_the_fastest_is_used_and_measured_once(
    data: tuple[np.ndarray, np.ndarray], four_is_fastest: Stopwatch, place: Path
) -> None:
    runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert "4 members at once on each (fastest as measured" in runs.explain()
    asked = four_is_fastest.asked
    assert asked == 3 * 2 + layouts.ROUNDS  # one, six and four at once; of these the others take twice as long as four
    (kept,) = json.loads(place.read_text("utf-8")).values()
    assert kept == {"1": 4.0, "4": 1.0, "6": 3.0}
    again = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert plans(again) == plans(runs)
    assert four_is_fastest.asked == asked
    # strengths are inputs of a program, so it is the same; another width, or another number of runs, is another
    kohort.fit(lambda: build(dropout=0.4), *data, at_once="fastest", **OPTIONS)
    assert four_is_fastest.asked == asked
    kohort.fit(lambda: build(units=9), *data, at_once="fastest", **OPTIONS)
    assert four_is_fastest.asked == 2 * asked
    kohort.fit(build, *data, at_once="fastest", **(OPTIONS | {"seeds": 14}))
    assert four_is_fastest.asked == 3 * asked
    assert len(json.loads(place.read_text("utf-8"))) == 3


def test_no_more_is_timed_than_a_share_of_the_training_allows(
    data: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    tried: list[int] = []

    def epoch(_order: Any, plan: Any, _count: int) -> float:
        clock[0] += 6.0
        tried.append(plan.at_once)
        return {1: 4.0, 6: 3.0, 4: 2.0}[plan.at_once]

    monkeypatch.setattr(layouts, "_epoch", epoch)
    monkeypatch.setattr(layouts, "perf_counter", lambda: clock[0])
    runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)  # of 3 epochs: 10 seconds
    assert tried == [1, 1, 6, 6]
    assert "6 members at once on each (fastest as measured, ms an epoch of all: 1 at once 4e+03, 6 at once 3e+03)" in (
        runs.explain()
    )
    tried.clear()
    kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert tried == []
    runs = kohort.fit(
        build, *data, at_once="fastest", **(OPTIONS | {"epochs": 80})
    )  # 32 seconds, and more epochs a call
    assert tried == [1, 1, 6, 6, 4, 4, 1, 6]
    assert "4 members at once" in runs.explain()


def test_what_is_hardly_faster_does_not_displace_the_usual(
    data: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    for all_at_once, wanted in ((0.97, "one member after another"), (0.9, "6 members at once")):
        monkeypatch.setattr(layouts, "_epoch", Stopwatch({1: 1.0, 4: 1.0, 6: all_at_once}.__getitem__))
        runs = kohort.fit(lambda units=int(100 * all_at_once): build(units), *data, at_once="fastest", **OPTIONS)
        assert wanted in runs.explain()


def test_the_least_of_some_rounds_counts(data: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """One candidate is disturbed in one round, the others in the others; the very first calls compile."""
    calls: dict[int, int] = {}

    def seconds(at_once: int) -> float:
        number = calls[at_once] = calls.get(at_once, 0) + 1
        slow = number <= 2 or number - 2 != {1: 1, 4: 2, 6: 3}[at_once]
        return {1: 1.4, 4: 1.8, 6: 1.0}[at_once] * (9.0 if slow else 1.0)

    monkeypatch.setattr(layouts, "_epoch", Stopwatch(seconds))
    runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert "6 members at once on each (fastest as measured, ms an epoch of all: 1 at once 1.4e+03" in runs.explain()


def test_layouts_for_which_memory_does_not_suffice_are_not_tried(
    data: tuple[np.ndarray, np.ndarray], four_is_fastest: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "memory_of", lambda _order, plan: plan.at_once * 100)
    monkeypatch.setattr(layouts, "free_memory", lambda: 450)  # of which four fifths may be taken
    runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert "the only one possible" in runs.explain()
    assert four_is_fastest.asked == 0
    monkeypatch.setattr(layouts, "free_memory", lambda: 550)
    runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert "1 at once 4e+03, 4 at once 1e+03)" in runs.explain()


def test_a_layout_that_lacks_memory_after_all_is_left_out(
    data: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def epoch(_order: Any, plan: Any, _count: int) -> float:
        if plan.at_once == lacking:
            raise MemoryError("6 are too many")
        return 10.0 - plan.at_once

    monkeypatch.setattr(layouts, "_epoch", epoch)
    lacking = 6
    with pytest.warns(UserWarning, match="6 members at once were not timed, since memory does not suffice: 6 are too"):
        assert "4 members at once" in kohort.fit(build, *data, at_once="fastest", **OPTIONS).explain()


def test_the_key_is_of_the_program_and_not_of_the_terminal(
    data: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch, place: Path, four_is_fastest: Stopwatch
) -> None:
    from jax._src import pretty_printer

    for coloured in (True, False):
        monkeypatch.setattr(pretty_printer, "CAN_USE_COLOR", coloured)
        kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert len(json.loads(place.read_text("utf-8"))) == 1
    for count, epochs in enumerate((2, 4, 7, 8), start=1):  # 2 and 3, and 4 to 7, are alike
        kohort.fit(build, *data, at_once="fastest", **(OPTIONS | {"epochs": epochs}))
        assert len(json.loads(place.read_text("utf-8"))) == (1, 2, 2, 3)[count - 1]
    monkeypatch.setenv("XLA_FLAGS", "--xla_of_another_machine=1")
    kohort.fit(build, *data, at_once="fastest", **OPTIONS)
    assert len(json.loads(place.read_text("utf-8"))) == 4


class Drawing(keras.callbacks.Callback):
    """Draws from the global generators, as a user's callback may."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["drawn"] = random.random() + np.random.random()


@pytest.mark.parametrize(
    "options",
    [{"validation_freq": [2]}, {"callbacks": [Drawing()]}, {"steps_per_epoch": 2}, {"validation_data": "own"}],
    ids=lambda options: next(iter(options)),
)
def test_measuring_changes_no_bit(data: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
    """With the real clock, and everything that a cohort may be asked besides."""
    x, y = data
    given: dict[str, Any] = OPTIONS | {"seeds": 6} | options
    if options.get("validation_data") == "own":
        given |= {"validation_split": 0.0, "validation_data": (x[:20], y[:20])}
    runs = kohort.fit(build, x, y, at_once="fastest", **given)
    chosen = 1 if "after another" in runs.explain() else 3
    for seed, run in kohort.fit(build, x, y, at_once=chosen, **given).items():
        assert run.history == runs[seed].history
        assert largest_gap(run.weights, runs[seed].weights) == 0.0


def test_measuring_draws_nothing_where_models_train_in_place(data: tuple[np.ndarray, np.ndarray]) -> None:
    after = []
    for at_once in ("fastest", 1):
        keras.utils.set_random_seed(3)
        models = {str(i): build(dropout=0.1 * i) for i in range(1, 5)}
        runs = kohort.fit(models, *data, epochs=2, at_once=at_once, verbose=0)
        after.append((global_randomness(), [run.weights for run in runs.values()], runs.explain()))
    assert "as measured" in after[0][2]
    assert after[0][0] == after[1][0]
    for mine, asked in zip(after[0][1], after[1][1], strict=True):
        assert largest_gap(mine, asked) <= 1e-5


def test_a_study_measures_and_tests_as_without(data: tuple[np.ndarray, np.ndarray]) -> None:
    """With the real clock: its runs have rows of their own and norms."""
    dataset = Dataset("drawn", *data, ("a", "b", "c"))
    recipes = {"none": build, "more": lambda: build(dropout=0.4)}
    usual, fastest = (
        Study(recipes, dataset, seeds=6, epochs=2, batch_size=8, at_once=at_once).run(verbose=0)
        for at_once in (None, "fastest")
    )
    assert "as measured" in fastest.runs.explain()
    for key, run in usual.runs.items():
        assert largest_gap(run.weights, fastest.runs[key].weights) <= 1e-5
        np.testing.assert_allclose(run.history["val_loss"], fastest.runs[key].history["val_loss"], atol=1e-5)


def test_a_study_keeps_what_it_began_with(
    data: tuple[np.ndarray, np.ndarray], four_is_fastest: Stopwatch, place: Path, tmp_path: Path
) -> None:
    dataset = Dataset("drawn", *data, ("a", "b", "c"))

    def study(at_once: Any, folder: str = "study", **others: Any) -> Study:
        recipes = {"none": build, "wide": lambda: build(16)} | others
        return Study(recipes, dataset, seeds=12, epochs=2, folder=tmp_path / folder, at_once=at_once)

    result = study("fastest").run(verbose=0)
    assert "4 members at once on each (fastest as measured" in result.runs.explain()
    own = tmp_path / "study" / known_layouts.NAME
    assert len(json.loads(own.read_text("utf-8"))) == 2
    place.unlink()  # another machine, or a cache that was emptied
    asked = four_is_fastest.asked
    four_is_fastest.seconds = float  # now one after another would be
    more = study("fastest", again=lambda: build(dropout=0.3)).run(verbose=0)
    assert more.runs["again", 3].plan == result.runs["none", 3].plan
    assert four_is_fastest.asked == asked
    with pytest.raises(StudyError, match="at_once nothing instead of fastest"):
        study(None).run(verbose=0)
    # a study beside it learns from the machine, and keeps it
    KnownLayouts(own, place).keep("another", {1: 1.0})
    place.write_text(own.read_text("utf-8"), "utf-8")
    other = study("fastest", "other").run(verbose=0)
    assert four_is_fastest.asked == asked
    assert plans(other.runs) == plans(result.runs)
    kept = json.loads((tmp_path / "other" / known_layouts.NAME).read_text("utf-8"))
    assert kept == {key: times for key, times in json.loads(own.read_text("utf-8")).items() if key != "another"}


def test_the_command_line_asks_for_it(
    four_is_fastest: Stopwatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def say(*words: str) -> tuple[int, str, str]:
        command = ["kohort", "compare", "digits", "--recipes", "none,l2", "--epochs", "1", "--explain", "--quiet"]
        monkeypatch.setattr("sys.argv", [*command, *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    _, out, _ = say("--seeds", "5", "--at-once", "fastest")
    assert "4 members at once on each (fastest as measured" in out
    assert "--at-once fastest" in (tmp_path / "report.html").read_text("utf-8")
    assert four_is_fastest.asked
    _, out, _ = say("--seeds", "2", "--at-once", "2")
    assert "2 members at once on each (as asked)" in out
    code, _, err = say("--at-once", "slowest")
    assert code == 2
    assert "--at-once must be a whole number or fastest. Got 'slowest'." in err


def test_a_file_that_cannot_be_read_or_written_costs_time_only(
    data: tuple[np.ndarray, np.ndarray], four_is_fastest: Stopwatch, place: Path
) -> None:
    place.parent.mkdir(parents=True)
    for broken in ("{", "[]", '{"key": 1}', '{"key": {"four": 1}}'):
        place.write_text(broken, "utf-8")
        with pytest.warns(UserWarning, match="cannot be read, so layouts are measured again"):
            runs = kohort.fit(build, *data, at_once="fastest", **OPTIONS)
        assert "4 members at once" in runs.explain()
        assert list(json.loads(place.read_text("utf-8")).values()) == [{"1": 4.0, "4": 1.0, "6": 3.0}]
        assert [own.name for own in place.parent.iterdir()] == [place.name]
    place.unlink()
    place.parent.rmdir()
    place.parent.write_text("a file where the folder should be", "utf-8")
    with pytest.warns(UserWarning, match="cannot be written, so layouts will be measured again"):
        assert "4 members at once" in kohort.fit(build, *data, at_once="fastest", **OPTIONS).explain()


def test_what_cannot_be_asked_is_refused(data: tuple[np.ndarray, np.ndarray]) -> None:
    wrongs: list[Any] = [0, -1, 1.5, True, "slowest", [4]]
    for wrong in wrongs:
        with pytest.raises(DataError, match="at_once must be a whole number of at least 1, or 'fastest'"):
            kohort.fit(build, *data, at_once=wrong, **OPTIONS)
        with pytest.raises(DataError, match="at_once must be"):
            Study({"none": build, "wide": lambda: build(16)}, Dataset("drawn", *data, ("a", "b", "c")), at_once=wrong)

    def batches() -> Iterator[Any]:
        yield data[0][:16], data[1][:16]

    study = Study(
        {"none": build, "wide": lambda: build(16)}, Dataset("drawn", *data, ("a", "b", "c")), at_once="fastest"
    )
    with pytest.raises(DataError, match="at_once='fastest' needs one process"):
        study.run(executor=cast(Any, object()), verbose=0)
    with pytest.raises(DataError, match="at_once='fastest' needs data that can be read again"):
        kohort.fit(build, batches(), at_once="fastest", steps_per_epoch=1, verbose=0)


def homeless() -> Path:
    raise RuntimeError("could not determine home directory")


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert usual_place() == tmp_path / ".cache" / "kohort" / "layouts.json"
    monkeypatch.setattr(known_layouts.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert usual_place() == tmp_path / "local" / "kohort" / "layouts.json"
    monkeypatch.setattr(known_layouts.sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", homeless)
    assert usual_place().name == known_layouts.NAME
    assert resolved(3) == 3
    assert resolved(None) is None


def test_times_are_kept_to_the_nanosecond(tmp_path: Path) -> None:
    known = KnownLayouts(tmp_path / "layouts.json")
    seconds: Seconds = {1: 0.001234567891234, 20: 2e-9}
    known.keep("key", seconds)
    assert known.find("key") == {1: 0.001234568, 20: 2e-9}
    assert known.find("other") is None
