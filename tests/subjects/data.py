"""Rows to train on: few, small, fixed, and of every rank that layers ask for."""

import numpy as np

ROWS = 64
CLASSES = 3

_random = np.random.RandomState(20240601)


def _uniform(*shape: int) -> np.ndarray:
    return _random.uniform(0.0, 1.0, (ROWS, *shape)).astype("float32")


VECTORS = _uniform(6)
SEQUENCES = _uniform(6, 4)
IMAGES = _uniform(8, 8, 2)
VOLUMES = _uniform(4, 4, 4, 2)
PHOTOS = 255.0 * _uniform(8, 8, 3)
"""Three channels of 0 … 255, as layers for augmentation take them."""

FILMS = _uniform(3, 5, 5, 2)
TOKENS = _random.randint(0, 10, (ROWS, 6)).astype("int32")
"""Sentences of six out of ten words; 0 is padding."""

LABELS = _random.randint(0, CLASSES, ROWS).astype("int32")
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]
YES = (VECTORS.sum(axis=1) > 3.0).astype("float32")[:, None]
"""Two classes, of shape (rows, 1), that can be learnt from VECTORS."""

NUMBERS = (VECTORS @ np.linspace(-1.0, 1.0, 6).astype("float32"))[:, None]
"""A target of regression, of shape (rows, 1)."""

WEIGHTS = _random.uniform(0.1, 2.0, ROWS).astype("float32")
"""One positive weight a row."""
