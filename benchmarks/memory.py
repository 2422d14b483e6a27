"""How much memory training takes as it goes on: a stream larger than memory's share, and a thousand fits in a process.

    python -m benchmarks.memory            both, each in a process of its own; writes results/memory.json

stream   Eight members train on batches that would fill 4 GiB if they were kept; resident memory is noted as they are
         drawn. The cap that it must stay under is 1 GiB, the process' own 0.5 GiB included.
fits     Fifty calls of `kohort.fit` with twenty seeds each, 1,000 fits; resident memory after each call. Beside it the
         loop that builds, compiles and fits a model each time, which is known to grow (100 fits).
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "memory.json"

CAP = 1024  # MiB that the process may reach while it trains on the stream
BATCH = (256, 4096)  # 4 MiB of float32
BATCHES, EPOCHS, MEMBERS = 512, 2, 8  # 2 GiB an epoch
CALLS, SEEDS, LOOP = 50, 20, 100


def resident() -> int:
    """Resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 // 2**20


def stream() -> dict[str, Any]:
    import kohort  # noqa: I001 - before keras, so that it runs on JAX
    import keras
    import numpy as np

    curve: list[tuple[int, int]] = []

    class Endless(keras.utils.PyDataset):
        def __len__(self) -> int:
            return BATCHES

        def __getitem__(self, number: int) -> Any:
            drawn = len(curve_points)
            curve_points.append(1)
            if drawn % 32 == 0:
                curve.append((drawn * BATCH[0] * BATCH[1] * 4 // 2**20, resident()))
            random = np.random.default_rng(number)
            x = random.standard_normal(BATCH, dtype="float32")
            return x, (x[:, :1] > 0).astype("float32")

    curve_points: list[int] = []

    def build() -> keras.Model:
        stack = [keras.layers.Input((BATCH[1],)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)]
        model = keras.Sequential(stack)
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    kohort.fit(build, Endless(), seeds=MEMBERS, epochs=EPOCHS, shuffle=False, verbose=0)
    return {"cap_mib": CAP, "drawn_mib": curve[-1][0], "peak_mib": max(mib for _, mib in curve), "curve": curve}


def fits() -> dict[str, Any]:
    import kohort
    from kohort.recipes.networks import mlp

    data = kohort.data.named("digits")
    curve = []
    for call in range(CALLS):
        kohort.fit(
            lambda: mlp((64,), 10, dropout=0.3), data.x, data.y, seeds=SEEDS, epochs=2, validation_split=0.2, verbose=0
        )
        curve.append(((call + 1) * SEEDS, resident()))
    return {"curve": curve, **growth(curve)}


def loop() -> dict[str, Any]:
    import kohort  # noqa: I001
    import keras
    from kohort.recipes.networks import mlp

    data = kohort.data.named("digits")
    curve = []
    for seed in range(LOOP):
        keras.utils.set_random_seed(seed)
        model = mlp((64,), 10, dropout=0.3)
        model.fit(data.x, data.y, epochs=2, validation_split=0.2, verbose=0)
        if seed % 5 == 4:
            curve.append((seed + 1, resident()))
    return {"curve": curve, **growth(curve)}


def growth(curve: list[tuple[int, int]]) -> dict[str, float]:
    """MiB per 100 fits over the second half of the curve, when everything that is kept once is there."""
    (begin, low), (end, high) = curve[len(curve) // 2], curve[-1]
    return {"mib_per_100_fits": round(100 * (high - low) / (end - begin), 2)}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {"stream": stream, "fits": fits, "loop": loop}


def main() -> None:
    """Runs all parts, or prints one part's result where that is asked."""
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]]()))
        return
    result = provenance()
    for part in PARTS:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", part], check=True, capture_output=True, text=True
        )
        result[part] = json.loads(done.stdout.splitlines()[-1])
        told = {name: value for name, value in result[part].items() if name != "curve"}
        print(
            part, told, "curve", [mib for _, mib in result[part]["curve"]][:: max(1, len(result[part]["curve"]) // 8)]
        )
    RESULTS.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
