"""How a lack of memory is told from other errors."""

import jax


def lack_of_memory(error: BaseException) -> str:
    """What an error, or one that it was raised from, says of memory that does not suffice; empty if it does not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or _is_of_a_device(cause):
            lines = [line.strip().rstrip(".") for line in str(cause).splitlines() if line.strip()]
            return lines[0] if lines else type(cause).__name__
        cause = cause.__cause__
    return ""


def _is_of_a_device(error: BaseException) -> bool:
    """Whether an error is XLA's, and of memory; operations outside a program raise its words as a ValueError."""
    text = str(error)
    if isinstance(error, jax.errors.JaxRuntimeError):
        return "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
    return isinstance(error, ValueError) and text.startswith("RESOURCE_EXHAUSTED")
