"""What `compile` takes: optimisers and their options, schedules, losses, metrics."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, losses, metrics, optimizers
from keras.optimizers import schedules

from tests.subjects.data import CLASSES, LABELS, NUMBERS, ONE_HOT, VECTORS, WEIGHTS, YES
from tests.subjects.subject import FIT, TRAINING, Options, Subject

ops: Any = keras.ops  # whose annotations allow for None and for backends that are not there


def network(outputs: int, activation: str | None = None) -> keras.Model:
    """Smooth, so that no gradient is zero but for rounding, which Adam and its kin would turn into whole steps."""
    return keras.Sequential([layers.Input((6,)), layers.Dense(5, "tanh"), layers.Dense(outputs, activation)])


def crossentropy() -> keras.losses.Loss:
    return losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer(feature: str, make: Callable[[], Any], options: Options = TRAINING, **told: Any) -> Subject:
    def build() -> keras.Model:
        model = network(CLASSES)
        model.compile(make(), crossentropy(), metrics=["accuracy"])
        return model

    return Subject(feature, "compile", build, VECTORS, LABELS, options, **told)


def schedule(feature: str, make: Callable[[], Any]) -> Subject:
    return optimizer(feature, lambda: optimizers.SGD(make(), momentum=0.9), options=TRAINING | {"epochs": 4})


def loss(feature: str, make: Callable[[], Any], y: Any, activation: str | None = None, **told: Any) -> Subject:
    def build() -> keras.Model:
        model = network(1 if y.shape[1:] == (1,) else CLASSES, activation)
        model.compile(optimizers.SGD(0.05), make())
        return model

    return Subject(feature, "compile", build, VECTORS, y, TRAINING, **told)


def metric(feature: str, make: Callable[[], Any], y: Any, activation: str | None = None, **told: Any) -> Subject:
    def build() -> keras.Model:
        binary = y.shape[1:] == (1,)
        model = network(1 if binary else CLASSES, activation)
        kind = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy"}.get(activation or "", "mse")
        model.compile(optimizers.SGD(0.1), crossentropy() if y is LABELS else kind, metrics=make())
        return model

    return Subject(feature, "compile", build, VECTORS, y, FIT, **told)


class StepDown(schedules.LearningRateSchedule):
    """A user's own: halves every `every` steps."""

    def __init__(self, rate: float, every: int) -> None:
        self.rate = rate
        self.every = every

    def __call__(self, step: Any) -> Any:
        return self.rate * 0.5 ** ops.floor(ops.cast(step, "float32") / self.every)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "every": self.every}


def without_decay_of_biases() -> Any:
    own = optimizers.AdamW(0.01, weight_decay=0.1)
    own.exclude_from_weight_decay(var_names=["bias"])
    return own


def two_optimizers() -> keras.Model:
    """The first layer learns with Adam, all others with SGD."""
    stack = [layers.Input((6,)), layers.Dense(5, "tanh", name="first"), layers.Dense(CLASSES)]
    model = keras.Sequential(stack)
    own = optimizers.OptimizerMap(optimizers.SGD(0.05), {".*/first/.*": optimizers.Adam(0.01)})
    model.compile(optimizers.MultiOptimizer(own), crossentropy())
    return model


OPTIMIZERS = (
    optimizer("SGD", lambda: "sgd"),
    optimizer("SGD with momentum", lambda: optimizers.SGD(0.05, momentum=0.9)),
    optimizer("SGD with Nesterov momentum", lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True)),
    optimizer("Adam", lambda: optimizers.Adam(0.01)),
    optimizer("Adam with amsgrad", lambda: optimizers.Adam(0.01, amsgrad=True)),
    optimizer("AdamW", lambda: optimizers.AdamW(0.01, weight_decay=0.1)),
    optimizer("AdamW that excludes biases from decay", without_decay_of_biases),
    optimizer("RMSprop", lambda: optimizers.RMSprop(0.01)),
    optimizer("RMSprop, centred, with momentum", lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True)),
    optimizer("Adagrad", lambda: optimizers.Adagrad(0.1)),
    optimizer("Adadelta", lambda: optimizers.Adadelta(1.0)),
    optimizer("Adamax", lambda: optimizers.Adamax(0.01)),
    optimizer("Nadam", lambda: optimizers.Nadam(0.01)),
    optimizer("Ftrl", lambda: optimizers.Ftrl(0.1, l1_regularization_strength=0.01)),
    optimizer("Lion", lambda: optimizers.Lion(0.01)),
    optimizer("Lamb", lambda: optimizers.Lamb(0.01)),
    optimizer("Muon", lambda: optimizers.Muon(0.01)),
    optimizer("Adafactor", lambda: optimizers.Adafactor(0.01)),
    optimizer("ScheduleFreeAdamW", lambda: optimizers.ScheduleFreeAdamW(0.01)),
    Subject("MultiOptimizer", "compile", two_optimizers, VECTORS, LABELS, TRAINING),
    optimizer("weight_decay", lambda: optimizers.SGD(0.05, weight_decay=0.1)),
    optimizer("clipnorm", lambda: optimizers.SGD(0.5, clipnorm=0.1)),
    optimizer("clipvalue", lambda: optimizers.SGD(0.5, clipvalue=0.05)),
    optimizer("global_clipnorm", lambda: optimizers.SGD(0.5, global_clipnorm=0.1)),
    optimizer("use_ema", lambda: optimizers.SGD(0.1, use_ema=True, ema_momentum=0.7)),
    optimizer("use_ema that overwrites weights", lambda: optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=2)),
    optimizer("gradient_accumulation_steps", lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2)),
)

