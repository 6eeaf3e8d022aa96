"""The CMU actions: splits, columns, windows, mirror, kinematics; on the recordings and on files made here."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from kinegraph.datasets import cmu_actions
from kinegraph.errors import DataError, FormatError
from kinegraph.formats.motion.asf import read_asf
from kinegraph.formats.motion.expmap_text import rest_offsets
from kinegraph.geometry.expmap_euler import file_expmap_to_quaternion
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.skeleton import get_skeleton


@pytest.fixture
def made(tmp_path):
    """A tiny copy: two actions, clips 1 and 4 of train, clip 1 of test."""
    rng = np.random.default_rng(0)
    for part, action, number, frames in (
        ("train", "walking", 1, 21),
        ("train", "walking", 4, 20),
        ("train", "soccer", 1, 12),
        ("test", "walking", 1, 170),
    ):
        place = tmp_path / "cmu_mocap_8actions" / part / action
        place.mkdir(parents=True, exist_ok=True)
        np.savetxt(place / f"{action}_{number}.txt", rng.normal(size=(frames, 117)) / 5, delimiter=",", fmt="%.6g")
    return tmp_path


def test_splits_phases_and_survey(made):
    train = cmu_actions.load(made, "train", phases=2)
    assert {clip.name: len(clip.features) for clip in train.clips} == {
        "soccer/soccer_1": 6,
        "soccer/soccer_1+1": 6,
        "walking/walking_1": 11,
        "walking/walking_1+1": 10,
    }
    val = cmu_actions.load(made / "cmu_mocap_8actions", "val")
    assert [clip.name for clip in val.clips] == ["walking/walking_4"]
    assert len(cmu_actions.load(made, "all-train").clips) == 3
    only = cmu_actions.load(made, "train", actions=("walking",))
    assert (only.actions, len(only.clips), only.clips[0].action) == (("walking",), 1, 0)
    raw = np.loadtxt(made / "cmu_mocap_8actions/train/walking/walking_1.txt", delimiter=",")
    second = next(clip for clip in train.clips if clip.name.endswith("walking_1+1"))
    joint = train.skeleton.index("left_elbow")
    column = 3 + 3 * get_skeleton("cmu38").index("left_elbow")
    np.testing.assert_allclose(second.features[:, joint], raw[1::2, column : column + 3])
    assert not second.features[:, train.skeleton.root].any()
    found = cmu_actions.survey(made)
    assert found.actions("train") == ("soccer", "walking")
    assert "walking (clips 2, 3, 5)" in found.notes[0]
    assert "soccer (clips 1)" in found.notes[1]


def test_what_is_wrong_is_said(made, tmp_path):
    with pytest.raises(DataError, match="did you mean 'train'"):
        cmu_actions.load(made, "trian")
    with pytest.raises(DataError, match="phases 2 of split test"):
        cmu_actions.load(made, "test", phases=2)
    with pytest.raises(DataError, match="'walkin' is no CMU action"):
        cmu_actions.load(made, "train", actions=("walkin",))
    with pytest.raises(DataError, match="expmap or positions"):
        cmu_actions.load(made, "train", "angles")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no clips of split val"):
        cmu_actions.load(made, "val", actions=("soccer",))
    with pytest.raises(DataError, match="no CMU actions here"):
        cmu_actions.load(tmp_path / "nowhere", "train")
    (made / "cmu_mocap_8actions/train/walkin").mkdir()
    with pytest.raises(DataError, match="did you mean 'walking'"):
        cmu_actions.load(made, "train")
    (made / "cmu_mocap_8actions/train/walkin").rmdir()
    np.savetxt(made / "cmu_mocap_8actions/train/walking/walking_2.txt", np.zeros((5, 99)), delimiter=",")
    with pytest.raises(FormatError, match="99 columns; expected 117"):
        cmu_actions.load(made, "train")


def test_starts_are_the_protocols():
    rng = np.random.RandomState(1234567890)
    assert cmu_actions.protocol_starts(300).tolist() == [rng.randint(0, 225) for _ in range(8)]
    assert cmu_actions.protocol_starts(300).tolist() == cmu_actions.protocol_starts(300).tolist()
    with pytest.raises(DataError, match="more than 75"):
        cmu_actions.protocol_starts(75)


def test_network_skeletons():
    angles, positions = cmu_actions.network_skeleton("expmap"), cmu_actions.network_skeleton("positions")
    assert (angles.num_joints, positions.num_joints) == (27, 26)
    assert angles.joints[angles.root] == positions.joints[positions.root] == "pelvis"
    assert len(cmu_actions.COLUMNS) == 64


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_mirrored_twice_is_the_same_and_it_can_be_sent_to_a_process(representation):
    skeleton = cmu_actions.network_skeleton(representation)
    mirror = pickle.loads(pickle.dumps(cmu_actions.mirror_of(skeleton, representation)))
    x = np.random.default_rng(0).normal(size=(4, skeleton.num_joints, 3))
    assert not np.allclose(mirror(x), x)
    np.testing.assert_array_equal(mirror(mirror(x)), x)


def test_mirrored_angles_give_mirrored_positions():
    """Forward kinematics on a body that is itself symmetric: the mean of the two sides' bones."""
    rig = get_skeleton("cmu38")
    order = list(rig.mirror)
    offsets = rest_offsets("cmu38")
    offsets = (offsets + offsets[order] * [-1, 1, 1]) / 2
    skeleton = cmu_actions.network_skeleton("expmap")
    features = np.random.default_rng(1).normal(size=(6, 27, 3)) * 0.7
    features[:, 0] = 0

    def positions(x):
        whole = np.zeros((len(x), 38, 3))
        whole[:, [rig.index(j) for j in skeleton.joints]] = x
        return forward_kinematics(rig.parents, file_expmap_to_quaternion(whole), offsets)[0]

    mirrored = positions(cmu_actions.mirror_of(skeleton, "expmap")(features))
    np.testing.assert_allclose(mirrored, positions(features)[:, order] * [-1, 1, 1], atol=1e-12)


