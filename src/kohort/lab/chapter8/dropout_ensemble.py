"""Dropout as an ensemble: what is the average of all sub-networks, and do units depend less on one another?"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from kohort.data import named
from kohort.lab import answers
from kohort.lab.apparatus.choosing import choice_of_others, chosen_by_others
from kohort.lab.apparatus.few_rows import FewRows, few_rows
from kohort.lab.apparatus.kept_weights import weights_by_setting
from kohort.lab.apparatus.networks import perceptron
from kohort.lab.apparatus.sub_networks import Weights, drawn_masks, every_mask, logits, softmax
from kohort.lab.claim import Answer, Beside, Claim, Drawing, Scale
from kohort.lab.evidence import Evidence, Measured
from kohort.lab.prediction import Prediction

ROWS = 200
"""Of the digits; with so few, dropout has something to prevent."""

RATES = (0.001, 0.003, 0.01)
"""Of Adam; each way of predicting gets its best."""

MEMBERS = 8
"""Networks of the true ensemble."""

PASSES = (1, 2, 5, 10, 20, 50, 100)
"""Sub-networks of which the mean is taken."""

REMOVED = (0.0, 0.1, 0.25, 0.5, 0.75)
"""Shares of the first hidden layer that are taken away."""


def _all_sub_networks(widths: Sequence[int], scale: Scale) -> dict[str, np.ndarray]:
    """A tiny network on the wines, and the means of all its sub-networks."""
    build = {"tiny": lambda: perceptron(keras.optimizers.Adam(0.01), inputs=13, outputs=3, widths=widths, dropout=0.5)}
    found: dict[str, list[float]] = {"geometric": [], "arithmetic": [], "largest": [], "same class": []}
    masks = every_mask(widths)
    for seed in range(scale.seeds):
        rows = few_rows(named("wine"), 100, seed)
        run = rows.fit(build, seeds=[seed], epochs=scale.of(200, 60), batch_size=20)["tiny", seed]
        weights = [own.astype(np.float64) for own in run.weights]
        scaled = softmax(logits(weights, rows.held_x))
        every = softmax(logits(weights, rows.held_x, masks))  # (masks, rows, classes)
        geometric = softmax(np.log(np.maximum(every, 1e-300)).mean(axis=0))
        arithmetic = every.mean(axis=0)
        found["geometric"].append(0.5 * np.abs(scaled - geometric).sum(axis=1).mean())
        found["arithmetic"].append(0.5 * np.abs(scaled - arithmetic).sum(axis=1).mean())
        found["largest"].append(np.abs(scaled - geometric).max())
        found["same class"].append(np.mean(scaled.argmax(axis=1) == arithmetic.argmax(axis=1)))
    return {name: np.array(own) for name, own in found.items()}


def _trained(scale: Scale) -> tuple[list[FewRows], list[list[Weights]], list[list[list[Weights]]]]:
    """Rows, networks with dropout by setting, and by setting those of an ensemble without; of each seed."""
    epochs = scale.of(100, 30)
    rates = scale.of(RATES, RATES[1:2])
    data, with_dropout, without = [], [], []
    for seed in range(scale.seeds):
        rows = few_rows(named("digits"), ROWS, seed)
        kept: list[list[list[Weights]]] = []
        for dropout, members in ((0.5, 1), (0.0, MEMBERS)):
            build = {f"{rate:g}": partial(_network, rate, dropout) for rate in rates}
            seeds = range(100 * seed, 100 * seed + members)
            kept.append(weights_by_setting(rows, build, seeds=seeds, epochs=epochs))
        data.append(rows)
        with_dropout.append([own for (own,) in kept[0]])
        without.append(kept[1])
    return data, with_dropout, without


def _network(rate: float, dropout: float) -> keras.Model:
    return perceptron(keras.optimizers.Adam(rate), dropout=dropout)


def _units(weights: Weights, rows: FewRows) -> tuple[float, np.ndarray]:
    """How the first hidden layer's units hang together, and the accuracy by the share of them that is removed."""
    generator = np.random.default_rng(0)
    hidden = np.maximum(rows.held_x @ weights[0] + weights[1], 0.0)
    related = np.corrcoef(hidden[:, hidden.std(axis=0) > 0.0].T)
    pairs = np.abs(related[np.triu_indices(len(related), 1)])
    kept = np.ones((1, 1, 1), np.float32)
    accuracy = []
    for share in REMOVED:
        count = round(share * hidden.shape[1])
        removed = generator.permuted(np.tile(np.arange(hidden.shape[1]) < count, (20, 1)), axis=1)
        masks = (~removed[:, None, :] / (1.0 - share)).astype(np.float32)
        accuracy.append(rows.accuracy(logits(weights, rows.held_x, [masks, kept])))
    return float(pairs.mean()), np.array(accuracy)


