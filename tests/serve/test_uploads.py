"""Names made harmless, archives within limits."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kinegraph
from kinegraph.errors import DataError, FormatError
from kinegraph.sequence import SkeletonSequence
from kinegraph.serve.uploads import check_extent, harmless_name, recording_in, upload_folder
from kinegraph.skeleton import Skeleton, get_skeleton


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("walk.bvh", "walk.bvh"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\walk.BVH", "walk.BVH"),
        ("..", "recording"),
        ("", "recording"),
        (".hidden.bvh", "hidden.bvh"),
        ("a\0b\n<x>.bvh", "a_b__x_.bvh"),
        ("Gehen für später.csv", "Gehen für später.csv"),
    ],
)
def test_names(given_name: str, kept: str) -> None:
    assert harmless_name(given_name) == kept


@given(st.text(max_size=300))
def test_any_name_stays_in_its_folder(text: str) -> None:
    name = harmless_name(text)
    assert name not in ("", ".", "..")
    assert len(name) <= 80
    assert len(name.encode()) <= 160
    assert Path("/root/x", name).parent == Path("/root/x")
    assert "/" not in name
    assert "\\" not in name
    assert "\0" not in name


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("x" * 200 + ".bvh", "x" * 76 + ".bvh"),
        ("\N{CJK UNIFIED IDEOGRAPH-20000}" * 76 + ".bvh", "\N{CJK UNIFIED IDEOGRAPH-20000}" * 39 + ".bvh"),
        ("ab" + "走" * 76 + ".bvh", "ab" + "走" * 51 + ".bvh"),  # and a byte less than could be: no half letters
        ("走" * 90, "走" * 53),
        ("a." + "走" * 11, "a." + "走" * 11),
        ("x" * 200 + "." + "走" * 11, "x" * 80),
    ],
    ids=["one byte", "four bytes", "three bytes", "no suffix", "short", "a long suffix"],
)
def test_a_long_name_keeps_its_suffix(given_name: str, kept: str, tmp_path: Path) -> None:
    """Letters are counted, and the bytes that a file system counts."""
    assert harmless_name(given_name) == kept
    (tmp_path / harmless_name(given_name)).touch()


def test_the_folder_goes_whatever_happens(tmp_path: Path) -> None:
    def fail() -> None:
        with upload_folder(tmp_path) as folder:
            (folder / "a").write_text("x")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert list(tmp_path.iterdir()) == []


def packed(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", options.get("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_frames_a_pair_or_one_file(tmp_path: Path) -> None:
    frames = {f"clip/f_{i:03d}_keypoints.json": b"{}" for i in range(3)} | {"__MACOSX/._x.json": b"", "clip/.DS": b""}
    for name, files, expected in (
        ("run.zip", frames, "run"),
        ("pair.zip", {"09.asf": b"a", "x/09_01.amc": b"b"}, "09_01.amc"),
        ("one.zip", {"deep/er/walk.bvh": b"c"}, "walk.bvh"),
    ):
        place = tmp_path / name[:3]
        place.mkdir()
        found = recording_in(packed(place / name, files), 10_000)
        assert found.name == expected
        assert found.parent in (place, place / "unpacked")
    assert sorted(p.name for p in (tmp_path / "run" / "run").iterdir()) == [
        f"f_{i:03d}_keypoints.json" for i in range(3)
    ]


LONG = "2023-05-04 14-22-33 Participant 07 Session 2 Camera Left (cropped and stabilised)"


@pytest.mark.parametrize(
    "stem", [LONG, "走" * 70, "x" * 49 + "12345 and more", "x" * 70], ids=["words", "走", "digits", "x"]
)
@pytest.mark.parametrize("number", ["{:012d}_keypoints", "{}"], ids=["padded", "counted"])
def test_frames_with_long_names_keep_their_numbers(stem: str, number: str, tmp_path: Path) -> None:
    frame = json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 75}]}).encode()
    frames = {f"clip/{stem}_{number.format(i)}.json": frame for i in (0, 1, 2, 9, 10, 11, 12)}
    found = recording_in(packed(tmp_path / "run.zip", frames), 100_000)
    sequence = kinegraph.load(found)
    assert sequence.frames == 13
    assert np.isfinite(sequence.positions[0, :, 0, 0]).nonzero()[0].tolist() == [0, 1, 2, 9, 10, 11, 12]


def test_other_long_names_keep_their_beginning_and_suffix(tmp_path: Path) -> None:
    for name, kept in ((f"{'x' * 90}.c3d", f"{'x' * 76}.c3d"), (f"{'x' * 90}_01.bvh", f"{'x' * 50}_01.bvh")):
        found = recording_in(packed(tmp_path / "one.zip", {name: b"a"}), 100)
        assert found.name == kept
        found.unlink()
        found.parent.rmdir()


def test_nothing_leaves_the_folder(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    found = recording_in(packed(place / "evil.zip", {"../../../escaped.bvh": b"x"}), 100)
    assert found == place / "unpacked" / "escaped.bvh"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in"]


def test_bombs_and_rubbish_are_refused(tmp_path: Path) -> None:
    bomb = packed(tmp_path / "bomb.zip", {"a.csv": b"0" * 5_000_000})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(FormatError, match="unpacks to 5 MiB; expected at most 1"):
        recording_in(bomb, 2**20)
    other = io.BytesIO()
    np.savez_compressed(other, positions=np.zeros((1000, 17, 3)))
    (tmp_path / "b.npz").write_bytes(other.getvalue())
    with pytest.raises(FormatError, match="unpacks to"):
        recording_in(tmp_path / "b.npz", 100_000)
    for name, files, match in (
        ("two.zip", {"a.bvh": b"", "b.bvh": b""}, "2 files"),
        ("same.zip", {"x/a.bvh": b"", "y/a.bvh": b""}, "two files called"),
        ("none.zip", {}, "no files"),
        ("nest.zip", {"a.zip": b""}, "another archive"),
    ):
        folder = tmp_path / name[:4]
        folder.mkdir()
        with pytest.raises(FormatError, match=match):
            recording_in(packed(folder / name, files), 1000)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "cut.zip").write_bytes(packed(tmp_path / "a.zip", {"a.bvh": b"abc"}).read_bytes()[:40])
    with pytest.raises(FormatError, match="no sound archive"):
        recording_in(tmp_path / "cut" / "cut.zip", 1000)


def test_a_lying_header_is_counted(tmp_path: Path) -> None:
    path = packed(tmp_path / "lie.zip", {"a.csv": b"0" * 5000})
    raw = bytearray(path.read_bytes())
    # the size as the directory states it: 4 bytes, 24 after the entry's signature
    at = raw.index(b"PK\x01\x02") + 24
    raw[at : at + 4] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    with pytest.raises(FormatError, match="unpacks to more|no sound archive"):
        recording_in(path, 100)


def sequence(frames: int, people: int = 1, *, fps: float | None = 30, scale: float = 1.0) -> SkeletonSequence:
    positions = scale * np.random.default_rng(0).normal(size=(people, frames, 17, 3))
    return SkeletonSequence(positions, get_skeleton("h36m17"), fps=fps)


def test_extent() -> None:
    check_extent(sequence(100, 2), 200, "x")
    check_extent(sequence(100, 2, fps=None), 200, "x")
    check_extent(sequence(100, 2, fps=20.5), 200, "x")
    with pytest.raises(DataError, match="100 frames of 3 people are 300; the viewer takes 200"):
        check_extent(sequence(100, 3), 200, "x")
    with pytest.raises(DataError, match="10 frames of 1 people at 0.01 a second last 1000 s together; .* takes 10 s"):
        check_extent(sequence(10, fps=0.01), 200, "x")
    with pytest.raises(DataError, match="50000 frames a second; expected 1000"):
        check_extent(sequence(10, fps=50_000), 200, "x")
    with pytest.raises(DataError, match="a joint stands at .*e\\+30"):
        check_extent(sequence(10, scale=1e30), 200, "x")
    with pytest.raises(DataError, match="31 people; the viewer takes 30"):
        check_extent(sequence(3, 31), 200, "x")
    wide = Skeleton("wide", tuple(f"j{i}" for i in range(300)), (-1,) + (0,) * 299)
    with pytest.raises(DataError, match="300 joints; the viewer takes 256"):
        check_extent(SkeletonSequence(np.zeros((1, 2, 300, 3)), wide), 200, "x")


def test_json_alone_is_a_file(tmp_path: Path) -> None:
    found = recording_in(packed(tmp_path / "j.zip", {"k.json": json.dumps({}).encode()}), 100)
    assert found.name == "k.json"
