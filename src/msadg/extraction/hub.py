"""Asking the Hugging Face hub for files: at once where there is no network, and without its many retries told."""

from __future__ import annotations

import logging
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

LOOKUP_SECONDS = 5.0
"""How long to wait for the address of the hub; a network that is there answers sooner."""


@contextmanager
def asking_the_hub() -> Iterator[None]:
    """Where files may come from the hub: a context in which its client keeps its retries to itself.

    Raises:
        ConnectionError: the hub's host has no address here, which is known at once; its client would try for half a
            minute. Nothing is looked up where a proxy does that, or the client is told to stay offline.
    """
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE and not _has_proxy():
        host = urlsplit(constants.ENDPOINT).hostname or constants.ENDPOINT
        if not _has_address(host):
            raise ConnectionError(f"there is no network: {host} cannot be found")
    with _retries_silenced():
        yield


def downloaded(repository: str, file: str, revision: str | None = None) -> Path | None:
    """Return a file of the hub that was downloaded before; None where it was not. Asks nobody."""
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, file, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        return None


def fetched(repository: str, file: str, revision: str | None = None) -> Path:
    """Return a file of the hub: the one downloaded before or, where there is none, a new one.

    Raises:
        OSError: it is not here, and cannot be fetched.
        ValueError: no such name can be on the hub.
    """
    from huggingface_hub import hf_hub_download

    before = downloaded(repository, file, revision)
    if before is not None:
        return before
    with asking_the_hub():
        return Path(hf_hub_download(repository, file, revision=revision))


def _has_proxy() -> bool:
    return any(scheme != "no" for scheme in urllib.request.getproxies())


def _has_address(host: str) -> bool:
    found: list[bool] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None)
        except (OSError, UnicodeError):
            found.append(False)
        else:
            found.append(True)

    # A lookup cannot be stopped; the thread is left behind.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(LOOKUP_SECONDS)
    return found == [True]


@contextmanager
def _retries_silenced() -> Iterator[None]:
    def is_no_retry(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not (message.startswith("Retrying in ") or " thrown while requesting " in message)

    loggers = [logging.getLogger(f"huggingface_hub.{name}") for name in ("utils._http", "file_download")]
    for logger in loggers:
        logger.addFilter(is_no_retry)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_no_retry)
