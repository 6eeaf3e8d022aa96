"""mmpose, ultralytics and MediaPipe dumps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import ConfigError, DataError, FormatError
from kinegraph.formats import detect, read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton


def _save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


# ---- mmpose ---------------------------------------------------------------------------------------------------------


def _instance(x: float, joints: int = 17, **more: object) -> dict[str, Any]:
    return {
        "keypoints": [[x + j, 10.0 * j + 20] for j in range(joints)],
        "keypoint_scores": [0.5 + j / 100 for j in range(joints)],
        "bbox": [[0, 0, 1, 1]],
        "bbox_score": 0.9,
        **more,
    }


def test_mmpose_video_with_meta(tmp_path: Path) -> None:
    frames = [{"frame_id": n, "instances": [_instance(n), _instance(700 + n)]} for n in (1, 2, 4)]
    names = {str(i): n for i, n in enumerate(get_skeleton("coco17").joints)}
    path = _save(
        tmp_path / "p.json", {"meta_info": {"dataset_name": "coco", "keypoint_id2name": names}, "instance_info": frames}
    )
    assert detect(path) == "mmpose"
    sequence = read(path, fps=25)
    assert (sequence.skeleton.name, sequence.people, sequence.frames, sequence.fps) == ("coco17", 2, 4, 25)
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [1, 2, np.nan, 4])
    np.testing.assert_allclose(sequence.confidence[0, 0], 0.5 + np.arange(17) / 100)


def test_who_is_listed_without_a_score_keeps_their_place_in_the_order(tmp_path: Path) -> None:
    unseen = {**_instance(103), "keypoint_scores": [0.0] * 17}
    frames = [
        {"frame_id": n, "instances": [unseen if n == 2 else _instance(103), _instance(503)]} for n in (1, 2, 3, 4)
    ]
    there = read(_save(tmp_path / "p.json", {"instance_info": frames}), tracking="order").positions[:, :, 0, 0]
    np.testing.assert_array_equal(there, [[103, np.nan, 103, 103], [503, 503, 503, 503]])


def test_mmpose_image_and_bare_list(tmp_path: Path) -> None:
    image = _save(tmp_path / "i.json", [_instance(5, 26)])
    assert detect(image) == "mmpose"
    assert read(image).skeleton.name == "halpe26"
    bare = _save(tmp_path / "v.json", [{"instances": []}, {"instances": [_instance(5)]}])
    assert read(bare).frames == 2


def test_mmpose_joint_names_beat_their_number(tmp_path: Path) -> None:
    h36m = get_skeleton("h36m17")
    names = {str(i): n for i, n in enumerate(h36m.joints)}
    path = _save(
        tmp_path / "p.json",
        {"meta_info": {"keypoint_id2name": names}, "instance_info": [{"frame_id": 0, "instances": [_instance(3)]}]},
    )
    assert read(path).skeleton.joints == h36m.joints


def test_names_that_nearly_agree_and_names_that_do_not(tmp_path: Path) -> None:
    def save(names: list[str]) -> Path:
        meta = {"keypoint_id2name": {str(i): n for i, n in enumerate(names)}}
        frames = [{"frame_id": 0, "instances": [_instance(3, len(names))]}]
        return _save(tmp_path / "p.json", {"meta_info": meta, "instance_info": frames})

    sides = [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist") for side in ("left", "right")]
    # The names of mmpose's own Human3.6M: never to be taken for COCO because there are 17.
    h36m = ["root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine", "thorax"]
    h36m += ["neck_base", "head", *sides[::2], *sides[1::2]]
    assert read(save(h36m)).skeleton.name == "h36m17"
    halpe = ["hip" if joint == "pelvis" else joint for joint in get_skeleton("halpe26").joints]
    assert read(save(halpe)).skeleton.name == "halpe26"
    wholebody = [*get_skeleton("coco17").joints, *(f"face-{i}" for i in range(116))]
    assert read(save(wholebody)).skeleton.name == "coco17"
    hand = [f"finger{i}" for i in range(17)]
    with pytest.raises(FormatError, match="no known layout's"):
        read(save(hand))
    assert read(save(hand), skeleton="coco17").skeleton.name == "coco17"
    with pytest.raises(FormatError, match="not those of 'body25'"):
        read(save(hand), skeleton="body25")


def test_mmpose_bad(tmp_path: Path) -> None:
    deep = _instance(1)
    deep["keypoints"] = [[1, 2, 3]] * 17
    for content, match in (
        ([{"instances": [deep]}], "3D keypoints"),
        ([{"instances": [{**_instance(1), "keypoint_scores": [1]}]}], "1 keypoint_scores for 17"),
        ([{"instances": [{**_instance(1), "keypoints": [[1, 2], [3]]}]}], r"points of \[1, 2\] numbers"),
        ([{"instances": [_instance(1), _instance(1, 26)]}], "26 keypoints, those before"),
        ([{"frame_id": 1, "instances": []}] * 2, "same frame_id"),
        ([{"instances": []}], "no people"),
    ):
        with pytest.raises(FormatError, match=match):
            read(_save(tmp_path / "bad.json", content))


# ---- ultralytics ----------------------------------------------------------------------------------------------------


def _yolo(x: float, **more: object) -> dict[str, Any]:
    keypoints = {
        "x": [0.0, *(x + j for j in range(1, 17))],
        "y": [0.0, *(10.0 * j for j in range(1, 17))],
        "visible": [0.3] * 2 + [0.9] * 15,
    }
    return {"name": "person", "class": 0, "confidence": 0.9, "box": {}, "keypoints": keypoints, **more}


def test_ultralytics_image_and_video(tmp_path: Path) -> None:
    image = _save(tmp_path / "i.json", [_yolo(100), _yolo(900)])
    assert detect(image) == "ultralytics"
    one = read(image)
    assert (one.people, one.frames, one.skeleton.name, one.unit) == (2, 1, "coco17", "px")
    assert np.isnan(one.positions[:, 0, 0]).all()  # (0, 0) with confidence 0.3
    assert one.confidence[0, 0, 1] == 0.3
    video = _save(tmp_path / "v.json", [[], [_yolo(100, track_id=3)], [_yolo(800, track_id=3)]])
    assert detect(video) == "ultralytics"
    sequence = read(video)
    assert (sequence.people, sequence.frames) == (1, 3)
    assert not sequence.seen[0, 0].any()


def test_ultralytics_bad(tmp_path: Path) -> None:
    box = {"name": "person", "class": 0, "confidence": 0.9, "box": {}}
    short = _yolo(1)
    short["keypoints"]["y"] = [1.0]
    for content, match in (([box], "not a detector's"), ([short], "17 x, 1 y, 17 visible")):
        with pytest.raises(FormatError, match=match):
            read(_save(tmp_path / "bad.json", content))


# ---- MediaPipe ------------------------------------------------------------------------------------------------------


def _pose(x: float) -> list[dict[str, float]]:
    return [{"x": x + j / 100, "y": 0.3 + j / 50, "z": -0.1, "visibility": 0.9} for j in range(33)]


def _as_lists(x: float) -> list[list[float]]:
    return [[p["x"], p["y"], p["z"], p["visibility"]] for p in _pose(x)]


def _named(x: float) -> dict[str, dict[str, float]]:
    """Under the names that MediaPipe has in capitals, where the mouth's sides stand last; in another order."""
    official = {"left_mouth": "mouth_left", "right_mouth": "mouth_right"}
    joints = get_skeleton("mediapipe33").joints
    points = {official.get(joint, joint).upper(): point for joint, point in zip(joints, _pose(x), strict=True)}
    return dict(reversed(points.items()))


