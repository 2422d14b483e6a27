"""The script of a recipe, run where Kohort cannot be imported, makes and trains the recipe's own model."""

import builtins
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
import pytest

from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import trace_step
from kohort.cohort.unify import unify
from kohort.errors import RecipeError
from kohort.recipes.as_code import as_code
from kohort.recipes.code.layout import WIDTH, Bracketed, laid_out
from kohort.recipes.compose import Built, recipes_for
from kohort.recipes.design import Problem
from kohort.recipes.grammar import parse
from kohort.recipes.recipe import Recipe
from kohort.recipes.techniques import TECHNIQUES

SEED, BATCH, ROWS = 3, 8, 24
CLASSES = Problem((6,), 3, "multiclass", 3, 2, rows=ROWS, class_rows=(10, 6, 4))
LONGER = Problem((6,), 3, "multiclass", 3, 6, rows=ROWS)
NUMBERS = Problem((6,), 1, "regression", 3, 2, rows=ROWS)
IMAGES = Problem((8, 8), 3, "multiclass", 3, 2, rows=ROWS)
COLOURS = Problem((8, 8, 3), 3, "multiclass", 3, 2, rows=ROWS)
SEQUENCES = Problem((12, 2), 3, "multiclass", 3, 2, rows=ROWS)
MIXED = Problem((5,), 1, "regression", 3, 2, embedded=((1, 7), (3, 4)), rows=ROWS)
EMBEDDED = Problem((2,), 2, "binary", 3, 2, embedded=((0, 3), (1, 30)), rows=ROWS)

IN_TWO_EPOCHS = {
    "step": "step:every=1",
    "swa": "swa=0",
    "epochs": "epochs=3",
}
"""Where a technique at its defaults does nothing in two epochs, or would take many."""

TOGETHER = (
    (CLASSES, "skip+batchnorm+dropout+cosine:warmup=1+adamw"),
    (CLASSES, "stochasticdepth+layernorm+l2+nesterov"),
    (CLASSES, "batchnorm+reestimate+swa=0+gradientnoise+proximal"),
    (CLASSES, "mixup+sam+labelsmoothing+classweights=0.5+earlystopping=0"),
    (CLASSES, "mcdropout:passes=3+alphadropout+maxnorm=0.5+clipping=0.1+ema"),
    (LONGER, "earlystopping=0+adam=0.02"),  # ends after the fourth epoch, with the third one's weights
    (COLOURS, "flip+shift+rotate+zoom+contrast+erasing+inputnoise+cutmix"),
    (IMAGES, "stochasticdepth+groupnorm+spatialdropout+elasticnet+weightdecay+rmsprop"),
    (MIXED, "skip+batchnorm+reestimate+ema+onecycle"),
    (EMBEDDED, "dropout+linear:warmup=1+lion"),
)


def made(text: str, problem: Problem, network: Any = "auto") -> Recipe:
    return recipes_for([text], problem, network)[0]


def data(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.uniform(size=(ROWS, *problem.inputs)).astype("float32")
    for position, levels in problem.embedded:
        x[:, position] = random.integers(0, levels, ROWS)
    y = (
        random.normal(size=ROWS).astype("float32")
        if problem.task == "regression"
        else np.arange(ROWS) % problem.outputs
    )
    return x, y


def run(script: str) -> dict[str, Any]:
    """What a script defines, where it cannot import Kohort."""

    def importing(name: str, *others: Any) -> Any:
        assert name.split(".")[0] != "kohort", f"the script imports {name}"
        return __import__(name, *others)

    names: dict[str, Any] = {"__name__": "script", "__builtins__": {**vars(builtins), "__import__": importing}}
    exec(compile(script, "script.py", "exec"), names)
    return names


def assert_same_start(recipe: Recipe, script: dict[str, Any]) -> None:
    weights = []
    for build in (recipe.build, script["build"]):
        keras.utils.set_random_seed(SEED)
        weights.append(build().get_weights())
    assert len(weights[0]) == len(weights[1])
    for own, other in zip(*weights, strict=True):
        assert own.dtype == other.dtype
        assert np.array_equal(own, other)


def assert_same_run(recipe: Recipe, problem: Problem, script: dict[str, Any]) -> None:
    x, y = data(problem)
    keras.utils.set_random_seed(SEED)
    model: Any = recipe.build()
    callbacks = [make() for make in recipe.callbacks]
    watched: dict[str, Any] = {"validation_data": (x, y)} if callbacks else {}  # which takes a third of the time
    size, epochs = recipe.batch_size or BATCH, recipe.epochs or problem.epochs
    model.fit(x, y, batch_size=size, epochs=epochs, callbacks=callbacks, verbose=0, **watched)
    trained = script["train"](x, y, verbose=0, **watched)
    logs, others = model.history.history, trained.history.history
    assert list(logs) == list(others)
    for name, values in logs.items():
        assert values == pytest.approx(others[name], rel=1e-6, abs=1e-6), name
    for own, other in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-6, atol=1e-6)


