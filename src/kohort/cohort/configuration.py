"""What a model's configuration says of its steps, which is compared sooner than the steps themselves."""

import json
import re
import warnings

import keras
from keras.src.models.functional import Functional


def configuration(model: keras.Model) -> str | None:
    """All that decides a model's steps, as text; None where a configuration does not say all.

    It does of sequential and functional models of Keras' own layers, losses, metrics and optimisers without functions
    of the user's. Names are left out: Keras counts them on.
    """
    if type(model) not in (keras.Sequential, Functional):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's, of how Keras converts its variables
            warnings.simplefilter("error", UserWarning)  # Keras warns of what cannot be told, such as a lambda
            text = json.dumps(keras.saving.serialize_keras_object(model), sort_keys=True)
    except (TypeError, ValueError, NotImplementedError, UserWarning):
        return None
    modules = set(re.findall(r'"module": "([^"]*)"', text))
    if any(module.split(".")[0] not in ("keras", "builtins") for module in modules):
        return None
    if re.search(r'"class_name": "(function|__lambda__|Lambda)"', text):
        return None
    return re.sub(r"_\d+", "", text)
