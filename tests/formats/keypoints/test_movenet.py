"""MoveNet, PoseNet and BlazePose of TensorFlow.js: keypoints are objects with names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats import detect, read
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_COCO = get_skeleton("coco17").joints


def _save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def _pose(x: float, names: tuple[str, ...] = _COCO, **more: object) -> dict[str, Any]:
    points = [{"x": x + j, "y": 50.0 + 20 * j, "score": 0.5 + j / 100, "name": n} for j, n in enumerate(names)]
    return {"score": 0.9, "keypoints": points, **more}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _confidence(sequence: SkeletonSequence) -> NDArray[np.float64]:
    assert sequence.confidence is not None
    return sequence.confidence


def test_a_pose_a_picture_and_a_video(tmp_path: Path) -> None:
    one = _save(tmp_path / "o.json", _pose(5))
    assert detect(one) == "movenet"
    first = read(one)
    assert (first.people, first.frames, first.skeleton.name, first.unit) == (1, 1, "coco17", "px")
    np.testing.assert_array_equal(first.positions[0, 0], np.stack([5 + np.arange(17), 50 + 20 * np.arange(17)], axis=1))
    np.testing.assert_allclose(_confidence(first)[0, 0], 0.5 + np.arange(17) / 100)
    assert read(_save(tmp_path / "p.json", [_pose(5), _pose(900)])).people == 2
    video = read(_save(tmp_path / "v.json", [[], [_pose(5, id=2)], [_pose(6, id=2), _pose(900, id=3)]]))
    np.testing.assert_array_equal(video.positions[:, :, 0, 0], [[np.nan, 5, 6], [np.nan, np.nan, 900]])


def test_posenet_calls_a_keypoint_a_part(tmp_path: Path) -> None:
    points = [
        {"score": 0.9, "part": _camel(name), "position": {"x": 5.0 + j, "y": 50.0}} for j, name in enumerate(_COCO)
    ]
    path = _save(tmp_path / "a.json", {"score": 0.8, "keypoints": points[::-1]})
    assert detect(path) == "movenet"
    sequence = read(path)
    assert sequence.skeleton.name == "coco17"
    np.testing.assert_array_equal(sequence.positions[0, 0, :, 0], 5 + np.arange(17))  # by name, whatever the order


def test_blazepose_has_the_official_names_of_mediapipe(tmp_path: Path) -> None:
    turned = {"left_mouth": "mouth_left", "right_mouth": "mouth_right"}
    joints = get_skeleton("mediapipe33").joints
    pose = _pose(5, tuple(turned.get(joint, joint) for joint in joints))
    pose["keypoints"] = pose["keypoints"][::-1]
    sequence = read(_save(tmp_path / "a.json", [pose]))
    assert sequence.skeleton.name == "mediapipe33"
    np.testing.assert_array_equal(sequence.positions[0, 0, :, 0], 5 + np.arange(33))


def test_names_may_stand_in_another_order_in_each_frame(tmp_path: Path) -> None:
    second = _pose(6)
    second["keypoints"].reverse()
    sequence = read(_save(tmp_path / "a.json", [[_pose(5)], [second]]))
    np.testing.assert_array_equal(np.diff(sequence.positions[0, :, :, 0], axis=0), 1.0)


def test_keypoints_without_names_go_by_their_number(tmp_path: Path) -> None:
    pose = {"keypoints": [{"x": 0.01 * j, "y": 0.5, "z": -0.1, "visibility": 0.75} for j in range(1, 34)]}
    sequence = read(_save(tmp_path / "a.json", [{"frame": 3, **pose}, {"frame": 5, **pose}]))
    assert (sequence.skeleton.name, sequence.unit, sequence.frames) == ("mediapipe33", "normalized", 3)
    assert (_confidence(sequence)[0, 0] == 0.75).all()


def test_null_is_missing(tmp_path: Path) -> None:
    pose = _pose(5)
    pose["keypoints"][3] = {"x": None, "y": None, "score": 0.9, "name": _COCO[3]}
    sequence = read(_save(tmp_path / "a.json", [pose]))
    np.testing.assert_array_equal(np.flatnonzero(~sequence.seen[0, 0]), [3])
    named = {"keypoints": {name: None if name == "nose" else [5.0, 6.0] for name in _COCO}}
    sequence = read(_save(tmp_path / "b.json", [[named]]))
    np.testing.assert_array_equal(np.flatnonzero(~sequence.seen[0, 0]), [0])


def test_bad(tmp_path: Path) -> None:
    def changed(**more: object) -> list[Any]:
        pose = _pose(5)
        pose["keypoints"][2] = {**pose["keypoints"][2], **more}
        return [pose]

    half = _pose(5)
    half["keypoints"][2] = {"x": 5}
    for content, match in (
        ([half], "keypoint 2 is an object with 'x'; expected x, y"),
        (changed(x="left"), "value 6 is 'left'; expected a number"),
        (changed(x=None), r"joint 'right_eye' is \[nan, 90.0\]"),
        (changed(name="nose"), "names a joint twice"),
        ([[_pose(5)], [_pose(5, get_skeleton("openpose18").joints)]], r"other keypoints \(18\) than those before"),
        ([[{"keypoints": {name: [1, 2, 3, 4] for name in _COCO}}]], "has 4 numbers; expected x, y"),
        ([[{"keypoints": [{"x": 1.0, "y": 2.0}] * 16}]], "16 keypoints"),
    ):
        with pytest.raises(FormatError, match=match):
            read(_save(tmp_path / "bad.json", content))
