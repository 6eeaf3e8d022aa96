"""C3D: what we write is read alike by ezc3d and by us; other processors; damage, which must not crash."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.errors import DataError, FormatError, KinegraphError, MissingExtraError
from kinegraph.formats import c3d
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

H36M = get_skeleton("h36m17")
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def minimal(processor: int = 84, scale: float = -1.0, analog: int = 0) -> bytes:
    """A C3D file of 2 points and 3 frames: Intel, DEC or MIPS numbers; integer (scale > 0) or float points."""
    order = ">" if processor == 86 else "<"

    def real(value: float) -> bytes:
        if processor != 85:
            return struct.pack(order + "f", value)
        low, high = struct.unpack("<HH", struct.pack("<f", value * 4))
        return struct.pack("<HH", high, low)

    def record(name: str, group: int, body: bytes, last: bool = False) -> bytes:
        following = 0 if last else len(body) + 2
        return struct.pack("bb", len(name), group) + name.encode() + struct.pack(order + "H", following) + body

    def text(values: list[str]) -> bytes:
        width = max(map(len, values))
        return (
            struct.pack("bBBB", -1, 2, width, len(values)) + b"".join(v.ljust(width).encode() for v in values) + b"\0"
        )

    parameters = bytes([1, 0x50, 1, processor])
    parameters += record("POINT", -1, b"\0")
    parameters += record("SCALE", 1, struct.pack("bB", 4, 0) + real(scale) + b"\0")
    parameters += record("RATE", 1, struct.pack("bB", 4, 0) + real(100.0) + b"\0")
    parameters += record("UNITS", 1, struct.pack("bBB", -1, 1, 2) + b"mm" + b"\0")
    parameters += record("LABELS", 1, text(["LASI", "RASI"]), last=True)
    words = struct.pack(order + "5H", 2, analog, 1, 3, 10) + real(scale) + struct.pack(order + "2H", 3, 1) + real(100.0)
    header = (bytes([2, 0x50]) + words).ljust(512, b"\0")
    data = b""
    for frame in range(3):
        for point in range(2):
            xyz = [100.0 * frame, 10.0 * point, -50.0]
            hidden = frame == 1 and point == 1
            if scale < 0:
                data += b"".join(map(real, [*xyz, -1.0 if hidden else 4.0]))
            else:
                data += struct.pack(order + "4h", *(int(v / scale) for v in xyz), -1 if hidden else 4)
        data += (real(7.0) if scale < 0 else struct.pack(order + "h", 7)) * analog
    return header + parameters.ljust(512, b"\0") + data


@pytest.mark.parametrize("processor", [84, 85, 86])
@pytest.mark.parametrize("scale", [-0.5, 0.5])
@pytest.mark.parametrize("analog", [0, 3])
def test_every_processor_and_number_type(tmp_path: Path, processor: int, scale: float, analog: int) -> None:
    path = tmp_path / "x.c3d"
    path.write_bytes(minimal(processor, scale, analog))
    sequence = c3d.read(path)
    assert sequence.skeleton.joints == ("LASI", "RASI")
    assert (sequence.fps, sequence.up, sequence.unit) == (100, "z", "m")
    for frame in range(3):
        np.testing.assert_allclose(sequence.positions[0, frame, 0], [0.1 * frame, 0, -0.05], atol=1e-9)
    assert sequence.seen[0].tolist() == [[True, True], [True, False], [True, True]]
    # a residual of 4 steps of 0.5 mm is 2 mm: 10 / (10 + 2)
    np.testing.assert_allclose(np.asarray(sequence.confidence)[0, 0], 10 / 12)


def test_round_trip_and_ezc3d_as_witness(tmp_path: Path) -> None:
    ezc3d = pytest.importorskip("ezc3d")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1, 20, 17, 3))
    points[0, 3:6, 4] = np.nan
    given_ = SkeletonSequence(positions=points, skeleton=H36M, fps=50, up="y")
    path = tmp_path / "x.c3d"
    assert c3d.write(given_, path) == (path,)
    back = c3d.read(path)
    assert back.skeleton == H36M
    assert back.fps == 50
    np.testing.assert_allclose(back.positions, points @ Z_UP.T, atol=1e-6)
    np.testing.assert_array_equal(back.confidence, given_.confidence)
    witness = ezc3d.c3d(str(path))["data"]["points"][:3].transpose(2, 1, 0) / 1000
    np.testing.assert_allclose(witness, back.positions[0], atol=1e-6)


def test_more_labels_than_one_parameter_holds(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    from kinegraph.skeleton import Skeleton

    names = tuple(f"marker{i}" for i in range(300))
    skeleton = Skeleton("many", names, (-1, *([0] * 299)))
    c3d.write(SkeletonSequence(positions=np.ones((2, 300, 3)), skeleton=skeleton, fps=30, up="z"), tmp_path / "x.c3d")
    assert c3d.read(tmp_path / "x.c3d").skeleton.joints == names


def test_writing_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(MissingExtraError, match=r"ezc3d.*pip install 'kinegraph\[c3d\]'"):
        c3d.write(SkeletonSequence(positions=np.ones((2, 17, 3)), skeleton=H36M, fps=30), tmp_path / "x.c3d")
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="2D"):
        c3d.write(SkeletonSequence(positions=np.ones((2, 17, 2)), skeleton=H36M, fps=30), tmp_path / "x.c3d")


def test_damage_is_named(tmp_path: Path) -> None:
    good = minimal()
    path = tmp_path / "x.c3d"

    def message(data: bytes) -> str:
        path.write_bytes(data)
        with pytest.raises(FormatError) as caught:
            c3d.read(path)
        return str(caught.value)

    assert "0x50" in message(b"")
    assert "0x50" in message(good[:100])
    assert "processor type 9" in message(good[:515] + b"\x09" + good[516:])
    assert "cut short" in message(good[:-1])
    assert "bytes are announced" in message(good[:8] + struct.pack("<H", 60000) + good[10:])
    assert "no points" in message(good[:2] + b"\0\0" + good[4:])
    assert "there are no frames" in message(good[:6] + struct.pack("<2H", 9, 2) + good[10:])
    assert "POINT:UNITS is 'xx'" in message(good.replace(b"mm\0", b"xx\0"))
    with pytest.raises(FormatError, match="No such file"):
        c3d.read(tmp_path / "none.c3d")
    with pytest.raises(FormatError):
        c3d.read(tmp_path)


def said_of(path: Path) -> str:
    """The error of a damaged file, or "" if it is read; any other exception fails the test."""
    try:
        c3d.read(path)
    except KinegraphError as error:
        return str(error)
    return ""


@given(
    changes=st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), max_size=10),
    keep=st.integers(0, 1200),
    processor=st.sampled_from([84, 85, 86]),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_other_error_ever_escapes(tmp_path: Path, changes: list[tuple[int, int]], keep: int, processor: int) -> None:
    data = bytearray(minimal(processor))
    for at, value in changes:
        data[at % len(data)] = value
    path = tmp_path / "x.c3d"
    path.write_bytes(data[:keep] if keep % 3 == 0 else data)
    assert "\n" not in said_of(path)
