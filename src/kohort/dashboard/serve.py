"""Serves a dashboard to this machine."""

import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from kohort.dashboard.app import application
from kohort.dashboard.guard import HOSTS, Entry
from kohort.errors import DataError
from kohort.report.charts.drawn import runtime

NICENESS = 19
"""Who trains goes first: a dashboard may wait for a core that a training has left."""


def serve(folder: Path, port: int, told: Callable[[str], None]) -> None:
    """Serves until it is interrupted.

    Args:
        folder: Where studies are looked for.
        port: The port; 0: any that is free.
        told: Told the address, token included, when it can be opened.

    Raises:
        DataError: The folder is none, or the port is taken.
    """
    if not folder.is_dir():
        raise DataError(f"the folder must exist. Got {folder}.")
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.bind((HOSTS[0], port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise DataError(f"port {port} cannot be served: {error}. Leave --port out for one that is free.") from error
    entry = Entry(listening.getsockname()[1])
    logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)
    config = uvicorn.Config(
        application(folder, entry), log_level="warning", access_log=False, server_header=False, lifespan="off",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    threading.Thread(target=runtime, daemon=True).start()  # a second of work that no page should wait for
    listening.listen()
    told(entry.address)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Streams of events have no end of their own: that they are cut when the server ends is no error."""
    return "without completing response" not in record.getMessage()
