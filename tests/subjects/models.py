"""Models: every way to write one in Keras, and what can be put into one besides layers."""

from typing import Any

import jax
import keras
import numpy as np
from keras import layers

from tests.subjects.data import CLASSES, LABELS, NUMBERS, SEQUENCES, TOKENS, VECTORS
from tests.subjects.subject import FIT, Options, Subject

ops: Any = keras.ops  # whose annotations allow for None and for backends that are not there


def crossentropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model: keras.Model) -> keras.Model:
    """The model as a classifier of three classes, trained with momentum."""
    model.compile(keras.optimizers.SGD(0.05, 0.9), crossentropy(), metrics=["accuracy"])
    return model


def sequential() -> keras.Model:
    stack = [layers.Input((6,)), layers.Dense(5, "relu"), layers.Dropout(0.3), layers.Dense(CLASSES)]
    return compiled(keras.Sequential(stack))


def without_input() -> keras.Model:
    """Built by `fit`, which draws one order of rows to look at a first batch."""
    return compiled(keras.Sequential([layers.Dense(5, "relu"), layers.Dropout(0.3), layers.Dense(CLASSES)]))


def functional() -> keras.Model:
    inputs = keras.Input((6,))
    hidden = layers.Dense(6, "tanh")(inputs)
    hidden = layers.Dropout(0.3)(hidden + inputs)
    return compiled(keras.Model(inputs, layers.Dense(CLASSES)(hidden)))


def several_inputs_and_outputs() -> keras.Model:
    a, b = keras.Input((6,)), keras.Input((6, 4))
    hidden = layers.Concatenate()([layers.Dense(4)(a), layers.LSTM(3)(b)])
    # named, as logs are sorted by name and dense_10 comes before dense_9
    outputs = [layers.Dense(CLASSES, name="kind")(hidden), layers.Dense(1, name="size")(hidden)]
    model = keras.Model([a, b], outputs)
    model.compile(keras.optimizers.SGD(0.05), [crossentropy(), "mse"], metrics=[["accuracy"], ["mae"]])
    return model


def named_inputs_and_outputs() -> keras.Model:
    a, b = keras.Input((6,), name="table"), keras.Input((6, 4), name="series")
    hidden = layers.Concatenate()([layers.Dense(4)(a), layers.GRU(3)(b)])
    outputs = {"kind": layers.Dense(CLASSES, name="kind")(hidden), "size": layers.Dense(1, name="size")(hidden)}
    model = keras.Model({"table": a, "series": b}, outputs)
    losses = {"kind": crossentropy(), "size": "mse"}
    model.compile(keras.optimizers.SGD(0.05), losses, metrics={"kind": ["accuracy"], "size": ["mae"]})
    return model


BOTH = [VECTORS, SEQUENCES]
BOTH_TARGETS = [LABELS, NUMBERS]
NAMED = {"table": VECTORS, "series": SEQUENCES}
NAMED_TARGETS = {"kind": LABELS, "size": NUMBERS}


def shared_layer() -> keras.Model:
    inputs = keras.Input((6,))
    shared = layers.Dense(6, "tanh", kernel_regularizer="l2")
    return compiled(keras.Model(inputs, layers.Dense(CLASSES)(shared(shared(inputs)))))


def nested() -> keras.Model:
    inner = keras.Sequential([layers.Dense(5, "tanh"), layers.BatchNormalization(momentum=0.9), layers.Dropout(0.2)])
    inputs = keras.Input((6,))
    return compiled(keras.Model(inputs, layers.Dense(CLASSES)(inner(inputs))))


class Residual(keras.Model):
    """A subclassed model that tells training from prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = layers.Dense(6, "tanh")
        self.norm = layers.BatchNormalization(momentum=0.9)
        self.dropout = layers.Dropout(0.3)
        self.out = layers.Dense(CLASSES)

    def call(self, inputs: Any, training: bool = False) -> Any:
        hidden = self.norm(self.hidden(inputs), training=training)
        return self.out(self.dropout(hidden, training=training) + inputs)


class NumberedSteps(keras.layers.Layer):
    """Scales by a weight, and counts its calls in training in a variable that is not trained."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.calls.assign_add(1.0)
        return inputs * self.scale / (1.0 + 0.01 * self.calls)


