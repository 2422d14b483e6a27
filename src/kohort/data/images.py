"""Images and arrays -> datasets: folders with a folder for each class, and `.npz` files."""

import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

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
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(
                    f"{path}: an image may have {MOST_PIXELS:,} pixels at the most. Got {image.width}×{image.height}. "
                    "Scale it down."
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: the image cannot be read: {said}. Remove or mend the file.") from error


def _is_grey(image: np.ndarray) -> bool:
    return bool((image == image[:, :, :1]).all())


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


INPUTS = (("x_train", "x_test"), ("X_train", "X_test"), ("x",), ("X",), ("data",), ("images",))
TARGETS = (("y_train", "y_test"), ("y",), ("Y",), ("target",), ("labels",))


def load_arrays(path: str | Path) -> Dataset:
    """A dataset from an `.npz` file: inputs `x` and targets `y`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Whole numbers and text are classes, other numbers a regression. Bytes (uint8) are pixels and divided by 255; rows of
    other numbers that are plain vectors are scaled by the training rows. Nothing is unpickled.

    Args:
        path: The file. Where it has train and test arrays, they are put together and cut anew.

    Raises:
        DataError: The file cannot be read, lacks the arrays, or they do not fit together.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as held:
            kept = set(held.files)
            x, y = _found(held, INPUTS, path, kept, "inputs"), _found(held, TARGETS, path, kept, "targets")
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path.name}: the arrays cannot be read: {said}.") from error
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if x.dtype.kind not in "uifb" or x.ndim < 2 or y.ndim != 1 or len(x) != len(y):
        raise DataError(
            f"{path.name}: inputs must be numbers of shape (rows, …) and targets of shape (rows,). "
            f"Got {x.dtype} {list(x.shape)} and {y.dtype} {list(y.shape)}."
        )
    if not np.isfinite(x).all():
        raise DataError(f"{path.name}: inputs must be finite. Got NaN or infinite values.")
    pixels = x.dtype == np.uint8
    remarks = [f"{len(x):,} rows of shape {list(x.shape[1:])}{', bytes divided by 255' if pixels else ''}."]
    scaled = x.astype(np.float32) / np.float32(255 if pixels else 1)
    scaling = "none" if pixels or x.ndim > 2 else "standard"
    told: dict[str, Any] = {"scaling": scaling, "source": f"{path.name}, {len(x):,} rows"}
    if y.dtype.kind == "f" and not (y == np.round(y)).all():
        remarks.append(f"A regression, from {y.min():g} to {y.max():g}.")
        return Dataset(path.name, scaled, y.astype(np.float32), (), remarks=tuple(remarks), **told)
    names, codes = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{path.name}: there must be two classes at least. Got {names[0]!s} in every row.")
    classes = tuple(f"{name:g}" if y.dtype.kind == "f" else str(name) for name in names)
    remarks.append(f"A classification into {len(classes)} classes.")
    return Dataset(path.name, scaled, codes.astype(np.int32), classes, remarks=tuple(remarks), **told)


def _found(held: Any, names: tuple[tuple[str, ...], ...], path: Path, kept: set[str], what: str) -> np.ndarray:
    for together in names:
        if together[0] in kept:
            return np.concatenate([held[name] for name in together if name in kept])
    wanted = " or ".join(own[0] for own in names)
    raise DataError(f"{path.name}: {what} must be called {wanted}. Got {', '.join(sorted(kept)) or 'no array'}.")
