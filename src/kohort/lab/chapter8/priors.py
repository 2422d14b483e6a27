"""L2 as a Gaussian prior of the weights, L1 as a Laplace prior: trained weights beside the mode of the posterior."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np

from kohort.data import named
from kohort.fitting import fit
from kohort.lab import answers
from kohort.lab.claim import Answer, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction
from kohort.parts import Proximal

ROWS = 300
"""Of the diabetes and of the breast cancer data, drawn for each seed."""

L2, L1, LOGISTIC = (0.01, 0.1, 1.0), (0.02, 0.1, 0.4), (0.01, 0.1)
"""Strengths λ of loss + λ‖w‖² and loss + λ‖w‖₁, the loss a mean over rows."""

RATE, LOGISTIC_RATE = 0.1, 0.4
"""Of gradient descent; below 2 divided by the largest curvature."""

POKES = 1000
"""Weights near the trained ones that are tried, for each run."""

STRENGTHS = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""As multiples of the strength that the prior tells."""

DRAWN_ROWS, DRAWN_FEATURES, DRAWS = 50, 20, 100
"""Of targets whose weights are drawn from the prior: each draw is an output of the network."""


@dataclass(frozen=True)
class _Rows:
    x: np.ndarray  # float64 of shape (rows, features), standardised
    y: np.ndarray  # float64 of shape (rows,)


def _drawn(name: str, seed: int) -> _Rows:
    """Some rows of a data set, standardised; the target too unless it is a class."""
    data = named(name)
    own = np.random.default_rng(seed).permutation(data.rows)[:ROWS]
    x, y = data.x[own].astype(np.float64), data.y[own].astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return _Rows(x, y if data.classes else (y - y.mean()) / y.std())


def _linear(features: int, optimizer: Callable[[], Any], penalty: Any = None, classes: bool = False) -> keras.Model:
    output = keras.layers.Dense(1, "sigmoid" if classes else None, use_bias=False, kernel_regularizer=penalty)
    model = keras.Sequential([keras.Input((features,)), output])
    model.compile(optimizer(), "binary_crossentropy" if classes else "mse")
    return model


def _proximal(strength: float) -> Any:
    return Proximal(keras.optimizers.SGD(RATE), l1=strength)


def _posterior(rows: _Rows, weights: np.ndarray, strength: float, kind: str) -> np.ndarray:
    """The negative logarithm of the posterior density for each column of weights, times a number, plus a number.

    With normal noise of variance σ² it is n/2σ² times the mean squared error, with classes n times the cross-entropy;
    to it a Gaussian prior of variance τ² adds ‖w‖²/2τ², a Laplace prior of scale b ‖w‖₁/b. All divided by the factor
    of the loss: λ is σ²/nτ² or 2σ²/nb, with classes 1/2nτ².
    """
    found = rows.x @ weights
    target = rows.y[:, None]
    if kind == "logistic L2":
        loss = np.mean(np.logaddexp(0.0, found) - target * found, axis=0)
    else:
        loss = np.mean((target - found) ** 2, axis=0)
    size = np.abs(weights) if kind == "L1" else weights**2
    return loss + strength * size.sum(axis=0)


def _ridge(rows: _Rows, strength: float) -> np.ndarray:
    count, features = rows.x.shape
    return np.linalg.solve(rows.x.T @ rows.x / count + strength * np.eye(features), rows.x.T @ rows.y / count)


def _lasso(rows: _Rows, strength: float) -> np.ndarray:
    """By coordinate descent, to the last digits."""
    squares, products = rows.x.T @ rows.x / len(rows.y), rows.x.T @ rows.y / len(rows.y)
    weights = np.zeros(len(products))
    for _ in range(20_000):
        before = weights.copy()
        for own in range(len(weights)):
            pull = products[own] - squares[own] @ weights + squares[own, own] * weights[own]
            weights[own] = np.sign(pull) * max(abs(pull) - strength / 2, 0.0) / squares[own, own]
        if np.abs(weights - before).max() < 1e-13:
            break
    return weights


def _newton(rows: _Rows, strength: float) -> np.ndarray:
    """Logistic regression with an L2 penalty."""
    count, features = rows.x.shape
    weights = np.zeros(features)
    for _ in range(50):
        share = 1.0 / (1.0 + np.exp(-rows.x @ weights))
        slope = rows.x.T @ (share - rows.y) / count + 2 * strength * weights
        curvature = (rows.x.T * (share * (1.0 - share))) @ rows.x / count + 2 * strength * np.eye(features)
        weights = weights - np.linalg.solve(curvature, slope)
    return weights


MODES = {"L2": _ridge, "L1": _lasso, "logistic L2": _newton}


def _trained(rows: _Rows, recipes: dict[str, Any], seed: int, epochs: int) -> dict[str, np.ndarray]:
    """Full-batch gradient descent: recipe -> weights, float64 of shape (features,)."""
    x, y = rows.x.astype(np.float32), rows.y.astype(np.float32)
    runs = fit(recipes, x, y, seeds=[seed], epochs=epochs, batch_size=len(y), verbose=0)
    return {name: runs[name, seed].weights[0][:, 0].astype(np.float64) for name in recipes}


