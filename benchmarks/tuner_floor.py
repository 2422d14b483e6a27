"""What no program exceeds that trains a candidate on these cores: the time of its multiplications of matrices alone."""

import math
import time

import keras
import numpy as np

from kohort.tuner.setting import Setting
from kohort.tuner.space import Space

MULTIPLICATIONS = "multiplications"
REPEATS, TRIES = 200, 5


def multiplying(setting: Setting, space: Space) -> dict[str, float]:
    """Seconds by structure that a candidate's multiplications of matrices take on one core, with NumPy.

    Each weight matrix is multiplied once forward and twice backward for each batch, the first layer's once backward, as
    no gradient of the inputs is needed; and once for each batch of validation.
    """
    (structures,) = space.choices.values()
    return {structure: _seconds(setting, space, structure) for structure in structures}


def _seconds(setting: Setting, space: Space, structure: str) -> float:
    (recipe,) = space.recipes([space.spanning(structure)[0]], setting)
    size = setting.size_of(recipe)
    matrices = [tuple(weights.shape) for weights in recipe.build().trainable_variables if len(weights.shape) == 2]
    trained, validated = (math.ceil(rows / size) for rows in setting.rows[:2])
    each = 0.0
    for number, (inputs, units) in enumerate(matrices):
        forward = _of_one(size, inputs, units)
        backward = _of_one(inputs, size, units) + (_of_one(size, units, inputs) if number else 0.0)
        each += trained * (forward + backward) + validated * forward
    keras.backend.clear_session()
    return each * setting.epochs


def _of_one(rows: int, inner: int, columns: int) -> float:
    """The least seconds of a product, over some tries."""
    left, right = np.ones((rows, inner), np.float32), np.ones((inner, columns), np.float32)
    result = np.empty((rows, columns), np.float32)
    found = []
    for _ in range(TRIES):
        started = time.perf_counter()
        for _ in range(REPEATS):
            np.matmul(left, right, out=result)
        found.append((time.perf_counter() - started) / REPEATS)
    return min(found)
