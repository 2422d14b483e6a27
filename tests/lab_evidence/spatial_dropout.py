"""Dropout after convolutions, as the chapter has it and otherwise."""

from tests.lab_evidence import made

PIXELS, MAPS = FORMS = ("Dropout, pixels", "SpatialDropout2D, maps")
CONDITIONS = ("none", *(f"{form}, {rates}" for rates in ("0.1 or 0.25", "0.05 or 0.5", "any") for form in FORMS))
RATES = (0.0, 0.1, 0.5)


def _evidence(pixels, maps, best, correlation, noise):
    return {
        "accuracy": made({PIXELS: pixels, MAPS: maps}, RATES, spread=0.001),
        "accuracy at the best rate": made(dict(zip(CONDITIONS, best, strict=True)), spread=0.001),
        "correlation": made(dict(zip(("neighbours", "4 pixels apart"), correlation, strict=True))),
        "noise": made(dict(zip(FORMS, noise, strict=True))),
    }


FOR = _evidence((0.9, 0.92, 0.88), (0.9, 0.94, 0.9), (0.9, 0.92, 0.94, 0.91, 0.92, 0.92, 0.94), (0.6, 0.1), (0.1, 0.6))
AGAINST = _evidence(
    (0.92, 0.9, 0.91), (0.92, 0.88, 0.89), (0.92, 0.9, 0.88, 0.91, 0.91, 0.91, 0.89), (0.1, 0.1), (0.2, 0.2)
)
