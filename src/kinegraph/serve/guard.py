"""Who may ask, and how: checks before any request is handled, and headers on every answer.

A page of a stranger in the same browser can send requests to the loopback. Three checks keep it out:

- ``Host`` must be a name of this server: a name that a stranger's DNS turned to 127.0.0.1 ("rebinding") is refused;
- whatever changes something must come from this server's own page (``Origin``, ``Sec-Fetch-Site``);
- every answer forbids being framed, guessed at or read from another origin.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinegraph.serve.addresses import machine_names

__all__ = ["Guard", "host_allowed"]

_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_STRICT = "default-src 'none'; frame-ancestors 'none'"
_READING = ("GET", "HEAD")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def host_allowed(header: str, host: str) -> bool:
    """Whether a ``Host`` header names this server.

    Args:
        header: name or address, with or without a port.
        host: the address that the server listens at.
    """
    name = header.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.rstrip(".")
    if name in _LOOPBACK or name == host.lower():
        return True
    if host in _LOOPBACK:
        return False
    # Listening to others was asked for: addresses and this machine's own names cannot be a stranger's DNS.
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and (name in machine_names() or name == socket.getfqdn().lower())
    return True


class Guard:
    """ASGI middleware with the checks of this module.

    Args:
        app: what is guarded.
        host: the address that the server listens at.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app, self.host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", _STRICT)
                message["headers"] = headers.raw
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await JSONResponse({"error": refusal}, status_code=403)(scope, receive, headed)
            return
        await self.app(scope, receive, headed)

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not host_allowed(hosts[0], self.host):
            return "this address is not one of the viewer's; open the one that 'kinegraph serve' printed"
        if scope["method"] in _READING:
            return None
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        own = f"{scope.get('scheme', 'http')}://{hosts[0]}"
        if (origin is not None and origin.lower() != own.lower()) or site not in (None, "same-origin", "none"):
            return "only the viewer's own page may send this"
        return None
