"""Steps beside the formula of L2, as the chapter has them and otherwise."""

from tests.lab_evidence import made

NAMES = ("SGD + L2", "SGD + L2, λ = l", "SGD + L2, not shrunk", "Adam + L2", "AdamW")
SHRUNK = ("SGD + L2", "Adam + L2", "AdamW")
THEORY = (1.0, 0.8, 0.67)


def _evidence(distance: tuple[float, ...], left: tuple[float, ...], network: float):
    blank = {name: (1.0, 0.8 * own, 0.67 * own) for name, own in zip(SHRUNK, left, strict=True)}
    return {
        "distance": made(dict(zip(NAMES, distance, strict=True))),
        "blank pixels": made({**blank, "(1 − λη)ᵗ": THEORY}, (0, 100, 200), spread=0.0),
        "network": made({"L2 and weight decay": network}),
    }


FOR = _evidence((1e-5, 0.04, 0.08, 0.9, 1e-5), (1.0, 0.1, 1.0), 1e-6)
AGAINST = _evidence((0.08, 0.001, 1e-5, 0.001, 0.9), (0.9, 0.9, 0.2), 0.2)
