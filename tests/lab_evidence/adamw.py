"""Decay beside L2, as the chapter has them and otherwise."""

from tests.lab_evidence import made

NAMES = ("Adam", "Adam + L2", "AdamW")
TIMES = (0.01, 1.0, 100.0)


def _evidence(
    sgd: tuple[float, ...], adam: tuple[float, ...], perceptron: tuple[float, ...], transformer: tuple[float, ...]
):
    return {
        "accuracy, perceptron": made(dict(zip(NAMES, perceptron, strict=True)), spread=0.002),
        "accuracy, transformer": made(dict(zip(NAMES, transformer, strict=True)), spread=0.002),
        "difference": made({"SGD": sgd, "Adam": adam}, TIMES),
        "difference from no decay": made({"SGD": 0.2, "Adam": 0.2}),
    }


FOR = _evidence((0.2, 1e-6, 0.9), (0.2, 0.15, 0.9), (0.65, 0.68, 0.7), (0.5, 0.52, 0.55))
AGAINST = _evidence((0.2, 0.1, 0.9), (0.2, 0.01, 0.9), (0.7, 0.68, 0.65), (0.55, 0.52, 0.5))
