"""BatchNorm and LayerNorm by size of batch, as the chapter has them and otherwise."""

from tests.lab_evidence import made

IMAGES, SEQUENCES = (2, 8, 32, 256), (2, 32, 256)


def _evidence(**differences: tuple[float, ...]):
    told = {}
    for network, own in differences.items():
        batches = IMAGES if len(own) == len(IMAGES) else SEQUENCES
        accuracies = {"BatchNorm": [0.9 - one for one in own], "LayerNorm": [0.9] * len(own)}
        told[network] = made(accuracies, batches, spread=0.002)
    return told


FOR = _evidence(
    perceptron=(0.2, 0.0, -0.03, -0.03),
    convolutions=(0.05, 0.0, -0.03, -0.03),
    Transformer=(0.05, 0.03, 0.03),
    LSTM=(0.05, 0.03, 0.03),
)
_LOSING = made({"BatchNorm": (0.9,) * 4, "LayerNorm": (0.8, 0.9, 0.93, 0.93)}, IMAGES, spread=0.002)
AGAINST = {
    **_evidence(
        convolutions=(-0.03, 0.0, 0.03, 0.03),
        Transformer=(-0.03, -0.03, -0.03),
        LSTM=(-0.03, -0.03, -0.03),
    ),
    "perceptron": _LOSING,
}
