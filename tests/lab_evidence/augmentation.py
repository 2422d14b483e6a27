"""Augmentation with few and with many rows, as the chapter has it and otherwise."""

from tests.lab_evidence import made

SIZES = (50, 800)
KINDS = {"digits": "shift", "MNIST-1D": "shift"}


def _evidence(digits, lines, learnt):
    """Of either task the accuracy with none, the right and the wrong augmentation, by size."""
    told = {}
    for (name, right), own in zip(KINDS.items(), (digits, lines), strict=True):
        values = dict(zip(("none", right, "mirror"), own, strict=True))
        told[f"accuracy on {name}"] = made(values, SIZES, spread=0.001)
    names = [
        f"{name}, {kind}" for name, right in KINDS.items() for kind in ("none", right, f"{right}; rows as they are")
    ]
    return {**told, "training accuracy": made(dict(zip(names, learnt, strict=True)), spread=0.001)}


FOR = _evidence(
    digits=((0.8, 0.96), (0.86, 0.97), (0.76, 0.94)),
    lines=((0.3, 0.5), (0.4, 0.55), (0.28, 0.45)),
    learnt=(1, 0.9, 0.99, 1, 0.7, 0.9),
)
AGAINST = _evidence(
    digits=((0.8, 0.9), (0.79, 0.95), (0.85, 0.95)),
    lines=((0.3, 0.5), (0.29, 0.55), (0.35, 0.55)),
    learnt=(0.9, 0.95, 0.95, 0.9, 0.95, 0.95),
)