def measure(scale: Scale) -> Evidence:
    """Averages all sub-networks of tiny networks, and some of the chapter's; looks at its hidden units."""
    one, two = _all_sub_networks((12,), scale), _all_sub_networks((6, 6), scale)
    data, with_dropout, without = _trained(scale)
    seeds = range(scale.seeds)

    def by_setting(score: Any, predicted: Any, networks: Sequence[Sequence[Any]]) -> np.ndarray:
        of_seeds = [[score(data[seed], predicted(own, data[seed])) for own in networks[seed]] for seed in seeds]
        return np.array(of_seeds).T

    def scaled(weights: Weights, rows: FewRows) -> np.ndarray:
        return softmax(logits(weights, rows.held_x))

    def together(members: Sequence[Weights], rows: FewRows) -> np.ndarray:
        return np.mean([scaled(own, rows) for own in members], axis=0)

    def first(members: Sequence[Weights], rows: FewRows) -> np.ndarray:
        return scaled(members[0], rows)

    ways = {"dropout": (scaled, with_dropout), "no dropout": (first, without), "ensemble": (together, without)}
    best = {name: by_setting(FewRows.accuracy, *way) for name, way in ways.items()}
    lowest = {
        name: chosen_by_others(by_setting(FewRows.log_loss, *way)[:, :, None], greater_is_better=False)
        for name, way in ways.items()
    }
    accuracy: dict[str, list[float]] = {}
    loss: dict[str, list[float]] = {}
    passes: dict[str, list[Any]] = {"mean of sub-networks": [], "scaled weights": []}
    related: dict[str, list[float]] = {"no dropout": [], "dropout": []}
    removed: dict[str, list[Any]] = {"no dropout": [], "dropout": []}
    for seed, rows in zip(seeds, data, strict=True):
        dropped = with_dropout[seed][choice_of_others(best["dropout"], seed)]
        plain = without[seed][choice_of_others(best["no dropout"], seed)]
        masks = drawn_masks(dropped, PASSES[-1], 0.5, np.random.default_rng(seed))
        every = softmax(logits(dropped, rows.held_x, masks))
        so_far = np.cumsum(every, axis=0) / np.arange(1, PASSES[-1] + 1)[:, None, None]
        predicted = {
            "no dropout": first(plain, rows),
            f"ensemble of {MEMBERS}": together(without[seed][choice_of_others(best["ensemble"], seed)], rows),
            "mean of 100 sub-networks": so_far[-1],
            "scaled weights": scaled(dropped, rows),
        }
        for name, own in predicted.items():
            accuracy.setdefault(name, []).append(rows.accuracy(own))
            loss.setdefault(name, []).append(rows.log_loss(own))
        accuracy.setdefault("one sub-network", []).append(rows.accuracy(every))  # each of 100, on average
        loss.setdefault("one sub-network", []).append(rows.log_loss(every))
        passes["mean of sub-networks"].append([rows.accuracy(so_far[count - 1]) for count in PASSES])
        passes["scaled weights"].append([accuracy["scaled weights"][-1]] * len(PASSES))
        for name, weights in (("no dropout", plain[0]), ("dropout", dropped)):
            correlation, lost = _units(weights, rows)
            related[name].append(correlation)
            removed[name].append(lost)
    return {
        "distance": Measured(
            {
                f"{layers}, {mean} mean": own[mean]
                for layers, own in (("one hidden layer", one), ("two hidden layers", two))
                for mean in ("geometric", "arithmetic")
            }
        ),
        "largest difference": Measured({"one hidden layer": one["largest"], "two hidden layers": two["largest"]}),
        "same class": Measured({"one hidden layer": one["same class"], "two hidden layers": two["same class"]}),
        "accuracy": Measured(accuracy),
        "log loss": Measured(loss),
        "lowest log loss": Measured(
            {
                "no dropout": lowest["no dropout"],
                f"ensemble of {MEMBERS}": lowest["ensemble"],
                "scaled weights": lowest["dropout"],
            }
        ),
        "accuracy by passes": Measured(passes, PASSES),
        "accuracy by share removed": Measured(removed, REMOVED),
        "correlation": Measured(related),
    }