class Jitter(keras.layers.Layer):
    """Noise from a seed generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.random.SeedGenerator()

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        return inputs + 0.3 * keras.random.normal(ops.shape(inputs), seed=self.generator)


class Penalised(keras.layers.Layer):
    """Adds a loss in `call`."""

    def call(self, inputs: Any) -> Any:
        self.add_loss(0.1 * ops.mean(ops.square(inputs)))
        return inputs


def with_layer(layer: type[keras.layers.Layer]) -> keras.Model:
    stack = [layers.Input((6,)), layers.Dense(5, "tanh"), layer(), layers.Dense(CLASSES)]
    return compiled(keras.Sequential(stack))


def two_layers(make: type[keras.Model]) -> keras.Model:
    """A functional model of a class of one's own."""
    inputs = keras.Input((6,))
    hidden = layers.Dropout(0.3)(layers.Dense(5, "tanh")(inputs))
    return compiled(make(inputs, layers.Dense(CLASSES)(hidden)))


class OwnTrainStep(keras.Model):
    """Takes the gradient of its loss and half the gradient of a second one, and logs that by a metric of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.confidence = keras.metrics.Mean(name="confidence")

    def train_step(self, state: Any, data: Any) -> Any:
        trainable, non_trainable, optimizer, metrics = state
        x, y = data

        def loss_of(trainable: Any, non_trainable: Any) -> Any:
            called: Any = self.stateless_call(trainable, non_trainable, x, training=True)
            logits, non_trainable = called
            confidence = ops.mean(ops.max(ops.softmax(logits), axis=-1))
            loss = self.compute_loss(x, y, logits) + 0.5 * confidence
            return loss, (logits, confidence, non_trainable)

        (loss, aux), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable, non_trainable)
        logits, confidence, non_trainable = aux
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        with keras.StatelessScope(state_mapping=zip(self.metrics_variables, metrics, strict=True)) as scope:
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                elif metric is self.confidence:
                    metric.update_state(confidence)
                else:
                    metric.update_state(y, logits)
            logs = self.logs_of_metrics()
        metrics = [scope.get_current_value(variable) for variable in self.metrics_variables]
        return logs, (trainable, non_trainable, optimizer, metrics)

    def logs_of_metrics(self) -> dict[str, Any]:
        return self.get_metrics_result()


class NestedLogs(OwnTrainStep):
    """Logs by the metrics' names, as guides do; those given to `compile` then are a dict in the dict."""

    def logs_of_metrics(self) -> dict[str, Any]:
        return {metric.name: metric.result() for metric in self.metrics}


class OwnTestStep(keras.Model):
    """Validates with twice the loss."""

    def test_step(self, state: Any, data: Any) -> Any:
        logs, state = super().test_step(state, data)
        return logs | {"twice": 2.0 * logs["loss"]}, state


class OwnLoss(keras.Model):
    """Adds a penalty on large logits to the compiled loss."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *args: Any, **kwargs: Any) -> Any:
        return super().compute_loss(x, y, y_pred, *args, **kwargs) + 0.01 * ops.mean(ops.square(y_pred))


class OwnMetrics(keras.Model):
    """Logs one number more, made of the others."""

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        return logs | {"error": 1.0 - logs["accuracy"]}


def frozen_layers() -> keras.Model:
    """A BatchNormalization that is frozen predicts: it keeps its statistics."""
    frozen = [layers.Dense(5, "tanh"), layers.BatchNormalization(momentum=0.5)]
    for layer in frozen:
        layer.trainable = False
    return compiled(keras.Sequential([layers.Input((6,)), *frozen, layers.Dense(4, "tanh"), layers.Dense(CLASSES)]))


def pretrained_base() -> keras.Model:
    """A base that has learnt something, frozen, called as one that predicts, under a new head."""
    base = keras.Sequential([layers.Input((6,)), layers.Dense(5), layers.BatchNormalization(), layers.ReLU()])
    learnt = np.random.RandomState(7)
    base.set_weights([learnt.uniform(0.2, 1.0, weight.shape) for weight in base.get_weights()])
    base.trainable = False
    inputs = keras.Input((6,))
    hidden = layers.Dropout(0.3)(base(inputs, training=False))
    return compiled(keras.Model(inputs, layers.Dense(CLASSES)(hidden)))


def low_rank() -> keras.Model:
    """LoRA: the kernel is frozen, two thin matrices beside it are trained."""
    model = keras.Sequential([layers.Input((6,)), layers.Dense(5, "tanh"), layers.Dense(CLASSES)])
    model.layers[0].enable_lora(2)
    return compiled(model)


def tied_weights() -> keras.Model:
    """One matrix embeds words and, transposed, predicts them."""
    embedding = layers.ReversibleEmbedding(10, 4)
    inputs = keras.Input((6,), dtype="int32")
    hidden = layers.GRU(4, return_sequences=True)(embedding(inputs))
    model = keras.Model(inputs, embedding(hidden, reverse=True))
    model.compile(keras.optimizers.SGD(0.5), crossentropy(), metrics=["accuracy"])
    return model


def constrained() -> keras.Model:
    kinds = keras.constraints
    hidden = layers.Dense(5, "tanh", kernel_constraint=kinds.MaxNorm(1), bias_constraint=kinds.NonNeg())
    narrow = layers.Dense(4, "tanh", kernel_constraint=kinds.MinMaxNorm(0, 1, rate=0.9))
    top = layers.Dense(CLASSES, kernel_constraint=kinds.UnitNorm())
    return compiled(keras.Sequential([layers.Input((6,)), hidden, narrow, top]))


def regularised() -> keras.Model:
    both = keras.regularizers.L1L2(1e-3, 1e-2)
    hidden = layers.Dense(5, "tanh", kernel_regularizer=both, bias_regularizer="l1", activity_regularizer="l2")
    orthogonal = keras.regularizers.OrthogonalRegularizer(0.05)
    top = layers.Dense(CLASSES, kernel_regularizer=orthogonal)
    return compiled(keras.Sequential([layers.Input((6,)), hidden, top]))


def precise(policy: str) -> keras.Model:
    """A policy for each layer, the classifier excepted, as the guide to mixed precision advises."""
    hidden = [layers.Dense(8, "tanh", dtype=policy), layers.Dense(5, "tanh", dtype=policy)]
    return compiled(keras.Sequential([layers.Input((6,)), *hidden, layers.Dense(CLASSES, dtype="float32")]))


def under_a_policy(policy: str) -> keras.Model:
    """The policy of the process while the model is built; float16 makes `compile` scale the loss."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return sequential()
    finally:
        keras.config.set_dtype_policy(before)


