"""COCO annotations and results, AlphaPose's three forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import DataError, FormatError
from kinegraph.formats import detect, read, write
from kinegraph.formats.keypoints import coco
from kinegraph.skeleton import get_skeleton


def _flat(x: float, joints: int = 17, v: float = 2) -> list[float]:
    return [n for j in range(joints) for n in (x + j, 50.0 + 10 * j, v)]


def _save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def _annotations(images: list[dict[str, Any]], annotations: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    full = [{"id": i, "category_id": 1, **a} for i, a in enumerate(annotations)]
    return {"images": images, "annotations": full, "categories": [{"id": 1, "name": "person"}], **more}


@pytest.mark.parametrize(
    ("name", "layout", "labelled"), [("test_coco.json", "coco17", 181), ("test_halpe.json", "halpe26", None)]
)
def test_real_samples(shared_data: Path, name: str, layout: str, labelled: int | None) -> None:
    path = shared_data / "coco_json" / name
    assert detect(path) == "coco"
    sequence = read(path)
    raw = json.loads(path.read_text())
    assert len(raw["images"]) == 4
    assert len(raw["annotations"]) == 14
    joints = get_skeleton(layout).num_joints
    assert sequence.skeleton.name == layout
    assert sequence.positions.shape == (5, 4, joints, 2)
    # 14 annotations, 2 of them without a single keypoint; images in the order listed.
    np.testing.assert_array_equal(sequence.seen.any(axis=2).sum(axis=0), [1, 2, 4, 5])
    flags = [np.array(a["keypoints"]).reshape(-1, 3)[:joints, 2] for a in raw["annotations"]]
    assert int(sequence.seen.sum()) == int(sum((f > 0).sum() for f in flags))
    assert int((sequence.confidence == 0.5).sum()) == int(sum((f == 1).sum() for f in flags))
    if labelled is not None:
        assert int(sequence.seen.sum()) == sum(a["num_keypoints"] for a in raw["annotations"]) == labelled
    assert sequence.image_size is None  # the four photographs differ in size
    assert not sequence.is_video
    assert "no video" in sequence.notes[0]


def test_one_image_by_id_or_name(shared_data: Path) -> None:
    path = shared_data / "coco_json" / "test_coco.json"
    one = read(path, image=785)
    assert (one.people, one.frames, one.image_size, one.is_video) == (1, 1, (640, 425), True)
    np.testing.assert_array_equal(one.positions[0, 0, 0], [367, 81])
    by_name = read(path, image="000000000785.jpg")
    np.testing.assert_array_equal(one.positions, by_name.positions)
    with pytest.raises(FormatError, match="no image 7"):
        read(path, image=7)


def test_a_video_with_track_ids_and_a_gap(tmp_path: Path) -> None:
    images = [{"id": 10 + n, "file_name": f"v/{n:06d}.jpg", "width": 640, "height": 480} for n in (0, 1, 3)]
    people = [
        {"image_id": 10, "keypoints": _flat(5), "track_id": 7},
        {"image_id": 10, "keypoints": _flat(300), "track_id": 9},
        {"image_id": 11, "keypoints": _flat(301), "track_id": 9},
        {"image_id": 13, "keypoints": _flat(8), "track_id": 7},
        {"image_id": 13, "keypoints": _flat(303), "track_id": 9},
    ]
    sequence = read(_save(tmp_path / "v.json", _annotations(images, people)), fps=25)
    assert (sequence.people, sequence.frames, sequence.image_size) == (2, 4, (640, 480))
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [300, 301, np.nan, 303])
    np.testing.assert_array_equal(sequence.positions[1, :, 0, 0], [5, np.nan, np.nan, 8])


def test_several_videos_are_read_one_at_a_time(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.jpg", "video_id": i // 2, "frame_id": i % 2} for i in range(4)]
    path = _save(
        tmp_path / "v.json", _annotations(images, [{"image_id": i, "keypoints": _flat(i + 1)} for i in range(4)])
    )
    with pytest.raises(FormatError, match=r"2 videos.*--read video=\d+ \(video= in Python\)"):
        read(path)
    np.testing.assert_array_equal(read(path, video=1).positions[0, :, 0, 0], [3, 4])


def test_names_in_another_order_are_put_right(tmp_path: Path) -> None:
    names = list(get_skeleton("coco17").joints)[::-1]
    content = _annotations([{"id": 1}], [{"image_id": 1, "keypoints": _flat(5)}])
    content["categories"][0]["keypoints"] = names
    sequence = read(_save(tmp_path / "a.json", content))
    assert sequence.skeleton.name == "coco17"
    np.testing.assert_array_equal(sequence.positions[0, 0, :, 0], 5 + np.arange(17)[::-1])


def test_a_fractional_third_value_is_a_score(tmp_path: Path) -> None:
    keypoints = _flat(5, v=0.25)
    sequence = read(_save(tmp_path / "a.json", _annotations([{"id": 1}], [{"image_id": 1, "keypoints": keypoints}])))
    assert (sequence.confidence == 0.25).all()


def test_results_list_with_gaps(tmp_path: Path) -> None:
    content = [{"image_id": n, "keypoints": _flat(n, v=0.7), "score": 0.9} for n in (4, 5, 7)]
    path = _save(tmp_path / "r.json", content)
    assert detect(path) == "coco"
    sequence = read(path)
    np.testing.assert_array_equal(sequence.seen.any(axis=(0, 2)), [True, True, False, True])
    assert (sequence.confidence[sequence.seen] == 0.7).all()


def test_alphapose_list(tmp_path: Path) -> None:
    content = [
        {"image_id": f"{n}.jpg", "category_id": 1, "keypoints": _flat(x, 26, 1.2), "score": 2.9, "box": [], "idx": i}
        for n in range(12)
        for i, x in ((1, n), (2, 500 + n))
        if n != 6
    ]
    path = _save(tmp_path / "alphapose-results.json", content[::-1])
    assert detect(path) == "alphapose"
    sequence = read(path)
    assert (sequence.skeleton.name, sequence.people, sequence.frames) == ("halpe26", 2, 12)
    assert (sequence.confidence[sequence.seen] == 1).all()  # 1.2 is cut off
    seen = np.array([n for n in range(12) if n != 6])
    np.testing.assert_array_equal(sequence.positions[0, seen, 0, 0], seen)
    assert not sequence.seen[:, 6].any()


@pytest.mark.parametrize("form", ["open", "cmu"])
def test_alphapose_by_image(tmp_path: Path, form: str) -> None:
    def image(x: float) -> dict[str, Any]:
        flat = _flat(x, 18, 0.8)
        return {"people": [{"pose_keypoints_2d": flat}]} if form == "open" else {"bodies": [{"joints": flat}]}

    path = _save(tmp_path / "a.json", {f"{n}.jpg": image(n) for n in (10, 9, 11)})
    assert detect(path) == "alphapose"
    sequence = read(path)
    assert sequence.skeleton.name == "openpose18"
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [9, 10, 11])


def test_ids_that_repeat_within_an_image_are_not_believed(tmp_path: Path) -> None:
    content = [{"image_id": f"{n}.jpg", "keypoints": _flat(x), "idx": 0} for n in range(3) for x in (5, 600)]
    sequence = read(_save(tmp_path / "a.json", content))
    assert sequence.people == 2
    assert sequence.seen.all()


def test_round_trip(tmp_path: Path, shared_data: Path) -> None:
    first = read(shared_data / "openpose_json" / "clip_2", image_size=(640, 720)).slice_frames(380, 411)
    write(first, tmp_path / "a.json", format="coco")
    again = read(tmp_path / "a.json")
    assert again.skeleton == first.skeleton
    assert again.image_size == (640, 720)
    kept = [p for p in range(first.people) if first.seen[p].any()]
    np.testing.assert_array_equal(again.positions, first.positions[kept])
    np.testing.assert_array_equal(again.confidence, first.confidence[kept])


def test_what_coco_cannot_hold(tmp_path: Path, shared_data: Path) -> None:
    clip = read(shared_data / "openpose_json" / "clip_1").slice_frames(0, 2)
    with pytest.raises(DataError, match="2D in px"):
        coco.write(clip.replace(unit="normalized"), tmp_path / "a.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"images": [], "annotations": []}, "none of 0 annotations has keypoints"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 2, "keypoints": _flat(1)}]}, "image 2, which"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": _flat(1)[:50]}]}, "50 numbers"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": _flat(1, 16)}]}, "MPII"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": [1], "keypoints": _flat(1)}]}, "image_id is"),
        ({"images": [{"id": 1}, {"id": 1}], "annotations": []}, "ids are unique"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": ["a"] * 51}]}, "value 0 is 'a'"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": [True] * 51}]}, "value 0 is True"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1, "keypoints": [1e300] * 51}]}, "beyond 1e\\+09"),
        (
            {
                "images": [{"id": 1}],
                "annotations": [{"image_id": 1, "keypoints": _flat(1)}, {"image_id": 1, "keypoints": _flat(1, 26)}],
            },
            "26 keypoints, those before have 17",
        ),
    ],
)
def test_bad_annotations(tmp_path: Path, content: object, match: str) -> None:
    path = _save(tmp_path / "bad.json", content)
    with pytest.raises(FormatError, match=match) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
