"""Texts mean recipes; wrong names and numbers are refused with what is near; techniques reach network and optimiser."""

import json
import re
from typing import Any

import keras
import numpy as np
import pytest

import kohort
from kohort.cli.app import app
from kohort.errors import RecipeError
from kohort.recipes.blocks import batchnorm_momentum
from kohort.recipes.compiling import SmoothedCrossentropy, class_weights
from kohort.recipes.compose import network_for, recipes_for
from kohort.recipes.convolutional import cnn
from kohort.recipes.design import Problem
from kohort.recipes.grammar import parse
from kohort.recipes.networks import mlp
from kohort.recipes.recipe import callbacks_of
from kohort.recipes.technique import Domain, Parameter
from kohort.recipes.techniques import TECHNIQUES
from tests.subjects.recipes import RECIPES, recipe
from tests.subjects.subject import Subject

DIGITS = Problem((64,), 10, "multiclass", 36, 50)
IMAGES = Problem((12, 12), 3, "multiclass", 4, 5)
NUMBERS = Problem((8,), 1, "regression", 4, 5)


def built(text: str, problem: Problem = DIGITS, network: Any = "auto") -> Any:
    (recipe,) = recipes_for([text], problem, network)
    return recipe.build()


def layers_of(text: str, problem: Problem = DIGITS) -> list[str]:
    return [type(layer).__name__ for layer in built(text, problem).layers]


def test_each_technique_builds_the_network_it_names() -> None:
    block = ["Dense", "Activation"]
    assert layers_of("none") == layers_of("l2") == layers_of("adamw") == [*block, *block, "Dense"]
    assert layers_of("dropout") == [*block, "Dropout", *block, "Dropout", "Dense"]
    assert layers_of("batchnorm") == ["Dense", "BatchNormalization", "Activation"] * 2 + ["Dense"]
    assert layers_of("layernorm+dropout") == ["Dense", "LayerNormalization", "Activation", "Dropout"] * 2 + ["Dense"]
    assert layers_of("skip") == ["InputLayer", *block, "Dense", "Add", *block, "Dense", "Add", "Dense"]