def needs(text: str) -> set[str]:
    return {need for part in parse(text).parts for need in part.technique.needs}


def problem_for(text: str) -> Problem:
    return CLASSES if needs(text).isdisjoint({"images", "convolutions"}) else COLOURS


ALONE = tuple("+".join((*own.beside, IN_TWO_EPOCHS.get(own.name, own.name))) for own in TECHNIQUES.values())
OF_NUMBERS = tuple(text for text in ALONE if needs(text).isdisjoint({"images", "convolutions", "classes"}))


@pytest.mark.parametrize("text", ALONE)
def test_a_technique_s_script_begins_as_the_recipe(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    recipe = made(text, problem_for(text))
    assert_same_start(recipe, run(as_code(recipe, batch_size=BATCH, seed=SEED)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("text", OF_NUMBERS)
def test_a_technique_s_script_begins_as_the_recipe_of_a_regression(text: str) -> None:
    recipe = made(text, NUMBERS)
    assert_same_start(recipe, run(as_code(recipe, batch_size=BATCH, seed=SEED)))


@pytest.mark.slow
@pytest.mark.parametrize("text", ALONE)
def test_a_technique_s_script_takes_the_recipe_s_steps(text: str) -> None:
    """The training steps are the same equations with the same numbers, which is sooner seen than trained."""
    recipe = made(text, problem_for(text))
    script = run(as_code(recipe, batch_size=BATCH, seed=SEED))
    x, y = data(problem_for(text))
    rows = Arrays((x, y.astype(np.int32)), jax.tree.structure((0, 0)))
    steps = []
    for build in (recipe.build, script["build"]):
        keras.utils.set_random_seed(SEED)
        model = build()
        model._symbolic_build(data_batch=rows.nested([leaf[:BATCH] for leaf in rows.leaves]))
        steps.append(trace_step(model, text, rows, BATCH).jaxpr)
    assert not unify(steps).lifted


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "text"), TOGETHER[1:])
def test_techniques_together_train_as_the_recipe(problem: Problem, text: str) -> None:
    recipe = made(text, problem)
    script = run(as_code(recipe, batch_size=BATCH, seed=SEED))
    assert_same_start(recipe, script)
    assert_same_run(recipe, problem, script)


def test_a_script_trains_as_the_recipe_and_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    problem, text = TOGETHER[0]
    recipe = made(text, problem)
    script = run(as_code(recipe, batch_size=BATCH, seed=SEED))
    assert_same_run(recipe, problem, script)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("problem", "network"), [(SEQUENCES, "cnn1d"), (SEQUENCES, "mlp"), (IMAGES, "mlp")])
def test_scripts_of_other_networks(problem: Problem, network: str) -> None:
    recipe = made("skip+batchnorm+dropout", problem, network)
    assert_same_start(recipe, run(as_code(recipe, batch_size=BATCH)))


def test_a_layer_that_is_made_and_left_out_has_drawn() -> None:
    """A block as wide as its input needs no map on its shortcut, but Kohort has made one."""
    recipe = made("skip", Problem((128,), 3, "multiclass", 3, 2))
    text = as_code(recipe, batch_size=BATCH)
    assert text.count("keras.random.SeedGenerator()  # the draw of a layer that was made and left out") == 1
    assert_same_start(recipe, run(text))


def test_a_script_reads_as_one_would_write_it() -> None:
    recipe = made("batchnorm+dropout=0.2+adamw=0.01:rate=0.003", Problem((64,), 10, "multiclass", 36, 50))
    text = as_code(recipe, batch_size=32, seed=7)
    build = text[text.index("def build") : text.index("def train")].rstrip()
    assert (
        build
        == '''\
def build() -> keras.Model:
    """The network, compiled."""
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(128, use_bias=False, kernel_initializer="he_normal"),
            layers.BatchNormalization(momentum=0.9747402255566063),
            layers.Activation("relu"),
            layers.Dropout(0.2),
            layers.Dense(64, use_bias=False, kernel_initializer="he_normal"),
            layers.BatchNormalization(momentum=0.9747402255566063),
            layers.Activation("relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.AdamW(learning_rate=0.003, weight_decay=0.01)
    optimizer.exclude_from_weight_decay(var_names=["beta", "bias", "gamma"])
    model.compile(
        optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"]
    )
    return model'''
    )
    assert "keras.utils.set_random_seed(7)\n    model = build()\n    model.fit(x, y, batch_size=32, epochs=50, " in text
    assert "1,121 to 1,152 rows" in text


