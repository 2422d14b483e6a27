"""Dropout after convolutions: single pixels or whole maps, and at which rate."""

from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers

from kohort.data import named
from kohort.lab.apparatus.choosing import chosen_by_others
from kohort.lab.apparatus.few_rows import FewRows, few_rows
from kohort.lab.apparatus.networks import convolutional
from kohort.lab.claim import Beside, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.run import Run

ROWS = 200
"""Of the digits; drawn anew for each seed."""

PIXELS, MAPS = "Dropout, pixels", "SpatialDropout2D, maps"

FORMS: dict[str, Any] = {PIXELS: layers.Dropout, MAPS: layers.SpatialDropout2D}

RATES = (0.0, 0.05, 0.1, 0.25, 0.5)
"""Of either dropout; 0 is none."""

TYPICAL, OTHERS = (0.1, 0.25), (0.05, 0.5)
"""The chapter's range, and the rates on either side of it."""

EPOCHS = 240
"""Of five steps; a convolution needs more of them than a dense network."""

LEARNING_RATES = (0.003, 0.01, 0.03)
"""Of Adam; each rate of dropout gets its best."""


def _network(step: float, form: Any = layers.Dropout, rate: float = 0.0) -> keras.Model:
    return convolutional(keras.optimizers.Adam(step), noise=partial(form, rate) if rate else None)


def _first_maps(run: Run, rows: FewRows) -> np.ndarray:
    """What the first block's ReLU gives, of shape (rows, height, width, maps)."""
    model = run.model()
    activation = next(layer for layer in model.layers if isinstance(layer, layers.Activation))
    return np.asarray(keras.Model(model.inputs[0], activation.output)(rows.held_x[:300]))


def _correlation(maps: np.ndarray, apart: int) -> float:
    """The mean correlation, over rows, of pixels of a map that lie so far apart in a line; dead pixels left out."""
    found: list[np.ndarray] = []
    for image in (maps, maps.swapaxes(1, 2)):
        here, there = image[:, :, :-apart], image[:, :, apart:]
        here, there = here - here.mean(axis=0), there - there.mean(axis=0)
        size = np.sqrt((here**2).mean(axis=0) * (there**2).mean(axis=0))
        alive = size > 1e-8
        found.append((here * there).mean(axis=0)[alive] / size[alive])
    return float(np.concatenate(found).mean())


def _noise(maps: np.ndarray, layer: Any) -> float:
    """By which share of itself a map's mean varies from mask to mask; the mean over maps that are not all 0."""
    means = np.stack([np.asarray(layer(maps, training=True)).mean(axis=(1, 2)) for _ in range(50)])
    clean = maps.mean(axis=(1, 2))
    alive = clean > 1e-6
    return float((means.std(axis=0)[alive] / clean[alive]).mean())


def measure(scale: Scale) -> Evidence:
    """Trains convolutions on few digits with either dropout, and looks at the maps of those without."""
    options: dict[str, Any] = {"epochs": scale.of(EPOCHS, 24), "batch_size": 40, "validation_freq": 4}
    rates, steps = scale.of(RATES, (0.0, 0.1, 0.25, 0.5)), scale.of(LEARNING_RATES, LEARNING_RATES[1:2])
    digits = named("digits")
    images = replace(digits, x=digits.x.reshape(-1, 8, 8))
    data = [few_rows(images, ROWS, seed) for seed in range(scale.seeds)]
    logs: dict[tuple[str, float], np.ndarray] = {}
    plain: list[list[Run]] = []
    for form, layer in {"none": layers.Dropout, **FORMS}.items():
        own = (0.0,) if form == "none" else rates[1:]
        recipes = {f"{rate:g} {step:g}": partial(_network, step, layer, rate) for rate in own for step in steps}
        runs = [rows.fit(recipes, seeds=[seed], **options) for seed, rows in enumerate(data)]
        for rate in own:
            names = [f"{rate:g} {step:g}" for step in steps]
            logs[form, rate] = np.array(
                [[one[name, seed].history["val_accuracy"] for seed, one in enumerate(runs)] for name in names]
            )
        if form == "none":
            plain = [list(one.values()) for one in runs]
    none = chosen_by_others(logs["none", 0.0])
    accuracy = {
        form: np.stack([none, *(chosen_by_others(logs[form, rate]) for rate in rates[1:])], axis=1) for form in FORMS
    }

    def best(form: str, allowed: tuple[float, ...]) -> np.ndarray:
        return chosen_by_others(np.concatenate([logs[form, rate] for rate in allowed if rate in rates]))

    middle = len(steps) // 2
    maps = [_first_maps(runs[middle], rows) for runs, rows in zip(plain, data, strict=True)]
    return {
        "accuracy": Measured(accuracy, rates),
        "accuracy at the best rate": Measured(
            {"none": none}
            | {f"{form}, 0.1 or 0.25": best(form, TYPICAL) for form in FORMS}
            | {f"{form}, 0.05 or 0.5": best(form, OTHERS) for form in FORMS}
            | {f"{form}, any": best(form, RATES[1:]) for form in FORMS}
        ),
        "correlation": Measured(
            {
                "neighbours": np.array([_correlation(own, 1) for own in maps]),
                "4 pixels apart": np.array([_correlation(own, 4) for own in maps]),
            }
        ),
        "noise": Measured(
            {
                form: np.array([_noise(own, layer(0.25, seed=seed)) for seed, own in enumerate(maps)])
                for form, layer in FORMS.items()
            }
        ),
    }


def _gain(evidence: Evidence, condition: str, other: str = "none") -> np.ndarray:
    """How much more accurate one way is than another, each at what the other seeds choose for it."""
    accuracy = evidence["accuracy at the best rate"]
    return accuracy[condition] - accuracy[other]


