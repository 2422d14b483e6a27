"""In a process where Keras runs on another backend, `kohort.fit` trains in a child process on JAX.

The other backend is Keras' NumPy one, which builds, saves and predicts but cannot train; it is always there. The oracle
is `model.fit` on JAX, in the tests' own process.
"""

import importlib
import inspect
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest

from kohort import fitting
from kohort.elsewhere import parent, recipes_sent
from kohort.elsewhere.parcel import Sender, unpacked
from kohort.errors import BackendError, DataError, NotSupportedError, RecipeError
from tests.networks import TEXTBOOK
from tests.test_equality import ROUNDING, TEN_EPOCHS, largest_gap

FIRST_LINE = "Put `import kohort` before the first import of keras"

BROUGHT = '''
"""A user's module: networks, and a layer of their own."""

import os
import random
import signal
import time
from pathlib import Path

import keras
import numpy as np
from keras import layers


@keras.saving.register_keras_serializable("brought")
class Scale(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, inputs):
        return inputs * self.scale


def build(rate=0.3, l2=0.0):
    penalty = keras.regularizers.L2(l2) if l2 else None
    hidden = [layers.Dense(16, "relu", kernel_regularizer=penalty), Scale(), layers.Dropout(rate)]
    model = keras.Sequential([layers.Input((64,)), *hidden, layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def halves():
    left, right = keras.Input((32,), name="left"), keras.Input((32,), name="right")
    hidden = layers.Concatenate()([layers.Dense(8, "relu")(left), Scale()(right)])
    model = keras.Model({"left": left, "right": right}, layers.Dense(10, activation="softmax")(hidden))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def given():
    """Two models with the same weights and masks on every backend; the second is not built yet."""
    random.seed(0)
    np.random.seed(0)
    built = build()
    draw = np.random.RandomState(1)
    built.set_weights([draw.normal(0.1, 0.1, weight.shape) for weight in built.get_weights()])
    stack = [layers.Dense(16, "relu", kernel_initializer="identity"), layers.Dropout(0.2)]
    unbuilt = keras.Sequential([*stack, layers.Dense(10, activation="softmax", kernel_initializer="identity")])
    unbuilt.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"built": built, "unbuilt": unbuilt}


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def sleeps():
    Path("pid").write_text(str(os.getpid()))
    time.sleep(120)
'''

CALLS = """
import json, random, sys
import keras
import numpy as np
import kohort
import brought
from functools import partial

data = np.load("data.npz")
x, y, weight = data["x"], data["y"], data["weight"]
told, arrays = {}, {}


def tell(name, run):
    told[name] = [run.recipe, run.seed, run.history, run.params, run.epoch, str(run.outcome)]
    for position, array in enumerate(run.weights):
        arrays[f"{name} {position}"] = array


models = brought.given()
runs = kohort.fit(models, x, y, epochs=2, validation_split=0.2, verbose=0)
told["in place"] = [list(runs), runs.cohorts, len(runs.separate)]
for name, run in runs.items():
    tell(name, run)
    told[name + " model"] = [
        run.model() is models[name],
        models[name].history.history == run.history,
        models[name].history.epoch,
        max(float(abs(a - b).max()) for a, b in zip(models[name].get_weights(), run.weights)),
        int(np.asarray(models[name].optimizer.iterations.value)),
    ]
run = kohort.fit(models["unbuilt"], x, y, verbose=0)
tell("again", run)
told["draws"] = [random.random(), float(np.random.rand())]

recipes = {"partial": partial(brought.build, rate=0.1, l2=0.01), "builder": brought.build, "given": brought.build(0.2)}
held_out = (x[:50], y[:50], weight[:50])
runs = kohort.fit(recipes, x, y, seeds=[0, 7], epochs=2, validation_data=held_out, sample_weight=weight, verbose=0)
told["seeds"] = [list(runs), runs.cohorts, runs.separate]
for (name, seed), run in runs.items():
    tell(f"{name} {seed}", run)
model = runs["partial", 7].model()
arrays["predicted"] = model.predict(x[:20], verbose=0)
told["steps"] = int(np.asarray(model.optimizer.iterations.value))
told["draws after seeds"] = [random.random(), float(np.random.rand())]

runs = kohort.fit(brought.halves, {"left": x[:, :32], "right": x[:, 32:]}, y, seeds=2, verbose=0)
told["one builder"] = list(runs)
tell("halves", runs[1])

for name, recipe, labels in (("labels", brought.build, y + 1), ("dies", brought.dies, y)):
    try:
        kohort.fit({"a": recipe}, x, labels, seeds=2, verbose=0)
    except kohort.KohortError as error:
        told[name] = [type(error).__name__, str(error)]
try:
    kohort.Study
except kohort.BackendError as error:
    told["study"] = str(error)
told["backend"] = keras.backend.backend()
told["loaded"] = [name for name in sys.modules if name.startswith(("kohort.cohort", "kohort.fitting"))]
np.savez("answer.npz", **arrays)
with open("answer.json", "w") as file:
    json.dump(told, file)
"""


