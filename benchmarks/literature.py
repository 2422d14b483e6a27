"""Numbers of papers beside Kohort's on the same data: dropout on MNIST, Monte-Carlo dropout on concrete.

python -m benchmarks.literature --data FOLDER [mnist] [concrete]

FOLDER holds mnist.npz and concrete.npz, which are not part of Kohort. `mnist` trains a 784-800-800-10 network with and
without dropout (0.2 of the inputs, 0.5 of the hidden units) on the 60,000 rows and counts errors on the 10,000, as
Srivastava et al. (2014, Table 2) do. `concrete` follows Gal & Ghahramani (2016, Table 1): one layer of 50 units, 20
splits of 90 to 10 %, 400 epochs, the rate of dropout chosen on validation rows. docs/literature.md is made from the
result.
"""

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import kohort
from benchmarks.provenance import provenance

import keras  # isort: skip
import numpy as np
from keras import layers

RESULTS = Path(__file__).parent / "results" / "literature.json"
PAGE = Path(__file__).parents[1] / "docs" / "literature.md"
RATES = (0.005, 0.01, 0.05, 0.1)
SPLITS, PASSES = 20, 1000


def wide(dropped: float, hidden: float) -> keras.Model:
    """The network for MNIST; He's initialisation, ReLU, Adam."""
    stack: list[Any] = [layers.Input((784,))]
    if hidden:
        stack.append(layers.Dropout(dropped))
    for _ in range(2):
        stack.append(layers.Dense(800, "relu", kernel_initializer="he_normal"))
        if hidden:
            stack.append(layers.Dropout(hidden))
    model = keras.Sequential([*stack, layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def mnist(folder: Path) -> dict[str, Any]:
    """Test errors in per cent after the last epoch, by recipe and seed."""
    arrays = np.load(folder / "mnist.npz")
    x, held_out = (arrays[name].reshape(-1, 784).astype(np.float32) / 255.0 for name in ("x_train", "x_test"))
    seeds, epochs = 2, 25
    runs = kohort.fit(
        {"none": partial(wide, 0.0, 0.0), "dropout": partial(wide, 0.2, 0.5)},
        x,
        arrays["y_train"].astype(np.int32),
        seeds=seeds,
        epochs=epochs,
        batch_size=128,
        validation_data=(held_out, arrays["y_test"].astype(np.int32)),
    )
    errors = {
        name: [round(100.0 * (1.0 - run.history["val_accuracy"][-1]), 2) for run in runs.of(name)]
        for name in ("none", "dropout")
    }
    return {"seeds": seeds, "epochs": epochs, "test error, %": errors}


def small(rate: float) -> keras.Model:
    """The network for concrete."""
    hidden = layers.Dense(50, "relu", kernel_initializer="he_normal", kernel_regularizer=keras.regularizers.L2(1e-5))
    stack = [layers.Input((8,)), layers.Dropout(rate), hidden, layers.Dropout(rate), layers.Dense(1)]
    model = keras.Sequential(stack)
    model.compile("adam", "mse", metrics=[keras.metrics.RootMeanSquaredError()])
    return model


def concrete(folder: Path) -> dict[str, Any]:
    """Root mean squared errors in MPa over the splits: Monte-Carlo mean and weight scaling, and the rates chosen."""
    arrays = np.load(folder / "concrete.npz")
    whole = kohort.data.Dataset("concrete", arrays["X_num"], arrays["y"], scaling="standard")
    found: dict[str, list[float]] = {"Monte Carlo": [], "weight scaling": [], "rate": []}
    for number in range(SPLITS):
        tested = np.zeros(whole.rows, bool)
        tested[np.random.default_rng(number).permutation(whole.rows)[: whole.rows // 10]] = True
        recipes = {f"{rate:g}": partial(small, rate) for rate in RATES}
        options: dict[str, Any] = {"epochs": 400, "batch_size": 128}
        study = kohort.Study(recipes, replace(whole, tested=tested), seeds=[number], **options).run(verbose=0)
        chosen = study.best().recipe
        x, y = whole.x[~tested], whole.y[~tested]
        centre, spread = (x.mean(axis=0), y.mean()), (x.std(axis=0), y.std())
        inputs, wanted = (x - centre[0]) / spread[0], (y - centre[1]) / spread[1]
        runs = kohort.fit(recipes[chosen], inputs, wanted, seeds=[number], verbose=0, **options)
        rows, model = (whole.x[tested] - centre[0]) / spread[0], runs[number].model()
        passes = model(np.tile(rows, (PASSES, 1)), training=True)
        predicted = {
            "Monte Carlo": np.reshape(passes, (PASSES, -1)).mean(axis=0),
            "weight scaling": np.ravel(model(rows, training=False)),
        }
        for name, own in predicted.items():
            error = own * spread[1] + centre[1] - whole.y[tested]
            found[name].append(round(float(np.sqrt(np.mean(error**2))), 3))
        found["rate"].append(float(chosen))
        print(number, {name: values[-1] for name, values in found.items()}, flush=True)
    return {"splits": SPLITS, "passes": PASSES, "RMSE, MPa": found}


def written(told: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Beside the literature, on its own data",
        "",
        "Made by `python -m benchmarks.literature --data FOLDER`; the lab's pages have numbers on data that needs no "
        "download.",
        "",
        "| | they | here |",
        "| --- | --- | --- |",
    ]
    if "mnist" in told:
        own = told["mnist"]["test error, %"]
        each = {
            name: f"{np.mean(values):.2f} % ({', '.join(f'{v:.2f}' for v in values)})" for name, values in own.items()
        }
        lines += [
            f"| MNIST, no dropout: test error | 1.60 % (Srivastava et al. 2014, Table 2) | {each['none']} |",
            f"| MNIST, dropout: test error | 1.25 % (ReLU, the same) | {each['dropout']} |",
        ]
    if "concrete" in told:
        own = {name: np.array(values) for name, values in told["concrete"]["RMSE, MPa"].items()}
        each = {name: f"{v.mean():.2f} ± {v.std(ddof=1) / np.sqrt(len(v)):.2f}" for name, v in own.items()}
        lines += [
            "| concrete, Monte-Carlo dropout: RMSE in MPa | 5.23 ± 0.12 (Gal & Ghahramani 2016, Table 1) | "
            f"{each['Monte Carlo']} |",
            f"| concrete, the same networks by weight scaling | – | {each['weight scaling']} |",
        ]
    lines += [
        "",
        "MNIST: their network without dropout has two layers of 800 logistic units (Simard et al. 2003), the one with",
        "dropout three layers of 1,024 ReLU units. Here both are 784-800-800-10, ReLU, Adam at 0.0005, batches of 128,",
        f"{told['mnist']['epochs']} epochs, all 60,000 rows; the error after the last epoch, of "
        f"{told['mnist']['seeds']} "
        "seeds, each in brackets. One standard error of a test on 10,000 rows is 0.12 points.",
        "",
        "Concrete: ± is one standard error over 20 splits, as theirs. The rate of dropout (0.005, 0.01, 0.05 or 0.1) "
        "is",
        "chosen on a fifth of each split's training rows; a network with it then trains on all of them. They choose "
        "rate",
        "and precision by a grid, with a penalty that follows from their prior; here it is L2(0.00001). "
        f"{told['concrete']['passes']:,} passes (they: 10,000).",
        "",
        f"{told['date']}; {', '.join(f'{name} {version}' for name, version in told['versions'].items())}; "
        f"{told['seconds']:.0f} s on two cores.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("which", nargs="*", choices=["mnist", "concrete", []])
    options = parser.parse_args()
    started = time.perf_counter()
    told: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.is_file() else {}
    for name, measured in {"concrete": concrete, "mnist": mnist}.items():
        if name in options.which or not options.which:
            told[name] = measured(options.data)
    told |= provenance()
    told["seconds"] = round(time.perf_counter() - started, 1)
    RESULTS.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    PAGE.write_text(written(told), "utf-8")


if __name__ == "__main__":
    main()
