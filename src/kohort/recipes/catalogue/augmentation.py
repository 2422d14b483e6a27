"""Augmentation: other rows of the same kind, made while training."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras

from kohort.parts import CutMix, MixUp
from kohort.recipes.design import Design
from kohort.recipes.technique import Domain, Parameter, Technique, Values

_SHARE = Domain(0.0, 1.0, with_high=True)


@dataclass(frozen=True)
class Mixing:
    """Trains on rows that are mixed with others."""

    kind: Callable[..., Any]
    alpha: float

    def __call__(self, network: keras.Model) -> keras.Model:
        """The network, trained so."""
        return self.kind(network, self.alpha)


def _mixing(kind: Callable[..., Any]) -> Callable[[Design, Values], Design]:
    def change(design: Design, values: Values) -> Design:
        return replace(design, mixing=Mixing(kind, values["alpha"]))

    return change


def _of_rows(argument: str) -> Callable[[Design, Values], Design]:
    def change(design: Design, values: Values) -> Design:
        return design.with_network(**{argument: next(iter(values.values()))})

    return change


def _images(name: str, formula: str, source: str, parameter: Parameter | None, argument: str = "") -> Technique:
    """A technique of Keras' layers for images."""
    if parameter is None:
        return Technique(name, "augmentation", formula, source, _flip, (), ("images",))
    return Technique(name, "augmentation", formula, source, _of_rows(argument or name), (parameter,), ("images",))


def _flip(design: Design, values: Values) -> Design:
    return design.with_network(flip=0.5)


_SIMARD = "Simard et al. 2003; chapter 8, section 2"

AUGMENTATION = (
    _images("flip", "mirrors half of the images, left to right", "Krizhevsky et al. 2012", None),
    _images(
        "shift",
        "shifts each image, at the most by a share of its height and width; the rest is black",
        _SIMARD,
        Parameter("share", "the share", 0.1, _SHARE, (0.05, 0.1, 0.2)),
    ),
    _images(
        "rotate",
        "turns each image, at the most by a share of a full turn",
        _SIMARD,
        Parameter("share", "the share; 0.05 are 18 degrees", 0.05, _SHARE, (0.02, 0.05, 0.1)),
    ),
    _images(
        "zoom",
        "zooms each image in or out, at the most by a share",
        "Krizhevsky et al. 2012",
        Parameter("share", "the share", 0.1, _SHARE, (0.05, 0.1, 0.2)),
    ),
    _images(
        "contrast",
        "changes the contrast of each image, at the most by a share",
        "Howard 2013",
        Parameter("share", "the share", 0.2, _SHARE, (0.1, 0.2, 0.4)),
    ),
    _images(
        "erasing",
        "replaces a box of some images by noise (cutout)",
        "DeVries & Taylor 2017; Zhong et al. 2020",
        Parameter("probability", "of which share of the images", 0.5, _SHARE, (0.25, 0.5, 1.0)),
    ),
    Technique(
        "inputnoise",
        "augmentation",
        "adds a normal number of standard deviation σ to each number of a row",
        "Bishop 1995: the same, for small σ, as a penalty on slopes",
        _of_rows("input_noise"),
        (Parameter("spread", "σ, in units of the inputs as the network sees them", 0.1, _SHARE, (0.03, 0.1, 0.3)),),
    ),
    Technique(
        "mixup",
        "augmentation",
        "trains on λ·x + (1 − λ)·x' with the loss mixed alike, λ drawn from Beta(α, α)",
        "Zhang et al. 2018",
        _mixing(MixUp),
        (Parameter("alpha", "α", 0.2, Domain(0.0), (0.1, 0.2, 0.4, 1.0)),),
    ),
    Technique(
        "cutmix",
        "augmentation",
        "puts a box of another image into each, and mixes the loss by their areas",
        "Yun et al. 2019",
        _mixing(CutMix),
        (Parameter("alpha", "α", 1.0, Domain(0.0), (0.2, 1.0)),),
        ("images",),
    ),
)
