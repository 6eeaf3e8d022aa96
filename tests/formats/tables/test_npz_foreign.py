"""Arrays that others saved: paths through lists, landmarks with visibility, axes in another order, SMPL's rotations."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import FormatError
from kinegraph.formats import read
from kinegraph.formats.arrays import load
from kinegraph.skeleton import get_skeleton, map_joints

RNG = np.random.default_rng(0)
POSE = RNG.uniform(50, 400, (17, 2))
WALK = POSE + np.arange(40.0)[:, None, None]  # 40 frames


# ---- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_path_goes_through_lists(tmp_path: Path, kind: type) -> None:
    """VideoPose3D's own 2D files: a list of cameras under each action."""
    data = {"S1": {"Walking": kind(WALK + 10 * camera for camera in range(3))}}
    path = tmp_path / "data_2d.npz"
    np.savez(path, positions_2d=np.array(data, dtype=object), metadata=np.array({"layout_name": "coco"}))
    sequence = read(path, key="positions_2d/S1/Walking/2", skeleton="coco17")
    np.testing.assert_array_equal(sequence.positions[0], WALK + 20)
    for key, match in (
        ("positions_2d/S1/Walking", r"'0', '1', '2'; go on, as in --read key=positions_2d/S1/Walking/0 "),
        ("positions_2d/S1/Walking/3", r"no '3' on the way .* there are '0', '1', '2'"),
        ("positions_2d/S1/Walking/0/0", "there are no more names but a ndarray"),
    ):
        with pytest.raises(FormatError, match=match):
            read(path, key=key, skeleton="coco17")


