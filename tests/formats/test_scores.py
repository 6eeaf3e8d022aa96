"""Confidences that are no shares of one: cut with a word of it, or refused, in every kind of file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import FormatError
from kinegraph.formats import read
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_JSON = ("openpose", "coco", "annotations", "mmpose", "ultralytics", "movenet", "mediapipe", "world", "kinetics")
_CSV = ("wide", "long")
_KINDS = (*_JSON, *_CSV, "npz", "npy")
_FRAMES = 3


def _read(folder: Path, kind: str, highest: float) -> SkeletonSequence:
    """A file of one person, whose confidences rise to `highest` from joint to joint."""
    joints = {"mediapipe": 33, "world": 33, "kinetics": 18}.get(kind, 17)
    score = (highest * np.arange(1, joints + 1) / joints).tolist()
    place = [[100.0 + 9 * joint, 50.0 + 7 * joint] for joint in range(joints)]
    rows = [[*point, sure] for point, sure in zip(place, score, strict=True)]
    flat = [value for row in rows for value in row]
    beside = dict(zip("xy", np.array(place).T.tolist(), strict=True))
    names = get_skeleton("coco17").joints
    landmarks = [{"x": x / 999, "y": y / 999, "z": 0.1, "visibility": v} for x, y, v in rows]
    frame: dict[str, Any] = {
        "openpose": {"people": [{"pose_keypoints_2d": flat}]},
        "coco": {"category_id": 1, "keypoints": flat, "score": 3.2},
        "annotations": {"category_id": 1, "keypoints": flat},
        "mmpose": {"instances": [{"keypoints": place, "keypoint_scores": score}]},
        "ultralytics": {"name": "a", "box": {}, "keypoints": {**beside, "visible": score}},
        "movenet": {"poses": [{"keypoints": [{"x": x, "y": y, "score": v} for x, y, v in rows]}]},
        "mediapipe": {"landmarks": landmarks},
        "world": {"pose_world_landmarks": landmarks},
        "kinetics": {"skeleton": [{"pose": [v / 999 for point in place for v in point], "score": score}]},
    }.get(kind, {})
    numbers = range(_FRAMES)
    path, options = folder / "a.json", dict[str, Any]()
    content: object = {
        "coco": [{"image_id": n, **frame} for n in numbers],
        "annotations": {
            "images": [{"id": n, "file_name": f"{n}.jpg"} for n in numbers],
            "annotations": [{"id": n, "image_id": n, **frame} for n in numbers],
            "categories": [{"id": 1, "name": "person"}],
        },
        "mmpose": {"meta_info": {}, "instance_info": [{"frame_id": n, **frame} for n in numbers]},
        "ultralytics": [[frame]] * _FRAMES,
        "kinetics": {"data": [{"frame_index": n, **frame} for n in numbers], "label": "a", "label_index": 0},
    }.get(kind, [frame] * _FRAMES)
    if kind == "openpose":
        path = folder
        for number in numbers:
            (folder / f"a_{number:012d}_keypoints.json").write_text(json.dumps(frame))
    elif kind in _JSON:
        path.write_text(json.dumps(content))
    elif kind in _CSV:
        path = folder / "a.csv"
        header = ",".join(f"{name}_{axis}" for name in names for axis in ("x", "y", "confidence"))
        table = [header, *[",".join(map(str, flat))] * _FRAMES]
        if kind == "long":
            table = ["frame,joint,x,y,score"]
            table += [f"{n},{name},{x},{y},{v}" for n in numbers for name, (x, y, v) in zip(names, rows, strict=True)]
        path.write_text("\n".join(table) + "\n")
    elif kind == "npz":
        path, options = folder / "a.npz", {"skeleton": "coco17"}
        np.savez(path, keypoints=np.array([place] * _FRAMES), scores=np.array([score] * _FRAMES))
    else:
        path, options = folder / "a.npy", {"skeleton": "coco17", "dims": 2}
        np.save(path, np.array([rows] * _FRAMES))
    return read(path, **options)


@pytest.mark.parametrize("kind", _KINDS[:-1])
def test_what_heat_maps_overshoot_is_cut_without_ado(tmp_path: Path, kind: str) -> None:
    sequence = _read(tmp_path, kind, 1.1)
    joints = sequence.skeleton.num_joints
    shares = np.minimum(1.1 * np.arange(1, joints + 1) / joints, 1)
    np.testing.assert_allclose(np.sort(np.asarray(sequence.confidence)[0, 0])[-17:], shares[-17:])
    assert not any("were cut" in note for note in sequence.notes)


@pytest.mark.parametrize("kind", [*_JSON, "npz"])
def test_a_scale_that_may_be_another_is_told(tmp_path: Path, kind: str) -> None:
    sequence = _read(tmp_path, kind, 4.5)
    assert np.max(sequence.confidence) == 1
    (told,) = (note for note in sequence.notes if "were cut" in note)
    assert told.startswith("confidences up to 4.5 were cut to 1")


@pytest.mark.parametrize(("kind", "highest"), [*((kind, 95.0) for kind in _KINDS), *((kind, 4.5) for kind in _CSV)])
def test_other_scales_are_refused(tmp_path: Path, kind: str, highest: float) -> None:
    expected = rf"(confidence|up to|run from .* to) {highest:g}; expected (0 to 1|confidences in 0\.\.1)"
    if kind in _JSON:  # they are read joint by joint
        expected = r"has confidence \d\S+; expected 0 to 1\. Divide per cent by 100"
    with pytest.raises(FormatError, match=expected):
        _read(tmp_path, kind, highest)


def test_the_last_number_of_a_joint_may_be_its_depth(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"run from 0.* to 1\.1; .* 0\.\.1 \(clip what overshoots\)\. 3D joints need"):
        _read(tmp_path, "npy", 1.1)
