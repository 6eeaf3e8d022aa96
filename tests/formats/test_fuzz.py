"""No damage to a file makes a reader fail with anything but the package's own error.

Every format is fuzzed in two ways: bytes and lines of a small valid file are cut, changed, dropped and inserted; and in
JSON (also that inside an npz) whole values are replaced by others of the wrong kind. What is read in spite of the
damage must be a sound sequence. The examples are the same in every run; KINEGRAPH_FUZZ=20 makes them twenty times
as many and different each time.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.errors import KinegraphError
from kinegraph.formats import formats, read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_MORE = int(os.environ.get("KINEGRAPH_FUZZ", "0"))
_SETTINGS = settings(
    max_examples=60 * max(_MORE, 1),
    deadline=None,
    derandomize=not _MORE,
    database=None,
    suppress_health_check=list(HealthCheck),
)

_ASF = """\
:version 1.10
:name tiny
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
  none
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lowerback
    direction 0 1 0
    length 2
    axis 0 0 0 XYZ
    dof rx ry rz
    limits (-20.0 45.0)
           (-30.0 30.0)
           (-30.0 30.0)
  end
  begin
    id 2
    name lfemur
    direction 0.3 -0.9 0
    length 7
    axis 0 0 20 XYZ
    dof rx
    limits (-20.0 45.0)
  end
:hierarchy
  begin
    root lowerback lfemur
  end