def test_convolutions_by_the_size_of_images() -> None:
    assert [layer.filters for layer in cnn((28, 28), 10).layers if "Conv" in type(layer).__name__] == [16, 32]
    assert [layer.filters for layer in cnn((40,), 10).layers if "Conv" in type(layer).__name__] == [16, 32, 64]
    block = ["Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "SpatialDropout2D"]
    after = ["Flatten", "Dense", "BatchNormalization", "Activation", "Dense"]
    assert layers_of("batchnorm+spatialdropout", IMAGES) == ["InputLayer", "Reshape", *block, *after]
    assert built("none", IMAGES).output_shape == (None, 3)
    assert cnn((2, 2, 3), 2).output_shape == (None, 2)


def test_strengths_reach_the_network() -> None:
    penalties: list[Any] = [layer.kernel_regularizer for layer in built("l2=0.02").layers if "dense" in layer.name]
    assert [float(penalty.l2) for penalty in penalties] == pytest.approx([0.02] * 3)
    both = built("elasticnet=0.1:l1_share=0.25").layers[0].kernel_regularizer
    assert (float(both.l1), float(both.l2)) == pytest.approx((0.025, 0.075))
    dropout = built("dropout=0.5")
    assert [layer.rate for layer in dropout.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.5]
    assert built("maxnorm=2").layers[0].kernel_constraint.max_value == 2
    assert built("groupnorm=7").layers[1].groups == 1  # 128 units have no seven groups
    assert built("groupnorm=12").layers[1].groups == 4


def test_optimisers_get_their_numbers() -> None:
    sgd = built("sgd=0.1:momentum=0.8").optimizer
    assert (type(sgd).__name__, float(sgd.learning_rate), sgd.momentum, sgd.nesterov) == (
        "SGD",
        pytest.approx(0.1),
        0.8,
        False,
    )
    assert built("nesterov").optimizer.nesterov
    adamw = built("adamw=0.02:rate=0.003").optimizer
    assert (type(adamw).__name__, adamw.weight_decay) == ("AdamW", 0.02)
    assert built("clipping=2+ema=0.9").optimizer.global_clipnorm == 2.0
    assert built("clipping=2+ema=0.9").optimizer.ema_momentum == 0.9


@pytest.mark.parametrize("text", ["adamw=0.5", "sgd+weightdecay=0.5"])
def test_biases_and_scales_do_not_decay(text: str) -> None:
    model = built(f"{text}+batchnorm")
    decays = {v.path.split("/")[-1]: model.optimizer._use_weight_decay(v) for v in model.trainable_variables}
    assert decays == {"kernel": True, "bias": False, "gamma": False, "beta": False}


SCHEDULES = {  # text -> epoch -> share of the rate, for 36 steps an epoch and 50 epochs
    "step=0.1:every=20": {0: 1.0, 19.9: 1.0, 20: 0.1, 40: 0.01},
    "exponential=0.9": {0: 1.0, 1: 0.9, 10: 0.9**10},
    "cosine": {0: 1.0, 25: 0.5, 50: 0.0},
    "cosine=0.1": {0: 1.0, 25: 0.55, 50: 0.1},
    "cosine:warmup=10": {0: 0.0, 5: 0.5, 10: 1.0, 30: 0.5, 50: 0.0},
    "restarts=10": {0: 1.0, 5: 0.5, 10: 1.0, 20: 0.5, 30: 1.0},
}


@pytest.mark.parametrize("text", SCHEDULES)
def test_schedules_are_given_in_epochs(text: str) -> None:
    optimizer = built(f"{text}+sgd=0.2").optimizer
    for epoch, share in SCHEDULES[text].items():
        rate = float(optimizer._learning_rate(int(epoch * 36)))
        assert rate == pytest.approx(0.2 * share, abs=2e-6), epoch


def test_early_stopping_looks_at_the_loss_without_penalties() -> None:
    (recipe,) = recipes_for(["earlystopping=3+l2=1"], DIGITS)
    make = callbacks_of([recipe])
    assert make is not None
    (stopping,) = make(recipe.name, 0)
    assert isinstance(stopping, keras.callbacks.EarlyStopping)
    assert (stopping.monitor, stopping.patience, stopping.restore_best_weights) == ("val_crossentropy", 3, True)
    model: Any = recipe.build()
    x = np.random.default_rng(0).normal(size=(32, 64)).astype("float32")
    logs = model.evaluate(x, np.arange(32) % 10, return_dict=True, verbose=0)
    penalty = sum(float(np.square(layer.kernel).sum()) for layer in model.layers if hasattr(layer, "kernel"))
    assert logs["loss"] == pytest.approx(logs["crossentropy"] + penalty, rel=1e-5)
    assert callbacks_of(recipes_for(["none", "l2"], DIGITS)) is None


def test_label_smoothing_is_that_of_its_paper() -> None:
    chance = np.random.default_rng(0).dirichlet(np.ones(4), 6).astype("float32")
    y = np.arange(6) % 4
    target = 0.8 * np.eye(4)[y] + 0.2 / 4
    loss = SmoothedCrossentropy(0.2, 4)
    for labels in (y, y[:, None]):
        assert float(loss(labels, chance)) == pytest.approx(float(-(target * np.log(chance)).sum(1).mean()), rel=1e-5)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert float(again(y, chance)) == float(loss(y, chance))


def test_initialisations() -> None:
    """Variances 2/inputs, 2/(inputs + outputs), 1/inputs, on a layer wide enough to see them."""
    problem = Problem((500,), 3, "multiclass", 4, 5)
    for text, variance in (("none", 2 / 500), ("glorot", 2 / 628), ("lecun", 1 / 500), ("alphadropout", 1 / 500)):
        keras.utils.set_random_seed(0)
        kernel = np.asarray(built(text, problem, "mlp").layers[0].kernel)
        assert float(kernel.std()) == pytest.approx(np.sqrt(variance), rel=0.02), text


def test_a_penalty_of_zero_changes_nothing() -> None:
    losses = []
    for l2 in (None, 0.0):
        keras.utils.set_random_seed(0)
        model = mlp((4,), 2, widths=(8,), l2=l2)
        x, y = np.eye(4, dtype="float32"), np.array([0, 1, 0, 1])
        losses.append(model.fit(x, y, epochs=5, batch_size=2, shuffle=False, verbose=0).history["loss"])  # type: ignore[arg-type]
    assert losses[0] == losses[1]


def test_recipes_that_can_share_a_program_get_strengths_of_zero() -> None:
    def strengths(*texts: str) -> list[tuple[Any, Any]]:
        models = [recipe.build() for recipe in recipes_for(texts, DIGITS)]
        return [(m.layers[0].kernel_regularizer is not None, m.optimizer.weight_decay) for m in models]

    assert strengths("none", "dropout") == [(False, None), (False, None)]
    assert strengths("none", "l2", "dropout") == [(True, None), (True, None), (False, None)]
    assert strengths("none", "weightdecay=0.1") == [(False, 0.0), (False, 0.1)]
    assert strengths("cosine", "cosine+l2=0.1", "step") == [(True, None), (True, None), (False, None)]


def test_batchnorms_momentum_forgets_its_start_within_a_tenth_of_the_training() -> None:
    for steps in (100, 1800, 4000):
        assert batchnorm_momentum(steps) ** (steps / 10) <= 0.01 + 1e-12
    assert batchnorm_momentum(10**6) == 0.99


LABELS = {
    "none": "none",
    "dropout=0.30": "dropout 0.3",
    "Dropout": "dropout 0.3",
    "batchnorm+dropout=0.2+adamw": "batchnorm + dropout 0.2 + adamw",
    "sgd:momentum=0.9+cosine:warmup=5": "sgd momentum 0.9 + cosine warmup 5",
    " adamw = 0.01 : rate=3e-3 ": "adamw 0.01 rate 0.003",
    "l2=1e+0+l1=1e-4": "l2 1 + l1 0.0001",
}


@pytest.mark.parametrize("text", LABELS)
def test_labels_mean_the_same_recipe(text: str) -> None:
    assert parse(text).label == LABELS[text]
    assert parse(LABELS[text]) == parse(text)


REFUSED = {
    "dropuot": "no recipe is called 'dropuot'. Did you mean 'dropout'",
    "l2+dropuot": "no recipe is called 'dropuot' (in 'l2+dropuot'). Did you mean 'dropout'",
    "xyz": "no recipe is called 'xyz'. There are: none, sgd",
    "": "no recipe is called ''",
    "dropout=1": "the strength of 'dropout' (p) must be a number in (0, 1). Got '1'",
    "dropout=0": "must be a number in (0, 1)",
    "dropout=much": "Got 'much'",
    "dropout=": "Got ''",
    "dropout=nan": "Got 'nan'",
    "l2=-1": "must be a number in [0, 10)",
    "dropout = 2": "Got '2'",
    "batchnorm=3": "takes no strength. Got 'batchnorm=3'",
    "earlystopping=2.5": "must be a whole number of at least 0",
    "cosine:warm=3": "'cosine' has no number called 'warm'. Its numbers are: floor, warmup",
    "batchnorm:momentum=0.9": "It has none",
    "cosine:warmup": "what follows ':' must be a number's name, '=' and its value. Got 'warmup'",
    "cosine:warmup=-1": "'warmup' of 'cosine' (epochs in which the rate rises from 0, in equal steps) must be a number",
    "momentum=0.9:momentum=0.8": "must tell 'momentum' of 'momentum' once",
    "adam+sgd": "one optimiser at the most. Got 'adam' and 'sgd'",
    "batchnorm+layernorm": "one normalisation at the most",
    "dropout+dropout=0.1": "one dropout at the most. Got 'dropout' twice",
    "l1+elasticnet": "'l1' and 'elasticnet' both decide l1",
    "he+alphadropout": "'he' and 'alphadropout' both decide initializer",
    "mixup+cutmix": "'mixup' and 'cutmix' both decide mixing",
    "dropout+reestimate": "'reestimate' works on 'batchnorm'. Write batchnorm+dropout+reestimate",
    "batchnorm+reestimate+earlystopping": "'reestimate' and 'earlystopping' do not go together",
    "adamw+weightdecay": "'adamw' and 'weightdecay' both decide weight_decay",
    "none+l2": "nothing can be added to 'none'",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_recipe(text: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(REFUSED[text])):
        parse(text)


def test_what_does_not_suit_the_problem() -> None:
    with pytest.raises(RecipeError, match="'labelsmoothing' needs classes to learn. Got regression"):
        recipes_for(["labelsmoothing"], NUMBERS)
    with pytest.raises(RecipeError, match="'spatialdropout' needs a network with convolutions"):
        recipes_for(["l2", "spatialdropout"], DIGITS)
    with pytest.raises(RecipeError, match="'cosine warmup 50': a warm-up must be shorter than the run. Got 50 of 50"):
        recipes_for(["cosine:warmup=50"], DIGITS)
    with pytest.raises(
        RecipeError, match="the weights rest for 50 epochs, so there must be more. Got 50. Train longer"
    ):
        recipes_for(["batchnorm+reestimate=50"], DIGITS)
    with pytest.raises(RecipeError, match="no network is called 'rnn'. There are: mlp, cnn"):
        recipes_for(["none"], DIGITS, "rnn")


def test_a_recipe_appears_once() -> None:
    with pytest.raises(RecipeError, match=r"Got 'dropout 0.3' twice"):
        recipes_for(["dropout", "dropout=0.3"], DIGITS)
    with pytest.raises(RecipeError, match="at least one recipe"):
        recipes_for([], DIGITS)


def test_a_regression_ends_in_one_number() -> None:
    model = built("dropout", NUMBERS)
    assert (model.output_shape, model.layers[-1].activation.__name__) == ((None, 1), "linear")
    assert isinstance(model.loss, keras.losses.MeanSquaredError)


def test_ones_own_network_gets_what_it_takes() -> None:
    def narrow(inputs: Any, outputs: int, l2: float = 0.0) -> keras.Model:
        dense = keras.layers.Dense(outputs, "softmax", kernel_regularizer=keras.regularizers.L2(l2))
        return keras.Sequential([keras.layers.Input(inputs), dense])

    model = built("l2=0.5+sgd", DIGITS, narrow)
    assert (len(model.layers), float(model.layers[0].kernel_regularizer.l2)) == (1, 0.5)
    assert type(model.optimizer).__name__ == "SGD"
    with pytest.raises(
        RecipeError, match="'narrow' must take what the recipe sets. It takes inputs, outputs, l2, .* dropout"
    ):
        built("dropout", DIGITS, narrow)

    def compiled(**_: Any) -> keras.Model:
        model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, "softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    assert type(built("none", DIGITS, compiled).optimizer).__name__ == "SGD"
    with pytest.raises(RecipeError, match="'compiled' must return a network that is not compiled"):
        built("adamw", DIGITS, compiled)

    def nothing() -> int:
        return 3

    with pytest.raises(RecipeError, match="'nothing' must return a keras.Model. Got int"):
        built("none", DIGITS, nothing)
    assert network_for(DIGITS, nothing).words == "the user's own function nothing"


def test_every_technique_is_told_in_full() -> None:
    for name, technique in TECHNIQUES.items():
        assert name == technique.name == name.lower()
        assert technique.formula
        assert technique.source or technique.alone
        assert parse("+".join((*technique.beside, name))).parts[-1].technique is technique
        assert technique.strength is None or technique.strength.grid


def test_defaults_and_grids_lie_in_their_domain() -> None:
    with pytest.raises(ValueError, match="rate: 1.5 must be a number in"):
        Parameter("rate", "p", 0.5, Domain(0.0, 1.0), (0.1, 1.5))


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    app(["recipes"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert all(re.search(rf"^{name} ", shown, re.MULTILINE) for name in TECHNIQUES)
    app(["recipes", "cosine", "--json"], standalone_mode=False)
    (told,) = json.loads(capsys.readouterr().out)["techniques"]
    assert (told["name"], [own["name"] for own in told["parameters"]]) == ("cosine", ["floor", "warmup"])
    app(["recipes", "reestimate"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "works on: batchnorm" in shown
    assert "does not go with: earlystopping" in shown
    app(["recipes", "dropout"], standalone_mode=False)
    assert "dropout=…  p; a number in (0, 1); default 0.3; worth trying: 0.1, 0.2, 0.3, 0.5" in capsys.readouterr().out
    with pytest.raises(RecipeError, match="Did you mean 'cosine'"):
        app(["recipes", "cosinus"], standalone_mode=False)


NOTHING_TO_DO = {"none", "adam", "constant", "he"}
"""What a recipe without them does anyway."""


def trained(subject: Subject) -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    model: Any = subject.build()
    model.fit(**subject.arguments(), verbose=0)
    return [np.array(own) for own in model.trainable_variables]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
def test_each_row_of_the_table_of_features_trains_to_weights_of_its_own() -> None:
    rows = {subject.feature: subject for subject in RECIPES if subject.feature not in NOTHING_TO_DO}
    plain = [trained(recipe(text)) for text in ("none", "spatialdropout=1e-9")]
    same = []
    for feature, subject in rows.items():
        own = trained(subject)
        (alike,) = [others for others in plain if len(others[0].shape) == len(own[0].shape)]
        if [a.shape for a in own] == [a.shape for a in alike]:
            gap = max(np.abs(a - b).max() for a, b in zip(own, alike, strict=True))
            same += [feature] if gap < 1e-6 else []
    assert not same


def test_class_weights_are_those_of_fit_and_share_a_program() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(24, 8)).astype("float32"), np.repeat([0, 1, 2], [15, 6, 3]).astype("int32")
    problem = Problem((8,), 3, "multiclass", 3, 2, class_rows=(15, 6, 3))
    own, plain = (recipe.build for recipe in recipes_for(["classweights", "none"], problem))
    given = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0}

    def weights(build: Any, **options: Any) -> np.ndarray:
        keras.utils.set_random_seed(1)
        model = build()
        model.fit(x, y, **given, **options)
        return np.concatenate([value.ravel() for value in model.get_weights()])

    by_fit = weights(plain, class_weight={0: 24 / 45, 1: 24 / 18, 2: 24 / 9})  # scikit-learn's "balanced"
    np.testing.assert_allclose(weights(own), by_fit, atol=1e-5)
    assert np.abs(by_fit - weights(plain)).max() > 1e-3

    strengths = {f"{strength:g}": f"classweights={strength:g}" for strength in (1e-9, 0.5, 1.0)}
    built = {name: recipes_for([text], problem)[0].build for name, text in strengths.items()}
    fitted = kohort.fit(built, x, y, epochs=2, batch_size=8, seeds=2, verbose=0)
    assert len(fitted.cohorts) == 1


def test_class_weights_need_the_number_of_rows() -> None:
    with pytest.raises(RecipeError, match="'classweights' needs the number of rows of each class"):
        recipes_for(["classweights"], DIGITS)


def test_a_class_that_is_in_the_test_alone_weighs_1_and_spoils_no_other() -> None:
    assert class_weights([30, 10, 0], 1.0) == [*class_weights([30, 10], 1.0), 1.0]
    np.testing.assert_allclose(np.array(class_weights([30, 10, 5], 0.5)) @ [30, 10, 5], 45)
