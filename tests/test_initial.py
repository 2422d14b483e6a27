"""First values are Keras' own, to the bit, whichever way they are drawn."""

import keras
import numpy as np
import pytest

from kohort.cohort import initial
from kohort.cohort.initial import CONSTANTS, SCALED, drawn, quick_initialisers

pytestmark = pytest.mark.optimised

SHAPES = [(64, 128), (10,), (3, 3, 2, 5), ()]


@pytest.mark.parametrize("kind", SCALED, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_a_quick_draw_has_the_bits_of_keras(kind: type, shape: tuple[int, ...]) -> None:
    for seed in (0, 7, 999_999_999):
        own = kind(seed=seed)
        quick = drawn(own, shape, "float32")
        assert np.asarray(quick).tobytes() == np.asarray(own(shape, dtype="float32")).tobytes()
        assert np.std(quick) > 0


def test_what_an_initialiser_was_told_counts() -> None:
    """Attention layers tell which axes of a kernel are inputs; nothing of a first draw may serve for another."""
    shape = (4, 2, 3)
    plain = keras.initializers.GlorotUniform(seed=3)
    attention = keras.initializers.GlorotUniform(seed=3, input_axes=(0,), output_axes=(1, 2))
    changed = keras.initializers.GlorotUniform(seed=3)
    changed.scale = 9.0
    drawn_ = [np.asarray(drawn(own, shape, "float32")) for own in (plain, attention, changed, plain)]
    for own, quick in zip((plain, attention, changed, plain), drawn_, strict=True):
        assert quick.tobytes() == np.asarray(own(shape, dtype="float32")).tobytes()
    assert len({values.tobytes() for values in drawn_}) == 3


@pytest.mark.parametrize("kind", CONSTANTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_constant_is_that_of_keras(kind: type, shape: tuple[int, ...]) -> None:
    quick = drawn(kind(), shape, "float32")
    assert np.array_equal(quick, np.asarray(kind()(shape)))
    assert np.shape(quick) == shape


@pytest.mark.parametrize(
    "own",
    [
        keras.initializers.RandomNormal(
            mean=0.5, seed=1
        ),  # a sum after the product could be rounded once instead of twice
        keras.initializers.Orthogonal(seed=1),
        keras.initializers.Constant(0.5),
        keras.initializers.HeNormal(seed=keras.random.SeedGenerator(3)),
    ],
    ids=lambda own: type(own).__name__,
)
def test_what_is_not_known_to_be_equal_is_left_to_keras(own: keras.initializers.Initializer) -> None:
    assert initial._quickly(own, (4, 4), "float32") is None
    assert initial._quickly(keras.initializers.HeNormal(seed=1), (4, 4), "float16") is None


def test_variables_take_quick_values_and_are_noted() -> None:
    noted = []
    own = keras.initializers.HeNormal(seed=5)
    with quick_initialisers(lambda variable, initialiser: noted.append((variable, initialiser))):
        variable = keras.Variable(own, shape=(6, 4), dtype="float32")
    afterwards = keras.Variable(own, shape=(6, 4), dtype="float32")
    assert noted == [(variable, own)]
    assert np.asarray(variable.value).tobytes() == np.asarray(afterwards.value).tobytes()
    assert variable.shape == (6, 4)