def _ours(evidence: Evidence) -> str:
    own = {name: float(value.mean()) for name, value in evidence["correlation"].items()}
    noise = {name: float(value.mean()) for name, value in evidence["noise"].items()}
    gain = 100.0 * float(_gain(evidence, f"{MAPS}, any", f"{PIXELS}, any").mean())
    return (
        f"neighbouring pixels of the first maps are correlated by {own['neighbours']:.2f}, those 4 apart by "
        f"{own['4 pixels apart']:.2f}; at rate 0.25 a map's mean varies by {100 * noise[PIXELS]:.0f} % of itself when "
        f"pixels are dropped and by {100 * noise[MAPS]:.0f} % when maps are; at their best rates, maps less pixels "
        f"comes to {gain:+.2f} points of accuracy"
    )


CLAIM = Claim(
    number=13,
    name="spatial-dropout",
    title="After convolutions: a small rate, or whole maps",
    quoted="After conv layers: rate 0.1–0.25 (or use SpatialDropout2D).",
    why="Neighbouring pixels of a map tell nearly the same, so a pixel that is dropped can be read from those beside "
    "it, and the mean of a map hardly notices. Dropping whole maps takes away what they tell. A convolution has few "
    "weights, each used at all places; it overfits less than a dense layer, so a smaller rate should be enough.",
    experiment=f"Two blocks of 3 × 3 convolution (16 and 32 maps), ReLU and dropout, on {ROWS} digits of 8 × 8 pixels "
    "that are drawn anew for each seed; 1,000 others judge. Dropout of pixels and of whole maps with rates 0.05, 0.1, "
    "0.25 and 0.5, and none. Each rate gets the learning rate of Adam (of three) and the epoch (every fourth of "
    f"{EPOCHS}) that are best under the other seeds; where a range of rates is judged, they choose the rate as well. "
    "At first there were 40 epochs, too few even without dropout; the predictions were kept. In the networks without "
    "dropout, the first maps' pixels are correlated over rows, and either dropout is applied "
    "to these maps to see how much the mean of a map varies.",
    predictions=(
        Prediction(
            "neighbouring pixels of a map are correlated by more than 0.3",
            lambda e: e["correlation"]["neighbours"],
            above=0.3,
            beside=True,
        ),
        Prediction(
            "dropping maps makes 1.5 times the noise in a map's mean that dropping pixels makes",
            lambda e: e["noise"][MAPS] / e["noise"][PIXELS],
            above=1.5,
            kind="ratio",
            unit=" times",
            beside=True,
        ),
        Prediction(
            "dropping maps is better than dropping pixels, each at its best rate",
            lambda e: _gain(e, f"{MAPS}, any", f"{PIXELS}, any"),
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "dropping pixels at 0.1 or 0.25 is better than no dropout",
            lambda e: _gain(e, f"{PIXELS}, 0.1 or 0.25"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "of pixels, 0.1 or 0.25 is better than 0.05 or 0.5",
            lambda e: _gain(e, f"{PIXELS}, 0.1 or 0.25", f"{PIXELS}, 0.05 or 0.5"),
            above=0.0,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "of maps, 0.1 or 0.25 is better than 0.05 or 0.5",
            lambda e: _gain(e, f"{MAPS}, 0.1 or 0.25", f"{MAPS}, 0.05 or 0.5"),
            above=0.0,
            unit=" points",
            scale=100.0,
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "accuracy",
            "Accuracy by rate of dropout",
            "On held-out digits, each rate with its best learning rate and epoch; 0 is no dropout, the same for both.",
            "accuracy",
            "rate of dropout",
        ),
        Drawing(
            "noise",
            "What dropout does to the mean of a map",
            "At rate 0.25: by which share of itself the mean of a first map varies from mask to mask. Pixels that are "
            "dropped one by one average out.",
            "standard deviation by mean",
        ),
        Drawing(
            "correlation",
            "How alike pixels of a map are",
            "The mean correlation over rows of two pixels of the same first map, in a line, without dropout.",
            "correlation",
        ),
    ),
    code="""\
import keras, kohort

def network(drop):
    stack = [keras.Input((64,)), keras.layers.Reshape((8, 8, 1)),
             keras.layers.Conv2D(16, 3, activation="relu"), drop(),
             keras.layers.Conv2D(32, 3, activation="relu"), drop(),
             keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(stack)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model

data = kohort.data.named("digits")
recipes = {"pixels": lambda: network(lambda: keras.layers.Dropout(0.25)),
           "maps": lambda: network(lambda: keras.layers.SpatialDropout2D(0.25))}
runs = kohort.fit(recipes, data.x[:200], data.y[:200], seeds=5, epochs=100,
                  validation_data=(data.x[200:], data.y[200:]))
print({name: sum(run.history["val_accuracy"][-1] for run in runs.of(name)) / 5 for name in recipes})
""",
    sources=(
        "Tompson, Goroshin, Jain, LeCun & Bregler (2015), Efficient object localization using convolutional networks, "
        "§3.2",
        "Keras documentation, SpatialDropout2D",
    ),
    untested="Larger images and deeper networks, whose maps are more alike from pixel to pixel.",
    beside=(
        Beside(
            theirs="pixels of a map that lie side by side are strongly correlated, so that dropping single ones does "
            "not make units less dependent on one another",
            source="Tompson et al. (2015), §3.2",
            ours=_ours,
            why="They locate joints in photographs, with large maps; here images have 8 × 8 pixels, so that a "
            "neighbour is a good part of a stroke away, and the mean over each map follows.",
        ),
    ),
)
