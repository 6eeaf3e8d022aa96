"""Start the viewer and keep it until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kinegraph.errors import ConfigError, require
from kinegraph.serve.addresses import viewer_addresses
from kinegraph.serve.settings import ServeSettings

if TYPE_CHECKING:
    from kinegraph.visualize.analysis import Analyst

__all__ = ["serve"]


def serve(
    settings: ServeSettings | None = None,
    *,
    analyst: Analyst | None = None,
    started: Callable[[str, Sequence[str]], None] | None = None,
) -> None:
    """Serve the viewer; returns after Ctrl-C or SIGTERM, with the temporary folder removed.

    Args:
        settings: address and limits; the defaults if None.
        analyst: the networks; those of the package if None.
        started: called once the server listens, with the address to open on this machine and those at which others
            reach it, which there are if the host stands for every address (``0.0.0.0``, ``::``).

    Raises:
        MissingExtraError: the extra ``serve`` is not installed.
        ConfigError: the address cannot be listened at.
    """
    settings = settings or ServeSettings()
    for package in ("starlette", "uvicorn"):
        require(package, extra="serve", purpose="the viewer")
    import uvicorn

    from kinegraph.serve.app import application

    listener = _listen(settings)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        application(settings, analyst),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        ws="none",
        h11_max_incomplete_event_size=64 * 1024,
        http="h11",
    )
    if started is not None:
        started(*viewer_addresses(settings.host, port))
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # Ctrl-C is how a person says "enough"; uvicorn has shut down before it hands it on
    finally:
        listener.close()


def _listen(settings: ServeSettings) -> socket.socket:
    """A socket that listens, so that a port taken by another is told before anything is loaded."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        no_address = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        remedy = (
            "--host: expected an address of this machine, or 0.0.0.0 for all of them"
            if no_address
            else "choose another --port, or 0 for a free one"
        )
        raise ConfigError(
            f"cannot listen at {settings.host}:{settings.port} ({error.strerror or error}); {remedy}"
        ) from None
    return listener
