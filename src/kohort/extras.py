"""What comes with an extra: it is installed, or it is said how."""

from importlib.util import find_spec

from kohort.errors import KohortError


def require(what: str, extra: str, *packages: str) -> None:
    """Refuses what cannot be had because packages are missing.

    Args:
        what: Who needs them, for the message.
        extra: The extra that installs them.
        *packages: The packages, as one imports them.

    Raises:
        KohortError: One is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        needs = f"the package{'s' if len(packages) > 1 else ''} {', '.join(packages)}"
        raise KohortError(
            f"{what} needs {needs}. Got no {', '.join(missing)}. Install with: pip install 'kohort[{extra}]'"
        )
