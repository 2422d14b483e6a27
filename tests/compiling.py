"""How tests compile: most of them quickly, the others as users' programs are, and equal programs once in a process.

Compiling is most of what the tests' time goes into, and a loop over `fit` compiles the same steps for every seed anew.
"""

import os
from collections import OrderedDict
from typing import Any

import jax
import numpy as np
from jax._src import cache_key, compiler

from kohort.cohort.kept_programs import forget

WITHOUT_FUSED_KERNELS = "--xla_cpu_use_fusion_emitters=false"
"""Halves the time of compiling. Numbers differ in their last bits, and may with the number of members."""

MOST_KEPT = 64
"""Programs of a process; each holds some megabytes of machine code."""

_compiled_by_xla = compiler.backend_compile_and_load
_kept: OrderedDict[str, Any] = OrderedDict()
_flags = os.environ.get("XLA_FLAGS", "").replace(WITHOUT_FUSED_KERNELS, "").strip()  # pytest's workers inherit ours


def compile_quickly() -> None:
    """Before JAX is used first: XLA reads its flags once."""
    _compile(quickly=True)
    compiler.backend_compile_and_load = _compiled


def compile_as_users_do(as_users_do: bool) -> None:
    """What is compiled one way must not serve the other: its last bits differ."""
    if jax.config.read("jax_disable_most_optimizations") == as_users_do:
        _compile(quickly=not as_users_do)
        jax.clear_caches()
        forget()


def _compile(quickly: bool) -> None:
    """The environment is for the processes that tests start."""
    jax.config.update("jax_disable_most_optimizations", quickly)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quickly))
    os.environ["XLA_FLAGS"] = f"{_flags} {WITHOUT_FUSED_KERNELS}".strip() if quickly else _flags


def _compiled(backend: Any, module: Any, devices: Any, options: Any, host_callbacks: Any) -> Any:
    if not jax.config.read("jax_disable_most_optimizations"):
        options.env_option_overrides = [*options.env_option_overrides, ("xla_cpu_use_fusion_emitters", "True")]
    if host_callbacks:  # they belong to one call
        return _compiled_by_xla(backend, module, devices, options, host_callbacks)
    key = cache_key.get(module, np.array(list(devices)), options, backend)
    if key not in _kept:
        _kept[key] = _compiled_by_xla(backend, module, devices, options, host_callbacks)
        if len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]
