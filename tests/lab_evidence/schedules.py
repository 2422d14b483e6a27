"""Schedules beside a constant rate, as the chapter has them and otherwise."""

from tests.lab_evidence import made

PERCEPTRON = ("constant", "step decay", "cosine", "warm-up, cosine", "warm-up, constant")
TRANSFORMER = ("constant", "warm-up, linear", "warm-up, constant")
LARGEST = (
    "perceptron, without warm-up",
    "perceptron, with warm-up",
    "transformer, without warm-up",
    "transformer, with warm-up",
)
RATES = (0.01, 0.1)


def _evidence(
    perceptron: tuple[float, ...],
    transformer: tuple[float, ...],
    largest: tuple[float, ...],
    losses: tuple[float, float],
):
    survival = made({"constant": (0.5, 0.1), "warm-up, constant": (0.5, 0.4)}, RATES)
    return {
        "accuracy, perceptron": made(dict(zip(PERCEPTRON, perceptron, strict=True)), spread=0.002),
        "accuracy, transformer": made(dict(zip(TRANSFORMER, transformer, strict=True)), spread=0.002),
        "training accuracy, perceptron": survival,
        "training accuracy, transformer": survival,
        "largest rate": made(dict(zip(LARGEST, largest, strict=True))),
        "last loss": made(dict(zip(("constant", "cosine"), losses, strict=True))),
    }


FOR = _evidence((0.6, 0.63, 0.65, 0.65, 0.6), (0.6, 0.65, 0.62), (-1.0, -0.5, -2.5, -2.0), (0.2, 0.1))
AGAINST = _evidence((0.65, 0.6, 0.6, 0.6, 0.6), (0.65, 0.6, 0.6), (-0.5, -1.0, -2.0, -2.5), (0.1, 0.2))
