"""What a viewer says of where it is: addresses that can be opened, on this machine and by others."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from kinegraph.cli import main
from kinegraph.serve import addresses
from kinegraph.serve.addresses import listens_to_all, machine_names, viewer_addresses

OWN = {socket.AF_INET: "192.168.1.5", socket.AF_INET6: "fd00::5"}


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine called desk, with an address of each kind."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Desk")
    monkeypatch.setattr(addresses, "_own_address", OWN.get)


@pytest.mark.parametrize(
    ("host", "here", "others"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/", ()),
        ("192.168.1.7", "http://192.168.1.7:80/", ()),
        ("viewer.lan", "http://viewer.lan:80/", ()),
        ("::1", "http://[::1]:80/", ()),
        ("0.0.0.0", "http://127.0.0.1:80/", ("http://192.168.1.5:80/", "http://desk:80/")),
        ("::", "http://[::1]:80/", ("http://[fd00::5]:80/", "http://desk:80/")),
    ],
)
@pytest.mark.usefixtures("desk")
def test_addresses_that_can_be_opened(host: str, here: str, others: tuple[str, ...]) -> None:
    assert viewer_addresses(host, 80) == (here, others)
    assert listens_to_all(host) is bool(others)


def test_a_machine_without_a_name_or_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost.localdomain")
    monkeypatch.setitem(addresses._AWAY, socket.AF_INET, "127.0.0.1")  # sends to others from the loopback alone
    assert machine_names() == ()
    assert viewer_addresses("0.0.0.0", 80) == ("http://127.0.0.1:80/", ())


def test_names_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, known in (("desk", ("desk", "desk.local")), ("Desk.local", ("desk.local",)), ("a.b", ("a.b", "a.local"))):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        assert machine_names() == known


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("host", "said", "opened"),
    [
        ("127.0.0.1", "the viewer is at http://127.0.0.1:{port}/ (Ctrl-C ends it)", "http://127.0.0.1:{port}/"),
        (
            "0.0.0.0",
            "the viewer is at http://127.0.0.1:{port}/, for others at http://192.168.1.5:{port}/ or "
            "http://desk:{port}/ (Ctrl-C ends it; anyone who reaches these may use it)",
            "http://127.0.0.1:{port}/",
        ),
    ],
)
def test_the_command_says_and_opens_them(
    host: str, said: str, opened: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uvicorn = pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    ports, seen = [], []

    def run(_server: Any, sockets: list[socket.socket]) -> None:
        ports.append(sockets[0].getsockname()[1])

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr("webbrowser.open", seen.append)
    assert main(["serve", "--port", "0", "--host", host, "--open"]) == 0
    assert capsys.readouterr().out == said.format(port=ports[0]) + "\n"
    assert seen == [opened.format(port=ports[0])]