@pytest.mark.parametrize(
    "content",
    [
        [_pose(0.1), None, _pose(0.2)],
        [[_pose(0.1)], [], [_pose(0.2)]],
        [{"pose_landmarks": _pose(0.1)}, {"pose_landmarks": None}, {"pose_landmarks": _pose(0.2)}],
        [{"landmarks": [_pose(0.1)]}, {"landmarks": []}, {"landmarks": [_pose(0.2)]}],
        [{"poseLandmarks": _pose(0.1)}, {}, {"poseLandmarks": _pose(0.2)}],
        [{"landmark": _pose(0.1)}, {}, {"landmark": _pose(0.2)}],
        [_as_lists(0.1), [], _as_lists(0.2)],
        {"frames": [_pose(0.1), None, _pose(0.2)]},
        {"frames": [{"frame": 5, "landmarks": _pose(0.1)}, {"frame": 7, "landmarks": _pose(0.2)}]},
        {"0": _pose(0.1), "2": _pose(0.2)},
        {
            "video": "a.mp4",
            "data": [{"frame_idx": 5, "landmarks": _pose(0.1)}, {"frame_idx": 7, "landmarks": _pose(0.2)}],
        },
        [{"frame_number": 7, "landmarks": _pose(0.2)}, {"frame_number": 5, "landmarks": _pose(0.1)}],
        [{"frame_id": 5, "landmarks": _named(0.1)}, {"frame_id": 7, "landmarks": _named(0.2)}],
        [{"landmarks": [_named(0.1)]}, {"landmarks": None}, {"landmarks": [_named(0.2)]}],
        [_named(0.1), {}, _named(0.2)],
    ],
)
def test_mediapipe_shapes_people_make(tmp_path: Path, content: object) -> None:
    path = _save(tmp_path / "m.json", content)
    assert detect(path) == "mediapipe"
    sequence = read(path)
    assert (sequence.skeleton.name, sequence.unit, sequence.space) == ("mediapipe33", "normalized", "image")
    assert sequence.positions.shape == (1, 3, 33, 2)
    np.testing.assert_allclose(sequence.positions[0, :, 0, 0], [0.1, np.nan, 0.2])
    assert (sequence.confidence[0, 0] == 0.9).all()
    pixels = read(path, image_size=(200, 100))
    assert pixels.unit == "px"
    np.testing.assert_allclose(pixels.positions[0, 0, 1], [200 * 0.11, 100 * 0.32])


