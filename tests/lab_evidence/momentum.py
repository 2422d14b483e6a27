"""Steps to a loss and Adam's limits, as the chapter has them and otherwise."""

from tests.lab_evidence import made

NAMES = ("β = 0", "β = 0.5", "β = 0.8", "β = 0.9", "β = 0.95", "β = 0.99", "Nesterov, β = 0.9", "Adam")
BETAS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
CONDITIONS = (1e1, 3e1, 1e2, 3e2)
LIMITS = (
    "Adam and RMSprop",
    "Adam with β1 = 0 and RMSprop",
    "Adam and momentum",
    "Adam with one divisor and momentum",
)
DESCENT, BALL, NESTEROV = (11.5, 34.5, 115.1, 345.4), (3.5, 6.2, 11.5, 19.9), (5.2, 10.2, 18.8, 33.4)


def _evidence(
    full: tuple[float, ...], small: tuple[float, ...], other: float, off: tuple[float, ...], limits: tuple[float, ...]
):
    return {
        "steps, full batch": made(dict(zip(NAMES, full, strict=True))),
        "steps, batches of 32": made(dict(zip(NAMES, small, strict=True))),
        "steps over β": made({"full batch": full[:6], "batches of 32": small[:6]}, BETAS),
        "steps of the best other β": made({"full batch": other, "batches of 32": other}),
        "steps per decade": made(
            {
                "gradient descent": [off[0] * own for own in DESCENT],
                "gradient descent, theory": DESCENT,
                "heavy ball": [off[1] * own for own in BALL],
                "heavy ball, theory": BALL,
                "Nesterov": [off[2] * own for own in NESTEROV],
                "Nesterov, theory": NESTEROV,
            },
            CONDITIONS,
        ),
        "difference": made(dict(zip(LIMITS, limits, strict=True))),
        "loss": made(dict.fromkeys(("SGD", "momentum 0.9", "Nesterov 0.9", "Adam"), (2.0, 0.1)), (1, 200)),
    }


FOR = _evidence(
    (150, 100, 60, 50, 50, 80, 40, 30),
    (250, 220, 190, 160, 160, 250, 150, 140),
    50,
    (1.02, 1.02, 1.02),
    (0.3, 1e-6, 0.5, 1e-6),
)
AGAINST = _evidence(
    (150, 140, 150, 190, 200, 300, 220, 180),
    (250, 250, 260, 300, 350, 500, 320, 300),
    140,
    (1.0, 3.0, 1.5),
    (0.3, 0.2, 0.5, 0.2),
)
