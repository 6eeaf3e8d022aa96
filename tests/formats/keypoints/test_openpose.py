"""OpenPose frames: the three real clips, and every way a folder can be odd."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.formats import read, write
from kinegraph.formats.keypoints import openpose
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton


def _person(x: float, joints: int = 25, **more: object) -> dict[str, object]:
    """Somebody standing at x: joints one below the other, 10 px apart, confidence 0.5."""
    return {"pose_keypoints_2d": [v for j in range(joints) for v in (x, 100.0 + 10 * j, 0.5)], **more}


def _frame(folder: Path, number: int, *people: dict[str, object], prefix: str = "") -> None:
    file = folder / f"{prefix}{number:012d}_keypoints.json"
    file.write_text(json.dumps({"version": 1.3, "people": list(people)}))


@pytest.mark.parametrize(
    ("clip", "people", "frames", "missing"), [("clip_0", 1, 441, 358), ("clip_1", 1, 81, 3), ("clip_2", 2, 411, 385)]
)
def test_real_clips_are_read_in_full(shared_data: Path, clip: str, people: int, frames: int, missing: int) -> None:
    folder = shared_data / "openpose_json" / clip
    assert len(list(folder.iterdir())) == frames
    sequence = read(folder, fps=30)
    assert sequence.positions.shape == (people, frames, 25, 2)
    assert (sequence.skeleton.name, sequence.unit, sequence.space, sequence.fps) == ("body25", "px", "image", 30)
    assert int((~sequence.seen[0]).sum()) == missing
    assert not (sequence.positions == 0).all(axis=-1).any()
    # An independent reading of one frame.
    file = sorted(folder.iterdir())[7]
    raw = np.array(json.loads(file.read_text())["people"][0]["pose_keypoints_2d"]).reshape(25, 3)
    expected = np.where(raw[:, 2:] > 0, raw[:, :2], np.nan)
    np.testing.assert_array_equal(sequence.positions[0, 7], expected)
    np.testing.assert_array_equal(sequence.confidence[0, 7], raw[:, 2])


def test_the_false_second_person_of_clip_2_can_be_left_out(shared_data: Path) -> None:
    clip = shared_data / "openpose_json" / "clip_2"
    assert read(clip, min_frames=2).people == 1
    assert read(clip, people=1).people == 1
    whole = read(clip)
    np.testing.assert_array_equal(whole.seen.any(axis=2).sum(axis=1), [411, 1])


def test_gaps_in_the_numbers_are_missing_frames(tmp_path: Path) -> None:
    for number in (30, 31, 34, 35):
        _frame(tmp_path, number, _person(number))
    sequence = read(tmp_path)
    assert sequence.frames == 6
    np.testing.assert_array_equal(sequence.seen.any(axis=(0, 2)), [True, True, False, False, True, True])
    assert sequence.positions[0, 4, 0, 0] == 34
    assert any("2 frames are not there" in note for note in sequence.notes)
    assert any("frame 30 of the video" in note for note in sequence.notes)


def test_every_fifth_frame_is_a_video_of_a_fifth_of_the_rate(tmp_path: Path) -> None:
    for number in (0, 5, 10, 20):
        _frame(tmp_path, number, _person(number))
    sequence = read(tmp_path, fps=30)
    assert (sequence.frames, sequence.fps) == (5, 6)


def test_names_sort_by_number_not_by_text(tmp_path: Path) -> None:
    for number in (9, 10, 11):
        (tmp_path / f"f{number}_keypoints.json").write_text(json.dumps({"people": [_person(number)]}))
    np.testing.assert_array_equal(read(tmp_path).positions[0, :, 0, 0], [9, 10, 11])


def test_empty_frames_stay_in_time(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(5))
    _frame(tmp_path, 1)
    _frame(tmp_path, 2, _person(6))
    sequence = read(tmp_path)
    np.testing.assert_array_equal(sequence.seen.any(axis=(0, 2)), [True, False, True])


def test_zero_triples_are_missing_and_never_the_origin(tmp_path: Path) -> None:
    person = _person(50)
    person["pose_keypoints_2d"][3:6] = [0, 0, 0]
    person["pose_keypoints_2d"][6:9] = [0, 0, 0.3]  # what ultralytics-like exporters leave
    _frame(tmp_path, 0, person)
    sequence = read(tmp_path)
    assert np.isnan(sequence.positions[0, 0, 1:3]).all()
    np.testing.assert_array_equal(sequence.confidence[0, 0, :4], [0.5, 0, 0, 0.5])


def test_people_who_swap_places_in_the_list_keep_their_identity(tmp_path: Path) -> None:
    for number in range(6):
        people = [_person(100 + number), _person(900 + number)]
        _frame(tmp_path, number, *(people if number % 2 else people[::-1]))
    sequence = read(tmp_path)
    assert sequence.people == 2
    np.testing.assert_array_equal(np.sort(sequence.positions[:, 0, 0, 0]), [100, 900])
    assert (np.diff(sequence.positions[:, :, 0, 0], axis=1) == 1).all()
    listed = read(tmp_path, tracking="order")
    assert (np.abs(np.diff(listed.positions[:, :, 0, 0], axis=1)) > 700).all()


def test_who_is_listed_and_unseen_keeps_their_place_in_the_order(tmp_path: Path) -> None:
    unseen = {"pose_keypoints_2d": [0.0] * 75}
    for number in range(4):
        _frame(tmp_path, number, unseen if number == 2 else _person(103), _person(503))
    there = read(tmp_path, tracking="order").positions[:, :, 0, 0]
    np.testing.assert_array_equal(there, [[103, 103, np.nan, 103], [503, 503, 503, 503]])


def test_person_ids_are_believed(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(10, person_id=[4]), _person(500, person_id=[2]))
    _frame(tmp_path, 1, _person(500, person_id=[4]), _person(10, person_id=[2]))
    sequence = read(tmp_path)
    np.testing.assert_array_equal(sequence.positions[:, :, 0, 0], [[500, 10], [10, 500]])
    followed = read(tmp_path, tracking="distance")
    np.testing.assert_array_equal(followed.positions[:, :, 0, 0], [[10, 10], [500, 500]])


def _scaled(folder: Path, of_pixels: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Two frames of somebody in an image of 1000 x 500, as OpenPose writes them with another scale."""
    folder.mkdir()
    for number, x in enumerate((480.0, 520.0)):
        person = _person(x)
        values = np.array(person["pose_keypoints_2d"]).reshape(25, 3)
        values[:, :2] = of_pixels(values[:, :2] / [1000, 500])
        _frame(folder, number, {"pose_keypoints_2d": values.ravel().tolist()})
    return folder


