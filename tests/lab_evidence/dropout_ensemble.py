"""Means of sub-networks, as the chapter has them and otherwise."""

from tests.lab_evidence import made

LAYERS = ("one hidden layer", "two hidden layers")
MEANS = tuple(f"{layers}, {mean} mean" for layers in LAYERS for mean in ("geometric", "arithmetic"))
NAMES = ("no dropout", "ensemble of 8", "mean of 100 sub-networks", "scaled weights", "one sub-network")
PASSES = (1, 100)
REMOVED = (0.0, 0.5)


def _evidence(distance, largest, accuracy, lowest, without, dropout, correlation):
    scores = made(dict(zip(NAMES, accuracy, strict=True)), spread=0.001)
    return {
        "distance": made(dict(zip(MEANS, distance, strict=True))),
        "largest difference": made(dict(zip(LAYERS, largest, strict=True))),
        "same class": made(dict.fromkeys(LAYERS, 1.0), spread=0.0),
        "accuracy": scores,
        "log loss": made(dict.fromkeys(NAMES, 0.3)),
        "lowest log loss": made(dict(zip(("no dropout", "ensemble of 8", "scaled weights"), lowest, strict=True))),
        "accuracy by passes": made(
            {"mean of sub-networks": (accuracy[4], accuracy[2]), "scaled weights": (accuracy[3],) * 2}, PASSES
        ),
        "accuracy by share removed": made({"no dropout": without, "dropout": dropout}, REMOVED),
        "correlation": made({"no dropout": correlation[0], "dropout": correlation[1]}),
    }


FOR = _evidence(
    (0.0, 0.07, 0.01, 0.2),
    (1e-14, 0.1),
    (0.93, 0.945, 0.945, 0.945, 0.85),
    (0.3, 0.2, 0.22),
    (0.93, 0.8),
    (0.945, 0.9),
    (0.3, 0.1),
)
AGAINST = _evidence(
    (0.1, 0.2, 0.1, 0.2),
    (0.1, 0.2),
    (0.93, 0.96, 0.9, 0.93, 0.93),
    (0.3, 0.2, 0.28),
    (0.93, 0.85),
    (0.93, 0.85),
    (0.1, 0.3),
)
