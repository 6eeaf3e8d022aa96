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
from kinegraph.formats.export import UNITS
from kinegraph.formats.motion import c3d
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


def words_of(path: Path) -> tuple[np.ndarray, float]:
    """The fourth words (frames, points) of a file of float points and its POINT:SCALE, by the offsets of the guide."""
    data = path.read_bytes()
    count, first, last = (int.from_bytes(data[at : at + 2], "little") for at in (2, 6, 8))
    begin = (int.from_bytes(data[16:18], "little") - 1) * 512
    at = data.index(b"SCALE", 512) + len("SCALE") + 2  # POINT's is the first; 2 bytes say where the next record is
    kind, rank = struct.unpack_from("bB", data, at)
    (scale,) = struct.unpack_from("<f", data, at + 2 + rank)
    assert (kind, scale) == (4, struct.unpack_from("<f", data, 12)[0])  # the header repeats it
    frames = last - first + 1
    words = np.frombuffer(data, "<f4", 4 * count * frames, begin).reshape(frames, count, 4)[..., 3]
    return words.astype(np.float64), scale


@pytest.mark.parametrize("unit", ["mm", "cm", "m"])
@pytest.mark.parametrize("lowest", [0.5, 0.04, 1e-3])
def test_confidence_survives_as_the_residual_of_the_guide(tmp_path: Path, unit: str, lowest: float) -> None:
    pytest.importorskip("ezc3d")
    rng = np.random.default_rng(0)
    confidence = np.geomspace(lowest, 1, 5 * 17).reshape(1, 5, 17)
    confidence[0, 2, 3] = 0
    points = rng.uniform(-1, 1, size=(1, 5, 17, 3))
    path = tmp_path / "x.c3d"
    c3d.write(SkeletonSequence(points, H36M, fps=50, up="y", confidence=confidence), path, unit=unit)
    words, scale = words_of(path)
    assert (words == np.round(words)).all()
    assert words.max() == 255  # no camera in the high byte, and the low one used to the full
    seen = confidence[0] > 0
    np.testing.assert_array_equal(words < 0, ~seen)
    metres = {"mm": 0.001, "cm": 0.01, "m": 1.0}[unit]
    residual = 0.01 * (1 / np.where(seen, confidence[0], 1) - 1)
    stored = words * abs(scale) * metres
    np.testing.assert_allclose(stored[seen], np.minimum(residual, 0.255)[seen], atol=abs(scale) * metres * 0.501)
    back = np.asarray(c3d.read(path).confidence)[0]
    np.testing.assert_allclose(back[seen], 0.01 / (0.01 + stored[seen]))
    assert (back[~seen] == 0).all()
    # half a step of at most 1 mm, at the steep end
    np.testing.assert_allclose(back, np.where(seen, np.maximum(confidence[0], 0.01 / 0.265), 0), atol=0.05)


def test_more_frames_than_the_header_counts(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    from kinegraph.skeleton import Skeleton

    frames = 100_000  # 65536 + 34464: the low word does not fit a signed one either
    points = np.zeros((1, frames, 1, 3))
    points[0, :, 0, 0] = np.arange(frames) / 1000
    path = tmp_path / "x.c3d"
    c3d.write(SkeletonSequence(points, Skeleton("one", ("a",), (-1,)), fps=100, up="z"), path)
    good = path.read_bytes()
    variants = {
        "as written": good,
        "TRIAL alone": good.replace(b"LONG_FRAMES", b"SOME_FRAMES"),
        "LONG_FRAMES alone": good.replace(b"ACTUAL_END_FIELD", b"ACTUAL_XXX_FIELD"),
    }
    variants["a header that wraps"] = good[:8] + struct.pack("<H", frames % 65536) + good[10:]
    assert len({*variants.values()}) == 4
    for name, data in variants.items():
        path.write_bytes(data)
        back = c3d.read(path)
        assert (back.frames, back.notes) == (frames, ()), name
        np.testing.assert_allclose(back.positions[0, -1, 0], [(frames - 1) / 1000, 0, 0], rtol=1e-6)
    path.write_bytes(good[:-100_000])
    with pytest.raises(FormatError, match=r"100000 frames of 16 bytes are announced.*cut short"):
        c3d.read(path)
    # as ezc3d writes by itself: all the data are there and nothing says so
    silent = variants["TRIAL alone"].replace(b"ACTUAL_END_FIELD", b"ACTUAL_XXX_FIELD")
    path.write_bytes(silent)
    back = c3d.read(path)
    assert back.frames == 65535
    assert back.notes[0].startswith(
        "65535 frames are announced, the most that 16 bits can count, and bytes for about 3"
    )


def test_a_suffix_in_capitals(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    one = SkeletonSequence(positions=np.ones((2, 17, 3)), skeleton=H36M, fps=30)
    assert c3d.write(one, tmp_path / "X.C3D") == (tmp_path / "X.C3D",)
    assert [path.name for path in tmp_path.iterdir()] == ["X.C3D"]
    assert c3d.read(tmp_path / "X.C3D").frames == 2


def test_who_is_never_seen_gets_no_file(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d")
    points = np.random.default_rng(0).normal(size=(2, 4, 17, 3))
    points[0] = np.nan
    shown = SkeletonSequence(positions=points, skeleton=H36M, fps=30, up="z")
    assert c3d.write(shown, tmp_path / "x.c3d") == (tmp_path / "x_person2.c3d",)
    np.testing.assert_allclose(c3d.read(tmp_path / "x_person2.c3d").positions[0], points[1], atol=1e-5)
    with pytest.raises(DataError, match="nobody to write as C3D"):
        c3d.write(shown.select_people([0]), tmp_path / "y.c3d")
    assert [path.name for path in tmp_path.iterdir()] == ["x_person2.c3d"]


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_that_is_written_is_read(tmp_path: Path, unit: str) -> None:
    pytest.importorskip("ezc3d")
    points = np.random.default_rng(0).normal(size=(1, 4, 17, 3))
    shown = SkeletonSequence(positions=points, skeleton=H36M, fps=30, up="z")
    c3d.write(shown, tmp_path / "x.c3d", unit=unit)
    np.testing.assert_allclose(c3d.read(tmp_path / "x.c3d").positions, points, atol=1e-5)


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
