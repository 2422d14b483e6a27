"""The chapter's own calls where TensorFlow is installed: `from tensorflow.keras import …` after `import kohort`.

Last result (2026-11-23; tensorflow-cpu 2.21.0, keras 3.15.1, jax 0.10.1, Python 3.11.7, 2 cores): all four scripts end
with exit code 0; comparison_loop prints none 0.9222, l2 0.9111, dropout 0.9361, batchnorm 0.9583.

Each script of examples/chapter8 runs with its imports of Keras written as the chapter writes them. `import kohort`
comes first and puts Keras on JAX, so tensorflow.keras is the same Keras 3 on JAX. In an environment of its own:

python3 -m venv .venv-tf && .venv-tf/bin/pip install tensorflow-cpu . && \
.venv-tf/bin/python benchmarks/chapter8_with_tensorflow.py
"""

import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples" / "chapter8"


def main() -> None:
    print(", ".join(f"{name} {version(name)}" for name in ("tensorflow-cpu", "keras", "jax")))
    for path in sorted(EXAMPLES.glob("*.py")):
        code = path.read_text("utf-8")
        code = code.replace("import keras\n", "from tensorflow import keras\n")
        code = code.replace("from keras import", "from tensorflow.keras import")
        code += "\nimport sys\nassert keras.backend.backend() == 'jax' and 'tensorflow' in sys.modules\n"
        assert "tensorflow" in code
        assert code.index("import kohort") < code.index("tensorflow")
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        print(f"\n{path.name}: exit code {done.returncode}, {time.perf_counter() - started:.0f} s")
        print(done.stdout if done.returncode == 0 else done.stderr)
        if done.returncode:
            sys.exit(1)


if __name__ == "__main__":
    main()
