"""Every technique of the catalogue, as a recipe that is written in a text."""

import numpy as np

from kohort.recipes.compose import recipes_for
from kohort.recipes.design import Problem
from kohort.recipes.grammar import parse
from kohort.recipes.recipe import callbacks_of
from kohort.recipes.technique import Technique
from kohort.recipes.techniques import TECHNIQUES
from tests.subjects.data import CLASSES, IMAGES, LABELS, VECTORS
from tests.subjects.subject import Subject

TABLE = Problem((6,), CLASSES, "multiclass", 3, 2, class_rows=(10, 6, 4))
PICTURES = Problem((8, 8, 2), CLASSES, "multiclass", 3, 2)


IN_FEW_STEPS = {
    "step": "step:every=1",
    "maxnorm": "maxnorm=0.5",
    "earlystopping": "earlystopping=0+sgd=30",
    "swa": "swa=0",
}
"""Where a technique at its defaults does nothing in two epochs."""

TOGETHER = ("mixup+sam", "cutmix+sam", "batchnorm+swa=0+adamw", "batchnorm+reestimate+ema+cosine")


def alone(technique: Technique) -> Subject:
    """A row that trains a technique, at its defaults if it then does something."""
    return recipe("+".join((*technique.beside, IN_FEW_STEPS.get(technique.name, technique.name))))


def recipe(text: str) -> Subject:
    """A row that trains a recipe: on images where it needs them, else on a small perceptron."""
    needs = {need for part in parse(text).parts for need in part.technique.needs}
    problem, x = (TABLE, VECTORS) if needs.isdisjoint({"images", "convolutions"}) else (PICTURES, IMAGES)
    (made,) = recipes_for([text], problem)
    heard = callbacks_of([made])
    callbacks = (lambda: {"callbacks": heard(made.name, 0)}) if heard is not None else dict
    return Subject(text, "recipes", made.build, x, np.asarray(LABELS), made=callbacks)


OF_A_STUDY = ("batch", "epochs")
"""What decides how a study trains a recipe, and not the recipe's network; see `test_study.py`."""

RECIPES = (
    *(alone(technique) for name, technique in TECHNIQUES.items() if name not in OF_A_STUDY),
    *map(recipe, TOGETHER),
)