def _recipes(features: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of regression, and of classes."""
    plain = partial(keras.optimizers.SGD, RATE)
    own: dict[str, Any] = {}
    for strength in L2:
        own[f"L2 {strength:g}"] = partial(_linear, features, plain, keras.regularizers.L2(strength))
    for strength in L1:
        own[f"L1 {strength:g}"] = partial(_linear, features, partial(_proximal, strength))
    slow = partial(keras.optimizers.SGD, LOGISTIC_RATE)
    return own, {
        f"logistic L2 {strength:g}": partial(_linear, 30, slow, keras.regularizers.L2(strength), True)
        for strength in LOGISTIC
    }


def _poked(rows: _Rows, weights: np.ndarray, strength: float, kind: str, seed: int) -> float:
    """The share of weights near the trained ones, by a hundredth of their length to all of it, that are less likely."""
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((len(weights), POKES))
    directions /= np.linalg.norm(directions, axis=0)
    near = weights[:, None] + directions * np.linalg.norm(weights) * 10.0 ** generator.uniform(-2.0, 0.0, POKES)
    least = _posterior(rows, weights[:, None], strength, kind)
    return float(np.mean(_posterior(rows, near, strength, kind) > least))


def _modes(scale: Scale) -> Evidence:
    """Trained weights beside the mode of the posterior."""
    epochs = scale.of(6000, 3000)
    found: dict[str, dict[str, list[float]]] = {
        name: {} for name in ("distance", "less likely nearby", "exact zeros", "same zeros", "nearest ridge")
    }
    grid = np.geomspace(1e-4, 100.0, 200)
    for seed in range(scale.seeds):
        for name, recipes in zip(("diabetes", "wdbc"), _recipes(10), strict=True):
            rows = _drawn(name, seed)
            for recipe, weights in _trained(rows, recipes, seed, epochs).items():
                kind, strength = recipe.rsplit(" ", 1)
                mode = MODES[kind](rows, float(strength))
                told = {
                    "distance": np.linalg.norm(weights - mode) / np.linalg.norm(mode),
                    "less likely nearby": _poked(rows, weights, float(strength), kind, seed),
                    "exact zeros": np.mean(weights == 0.0),
                }
                if kind == "L1":
                    away = [np.linalg.norm(weights - _ridge(rows, own)) for own in grid]
                    told["same zeros"] = np.array_equal(weights == 0.0, mode == 0.0)
                    told["nearest ridge"] = min(away) / np.linalg.norm(weights)
                for quantity, number in told.items():
                    found[quantity].setdefault(recipe, []).append(float(number))
    return {quantity: Measured(own) for quantity, own in found.items()}


def _many(strength: float) -> keras.Model:
    """Least squares for all draws at once; Keras takes the mean over outputs too, hence the factor."""
    penalty = keras.regularizers.L2(strength / DRAWS)
    model = keras.Sequential(
        [keras.Input((DRAWN_FEATURES,)), keras.layers.Dense(DRAWS, use_bias=False, kernel_regularizer=penalty)]
    )
    model.compile(keras.optimizers.SGD(RATE * DRAWS / 2), "mse")
    return model


def _from_the_prior(scale: Scale) -> Measured:
    """The error of weights under other strengths than the prior tells, where true weights come from it."""
    told = DRAWN_FEATURES / DRAWN_ROWS  # σ²/nτ², with σ = 1 and τ² = 1 / features
    recipes = {f"{times:g}": partial(_many, told * times) for times in STRENGTHS}
    errors = []
    for seed in range(scale.seeds):
        generator = np.random.default_rng(seed)
        x = generator.standard_normal((DRAWN_ROWS, DRAWN_FEATURES))
        truth = generator.standard_normal((DRAWN_FEATURES, DRAWS)) / np.sqrt(DRAWN_FEATURES)
        y = x @ truth + generator.standard_normal((DRAWN_ROWS, DRAWS))
        runs = fit(
            recipes,
            x.astype(np.float32),
            y.astype(np.float32),
            seeds=[seed],
            epochs=scale.of(1000, 500),
            batch_size=DRAWN_ROWS,
            verbose=0,
        )
        errors.append([np.mean(np.sum((runs[name, seed].weights[0] - truth) ** 2, axis=0)) for name in recipes])
    return Measured({"true weights drawn from the prior": errors}, STRENGTHS)


def measure(scale: Scale) -> Evidence:
    """Trains linear models until they no longer move, and computes the modes."""
    return {**_modes(scale), "error by strength": _from_the_prior(scale)}


def _furthest(evidence: Evidence, kind: str) -> np.ndarray:
    """The largest distance over the strengths of a penalty, of shape (seeds,)."""
    return np.max([own for name, own in evidence["distance"].items() if name.startswith(kind)], axis=0)


def _near(kind: str, words: str) -> Prediction:
    return Prediction(
        f"{words}, to less than a thousandth of its length at every strength",
        lambda e: _furthest(e, kind),
        below=1e-3,
    )


def _of_told(evidence: Evidence) -> np.ndarray:
    """The error at the strength that the prior tells, as a multiple of the least one."""
    (errors,) = evidence["error by strength"].values()
    return errors[:, STRENGTHS.index(1.0)] / errors.min(axis=1)


CLAIM = Claim(
    number=6,
    name="priors",
    title="An L2 penalty is a Gaussian prior of the weights, an L1 penalty a Laplace prior",
    quoted="L2 → Gaussian prior (MAP interpretation); L1 → Laplace prior.",
    why="By Bayes' rule the logarithm of the posterior density is that of the likelihood plus that of the prior. A "
    "Gaussian prior of variance τ² adds −‖w‖²/2τ², a Laplace prior of scale b adds −‖w‖₁/b. With normal noise of "
    "variance σ² the likelihood adds −n/2σ² times the mean squared error. So who minimises the mean squared error plus "
    "λ‖w‖² finds the most likely weights under λ = σ²/nτ², and with λ‖w‖₁ under λ = 2σ²/nb.",
    experiment="Linear models without a bias on 300 rows of the diabetes data, standardised, drawn for each seed: "
    "6,000 steps of full-batch gradient descent, with Keras' L2 penalty or with proximal L1, three strengths each; and "
    "logistic regression with L2 on 300 rows of wdbc. In float64 the mode of the posterior is computed in other ways: "
    "ridge in closed form, Lasso by coordinate descent, logistic regression by Newton's method. Then 1,000 weights "
    "near the trained ones are asked whether any is more likely, and the L1 weights are held against ridge of 200 "
    "strengths: whether they are no Gaussian's mode. At last true weights are drawn from a Gaussian prior (20 weights, "
    "50 rows, 100 draws a seed), and networks are trained with a sixteenth to sixteen times the strength that it "
    "tells.",
    predictions=(
        _near("L2", "L2: trained weights are ridge in closed form"),
        _near("L1", "L1: trained weights are the Lasso by coordinate descent"),
        _near("logistic", "logistic regression with L2: trained weights are those by Newton's method"),
        Prediction(
            "under L1 the same weights are exactly zero, at every strength",
            lambda e: np.min(list(e["same zeros"].values()), axis=0),
            above=0.7,
            kind="share",
            unit=" % of seeds",
            scale=100.0,
            beside=True,
        ),
        Prediction(
            "more than 99.9 % of weights nearby are less likely, under each prior",
            lambda e: np.min(list(e["less likely nearby"].values()), axis=0),
            above=0.999,
            unit=" %",
            scale=100.0,
        ),
        Prediction(
            "L1 weights are no ridge: the nearest one is further than a twentieth of their length",
            lambda e: np.mean(list(e["nearest ridge"].values()), axis=0),
            above=0.05,
            beside=True,
        ),
        Prediction(
            "where weights do come from the prior, the strength that it tells is within 2 % of the least error",
            _of_told,
            below=1.02,
            kind="ratio",
            unit=" times",
            beside=True,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "distance",
            "Trained weights and the mode of the posterior",
            "Their distance, as a share of the mode's length; the strength λ stands behind the penalty's name.",
            "relative distance",
            log_y=True,
        ),
        Drawing(
            "exact zeros",
            "What a prior says of zero",
            "The share of weights that are exactly zero: a Laplace prior has its peak there, a Gaussian is round.",
            "share of the weights",
        ),
        Drawing(
            "error by strength",
            "The prior tells the strength",
            "The squared distance to true weights that were drawn from a Gaussian, trained with other strengths than "
            "σ²/nτ². At 1 the penalty is the prior.",
            "squared distance to the true weights",
            "strength, as a multiple of σ²/nτ²",
            log_x=True,
        ),
    ),
    code="""\
import keras, kohort, numpy as np

data = kohort.data.named("diabetes")
x, y = ((own - own.mean(0)) / own.std(0) for own in (data.x, data.y))

def network(strength):
    output = keras.layers.Dense(1, use_bias=False, kernel_regularizer=keras.regularizers.L2(strength))
    model = keras.Sequential([keras.Input((10,)), output])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model

recipes = {"0.01": lambda: network(0.01), "0.1": lambda: network(0.1), "1": lambda: network(1.0)}
runs = kohort.fit(recipes, x, y, seeds=3, epochs=6000, batch_size=len(y))
for (strength, seed), run in runs.items():
    mode = np.linalg.solve(x.T @ x / len(y) + float(strength) * np.eye(10), x.T @ y / len(y))
    print(strength, seed, np.abs(run.weights[0][:, 0] - mode).max())
""",
    sources=(
        "Tibshirani (1996), Regression shrinkage and selection via the lasso, §5: Laplace prior",
        "Goodfellow, Bengio & Courville (2016), Deep Learning, §5.6.1 and §7.1.2",
        "Hoerl & Kennard (1970), Ridge regression",
    ),
    untested="Networks with hidden layers: there too the penalised minimum is a mode of the posterior, but there are "
    "many, and which one training finds no formula tells.",
    answers=(Answer(1, answers.priors),),
)
