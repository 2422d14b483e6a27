"""Schedules of the learning rate beside a constant one, and how large a rate survives with and without warm-up."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras.optimizers import SGD, Adam
from keras.optimizers.schedules import CosineDecay, PiecewiseConstantDecay

from kohort.data.mnist1d import mnist1d
from kohort.data.splitting import parts
from kohort.lab.apparatus.choosing import chosen_by_others
from kohort.lab.apparatus.networks import perceptron, transformer
from kohort.lab.apparatus.training import Runs, curve, trained
from kohort.lab.claim import Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.parts import LinearDecay

WARM = 0.15
"""The share of all steps in which the rate rises."""

LEARNS = 0.3
"""The training accuracy of the last epoch above which a run has learnt something; chance is 0.1."""

COARSE, FINE = 3, 1
"""Steps between rates, in sixths of a decade: where plans are compared, and where survival is decided."""

Planned = Callable[[float, int], Any]
"""(peak rate, steps) -> a schedule."""


def _held(peak: float, steps: int, warm: float = 0.0) -> Any:
    """A constant rate, after a warm-up perhaps."""
    rise = round(warm * steps)
    return LinearDecay(peak, steps - rise, rise, floor=1.0)


def _falling(peak: float, steps: int) -> Any:
    rise = round(WARM * steps)
    return LinearDecay(peak, steps - rise, rise)


def _in_steps(peak: float, steps: int) -> Any:
    """A tenth from the middle on, a hundredth in the last quarter."""
    return PiecewiseConstantDecay([steps // 2, 3 * steps // 4], [peak, peak / 10.0, peak / 100.0])


def _cosine(peak: float, steps: int) -> Any:
    return CosineDecay(peak, steps)


def _warm_cosine(peak: float, steps: int) -> Any:
    rise = round(WARM * steps)
    return CosineDecay(0.0, steps - rise, warmup_target=peak, warmup_steps=rise)


WARM_HELD: Planned = partial(_held, warm=WARM)
PLANS: dict[str, dict[str, Planned]] = {
    "perceptron": {
        "constant": _held,
        "step decay": _in_steps,
        "cosine": _cosine,
        "warm-up, cosine": _warm_cosine,
        "warm-up, constant": WARM_HELD,
    },
    "transformer": {"constant": _held, "warm-up, linear": _falling, "warm-up, constant": WARM_HELD},
}

ALONE = ("constant", "warm-up, constant")
"""The plans by which warm-up alone is judged."""


def _perceptron(plan: Planned, peak: float, steps: int) -> keras.Model:
    return perceptron(SGD(plan(peak, steps), momentum=0.9), inputs=40, widths=(64, 32))


def _transformer(plan: Planned, peak: float, steps: int, blocks: int) -> keras.Model:
    return transformer(Adam(plan(peak, steps)), width=16, heads=2, blocks=blocks, norm_first=False)


def _largest(runs: Runs, plan: str, rates: Sequence[float]) -> np.ndarray:
    """The largest rate at which each seed still learns, as its decimal logarithm; a step less where none does."""
    accuracy = np.nan_to_num(np.stack([curve(runs, f"{plan} {rate:.3g}", "accuracy")[:, -1] for rate in rates], axis=1))
    survives = accuracy > LEARNS
    places = np.where(survives.any(axis=1), len(rates) - 1 - survives[:, ::-1].argmax(axis=1), -1)
    logs = np.log10(rates)
    return np.append(logs, 2.0 * logs[0] - logs[1])[places]


def measure(scale: Scale) -> Evidence:
    """Trains a perceptron and a Transformer by each plan at rates of a grid, a finer one where survival is decided."""
    sixths = {
        "perceptron": (range(*scale.of((-15, -2), (-6, -2)), COARSE), range(-6, -2, scale.of(FINE, 2))),
        "transformer": (range(*scale.of((-18, -5), (-12, -8)), COARSE), range(-12, -4, scale.of(FINE, 5))),
    }
    kinds = {
        "perceptron": (_perceptron, scale.of(30, 8), 32),
        "transformer": (partial(_transformer, blocks=scale.of(2, 1)), scale.of(25, 8), 64),
    }
    data = mnist1d(scale.of(1500, 600))
    accuracy, largest, survival, losses = {}, {}, {}, {}
    for kind, (network, epochs, size) in kinds.items():
        coarse, fine = sixths[kind]
        rates = tuple(10.0 ** (own / 6.0) for own in coarse)
        tried = tuple(10.0 ** (own / 6.0) for own in sorted({*coarse, *fine}))  # by what survival is told by
        steps = epochs * parts(data, size)[0] // size
        plans = PLANS[kind]
        recipes = {
            f"{name} {rate:.3g}": partial(network, plan, rate, steps)
            for name, plan in plans.items()
            for rate in (tried if name in ALONE else rates)
        }
        runs = trained(recipes, data, scale, epochs=epochs, batch_size=size, diagnostics=False)
        scores = {name: np.stack([curve(runs, f"{name} {rate:.3g}") for rate in rates]) for name in plans}
        accuracy[kind] = Measured({name: chosen_by_others(own) for name, own in scores.items()})
        largest |= {
            f"{kind}, {'with' if plan != 'constant' else 'without'} warm-up": _largest(runs, plan, tried)
            for plan in ALONE
        }
        survival[kind] = Measured(
            {
                name: np.stack([np.nan_to_num(curve(runs, f"{name} {own:.3g}", "accuracy")[:, -1]) for own in tried], 1)
                for name in ALONE
            },
            tried,
        )
        if kind == "perceptron":
            ends = {
                name: np.stack([curve(runs, f"{name} {rate:.3g}", "loss")[:, -1:] for rate in rates])
                for name in ("constant", "cosine")
            }
            losses = {name: chosen_by_others(own, greater_is_better=False) for name, own in ends.items()}
    return {
        **{f"accuracy, {kind}": own for kind, own in accuracy.items()},
        **{f"training accuracy, {kind}": own for kind, own in survival.items()},
        "largest rate": Measured(largest),
        "last loss": Measured(losses),
    }


def _gain(kind: str, plan: str) -> Callable[[Evidence], np.ndarray]:
    return lambda e: e[f"accuracy, {kind}"][plan] - e[f"accuracy, {kind}"]["constant"]


def _survival(kind: str) -> Callable[[Evidence], np.ndarray]:
    return lambda e: e["largest rate"][f"{kind}, with warm-up"] - e["largest rate"][f"{kind}, without warm-up"]


CLAIM = Claim(
    number=4,
    name="schedules",
    title="Schedules beat a constant rate, and warm-up lets larger rates survive",
    quoted="LR Schedules: Step decay, cosine annealing, warm-up + decay (used in transformers).",
    why="A large rate goes far but stays restless, because each batch pulls another way; a small one settles but takes "
    "long to come there. A rate that falls has both. At the very beginning the loss bends most and Adam's means of "
    "squares know few gradients: a large rate then throws weights where they do not come back from, above all in a "
    "Transformer whose normalisations stand after the sums. A rate that rises from 0 gives time.",
    experiment="1,500 rows of MNIST-1D. A perceptron 40-64-32-10 by SGD with momentum 0.9 (30 epochs, batches of 32): "
    "a constant rate, step decay (a tenth from the middle, a hundredth from three quarters on), cosine annealing, and "
    f"cosine after a warm-up in the first {WARM:.0%} of the steps. A small Transformer with its normalisations after "
    "the sums by Adam (25 epochs, batches of 64): a constant rate, and warm-up with linear decay. Each plan has the "
    "same five peak rates (0.003 to 0.32; Transformer 0.001 to 0.1), and each seed is judged at the rate and epoch "
    "that do best under the other seeds. For warm-up alone, a constant rate is compared with one that is constant "
    f"after a warm-up: the largest rate whose training accuracy in the last epoch is above {LEARNS:.0%}. Where that is "
    "decided, the rates lie a sixth of a decade apart (0.1 to 0.32; Transformer 0.01 to 0.15). A run that diverges has "
    "an accuracy of 0. A first run had only steps of half a decade there, too coarse for what a warm-up does; after it "
    "the finer steps were added, and the outermost rates left out (1 and 3.16; Transformer 0.0003 and 0.32), at which "
    "little or nothing had been learnt.",
    predictions=(
        Prediction(
            "cosine annealing is better than a constant rate on the perceptron",
            _gain("perceptron", "cosine"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "step decay is better than a constant rate on the perceptron",
            _gain("perceptron", "step decay"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "warm-up and cosine are better than a constant rate on the perceptron",
            _gain("perceptron", "warm-up, cosine"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "warm-up and decay are better than a constant rate on the Transformer",
            _gain("transformer", "warm-up, linear"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "cosine annealing ends at a lower training loss than a constant rate",
            lambda e: e["last loss"]["cosine"] / e["last loss"]["constant"],
            below=1.0,
            kind="ratio",
            unit=" times",
            beside=True,
        ),
        Prediction(
            "with warm-up the perceptron survives larger rates",
            _survival("perceptron"),
            above=0.0,
            unit=" decades",
        ),
        Prediction(
            "with warm-up the Transformer survives larger rates",
            _survival("transformer"),
            above=0.0,
            unit=" decades",
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy, perceptron",
            "Plans for the rate: the perceptron",
            "Validation accuracy at the peak rate and epoch that do best under the other seeds.",
            "validation accuracy",
        ),
        Drawing(
            "accuracy, transformer",
            "Plans for the rate: the Transformer",
            "Validation accuracy at the peak rate and epoch that do best under the other seeds.",
            "validation accuracy",
        ),
        Drawing(
            "training accuracy, transformer",
            "Which rates the Transformer survives",
            "Training accuracy in the last epoch at a constant rate, with and without a warm-up before it. Chance is "
            "0.1.",
            "training accuracy",
            "learning rate",
            log_x=True,
        ),
        Drawing(
            "largest rate",
            "The largest rate that is survived",
            "The decimal logarithm of the largest rate at which each seed still learns, at a constant rate with and "
            "without a warm-up before it.",
            "log₁₀ of the learning rate",
        ),
    ),
    code="""\
import keras, kohort
from keras.optimizers import SGD
from keras.optimizers.schedules import CosineDecay

def network(rate):
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10, "softmax")])
    model.compile(SGD(rate, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

steps = 30 * 3200 // 32
recipes = {f"constant {peak}": lambda peak=peak: network(peak) for peak in (0.01, 0.1, 1.0)}
recipes |= {f"cosine {peak}": lambda peak=peak: network(CosineDecay(peak, steps)) for peak in (0.01, 0.1, 1.0)}
print(kohort.Study(recipes, kohort.data.named("mnist1d"), seeds=5, epochs=30).run())
""",
    sources=(
        "Loshchilov & Hutter (2017), SGDR: stochastic gradient descent with warm restarts, §3",
        "Goyal et al. (2017), Accurate, large minibatch SGD, §2.2",
        "Vaswani et al. (2017), Attention is all you need, §5.3",
        "Xiong et al. (2020), On layer normalization in the Transformer architecture, §3",
    ),
)