def python(code: str, folder: Path) -> subprocess.Popen[str]:
    """A process on Keras' NumPy backend, in a folder with the user's module and temporary files of its own."""
    (folder / "brought.py").write_text(BROUGHT)
    (folder / "temporary").mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=os.environ | {"KERAS_BACKEND": "numpy", "TMPDIR": str(folder / "temporary")},
    )


class Answer:
    """What the other process told."""

    def __init__(self, folder: Path):
        self.told = json.loads((folder / "answer.json").read_text())
        self.arrays = dict(np.load(folder / "answer.npz"))

    def weights(self, name: str) -> list[np.ndarray]:
        return [self.arrays[f"{name} {i}"] for i in range(100) if f"{name} {i}" in self.arrays]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, digits: tuple[np.ndarray, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere")
    np.savez(folder / "data.npz", x=digits[0], y=digits[1], weight=np.linspace(0.5, 1.5, 480, dtype="float32"))
    return folder


@pytest.fixture(scope="module")
def answer(folder: Path) -> Answer:
    process = python(CALLS, folder)
    _, complaints = process.communicate(timeout=280)
    assert process.returncode == 0, complaints
    return Answer(folder)


@pytest.fixture(scope="module")
def brought(folder: Path, answer: Answer) -> Iterator[ModuleType]:
    """The user's module in this process, on JAX."""
    sys.path.insert(0, str(folder))
    yield importlib.import_module("brought")
    sys.path.remove(str(folder))
    del sys.modules["brought"]


def assert_same(answer: Answer, name: str, model: keras.Model) -> None:
    history = answer.told[name][2]
    theirs = model.history.history
    assert list(history) == list(theirs)
    for log, values in theirs.items():
        tolerance = TEN_EPOCHS if "loss" in log else 1.01 / (50 if log.startswith("val_") else 384)
        np.testing.assert_allclose(history[log], values, atol=tolerance, err_msg=log)
    assert largest_gap(answer.weights(name), model.get_weights()) <= 10 * ROUNDING  # two epochs


@pytest.mark.slow
def test_models_in_place_stand_for_a_loop_over_fit_on_jax(
    answer: Answer, brought: ModuleType, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    models = brought.given()
    for name, model in models.items():
        model.fit(*digits, epochs=2, validation_split=0.2, verbose=0)
        assert_same(answer, name, model)
        same_model, same_history, epochs, gap, steps = answer.told[f"{name} model"]
        assert same_model
        assert same_history
        assert epochs == [0, 1]
        assert gap == 0.0
        assert steps == 24
    models["unbuilt"].fit(*digits, verbose=0)  # its optimiser and masks went on where they stood
    assert_same(answer, "again", models["unbuilt"])
    assert answer.told["draws"] == [random.random(), np.random.rand()]
    brought.build(0.2)  # draws seeds, as it did there; what was trained under seeds drew nothing
    assert answer.told["draws after seeds"] == [random.random(), np.random.rand()]
    assert answer.told["in place"] == [["built", "unbuilt"], [["built"], ["unbuilt"]], 1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("recipe", ["partial", "builder", "given"])
def test_recipes_under_seeds_equal_fit_on_jax(
    recipe: str, seed: int, answer: Answer, brought: ModuleType, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    options = {"partial": {"rate": 0.1, "l2": 0.01}, "builder": {}, "given": {"rate": 0.2}}[recipe]
    keras.utils.set_random_seed(seed)
    model = brought.build(**options)
    weight = np.linspace(0.5, 1.5, 480, dtype="float32")
    held_out = (digits[0][:50], digits[1][:50], weight[:50])
    model.fit(*digits, epochs=2, validation_data=held_out, sample_weight=weight, verbose=0)
    assert_same(answer, f"{recipe} {seed}", model)
    if (recipe, seed) == ("partial", 7):
        quiet: dict[str, Any] = {"verbose": 0}
        np.testing.assert_allclose(answer.arrays["predicted"], model.predict(digits[0][:20], **quiet), atol=ROUNDING)
        assert answer.told["steps"] == 30


@pytest.mark.slow
def test_keys_cohorts_and_random_states_are_those_of_fit(answer: Answer) -> None:
    keys, cohorts, separate = answer.told["seeds"]
    assert keys == [[name, seed] for name in ("partial", "builder", "given") for seed in (0, 7)]
    assert cohorts == [["partial"], ["builder", "given"]]
    assert len(separate) == 1
    assert "builder and partial are separate programs" in separate[0]
    assert answer.told["one builder"] == [0, 1]
    assert answer.told["builder 7"][0] == "builder"
    assert answer.told["builder 7"][1] == 7
    assert answer.told["builder 7"][3:] == [{"verbose": 0, "epochs": 2, "steps": 15}, [0, 1], "finished"]


@pytest.mark.slow
def test_dicts_of_inputs_travel(answer: Answer, brought: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    keras.utils.set_random_seed(1)
    model = brought.halves()
    model.fit({"left": digits[0][:, :32], "right": digits[0][:, 32:]}, digits[1], verbose=0)
    assert_same(answer, "halves", model)


@pytest.mark.slow
def test_errors_of_the_child_are_raised_in_the_parent(answer: Answer) -> None:
    name, message = answer.told["labels"]
    assert name == "DataError"
    assert message.startswith("y must hold labels from 0 to 9 for recipe 'a'")
    name, message = answer.told["dies"]
    assert name == "BackendError"
    assert "it was ended by SIGKILL (out of memory, perhaps" in message
    assert FIRST_LINE in message


@pytest.mark.slow
def test_the_parent_stays_on_its_backend_and_leaves_nothing_behind(answer: Answer, folder: Path) -> None:
    assert answer.told["backend"] == "numpy"
    assert answer.told["loaded"] == []  # Keras' other backends import jax themselves; Kohort's engine stays out
    assert "Got the backend 'numpy'. Put `import kohort` before" in answer.told["study"]
    assert list((folder / "temporary").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_the_child_ends_with_its_parent(sent: signal.Signals, tmp_path: Path) -> None:
    code = """
import keras, kohort, brought
import numpy as np
kohort.fit(brought.sleeps, np.zeros((64, 4)), np.zeros(64), seeds=1, verbose=0)
"""
    process = python(code, tmp_path)
    pid = tmp_path / "pid"
    until(lambda: pid.exists() and pid.read_text() != "", seconds=60)
    process.send_signal(sent)
    process.communicate(timeout=20)
    assert process.returncode == -sent
    until(lambda: not alive(int(pid.read_text())), seconds=20)
    if sent == signal.SIGINT:
        assert list((tmp_path / "temporary").iterdir()) == []


def until(true: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# what is refused before a child is started; the parent's half runs on any backend, JAX included

X = np.zeros((64, 64), "float32")
Y = np.zeros(64, "int32")


def test_the_arguments_are_those_of_fit() -> None:
    assert inspect.signature(parent.fit) == inspect.signature(fitting.fit)


class Stranger:
    def build(self) -> keras.Model:
        return TEXTBOOK["none"]()


def closure() -> Any:
    def build() -> keras.Model:
        return TEXTBOOK["none"]()

    return build


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        ({"a": lambda: TEXTBOOK["none"]()}, "recipe 'a', whose builder .* is a lambda, which no other"),
        ({"a": partial(lambda rate: None, 0.5)}, "is a lambda.*functools.partial"),
        ({"a": partial(until, Stranger())}, "an argument of recipe 'a'=<.*Stranger object"),
        ({"a": Stranger().build}, "is not what tests.test_elsewhere:Stranger.build is"),
        ({"a": closure()}, "whose builder 'closure.<locals>.build' is defined inside a function"),
    ],
)
def test_builders_that_no_other_process_can_import(recipes: Any, message: str) -> None:
    with pytest.raises(BackendError, match=message) as caught:
        parent.fit(recipes, X, Y, seeds=1)
    assert FIRST_LINE in str(caught.value)


def test_a_builder_of_the_script_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(until, "__module__", "__main__")
    with pytest.raises(BackendError, match="whose builder 'until' is defined in __main__"):
        parent.fit({"a": until}, X, Y, seeds=1)


def test_callbacks_and_streams_cannot_travel() -> None:
    model = TEXTBOOK["none"]()
    with pytest.raises(BackendError, match=r"Got callbacks=\[<keras.*EarlyStopping.*act on models in this process"):
        parent.fit(model, X, Y, callbacks=[keras.callbacks.EarlyStopping()])
    with pytest.raises(BackendError, match="Got x=<generator.*no array: a stream.*Put `import kohort` before"):
        parent.fit(model, ((X, Y) for _ in range(2)))
    with pytest.raises(BackendError, match="Got validation_data=<generator"):
        parent.fit(model, X, Y, validation_data=((X, Y) for _ in range(2)))


def test_data_that_is_no_numbers() -> None:
    with pytest.raises(DataError, match="x must hold numbers. Got dtype object"):
        parent.fit(TEXTBOOK["none"](), np.full((64, 64), None), Y)
    scipy_sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(NotSupportedError, match="sparse arrays"):
        parent.fit(TEXTBOOK["none"](), scipy_sparse.csr_matrix(X), Y)


def test_a_model_with_a_class_of_the_script_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(keras.layers.Dense):
        pass

    monkeypatch.setattr(Own, "__module__", "__main__")
    with pytest.raises(BackendError, match="recipe 'a', whose 'Own' is defined in __main__.*define it in a module"):
        parent.fit({"a": compiled(Own(10))}, X, np.zeros((64, 10)))


def test_a_model_with_a_lambda() -> None:
    doubled = keras.layers.Lambda(lambda z: z * 2.0, output_shape=(64,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of lambdas, too
        with pytest.raises(BackendError, match="recipe 'a', which holds a Python lambda, and safe mode loads none"):
            parent.fit({"a": compiled(doubled, keras.layers.Dense(10))}, X, np.zeros((64, 10)))


def compiled(*stack: keras.layers.Layer) -> keras.Model:
    model = keras.Sequential([keras.layers.Input((64,)), *stack])
    model.compile("sgd", "mse")
    return model


def test_an_optimizer_of_the_other_backend_travels_as_keras_own() -> None:
    """PyTorch's backend saves Adam under the name of a class that no other backend can run."""
    own = {"module": "keras.src.backend.torch.optimizers.torch_adam", "class_name": "Adam", "registered_name": "Adam"}
    config = {"optimizer": {"inner_optimizer": own | {"config": {"beta_1": 0.8}}, "module": "keras.optimizers"}}
    inner = recipes_sent._without_backend(config)["optimizer"]["inner_optimizer"]
    assert keras.saving.deserialize_keras_object(inner).beta_1 == 0.8
    assert inner["module"] == "keras.optimizers"


def test_what_a_file_would_lose_is_refused() -> None:
    model = TEXTBOOK["none"]()
    optimizer: Any = keras.optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    with pytest.raises(BackendError, match="whose optimizer.exclude_from_weight_decay no .keras file holds"):
        parent.fit({"a": model}, X, Y)


def test_models_that_share_weights_are_refused_and_nothing_is_drawn() -> None:
    model = TEXTBOOK["dropout"]()
    random.seed(3)
    np.random.seed(3)
    with pytest.raises(RecipeError, match="recipes 'a' and 'b' share the variable"):
        parent.fit({"a": model, "b": model}, X, Y)
    assert random.random() == random.Random(3).random()
    assert np.random.rand() == np.random.RandomState(3).rand()


def test_nested_values_come_out_as_they_went_in_and_each_array_is_written_once(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    value = {"x": [array, (array, None)], 1: (0.1, True, "text", float("inf")), "empty": np.zeros((0, 3), "int8")}
    sender = Sender(tmp_path, "a")
    packed = json.loads(json.dumps(sender.packed(value, "value")))
    assert len(list(tmp_path.iterdir())) == 2
    for mapped in (False, True):
        back = unpacked(packed, tmp_path, mapped)
        assert list(back) == list(value)
        assert back[1] == value[1]
        assert isinstance(back["x"][1], tuple)
        np.testing.assert_array_equal(back["x"][1][0], array)
        assert back["empty"].shape == (0, 3)
        assert back["empty"].dtype == np.int8


def test_errors_keep_their_class_where_it_is_known_here() -> None:
    told = {"arguments": ["k"], "message": "'k'", "trace": "Traceback …"}
    assert repr(parent._raised("KeyError", **told)) == "KeyError('k')"
    unknown = parent._raised("JaxRuntimeError", **told)
    assert isinstance(unknown, BackendError)
    assert "failed with JaxRuntimeError: 'k'" in str(unknown)
    assert "Traceback …" in unknown.__notes__[0]
    odd = parent._raised("UnicodeDecodeError", **told)
    assert isinstance(odd, BackendError)
