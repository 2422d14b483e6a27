"""Names mean recipes; wrong names and strengths are refused with what is near."""

from typing import Any

import keras
import numpy as np
import pytest

from kohort.errors import RecipeError
from kohort.recipes.networks import batchnorm_momentum, mlp
from kohort.recipes.techniques import TECHNIQUES, parse, recipes_for


def layers_of(text: str) -> list[str]:
    (recipe,) = recipes_for([text], (64,), 10, 1800)
    return [type(layer).__name__ for layer in recipe.build().layers]


def test_each_technique_builds_the_network_it_names() -> None:
    block = ["Dense", "Activation"]
    assert layers_of("none") == layers_of("l2") == [*block, *block, "Dense"]
    assert layers_of("dropout") == [*block, "Dropout", *block, "Dropout", "Dense"]
    assert layers_of("batchnorm") == ["Dense", "BatchNormalization", "Activation"] * 2 + ["Dense"]


def test_strengths_reach_the_network() -> None:
    (l2,) = recipes_for(["l2=0.02"], (64,), 10, 1800)
    assert l2.name == "l2 0.02"
    penalties: list[Any] = [layer.kernel_regularizer for layer in l2.build().layers if "dense" in layer.name]
    assert [penalty.l2 for penalty in penalties] == pytest.approx([0.02] * 3)
    (dropout,) = recipes_for(["dropout=0.5"], (64,), 10, 1800)
    assert [layer.rate for layer in dropout.build().layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.5]


def test_initialisation_is_hes() -> None:
    """Standard deviation √(2 / inputs), on a layer wide enough to see it."""
    keras.utils.set_random_seed(0)
    kernel = mlp((500,), 3, widths=(400,)).layers[0].kernel
    assert float(np.asarray(kernel).std()) == pytest.approx(np.sqrt(2 / 500), rel=0.02)


def test_a_penalty_of_zero_changes_nothing() -> None:
    losses = []
    for l2 in (None, 0.0):
        keras.utils.set_random_seed(0)
        model = mlp((4,), 2, widths=(8,), l2=l2)
        x, y = np.eye(4, dtype="float32"), np.array([0, 1, 0, 1])
        losses.append(model.fit(x, y, epochs=5, batch_size=2, shuffle=False, verbose=0).history["loss"])  # type: ignore[arg-type]
    assert losses[0] == losses[1]


def test_batchnorms_momentum_forgets_its_start_within_a_tenth_of_the_training() -> None:
    for steps in (100, 1800, 4000):
        assert batchnorm_momentum(steps) ** (steps / 10) <= 0.01 + 1e-12
    assert batchnorm_momentum(10**6) == 0.99


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dropuot", "no recipe is called 'dropuot'. Did you mean 'dropout'"),
        ("xyz", "no recipe is called 'xyz'. There are: none, l2, dropout, batchnorm"),
        ("dropout=1", r"must be a number in \(0, 1\). Got '1'"),
        ("dropout=0", r"must be a number in \(0, 1\)"),
        ("dropout=much", "Got 'much'"),
        ("l2=-1", r"must be a number in \[0, 10\)"),
        ("dropout = 2", "Got '2'"),
        ("batchnorm=3", "takes no strength. Got 'batchnorm=3'"),
    ],
)
def test_what_is_no_recipe(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse(text)


def test_a_recipe_appears_once() -> None:
    with pytest.raises(RecipeError, match=r"Got 'dropout 0.3' twice"):
        recipes_for(["dropout", "dropout=0.3"], (64,), 10, 100)
    with pytest.raises(RecipeError, match="at least one recipe"):
        recipes_for([], (64,), 10, 100)


def test_the_default_strength_lies_in_its_domain() -> None:
    for technique in TECHNIQUES.values():
        assert (technique.domain is None) == (technique.strength is None)
        if technique.domain is not None:
            assert technique.strength is not None and technique.strength in technique.domain  # noqa: PT018