SCHEDULES = (
    schedule("PiecewiseConstantDecay", lambda: schedules.PiecewiseConstantDecay([2, 7], [0.2, 0.1, 0.01])),
    schedule("ExponentialDecay", lambda: schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True)),
    schedule("InverseTimeDecay", lambda: schedules.InverseTimeDecay(0.1, 3, 0.5)),
    schedule("PolynomialDecay", lambda: schedules.PolynomialDecay(0.1, 6, 0.01, power=2.0, cycle=True)),
    schedule("CosineDecay with warm-up", lambda: schedules.CosineDecay(0.0, 8, warmup_target=0.2, warmup_steps=3)),
    schedule("CosineDecayRestarts", lambda: schedules.CosineDecayRestarts(0.2, 3)),
    schedule("Own schedule", lambda: StepDown(0.2, 3)),
)


def absolute(y: Any, y_pred: Any) -> Any:
    """A loss as a function."""
    return ops.mean(ops.abs(y - y_pred), axis=-1)


class Cubed(losses.Loss):
    """A loss as a class."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.power(ops.abs(y_true - y_pred), 3.0), axis=-1)


def two_outputs(losses: Any, **options: Any) -> Callable[[], keras.Model]:
    """Compiles a model with the outputs `kind` and `size`."""

    def build() -> keras.Model:
        inputs = keras.Input((6,))
        hidden = layers.Dense(5, "tanh")(inputs)
        outputs = [layers.Dense(CLASSES, name="kind")(hidden), layers.Dense(1, name="size")(hidden)]
        model = keras.Model(inputs, outputs)
        model.compile(optimizers.SGD(0.05), losses, **options)
        return model

    return build


def of_two_outputs(feature: str, build: Callable[[], keras.Model], kinds: Any = LABELS) -> Subject:
    return Subject(feature, "compile", build, VECTORS, [kinds, NUMBERS], FIT)


BY_NAME = {"kind": crossentropy(), "size": "mse"}

LOSSES = (
    loss("Loss by name", lambda: "mean_squared_error", NUMBERS),
    loss("Loss as a function", lambda: absolute, NUMBERS),
    loss("Loss of one's own class", Cubed, NUMBERS),
    loss("MeanAbsoluteError", losses.MeanAbsoluteError, NUMBERS),
    loss("MeanSquaredLogarithmicError", losses.MeanSquaredLogarithmicError, YES, "sigmoid"),
    loss("MeanAbsolutePercentageError", losses.MeanAbsolutePercentageError, YES + 1.0),
    loss("Huber", lambda: losses.Huber(0.3), NUMBERS),
    loss("LogCosh", losses.LogCosh, NUMBERS),
    loss("Poisson", losses.Poisson, YES, "softplus"),
    loss("Hinge and its kin", losses.SquaredHinge, 2.0 * YES - 1.0),
    loss("CategoricalHinge", losses.CategoricalHinge, ONE_HOT),
    loss("CosineSimilarity", losses.CosineSimilarity, ONE_HOT),
    loss("KLDivergence", losses.KLDivergence, 0.8 * ONE_HOT + 0.1, "softmax"),
    loss("BinaryCrossentropy", lambda: losses.BinaryCrossentropy(label_smoothing=0.1), YES, "sigmoid"),
    loss("BinaryFocalCrossentropy", lambda: losses.BinaryFocalCrossentropy(apply_class_balancing=True), YES, "sigmoid"),
    loss("CategoricalCrossentropy", lambda: losses.CategoricalCrossentropy(label_smoothing=0.1), ONE_HOT, "softmax"),
    loss("CategoricalFocalCrossentropy", losses.CategoricalFocalCrossentropy, ONE_HOT, "softmax"),
    loss("SparseCategoricalCrossentropy that ignores a class", lambda: ignoring(2), LABELS),
    loss("Dice", losses.Dice, ONE_HOT, "softmax"),
    loss("Tversky", losses.Tversky, ONE_HOT, "softmax"),
    loss("Circle", losses.Circle, LABELS),
    loss("Loss that sums over the batch", lambda: losses.MeanSquaredError("sum"), NUMBERS),
    of_two_outputs("Losses and loss_weights in lists", two_outputs([crossentropy(), "mse"], loss_weights=[1.0, 0.3])),
    of_two_outputs("Losses and loss_weights in dicts", two_outputs(BY_NAME, loss_weights={"kind": 0.5, "size": 2.0})),
    of_two_outputs("No loss for an output", two_outputs([crossentropy(), None])),
    of_two_outputs("One loss for all outputs", two_outputs("mse"), ONE_HOT),
)


def ignoring(label: int) -> keras.losses.Loss:
    return losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=label)


class Margin(metrics.Metric):
    """A metric of one's own: how far the two largest outputs lie apart, at most so far in a batch."""

    def __init__(self, name: str = "margin", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.largest = self.add_variable((), "zeros", name="largest")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        top = ops.top_k(y_pred, 2)[0]
        self.largest.assign(ops.maximum(self.largest, ops.max(top[:, 0] - top[:, 1])))

    def result(self) -> Any:
        return ops.convert_to_tensor(self.largest)


def mean_confidence(y: Any, y_pred: Any) -> Any:
    """A metric as a function."""
    return ops.max(ops.softmax(y_pred), axis=-1)


def averages(average: str | None) -> list[Any]:
    return [metrics.F1Score(average, threshold=0.3), metrics.FBetaScore(average, beta=2.0, threshold=0.3)]


def weighted_and_not() -> keras.Model:
    model = network(CLASSES)
    model.compile(
        optimizers.SGD(0.1), crossentropy(), metrics=["accuracy"], weighted_metrics=["accuracy", mean_confidence]
    )
    return model


def by_output(kind: type) -> dict[str, Any]:
    """Metrics of both outputs, in a list or a dict."""
    if kind is list:
        return {"metrics": [["accuracy"], [metrics.MeanAbsoluteError(name="off"), "mse"]]}
    return {"metrics": {"kind": "accuracy"}, "weighted_metrics": {"size": ["mae"], "kind": []}}


METRICS = (
    metric("Metrics by name", lambda: ["acc", "sparse_categorical_crossentropy"], LABELS),
    metric("Metric as a function", lambda: [mean_confidence], LABELS),
    metric("Metric of one's own class", lambda: [Margin()], LABELS),
    metric("Precision and Recall", lambda: [metrics.Precision(), metrics.Recall(thresholds=0.4)], YES, "sigmoid"),
    metric("AUC", lambda: [metrics.AUC(num_thresholds=50), metrics.AUC(curve="PR", name="pr_auc")], YES, "sigmoid"),
    metric("RecallAtPrecision and its kin", lambda: at_a_level(), YES, "sigmoid"),
    metric("Counts of errors", lambda: [metrics.FalsePositives(), metrics.TrueNegatives()], YES, "sigmoid"),
    metric("F1Score and FBetaScore, averaged", lambda: averages("macro"), ONE_HOT, "softmax"),
    metric("TopKCategoricalAccuracy", lambda: [metrics.TopKCategoricalAccuracy(2)], ONE_HOT, "softmax"),
    metric("SparseTopKCategoricalAccuracy", lambda: [metrics.SparseTopKCategoricalAccuracy(2)], LABELS),
    metric("MeanIoU", lambda: [metrics.MeanIoU(CLASSES, sparse_y_pred=False)], LABELS),
    metric("R2Score and RootMeanSquaredError", lambda: [metrics.R2Score(), "root_mean_squared_error"], NUMBERS),
    metric("PearsonCorrelation", lambda: [metrics.PearsonCorrelation(axis=0)], NUMBERS),
    metric(
        "Metric whose result is an array",
        lambda: averages(None),
        ONE_HOT,
        "softmax",
    ),
    Subject(
        "metrics beside weighted_metrics",
        "compile",
        weighted_and_not,
        VECTORS,
        LABELS,
        FIT | {"sample_weight": WEIGHTS},
    ),
    of_two_outputs("Metrics in lists", two_outputs([crossentropy(), "mse"], **by_output(list))),
    of_two_outputs("Metrics in dicts", two_outputs(BY_NAME, **by_output(dict))),
)


def at_a_level() -> list[Any]:
    return [metrics.RecallAtPrecision(0.6, 20), metrics.SensitivityAtSpecificity(0.5, 20)]


def compiled_with(**options: Any) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        model = network(CLASSES)
        model.compile(optimizers.SGD(0.1), crossentropy(), **options)
        return model

    return build


OPTIONS = (
    Subject("steps_per_execution", "compile", compiled_with(steps_per_execution=2), VECTORS, LABELS, FIT),
    Subject("auto_scale_loss off", "compile", compiled_with(auto_scale_loss=False), VECTORS, LABELS, FIT),
    Subject("jit_compile", "compile", compiled_with(jit_compile=True), VECTORS, LABELS, FIT),
    Subject("jit_compile off", "compile", compiled_with(jit_compile=False), VECTORS, LABELS, FIT),
    Subject(
        "run_eagerly",
        "compile",
        compiled_with(run_eagerly=True),
        VECTORS,
        LABELS,
        FIT,
        status="slow path",
        error="NotSupportedError",
        words="Remove run_eagerly",
        why="a cohort is one compiled program",
    ),
)

COMPILING = (*OPTIMIZERS, *SCHEDULES, *LOSSES, *METRICS, *OPTIONS)
