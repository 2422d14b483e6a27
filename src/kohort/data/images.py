"""Folders of images, one for each class -> datasets."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from kohort.data.dataset import Dataset
from kohort.errors import DataError

ENDS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
MOST_PIXELS = 25_000_000  # of one file; a photograph has fewer, a decompression bomb more
MOST_BYTES = 4 * 2**30  # of all images as float32


def load_images(folder: str | Path, *, size: tuple[int, int] | None = None, grey: bool | None = None) -> Dataset:
    """A dataset from a folder that holds a folder of images for each class.

    Pixels are numbers from 0 to 1: the files' own divided by 255. Images of another size than most are resized.

    Args:
        folder: The folder; its folders' names are the classes.
        size: Height and width; those that most images have if None.
        grey: Whether colours are left out; if None, where no image has any.

    Raises:
        DataError: There are no images, an image cannot be read or is huge, a class has fewer than 3.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{root}: there must be a folder of images. Got {'a file' if root.exists() else 'nothing'}.")
    files = [(path, own.name) for own in sorted(root.iterdir()) if own.is_dir() for path in _images(own)]
    if not files:
        loose = " Images lie in it itself: put those of each class into a folder of its own." if _images(root) else ""
        raise DataError(f"{root}: the folder must hold a folder of images for each class. Got none.{loose}")
    counts = Counter(name for _, name in files)
    classes = tuple(sorted(counts))
    if len(classes) < 2:
        raise DataError(f"{root}: there must be two classes at least. Got only the folder {next(iter(counts))!r}.")
    rare = min(counts, key=lambda name: counts[name])
    fewest = counts[rare]
    if fewest < 3:
        raise DataError(
            f"{root}: each class must have 3 images at least, one for each of training, validation and test. "
            f"Got {fewest} of {rare!r}. Remove the folder or add images."
        )
    found = [_read(path) for path, _ in files]
    sizes = Counter(image.shape[:2] for image in found)
    height, width = size or sizes.most_common(1)[0][0]
    colourless = all(map(_is_grey, found)) if grey is None else grey
    if len(found) * height * width * (1 if colourless else 3) * 4 > MOST_BYTES:
        raise DataError(
            f"{root}: {len(found):,} images of {height}×{width} are more than {MOST_BYTES / 2**30:g} GiB. "
            "Pass a smaller size."
        )
    remarks = [
        f"{len(found):,} images of {height}×{width}, {'grey' if colourless else 'in colour'}, pixels divided by 255.",
        f"A classification into {len(classes)} classes: {', '.join(classes[:10])}{', …' if len(classes) > 10 else ''}.",
    ]
    other = sum(count for own, count in sizes.items() if own != (height, width))
    if other:
        remarks.append(f"{other:,} images of another size are resized.")
    pixels = np.stack([_resized(image, height, width) for image in found])
    x = (pixels[..., :1] if colourless else pixels).astype(np.float32) / np.float32(255)
    y = np.array([classes.index(name) for _, name in files], np.int32)
    return Dataset(root.name, x, y, classes, "none", f"{root.name}, {len(found):,} images", remarks=tuple(remarks))


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDS and path.is_file())


def _read(path: Path) -> np.ndarray:
    """The pixels of a file, uint8 of shape (height, width, 3)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # what is too large is refused below
            opened = Image.open(path)
        with opened as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{path}: an image may have {MOST_PIXELS:,} pixels at the most. Got {image.width}×{image.height}. "
                    "Scale it down."
                )
            return np.asarray(image.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path}: an image may have {MOST_PIXELS:,} pixels at the most. Got far more. Scale it down."
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: the image cannot be read: {said}. Remove or mend the file.") from error


def _is_grey(image: np.ndarray) -> bool:
    return bool((image == image[:, :, :1]).all())


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