def test_scales(tmp_path: Path) -> None:
    """Fractions from 0 to 1 (scale 3) and from -1 to 1 (scale 4) are the same places."""
    three, four = _scaled(tmp_path / "3", lambda v: v), _scaled(tmp_path / "4", lambda v: 2 * v - 1)
    right = _scaled(tmp_path / "right", lambda v: np.abs(2 * v - 1))  # nobody left or above: it does not tell itself
    expected = read(three)
    assert expected.unit == "normalized"
    np.testing.assert_allclose(expected.positions[0, :, 0], [[0.48, 0.2], [0.52, 0.2]])
    for told in ({}, {"keypoint_scale": 4}):
        found = read(four, **told)
        np.testing.assert_allclose(found.positions, expected.positions)
        assert found.unit == "normalized"
        assert any("keypoint_scale 4" in note for note in found.notes)
    assert read(right, keypoint_scale=4).positions.min() >= 0.5
    assert read(right).positions.min() < 0.1
    assert read(three, keypoint_scale=0).unit == "px"
    with pytest.raises(ConfigError, match="keypoint_scale is 5"):
        read(three, keypoint_scale=5)
    _frame(three, 2, _person(3.0))
    with pytest.raises(FormatError, match="beyond the 1 of keypoint_scale 3"):
        read(three, keypoint_scale=3)


def test_fractions_a_little_outside_of_the_image_stay_fractions(tmp_path: Path) -> None:
    values = np.tile([0.3, 0.4, 0.9], (25, 1))
    values[3, 0] = -0.1
    _frame(tmp_path, 0, {"pose_keypoints_2d": values.ravel().tolist()})
    assert read(tmp_path).positions[0, 0, 3, 0] == -0.1


def test_coco18_and_old_key_and_fractions(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    person = {"pose_keypoints": [v for j in range(18) for v in (0.1 + j / 100, 0.5, 0.9)]}
    file.write_text(json.dumps({"people": [person]}))
    sequence = read(file)
    assert (sequence.skeleton.name, sequence.unit, sequence.frames) == ("openpose18", "normalized", 1)


@pytest.mark.parametrize(("joints", "named"), [(135, "BODY_135"), (15, "MPI"), (19, "BODY_19"), (7, "7 keypoints")])
def test_other_sizes_are_refused_by_name(tmp_path: Path, joints: int, named: str) -> None:
    _frame(tmp_path, 0, _person(1, joints))
    with pytest.raises(FormatError, match=named):
        read(tmp_path)


def test_a_layout_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\n[joints]\nhip = ""\nhead = "hip"\n')
    folder = tmp_path / "frames"
    folder.mkdir()
    _frame(folder, 0, _person(1, 2))
    assert read(folder, skeleton=str(own)).skeleton.joints == ("hip", "head")
    with pytest.raises(FormatError, match="'body25' has 25"):
        read(folder, skeleton="body25")


def test_mixed_layouts_name_the_file(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(1, 25))
    _frame(tmp_path, 1, _person(1, 18))
    with pytest.raises(FormatError, match=r"000000000001_keypoints.json: .*18 keypoints.*25"):
        read(tmp_path)


def test_two_clips_in_a_folder(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(1), prefix="a_")
    _frame(tmp_path, 0, _person(2), prefix="b_")
    with pytest.raises(FormatError, match=r"2 clips .*--read clip=a_ \(clip= in Python\)"):
        read(tmp_path)
    assert read(tmp_path, clip="b_").positions[0, 0, 0, 0] == 2


def test_no_clip_is_chosen_of_one_file(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(1))
    file = next(tmp_path.iterdir())
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps([json.loads(file.read_text())]))
    for one in (file, listed):
        for path_or_format in (None, "openpose"):
            with pytest.raises(FormatError, match="leave clip out"):
                read(one, path_or_format, clip="a_")


