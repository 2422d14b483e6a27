"""scikit-learn's MLPClassifier, where it can train a recipe at all: without dropout, normalisation and convolutions."""

import time
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.speed.tasks import Task


def loop(task: Task, data: dict[str, np.ndarray]) -> dict[str, float]:
    """As many epochs, without validation; a task's seconds as if all its recipes took what these take."""
    networks = [n for n in task.recipes.values() if not (n.filters or n.dropout or n.batchnorm)]
    warnings.simplefilter("ignore")  # that it has not converged
    seconds = []
    for seed in range(task.timed):
        for network in networks:
            model = MLPClassifier(
                network.widths,
                alpha=2 * network.l2,  # it penalises half the squares
                batch_size=task.batch,
                max_iter=task.epochs,
                n_iter_no_change=task.epochs,
                tol=0.0,
                random_state=seed,
            )
            started = time.perf_counter()
            model.fit(data["x"], data["y"])
            seconds.append(time.perf_counter() - started)
    each = sum(seconds) / len(seconds)
    return {"cold": each * task.runs, "warm": each * task.runs}
