"""Predictions of trained members; the oracle is each member's own model."""

from typing import Any

import jax
import keras
import numpy as np
import pytest

from kohort.cohort import predict as predicting
from kohort.cohort.arrays import Arrays
from kohort.cohort.capture import state_of
from kohort.cohort.predict import predict
from tests.networks import TEXTBOOK

pytestmark = pytest.mark.optimised

X = np.random.default_rng(1).normal(size=(50, 64)).astype(np.float32)
INPUTS = Arrays((X,), jax.tree.structure(0))


def members(names: list[str]) -> tuple[list[keras.Model], list[int], list[Any]]:
    """One network of each name, and two members of each with weights of their own."""
    models = []
    for seed, name in enumerate(names):
        keras.utils.set_random_seed(seed)
        model = TEXTBOOK[name]()
        model.build((None, 64))
        models.append(model)
    states, model_of = [], []
    for index, model in enumerate(models):
        model.optimizer.build(model.trainable_variables)
        for factor in (1.0, 1.1):
            states.append([(np.asarray(value) * factor).astype(value.dtype) for value in state_of(model)])
            model_of.append(index)
    return models, model_of, states


def by_keras(model: keras.Model, state: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    before = [np.asarray(variable.value) for variable in variables]
    for variable, value in zip(variables, state, strict=False):
        variable.assign(value)
    outputs = model(x, training=False)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return np.asarray(outputs)


@pytest.mark.parametrize(("rows_at_once", "numbers_at_once"), [(1024, 2**24), (7, 2**24), (1024, 500), (7, 150)])
def test_members_predict_what_keras_predicts(
    rows_at_once: int, numbers_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(predicting, "NUMBERS_AT_ONCE", numbers_at_once)
    models, model_of, states = members(["none", "dropout", "batchnorm"])
    rows = np.stack([np.random.default_rng(m).permutation(50)[:23] for m in range(len(states))])
    seen = {member: outputs for member, outputs, _ in predict(models, model_of, states, INPUTS, rows)}
    assert sorted(seen) == list(range(6))
    for member, outputs in seen.items():
        expected = by_keras(models[model_of[member]], states[member], X[rows[member]])
        np.testing.assert_allclose(outputs, expected, rtol=0, atol=2e-6)  # softmax of float32
        assert outputs.shape == (23, 10)


def test_networks_that_differ_only_in_training_share_a_program() -> None:
    models, *_ = members(["none", "l2", "dropout", "batchnorm"])
    traced = [predicting.trace_prediction(model, INPUTS, 10) for model in models]
    assert predicting._alike(traced) == [[0, 1, 2], [3]]
    assert len(traced[2].reads) == len(traced[0].reads)  # dropout's seed generators are not read