# ---------------------------------------------------------------------------------------------- the recordings


def test_the_columns_that_move_are_convention_a(shared_data):
    mean, deviation = cmu_actions.statistics(shared_data)
    moving = [c for c in np.flatnonzero(deviation >= 1e-4) if c >= 6]
    assert moving == list(cmu_actions.COLUMNS)
    assert mean.shape == (117,)


def test_real_splits(shared_data):
    train, val = (cmu_actions.load(shared_data, split) for split in ("train", "val"))
    assert (len(train.clips), len(val.clips)) == (25, 7)
    assert not {clip.name for clip in train.clips} & {clip.name for clip in val.clips}
    assert {val.actions[clip.action] for clip in val.clips} == {train.actions[clip.action] for clip in train.clips}
    test = cmu_actions.load(shared_data, "test", "positions")
    assert {test.actions[clip.action] for clip in test.clips} == {*cmu_actions.COMPLETE, "washwindow"}
    height = [clip.features[:, test.skeleton.index("head"), 1].mean() for clip in test.clips]
    assert min(height) > 0.3
    assert max(height) < 0.6  # head above pelvis, metres


def test_a_planted_foot_stands_only_with_this_sign(shared_data):
    rows = cmu_actions.read_clip(shared_data / "cmu_mocap_8actions/test/walking/walking_1.txt")[1:]
    rig = get_skeleton("cmu38")
    offsets = np.tile(rest_offsets("cmu38"), (len(rows), 1, 1))
    offsets[:, 0] = rows[:, :3] * 0.0254 / 0.45
    turns = file_expmap_to_quaternion(rows[:, 3:].reshape(-1, 38, 3))
    foot = forward_kinematics(rig.parents, turns, offsets)[0][:, rig.index("left_toe_base")]
    speed = np.linalg.norm(np.diff(foot, axis=0), axis=-1) * 120
    assert np.percentile(speed, 20) < 0.2  # m/s; 1.7 with the other sign


def test_rest_offsets_are_subject_two_of_the_database(shared_data):
    found = {bone.name: np.array(bone.vector) for bone in read_asf(shared_data / "cmu_asfamc/02/02.asf").bones}
    offsets = rest_offsets("cmu38")
    rig = get_skeleton("cmu38")
    for joint, bone in {
        "left_hip": "lhipjoint",
        "right_knee": "rfemur",
        "left_ankle": "ltibia",
        "right_toe_base": "rfoot",
        "left_toe": "ltoes",
        "spine": "lowerback",
        "thorax": "upperback",
        "neck": "lowerneck",
        "head": "upperneck",
        "head_top": "head",
        "left_shoulder": "lclavicle",
        "right_elbow": "rhumerus",
        "left_wrist": "lradius",
        "left_hand_index": "lhand",
        "right_hand_tip": "rfingers",
        "left_thumb": "lthumb",
    }.items():
        np.testing.assert_allclose(offsets[rig.index(joint)], found[bone], atol=1e-6)
