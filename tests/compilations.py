"""What XLA compiles while something runs."""

import logging
from typing import Any

import jax
from jax._src import compiler


class Compilations(logging.Handler):
    """Counts what XLA compiles, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Finished XLA compilation of "):
            self.names.append(message.split()[4])

    def __enter__(self) -> "Compilations":
        jax.config.update("jax_log_compiles", True)
        logger = logging.getLogger("jax")
        self._propagated, logger.propagate = logger.propagate, False
        logger.addHandler(self)
        return self

    def __exit__(self, *_: Any) -> None:
        jax.config.update("jax_log_compiles", False)
        logger = logging.getLogger("jax")
        logger.removeHandler(self)
        logger.propagate = self._propagated


class CompiledTexts(dict[str, str]):
    """What XLA made of each program, by name."""

    def __enter__(self) -> "CompiledTexts":
        self._compile = compiler.backend_compile_and_load

        def compiled(*given: Any) -> Any:
            executable = self._compile(*given)
            for module in executable.hlo_modules():
                self[module.name] = module.to_string()
            return executable

        compiler.backend_compile_and_load = compiled
        return self

    def __exit__(self, *_: Any) -> None:
        compiler.backend_compile_and_load = self._compile
