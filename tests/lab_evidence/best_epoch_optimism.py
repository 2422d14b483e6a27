"""Best epochs that promise more than they hold, and less."""

from tests.lab_evidence import made

EPOCHS, ROWS = (1, 2, 5, 10, 20, 50), (25, 50, 100, 200, 400)
SETS = ("moons", "MNIST-1D")
CHOICES = ("last epoch", "best epoch", "best epoch and recipe")


def _evidence(by_epochs: tuple[float, ...], by_rows: tuple[float, ...], by_choice: tuple[float, ...]):
    chosen = {f"{name}: {choice}": own for name in SETS for choice, own in zip(CHOICES, by_choice, strict=True)}
    return {
        "optimism by epochs": made(dict.fromkeys(SETS, by_epochs), EPOCHS),
        "optimism by rows": made(dict.fromkeys(SETS, by_rows), ROWS),
        "optimism by choice": made(chosen),
    }


FOR = _evidence((0.0, 0.01, 0.02, 0.03, 0.035, 0.04), (0.06, 0.04, 0.03, 0.02, 0.015), (0.0, 0.04, 0.06))
AGAINST = _evidence((0.02, 0.02, 0.02, 0.01, 0.008, 0.006), (0.006, 0.006, 0.006, 0.006, 0.006), (0.0, 0.006, 0.005))
