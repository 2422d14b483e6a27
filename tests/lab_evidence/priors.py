"""Trained weights that are the mode of the posterior, and that are not."""

from tests.lab_evidence import made

L2, L1, LOGISTIC = (
    ("L2 0.01", "L2 0.1", "L2 1"),
    ("L1 0.02", "L1 0.1", "L1 0.4"),
    ("logistic L2 0.01", "logistic L2 0.1"),
)
ALL = (*L2, *L1, *LOGISTIC)
STRENGTHS = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def _evidence(distance: float, likely: float, same: float, ridge: float, errors: tuple[float, ...]):
    return {
        "distance": made(dict.fromkeys(ALL, distance)),
        "less likely nearby": made(dict.fromkeys(ALL, likely), spread=0.0),
        "exact zeros": made({**dict.fromkeys(ALL, 0.0), **dict(zip(L1, (0.1, 0.4, 0.7), strict=True))}),
        "same zeros": made(dict.fromkeys(L1, same), spread=0.0),
        "nearest ridge": made(dict.fromkeys(L1, ridge)),
        "error by strength": made({"true weights drawn from the prior": errors}, STRENGTHS, 0.001),
    }


FOR = _evidence(1e-5, 1.0, 1.0, 0.2, (0.6, 0.5, 0.4, 0.35, 0.33, 0.35, 0.4, 0.5, 0.6))
AGAINST = _evidence(0.1, 0.9, 0.0, 0.01, (0.3, 0.3, 0.3, 0.3, 0.4, 0.5, 0.5, 0.6, 0.6))
