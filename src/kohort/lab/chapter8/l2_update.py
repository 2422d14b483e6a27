"""The L2 update W ← W(1 − λη) − η∇L, step by step; Adam with L2 does something else, and AdamW keeps it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from keras.optimizers import SGD, Adam, AdamW

from kohort.data import named
from kohort.fitting import fit
from kohort.lab.apparatus.networks import compiled, perceptron
from kohort.lab.apparatus.training import weights_of
from kohort.lab.claim import Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

ROWS = 512
SGD_RATE, SGD_STRENGTH = 0.1, 0.02
ADAM_RATE, ADAM_STRENGTH = 0.01, 0.2
"""η and λ; ηλ is 0.002 for both optimisers, so that the formula shrinks both alike."""

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-7
"""Adam's β₁, β₂ and ε, as Keras has them."""

BY_SGD, BY_ADAM, BY_ADAMW = "SGD + L2", "Adam + L2", "AdamW"


class Captured(keras.callbacks.Callback):
    """Keeps the first kernel before training and after each epoch.

    Attributes:
        kernels: Of shape (inputs, units) each.
    """

    def __init__(self):
        super().__init__()
        self.kernels: list[np.ndarray] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Keeps it as it begins."""
        self._keep()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps it after an epoch."""
        self._keep()

    def _keep(self) -> None:
        model: Any = self.model
        self.kernels.append(np.array(model.get_weights()[0], np.float64))


def _penalty(strength: float) -> keras.regularizers.Regularizer:
    """λ/2·‖W‖²; Keras' L2(l) is l·‖W‖², so that λ = 2l."""
    return keras.regularizers.L2(strength / 2.0)


def _softmax(optimiser: Callable[[], Any], penalty: Any = None) -> keras.Model:
    layer = keras.layers.Dense(10, "softmax", use_bias=False, kernel_regularizer=penalty)
    return compiled(keras.Sequential([keras.Input((64,)), layer]), optimiser())


