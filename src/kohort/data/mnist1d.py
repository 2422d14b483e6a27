"""MNIST-1D (Greydanus & Kobak 2024, "Scaling down deep learning with MNIST-1D"): digits as lines of 40 numbers.

Each row is a template of its digit that is padded, stretched, scaled, moved along, laid into smooth noise, sheared and
sampled at 40 points. Networks that know that place does not matter learn it far better: the authors' figures are 32 %
(logistic regression), 68 % (perceptron), 94 % (convolutions) and 96 % (people).
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from kohort.data.dataset import Dataset
from kohort.errors import DataError

LENGTH = 40
TEMPLATES = (  # the digits' outlines from top to bottom, as the paper draws them
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
PADDING = (36, 60)  # points of nothing after a template, at the least and at the most
SCALE = 0.4  # a row is scaled by 1 ± half of it
MOST_MOVED = 48  # points
SMOOTH_NOISE, SMOOTHING, NOISE = 0.25, 2.0, 0.02  # of the nothing, in points, of every point
SHEAR = 0.75


def mnist1d(rows: int = 5000, seed: int = 42) -> Dataset:
    """Draws the set; 5,000 rows, as its authors do.

    The numbers are drawn by NumPy's `default_rng` and not by the authors' generator: other rows of the same kind.

    Args:
        rows: How many, all digits alike.
        seed: Fixes every draw.

    Raises:
        DataError: There are fewer than 10 rows.
    """
    if rows < 10:
        raise DataError(f"mnist1d must have a row for each digit, 10 at least. Got rows={rows}.")
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % 10
    x = np.stack([_row(templates()[digit], generator) for digit in y])
    x = (x - x.mean()) / x.std()  # of the whole set, as its authors do
    order = generator.permutation(rows)
    names = tuple(str(digit) for digit in range(10))
    source = f"MNIST-1D (Greydanus & Kobak 2024), {rows:,} rows drawn with seed {seed}"
    return Dataset("mnist1d", x[order].astype(np.float32), y[order].astype(np.int32), names, "none", source)


def templates() -> np.ndarray:
    """The ten templates, each centred and scaled, beginning at 0; float64 of shape (10, 12)."""
    drawn = np.array(TEMPLATES, float)
    drawn -= drawn.mean(axis=1, keepdims=True)
    drawn /= drawn.std(axis=1, keepdims=True)
    return (drawn - drawn[:, :1]) / 6.0


def _row(template: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    nothing = generator.integers(PADDING[0], PADDING[1] + 1)
    line = _sampled(np.concatenate([template + 1e-8, np.zeros(nothing)]), len(template) + PADDING[1])
    line = line * (1.0 + SCALE * (generator.random() - 0.5))
    line = np.roll(line, generator.integers(MOST_MOVED))
    smooth = gaussian_filter1d(generator.normal(0.0, SMOOTH_NOISE, len(line)), SMOOTHING)
    line = np.where(line != 0.0, line, smooth) + generator.normal(0.0, NOISE, len(line))
    line = line - SHEAR * (generator.random() - 0.5) * np.linspace(-0.5, 0.5, len(line))
    return _sampled(line, LENGTH)


def _sampled(line: np.ndarray, points: int) -> np.ndarray:
    return np.interp(np.linspace(0.0, 1.0, points), np.linspace(0.0, 1.0, len(line)), line)
