"""The catalogue: every technique that a recipe can name, once."""

from kohort.recipes.catalogue.augmentation import AUGMENTATION
from kohort.recipes.catalogue.dropout import DROPOUT
from kohort.recipes.catalogue.normalisation import NORMALISATION
from kohort.recipes.catalogue.optimisers import OPTIMISERS
from kohort.recipes.catalogue.penalties import PENALTIES
from kohort.recipes.catalogue.schedules import SCHEDULES
from kohort.recipes.catalogue.training import TRAINING
from kohort.recipes.technique import Technique

NONE = Technique(
    "none", "baseline", "the network as it is: He initialisation, ReLU, Adam", "", lambda design, _: design, alone=True
)

TECHNIQUES: dict[str, Technique] = {
    technique.name: technique
    for technique in (NONE, *OPTIMISERS, *SCHEDULES, *PENALTIES, *TRAINING, *DROPOUT, *NORMALISATION, *AUGMENTATION)
}
