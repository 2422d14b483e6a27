"""Noise inside the network: dropout of every kind. All of it only while training."""

from collections.abc import Callable

from kohort.recipes.design import Design
from kohort.recipes.technique import Domain, Parameter, Technique, Values

_RATE = Domain(0.0, 1.0)


def _of_the_network(argument: str) -> Callable[[Design, Values], Design]:
    def change(design: Design, values: Values) -> Design:
        return design.with_network(**{argument: values["rate"]})

    return change


def _alpha(design: Design, values: Values) -> Design:
    return design.with_network(activation="selu", initializer="lecun_normal", alpha_dropout=values["rate"])


def _stochastic_depth(design: Design, values: Values) -> Design:
    return design.with_network(skip=True, stochastic_depth=values["rate"])


def _monte_carlo(design: Design, values: Values) -> Design:
    return design.with_network(monte_carlo_dropout=values["rate"], passes=int(values["passes"]))


def _rate(default: float, grid: tuple[float, ...], meaning: str = "p") -> tuple[Parameter, ...]:
    return (Parameter("rate", meaning, default, _RATE, grid),)


DROPOUT = (
    Technique(
        "dropout",
        "dropout",
        "in each training step sets a fraction p of the hidden units to 0 and the others to 1/(1 − p) of theirs",
        "Srivastava et al. 2014; chapter 8, section 3 (0.3 for smaller networks, 0.5 for fully connected layers)",
        _of_the_network("dropout"),
        _rate(0.3, (0.1, 0.2, 0.3, 0.5)),
    ),
    Technique(
        "spatialdropout",
        "dropout",
        "the same for whole channels, after convolutions",
        "Tompson et al. 2015; chapter 8, section 3 (0.1 to 0.25)",
        _of_the_network("spatial_dropout"),
        _rate(0.2, (0.1, 0.15, 0.2, 0.25)),
        ("convolutions",),
    ),
    Technique(
        "gaussiandropout",
        "dropout",
        "multiplies each hidden unit by a normal number of mean 1 and variance p/(1 − p)",
        "Srivastava et al. 2014, section 10",
        _of_the_network("gaussian_dropout"),
        _rate(0.3, (0.1, 0.2, 0.3, 0.5)),
    ),
    Technique(
        "gaussiannoise",
        "dropout",
        "adds a normal number of standard deviation σ to each hidden unit",
        "Bishop 1995",
        _of_the_network("gaussian_noise"),
        (Parameter("rate", "σ, at most 1 in Keras", 0.1, Domain(0.0, 1.0, with_high=True), (0.01, 0.03, 0.1, 0.3)),),
    ),
    Technique(
        "alphadropout",
        "dropout",
        "dropout that keeps mean and variance of SELU's units; comes with SELU and LeCun's initialisation",
        "Klambauer et al. 2017",
        _alpha,
        _rate(0.1, (0.05, 0.1, 0.2)),
    ),
    Technique(
        "stochasticdepth",
        "dropout",
        "in each training step leaves each block out for a fraction p of the rows, whose input goes on; comes with "
        "skip connections",
        "Huang et al. 2016",
        _stochastic_depth,
        _rate(0.2, (0.1, 0.2, 0.5)),
    ),
    Technique(
        "mcdropout",
        "dropout",
        "dropout in prediction, too: predictions are the mean over passes",
        "Gal & Ghahramani 2016",
        _monte_carlo,
        (
            *_rate(0.3, (0.1, 0.2, 0.3, 0.5)),
            Parameter("passes", "passes of a prediction", 20, Domain(1, with_low=True, whole=True)),
        ),
    ),
)
