"""Drift of layers' inputs and speed, as the chapter's question has them and otherwise."""

from tests.lab_evidence import made

NAMES = ("plain", "BatchNorm", "BatchNorm with noise")
STEPS = (9, 18, 27)


def _evidence(drift: tuple[float, ...], steps: tuple[float, ...], cosine: tuple[float, ...]):
    return {
        "drift": made(dict(zip(NAMES, drift, strict=True))),
        "steps to target": made(dict(zip(NAMES, steps, strict=True))),
        "cosine": made(dict(zip(NAMES, cosine, strict=False)), spread=0.001),
        "change of the gradient": made(dict(zip(NAMES, (0.3, 0.2), strict=False))),
        "accuracy by step": made(dict.fromkeys(NAMES, (0.3, 0.8, 0.95)), STEPS),
    }


FOR = _evidence((0.5, 0.1, 0.6), (300, 100, 400), (0.9, 0.97))
AGAINST = _evidence((0.3, 0.3, 0.3), (100, 100, 90), (0.97, 0.9))
