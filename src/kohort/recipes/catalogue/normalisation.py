"""Normalisation, initialisation and the shape of the network."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kohort.recipes.design import Design
from kohort.recipes.technique import Domain, Parameter, Technique, Values


def _network(**arguments: Any) -> Callable[[Design, Values], Design]:
    def change(design: Design, values: Values) -> Design:
        return design.with_network(**arguments)

    return change


def _group_norm(design: Design, values: Values) -> Design:
    return design.with_network(norm="group", groups=int(values["groups"]))


def _width(design: Design, values: Values) -> Design:
    return design.with_network(width=int(values["units"]))


def _depth(design: Design, values: Values) -> Design:
    return design.with_network(depth=int(values["layers"]))


def _reestimate(design: Design, values: Values) -> Design:
    return replace(design, resting=int(values["epochs"]))


_COUNT = Domain(1, with_low=True, whole=True)

NORMALISATION = (
    Technique(
        "batchnorm",
        "normalisation",
        "normalises each pre-activation over the batch, ẑ = (z − μ)/√(σ² + ε), then γẑ + β; the momentum of the "
        "running statistics suits the number of steps",
        "Ioffe & Szegedy 2015; chapter 8, section 4",
        _network(norm="batch"),
    ),
    Technique(
        "reestimate",
        "training",
        "the last epochs move no weight: averages of weights, if any, are put in, and batch normalisation's statistics "
        "become those of the training rows under the final weights",
        "Wu & Johnson 2021; Izmailov et al. 2018 for averaged weights",
        _reestimate,
        (Parameter("epochs", "how many epochs", 1, Domain(1, with_low=True, whole=True), (1,)),),
        beside=("batchnorm",),
        against=("earlystopping",),
    ),
    Technique(
        "layernorm",
        "normalisation",
        "the same over the units of each row instead of the batch",
        "Ba et al. 2016; chapter 8, section 4",
        _network(norm="layer"),
    ),
    Technique(
        "groupnorm",
        "normalisation",
        "the same over groups of the units of each row",
        "Wu & He 2018",
        _group_norm,
        (Parameter("groups", "how many groups", 8, Domain(1, with_low=True, whole=True), (2, 4, 8)),),
    ),
    Technique(
        "he",
        "initialisation",
        "kernels begin normal with variance 2/inputs; what networks with ReLU begin with here anyway",
        "He et al. 2015; chapter 8, section 4",
        _network(initializer="he_normal"),
    ),
    Technique(
        "glorot",
        "initialisation",
        "kernels begin uniform with variance 2/(inputs + outputs), Keras' default",
        "Glorot & Bengio 2010",
        _network(initializer="glorot_uniform"),
    ),
    Technique(
        "lecun",
        "initialisation",
        "kernels begin normal with variance 1/inputs",
        "LeCun et al. 1998",
        _network(initializer="lecun_normal"),
    ),
    Technique(
        "skip",
        "network",
        "adds the input of each block to its output where their widths agree, else a linear map of it",
        "He et al. 2016",
        _network(skip=True),
    ),
    Technique(
        "width",
        "network",
        "every hidden layer has so many units",
        "the more units, the more there is to regularise",
        _width,
        (Parameter("units", "units of each hidden layer", 128, _COUNT, (32, 64, 128, 256, 512)),),
        ("widths",),
    ),
    Technique(
        "depth",
        "network",
        "so many hidden layers, each of the width that is asked, or of 128 units",
        "He et al. 2016: deep networks want normalisation and skip connections",
        _depth,
        (Parameter("layers", "hidden layers", 2, _COUNT, (1, 2, 3, 4)),),
        ("widths",),
    ),
)
