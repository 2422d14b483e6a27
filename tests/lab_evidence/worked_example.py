"""The worked example on ten data sets: as the chapter expects it, and with every recipe behind."""

from tests.lab_evidence import made

SETS = ("digits", "300 digits", "moons", "circles", "spirals", "blobs", "wdbc", "wine", "iris", "mnist1d")
RECIPES = ("L2", "dropout", "batch norm")


def _evidence(validation: float, training: float, ahead: float):
    def counted(gain: float):
        told = "higher" if gain > 0.0 else "lower"
        outcomes = {name: len(SETS) * (name == told) for name in ("higher", "lower", "undecided")}
        return made({f"{recipe}: {name}": own for recipe in RECIPES for name, own in outcomes.items()}, spread=0.0)

    pairs = [f"{own}: {recipe}" for own in SETS for recipe in RECIPES]
    return {
        "validation gain": made(dict.fromkeys(pairs, validation)),
        "validation gain, strength chosen": made(dict.fromkeys(pairs, validation)),
        "training gain": made(dict.fromkeys(pairs, training)),
        "all three ahead": made(dict.fromkeys(SETS, ahead)),
        "data sets by validation accuracy": counted(validation),
        "data sets by training accuracy": counted(training),
    }


FOR = _evidence(0.02, -0.05, 1.0)
AGAINST = _evidence(-0.02, 0.01, 0.0)
