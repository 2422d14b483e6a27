"""The table of subjects: features of Keras, and recipes, that a cohort must train as `fit` does, each in a few rows.

`tests/test_equivalence.py` trains them all, and the table in the documentation is made of them.
"""

import kohort as kohort  # selects the backend before Keras is loaded
from tests.subjects.augmentation import AUGMENTING
from tests.subjects.compiling import COMPILING
from tests.subjects.fitting import FITTING
from tests.subjects.hearing import HEARING
from tests.subjects.layers import LAYERS
from tests.subjects.models import MODELS
from tests.subjects.operations import OPERATIONS
from tests.subjects.public import PUBLIC
from tests.subjects.recipes import RECIPES
from tests.subjects.subject import Subject

SUBJECTS: tuple[Subject, ...] = (
    *MODELS,
    *LAYERS,
    *OPERATIONS,
    *AUGMENTING,
    *COMPILING,
    *FITTING,
    *HEARING,
    *RECIPES,
    *PUBLIC,
)
