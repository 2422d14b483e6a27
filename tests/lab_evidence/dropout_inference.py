"""Dropout in prediction, as the chapter has it and otherwise."""

from tests.lab_evidence import made

NAMES = (
    "inverted, off",
    "inverted, left on",
    "inverted, mean of 50 passes",
    "inverted, scaled once more",
    "classic, scaled",
    "classic, not scaled",
)
LEFT_ON = (0.0, 0.5)


def _evidence(accuracy, loss, differ, activation, scatter):
    single = (accuracy[0], accuracy[1])
    return {
        "accuracy": made(dict(zip(NAMES, accuracy, strict=True)), spread=0.001),
        "log loss": made(dict(zip(NAMES, loss, strict=True))),
        "passes differ": made({"off": 0.0, "left on": differ}),
        "scatter of the true class's probability": made({"off": 0.0, "left on": scatter[0]}),
        "scatter of the accuracy of a pass": made({"off": 0.0, "left on": scatter[1]}),
        "activation": made({"inverted": activation[0], "classic": activation[1]}),
        "accuracy by rate left on": made(
            {"one pass": single, "mean of 50 passes": (accuracy[0], accuracy[2])}, LEFT_ON
        ),
    }


FOR = _evidence((0.94, 0.85, 0.94, 0.94, 0.94, 0.9), (0.2, 0.5, 0.3, 0.5, 0.2, 0.6), 0.15, (1.0, 0.5), (0.1, 0.005))
AGAINST = _evidence((0.94, 0.94, 0.94, 0.94, 0.9, 0.9), (0.2, 0.2, 0.2, 0.2, 0.2, 0.2), 0.01, (2.0, 1.0), (0.01, 0.03))