def test_numbers_too_sparse_for_a_video(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(1))
    _frame(tmp_path, 10**9, _person(1))
    with pytest.raises(FormatError, match="only 2 frames"):
        read(tmp_path)


def test_nobody_anywhere(tmp_path: Path) -> None:
    _frame(tmp_path, 0)
    with pytest.raises(FormatError, match="no people in 1 frame"):
        read(tmp_path)


def test_nan_is_refused_with_joint_and_file(tmp_path: Path) -> None:
    person = _person(1)
    person["pose_keypoints_2d"][0] = float("nan")
    _frame(tmp_path, 0, person)
    with pytest.raises(FormatError, match="joint 'nose' is .*nan.* with confidence 0.5"):
        read(tmp_path)


def test_confidences_in_per_cent_are_refused_and_an_overshoot_is_cut_off(tmp_path: Path) -> None:
    person = _person(1)
    person["pose_keypoints_2d"][2] = 2.5  # SimCC's heights
    _frame(tmp_path, 0, person)
    assert read(tmp_path).confidence[0, 0, 0] == 1
    person["pose_keypoints_2d"] = [v * 100 if i % 3 == 2 else v for i, v in enumerate(_person(1)["pose_keypoints_2d"])]
    _frame(tmp_path, 1, person)
    with pytest.raises(FormatError, match="joint 'nose' has confidence 50; expected 0 to 1. Divide per cent by 100"):
        read(tmp_path)


def test_unknown_options_name_the_nearest(tmp_path: Path) -> None:
    _frame(tmp_path, 0, _person(1))
    with pytest.raises(ConfigError, match="did you mean 'people'"):
        read(tmp_path, peple=1)
    with pytest.raises(ConfigError, match="tracking is 'iou'"):
        read(tmp_path, tracking="iou")
    with pytest.raises(ConfigError, match="min_frames is 0"):
        read(tmp_path, min_frames=0)


def test_round_trip_through_a_folder(tmp_path: Path, shared_data: Path) -> None:
    first = read(shared_data / "openpose_json" / "clip_2").slice_frames(0, 40)
    write(first, tmp_path / "out", format="openpose")
    again = read(tmp_path / "out")
    np.testing.assert_array_equal(again.positions, first.positions[:1])
    np.testing.assert_array_equal(again.confidence, first.confidence[:1])
    write(first.slice_frames(0, 1), tmp_path / "one.json", format="openpose")
    assert read(tmp_path / "one.json").frames == 1
    with pytest.raises(KinegraphError, match="40 frames do not fit"):
        write(first, tmp_path / "two.json", format="openpose")
    with pytest.raises(KinegraphError, match="new or empty folder"):
        write(first, tmp_path / "out", format="openpose")


def test_written_fractions_say_that_they_are(tmp_path: Path) -> None:
    """Half of this person is left of the image, which values alone take for coordinates from -1 to 1."""
    positions = np.random.default_rng(0).uniform((-0.5, 0.1), (0.5, 0.9), (1, 3, 25, 2))
    positions[0, 1, 0] = (0.5, 1.5)  # no values that fractions within the image have
    for place, given in ((tmp_path / "out", slice(0, 3)), (tmp_path / "one.json", slice(0, 1))):
        one = SkeletonSequence(positions[:, given], get_skeleton("body25"), unit="normalized", space="image")
        write(one, place, format="openpose")
        again = read(place)
        assert again.unit == "normalized"
        np.testing.assert_array_equal(again.positions, one.positions)
    texts = [json.loads(file.read_text()) for file in sorted((tmp_path / "out").iterdir())]
    (tmp_path / "list.json").write_text(json.dumps({"fps": 30, "frames": texts}))
    np.testing.assert_array_equal(read(tmp_path / "list.json", "openpose").positions, positions)
    with pytest.raises(FormatError, match="keypoint_scale is 3, and 4 was given"):
        read(tmp_path / "out", keypoint_scale=4)
    px = one.replace(positions=one.positions * 500, unit="px")
    write(px, tmp_path / "px.json", format="openpose")
    assert "keypoint_scale" not in json.loads((tmp_path / "px.json").read_text())


@pytest.mark.parametrize("value", [5, -1, "3", 3.0, True, [3]])
def test_a_stated_scale_that_is_none(tmp_path: Path, value: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"keypoint_scale": value, "people": [_person(0.5)]}))
    with pytest.raises(FormatError, match="expected OpenPose's 0 to 4"):
        read(tmp_path / "a.json")


def test_writing_3d_is_refused(tmp_path: Path) -> None:
    solid = SkeletonSequence(np.zeros((1, 1, 17, 3)), get_skeleton("h36m17"))
    with pytest.raises(DataError, match="3D"):
        openpose.write(solid, tmp_path / "out")
    assert not (tmp_path / "out").exists()
