"""The examples run as they stand, and say what they promise; so does the README's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
SAYS = {
    "comparison_loop": r"none: best val_acc = 0\.\d{4}\nl2: .*\ndropout: .*\nbatchnorm: best val_acc = 0\.9\d{3}\n",
    "cosine_decay_adam": r"(seed \d: val_acc = 0\.\d{4}\n){5}",
    "dropout": r"(?s)with dropout on\n.*with dropout off\ntwo predictions are equal: True\n",
    "l2_on_dense": r"15 runs in 1 program\(s\)\n",
}

OURS = {"KERAS_BACKEND", "JAX_NUM_CPU_DEVICES"}
"""What tests set, and users do not."""

QUICKLY = {"JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS"}
"""How tests compile."""

pytestmark = pytest.mark.slow


def said_by(code: str, without: set[str] = OURS) -> str:
    env = {key: value for key, value in os.environ.items() if key not in without}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=280, env=env, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_promises(path: Path) -> None:
    assert re.search(SAYS[path.stem], said_by(path.read_text("utf-8")))


def test_the_readmes_example_runs() -> None:
    code, check, study = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    said = said_by(code + check + study, without=OURS | QUICKLY)
    assert re.search(r"<60 runs of 3 recipes .* 0\.[89]\d+ <Sequential", said)
    assert "3 members beside fit: every member is what fit gives." in said
    assert re.search(r"batchnorm(:| helps| hurts| ).*, 357 test rows\)|batchnorm: .*settle this", said)
