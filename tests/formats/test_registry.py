"""The registry: what there is, how a format is told, and what every reader says to bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import ConfigError, FormatError, KinegraphError
from kinegraph.formats import detect, formats, read, read_options, write, write_format, write_options
from kinegraph.formats.walk import recordings_in
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_NAMES = [info.name for info in formats()]
_READ = [info for info in formats() if info.reads]


@pytest.mark.parametrize("info", formats(), ids=_NAMES)
def test_the_table_says_what_the_modules_are(info) -> None:  # type: ignore[no-untyped-def]
    module = import_module(info.path)
    assert hasattr(module, "read") == info.reads
    assert hasattr(module, "write") == info.writes
    assert "skeleton" not in write_options(info.name)
    for option in read_options(info.name):
        assert option in (module.read.__doc__ or "") + (
            import_module("kinegraph.formats.keypoints.detections").KeypointOptions.__doc__ or ""
        ) + ("fps replaces the frame rate" if info.name == "json" else "") + (
            "image" if info.name == "alphapose" else ""
        )


def test_importing_the_registry_imports_no_format() -> None:
    code = (
        "import sys, kinegraph.formats; "
        "print(sorted(m for m in sys.modules if m in ('torch', 'scipy', 'matplotlib', 'ezc3d')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_content_that_contradicts_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a.bvh"
    path.write_text('{"people": []}')
    with pytest.raises(FormatError, match="ends in .bvh but holds json"):
        read(path)
    path = tmp_path / "a.motion"
    path.write_text("HIERARCHY\n")
    assert detect(path) == "bvh"
    path.write_text("something")
    with pytest.raises(FormatError, match="looks like no format"):
        detect(path)


def test_json_of_unknown_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text, match in (
        ('{"a": 1}', "an object with 'a'"),
        ("[]", r"an empty list.*--format \(format= in Python\)"),
        ("3", "JSON of an unknown kind: int"),
        ("[3]", "begins with '3'"),
        ("{}", "no keys"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=match):
            read(path)


def test_unknown_names_and_options(tmp_path: Path) -> None:
    sequence = SkeletonSequence(np.zeros((1, 1, 17, 3)), get_skeleton("h36m17"))
    path = tmp_path / "a.npz"
    write(sequence, path)
    with pytest.raises(ConfigError, match="no format 'npy'; did you mean 'npz'"):
        read(path, format="npy")
    with pytest.raises(ConfigError, match="'skelton'; did you mean 'skeleton'"):
        read(path, skelton="x")
    with pytest.raises(ConfigError, match="not written with the option 'wide'"):
        write(sequence, path, wide=True)
    with pytest.raises(ConfigError, match="only read"):
        write(sequence, tmp_path / "a.json", format="mmpose")
    with pytest.raises(ConfigError, match="nothing is written to .xyz"):
        write_format("a.xyz")
    with pytest.raises(KinegraphError, match="is 3D and openpose holds 2D"):
        write(sequence, tmp_path / "new", format="openpose")
    with pytest.raises(FormatError, match="no such file"):
        read(tmp_path / "no.bvh")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz"]


def test_2d_to_a_format_of_3d_says_lift(tmp_path: Path) -> None:
    flat = SkeletonSequence(np.ones((1, 2, 17, 2)), get_skeleton("coco17"), unit="px", space="image", fps=30)
    for suffix in ("bvh", "trc", "c3d"):
        with pytest.raises(KinegraphError, match="2D and .* holds 3D; lift it first"):
            write(flat, tmp_path / f"a.{suffix}")
    assert not list(tmp_path.iterdir())


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a folder with no files"):
        read(tmp_path)
    (tmp_path / "a.bvh").write_text("HIERARCHY")
    (tmp_path / "b.amc").write_text("")
    with pytest.raises(FormatError, match=r"a folder with 1 .amc, 1 .bvh; expected"):
        read(tmp_path)


@pytest.mark.parametrize("info", _READ, ids=[i.name for i in _READ])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"\x00" * 600,
        b"\xff\xfe\x00bad",
        b"{",
        b"[",
        b"[" * 100_000,
        b'{"people": [' * 50_000,
        b"1" * 5000,
        b"NaN",
    ],
    ids=[
        "empty",
        "blank",
        "zeros",
        "not utf-8",
        "cut object",
        "cut list",
        "deep list",
        "deep object",
        "huge int",
        "nan",
    ],
)
def test_rubbish_is_one_line_that_names_the_file(tmp_path: Path, info, data: bytes) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / f"bad{info.suffixes[0]}"
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        read(path, format=info.name)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 600
    with pytest.raises(KinegraphError):
        read(path)


@pytest.mark.parametrize("info", _READ, ids=[i.name for i in _READ])
def test_missing_and_unreadable(tmp_path: Path, info) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FormatError, match="no such file"):
        read(tmp_path / f"no{info.suffixes[0]}", format=info.name)
    folder = tmp_path / f"folder{info.suffixes[0]}"
    folder.mkdir()
    with pytest.raises(KinegraphError):
        read(folder, format=info.name)


def test_a_pipe_is_refused_before_anything_is_taken_from_it() -> None:
    """`cat walk.bvh | kinegraph info /dev/stdin` had called the file damaged: its first bytes were gone."""
    reading, writing = os.pipe()
    try:
        os.write(writing, b"HIERARCHY")
        with pytest.raises(FormatError, match=rf"/dev/fd/{reading}: is a pipe or a device.* save it to a file first"):
            read(f"/dev/fd/{reading}")
        assert os.read(reading, 9) == b"HIERARCHY"
    finally:
        os.close(reading)
        os.close(writing)


def test_a_folder_of_another_detectors_results_is_no_clip(tmp_path: Path) -> None:
    """mmpose users name their files like OpenPose's frames; each holds a recording of its own."""
    person = {"keypoints": [[100.0 + i, 200.0] for i in range(17)], "keypoint_scores": [0.9] * 17}
    frames = [{"frame_id": t, "instances": [person]} for t in range(3)]
    for name in "ab":
        (tmp_path / f"{name}_keypoints.json").write_text(json.dumps(frames))
    with pytest.raises(FormatError, match="2 .json"):
        detect(tmp_path)
    assert [path.name for path in recordings_in(tmp_path, [".json"])] == ["a_keypoints.json", "b_keypoints.json"]
    (tmp_path / "a_keypoints.json").write_text("{")
    assert detect(tmp_path) == "openpose"  # damaged: by its name
