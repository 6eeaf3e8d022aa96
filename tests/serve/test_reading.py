"""Uploads are read in a process of their own: hostile files end it at worst, never the viewer."""

from __future__ import annotations

import argparse
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from moving_people import walker
from numpy.lib import format as npy

from kinegraph.cli.options import add_recording_arguments
from kinegraph.cli.recordings import read_recording
from kinegraph.errors import KinegraphError
from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.serve.reading import Reader, ReadLimits, RefusedFileError
from kinegraph.skeleton import get_skeleton

BVH = """HIERARCHY
ROOT hips
{{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
 JOINT spine
 {{
  OFFSET 0 10 0
  CHANNELS 3 Zrotation Xrotation Yrotation
  End Site
  {{
   OFFSET 0 10 0
  }}
 }}
}}
MOTION
Frames: {frames}
Frame Time: {step}
{rows}"""
ROW = "0 90 0 0 0 0 0 0 0\n"


def limits(**changed: float) -> ReadLimits:
    usual = {"memory_mb": 512, "seconds": 2.0, "unpacked_bytes": 2**22, "person_frames": 60_000}
    return ReadLimits(**{**usual, **changed})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    reader = Reader(limits())
    yield reader
    reader.close()


def coco(image: object, number: int = 0) -> dict[str, object]:
    return {"image_id": image, "category_id": 1, "keypoints": [float(number % 700), 5, 1] * 17, "score": 0.9}


def crowd() -> bytes:
    """Four hundred people a frame: matching them takes the cube of their number. 2 MB that would take a minute."""
    return json.dumps([coco(number % 20, number) for number in range(8000)]).encode()


def announced(shape: tuple[int, ...]) -> bytes:
    """An array of 4 GB and more in 128 bytes."""
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + b"0" * 100


def nested_bvh(joints: int) -> str:
    body = "OFFSET 0 1 0\nCHANNELS 3 Zrotation Xrotation Yrotation\n"
    chain = "".join(f"JOINT j{i}\n{{\n{body}" for i in range(joints))
    row = "0 " * 3 * (joints + 1)
    return f"HIERARCHY\nROOT a\n{{\n{body}{chain}{'}' * (joints + 1)}\nMOTION\nFrames: 1\nFrame Time: 1\n{row}\n"


ASF = """:version 1.10
:name T
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 7
     axis 0 0 0 XYZ
     dof rx
  end
:hierarchy
  begin
    root thigh
  end
"""
AMC_HEAD = "#!OML:ASF\n:FULLY-SPECIFIED\n:DEGREES\n"


HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "a_billion_frames.bvh": (BVH.format(frames=10**9, step=0.033, rows=ROW * 3), "announces 1000000000 frames"),
    "a_year_long.bvh": (BVH.format(frames=200, step=1e5, rows=ROW * 200), "expected at most 1 second a frame"),
    "hours_long.bvh": (BVH.format(frames=7000, step=1, rows=ROW * 7000), "last 7000 s together"),
    "no_time.bvh": (BVH.format(frames=3, step=1e-12, rows=ROW * 3), "positive time"),
    "far_away.bvh": (BVH.format(frames=3, step=0.03, rows="1e300 0 0 0 0 0 0 0 0\n" * 3), "expected a body"),
    "deep.bvh": (nested_bvh(20_000), "more than 1024 joints"),
    "wide.bvh": (nested_bvh(500), "501 joints; the viewer takes 256|502 joints"),
    "nested.json": ("[" * 200_000, "nested too deeply"),
    "nested_people.json": ('{"people":' * 100_000, "nested too deeply"),
    "long_number.json": ('{"people":[{"pose_keypoints_2d":[' + "9" * 300_000 + ",1,1]}]}", "thousands of digits"),
    "crowd.json": (crowd(), "takes more than 2 s|needs more memory"),
    "array.npy": (announced((10**9, 17, 3)), "no skeleton|only"),
    "bodies.skeleton": ("999999999\n" + "0\n" * 5, "number of frames"),
    "markers.trc": (
        "PathFileType\t4\t(X/Y/Z)\tx.trc\nDataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\t"
        "OrigDataStartFrame\tOrigNumFrames\n60\t60\t1000000000\t1000000\tmm\t60\t1\t1000000000\n"
        "Frame#\tTime\ta\t\t\n\t\tX1\tY1\tZ1\n\n1\t0\t1\t2\t3\n",
        "NumMarkers",
    ),
}


