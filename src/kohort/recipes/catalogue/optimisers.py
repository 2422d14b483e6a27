"""Optimisers: how a gradient becomes a step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from kohort.recipes.design import Design
from kohort.recipes.technique import Domain, Parameter, Technique, Values

_POSITIVE = Domain(0.0)
_SHARE = Domain(0.0, 1.0, with_low=True)
_RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)


def _rate(default: float) -> Parameter:
    return Parameter("rate", "the learning rate η", default, _POSITIVE, _RATES)


def _momentum(default: float) -> Parameter:
    return Parameter("momentum", "β, the share of the last step that is kept", default, _SHARE, (0.0, 0.5, 0.9, 0.99))


def _chosen(optimizer: Callable[..., Any], **momenta: Any) -> Callable[[Design, Values], Design]:
    """Chooses an optimiser; its numbers besides rate and weight decay are passed on by name."""

    def change(design: Design, values: Values) -> Design:
        own = {name: value for name, value in values.items() if name not in ("rate", "decay")}
        chosen = replace(design, optimizer=optimizer, rate=values["rate"], momenta={**momenta, **own})
        return chosen.with_options(weight_decay=values["decay"]) if "decay" in values else chosen

    return change


_DECAY = Parameter(
    "decay",
    "λ of the decoupled weight decay; a step takes η·λ of each weight. Biases, scales and shifts do not decay",
    0.004,
    Domain(0.0, with_low=True),
    (0.0, 0.001, 0.004, 0.01, 0.03, 0.1),
)

OPTIMISERS = (
    Technique(
        "sgd",
        "optimiser",
        "θ ← θ − η∇L; with momentum β: v ← βv + η∇L, θ ← θ − v",
        "Robbins & Monro 1951; chapter 8, section 1",
        _chosen(keras.optimizers.SGD),
        (_rate(0.01), _momentum(0.0)),
    ),
    Technique(
        "momentum",
        "optimiser",
        "v ← βv + η∇L, θ ← θ − v",
        "Polyak 1964; chapter 8, section 1",
        _chosen(keras.optimizers.SGD),
        (_momentum(0.9), _rate(0.01)),
    ),
    Technique(
        "nesterov",
        "optimiser",
        "the gradient at the position that momentum leads to: v ← βv + η∇L(θ), θ ← θ − (βv + η∇L(θ))",
        "Nesterov 1983, in the form of Sutskever et al. 2013; chapter 8, section 1",
        _chosen(keras.optimizers.SGD, nesterov=True),
        (_momentum(0.9), _rate(0.01)),
    ),
    Technique(
        "rmsprop",
        "optimiser",
        "s ← ρs + (1 − ρ)∇L², θ ← θ − η∇L/(√s + ε)",
        "Tieleman & Hinton 2012",
        _chosen(keras.optimizers.RMSprop),
        (_rate(0.001), Parameter("rho", "ρ, the share of the mean square that is kept", 0.9, _SHARE)),
    ),
    Technique(
        "adam",
        "optimiser",
        "momentum and RMSprop, both corrected for their start at 0: θ ← θ − η·m̂/(√v̂ + ε)",
        "Kingma & Ba 2015; chapter 8, section 1",
        _chosen(keras.optimizers.Adam),
        (
            _rate(0.001),
            Parameter("beta_1", "the share of the first moment that is kept", 0.9, _SHARE),
            Parameter("beta_2", "the share of the second moment that is kept", 0.999, _SHARE),
        ),
    ),
    Technique(
        "adamw",
        "optimiser",
        "Adam with decoupled weight decay: θ ← θ − η·m̂/(√v̂ + ε) − η·λ·θ, for kernels only",
        "Loshchilov & Hutter 2019; chapter 8, section 1",
        _chosen(keras.optimizers.AdamW),
        (_DECAY, _rate(0.001)),
    ),
    Technique(
        "lion",
        "optimiser",
        "a step of η in the direction of the sign of β₁m + (1 − β₁)∇L; m ← β₂m + (1 − β₂)∇L",
        "Chen et al. 2023; its rate is a third to a tenth of Adam's",
        _chosen(keras.optimizers.Lion),
        (_rate(0.0003),),
    ),
    Technique(
        "muon",
        "optimiser",
        "momentum whose update of each kernel is made nearly orthogonal (Newton–Schulz); Adam for the other weights",
        "Jordan et al. 2024",
        _chosen(keras.optimizers.Muon, weight_decay=None, adam_weight_decay=None),
        (_rate(0.001),),
    ),
)
