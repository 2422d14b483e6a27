"""Augmentation: layers in front of a network that change each row while it trains."""

from dataclasses import dataclass
from typing import Any

from keras import layers


@dataclass(frozen=True)
class Augmentation:
    """How rows are changed in training; pictures are numbers from 0 to 1.

    Attributes:
        flip: The probability with which an image is mirrored, left to right: 0.5 or 0.
        shift: The largest shift up, down, left or right, as a share of the height or width.
        rotate: The largest turn, as a share of a full one.
        zoom: The largest zoom in or out, as a share.
        contrast: The largest change of contrast, as a share.
        erasing: The probability with which a box of an image is replaced by noise.
        input_noise: The standard deviation of normal noise on each number.
    """

    flip: float = 0.0
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    erasing: float = 0.0
    input_noise: float = 0.0

    @property
    def of_images(self) -> bool:
        """Whether any of it is for images alone."""
        return any((self.flip, self.shift, self.rotate, self.zoom, self.contrast, self.erasing))

    def layers(self) -> list[Any]:
        """The layers, in the order of the attributes."""
        whole = (0.0, 1.0)
        found: list[Any] = []
        if self.flip:
            found.append(layers.RandomFlip("horizontal"))
        if self.shift:
            found.append(layers.RandomTranslation(self.shift, self.shift, fill_mode="constant"))
        if self.rotate:
            found.append(layers.RandomRotation(self.rotate, fill_mode="constant"))
        if self.zoom:
            found.append(layers.RandomZoom(self.zoom, fill_mode="constant"))
        if self.contrast:
            found.append(layers.RandomContrast(self.contrast, value_range=whole))
        if self.erasing:
            found.append(layers.RandomErasing(self.erasing, value_range=whole))
        if self.input_noise:
            found.append(layers.GaussianNoise(self.input_noise))
        return found
