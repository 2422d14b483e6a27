"""What a rate costs each optimiser, as the chapter has it and otherwise."""

from tests.lab_evidence import made

NAMES = ("SGD", "momentum 0.9", "Adam")
RATES = (0.001, 0.1, 10.0)


def _evidence(**numbers: tuple[float, ...]):
    told = {name.replace("_", " "): made(dict(zip(NAMES, own, strict=True))) for name, own in numbers.items()}
    return {**told, "shortfall": made(dict.fromkeys(NAMES, (0.2, 0.01, 0.6)), RATES)}


FOR = _evidence(
    width=(1.0, 1.2, 1.8),
    mean_shortfall=(0.4, 0.35, 0.25),
    shortfall_at_the_default_rate=(0.2, 0.05, 0.01),
    worst_set_at_one_rate=(0.05, 0.03, 0.01),
    worst_rate_of_four_decades=(0.6, 0.5, 0.4),
)
AGAINST = _evidence(
    width=(1.5, 1.4, 1.0),
    mean_shortfall=(0.25, 0.28, 0.4),
    shortfall_at_the_default_rate=(0.05, 0.05, 0.06),
    worst_set_at_one_rate=(0.02, 0.03, 0.05),
    worst_rate_of_four_decades=(0.4, 0.5, 0.6),
)
