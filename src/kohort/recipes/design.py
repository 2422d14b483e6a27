"""What a recipe decides, as data: the network's arguments, the optimiser, its schedule, what is compiled and heard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import keras

from kohort.errors import RecipeError

Task = Literal["binary", "multiclass", "regression"]

NEUTRAL = ("l1", "l2", "weight_decay")
"""Strengths whose 0 changes no number and is the same program as every other strength."""


@dataclass(frozen=True)
class Problem:
    """What a network is for, and how long it trains.

    Attributes:
        inputs: The shape of one row.
        outputs: The number of classes, or 1 for a regression.
        task: What is learnt.
        steps_per_epoch: Training steps of an epoch.
        epochs: Passes over the training rows.
        embedded: The positions of the inputs that are numbers of a category, and how many categories each has.
        rows: Training rows, from which a recipe's own batch size tells its steps; None: not known.
        class_rows: Rows of each class among those that are no test rows; none where they are not known.
    """

    inputs: tuple[int, ...]
    outputs: int
    task: Task
    steps_per_epoch: int
    epochs: int
    embedded: tuple[tuple[int, int], ...] = ()
    rows: int | None = None
    class_rows: tuple[int, ...] = ()

    @property
    def steps(self) -> int:
        """Training steps of a run."""
        return self.steps_per_epoch * self.epochs

    def without_last(self, epochs: int) -> "Problem":
        """The same but for the last epochs."""
        return replace(self, epochs=self.epochs - epochs)

    def trained_by(self, design: "Design") -> "Problem":
        """The same with the epochs and the batch size of a design that has its own.

        Raises:
            RecipeError: It has a batch size of its own, and how many rows there are is not known.
        """
        own = self if design.epochs is None else replace(self, epochs=design.epochs)
        if design.batch_size is None:
            return own
        if self.rows is None:
            raise RecipeError(
                f"a recipe's own batch size needs a study, which knows the training rows. Got {design.batch_size}. "
                "Pass batch_size to fit instead."
            )
        return replace(own, steps_per_epoch=-(-self.rows // design.batch_size))


Schedule = Callable[[float, Problem], Any]
"""From the learning rate and the problem to a learning-rate schedule of Keras."""


@dataclass(frozen=True)
class Design:
    """What a recipe decides. Techniques change it one after another.

    Attributes:
        optimizer: Makes the optimiser from `learning_rate` and other arguments.
        rate: The learning rate η, that a schedule begins with.
        momenta: Arguments of that optimiser alone.
        schedule: How the rate changes; None: not at all.
        options: Arguments that every optimiser takes: `weight_decay`, `global_clipnorm`, `use_ema`, …
        wrappers: Put around the optimiser, the first innermost.
        network: Arguments of the network's builder.
        mixing: Makes of the network one that trains on mixed rows.
        sharpness: Makes of the network one that trains by the gradient at another place.
        resting: For how many epochs at the end the weights rest, while statistics of normalisations are found.
        label_smoothing: The share of the target that all classes get alike.
        class_weights: The power of the inverse number of a class's rows by which they weigh in the loss; None: no
            weights.
        callbacks: Make the callbacks of a run.
        batch_size: Rows of a batch; None: as many as the study says.
        epochs: Passes over the training rows; None: as many as the study says.
        logged: Make metrics that are logged besides the usual ones.
    """

    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.Adam
    rate: float = 1e-3
    momenta: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    wrappers: tuple[Callable[[Any, Problem], Any], ...] = ()
    network: Mapping[str, Any] = field(default_factory=dict)
    mixing: Callable[[keras.Model], keras.Model] | None = None
    sharpness: Callable[[keras.Model], keras.Model] | None = None
    resting: int = 0
    label_smoothing: float = 0.0
    class_weights: float | None = None
    callbacks: tuple[Callable[[Problem], keras.callbacks.Callback], ...] = ()
    batch_size: int | None = None
    epochs: int | None = None
    logged: tuple[Callable[[Problem], keras.metrics.Metric], ...] = ()

    def with_network(self, **arguments: Any) -> "Design":
        """The same with other arguments of the network."""
        return replace(self, network={**self.network, **arguments})

    def with_options(self, **arguments: Any) -> "Design":
        """The same with other arguments of any optimiser."""
        return replace(self, options={**self.options, **arguments})


def sharing_programs(designs: Sequence[Design]) -> list[Design]:
    """The same designs, with strengths of 0 where that lets them share a compiled program with others.

    A network without L2 and one with an L2 of 0.01 are two programs, one with an L2 of 0 is the second one's: Keras
    leaves the penalty out where there is none. So where designs differ in nothing else, all get what one has.
    """
    shared = list(designs)
    for name in NEUTRAL:
        for position, own in enumerate(shared):
            if _strength(own, name) is None and any(
                _strength(other, name) is not None and _without(other) == _without(own) for other in shared
            ):
                part = "options" if name == "weight_decay" else "network"
                shared[position] = replace(own, **{part: {**getattr(own, part), name: 0.0}})
    return shared


def _strength(design: Design, name: str) -> float | None:
    return (design.options if name == "weight_decay" else design.network).get(name)


def _without(design: Design) -> Design:
    network = {name: value for name, value in design.network.items() if name not in NEUTRAL}
    options = {name: value for name, value in design.options.items() if name not in NEUTRAL}
    return replace(design, network=network, options=options)
