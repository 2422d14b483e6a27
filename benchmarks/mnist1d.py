"""Kohort's networks on MNIST-1D beside its authors' (Greydanus & Kobak 2024: perceptron 68 %, convolutions 94 %).

4,000 rows to train on, 1,000 to test, batch 100, 100 epochs, Adam; the perceptron 40-100-100-10 with η = 0.01, the
convolutional network with three convolutions of 25 filters and η = 0.005, and the same with batch normalisation.

Last result (2026-11-25; keras 3.15.1, jax 0.10.1, 2 cores; 3 seeds; accuracy of the final weights, least to most):
perceptron: 68.6 % (68.0 to 68.9)
convolutions: 94.5 % (94.0 to 94.8)
convolutions, batch normalisation: 97.9 % (97.4 to 98.1)

python benchmarks/mnist1d.py [--seeds 3] [--epochs 100]
"""

import argparse

import kohort

import keras  # isort: skip
import numpy as np

from kohort.recipes.convolutional import cnn
from kohort.recipes.networks import mlp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args()
    data = kohort.data.mnist1d()
    steps = 40 * options.epochs

    def convolutions(norm: str | None) -> keras.Model:
        return cnn((40,), 10, filters=(25, 25, 25), norm=norm, learning_rate=0.005, steps=steps)

    builders = {
        "perceptron": lambda: mlp((40,), 10, widths=(100, 100), learning_rate=0.01, steps=steps),
        "convolutions": lambda: convolutions(None),
        "convolutions, batch normalisation": lambda: convolutions("batch"),
    }
    for name, build in builders.items():
        runs = kohort.fit(
            build,
            data.x[:4000],
            data.y[:4000],
            seeds=options.seeds,
            epochs=options.epochs,
            batch_size=100,
            validation_data=(data.x[4000:], data.y[4000:]),
            verbose=0,
        )
        scores = 100 * np.array([run.history["val_accuracy"][-1] for run in runs.values()])
        print(f"{name}: {scores.mean():.1f} % ({scores.min():.1f} to {scores.max():.1f})", flush=True)


if __name__ == "__main__":
    main()
