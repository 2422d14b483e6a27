"""What is told while networks train: to a terminal, to a file beside a study, and how often."""

import io
import json
import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from rich.console import Console

import kohort
from kohort.progress import Band, CohortNow, Cohorts, Pace, Stage
from kohort.store.layout import locked
from kohort.store.live import LIVE, LiveFile, read_live
from kohort.terminal import Display, best_so_far, cohorts_table

MOONS = kohort.data.named("moons")


class Heard:
    """Looks at every stage."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.looks: list[CohortNow] = []

    def __call__(self, stage: Stage) -> None:
        self.stages.append(stage)
        self.looks += stage.look()


class Listening(Heard):
    """In the place of a display."""

    def __enter__(self) -> "Listening":
        return self

    def __exit__(self, *_: Any) -> None:
        pass


def run(recipes: list[str], heard: Any, **options: Any) -> Any:
    asked = {"seeds": 3, "epochs": 4, "batch_size": 32, **options}
    return kohort.Study(recipes, MOONS, **asked).run(listener=heard)


def test_a_look_tells_the_logs_of_every_recipe() -> None:
    heard = Heard()
    result = run(["none", "l2"], heard)
    last = heard.looks[-1]
    assert (last.recipes, last.members, last.going, last.diverged) == (("none", "l2 0.001"), 6, 6, 0)
    assert (last.epoch, last.epochs) == (4, 4)
    for recipe, logs in last.logs.items():
        own = result.runs.of(recipe)
        assert set(logs) == set(own[0].history)
        for log, band in logs.items():
            values = np.array([run.history[log] for run in own])
            np.testing.assert_allclose(band.mean, values.mean(axis=0), rtol=1e-6)
            np.testing.assert_allclose(band.low, np.percentile(values, 10, axis=0), rtol=1e-6)
            np.testing.assert_allclose(band.high, np.percentile(values, 90, axis=0), rtol=1e-6)
    assert heard.stages[-1].run_epochs == heard.stages[-1].total == 24


def test_members_that_stopped_no_longer_run() -> None:
    heard = Heard()
    result = run(["earlystopping=1"], heard, epochs=60)
    lengths = [len(run.epoch) for run in result.runs.values()]
    assert min(lengths) < max(lengths)
    for own in heard.looks:
        assert own.going == sum(length > own.epoch for length in lengths)
    last = heard.looks[-1]
    assert last.epoch == max(lengths)
    longest = result.runs.of("earlystopping 1")[int(np.argmax(lengths))]
    assert last.logs["earlystopping 1"]["loss"].mean[-1] == pytest.approx(longest.history["loss"][-1], rel=1e-6)


def test_a_look_counts_those_that_diverged_and_skips_epochs_without_validation() -> None:
    def build(rate: float) -> keras.Model:
        model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
        model.compile(keras.optimizers.SGD(rate), "mse")
        return model

    x, listening = np.ones((8, 1), np.float32), Listening()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kohort.fitting.Display", lambda: listening)
        recipes = {"fine": lambda: build(0.01), "wild": lambda: build(1e38)}
        kohort.fit(recipes, x, x, seeds=2, epochs=4, batch_size=8, validation_data=(x, x), validation_freq=2)
    last = listening.looks[-1]
    assert last.diverged == 2
    first, second, *_ = last.logs["fine"]["val_loss"].mean
    assert math.isnan(first)
    assert math.isfinite(second)


def cohort(recipes: tuple[str, ...], **logs: list[float]) -> CohortNow:
    bands = {name: Band(values, values, values) for name, values in logs.items()}
    return CohortNow(recipes, 20, 18, 1, len(bands["loss"].mean), 50, dict.fromkeys(recipes, bands))


def printed(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_shows_a_line_for_each_cohort_and_names_are_data() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=140, color_system=None)
    own = cohort(("[bold]none[/bold]", "l2"), loss=[0.5, 0.25], val_accuracy=[0.5, 0.75])
    with Display(console) as display:
        display(Stage("training [red]l2[/red]", 40, 2000, own.recipes, lambda: [own]))
        display._live.refresh()
        shown = printed(console)
    for words in ("[bold]none[/bold], l2", "training [red]l2[/red]", "2/50", "val_accuracy 0.7500", "40/2000"):
        assert words in shown


def test_a_cohort_that_has_ended_is_looked_at_once_more() -> None:
    first, more, other = cohort(("a",), loss=[1.0]), cohort(("a",), loss=[1.0, 0.5]), cohort(("b",), loss=[2.0])
    cohorts, looks = Cohorts(), [first]
    cohorts.hear(Stage("training a", 1, 9, ("a",), lambda: looks))
    assert cohorts.look() == (first,)
    looks[0] = more  # its last epochs, at which nobody looked
    cohorts.hear(Stage("compiling b", 2, 9, ("b",)))
    cohorts.hear(Stage("training b", 3, 9, ("b",), lambda: [other]))
    ended, going = cohorts.look()
    assert (ended.epoch, ended.going) == (2, 0)
    assert going == other


def test_without_a_terminal_nothing_is_shown_or_looked_at() -> None:
    console, looked = Console(file=io.StringIO()), []
    with Display(console) as display:
        display(Stage("training", 1, 2, ("none",), lambda: looked.append(1) or []))
    assert printed(console) == ""
    assert not looked


def test_without_a_terminal_a_line_a_minute_says_where_the_training_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    console, looked = Console(file=io.StringIO(), width=40), []
    with Display(console) as display:

        def tell(doing: str, run_epochs: int, at: float) -> None:
            now[0] = 1000.0 + at
            display(Stage(doing, run_epochs, 400, ("none",), lambda: looked.append(1) or []))

        tell("compiling none", 0, 0)
        tell("training none", 20, 30)
        assert printed(console) == ""
        tell("training [b]none", 80, 60)  # 60 in 30 s: 320 take 160 s
        tell("training none", 100, 119)
        tell("training none", 200, 121)
    assert printed(console).splitlines() == [
        "training [b]none: 80 of 400 run-epochs, after 1 min, about 2.7 min left",
        "training none: 200 of 400 run-epochs, after 2 min, about 1.7 min left",
    ]
    assert not looked


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    console.print(cohorts_table([cohort(("none",), loss=[1.0])]))
    assert "\x1b[3" not in printed(console)


def test_the_best_so_far_is_by_validation_accuracy_else_by_loss() -> None:
    def bands(**logs: float) -> dict[str, Band]:
        return {name: Band([value], [value], [value]) for name, value in logs.items()}

    both = {"a": bands(loss=0.1, val_accuracy=0.8), "b": bands(loss=0.3, val_accuracy=0.9)}
    assert best_so_far(both) == "b val_accuracy 0.9000"
    assert best_so_far({"a": bands(loss=0.1), "b": bands(loss=0.3)}) == "a loss 0.1000"
    assert best_so_far({"a": bands(loss=math.nan)}) == ""


def test_what_is_paced_takes_a_small_share_of_the_time() -> None:
    pace, done = Pace(0.0, share=0.1), []
    ended = time.monotonic() + 0.5
    while time.monotonic() < ended:
        pace(lambda: done.append(time.sleep(0.01)))
    assert 1 <= len(done) <= 6


def test_the_file_beside_a_study_says_how_it_goes_on(tmp_path: Path) -> None:
    own = cohort(("none", 'l2 "\u202e</script>'), loss=[0.5, math.nan], val_accuracy=[0.5, 0.75])
    file = LiveFile(tmp_path)
    file(Stage("compiling none", 0, 2000))
    assert read_live(tmp_path) is None  # nobody holds the study: its process was killed
    with locked(tmp_path, ""):
        file._pace = Pace(0.0, share=1e9)
        file(Stage("training none", 40, 2000, own.recipes, lambda: [own]))
        file(Stage("training none", 80, 2000, own.recipes, lambda: [own]))
        found = read_live(tmp_path)
    assert found is not None
    assert (found.doing, found.run_epochs, found.total) == ("training none", 80, 2000)
    assert found.left is not None
    assert found.left > 0
    (told,) = found.cohorts
    assert told.recipes == own.recipes
    assert told.logs["none"]["val_accuracy"].mean == [0.5, 0.75]
    assert math.isnan(told.logs["none"]["loss"].mean[1])
    json.loads((tmp_path / LIVE).read_text("utf-8"))
    file.remove()
    assert not list(tmp_path.glob("live*"))


def test_a_study_writes_it_while_it_trains_and_takes_it_away(tmp_path: Path) -> None:
    seen = []

    def heard(stage: Stage) -> None:
        seen.append(read_live(tmp_path / "s"))

    run(["none", "batchnorm"], heard, folder=tmp_path / "s")
    assert any(seen)
    assert not (tmp_path / "s" / LIVE).exists()