def _lost(evidence: Evidence, name: str) -> np.ndarray:
    """The accuracy that a network loses when half of the first hidden layer is removed."""
    removed = evidence["accuracy by share removed"]
    return removed.at(0.0)[name] - removed.at(0.5)[name]


def _beyond_half(evidence: Evidence) -> np.ndarray:
    """The log loss of scaled weights above the middle between one network without dropout and the ensemble of them."""
    own = evidence["lowest log loss"]
    return own["scaled weights"] - (own["no dropout"] + own[f"ensemble of {MEMBERS}"]) / 2.0


def _catches_up(evidence: Evidence) -> str:
    passes = evidence["accuracy by passes"]
    sampled, scaled = (passes[name].mean(axis=0) for name in ("mean of sub-networks", "scaled weights"))
    near = np.flatnonzero(sampled >= scaled - 0.001)
    told = f"comes within 0.1 points of scaled weights with {PASSES[int(near[0])]} sub-networks" if len(near) else ""
    return (
        f"the mean of sub-networks {told or 'stays more than 0.1 points of accuracy below scaled weights'}; with "
        f"{PASSES[-1]} the two errors are {100 * (1 - sampled[-1]):.2f} % and {100 * (1 - scaled[-1]):.2f} %"
    )


CLAIM = Claim(
    number=10,
    name="dropout-ensemble",
    title="Dropout trains an ensemble of 2ⁿ sub-networks and makes units depend less on one another",
    quoted="Intuition: forces the network not to rely on any single neuron — approximately trains an ensemble of "
    "2ⁿ sub-networks. Prevents co-adaptation of neurons.",
    why="Each step drops other units, so it trains another of the 2ⁿ sub-networks, all with the same weights. Let a "
    "softmax follow the dropped units directly. Its log-probabilities are linear in the mask, up to a number that is "
    "the same for all classes. So the normalised geometric mean of all sub-networks is the softmax of the mean logits, "
    "and that is the network with all units and scaled activations. With a second hidden layer, ReLU stands between, "
    "and the rule is only an approximation. A unit that cannot count on others should learn what is of use by itself.",
    experiment="First, tiny networks on wine (13 inputs, 3 classes, 100 training rows; hidden layers 12 or 6-6, "
    "dropout 0.5): all 4,096 sub-networks predict the 78 other rows, and their geometric and arithmetic means are held "
    "against the network with scaled activations. Then the chapter's network (64-128-64-10) with dropout 0.5 after "
    f"both hidden layers, on {ROWS} digits drawn anew for each seed; 1,000 others judge. The mean of up to 100 drawn "
    "sub-networks, the scaled weights, a network without dropout and an ensemble of "
    f"{MEMBERS} of these are compared. Each gets the learning rate of Adam (of {len(RATES)}) and the epoch (of four up "
    "to 100) that are best under the other seeds, by accuracy and once more by log loss. (The latter, with its "
    "prediction, was added after a first run: a network that only overfits less might also be within a point of an "
    "ensemble, where a single one without dropout is not far from it either. So dropout is held against both: it must "
    "cover more than half of the way that averaging covers.) At last, drawn shares of the first hidden layer are "
    "removed from the networks with and without dropout, what is left being scaled up, and units are correlated on the "
    "judging rows.",
    predictions=(
        Prediction(
            "with one hidden layer scaled weights are the geometric mean of all sub-networks to 0.00001",
            lambda e: e["largest difference"]["one hidden layer"],
            below=1e-5,
            beside=True,
        ),
        Prediction(
            "with two hidden layers scaled weights are within 5 points of probability of the geometric mean",
            lambda e: e["distance"]["two hidden layers, geometric mean"],
            below=0.05,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "the mean of 100 sub-networks and scaled weights differ by less than a point of accuracy",
            lambda e: e["accuracy"]["mean of 100 sub-networks"] - e["accuracy"]["scaled weights"],
            above=-0.01,
            below=0.01,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "scaled weights are a point better than one sub-network",
            lambda e: e["accuracy"]["scaled weights"] - e["accuracy"]["one sub-network"],
            above=0.01,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            f"a network with dropout is at most a point worse than an ensemble of {MEMBERS} networks without",
            lambda e: e["accuracy"]["scaled weights"] - e["accuracy"][f"ensemble of {MEMBERS}"],
            above=-0.01,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            f"in log loss dropout covers more than half of the way from one network without to {MEMBERS} together",
            _beyond_half,
            below=0.0,
        ),
        Prediction(
            "without half of the first hidden layer a network with dropout loses 5 points less than one without",
            lambda e: _lost(e, "no dropout") - _lost(e, "dropout"),
            above=0.05,
            unit=" points",
            scale=100.0,
        ),
        Prediction(
            "hidden units are less correlated after training with dropout",
            lambda e: e["correlation"]["dropout"] - e["correlation"]["no dropout"],
            below=0.0,
        ),
    ),
    measure=measure,
    drawings=(
        Drawing(
            "distance",
            "How far scaled weights are from the mean of all sub-networks",
            "Tiny networks of which all 4,096 sub-networks were run: the probability that would have to move to "
            "another class, mean over rows.",
            "probability",
        ),
        Drawing(
            "accuracy by passes",
            "The mean of so many sub-networks",
            "Accuracy on held-out digits when the probabilities of some drawn sub-networks are "
            "averaged, beside the one pass with scaled weights.",
            "accuracy",
            "sub-networks",
            log_x=True,
        ),
        Drawing(
            "lowest log loss",
            "Between one network and an ensemble",
            "Log loss on held-out digits of one network without dropout, of the mean of several and of scaled weights "
            "with dropout, each at the rate and epoch that are best for it.",
            "log loss",
        ),
        Drawing(
            "accuracy by share removed",
            "When hidden units are taken away",
            "Accuracy after a drawn share of the first hidden layer is removed and the rest scaled up; no training "
            "follows.",
            "accuracy",
            "share of units removed",
        ),
    ),
    code="""\
import kohort

study = kohort.Study(["none", "dropout=0.5"], kohort.data.named("digits"), seeds=3, epochs=40, network="mlp")
result = study.run()
print("scaled weights", result.runs["dropout 0.5", 0].test.score)
for passes in (1, 10, 100):
    several = result.monte_carlo("dropout 0.5", 0, passes=passes)
    print(passes, "sub-networks", several.evaluation.score)
print("ensemble without dropout", result.ensemble("none").evaluation.score)
""",
    sources=(
        "Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov (2014), Dropout: a simple way to prevent neural "
        "networks from overfitting, §7.1 and §7.5",
        "Goodfellow, Bengio & Courville (2016), Deep Learning, §7.12",
        "Baldi & Sadowski (2013), Understanding dropout",
    ),
    answers=(Answer(2, answers.dropout_ensemble),),
    beside=(
        Beside(
            theirs="the mean of about 50 sub-networks is as good as scaled weights; beyond, slightly better, "
            "well within one standard deviation",
            source="Srivastava et al. (2014), §7.5",
            ours=_catches_up,
            why=f"Theirs is MNIST with 60,000 training rows and a large network, with errors near 1 %. Here {ROWS} "
            "training rows leave a larger error, and a small network has sub-networks that differ more. What can be "
            "compared is how many sub-networks the mean needs, not the error.",
        ),
    ),
)
