"""Under which addresses a viewer is reached: on this machine, and by others where it listens to all of them."""

from __future__ import annotations

import ipaddress
import socket

__all__ = ["listens_to_all", "machine_names", "viewer_addresses"]

# Addresses that only documents use: nothing is sent there, the system says which of its own it would send from.
_AWAY = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def listens_to_all(host: str) -> bool:
    """Whether the host to listen at means every address that the machine has."""
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def machine_names() -> tuple[str, ...]:
    """This machine's name and the one that its own network may know it by (``desk``, ``desk.local``), lower case."""
    name = socket.gethostname().lower().rstrip(".")
    if not name or name.partition(".")[0] == "localhost":
        return ()
    return tuple(dict.fromkeys((name, f"{name.partition('.')[0]}.local")))


def viewer_addresses(host: str, port: int) -> tuple[str, tuple[str, ...]]:
    """The address to open on this machine, and those at which others reach it if it listens to all.

    Args:
        host: the address that the server listens at.
        port: its port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not listens_to_all(host):
        return _url(host, port), ()
    own = _own_address(family)
    others = [*([own] if own is not None else []), *machine_names()[:1]]
    return _url("::1" if family == socket.AF_INET6 else "127.0.0.1", port), tuple(_url(name, port) for name in others)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _own_address(family: socket.AddressFamily) -> str | None:
    """The address from which this machine would send to others; None if it has no network."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_AWAY[family], 9))
        except OSError:
            return None
        own = str(probe.getsockname()[0])
    return None if ipaddress.ip_address(own.partition("%")[0]).is_loopback else own
