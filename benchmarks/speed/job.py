"""One peer on one task, in a process of its own: prints its seconds as JSON.

python -m benchmarks.speed.job PEER FOLDER, where FOLDER holds task.json and data.npz.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.speed.peers import PEERS
from benchmarks.speed.tasks import Network, Task


def written(task: Task) -> str:
    """A task as JSON."""
    return json.dumps(asdict(task))


def read(text: str) -> Task:
    """A task from JSON."""
    given = json.loads(text)
    recipes = {
        name: Network(**{key: tuple(value) if isinstance(value, list) else value for key, value in network.items()})
        for name, network in given.pop("recipes").items()
    }
    return Task(recipes=recipes, **given)


def main() -> None:
    peer, folder = PEERS[sys.argv[1]], Path(sys.argv[2])
    if peer.environment == "kohort":
        import kohort  # noqa: F401 - tells JAX of the cores before Keras starts it
    elif peer.environment != "torch":
        os.environ["KERAS_BACKEND"] = "tensorflow" if peer.environment == "tensorflow" else "jax"
    task = read((folder / "task.json").read_text("utf-8"))
    with np.load(folder / "data.npz") as arrays:
        data = {name: arrays[name] for name in arrays.files}
    print(json.dumps(peer.call(task, data)))


if __name__ == "__main__":
    main()