def test_mediapipe_world_landmarks(tmp_path: Path) -> None:
    frames = [
        {"pose_landmarks": [_pose(image) for image, _ in order], "pose_world_landmarks": [_pose(w) for _, w in order]}
        for order in (((0.1, 1.0), (0.7, 2.0)), ((0.7, 2.0), (0.1, 1.0)))
    ]
    path = _save(tmp_path / "m.json", {"fps": 30, "width": 640, "height": 480, "frames": frames})
    image = read(path)
    assert (image.unit, image.image_size, image.fps, image.dims) == ("px", (640, 480), 30, 2)
    world = read(path, landmarks="world")
    assert (world.unit, world.space, world.fps, world.dims) == ("m", "camera", 30, 3)
    # Told apart by the image landmarks, since world landmarks are all centred on the hips.
    np.testing.assert_allclose(world.positions[:, :, 0, 0], [[1, 1], [2, 2]])
    np.testing.assert_allclose(world.positions[0, 0, 0], [1.0, 0.3, -0.1])
    only = _save(tmp_path / "w.json", [{"pose_world_landmarks": _pose(0.5)}])
    assert read(only).dims == 3
    with pytest.raises(ConfigError, match="'image' or 'world'"):
        read(path, landmarks="depth")


def test_mediapipe_round_trip(tmp_path: Path) -> None:
    first = read(_save(tmp_path / "m.json", [_pose(0.1), None, _pose(0.2)]), fps=30)
    write(first, tmp_path / "o.json", format="mediapipe")
    again = read(tmp_path / "o.json")
    np.testing.assert_allclose(again.positions, first.positions)
    assert again.fps == 30
    world = read(_save(tmp_path / "w.json", [{"pose_world_landmarks": _pose(0.5)}]))
    write(world, tmp_path / "o.json", format="mediapipe")
    np.testing.assert_allclose(read(tmp_path / "o.json").positions, world.positions)
    turned = world.replace(positions=world.positions * [1, -1, -1], space="world", up="y")
    write(turned, tmp_path / "t.json", format="mediapipe")  # y up in a world is y down before a camera
    np.testing.assert_allclose(read(tmp_path / "t.json").positions, world.positions)
    with pytest.raises(DataError, match="3D in normalized"):
        write(world.replace(unit="normalized"), tmp_path / "p.json", format="mediapipe")
    pixels = first.replace(unit="px")
    with pytest.raises(DataError, match="size of the image"):
        write(pixels, tmp_path / "p.json", format="mediapipe")
    assert not (tmp_path / "p.json").exists()


def test_in_written_world_landmarks_who_is_away_keeps_their_place(tmp_path: Path) -> None:
    """World landmarks have no place in the picture, so that people are told apart by their order alone."""
    positions = np.random.default_rng(0).normal(size=(3, 4, 33, 3))
    positions[0, 2] = positions[1, 1:3] = positions[:, 3] = np.nan
    given = SkeletonSequence(positions, get_skeleton("mediapipe33"), fps=30.0, space="camera")
    write(given, tmp_path / "o.json", format="mediapipe")
    np.testing.assert_allclose(read(tmp_path / "o.json").positions, positions)
    frames = json.loads((tmp_path / "o.json").read_text())["frames"]
    assert [len(frame["pose_world_landmarks"]) for frame in frames] == [3, 3, 3, 0]  # nobody after them: no place


def test_mediapipe_bad(tmp_path: Path) -> None:
    for content, match in (
        ([_pose(0.1)[:32]], "32 landmarks; expected MediaPipe Pose's 33"),
        ([[{"x": 1}] * 33], "landmark 0 has no x and y"),
        ([[[1.0]] * 33], "1 numbers; expected x, y, z"),
        ([{"landmarks": {"NOSE": {"x": 1, "y": 2}}}], "is an object with 'NOSE'; expected a list of landmarks"),
        ({"frames": [None]}, "no people"),
        ({"frames": [_pose(0.1)], "fps": "fast"}, "'fps' is 'fast'"),
    ):
        with pytest.raises(FormatError, match=match):
            read(_save(tmp_path / "bad.json", content), format="mediapipe")
