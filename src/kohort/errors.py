"""What Kohort raises: one root and its few children, each in three parts: expected, received, what to do."""


class KohortError(Exception):
    """Anything that Kohort itself refuses or fails at."""


class DataError(KohortError, ValueError):
    """The arrays, labels or options of a training call cannot be trained on."""


class RecipeError(KohortError, ValueError):
    """A recipe is unknown, does not build, or does not fit the data."""


class NotSupportedError(KohortError, NotImplementedError):
    """`model.fit` would do this, Kohort does not yet; nothing is ignored silently."""


class BackendError(KohortError, RuntimeError):
    """Keras runs on a backend, or JAX with a library, on which Kohort cannot keep its promises."""


class StudyError(KohortError, RuntimeError):
    """A study's folder cannot be used: it is damaged, in use, of a later version, or of another study."""
