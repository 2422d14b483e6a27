"""Weights under L1 and L2, as the chapter has them and otherwise."""

from tests.lab_evidence import made

NAMES = ("none", "L2", "L1, subgradient", "L1, proximal", "L1, subgradient in Adam", "L1, proximal after Adam")
MAGNITUDES = (0.001, 0.1)


def _evidence(**numbers: tuple[float, ...]):
    told = {name.replace("_", " "): made(dict(zip(NAMES, own, strict=True))) for name, own in numbers.items()}
    return {**told, "histogram": made(dict.fromkeys(NAMES, (40.0, 60.0)), MAGNITUDES)}


FOR = _evidence(
    exact_zeros=(0, 0, 0, 0.7, 0, 0.1),
    near_zeros=(0.01, 0.02, 0.6, 0.7, 0.6, 0.1),
    norm=(20, 12, 10, 10, 10, 18),
    concentration=(0.4, 0.5, 0.9, 0.9, 0.9, 0.5),
    accuracy=(0.98, 0.98, 0.97, 0.97, 0.97, 0.98),
)
AGAINST = _evidence(
    exact_zeros=(0, 0.1, 0.2, 0.01, 0, 0),
    near_zeros=(0.01, 0.3, 0.02, 0.02, 0.02, 0.02),
    norm=(20, 21, 20, 20, 20, 20),
    concentration=(0.5, 0.6, 0.5, 0.4, 0.4, 0.4),
    accuracy=(0.98, 0.98, 0.97, 0.97, 0.97, 0.98),
)
