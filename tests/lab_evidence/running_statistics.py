"""Predictions with batch and running statistics, as the chapter has them and otherwise."""

from tests.lab_evidence import made

NAMES = (
    "its own batch",
    "running, momentum 0.99",
    "running, momentum 0.9",
    "running, momentum 0.5",
    "all training rows",
)
EPOCHS = (1, 15, 30)
BATCHES = (2, 4, 32, 128)


def _evidence(first: tuple[float, ...], last: tuple[float, ...], by_batch: tuple[tuple[float, ...], ...]):
    by_epoch = {name: (early, late, late) for name, early, late in zip(NAMES, first, last, strict=True)}
    return {
        "accuracy by epoch": made(by_epoch, EPOCHS, spread=0.002),
        "accuracy by batch": made(dict(zip(NAMES, zip(*by_batch, strict=True), strict=True)), BATCHES, spread=0.002),
    }


ALIKE = (0.97, 0.97, 0.97, 0.97, 0.97)

FOR = _evidence(
    (0.9, 0.6, 0.9, 0.9, 0.91),
    ALIKE,
    ((0.5, 0.9, 0.8, 0.6, 0.9), (0.8, 0.95, 0.92, 0.85, 0.95), ALIKE, (0.95, 0.9, 0.95, 0.95, 0.95)),
)
AGAINST = _evidence((0.9, 0.9, 0.8, 0.8, 0.8), (0.97, 0.9, 0.97, 0.97, 0.97), (ALIKE,) * 4)
