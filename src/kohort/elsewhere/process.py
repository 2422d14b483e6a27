"""The child process: started with the parent's paths, heard while it works, and never left behind."""

import codecs
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from kohort.elsewhere.parcel import RESULT
from kohort.errors import BackendError
from kohort.runtime import FIRST_LINE

TAIL = 2000  # characters of the last words of a child that are told when it dies
PATIENCE_SECONDS = 5  # for a child that is asked to end


def run_child(folder: Path) -> None:
    """Lets a child process answer the request in a folder.

    What it prints is printed here too, its progress bar where standard error is a terminal.

    Raises:
        BackendError: It ended without an answer.
    """
    if not sys.executable:
        raise BackendError(f"a child process on JAX needs Python's path. Got an empty sys.executable. {FIRST_LINE}")
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "kohort.elsewhere.child", str(folder)],
        stdin=subprocess.PIPE,  # never written to: the child ends when this process, and so the pipe, is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=_environment(),
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the child
    )
    said = _Relay(child.stdout, sys.stdout)
    complained = _Relay(child.stderr, sys.stderr)
    try:
        child.wait()
    finally:
        if child.poll() is None:
            _end(child)
        for relay in (said, complained):
            relay.join(PATIENCE_SECONDS)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    if not (folder / RESULT).exists():
        raise BackendError(
            "the child process that trains on JAX must come back with the runs. "
            f"Got {_how_it_ended(child.returncode)}{_last_words(complained.tail)} {FIRST_LINE}"
        )


def _environment() -> dict[str, str]:
    """The parent's environment and paths, with Keras on JAX."""
    paths = [entry or os.getcwd() for entry in sys.path if isinstance(entry, str)]
    changed = {"KERAS_BACKEND": "jax", "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    if sys.stderr is not None and sys.stderr.isatty():
        changed |= {"TTY_COMPATIBLE": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}  # rich draws its bar
    # the other backend holds part of an accelerator's memory, so JAX must not take its usual three quarters at once
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | os.environ | changed


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"no answer and the exit status {code}."
    name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
    out_of_memory = " (out of memory, perhaps: train fewer recipes or seeds at a time)" if name == "SIGKILL" else ""
    return f"no answer: it was ended by {name}{out_of_memory}."


def _last_words(tail: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", tail).strip()
    return f" Its last words:\n{plain}\n" if plain else ""


class _Relay(Thread):
    """Prints what comes out of a pipe, and remembers its end."""

    def __init__(self, pipe: Any, out: Any):
        super().__init__(daemon=True)
        self.pipe = pipe
        self.out = out
        self.tail = ""
        self.start()

    def run(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while chunk := self.pipe.read(65536):
            text = decoder.decode(chunk)
            self.tail = (self.tail + text)[-TAIL:]
            if self.out is not None:
                self.out.write(text)
                self.out.flush()
