"""Runs and reports that are made up, quickly and the same each time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kohort.report.document import Document, document
from kohort.report.markdown import markdown
from kohort.run import WEIGHT_EDGES, Evaluation, Failure, Outcome, Run
from kohort.statistics import compare
from kohort.study.answers import answers

GOLD = Path(__file__).parent / "fixtures" / "report"
"""What reports say, kept so that a change is seen."""

NASTY = [
    '<img src=x onerror="alert(1)">',
    "</script><script>alert(2)</script>",
    "{{ 7 * 7 }} & 'quotes'\n\u202eRTL ${alert(3)} `x`",
    "long " * 1000,
]
"""Names that would do something if they were taken for anything but names."""


def runs(
    names: list[str],
    seeds: int = 6,
    epochs: int = 8,
    rates: tuple[float, ...] = (),
    *,
    measured: bool = False,
    regression: bool = False,
) -> dict[tuple[str, int], Run]:
    draw = np.random.default_rng(0)
    made = {}
    for index, name in enumerate(names):
        for seed in range(seeds):
            curve = np.sort(draw.uniform(0.5, 1.0, epochs)).tolist()
            rate = rates[index] if rates else 0.9 + 0.02 * (index % 4)
            correct = (draw.random(200) < rate).astype(np.float32)
            history = {"accuracy": curve, "val_accuracy": [value - 0.03 for value in curve]}
            test = Evaluation(np.arange(200), correct)
            diagnostics = _measured(correct, index, draw, regression) if measured else {}
            params = {"epochs": epochs}
            made[name, seed] = Run(name, seed, history, Outcome(), (), params, test=test, diagnostics=diagnostics)
    return made


def _measured(correct: np.ndarray, index: int, draw: np.random.Generator, regression: bool) -> dict[str, np.ndarray]:
    y = np.arange(len(correct)) % 3
    if regression:
        said = answers(y.astype(np.float32), (y + draw.normal(size=len(y)))[:, None].astype(np.float32), 0)
    else:
        sure = draw.uniform(0.6, 1.0, len(y))
        given = np.where(correct > 0, y, (y + 1) % 3)
        probabilities = np.repeat(((1 - sure) / 2)[:, None], 3, axis=1)
        probabilities[np.arange(len(y)), given] = sure
        said = answers(y, probabilities, 3)
    counts, _ = np.histogram(draw.normal(scale=0.1 / (index + 1), size=5000), WEIGHT_EDGES)
    numbers = {"weight_norm": 7.0, "zeros": 0.1 * index, "near_zeros": 0.2, "seconds": 1.5}
    return {name: np.array([value]) for name, value in numbers.items()} | {"weights": counts.astype(float)} | said


def written(names: list[str], seeds: int = 6, epochs: int = 8, *, measured: bool = False) -> Document:
    made = runs(names, seeds, epochs, measured=measured)
    return document(
        compare(made, names[0]),
        made,
        dataset="toy <b>",
        how={"data": "toy & co", "found in the data": "column <svg onload=alert(5)>"},
        command="kohort compare toy",
        classes=["a</script>", "<i>b</i>", "'] + alert(4) + ['"] if measured else (),
        failures=[Failure(names[-1], 3, "out of memory", "<u>cause</u>")] if measured else (),
        code={names[0]: "def build():\n    return '</pre><img src=y>'"} if measured else None,
    )


def gold() -> Iterator[tuple[str, str]]:
    """What reports say of some made-up studies: name -> Markdown."""
    strengths = ["none", "l2 0.01", "l2 0.1", "l2 1", "dropout 0.3"]
    yield "measured", markdown(written(strengths, measured=True), "figures")
    yield "one seed", markdown(written(["none", "l2"], seeds=1), "figures")
    yield "many", markdown(written([f"r{number}" for number in range(10)], seeds=8), "figures")


if __name__ == "__main__":
    GOLD.mkdir(parents=True, exist_ok=True)
    for name, text in gold():
        (GOLD / f"{name}.md").write_text(text, encoding="utf-8")
