"""The spaces that come with Kohort: a cocktail of the catalogue's techniques, and the plain network beside it."""

from kohort.tuner.space import OFF, Knob, Space

_ADAMW = (
    Knob("adamw", "rate", 3e-4, 3e-2),
    Knob("adamw", "decay", 1e-3, 1.0, off=0.0),
)
_CONSTANT = 1.0 - 1e-9  # the floor at which a cosine is a constant in float32

_STRENGTHS = (
    *_ADAMW,
    Knob("cosine", "floor", 0.0, 0.0, off=_CONSTANT),
    Knob("dropout", "rate", 0.05, 0.7, log=False, off=OFF["dropout"]),
    Knob("l2", "strength", 1e-6, 1e-2, off=OFF["l2"]),
    Knob("l1", "strength", 1e-7, 1e-3, off=OFF["l1"]),
    Knob("inputnoise", "spread", 0.01, 0.5, off=OFF["inputnoise"]),
)
_OF_CLASSES = (Knob("labelsmoothing", "strength", 0.01, 0.3, off=OFF["labelsmoothing"]),)
_BALANCED = (Knob("classweights", "strength", 0.25, 1.0, log=False, off=OFF["classweights"]),)


def cocktail(task: str, *, images: bool = False, rows: int = 10_000, balanced: bool = False) -> Space:
    """The catalogue's techniques with their domains, for a task.

    What is chosen is what Kadra et al. (2021, Well-tuned simple nets excel on tabular datasets, table 1) choose among,
    as far as Keras has it: weight decay, dropout, batch normalisation, skip connections, MixUp, averaged weights,
    noise, a schedule; with layer normalisation, L1, L2 and label smoothing from the chapter.

    Args:
        task: `"binary"`, `"multiclass"` or `"regression"`.
        images: Whether rows are images, for convolutions.
        rows: Training rows, of which large batches need many.
        balanced: Whether each class is to count alike, however rare; then weights of classes are chosen too.
    """
    knobs = _STRENGTHS if task == "regression" else (*_STRENGTHS, *_OF_CLASSES)
    knobs = (*knobs, *_BALANCED) if balanced else knobs
    norm = ("", "batchnorm", "layernorm")
    mixed = {} if task == "regression" else {"mixing": ("", "mixup=0.2")}
    averaged = {"averaging": ("", "ema=0.99")}
    if images:
        changes = {"augmentation": ("", "shift=0.1", "shift=0.1+rotate=0.05")}
        maps = {"maps": ("", "spatialdropout=0.1")}
        return Space("cocktail", {"norm": norm, **changes, **maps, **mixed}, knobs)
    sizes = ("width=128+depth=2", "width=256+depth=2", "width=256+depth=3", "width=64+depth=2")
    batches = ("batch=32", "batch=128") if rows < 20_000 else ("batch=128", "batch=512")
    return Space(
        "cocktail",
        {"size": sizes, "norm": norm, "skip": ("", "skip"), "batch": batches, **mixed, **averaged},
        knobs,
    )


def baseline(*, images: bool = False, balanced: bool = False) -> Space:
    """A plain network of which only the learning rate is chosen, and with it the number of epochs.

    Args:
        images: Whether rows are images.
        balanced: Whether each class is to count alike: weights of classes are then chosen for it too. They fit the loss
            to what is asked for, and do not regularise.
    """
    size: dict[str, tuple[str, ...]] = {} if images else {"size": ("width=128+depth=2",)}
    weights = _BALANCED if balanced else ()
    return Space("baseline", size, (Knob("adam", "rate", 3e-4, 3e-2), *weights))
