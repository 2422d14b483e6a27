"""The benefits of batch normalisation, as the chapter has them and otherwise."""

from tests.lab_evidence import made

PLACES = ("none", "BatchNorm before", "BatchNorm after")
ON_MNIST1D = ("none", "BatchNorm before", "BatchNorm before, groups of 8")
RATES = (0.1, 1.0, 10.0)
SCALES = (0.1, 1.0, 10.0)


def _evidence(**numbers: tuple[float, ...]):
    single = {name.replace("_", " "): own for name, own in numbers.items()}
    judged = {name: made(dict(zip(PLACES, own, strict=True))) for name, own in single.items() if "accuracy" not in name}
    shares = {name: made(dict(zip(ON_MNIST1D, own, strict=True))) for name, own in single.items() if "accuracy" in name}
    return {
        **judged,
        **shares,
        "accuracy by rate": made(dict.fromkeys(PLACES, (0.97, 0.96, 0.1)), RATES),
        "accuracy by scale": made(dict.fromkeys(PLACES, (0.95, 0.97, 0.94)), SCALES),
    }


FOR = _evidence(
    largest_rate=(0.32, 10.0, 3.2),
    spread=(0.8, 0.05, 0.1),
    epochs_to_target=(12, 4, 5),
    validation_accuracy=(0.5, 0.55, 0.6),
    training_accuracy=(1, 0.99, 0.7),
)
AGAINST = _evidence(
    largest_rate=(1.0, 1.0, 1.0),
    spread=(0.1, 0.1, 0.1),
    epochs_to_target=(5, 5, 5),
    validation_accuracy=(0.6, 0.55, 0.5),
    training_accuracy=(1, 0.99, 0.7),
)