def test_a_list_of_numbers_is_no_further_path(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": {"b": [1.0, 2.0]}}))
    with pytest.raises(FormatError, match=r"'a/b' is a list; expected an array of numbers"):
        read(tmp_path / "a.pkl", key="a/b", skeleton="coco17")


# ---- axes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("people", [1, 2])
def test_frames_before_people(tmp_path: Path, people: int) -> None:
    array = np.stack([WALK + 500 * person for person in range(people)], axis=1)
    np.savez(tmp_path / "a.npz", keypoints=array, scores=np.full(array.shape[:-1], 0.5))
    sequence = read(tmp_path / "a.npz", skeleton="coco17")
    np.testing.assert_array_equal(sequence.positions, array.swapaxes(0, 1))
    assert sequence.confidence is not None
    assert sequence.confidence.max() == 0.5
    assert any("taken as (frames, people, joints, 2)" in note for note in sequence.notes)
    scored = np.concatenate([array, np.ones((*array.shape[:-1], 1))], axis=-1)
    np.save(tmp_path / "b.npy", scored)
    assert (read(tmp_path / "b.npy", skeleton="coco17", dims=2).people, scored.shape[0]) == (people, 40)
    # In memory the axes are ours to state.
    memory = load(array, skeleton="coco17")
    assert memory.people == 40
    assert any("array.swapaxes(0, 1)" in note for note in memory.notes)


@pytest.mark.parametrize(
    "array",
    [
        RNG.uniform(0, 400, (40, 1, 17, 2)),  # other people
        np.tile(POSE, (40, 1, 1, 1)),  # copies of one
        (POSE + np.arange(9.0)[:, None, None])[:, None],  # few
        np.tile(WALK[:40], (12, 1, 1, 1)),  # fewer people than frames
        np.stack([WALK[t : t + 5] for t in range(30)]),  # windows of one recording
    ],
)
def test_people_before_frames(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    sequence = read(tmp_path / "a.npy", skeleton="coco17")
    assert (sequence.people, sequence.frames) == array.shape[:2]
    assert not any("taken as (frames" in note for note in sequence.notes)


# ---- MediaPipe ------------------------------------------------------------------------------------------------------


def _landmarks() -> np.ndarray:
    """(frames, 33, 4) in the image, of somebody upright: x, y, z and visibility."""
    index = np.arange(33)
    pose = np.stack([0.3 + 0.01 * index, 0.2 + 0.01 * index, 0.001 * (index - 23.5), np.full(33, 0.75)], axis=1)
    return pose + 0.001 * np.arange(5)[:, None, None] * [1, 0, 0, 0]


@pytest.mark.parametrize("flat", [False, True])
def test_landmarks_with_their_visibility(tmp_path: Path, flat: bool) -> None:
    array = _landmarks()
    np.save(tmp_path / "a.npy", array.reshape(5, -1) if flat else array)
    both: tuple[dict[str, Any], ...] = ({}, {"dims": 2})
    for options in both:
        sequence = read(tmp_path / "a.npy", skeleton="mediapipe33", **options)
        assert (sequence.dims, sequence.unit, sequence.space) == (2, "normalized", "image")
        np.testing.assert_array_equal(sequence.positions[0], array[..., :2])
        np.testing.assert_array_equal(sequence.confidence, array[None, ..., 3])
    solid = read(tmp_path / "a.npy", skeleton="mediapipe33", dims=3)
    assert (solid.dims, solid.unit) == (3, "m")
    array[0, 0, 3] = 7
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FormatError, match=r"the fourth numbers of the array run from 0\.75 to 7"):
        read(tmp_path / "a.npy", skeleton="mediapipe33")


@pytest.mark.parametrize("numbers", [3, 4])
def test_landmarks_that_are_asked_for_in_2d(tmp_path: Path, numbers: int) -> None:
    """Whoever lifts asks for 2D: z of the image is left out, and a world refused."""
    array = _landmarks()[..., :numbers]
    np.save(tmp_path / "a.npy", array)
    sequence = read(tmp_path / "a.npy", skeleton="mediapipe33", dims=2)
    np.testing.assert_array_equal(sequence.positions[0], array[..., :2])
    array[..., :3] -= (array[:, 23:24, :3] + array[:, 24:25, :3]) / 2
    array[..., :3] *= [3, 5, 1]
    np.save(tmp_path / "a.npy", array)
    assert read(tmp_path / "a.npy", skeleton="mediapipe33").space == "camera"
    with pytest.raises(FormatError, match="no landmarks in the image; expected fractions of it.* need no lifting"):
        read(tmp_path / "a.npy", skeleton="mediapipe33", dims=2)


def test_three_numbers_of_mediapipe_mean_the_same_in_memory(tmp_path: Path) -> None:
    array = _landmarks()[..., :3]
    np.save(tmp_path / "a.npy", array)
    memory, file = load(array, skeleton="mediapipe33"), read(tmp_path / "a.npy", skeleton="mediapipe33")
    assert memory.dims == file.dims == 2
    assert memory.notes == file.notes


def test_four_numbers_of_another_layout_may_be_quaternions(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((5, 17, 4), 0.5))
    with pytest.raises(FormatError, match=r"has shape \(5, 17, 4\)"):
        read(tmp_path / "a.npy", skeleton="h36m17")


# ---- units and body models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "unit"), [(100, "cm"), (1000, "mm")])
def test_the_unit_that_the_size_tells_is_named(tmp_path: Path, scale: float, unit: str) -> None:
    array = RNG.uniform(0, 1, (5, 17, 3)) * scale
    np.savez(tmp_path / "a.npz", keypoints3d=array)
    with pytest.raises(FormatError, match=f"of a body of this size it would be {unit}"):
        read(tmp_path / "a.npz", skeleton="coco17")
    read_as = read(tmp_path / "a.npz", skeleton="coco17", unit=unit)
    np.testing.assert_allclose(read_as.positions[0], array / scale)


@pytest.mark.parametrize(
    ("key", "shape", "beside"),
    [
        ("poses", (40, 156), ("betas", "trans", "mocap_framerate")),
        ("poses", (40, 72), ("trans",)),
        ("poses", (40, 24, 3), ("betas",)),
        ("poses", (40, 165), ("root_orient", "mocap_frame_rate")),
        ("smpl_poses", (40, 72), ("smpl_trans", "smpl_scaling")),
    ],
)
def test_rotations_of_smpl_are_refused(
    tmp_path: Path, key: str, shape: tuple[int, ...], beside: tuple[str, ...]
) -> None:
    path = tmp_path / "a.npz"
    arrays: dict[str, Any] = {key: RNG.normal(size=shape) * 0.3, **dict.fromkeys(beside, np.zeros(3))}
    np.savez(path, **arrays)
    for options in ({}, {"skeleton": "smpl24"}):
        with pytest.raises(FormatError, match=r"are rotations of SMPL; expected positions of joints\. Run the body"):
            read(path, key=key, **options)


def test_positions_called_poses_are_read(tmp_path: Path) -> None:
    poses = RNG.normal(size=(4, 17, 3))
    np.savez(tmp_path / "a.npz", poses=poses, trans=np.zeros((4, 3)))
    np.testing.assert_array_equal(read(tmp_path / "a.npz", skeleton="h36m17").positions[0], poses)
    np.savez(tmp_path / "b.npz", poses=RNG.normal(size=(4, 24, 3)), fps=30)
    assert read(tmp_path / "b.npz", skeleton="smpl24").frames == 4


def test_smpls_joints_are_where_the_names_of_others_expect_them() -> None:
    """The rest pose of the mean body, rounded to centimetres (y up), against anatomy."""
    height = {"pelvis": 95, "hip": 86, "spine1": 106, "knee": 48, "spine2": 120, "ankle": 8, "spine3": 125, "foot": 3}
    height |= {"neck": 146, "collar": 138, "head": 155, "shoulder": 140, "elbow": 139, "wrist": 139, "hand": 138}
    for name in ("smpl22", "smpl24"):
        layout = get_skeleton(name)
        rest = np.array([[0.0, height[j.rpartition("_")[2]], 0.0] for j in layout.joints])
        mapped, confidence = map_joints(layout, get_skeleton("h36m17")).apply(rest)
        assert confidence.all()
        at = dict(zip(get_skeleton("h36m17").joints, mapped[:, 1], strict=True))
        assert (at["pelvis"], at["thorax"], at["nose"]) == (86, 140, 155)
        assert 105 <= at["spine"] <= 121
        assert 168 <= at["head"] <= 178
