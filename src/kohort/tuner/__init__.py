"""Which recipe suits this data: a search over techniques and strengths, ended by an honest comparison."""

from importlib.util import find_spec

from kohort.errors import KohortError

if find_spec("optuna") is None:
    raise KohortError("a search needs Optuna, which chooses candidates. Install it with: pip install 'kohort[tune]'")
