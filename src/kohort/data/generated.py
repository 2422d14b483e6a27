"""Small problems of two dimensions that are drawn, not read: what a network learns of them can be seen."""

from typing import Any

import numpy as np
from sklearn.datasets import make_blobs, make_circles, make_moons

from kohort.data.dataset import Dataset
from kohort.errors import DataError


def moons(rows: int = 1000, noise: float = 0.2, label_noise: float = 0.0, seed: int = 0) -> Dataset:
    """Two half circles that reach into one another.

    Args:
        rows: How many.
        noise: The standard deviation of the points around their half circle of radius 1.
        label_noise: The share of the labels that are drawn anew, evenly among the classes.
        seed: Fixes every draw.
    """
    _check(rows, noise, label_noise)
    x, y = make_moons(rows, noise=noise, random_state=seed)
    return _dataset("moons", x, y, 2, label_noise, seed, f"two half circles, noise {noise:g}")


def circles(rows: int = 1000, noise: float = 0.1, label_noise: float = 0.0, seed: int = 0) -> Dataset:
    """A circle within another, of half its radius; the arguments are those of `moons`."""
    _check(rows, noise, label_noise)
    x, y = make_circles(rows, noise=noise, factor=0.5, random_state=seed)
    return _dataset("circles", x, y, 2, label_noise, seed, f"two circles, noise {noise:g}")


def spirals(
    rows: int = 1000, noise: float = 0.1, label_noise: float = 0.0, seed: int = 0, arms: int = 2, turns: float = 1.5
) -> Dataset:
    """Arms of a spiral, one for each class (two spirals: Lang & Witbrock 1988).

    Args:
        rows: How many.
        noise: The standard deviation of the points around their arm, whose radius grows to 1.
        label_noise: As for `moons`.
        seed: Fixes every draw.
        arms: Classes, at least 2.
        turns: How often each arm winds around the middle.
    """
    _check(rows, noise, label_noise)
    if arms < 2:
        raise DataError(f"arms must be at least 2. Got {arms}.")
    generator = np.random.default_rng(seed)
    y = np.arange(rows) % arms
    radius = np.sqrt(generator.uniform(0.01, 1.0, rows))
    angle = 2 * np.pi * (turns * radius + y / arms)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1) + generator.normal(0.0, noise / 4, (rows, 2))
    return _dataset("spirals", x, y, arms, label_noise, seed, f"{arms} arms of {turns:g} turns, noise {noise:g}")


def blobs(
    rows: int = 1000, noise: float = 1.0, label_noise: float = 0.1, seed: int = 0, classes: int = 3, features: int = 2
) -> Dataset:
    """Normal clouds, one for each class.

    Args:
        rows: How many.
        noise: The standard deviation of each cloud; the middles lie in a square from −5 to 5.
        label_noise: As for `moons`; a tenth by default, which no network can learn and a large one learns by heart.
        seed: Fixes every draw.
        classes: How many clouds.
        features: Dimensions.
    """
    _check(rows, noise, label_noise)
    x, y, *_ = make_blobs(
        rows, n_features=features, centers=classes, cluster_std=noise, center_box=(-5.0, 5.0), random_state=seed
    )
    return _dataset("blobs", x, y, classes, label_noise, seed, f"{classes} normal clouds")


def _check(rows: int, noise: float, label_noise: float) -> None:
    if rows < 10 or noise < 0.0 or not 0.0 <= label_noise <= 1.0:
        raise DataError(
            "a generated set must have 10 rows at least, a noise of at least 0 and a label noise in [0, 1]. "
            f"Got rows={rows}, noise={noise}, label_noise={label_noise}."
        )


def _dataset(name: str, x: Any, y: Any, classes: int, label_noise: float, seed: int, what: str) -> Dataset:
    generator = np.random.default_rng([seed, 1])
    drawn = generator.random(len(y)) < label_noise
    labels = np.where(drawn, generator.integers(0, classes, len(y)), y).astype(np.int32)
    told = f"{what}; {label_noise:.0%} of the labels drawn anew; seed {seed}"
    names = tuple(str(number) for number in range(classes))
    return Dataset(name, x.astype(np.float32), labels, names, "standard", told)
