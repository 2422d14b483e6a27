"""Accuracies by rate of dropout, as the chapter has them and otherwise."""

from tests.lab_evidence import made

NETWORKS = ("16-8", "32-16", "128-64", "512-256")
ROWS = tuple(f"{rows} rows, {rate}" for rows in (200, 800) for rate in ("none", "0.5"))
RATES = (0.0, 0.3, 0.5)


def _evidence(accuracy, best_accuracy, best_rate, by_rows):
    return {
        "accuracy": made(dict(zip(NETWORKS, accuracy, strict=True)), RATES, spread=0.001),
        "accuracy at the best rate": made(dict(zip(NETWORKS, best_accuracy, strict=True)), spread=0.001),
        "best rate": made(dict(zip(NETWORKS, best_rate, strict=True))),
        "each seed's own best rate": made(dict(zip(NETWORKS, best_rate, strict=True))),
        "accuracy by rows": made(dict(zip(ROWS, by_rows, strict=True)), spread=0.001),
    }


FOR = _evidence(
    ((0.85, 0.84, 0.7), (0.9, 0.92, 0.88), (0.92, 0.94, 0.93), (0.92, 0.94, 0.95)),
    (0.85, 0.92, 0.94, 0.95),
    (0.1, 0.3, 0.3, 0.5),
    (0.92, 0.95, 0.97, 0.975),
)
AGAINST = _evidence(
    ((0.85, 0.84, 0.9), (0.92, 0.88, 0.92), (0.92, 0.9, 0.9), (0.95, 0.94, 0.92)),
    (0.9, 0.92, 0.92, 0.95),
    (0.5, 0.3, 0.1, 0.0),
    (0.95, 0.92, 0.97, 0.97),
)
