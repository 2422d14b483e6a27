"""Early stopping that saves what overfitting costs and goes along with ridge, and that does neither."""

from tests.lab_evidence import made

PATIENCE, EPOCHS, TIMES = (1, 2, 5, 10, 20, 50), (1, 100, 200), (0.1, 10.0, 100.0)
SETS = ("moons", "digits")


def _by_patience(restored: tuple[float, ...], stopped: tuple[float, ...], end: float):
    own = {"best restored": restored, "at the stop": stopped, "to the end": (end,) * len(PATIENCE)}
    return made({f"{name}: {how}": values for name in SETS for how, values in own.items()}, PATIENCE)


FOR = {
    "fresh loss by epoch": made(dict.fromkeys(SETS, (1.0, 0.5, 0.9)), EPOCHS),
    "fresh loss by patience": _by_patience((0.55, 0.52, 0.5, 0.5, 0.5, 0.5), (0.55, 0.52, 0.5, 0.53, 0.6, 0.7), 0.9),
    "fresh accuracy by patience": _by_patience((0.75, 0.77, 0.78, 0.78, 0.78, 0.78), (0.75,) * 6, 0.7),
    "epochs by patience": made(dict.fromkeys(SETS, (10, 20, 30, 40, 60, 90)), PATIENCE),
    "distance": made({"ridge, λ = 1/t": (0.01, 0.15, 0.05), "ridge, nearest λ": (0.01, 0.1, 0.02)}, TIMES),
    "risk": made({"early stopping": (30, 5.2, 9), "ridge, λ = 1/t": (30, 5, 8)}, TIMES),
}
AGAINST = {
    "fresh loss by epoch": made(dict.fromkeys(SETS, (1.0, 0.5, 0.5)), EPOCHS),
    "fresh loss by patience": _by_patience((0.6, 0.55, 0.5, 0.5, 0.5, 0.5), (0.6, 0.55, 0.52, 0.5, 0.5, 0.48), 0.48),
    "fresh accuracy by patience": _by_patience((0.75, 0.77, 0.78, 0.78, 0.78, 0.78), (0.75,) * 6, 0.8),
    "epochs by patience": made(dict.fromkeys(SETS, (10, 20, 30, 40, 60, 90)), PATIENCE),
    "distance": made({"ridge, λ = 1/t": (0.01, 0.5, 0.05), "ridge, nearest λ": (0.01, 0.4, 0.02)}, TIMES),
    "risk": made({"early stopping": (60, 10, 9), "ridge, λ = 1/t": (30, 5, 4)}, TIMES),
}