"""
_AMC = ":FULLY-SPECIFIED\n:DEGREES\n" + "".join(
    f"{n}\nroot {n} 15 0 0 10 0\nlowerback 1 2 3\nlfemur -12.5\n" for n in range(1, 4)
)

_WORDS = tuple(b'nan -inf 1e999 0 -1 0x10 1_000 " { } [ ] , : null true end begin MOTION root :units frame'.split())
_TOKENS = (
    *_WORDS, b"9" * 25, b"9" * 5000, b"\n", b"\r\n\r\n", b"\t", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xe2\x82\xac",
    b"JOINT x", b"End Site", b"Frames: 99999999", b"Frame Time: 0", b"CHANNELS 9",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 10**30, 10**400, 0.5, -1e300, float("nan"), float("inf"),
    "", "x", "nan", "0.jpg", "9" * 40, "two\nlines", "h36m17", "image",
    [], [[]], [None], [1, 2, 3], [[1, 2], [3]], {}, {"x": 1}, {"a": {"b": []}}, [[[[[[]]]]]],
)  # fmt: skip


def _flat(joints: str = "coco17") -> SkeletonSequence:
    layout = get_skeleton(joints)
    rng = np.random.default_rng(0)
    confidence = np.where(rng.random((2, 3, layout.num_joints)) < 0.2, 0, 0.75)
    positions = rng.uniform(10, 400, (2, 3, layout.num_joints, 2)).round(1)
    return SkeletonSequence(
        positions, layout, 30, "px", "image", confidence=confidence, image_size=(640, 480), source="f"
    )


def _solid() -> SkeletonSequence:
    layout = get_skeleton("h36m17")
    positions = np.random.default_rng(0).uniform(-1, 1, (1, 3, 17, 3)).round(3)
    return SkeletonSequence(positions, layout, 50, up="y", source="s")


def _instances(key: str) -> list[dict[str, Any]]:
    keypoints: Any = [[10.0 + j, 20.0 + j] for j in range(17)]
    if key == "ultralytics":
        keypoints = {axis: [10.0 + j for j in range(17)] for axis in ("x", "y")}
    return [{"keypoints": keypoints, "keypoint_scores": [0.5] * 17, "track_id": 1}]


def _make(name: str, folder: Path) -> tuple[Path, list[Path]]:
    """A small valid file of a format, and the files of it to damage."""
    path = folder / f"a.{ {'asf_amc': 'amc'}.get(name, name if name in _BY_NAME else 'json') }"
    if name == "asf_amc":
        (folder / "a.asf").write_text(_ASF)
        path.write_text(_AMC)
        return path, [path, folder / "a.asf"]
    if name == "expmap_text":
        values = np.random.default_rng(0).normal(size=(3, 99)).round(3)
        path.write_text("\n".join(",".join(map(str, row)) for row in values.tolist()) + "\n")
        return path, [path]
    if name == "ntu_skeleton":
        joint = "0.25 -0.5 2.75 277.4 191.8 1036.2 519.1 -0.2 0.05 0.96 -0.12 2\n"
        person = "72057594037931101 0 1 1 0 0 0 0.02 -0.05 2\n25\n" + 25 * joint
        path.write_text("3\n1\n" + person + "0\n1\n" + person)
        return path, [path]
    if name == "pickle":
        path = folder / "a.pkl"
        path.write_bytes(pickle.dumps({"positions": np.ones((2, 17, 3)), "n": [1, "x", {2}]}, 4))
    elif name == "openpose":
        write(_flat("body25").slice_frames(0, 1), path, format=name)
    elif name == "alphapose":
        flat = [v for j in range(17) for v in (10.0 + j, 20.0, 0.5)]
        content = [{"image_id": f"{n}.jpg", "keypoints": flat, "score": 2.5, "idx": n % 2} for n in (0, 0, 1, 3)]
        path.write_text(json.dumps(content))
    elif name == "mmpose":
        frames = [{"frame_id": n, "instances": _instances(name)} for n in (1, 2, 4)]
        names = {str(i): j for i, j in enumerate(get_skeleton("coco17").joints)}
        path.write_text(json.dumps({"meta_info": {"keypoint_id2name": names}, "instance_info": frames}))
    elif name == "ultralytics":
        path.write_text(json.dumps([_instances(name), [], _instances(name)]))
    elif name == "kinetics":
        person = {"pose": [0.25, 0.5] * 18, "score": [0.5] * 18}
        frames = [{"frame_index": n, "skeleton": [person] * (n % 3)} for n in (1, 2, 3, 5)]
        path.write_text(json.dumps({"data": frames, "label": "juggling", "label_index": 4}))
    elif name == "movenet":
        names = get_skeleton("coco17").joints
        pose = {"keypoints": [{"x": 10.0 + j, "y": 20.0, "score": 0.5, "name": n} for j, n in enumerate(names)]}
        path.write_text(json.dumps({"frames": [{"frame": n, "poses": [{**pose, "id": 1}]} for n in (1, 2, 4)]}))
    elif name == "yolo_text":
        path.write_text(2 * ("0 0.5 0.5 0.2 0.7 " + " ".join(["0.25 0.5 0.75"] * 17) + " 0.93 4\n"))
    elif name == "mediapipe":
        write(_flat("mediapipe33").select_people([0]), path, format=name)
    else:
        write(_solid() if name in ("bvh", "trc", "c3d") else _flat(), path, format=name)
    return path, [path]


_BY_NAME = {i.name for i in formats() if i.suffixes[0] == f".{i.name}"}
_NAMES = [*(info.name for info in formats() if info.reads), "pickle"]
_OPTIONS: dict[str, dict[str, Any]] = {"pickle": {"skeleton": "h36m17"}, "npz": {"skeleton": "h36m17"}}


def _one_line(error: KinegraphError) -> None:
    assert len(str(error).splitlines()) == 1


def _check(path: Path, name: str) -> None:
    """Read a damaged file: either a sound sequence, or an error of ours on one line."""
    format = "npz" if name == "pickle" else name
    try:
        sequence = read(path, format=format, **_OPTIONS.get(name, {}))
    except KinegraphError as error:
        _one_line(error)
        return
    assert isinstance(sequence, SkeletonSequence)
    assert np.isfinite(sequence.positions[sequence.seen]).all()
    assert np.isnan(sequence.positions[~sequence.seen]).all()
    assert sequence.people >= 1
    assert sequence.frames >= 1


_MUTATION = st.tuples(
    st.sampled_from(["cut", "flip", "set", "drop line", "double line", "swap lines", "insert", "replace word"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(_TOKENS),
)


def _mutate(data: bytes, mutation: tuple[str, float, float, bytes]) -> bytes:
    kind, where, other, token = mutation
    at = int(where * len(data))
    lines = data.split(b"\n")
    line, second = int(where * len(lines)), int(other * len(lines))
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ (1 << int(other * 8))]) + data[at + 1 :] if data else data
    if kind == "set":
        return data[:at] + bytes([int(other * 256)]) + data[at + 1 :]
    if kind == "drop line":
        return b"\n".join(lines[:line] + lines[line + 1 :])
    if kind == "double line":
        return b"\n".join(lines[: line + 1] + lines[line:])
    if kind == "swap lines":
        lines[line], lines[second] = lines[second], lines[line]
        return b"\n".join(lines)
    if kind == "insert":
        return data[:at] + token + data[at:]
    words = data.split(b" ")
    words[int(where * len(words))] = token
    return b" ".join(words)


@pytest.mark.parametrize("name", _NAMES)
def test_damaged_bytes(name: str, tmp_path: Path) -> None:
    if name == "c3d":
        pytest.importorskip("ezc3d")
    path, targets = _make(name, tmp_path)
    _check(path, name)
    originals = [t.read_bytes() for t in targets]

    @_SETTINGS
    @given(which=st.integers(0, len(targets) - 1), mutations=st.lists(_MUTATION, min_size=1, max_size=3))
    def fuzz(which: int, mutations: list[tuple[str, float, float, bytes]]) -> None:
        data = originals[which]
        for mutation in mutations:
            data = _mutate(data, mutation)
        for target, original in zip(targets, originals, strict=True):
            target.write_bytes(original)
        targets[which].write_bytes(data)
        _check(path, name)

    fuzz()


@pytest.mark.parametrize("name", _NAMES)
def test_random_bytes(name: str, tmp_path: Path) -> None:
    if name == "c3d":
        pytest.importorskip("ezc3d")
    path, _ = _make(name, tmp_path)

    @_SETTINGS
    @given(
        st.binary(max_size=600)
        | st.text(max_size=200).map(str.encode)
        | st.lists(st.sampled_from(_TOKENS)).map(b" ".join)
    )
    def fuzz(data: bytes) -> None:
        path.write_bytes(data)
        _check(path, name)

    fuzz()


def _places(value: Any) -> list[Callable[[Any], None]]:
    """For every value in nested containers, a function that replaces it."""
    found: list[Callable[[Any], None]] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append(lambda new, key=key: value.__setitem__(key, new))
        found += _places(inner)
    return found


def _edit(value: Any, edits: list[tuple[float, Any, bool]]) -> Any:
    value = copy.deepcopy(value)
    for where, new, near_top in edits:
        places = _places(value)
        if places:
            # Most places are coordinates; structure is near the beginning of the file and deserves its share.
            limit = min(len(places), 30) if near_top else len(places)
            places[int(where * limit)](copy.deepcopy(new))
    return value


_EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(_VALUES), st.booleans()), min_size=1, max_size=2
)


@pytest.mark.parametrize("name", [i.name for i in formats() if ".json" in i.suffixes])
def test_wrong_values_in_json(name: str, tmp_path: Path) -> None:
    path, _ = _make(name, tmp_path)
    content = json.loads(path.read_text())

    @_SETTINGS
    @given(_EDITS)
    def fuzz(edits: list[tuple[float, Any, bool]]) -> None:
        path.write_text(json.dumps(_edit(content, edits)))
        _check(path, name)
        with_sniffing = path.with_name("b.json")
        with_sniffing.write_text(path.read_text())
        try:
            read(with_sniffing)
        except KinegraphError as error:
            _one_line(error)

    fuzz()


def test_wrong_values_in_npz(tmp_path: Path) -> None:
    path, _ = _make("npz", tmp_path)
    with np.load(path) as arrays:
        content = dict(arrays)
    meta = json.loads(str(content["meta"]))
    meta["skeleton"] = get_skeleton("coco17").to_dict()
    arrays_of_others = st.sampled_from(
        [np.zeros(0), np.zeros((1, 2)), np.array("x"), np.zeros((2, 3, 17, 2), complex), np.full((2, 3, 17, 2), np.inf),
         np.ones((2, 3, 17, 2), bool), np.array([{}], dtype=object), np.full((2, 3, 17), 2.0)]
    )  # fmt: skip

    @_SETTINGS
    @given(_EDITS, st.sampled_from(["", *content]), arrays_of_others)
    def fuzz(edits: list[tuple[float, Any, bool]], name: str, array: np.ndarray[Any, Any]) -> None:
        changed = {**content, "meta": np.array(json.dumps(_edit(meta, edits)))}
        if name:
            changed[name] = array
        np.savez(path, **changed)
        _check(path, "npz")

    fuzz()