def scaled_loss() -> keras.Model:
    model = precise("float32")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05), 2.0**10, dynamic_growth_steps=2)
    model.compile(scaled, crossentropy(), metrics=["accuracy"])
    return model


def rematerialised() -> keras.Model:
    """Activations are computed again for the gradient."""
    inputs = keras.Input((6,))
    with keras.RematScope("full"):
        return compiled(keras.Model(inputs, layers.Dense(CLASSES)(layers.Dense(5, "tanh")(inputs))))


def rematerialised_dropout() -> keras.Model:
    """Keras 3.15 hands `training` to JAX as if it were an array."""
    with keras.RematScope("full"):
        return sequential()


def model(feature: str, build: Any, x: Any = VECTORS, y: Any = LABELS, options: Options = FIT, **told: Any) -> Subject:
    return Subject(feature, "models", build, x, y, options, **told)


BFLOAT = "bfloat16 keeps 8 bits, so that the same sum in another order differs by 4e-3 of its size"
HALF = "float16 keeps 11 bits, so that the same sum in another order differs by 5e-4 of its size"

MODELS = (
    model("Sequential", sequential),
    model("Sequential without an Input", without_input),
    model("Functional", functional),
    model("Several inputs and outputs in lists", several_inputs_and_outputs, BOTH, BOTH_TARGETS),
    model("Inputs and outputs in dicts", named_inputs_and_outputs, NAMED, NAMED_TARGETS),
    model("A layer used twice", shared_layer),
    model("A model inside a model", nested),
    model("Subclassed model", lambda: compiled(Residual())),
    model("Own train_step", lambda: two_layers(OwnTrainStep)),
    model("Own train_step with logs in logs", lambda: two_layers(NestedLogs)),
    model("Own test_step", lambda: two_layers(OwnTestStep)),
    model("Own compute_loss", lambda: two_layers(OwnLoss)),
    model("Own compute_metrics", lambda: two_layers(OwnMetrics)),
    model("add_loss in a layer", lambda: with_layer(Penalised)),
    model("Own layer with state", lambda: with_layer(NumberedSteps)),
    model("Own layer with a SeedGenerator", lambda: with_layer(Jitter)),
    model("Frozen layers", frozen_layers),
    model("Frozen pretrained base, trained in place", pretrained_base, in_place=True),
    model("Frozen pretrained base in a builder", pretrained_base),
    model("LoRA", low_rank),
    model("Tied weights", tied_weights, TOKENS, TOKENS),
    model("Constraints on kernels and biases", constrained),
    model("L1, L2 and orthogonal regularisers, and of activities", regularised),
    model("mixed_bfloat16 layers", lambda: precise("mixed_bfloat16"), tolerance=4e-3, why=BFLOAT),
    model("mixed_float16 layers", lambda: precise("mixed_float16"), tolerance=5e-4, why=HALF),
    model("mixed_float16 policy", lambda: under_a_policy("mixed_float16"), tolerance=5e-4, why=HALF),
    model("LossScaleOptimizer", scaled_loss),
    model("RematScope", rematerialised),
    model(
        "RematScope around layers that tell training from prediction",
        rematerialised_dropout,
        status="keras fails",
        words="recipe 'rematerialised_dropout'",
        why="Keras 3.15 hands `training` to JAX as if it were an array",
    ),
)
