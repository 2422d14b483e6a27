"""Arrays in files, and those that Keras downloads, become datasets with their own test rows."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kohort
from kohort.data import Dataset, load_arrays, named, split
from kohort.data.downloads import DOWNLOADED
from kohort.data.splitting import parts
from kohort.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (30, 4, 4)).astype(np.uint8)
Y = np.arange(30) % 3


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path / "set.npz", **arrays)
    return path / "set.npz"


def test_arrays_in_a_file(tmp_path: Path) -> None:
    whole = load_arrays(saved(tmp_path, x=X, y=Y))
    assert (whole.x.shape, whole.classes, whole.scaling, whole.tested) == ((30, 4, 4), ("0", "1", "2"), "none", None)
    np.testing.assert_array_equal(whole.x, X.astype(np.float32) / np.float32(255))
    texts = load_arrays(saved(tmp_path, X=RNG.normal(size=(30, 5)), y=np.array(["b", "a", "c"] * 10)))
    assert (texts.classes, texts.y[:3].tolist(), texts.scaling) == (("a", "b", "c"), [1, 0, 2], "standard")


def test_the_task_is_found_from_the_targets_or_told(tmp_path: Path) -> None:
    def found(y: Any, **told: Any) -> tuple[str, Any]:
        own = load_arrays(saved(tmp_path, x=RNG.normal(size=(30, 5)), y=y), **told)
        return own.task, own.y.dtype

    assert found(RNG.normal(size=(30, 1))) == ("regression", np.float32)
    assert found(np.arange(30.0)) == ("regression", np.float32)
    assert found(np.arange(30.0) % 4) == ("multiclass", np.int32)
    assert found(np.arange(30)) == ("multiclass", np.int32)
    assert found(np.arange(30), task="regression") == ("regression", np.float32)
    assert found(np.arange(30.0), task="classification") == ("multiclass", np.int32)


def test_test_rows_that_a_file_tells_are_the_test(tmp_path: Path) -> None:
    own = load_arrays(saved(tmp_path, x_train=X[:24], y_train=Y[:24], x_test=X[24:], y_test=Y[24:]))
    assert own.tested is not None
    assert np.flatnonzero(own.tested).tolist() == [24, 25, 26, 27, 28, 29]
    assert parts(own, 5) == (15, 5, 6)
    for seed in range(5):
        cut = split(own, seed, 5)
        assert cut.test.tolist() == [24, 25, 26, 27, 28, 29]
        assert len({*cut.train, *cut.validation}) == 20
        assert max(*cut.train, *cut.validation) < 24
        assert np.bincount(own.y[cut.train]).tolist() == [5, 5, 5]
    assert set(split(own, 0, 5).train) != set(split(own, 1, 5).train)
    assert own.cut.startswith("the test rows are given, the others cut anew for each seed, stratified by class; rows")
    assert own.fingerprint != load_arrays(saved(tmp_path, x=X, y=Y)).fingerprint


def test_of_a_regression_test_rows_may_be_given(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(200, 3)), RNG.normal(size=200)
    own = load_arrays(saved(tmp_path, x_train=x[:150], y_train=y[:150], x_test=x[150:], y_test=y[150:]))
    cut = split(own, 0, 10)
    assert [len(part) for part in (cut.train, cut.validation, cut.test)] == [120, 30, 50]
    assert own.y[cut.validation].mean() == pytest.approx(own.y[:150].mean(), abs=0.1)  # as strata of tenths keep it


def test_test_rows_that_leave_too_few() -> None:
    x, y = np.zeros((12, 1), np.float32), np.arange(12) % 3
    few = Dataset("few", x, y, ("a", "b", "c"), tested=np.arange(12) > 2)
    with pytest.raises(DataError, match="as many others as a batch of training and one of validation. Got 9 and 3"):
        split(few, 0, 2)
    lone = Dataset("lone", x, np.sort(y), ("a", "b", "c"), tested=(np.arange(12) > 8))
    with pytest.raises(DataError, match="at least 2 rows that are no test rows.*Got 1 of class 'c'"):
        split(lone, 0, 3)
    with pytest.raises(DataError, match="by groups, by times or as tested says. Got times and tested"):
        Dataset("both", x, y, ("a", "b", "c"), times=y, tested=y > 0)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "targets must be called y_train or y"),
        ({"y": Y}, "inputs must be called x_train or X_train"),
        ({"x": X, "y": np.arange(29)}, "inputs must be numbers of shape"),
        ({"x": np.array([["a"]] * 30), "y": Y}, "inputs must be numbers"),
        ({"x": np.full((30, 4), np.inf), "y": Y}, "inputs must be finite"),
        ({"x": X, "y": np.where(Y, Y, np.nan)}, "targets must be finite"),
        ({"x": X, "y": np.zeros(30, int)}, "two classes at least. Got 0"),
        ({"x": np.array([{}] * 30), "y": Y}, "cannot be read: Object arrays cannot be loaded"),
        ({"x_train": X, "x_test": X, "y": Y}, "train and test of one of them only"),
        (
            {"x_train": X, "x_test": X[:, :2], "y_train": Y, "y_test": Y},
            "must be of one kind. Got uint8 .30, 4, 4. and",
        ),
        ({"x": X[:0], "y": Y[:0]}, "inputs must be numbers of shape"),
    ],
)
def test_arrays_that_do_not_fit(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as error:
        load_arrays(saved(tmp_path, **arrays))
    assert "\n" not in str(error.value)


def test_tasks_that_there_are_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="task must be 'classification' or 'regression'. Got 'cluster'"):
        load_arrays(saved(tmp_path, x=X, y=Y), task="cluster")  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="targets of a regression must be numbers. Got <U1"):
        load_arrays(saved(tmp_path, x=X, y=np.array(["a", "b", "c"] * 10)), task="regression")


@pytest.mark.parametrize("content", [b"no arrays", b""])
def test_a_file_that_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        load_arrays(tmp_path / "set.npz")


def test_sets_that_keras_downloads(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def load_data() -> Any:
        print("Downloading data from somewhere")
        return (X[:24], Y[:24, None]), (X[24:], Y[24:, None])

    monkeypatch.setattr(import_module("keras.datasets.cifar10"), "load_data", load_data)
    own = named("keras:cifar10")
    assert (own.name, own.x.shape, own.classes, own.rows) == ("keras:cifar10", (30, 4, 4), ("0", "1", "2"), 30)
    assert own.tested is not None
    assert own.tested.sum() == 6
    assert "with its own 6 test rows" in own.source
    assert capsys.readouterr().out == ""


def test_without_the_net_a_download_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_data() -> Any:
        raise Exception("URL fetch failure on https://a.example: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr(import_module("keras.datasets.mnist"), "load_data", load_data)
    with pytest.raises(
        DataError, match="keras:mnist: Keras could not download the data: URL fetch failure on"
    ) as error:
        named("keras:mnist")
    assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="Did you mean 'keras:mnist'"):
        named("keras:mnits")


@pytest.mark.parametrize("name", DOWNLOADED)
def test_keras_has_the_sets_that_are_named(name: str) -> None:
    assert callable(import_module(f"keras.datasets.{name.removeprefix('keras:')}").load_data)


def test_sequences_with_channels_have_a_network_of_their_own() -> None:
    x = RNG.normal(size=(80, 12, 3)).astype(np.float32)
    own = Dataset("waves", x, np.arange(80) % 2, ("a", "b"))
    study = kohort.Study(["none", "spatialdropout"], own, seeds=1, epochs=1, batch_size=8, network="cnn1d")
    model = study.recipes[1].build()
    names = [type(layer).__name__ for layer in model.layers]
    assert {"Conv1D", "MaxPooling1D", "SpatialDropout1D"} < set(names)
    assert "Reshape" not in names
    assert model.layers[1].kernel.shape == (5, 3, 16)
    assert len(study.run(verbose=0).runs) == 2
    with pytest.raises(kohort.errors.RecipeError, match="'flip' needs images"):
        kohort.Study(["none", "flip"], own, network="cnn1d")
    images = Dataset("images", x[..., None], np.arange(80) % 2, ("a", "b"))
    with pytest.raises(kohort.errors.RecipeError, match=r"'cnn1d' is for sequences.*Got \[12, 3, 1\]"):
        kohort.Study(["none"], images, network="cnn1d")