def given(reader: Reader, folder: Path, name: str, content: str | bytes) -> str:
    """What a file is answered with."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        sequence, called = reader.read(path, layout=None, fps=None)
    except RefusedFileError as error:
        return str(error) if error.status in (413, 422) else f"status {error.status}"
    return f"{called}: {sequence.frames} frames"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused(reader: Reader, tmp_path: Path, name: str) -> None:
    content, expected = HOSTILE[name]
    assert len(content) < 3 * 2**20
    told = given(reader, tmp_path, name, content)
    assert told.startswith(f"{name}: ")
    assert any(part in told for part in expected.split("|")), told
    # The reader is there for the next one, as it was.
    good = BVH.format(frames=40, step=0.033, rows=ROW * 40)
    assert given(reader, tmp_path / "next", "walk.bvh", good) == "walk.bvh: 40 frames"


@pytest.mark.parametrize("name", ["alphapose", "coco", "mediapipe", "mmpose"])
def test_a_gap_of_a_billion_frames_is_no_billion_frames(reader: Reader, tmp_path: Path, name: str) -> None:
    numbers = (1, 10**9)
    point = {"x": 0.5, "y": 0.5, "z": 0, "visibility": 1}
    files = {
        "coco": [coco(n) for n in numbers],
        "alphapose": [{**coco(f"{n}.jpg"), "box": [0, 0, 1, 1], "idx": 1} for n in numbers],
        "mediapipe": {str(n): [point] * 33 for n in numbers},
        "mmpose": {
            "meta_info": {},
            "instance_info": [
                {"frame_id": n, "instances": [{"keypoints": [[5, 5]] * 17, "keypoint_scores": [1] * 17}]}
                for n in numbers
            ],
        },
    }
    assert given(reader, tmp_path, f"{name}.json", json.dumps(files[name])) == f"{name}.json: 2 frames"


def test_memory_is_limited_and_given_back(tmp_path: Path) -> None:
    reader = Reader(limits(memory_mb=64, seconds=20))
    try:
        large = json.dumps([coco(n) for n in range(60_000)])
        told = given(reader, tmp_path, "large.json", large)
        assert "memory" in told or "64 MiB" in told, told
        good = BVH.format(frames=40, step=0.033, rows=ROW * 40)
        assert given(reader, tmp_path / "next", "walk.bvh", good) == "walk.bvh: 40 frames"
    finally:
        reader.close()


def test_it_is_kept_replaced_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinegraph.serve.reading.FILES_A_PROCESS", 2)
    reader = Reader(limits())
    good = BVH.format(frames=40, step=0.033, rows=ROW * 40)
    seen = []
    for number in range(3):
        assert given(reader, tmp_path / str(number), "walk.bvh", good) == "walk.bvh: 40 frames"
        assert reader._process is not None
        seen.append(reader._process.pid)
    assert seen[0] == seen[1] != seen[2]
    reader.close()
    end = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in seen) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in seen if os.path.exists(f"/proc/{pid}")]


def test_what_was_stated_is_heard(reader: Reader, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.random.default_rng(0).normal(size=(30, 17, 3)))
    sequence, called = reader.read(tmp_path / "mine.npy", layout="h36m17", fps=25)
    assert (sequence.skeleton.name, sequence.fps, sequence.source, called) == ("h36m17", 25, "mine.npy", "mine.npy")
    for layout, fps, told in (("nobody", None, "no layout 'nobody'"), (None, -1.0, "no frame rate")):
        with pytest.raises(RefusedFileError, match=told):
            reader.read(tmp_path / "mine.npy", layout=layout, fps=fps)


def coco_file(body: SkeletonSequence, path: Path) -> None:
    flat = 300 + 100 * body.to_skeleton(get_skeleton("coco17"), minimum=0.3).positions[..., :2]
    layout = get_skeleton("coco17")
    write(SkeletonSequence(flat, layout, fps=30, unit="px", space="image"), path, format="coco")


FAMILIES = ("walk.bvh", "walk.trc", "walk.c3d", "walk.json", "walk.npz", "walk.csv", "coco.json", "bare.npy", "a.amc")


@pytest.mark.parametrize("layout", [None, "coco17", "h36m17"])
@pytest.mark.parametrize("fps", [None, 15.0])
@pytest.mark.parametrize("name", FAMILIES)
def test_layout_and_rate_are_heard_as_the_command_line_hears_them(
    reader: Reader, tmp_path: Path, name: str, layout: str | None, fps: float | None
) -> None:
    """For every family of formats: those that tell their layout, their rate, both or neither."""
    body = walker(seconds=0.4)  # 60 Hz
    path = tmp_path / name
    if name == "a.amc":
        (tmp_path / "a.asf").write_text(ASF)
        path.write_text(AMC_HEAD + "".join(f"{n}\nroot 1 2 3 10 20 {n}\nthigh {n}\n" for n in range(1, 25)))
    elif name == "bare.npy":
        np.save(path, body.positions[0, :, :17])
    elif name == "coco.json":
        coco_file(body, path)
    else:
        write(body, path)
    words = [*(["--layout", layout] if layout else []), *(["--fps", f"{fps:g}"] if fps else [])]
    parser = argparse.ArgumentParser()
    add_recording_arguments(parser)
    try:
        expected = read_recording(path, parser.parse_args(words))
    except KinegraphError as error:
        told = str(error).replace(str(path), name).replace("--layout ", "the layout ")
        with pytest.raises(RefusedFileError) as refused:
            reader.read(path, layout=layout, fps=fps)
        assert str(refused.value) == told
        return
    sequence, _ = reader.read(path, layout=layout, fps=fps)
    assert (sequence.fps, sequence.skeleton.joints) == (expected.fps, expected.skeleton.joints)
    np.testing.assert_allclose(sequence.positions, expected.positions)
    assert (sequence.rotations is None) == (expected.rotations is None)


def test_a_rate_that_swells_a_recording_is_refused(reader: Reader, tmp_path: Path) -> None:
    """Two minutes are 1.2 million frames at the highest rate, and 400 are few in the file."""
    (tmp_path / "long.bvh").write_text(BVH.format(frames=400, step=0.3, rows=ROW * 400))
    with pytest.raises(RefusedFileError) as refused:
        reader.read(tmp_path / "long.bvh", layout=None, fps=10_000)
    assert refused.value.status in (413, 422)
    assert str(refused.value).startswith("long.bvh")
    assert reader.read(tmp_path / "long.bvh", layout=None, fps=10)[0].frames == 1198


def test_the_name_in_an_archive_is_not_the_path_it_was_unpacked_to(reader: Reader, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "walk.zip", "w") as archive:
        archive.writestr("inner/walk.bvh", BVH.format(frames=3, step=0.033, rows=ROW * 3))
    with pytest.raises(RefusedFileError) as refused:
        reader.read(tmp_path / "walk.zip", layout="coco17", fps=None)
    told = "walk.zip: bvh files name their joints themselves; leave the layout coco17 out"
    assert str(refused.value) == told


@pytest.mark.parametrize("sent", ["03_01.amc", "03_01.zip"])
def test_an_amc_takes_no_asf_from_outside_its_upload(reader: Reader, tmp_path: Path, sent: str) -> None:
    """The reader of files also looks three folders up, which are the server's."""
    upload = tmp_path / "kinegraph-serve" / "upload"
    upload.mkdir(parents=True)
    clip = AMC_HEAD + "1\nroot 1 2 3 10 20 30\nthigh 1\n"
    for place in (tmp_path, upload.parent):
        (place / "03.asf").write_text(ASF)
    if sent.endswith(".zip"):
        with zipfile.ZipFile(upload / sent, "w") as archive:
            for name, text in (("03_01.amc", clip), ("01.asf", ASF), ("02.asf", ASF)):
                archive.writestr(name, text)
    else:
        (upload / sent).write_text(clip)
    with pytest.raises(RefusedFileError) as refused:
        reader.read(upload / sent, layout=None, fps=None)
    assert refused.value.status == 422
    told = "an AMC needs the ASF of its body; drop the ASF (03.asf, or one of any name) together with the AMC"
    assert str(refused.value) == f"{sent}: {told}"
