"""What keeps weights small, or exactly zero."""

from dataclasses import dataclass, replace
from typing import Any

from kohort.parts import Proximal
from kohort.recipes.design import Design, Problem
from kohort.recipes.technique import Domain, Parameter, Technique, Values

_LAMBDA = Domain(0.0, 10.0, with_low=True)
_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def _l1(design: Design, values: Values) -> Design:
    return design.with_network(l1=values["strength"])


def _l2(design: Design, values: Values) -> Design:
    return design.with_network(l2=values["strength"])


def _elastic_net(design: Design, values: Values) -> Design:
    share = values["l1_share"]
    return design.with_network(l1=values["strength"] * share, l2=values["strength"] * (1.0 - share))


def _weight_decay(design: Design, values: Values) -> Design:
    return design.with_options(weight_decay=values["strength"])


def _max_norm(design: Design, values: Values) -> Design:
    return design.with_network(max_norm=values["strength"])


@dataclass(frozen=True)
class ProximalL1:
    """Puts the proximal step after the optimiser's."""

    strength: float

    def __call__(self, optimizer: Any, problem: Problem) -> Any:
        """The optimiser with it."""
        return Proximal(optimizer, self.strength)


def _proximal(design: Design, values: Values) -> Design:
    return replace(design, wrappers=(*design.wrappers, ProximalL1(values["strength"])))


PENALTIES = (
    Technique(
        "l2",
        "penalty",
        "adds λ·‖W‖² for each kernel W to the loss, as Keras does; the chapter's λ/2·‖W‖² is this with half of its λ",
        "chapter 8, section 2",
        _l2,
        (Parameter("strength", "Keras' λ", 1e-3, _LAMBDA, _GRID),),
    ),
    Technique(
        "l1",
        "penalty",
        "adds λ·‖W‖₁ for each kernel W to the loss, as in the chapter; its subgradient makes weights small, not 0",
        "chapter 8, section 2",
        _l1,
        (Parameter("strength", "λ", 1e-4, _LAMBDA, _GRID),),
    ),
    Technique(
        "proximal",
        "penalty",
        "after each step W ← sign(W)·max(|W| − η·λ, 0): L1 that makes weights exactly 0",
        "Daubechies et al. 2004; Parikh & Boyd 2014",
        _proximal,
        (Parameter("strength", "λ", 1e-3, _LAMBDA, _GRID),),
    ),
    Technique(
        "elasticnet",
        "penalty",
        "adds λ·(a·‖W‖₁ + (1 − a)·‖W‖²) for each kernel W to the loss",
        "Zou & Hastie 2005",
        _elastic_net,
        (
            Parameter("strength", "λ", 1e-4, _LAMBDA, _GRID),
            Parameter("l1_share", "a", 0.5, Domain(0.0, 1.0, with_low=True, with_high=True), (0.1, 0.5, 0.9)),
        ),
    ),
    Technique(
        "weightdecay",
        "penalty",
        "each step takes η·λ of every kernel, apart from the gradient; with plain SGD the same as L2 with λ/2",
        "Loshchilov & Hutter 2019; the chapter's W ← W(1 − λη) − η∇L",
        _weight_decay,
        (Parameter("strength", "λ", 0.004, Domain(0.0, with_low=True), (0.001, 0.004, 0.01, 0.03, 0.1)),),
    ),
    Technique(
        "maxnorm",
        "penalty",
        "after each step scales the incoming weights of every unit down to norm c where they are longer",
        "Srebro & Shraibman 2005; Srivastava et al. 2014, section 5.1",
        _max_norm,
        (Parameter("strength", "c", 3.0, Domain(0.0), (1.0, 2.0, 3.0, 4.0)),),
    ),
)