def _gradient(kernel: np.ndarray, x: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """∇L of the mean cross-entropy without the penalty: Xᵀ(softmax(XW) − T) / n, in float64."""
    scores = x @ kernel
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return x.T @ (odds / odds.sum(axis=1, keepdims=True) - targets) / len(x)


def _adam_steps(gradients: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Adam's steps along gradients (Kingma & Ba 2015, before section 2.1: ε beside the uncorrected root)."""
    mean, square = np.zeros_like(gradients[0]), np.zeros_like(gradients[0])
    for update, gradient in enumerate(gradients, 1):
        mean = FIRST * mean + (1.0 - FIRST) * gradient
        square = SECOND * square + (1.0 - SECOND) * gradient**2
        length = ADAM_RATE * np.sqrt(1.0 - SECOND**update) / (1.0 - FIRST**update)
        yield length * mean / (np.sqrt(square) + EPSILON)


def _furthest(kernels: list[np.ndarray], foretold: list[np.ndarray]) -> float:
    """The largest ‖W − foretold W‖ of a step, relative to the mean length of the steps that are foretold."""
    off = [np.linalg.norm(new - told) for new, told in zip(kernels[1:], foretold, strict=True)]
    lengths = [np.linalg.norm(told - old) for old, told in zip(kernels[:-1], foretold, strict=True)]
    return float(np.max(off) / np.mean(lengths))


def measure(scale: Scale) -> Evidence:
    """Trains by full batches, captures each epoch's weights, and holds every step against the formula."""
    digits = named("digits")
    x, y = digits.x[:ROWS], digits.y[:ROWS]
    exact, targets = x.astype(np.float64), np.eye(10)[y]
    blank = ~x.any(axis=0)  # pixels that are 0 in all rows: the loss does not know their weights
    recipes = {
        BY_SGD: partial(_softmax, partial(SGD, SGD_RATE), _penalty(SGD_STRENGTH)),
        BY_ADAM: partial(_softmax, partial(Adam, ADAM_RATE), _penalty(ADAM_STRENGTH)),
        BY_ADAMW: partial(_softmax, partial(AdamW, ADAM_RATE, weight_decay=ADAM_STRENGTH)),
    }
    epochs = scale.of(200, 40)
    runs = fit(
        recipes,
        x,
        y,
        seeds=scale.seeds,
        epochs=epochs,
        batch_size=ROWS,
        callbacks=lambda recipe, seed: [Captured()],
        verbose=0,
    )
    kept = {name: [run.callbacks[0].kernels for run in runs.of(name)] for name in recipes}
    gradients = {
        name: [[_gradient(own, exact, targets) for own in kernels[:-1]] for kernels in every]
        for name, every in kept.items()
    }

    def by_descent(shrinking: float) -> np.ndarray:
        return np.array(
            [
                _furthest(kernels, [shrinking * w - SGD_RATE * g for w, g in zip(kernels[:-1], gradient, strict=True)])
                for kernels, gradient in zip(kept[BY_SGD], gradients[BY_SGD], strict=True)
            ]
        )

    def by_adam(name: str) -> np.ndarray:
        shrinking = 1.0 - ADAM_RATE * ADAM_STRENGTH
        return np.array(
            [
                _furthest(
                    kernels, [shrinking * w - s for w, s in zip(kernels[:-1], _adam_steps(gradient), strict=True)]
                )
                for kernels, gradient in zip(kept[name], gradients[name], strict=True)
            ]
        )

    left = {
        name: np.array(
            [[np.linalg.norm(own[blank]) / np.linalg.norm(every[0][blank]) for own in every] for every in all_]
        )
        for name, all_ in kept.items()
    }
    steps = np.arange(epochs + 1)
    theory = (1.0 - SGD_RATE * SGD_STRENGTH) ** steps
    return {
        "distance": Measured(
            {
                "SGD + L2": by_descent(1.0 - SGD_RATE * SGD_STRENGTH),
                "SGD + L2, λ = l": by_descent(1.0 - SGD_RATE * SGD_STRENGTH / 2.0),
                "SGD + L2, not shrunk": by_descent(1.0),
                "Adam + L2": by_adam(BY_ADAM),
                "AdamW": by_adam(BY_ADAMW),
            }
        ),
        "blank pixels": Measured({**left, "(1 − λη)ᵗ": np.broadcast_to(theory, left[BY_SGD].shape)}, steps),
        "network": Measured({"L2 and weight decay": _by_decay(scale)}),
    }


def _by_decay(scale: Scale) -> np.ndarray:
    """How far a network with hidden layers ends from itself when SGD's own weight decay is in the place of L2."""

    def decaying() -> Any:
        optimiser = SGD(SGD_RATE, weight_decay=SGD_STRENGTH)
        optimiser.exclude_from_weight_decay(var_names=["bias"])
        return optimiser

    recipes = {
        "L2": lambda: perceptron(SGD(SGD_RATE), widths=(32, 16), penalty=_penalty(SGD_STRENGTH)),
        "decay": lambda: perceptron(decaying(), widths=(32, 16)),
    }
    data = named("digits")
    runs = fit(recipes, data.x[:ROWS], data.y[:ROWS], seeds=scale.seeds, epochs=scale.of(40, 10), verbose=0)
    penalised, decayed = (weights_of(runs, name) for name in recipes)
    return np.linalg.norm(penalised - decayed, axis=1) / np.linalg.norm(decayed, axis=1)


def _last(evidence: Evidence, name: str) -> np.ndarray:
    """What is left of the blank pixels' weights at the end, as a multiple of what the formula leaves."""
    own = evidence["blank pixels"]
    return own[name][:, -1] / own["(1 − λη)ᵗ"][:, -1]


CLAIM = Claim(
    number=7,
    name="l2-update",
    title="L2 is an update: W ← W(1 − λη) − η∇L, with SGD to the letter, with Adam not",
    quoted="L2 (weight decay): adds λ/2·‖W‖² to loss … Gradient update: W ← W(1−λη) − η∇_W L.",
    why="The gradient of λ/2·‖W‖² is λW, so a step along it takes the share λη off each weight, whatever the loss "
    "says. That needs an optimiser that steps along the gradient it is given. Adam divides by the root of a mean of "
    "squares, in which the penalty's gradient stands as well: what it takes off is no longer a share of the weight. "
    "AdamW shrinks first and gives Adam the gradient of the loss alone.",
    experiment=f"A softmax layer 64-10 on {ROWS} rows of the digits as one batch, 200 steps; the weights are captured "
    "after each. From those before a step and the gradient in closed form (NumPy, float64) the formula foretells "
    "those after it; the largest distance of all steps counts, relative to the mean length of the steps that the "
    "formula foretells. (At first it was relative to the length of the step itself. Adam with L2 comes to rest, and "
    "beside a step that vanishes any distance is large without end.) By SGD (η = "
    f"{SGD_RATE:g}, λ = {SGD_STRENGTH:g}), by Adam with L2 and by AdamW (η = {ADAM_RATE:g}, λ = {ADAM_STRENGTH:g}), "
    "where Adam's own step on ∇L stands for η∇L. Keras' L2(l) adds l·‖W‖², without the half, so l = λ/2 is passed. "
    "Pixels that are blank in all rows have weights of which the loss knows nothing: they must shrink by (1 − λη)ᵗ. "
    "Then a network 64-32-16-10 in batches of 32, by SGD with L2 and by SGD with Keras' own weight decay.",
    predictions=(
        Prediction(
            "with SGD no step is more than 0.1 % of a mean step off the formula",
            lambda e: e["distance"][BY_SGD],
            below=1e-3,
            unit=" %",
            scale=100.0,
        ),
        Prediction(
            "taking Keras' number for λ puts the formula more than 1 % off",
            lambda e: e["distance"]["SGD + L2, λ = l"],
            above=0.01,
            unit=" %",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "with SGD the weights of blank pixels shrink by (1 − λη)ᵗ within 0.1 %",
            lambda e: np.abs(_last(e, BY_SGD) - 1.0),
            below=1e-3,
            unit=" %",
            scale=100.0,
        ),
        Prediction(
            "with hidden layers, L2 and SGD's weight decay end less than 0.1 % apart",
            lambda e: e["network"]["L2 and weight decay"],
            below=1e-3,
            unit=" %",
            scale=100.0,
        ),
        Prediction(
            "Adam + L2 has a step more than 5 % of a mean step off the formula",
            lambda e: e["distance"][BY_ADAM],
            above=0.05,
            unit=" %",
            scale=100.0,
        ),
        Prediction(
            "with Adam + L2 less than half is left of the blank pixels' weights of what the formula leaves",
            lambda e: _last(e, BY_ADAM),
            below=0.5,
            unit=" times",
            beside=True,
        ),
        Prediction(
            "with AdamW no step is more than 0.1 % of a mean step off the formula",
            lambda e: e["distance"][BY_ADAMW],
            below=1e-3,
            unit=" %",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "distance",
            "How far a step is from the formula",
            "The largest distance of a step's weights from those foretold, relative to the mean length of the foretold "
            "steps. Rounding to float32 alone leaves about a hundred-thousandth. Adam + L2 comes to rest where the "
            "formula would go on.",
            "relative distance",
            log_y=True,
        ),
        Drawing(
            "blank pixels",
            "Weights of which the loss knows nothing",
            "The norm of the weights of pixels that are blank in all rows, relative to its beginning. Under SGD and "
            "AdamW they lie on the formula's line; under Adam + L2 they fall by the rate at each step, whatever λ is.",
            "share of the norm that is left",
            "step",
        ),
    ),
    code="""\
import keras, kohort
from keras.optimizers import SGD, Adam, AdamW

def network(optimizer, penalty=None):
    layer = keras.layers.Dense(10, "softmax", use_bias=False, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((64,)), layer])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model

data = kohort.data.named("digits")  # the first pixel is blank in all rows
recipes = {"start": lambda: network(SGD(0.0)), "SGD + L2": lambda: network(SGD(0.1), keras.regularizers.L2(0.01)),
           "AdamW": lambda: network(AdamW(0.01, weight_decay=0.2)),
           "Adam + L2": lambda: network(Adam(0.01), keras.regularizers.L2(0.1))}
runs = kohort.fit(recipes, data.x[:512], data.y[:512], seeds=1, epochs=200, batch_size=512)
for name in recipes:
    print(name, runs[name, 0].weights[0][0, :3] / runs["start", 0].weights[0][0, :3], 0.998**200)
""",
    sources=(
        "Krogh & Hertz (1991), A simple weight decay can improve generalization",
        "Loshchilov & Hutter (2019), Decoupled weight decay regularization, §2",
    ),
)
