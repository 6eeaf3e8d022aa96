"""One line from a path, a sequence or an array to 3D, the action and the future."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifting_people import keypoints, motion

import kinegraph as kg
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.inference.quick import lifter_for


@pytest.fixture(scope="module")
def two_d() -> kg.SkeletonSequence:
    return keypoints(motion())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda s: kg.lift(None), "found NoneType None; expected a file, a SkeletonSequence or an array"),
        (lambda s: kg.recognize(3), "found int 3; expected a file, a SkeletonSequence or an array"),
        (lambda s: kg.load([[1, 2], [3]]), "found a list that is no array of numbers"),
        (lambda s: kg.load({"a": 1}), "found a dict that is no array of numbers"),
        (lambda s: kg.forecast(s, "1"), "a forecast of '1' s: expected a time above 0 s"),
        (lambda s: kg.forecast(s, float("nan")), "a forecast of nan s: expected a time above 0 s"),
        (lambda s: kg.save(s, None), "the file to write: found NoneType None; expected a path or a name"),
        (lambda s: kg.get_skeleton(3), "a layout's name, a file or a Skeleton: found int 3"),
        (
            lambda s: kg.Recognizer.from_pretrained(3),
            "the weights' folder, or a name: found int 3; expected a path",
        ),
        (lambda s: kg.Lifter.from_pretrained(3.5), "the weights' folder, or a name: found float 3.5"),
        (lambda s: kg.live(3), "a layout's name, a file or a Skeleton: found int 3"),
        (lambda s: list(kg.lift_files(3)), "found int 3; expected a folder, or paths"),
        (lambda s: list(kg.lift_files([3])), "a recording: found int 3; expected a path or a name"),
    ],
)
def test_what_is_no_source_is_named(call: Callable[[kg.SkeletonSequence], Any], said: str) -> None:
    with pytest.raises(KinegraphError) as error:
        call(keypoints(motion()))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_path_a_sequence_and_an_array_give_the_same(two_d: kg.SkeletonSequence, tmp_path: Path) -> None:
    kg.save(two_d, tmp_path / "k.npz")
    first = kg.lift(two_d)
    np.testing.assert_allclose(kg.lift(tmp_path / "k.npz").positions, first.positions)
    np.testing.assert_allclose(kg.lift(str(tmp_path / "k.npz")).positions, first.positions)
    array = np.concatenate([two_d.positions[0], np.ones((two_d.frames, two_d.joints, 1))], axis=-1)
    name = two_d.skeleton.name
    for given in (array, array[..., :2], two_d.positions):
        got = kg.lift(given, skeleton=name, fps=two_d.fps, read={"image_size": two_d.image_size})
        np.testing.assert_allclose(got.positions, first.positions)


def test_a_file_is_resampled_to_a_rate_and_told_one_it_lacks(two_d: kg.SkeletonSequence, tmp_path: Path) -> None:
    kg.save(two_d, tmp_path / "told.npz")
    kg.save(two_d.replace(fps=None), tmp_path / "untold.npz")
    half = kg.lift(tmp_path / "told.npz", fps=15)
    assert (half.frames, half.fps) == (two_d.frames // 2, 15)
    np.testing.assert_allclose(half.positions, kg.lift(two_d, fps=15).positions)
    assert (kg.lift(tmp_path / "untold.npz", fps=15).frames, two_d.fps) == (two_d.frames, 30)
    for fps in (0, float("nan"), 1e5):
        with pytest.raises(ConfigError, match="is no frame rate"):
            kg.lift(tmp_path / "told.npz", fps=fps)


def test_the_result_is_an_upright_world(two_d: kg.SkeletonSequence) -> None:
    got = kg.lift(two_d)
    assert (got.space, got.up, got.unit) == ("world", "y", "m")
    head, ankle = (got.positions[0, :, got.skeleton.index(n), 1] for n in ("head", "left_ankle"))
    assert (head - ankle).min() > 0.8
    assert kg.lift(two_d, space="camera").space == "camera"


def test_choices_reach_the_lifter(two_d: kg.SkeletonSequence) -> None:
    assert np.allclose(kg.lift(two_d, root="relative", space="camera").positions[:, :, 0], 0)
    with pytest.raises(ConfigError, match="did you mean 'people'"):
        kg.lift(two_d, poeple="main")
    with pytest.raises(ConfigError, match="choose world or camera"):
        kg.lift(two_d, space="moon")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="expected a Lifter"):
        kg.lift(two_d, model=3)  # type: ignore[arg-type]


def test_relative_roots_stay_at_the_origin_of_the_world(two_d: kg.SkeletonSequence) -> None:
    world, placed = kg.lift(two_d, root="relative"), kg.lift(two_d)
    assert (world.space, world.up, world.contact) == ("world", "y", None)
    np.testing.assert_allclose(world.positions[:, :, 0], 0, atol=1e-12)
    # the same bodies, upright: only where they stand is not told
    limbs = [sequence.positions - sequence.positions[:, :, :1] for sequence in (world, placed)]
    np.testing.assert_allclose(*limbs, atol=1e-9)
    assert any(note.endswith("the root stays at the origin") for note in world.notes)
    assert not any("floor" in note for note in world.notes)


def test_2d_is_lifted_before_it_is_recognised_or_forecast(two_d: kg.SkeletonSequence) -> None:
    found = kg.recognize(two_d)
    assert any("lifted by" in note for note in found.notes)
    assert found.people[0].scores.sum() == pytest.approx(1)
    future = kg.forecast(two_d, 0.5)
    assert (future.frames, future.fps) == (15, 30)
    assert any("lifted by" in note for note in future.notes)
    # what was said of the lifted joints' own estimates and contacts is not said of what comes next
    assert any(note.startswith("contact: ") for note in kg.lift(two_d).notes)
    for made in (found, future):
        assert not any(note.startswith("contact: ") for note in made.notes)
    said = [note for note in future.notes if "relative to the root are expected" in note]
    assert not said
    assert any("level from side to side" in note for note in future.notes)


def test_acclaim_files_keep_their_rotations(shared_data: Path) -> None:
    future = kg.forecast(shared_data / "cmu_asfamc" / "02" / "02_01.amc", 0.1)
    assert future.rotations is not None
    assert "walking" in kg.recognize(shared_data / "cmu_asfamc" / "02" / "02_01.amc").actions


def test_forecasts_take_arrays_and_baselines() -> None:
    still = np.zeros((40, 17, 3)) + np.random.default_rng(0).normal(size=(17, 3)) * 0.4
    got = kg.forecast(still, 0.2, skeleton="h36m17", fps=50, model="zero-velocity")
    np.testing.assert_allclose(got.positions[0], still[:10], atol=1e-6)
    with pytest.raises(DataError, match="no frame rate"):
        kg.forecast(still, 0.2, skeleton="h36m17", model="zero-velocity")


def test_a_layout_that_does_not_fit_is_refused(two_d: kg.SkeletonSequence, shared_data: Path) -> None:
    with pytest.raises(KinegraphError, match="to_skeleton"):
        kg.lift(two_d, skeleton="body25")
    with pytest.raises(ConfigError, match="name their joints themselves"):
        kg.forecast(shared_data / "cmu_bvh" / "07" / "07_01.bvh", 1, skeleton="h36m17")


@pytest.mark.parametrize("clip", [0, 1, 2])
def test_real_people_walk_upright(clip: int, shared_data: Path, tmp_path: Path) -> None:
    """As a user would: a folder of OpenPose frames to a BVH, read again."""
    kg.save(kg.lift(shared_data / "openpose_json" / f"clip_{clip}", people="main"), tmp_path / "out.bvh")
    walk = kg.load(tmp_path / "out.bvh")
    joint = walk.skeleton.index
    height = walk.positions[0, ..., 1]
    hips, ankles = height[:, joint("pelvis")], height[:, [joint("left_ankle"), joint("right_ankle")]]
    assert np.median(height[:, joint("head")] - ankles.mean(axis=1)) > 1.2
    assert 0.6 < np.median(hips) < 1.2
    assert np.percentile(ankles.min(axis=1), 5) > -0.05
    assert np.median(ankles.min(axis=1)) < 0.2


def test_importing_costs_no_torch() -> None:
    script = "import sys, kinegraph; dir(kinegraph); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("frames", "choices", "window"),
    [(12, {}, 9), (1, {}, 1), (3, {"stills": True}, 1), (1, {"model": "lift-temporal"}, 9), (12, {"model": "lift"}, 1)],
)
def test_pictures_and_videos_have_a_network_of_their_own(frames: int, choices: dict[str, Any], window: int) -> None:
    recording = keypoints(motion(frames))
    chosen = lifter_for(recording, choices.get("model"), stills=choices.get("stills", False))
    assert chosen.frames == window
    assert kg.lift(recording, **choices).frames == frames


def test_weights_that_are_calibrated_meanwhile_are_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    shutil.copytree(Path(kg.__file__).parent / "weights_data" / "lift", folder)
    table = folder / "calibration.json"
    stated = table.read_bytes()
    table.unlink()
    walk = keypoints(motion()).slice_frames(0, 4)
    assert kg.lift(walk, model=folder).uncertainty is None
    table.write_bytes(stated)
    assert kg.lift(walk, model=folder).uncertainty is not None


def test_a_name_stands_for_the_folder_it_has_now(
    tmp_path: Path, two_d: kg.SkeletonSequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the package, then in another one; so has a relative path after a change of the working folder."""
    assert lifter_for(two_d, "lift-temporal").frames == 9
    shutil.copytree(Path(kg.__file__).parent / "weights_data" / "lift", tmp_path / "lift-temporal")
    with monkeypatch.context() as patch:
        patch.setattr("kinegraph.shipped.FOLDER", tmp_path)
        assert lifter_for(two_d, "lift-temporal").frames == 1
    assert lifter_for(two_d, "lift-temporal").frames == 9
    monkeypatch.chdir(tmp_path)
    assert lifter_for(two_d, "lift-temporal").frames == 1
