"""The standard recipe and its parts, as the chapter has them and otherwise."""

from tests.lab_evidence import made

RECIPES = tuple(f"{norm}, {start}" for norm in ("BatchNorm", "plain") for start in ("He", "Glorot", "small"))
PARTS = ("BatchNorm", "plain", "ReLU", "tanh", "sigmoid", "He", "Glorot", "small")
SIGNALS = (
    *(f"plain, {activation}, {start}" for activation in ("ReLU", "tanh") for start in ("He", "Glorot", "small")),
    "BatchNorm, ReLU, He",
    "BatchNorm, ReLU, small",
)
DEPTHS = (2, 6, 12)
LAYERS = (1, 12)
EDGES = ("lowest rate", "highest rate", "either", "either, with recipes that never learn", "never learn")


def _evidence(relu: tuple[float, ...], best: float, parts: tuple[float, ...], signals: tuple[float, ...], edge: float):
    others = dict(zip(RECIPES, relu, strict=True))
    by_depth = {name: (own,) * len(DEPTHS) for name, own in (others | {"best of the other 17": best}).items()}
    rest = {name: by_depth[name] for name in RECIPES}
    return {
        "accuracy, ReLU": made(by_depth, DEPTHS, spread=0.002),
        "accuracy, tanh": made(rest, DEPTHS, spread=0.002),
        "accuracy, sigmoid": made(rest, DEPTHS, spread=0.002),
        "accuracy by part": made(dict(zip(PARTS, parts, strict=True)), spread=0.002),
        "signal": made({name: (1.0, own) for name, own in zip(SIGNALS, signals, strict=True)}, LAYERS),
        "choices at the edge": made(dict.fromkeys(EDGES, edge)),
    }


FOR = _evidence(
    relu=(0.97, 0.97, 0.97, 0.95, 0.93, 0.1),
    best=0.97,
    parts=(0.95, 0.5, 0.8, 0.75, 0.5, 0.8, 0.77, 0.5),
    signals=(1, 5e-4, 1e-8, 0.3, 0.1, 1e-8, 1, 0.9),
    edge=0.03,
)
AGAINST = _evidence(
    relu=(0.9, 0.95, 0.95, 0.95, 0.95, 0.95),
    best=0.97,
    parts=(0.9, 0.9, 0.85, 0.9, 0.9, 0.85, 0.9, 0.9),
    signals=(5e-4, 5e-4, 1e-8, 0.3, 0.1, 1e-8, 1, 0.9),
    edge=0.4,
)
