"""The viewer over HTTP: what it answers, whom it refuses, and that a crowd neither breaks nor fattens it."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.errors import MissingExtraError
from kinegraph.serve.guard import host_allowed

LIMIT = 2**20


def test_a_file_becomes_a_result(viewer: Any, walk_bvh: Path) -> None:
    status, summary = viewer.send("..%2F..%2Fetc%2Fwalk.bvh", walk_bvh.read_bytes())
    assert status == 201, summary
    assert summary["name"] == "walk.bvh"
    assert (summary["solid"], summary["forecast"], summary["lifted"]) == (True, True, False)
    assert summary["actions"]
    status, headers, body = viewer.ask("GET", f"/api/results/{summary['id']}")
    assert status == 200
    played = json.loads(body)
    (panel,) = played["panels"]
    assert panel["dims"] == 3
    assert panel["ghosts"][0]["start"] == pytest.approx(panel["frames"] / panel["fps"], abs=0.03)
    assert played["bands"]
    assert viewer.files() == []
    # A forecast from a moment, downloads, and an end.
    status, _, body = viewer.ask("POST", f"/api/results/{summary['id']}/forecast?start=0.9&seconds=0.4")
    assert status == 200, body
    track = json.loads(body)
    assert track["start"] == pytest.approx(0.9, abs=0.05)
    assert track["frames"] / track["fps"] == pytest.approx(0.4, abs=0.05)
    status, headers, body = viewer.ask("GET", f"/api/results/{summary['id']}/download/glb")
    assert (status, body[:4]) == (200, b"glTF")
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''walk.glb"
    assert viewer.ask("DELETE", f"/api/results/{summary['id']}")[0] == 204
    assert viewer.ask("GET", f"/api/results/{summary['id']}")[0] == 404
    assert viewer.files() == []


def test_a_name_that_would_end_a_path_is_answered(viewer: Any, walk_bvh: Path) -> None:
    """Of a file that is sound, and of one that is none."""
    status, summary = viewer.send("../../x%00y.bvh", walk_bvh.read_bytes())
    assert (status, summary["name"]) == (201, "x_y.bvh")
    assert viewer.ask("DELETE", f"/api/results/{summary['id']}")[0] == 204
    status, said = viewer.send("../../x%00y.bvh", b"no motion")
    assert status == 422
    assert "x_y.bvh" in said["error"]
    assert viewer.files() == []


def test_keypoints_are_lifted(viewer: Any, keypoints_npz: Path) -> None:
    status, summary = viewer.send("keypoints.npz", keypoints_npz.read_bytes())
    assert status == 201, summary
    assert (summary["lifted"], summary["layout"]) == (True, "coco17")
    _, _, body = viewer.ask("GET", f"/api/results/{summary['id']}")
    assert [panel["dims"] for panel in json.loads(body)["panels"]] == [2, 3]


def test_a_download_is_what_lift_gives(viewer: Any, keypoints_npz: Path, tmp_path: Path) -> None:
    """The contacts of feet with the floor too, which `kinegraph lift` writes."""
    _, summary = viewer.send("keypoints.npz", keypoints_npz.read_bytes())
    status, _, body = viewer.ask("GET", f"/api/results/{summary['id']}/download/npz")
    assert status == 200
    (tmp_path / "lifted.npz").write_bytes(body)
    got, expected = kg.load(tmp_path / "lifted.npz"), kg.lift(keypoints_npz)
    np.testing.assert_allclose(got.positions, expected.positions, atol=1e-6)
    assert expected.contact is not None
    np.testing.assert_array_equal(got.contact, expected.contact)


def test_an_array_needs_a_layout_and_takes_it(viewer: Any) -> None:
    stream = io.BytesIO()
    rng = np.random.default_rng(0)
    np.save(stream, rng.normal(size=(30, 17, 3)))
    status, told = viewer.send("mine.npy", stream.getvalue())
    assert status == 422
    assert "no skeleton" in told["error"]
    status, summary = viewer.send("mine.npy", stream.getvalue(), "&layout=h36m17&fps=30")
    assert status == 201, summary
    assert (summary["layout"], summary["fps"]) == ("h36m17", 30)
    assert viewer.send("mine.npy", stream.getvalue(), "&layout=nobody")[0] == 422
    assert viewer.send("mine.npy", stream.getvalue(), "&layout=h36m17&fps=fast")[0] == 400


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * (8 * LIMIT))
    return stream.getvalue()


REFUSED = {
    "rubbish.bvh": (b"HIERARCHY\nnonsense", 422),
    "no_format.xyz": (b"\x01\x02", 422),
    "empty.bvh": (b"", 400),
    "large.csv": (b"1" * (LIMIT + 1), 413),
    "bomb.zip": (bomb(), 422),
    "pickle.pkl": (b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.", 422),
    "deep.json": (b"[" * 100_000, 422),
    "billion.bvh": (
        b"HIERARCHY\nROOT hips\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
        b"End Site\n{\nOFFSET 0 1 0\n}\n}\nMOTION\nFrames: 1000000000\nFrame Time: 0.01\n0 0 0\n",
        422,
    ),
    "year.json": (
        b'{"format":"kinegraph-motion","version":1,"fps":1e-9}',
        422,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_line(viewer: Any, name: str) -> None:
    body, expected = REFUSED[name]
    status, told = viewer.send(name, body)
    assert status == expected, told
    assert set(told) == {"error"}
    assert "\n" not in told["error"]
    assert "kinegraph-serve" not in told["error"]
    assert "/tmp" not in told["error"]
    assert viewer.files() == []


def test_a_body_without_a_length_is_counted(viewer: Any) -> None:
    chunks = (b"1" * 65536 for _ in range(40))
    status, _, body = viewer.ask("POST", "/api/files?name=x.csv", chunks)
    assert status == 413
    assert "larger than 1 MiB" in json.loads(body)["error"]
    assert viewer.files() == []


def test_a_sender_who_goes_away_leaves_nothing(viewer: Any) -> None:
    with socket.create_connection(("127.0.0.1", viewer.port)) as line:
        head = (
            f"POST /api/files?name=a.bvh HTTP/1.1\r\nHost: 127.0.0.1:{viewer.port}\r\nContent-Length: 9999\r\n\r\nHIER"
        )
        line.sendall(head.encode())
        time.sleep(0.3)
    end = time.monotonic() + 20
    while viewer.files() and time.monotonic() < end:
        time.sleep(0.1)
    assert viewer.files() == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {"Host": "evil.example"}, 403),
        ("GET", "/", {"Host": "127.0.0.1.evil.example:8765"}, 403),
        ("POST", "/api/sample", {"Origin": "http://evil.example"}, 403),
        ("POST", "/api/sample", {"Origin": "null"}, 403),
        ("POST", "/api/sample", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/../../etc/passwd", {}, 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", {}, 404),
        ("GET", "/api/results/..%2f..%2fetc", {}, 404),
        ("GET", "/api/results/nobody/download/bvh", {}, 404),
        ("PUT", "/", {}, 405),
        ("GET", "/api/files", {}, 405),
    ],
)
def test_who_is_refused(viewer: Any, method: str, path: str, headers: dict[str, str], status: int) -> None:
    found, head, body = viewer.ask(method, path, headers=headers)
    assert found == status
    assert json.loads(body)["error"]
    assert head["x-content-type-options"] == "nosniff"
    assert head["content-security-policy"].startswith("default-src 'none'")


def test_the_page_is_small_and_closed(viewer: Any) -> None:
    status, headers, body = viewer.ask("GET", "/")
    assert status == 200
    assert len(body) < 2_000_000
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "connect-src 'self'" in policy
    text = body.decode()
    assert policy.removesuffix("; frame-ancestors 'none'") in text
    assert "Up to 1 MB" in text
    assert not [word for word in ("http://", "https://", "//cdn", "@import") if word in text]


def test_only_the_loopback_is_listened_at(viewer: Any) -> None:
    rows = [line.split() for line in Path(f"/proc/{viewer.process.pid}/net/tcp").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == viewer.port]
    assert listening == [f"0100007F:{viewer.port:04X}"]


@pytest.mark.parametrize(
    ("header", "host", "allowed"),
    [
        ("localhost:8765", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("[::1]:80", "::1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("192.168.1.5:80", "127.0.0.1", False),
        ("192.168.1.5:80", "0.0.0.0", True),
        (f"{socket.gethostname()}:80", "0.0.0.0", True),
        (f"{socket.gethostname().partition('.')[0]}.local:80", "0.0.0.0", True),
        (f"{socket.gethostname().partition('.')[0]}.local", "127.0.0.1", False),
        ("evil.local", "0.0.0.0", False),
        ("evil.example", "0.0.0.0", False),
        ("evil.example", "127.0.0.1", False),
        ("", "0.0.0.0", False),
        ("viewer.lan", "viewer.lan", True),
    ],
)
def test_hosts(header: str, host: str, allowed: bool) -> None:
    assert host_allowed(header, host) is allowed


KINDS = ("walk.bvh", "cut.bvh", *REFUSED)


def crowd(viewer: Any, good: bytes, *, patient: bool = False) -> list[int]:
    """Fifty uploads at once: a third sound, the rest each wrong in its way. Returns what was answered.

    Who is patient comes again after a 429, as the page does.
    """
    bodies = {"walk.bvh": good, "cut.bvh": good[:900], **{name: body for name, (body, _) in REFUSED.items()}}
    answers: list[int] = []
    start = threading.Barrier(50)

    def one(number: int) -> None:
        name = KINDS[0] if number % 3 == 0 else KINDS[number % len(KINDS)]
        body = bodies[name]
        start.wait()
        status = viewer.send(name, body)[0]
        while patient and status == 429:
            time.sleep(0.2)
            status = viewer.send(name, body)[0]
        answers.append(status)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    return answers


@pytest.mark.slow
def test_fifty_uploads_at_once(viewer: Any, walk_bvh: Path) -> None:
    good = walk_bvh.read_bytes()
    crowd(viewer, good)
    memory, handles, processes = viewer.rss_mb(), viewer.open_files(), len(viewer.processes())
    for _ in range(3):
        answers = crowd(viewer, good)
        assert len(answers) == 50
        assert {status // 100 for status in answers} <= {2, 4}, answers
        assert 201 in answers
        assert 429 in answers
        assert {400, 413, 422} & set(answers)
    answers = crowd(viewer, good, patient=True)
    assert set(answers) == {201, 400, 413, 422}
    assert answers.count(201) == sum(number % 3 == 0 or number % len(KINDS) == 0 for number in range(50))
    assert viewer.files() == []
    assert viewer.rss_mb() - memory < 40
    assert viewer.open_files() <= handles + 4
    assert len(viewer.processes()) == processes == 2
    assert viewer.send("walk.bvh", good)[0] == 201


def test_a_port_in_use_and_a_missing_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot listen at 127.0.0.1" in capsys.readouterr().err
    for host in ("203.0.113.5", "no-such-host.invalid"):
        assert main(["serve", "--host", host, "--port", "0"]) == 2
        error = capsys.readouterr().err
        assert "--host: expected an address of this machine" in error
        assert "another --port" not in error
    assert main(["serve", "--port", "99999"]) == 2
    monkeypatch.setitem(__import__("sys").modules, "starlette", None)
    from kinegraph.serve.run import serve

    with pytest.raises(MissingExtraError, match=r"pip install 'kinegraph\[serve\]'"):
        serve()


def test_a_body_alone_is_a_pose(viewer: Any, shared_data: Path) -> None:
    status, summary = viewer.send("01.asf", (shared_data / "cmu_asfamc" / "01" / "01.asf").read_bytes())[:2]
    assert status == 201, summary
