"""Folders of images become datasets; what is damaged or lacking is refused with the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kohort
from kohort.data import images, load_images, split
from kohort.errors import DataError

RNG = np.random.default_rng(0)


def draw(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """12 grey images of 6×8 in each of three classes; class c is bright in its column c."""
    for place, name in enumerate(("ant", "bee", "cat")):
        for number in range(12):
            pixels = RNG.integers(0, 60, (6, 8)).astype(np.uint8)
            pixels[:, 2 * place] = 250
            draw(tmp_path / "set" / name / f"{number}.png", pixels)
    return tmp_path / "set"


def test_a_folder_for_each_class(folder: Path) -> None:
    dataset = load_images(folder)
    assert (dataset.name, dataset.x.shape, dataset.classes) == ("set", (36, 6, 8, 1), ("ant", "bee", "cat"))
    assert dataset.x.dtype == np.float32
    assert dataset.x[dataset.y == 2][:, :, 4, 0] == pytest.approx(250 / 255)
    assert dataset.remarks[0] == "36 images of 6×8, grey, pixels divided by 255."
    assert load_images(folder, grey=False).x.shape == (36, 6, 8, 3)
    assert not dataset.depends_on_split
    own = split(dataset, 0, 4)
    assert np.bincount(dataset.y[own.test]).min() >= 1


def test_sizes_and_colours_are_those_of_most(folder: Path) -> None:
    draw(folder / "ant" / "large.jpg", np.full((20, 30, 3), (200, 10, 10), np.uint8))
    (folder / "ant" / "notes.txt").write_text("no image")
    dataset = load_images(folder)
    assert dataset.x.shape == (37, 6, 8, 3)
    assert "1 images of another size are resized." in dataset.remarks
    red = dataset.x[(dataset.y == 0) & (dataset.x[..., 0] > dataset.x[..., 1] + 0.5).all(axis=(1, 2))]
    assert len(red) == 1
    assert load_images(folder, size=(4, 4)).x.shape == (37, 4, 4, 3)


def test_a_network_of_convolutions_learns_them(folder: Path) -> None:
    study = kohort.Study(["none", "spatialdropout+shift"], load_images(folder), seeds=2, epochs=2, batch_size=4)
    assert study.plan.network.startswith("CNN")
    result = study.run(verbose=0)
    assert len(result.runs) == 4
    assert "36 images of 6×8" in result.facts()["found in the data"]


def test_folders_that_cannot_be_learnt_from(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(message: str, where: Any = folder, **options: Any) -> None:
        with pytest.raises(DataError, match=message) as error:
            load_images(where, **options)
        assert "\n" not in str(error.value)

    refused("there must be a folder of images. Got nothing", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    refused("must hold a folder of images for each class. Got none", tmp_path / "empty")
    refused("put those of each class into a folder of its own", folder / "ant")
    draw(tmp_path / "one" / "a" / "1.png", np.zeros((3, 3), np.uint8))
    refused("two classes at least. Got only the folder 'a'", tmp_path / "one")
    draw(folder / "dog" / "1.png", np.zeros((6, 8), np.uint8))
    refused("3 images at least.*Got 1 of 'dog'")
    for number in (2, 3):
        draw(folder / "dog" / f"{number}.png", np.zeros((6, 8), np.uint8))
    monkeypatch.setattr(images, "MOST_BYTES", 1000)
    refused("Pass a smaller size", size=(100, 100))
    (folder / "dog" / "2.png").write_bytes((folder / "dog" / "1.png").read_bytes()[:40])
    refused(r"dog.2\.png: the image cannot be read")
    (folder / "dog" / "2.png").unlink()
    draw(folder / "dog" / "2.png", np.zeros((6000, 5000), np.uint8))
    refused("25,000,000 pixels at the most. Got 5000×6000")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20_000_000)
    refused("Got 5000×6000")  # where Pillow only warns
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000_000)  # beyond twice this Pillow opens no file
    refused(r"2\.png: an image may have 25,000,000 pixels at the most. Got far more. Scale it down")