def test_early_stopping_is_in_the_call_of_fit() -> None:
    text = as_code(made("earlystopping=2", CLASSES), batch_size=BATCH)
    told = " ".join(text.split())
    assert (
        "callbacks=[ keras.callbacks.EarlyStopping( "
        'monitor="val_crossentropy", patience=2, mode="min", restore_best_weights=True ) ]' in told
    )
    assert "with the validation_data=(x, y) that is watched" in text


def test_a_recipe_s_own_batch_size_and_epochs_are_in_the_call_of_fit() -> None:
    text = as_code(made("batch=5+epochs=7", CLASSES), batch_size=BATCH)
    assert "model.fit(x, y, batch_size=5, epochs=7, **options)" in text
    assert "epochs of 5 steps, that is 24 rows" in text


def test_only_source_is_longer_than_a_line_of_the_script() -> None:
    text = as_code(made(TOGETHER[2][1], CLASSES), batch_size=BATCH)
    written, source = text.split("# What Keras lacks of the recipe")
    assert max(map(len, written.splitlines())) <= WIDTH
    assert "class Resting" in source
    assert "kohort" not in text.replace("Kohort", "")
    assert all(line == line.rstrip() for line in text.splitlines())


def test_the_parts_of_a_script_can_be_saved_and_loaded(tmp_path: Any) -> None:
    script = run(as_code(made("mixup+proximal+batchnorm+reestimate", CLASSES), batch_size=BATCH, seed=SEED))
    x, _ = data(CLASSES)
    model = script["build"]()
    model.optimizer.build(model.trainable_variables)  # as after a step of training
    model.save(tmp_path / "model.keras")
    again: Any = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is script["MixUp"]
    assert type(again.optimizer) is script["Resting"]
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.slow
def test_a_script_runs_where_kohort_is_not_installed(tmp_path: Any) -> None:
    path = tmp_path / "script.py"
    path.write_text(as_code(made("sam+swa=0+batchnorm+reestimate", CLASSES), batch_size=BATCH, seed=SEED), "utf-8")
    told = (
        "import sys, runpy; sys.modules['kohort'] = None; import warnings; warnings.simplefilter('error');"
        f"names = runpy.run_path({str(path)!r}, run_name='__main__'); import numpy as np;"
        f"names['train'](np.zeros(({ROWS}, 6), 'float32'), np.arange({ROWS}) % 3, verbose=0)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def branching(inputs: Any, outputs: int) -> keras.Model:
    """Layers that are made before those whose outputs they take, one of them called twice."""
    last = keras.layers.Dense(outputs, activation="softmax", name="last")
    narrow: Any = keras.initializers.RandomNormal(stddev=0.1)
    twice = keras.layers.Dense(4, kernel_initializer=narrow)
    start = keras.Input(inputs, name="rows")
    x = twice(keras.layers.Dense(4, bias_initializer="ones", activation="tanh")(start))
    x = keras.layers.Concatenate(axis=-1)([twice(x), start, keras.layers.Dropout(0.5, seed=1)(x)])
    return keras.Model(start, last(x), name="own")


def stacked(inputs: Any, outputs: int) -> keras.Model:
    last = keras.layers.Dense(outputs, activation="softmax")
    return keras.Sequential([keras.layers.Input(inputs), keras.layers.Dense(4, "relu"), last], name="own")


@pytest.mark.slow
@pytest.mark.parametrize("network", [branching, stacked])
def test_a_function_of_the_user_s_own_is_written_from_what_it_makes(network: Callable[..., Any]) -> None:
    recipe = made("adamw", CLASSES, network)
    text = as_code(recipe, batch_size=BATCH)
    assert 'name="own"' in text
    assert_same_start(recipe, run(text))
    assert_same_run(recipe, CLASSES, run(as_code(recipe, batch_size=BATCH, seed=SEED)))


class Own(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


class OwnModel(keras.Model):
    def call(self, inputs: Any) -> Any:
        return inputs


def sequential(*layers: Any, inputs: Any) -> keras.Model:
    return keras.Sequential([keras.layers.Input(inputs), *layers, keras.layers.Dense(3, "softmax")])


def of_own_layers(inputs: Any) -> keras.Model:
    return sequential(Own(), inputs=inputs)


def of_functions(inputs: Any) -> keras.Model:
    return sequential(keras.layers.Lambda(keras.ops.sign, output_shape=inputs), inputs=inputs)


def of_models(inputs: Any) -> keras.Model:
    return sequential(keras.Sequential([keras.layers.Dense(2)]), inputs=inputs)


def of_one_initializer(inputs: Any) -> keras.Model:
    he: Any = keras.initializers.HeNormal()
    return sequential(*(keras.layers.Dense(2, kernel_initializer=he) for _ in range(2)), inputs=inputs)


def of_operations(inputs: Any) -> keras.Model:
    start = keras.Input(inputs)
    return keras.Model(start, keras.layers.Dense(3)(start + start))


def of_its_own_class(inputs: Any) -> keras.Model:
    return OwnModel()


def drawing(inputs: Any) -> keras.Model:
    return sequential(keras.layers.Dense(int(np.random.randint(2, 5))), inputs=inputs)


REFUSED = {
    of_own_layers: r"recipe 'none': .* made of Keras' own classes and Kohort's. Got tests.test_as_code.Own. Leave it",
    of_functions: "Got a function for 'function'. Use a class of Keras for it",
    of_models: "must be made of layers. It has a model in it, 'sequential.*'. Use that model's layers themselves",
    of_one_initializer: "each with initialisers of its own. 'dense.*' shares one.* Give it its own",
    of_operations: "must be made of layers with one output each. Got 'add.*'. Use a layer for it",
    of_its_own_class: "must be a keras.Sequential or .*. Got a class of its own, OwnModel. Its source is its code",
    drawing: "draws from NumPy. Take that out of it",
}


@pytest.mark.parametrize("network", REFUSED)
def test_what_cannot_be_written_is_refused(network: Callable[..., Any]) -> None:
    with pytest.raises(RecipeError, match=REFUSED[network]):
        as_code(made("none", CLASSES, network), batch_size=BATCH)


def test_arguments_are_checked() -> None:
    recipe = made("dropout", CLASSES)
    with pytest.raises(
        RecipeError, match="recipe 'own' must be one of the catalogue.* Got one that is made by a function"
    ):
        as_code(Recipe("own", lambda: stacked((6,), 3)), batch_size=BATCH)
    with pytest.raises(RecipeError, match="batch_size must be a whole number of at least 1. Got 0. Write batch_size=1"):
        as_code(recipe, batch_size=0)
    with pytest.raises(RecipeError, match="seed must be a whole number of at least 0. Got 0.5"):
        as_code(recipe, batch_size=BATCH, seed=0.5)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="3 steps for 24 rows. Got 24, which takes 1 steps"):
        as_code(recipe, batch_size=24)


def test_the_builder_alone_will_do_and_the_user_s_generators_stay() -> None:
    build = made("dropout+mixup", CLASSES).build
    assert isinstance(build, Built)
    keras.utils.set_random_seed(5)
    expected = np.random.random()
    keras.utils.set_random_seed(5)
    text = as_code(build, batch_size=BATCH)
    assert np.random.random() == expected
    assert text.startswith('"""A recipe, as Kohort builds and trains it with Keras ')


def test_code_is_broken_as_black_breaks_it() -> None:
    inner = Bracketed("g(", (("", "a" * 48), ("b=", "b" * 40)), ")")
    short = Bracketed("g(", (("", "a" * 40), ("b=", "b" * 40)), ")")
    assert laid_out(Bracketed("f(", (("", inner),), ")"), "x = ") == [
        "x = f(",
        f"    g({'a' * 48}, b={'b' * 40})",
        ")",
    ]
    assert laid_out(Bracketed("f(", (("", short), ("c=", "1")), ")(x)"), "x = ", after=",") == [
        "x = f(",
        f"    g({'a' * 40}, b={'b' * 40}), c=1",
        ")(x),",
    ]
    assert laid_out(Bracketed("f(", (("", short), ("c=", "c" * 40)), ")"), indent=4) == [
        "    f(",
        f"        g({'a' * 40}, b={'b' * 40}),",
        f"        c={'c' * 40},",
        "    )",
    ]
