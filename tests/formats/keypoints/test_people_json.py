"""One recording in every way that programs nest frames and people in JSON, and what is never taken for one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinegraph.errors import FormatError, KinegraphError
from kinegraph.formats import detect, read
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

_NAMES = get_skeleton("coco17").joints
_TALL = np.stack([300 + 20.0 * (np.arange(17) % 2), 50 + 20.0 * np.arange(17)], axis=1)


def _points(x: float) -> list[list[float]]:
    return [[x + u, v] for u, v in _TALL]


def _triples(x: float) -> list[list[float]]:
    return [[*point, 0.75] for point in _points(x)]


def _flat(x: float) -> list[float]:
    return [value for triple in _triples(x) for value in triple]


def _mmpose(x: float) -> dict[str, Any]:
    return {"keypoints": _points(x), "keypoint_scores": [0.75] * 17}


def _yolo(x: float) -> dict[str, Any]:
    columns = np.array(_points(x)).T.tolist()
    return {
        "name": "person",
        "class": 0,
        "box": {},
        "keypoints": {**dict(zip("xy", columns, strict=True)), "visible": [0.75] * 17},
    }


def _movenet(x: float) -> dict[str, Any]:
    points = zip(_NAMES, _points(x), strict=True)
    return {"score": 0.8, "keypoints": [{"x": u, "y": v, "score": 0.75, "name": name} for name, (u, v) in points]}


def _openpose(x: float) -> dict[str, Any]:
    return {"person_id": [-1], "pose_keypoints_2d": [*_flat(x), 300 + x, 60, 0.75]}


_PEOPLE: dict[str, Callable[[float], dict[str, Any]]] = {
    "mmpose": _mmpose,
    "mmpose, scores third": lambda x: {"keypoints": _triples(x)},
    "mmpose, flat": lambda x: {"keypoints": _flat(x)},
    "ultralytics": _yolo,
    "movenet": _movenet,
    "movenet, by name": lambda x: {"keypoints": dict(zip(_NAMES, _triples(x), strict=True))},
    "openpose": _openpose,
}
_NESTED: dict[str, Callable[[list[list[dict[str, Any]]]], object]] = {
    "lists": lambda frames: frames,
    "instances": lambda frames: [{"frame_id": n, "instances": people} for n, people in enumerate(frames)],
    "detections": lambda frames: {"frames": [{"frame": n, "detections": people} for n, people in enumerate(frames)]},
    "persons": lambda frames: {"frames": [{"frame_idx": n, "persons": p} for n, p in enumerate(frames)][::-1]},
    "predictions": lambda frames: [{"predictions": [people], "visualization": []} for people in frames],
    "instance_info": lambda frames: {"instance_info": [{"frame_id": n, "instances": p} for n, p in enumerate(frames)]},
    "one by one": lambda frames: [{"frame": n, **p} for n, people in enumerate(frames) for p in people or [_nobody(n)]],
    "by name": lambda frames: {f"frame_{n:04d}": people for n, people in enumerate(frames)},
    "frames by number": lambda frames: {"frames": {str(n): people for n, people in enumerate(frames)}},
    "by picture": lambda frames: [{"image_name": f"v/{n}.jpg", "people": people} for n, people in enumerate(frames)],
}


def _nobody(n: int) -> dict[str, Any]:
    return {"frame": n, "keypoints": None}


def _save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def _confidence(sequence: SkeletonSequence) -> NDArray[np.float64]:
    assert sequence.confidence is not None
    return sequence.confidence


@pytest.mark.parametrize("nested", _NESTED)
@pytest.mark.parametrize("kind", _PEOPLE)
def test_one_recording_however_it_is_nested(tmp_path: Path, kind: str, nested: str) -> None:
    """Two people, one of them away for a frame, and a frame with nobody."""
    make = _PEOPLE[kind]
    frames = [[make(0), make(500)], [make(501), make(1)], [], [make(3)], [make(4), make(504)]]
    path = _save(tmp_path / "a.json", _NESTED[nested](frames))
    sequence = read(path)
    joints = 18 if kind == "openpose" else 17
    assert sequence.positions.shape == (2, 5, joints, 2)
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [300, 301, np.nan, 303, 304])
    np.testing.assert_array_equal(sequence.positions[1, :, 0, 0], [800, 801, np.nan, np.nan, 804])
    np.testing.assert_array_equal(sequence.positions[0, 3, :17], _points(3))
    assert (_confidence(sequence)[sequence.seen] == 0.75).all()


@pytest.mark.parametrize("key", ["frame", "frame_id", "frame_idx", "frame_index", "frame_number", "image_name"])
@pytest.mark.parametrize("kind", ["mmpose", "mmpose, flat", "movenet", "ultralytics", "openpose"])
def test_people_listed_one_by_one_are_in_the_frame_they_name(tmp_path: Path, kind: str, key: str) -> None:
    def stated(n: int) -> int | str:
        return f"clip/img_{n:03d}.png" if key == "image_name" else n

    content = [{key: stated(n), **_PEOPLE[kind](n)} for n in (9, 3, 4, 6)]
    sequence = read(_save(tmp_path / "a.json", content))
    assert (sequence.people, sequence.frames) == (1, 7)
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [303, 304, np.nan, 306, np.nan, np.nan, 309])
    under = read(_save(tmp_path / "b.json", {"meta_info": {}, "instance_info": content}))
    np.testing.assert_array_equal(under.positions, sequence.positions)


@pytest.mark.parametrize("kind", ["mmpose", "mmpose, flat", "movenet", "ultralytics", "openpose"])
def test_people_who_name_no_frame_are_a_picture_unless_they_are_one(tmp_path: Path, kind: str) -> None:
    make = _PEOPLE[kind]
    picture = read(_save(tmp_path / "p.json", [make(200 * n) for n in range(4)]))
    assert (picture.people, picture.frames) == (4, 1)
    assert not any("frames of one person" in note for note in picture.notes)
    video = read(_save(tmp_path / "v.json", [make(3 * n) for n in range(12)]))
    assert (video.people, video.frames) == (1, 12)
    assert any("12 poses that name no frame" in note for note in video.notes)
    np.testing.assert_array_equal(video.positions[0, :, 0, 0], 300 + 3 * np.arange(12))
    with pytest.raises(FormatError, match="names no (frame|image), and others do"):
        read(_save(tmp_path / "b.json", [{"frame": 0, **make(0)}, make(1)]))


def test_facts_beside_the_frames(tmp_path: Path) -> None:
    frames = [{"frame": n, "people": [_yolo(n)]} for n in (0, 2, 4)]
    for content in (
        {"fps": 30, "width": 640, "height": 480, "frames": frames},
        {"metadata": {"fps": 30, "width": 640, "height": 480}, "frames": frames},
    ):
        sequence = read(_save(tmp_path / "a.json", content))
        assert (sequence.fps, sequence.image_size, sequence.unit) == (
            15,
            (640, 480),
            "px",
        )  # every second frame is there
        assert read(tmp_path / "a.json", fps=60).fps == 30
    with pytest.raises(FormatError, match="'fps' is 'fast'"):
        read(_save(tmp_path / "a.json", {"fps": "fast", "frames": frames}))
    with pytest.raises(FormatError, match="0 x 480 px"):
        read(_save(tmp_path / "a.json", {"width": 0, "height": 480, "frames": frames}))


def test_ids_are_believed_where_they_are_those_of_people(tmp_path: Path) -> None:
    def clip(*ids: tuple[int, int], key: str = "id") -> SkeletonSequence:
        frames = [
            {"frame": n, "people": [{key: a, **_mmpose(n)}, {key: b, **_mmpose(500 + n)}]}
            for n, (a, b) in enumerate(ids)
        ]
        return read(_save(tmp_path / "a.json", {"frames": frames}))

    for key in ("id", "track_id", "person_id"):
        swapped = clip((7, 4), (4, 7), (7, 4), key=key)
        np.testing.assert_array_equal(swapped.positions[:, :, 0, 0], [[800, 301, 802], [300, 801, 302]])
    rows = clip((0, 1), (2, 3), (4, 5))  # counted through the file
    assert rows.people == 2
    places = clip((0, 1), (0, 1), (0, 1))  # counted in each frame
    assert "followed" in places.notes[-1]


def test_others_are_refused_by_the_keys_they_have(tmp_path: Path) -> None:
    people = [[0, 1, 2]]
    content: object
    for content, match in (
        (
            {"frames": [{"frame": 0, "folk": people}]},
            r"frame 0 is an object with 'frame', 'folk'; expected MediaPipe's",
        ),
        ([{"frame": 0, "folk": people}], "begins with an object with 'frame', 'folk'"),
        ([json.dumps([_yolo(0)])], "write json.loads of each"),
        ([{"frame_id": 1, "instances": []}] * 2, "same frame_id"),
        ({"person_1": [_mmpose(0), _mmpose(1)], "person_2": [_mmpose(0)]}, "unknown kind: an object with 'person_1'"),
        ({"1": [{"frame": n, **_mmpose(n)} for n in range(3)]}, r"frame 0 holds people of 3 frames \(0, 1, 2\)"),
    ):
        with pytest.raises(FormatError, match=match):
            read(_save(tmp_path / "a.json", content))
    # Nobody at all is still said so where the place for people is there.
    for content in ({"frames": [{"frame": 0, "pose_landmarks": []}]}, {"frames": [{"frame": 0}, None]}):
        with pytest.raises(FormatError, match="no people in"):
            read(_save(tmp_path / "a.json", content))
    with pytest.raises(FormatError, match="expected people under instances"):
        read(_save(tmp_path / "a.json", [{"folk": []}]), format="mmpose")


def test_mmpose_of_old_and_in_3d(tmp_path: Path) -> None:
    old = [{"bbox": [1, 2, 3, 4, 0.9], "keypoints": _triples(0), "track_id": 0}]
    path = _save(tmp_path / "a.json", [old, [], old])
    assert detect(path) == "mmpose"
    sequence = read(path)
    assert (_confidence(sequence)[0, [0, 2]] == 0.75).all()
    assert "taken for its confidence" in sequence.notes[0]
    solid = np.random.default_rng(0).uniform(-0.5, 0.5, (17, 3))
    for entry in (
        {"keypoints": solid.tolist(), "keypoint_scores": [0.9] * 17},
        {"keypoints": solid.tolist()},
        {"keypoints": (solid * [1, 1, 0]).tolist()},  # flat as it is, metres go to all sides of the hip
        {"keypoints": _triples(0), "keypoint_scores": [0.9] * 17},  # pixels, with a depth
        {"keypoints": [[x, y, 5] for x, y in _points(0)]},
    ):
        with pytest.raises(FormatError, match=r"3D keypoints; expected 2D.*numpy\.save"):
            read(_save(tmp_path / "b.json", [[entry]]))


_VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0.5, 1e300, float("nan"), "x", "7.jpg", [], [[]], {}, {"x": 1}, [None], "[", 3.0]
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(sorted(_PEOPLE)),
    st.sampled_from(sorted(_NESTED)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), _VALUES), min_size=1, max_size=3),
)
def test_damage_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, kind: str, nested: str, edits: list[tuple[float, Any]]
) -> None:
    make = _PEOPLE[kind]
    content = json.loads(json.dumps(_NESTED[nested]([[make(0), make(500)], [], [make(3)]])))
    for where, value in edits:
        _replace(content, where, copy.deepcopy(value))
    path = _save(tmp_path_factory.mktemp("damaged") / "a.json", content)
    try:
        sequence = read(path)
    except KinegraphError as error:
        lines = str(error).splitlines()
    else:
        lines = []
        assert np.isfinite(sequence.positions[sequence.seen]).all()
    assert len(lines) < 2


def _replace(content: Any, where: float, value: Any) -> None:
    """Walk down to a place, by the digits of a number, and put a value there."""
    while True:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        if not keys:
            return
        place = where * len(keys)
        key, where = keys[int(place)], place - int(place)
        if where < 0.3 or not isinstance(content[key], list | dict):
            content[key] = value
            return
        content = content[key]
