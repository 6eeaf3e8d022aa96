"""Maps between layouts: by name, with derived joints, missing ones and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinegraph import Skeleton, get_skeleton, map_joints, skeleton_names
from kinegraph.errors import DataError, SkeletonError
from kinegraph.formats import read
from kinegraph.formats.joints.rig import build_skeleton
from kinegraph.skeleton import contract
from kinegraph.skeleton.mapping import layouts_with_a_root


@pytest.mark.parametrize("name", skeleton_names())
def test_every_layout_maps_to_h36m(name: str) -> None:
    mapping = map_joints(get_skeleton(name), get_skeleton("h36m17"))
    assert "missing" not in mapping.status
    np.testing.assert_allclose(mapping.weights.sum(axis=1), 1.0)
    # A map commutes with the body's mirror: left stays left.
    source, target = np.array(get_skeleton(name).mirror), np.array(get_skeleton("h36m17").mirror)
    np.testing.assert_allclose(mapping.weights[target][:, source], mapping.weights)


def test_coco_to_h36m_by_hand() -> None:
    coco = get_skeleton("coco17")
    x = np.random.default_rng(0).normal(size=(5, 17, 2))
    y, confidence = map_joints(coco, get_skeleton("h36m17")).apply(x)
    h36m = get_skeleton("h36m17").index
    np.testing.assert_allclose(y[:, h36m("pelvis")], (x[:, 11] + x[:, 12]) / 2)
    np.testing.assert_allclose(y[:, h36m("thorax")], (x[:, 5] + x[:, 6]) / 2)
    np.testing.assert_allclose(y[:, h36m("spine")], (x[:, 5] + x[:, 6] + x[:, 11] + x[:, 12]) / 4)
    np.testing.assert_allclose(y[:, h36m("right_ankle")], x[:, 16])
    assert (confidence == 1).all()


def test_missing_sources_stay_missing() -> None:
    coco = get_skeleton("coco17")
    x = np.zeros((1, 17, 2))
    confidence = np.ones((1, 17))
    confidence[0, coco.index("left_hip")] = 0
    x[0, coco.index("left_hip")] = np.nan
    confidence[0, coco.index("left_shoulder")] = 0.3
    mapping = map_joints(coco, get_skeleton("h36m17"))
    y, c = mapping.apply(x, confidence)
    h36m = get_skeleton("h36m17").index
    for joint in ("pelvis", "left_hip", "spine"):
        assert c[0, h36m(joint)] == 0
        assert np.isnan(y[0, h36m(joint)]).all()
    assert c[0, h36m("thorax")] == pytest.approx(0.3)
    assert np.isfinite(y[0, h36m("thorax")]).all()


def test_report_says_what_is_what() -> None:
    report = map_joints(get_skeleton("ntu25"), get_skeleton("coco17")).report()
    assert "missing (left_eye" in report.splitlines()[0].replace("missing (nose, ", "missing (")
    assert "left_knee        exact    left_knee" in report


def test_native_names_are_found_through_landmarks() -> None:
    mapping = map_joints(get_skeleton("h36m17"), get_skeleton("cmu31"))
    cmu = get_skeleton("cmu31")
    row = mapping.weights[cmu.index("lfemur")]
    assert row[get_skeleton("h36m17").index("left_knee")] == 1


@pytest.mark.parametrize("name", skeleton_names())
@pytest.mark.parametrize("target", ["smpl22", "smpl24", "cmu38"])
def test_a_joint_whose_name_means_another_point_is_found_by_its_meaning(name: str, target: str) -> None:
    """The joint 'head' of SMPL and of cmu38 is the skull's base, not the top of the head."""
    source, layout = get_skeleton(name), get_skeleton(target)
    nose, head = source.landmark("nose"), map_joints(source, layout, minimum=0.0).weights[layout.index("head")]
    np.testing.assert_array_equal(head, nose)
    if "head_top" in layout.joints and source.landmark("head_top") is not None:
        assert not np.array_equal(head, map_joints(source, layout).weights[layout.index("head_top")])


def test_a_meaning_that_the_source_lacks_is_missing_though_it_has_the_name() -> None:
    joints = {"pelvis": "", "neck": "pelvis", "head": "neck"}
    target = Skeleton.from_dict({"name": "t", "joints": joints, "landmarks": {"nose": ["head"], "head": {}}})
    mapping = map_joints(Skeleton.from_dict({"name": "s", "joints": joints}), target)
    assert mapping.status == ("exact", "exact", "missing")
    # without a meaning, the name is all there is
    nameless = replace(target, landmarks={"head": {}})
    assert map_joints(Skeleton.from_dict({"name": "s", "joints": joints}), nameless).status == ("exact",) * 3


def test_no_two_joints_of_h36m_are_one_joint_of_cmu38() -> None:
    weights = map_joints(get_skeleton("cmu38"), get_skeleton("h36m17")).weights
    assert len(np.unique(weights, axis=0)) == 17


@pytest.mark.parametrize("target", ["h36m17", "coco17", "body25", "halpe26"])
def test_starts_and_ends_of_acclaim_bones_are_one_body(shared_data: Path, target: str) -> None:
    """cmu38 is where CMU's bones begin and cmu31 where they end; on a third layout both lie in the same places."""
    clip = shared_data / "cmu_asfamc" / "01" / "01_01.amc"
    starts, ends = (read(clip, joints=joints).slice_frames(0, 200, 20) for joints in ("starts", "ends"))
    assert (starts.skeleton.name, ends.skeleton.name) == ("cmu38", "cmu31")
    first, second = (one.to_skeleton(target, minimum=0.2) for one in (starts, ends))
    both = first.seen & second.seen
    assert both.any(axis=(0, 1)).sum() >= 13
    np.testing.assert_allclose(first.positions[both], second.positions[both], atol=1e-3)


@pytest.mark.parametrize("target", ["smpl22", "smpl24"])
def test_the_head_comes_back_from_smpl(shared_data: Path, target: str) -> None:
    ends = read(shared_data / "cmu_asfamc" / "01" / "01_01.amc").slice_frames(0, 10)
    straight, round_about = ends.to_skeleton("h36m17"), ends.to_skeleton(target).to_skeleton("h36m17")
    nose = straight.skeleton.index("nose")
    np.testing.assert_allclose(round_about.positions[:, :, nose], straight.positions[:, :, nose], atol=1e-9)


def test_the_head_of_a_text_file_lies_above_its_nose(shared_data: Path) -> None:
    path = shared_data / "cmu_mocap_8actions" / "test" / "walking" / "walking_1.txt"
    body = read(path).to_skeleton("h36m17")
    head, nose, neck = (body.positions[0, :, body.skeleton.index(joint)] for joint in ("head", "nose", "thorax"))
    np.testing.assert_allclose(np.linalg.norm(head - nose, axis=-1), 0.092, atol=1e-3)  # of 02.asf
    assert (head[:, 1] > nose[:, 1]).all()
    assert (nose[:, 1] > neck[:, 1]).all()


@pytest.mark.parametrize("trajectory", [False, True])
@pytest.mark.parametrize("landmarks", ["own", "of the time"])
def test_a_part_of_a_layout_has_the_joints_of_its_names(trajectory: bool, landmarks: str) -> None:
    """Networks on a part of cmu38 keep its joints, whether their weights know today's landmarks or fewer."""
    rig = get_skeleton("cmu38")
    whole = contract(rig, rig.joints, trajectory=trajectory, name="cmu38")
    for part in (contract(rig, ["head", "left_wrist", "left_knee"], trajectory=trajectory), whole):
        target = part if landmarks == "own" else replace(part, landmarks={"nose": {"head": 1.0}})
        weights = map_joints(rig, target, minimum=0.0).weights[int(trajectory) :]
        found = [rig.joints[int(row.argmax())] for row in weights]
        assert found == [joint for joint in target.joints if joint in rig.joints]
        assert (np.count_nonzero(weights, axis=1) == 1).all()


UNREAL = {
    **{"root": "", "pelvis": "root", "spine_01": "pelvis", "spine_02": "spine_01", "neck_01": "spine_02"},
    **{"thigh_l": "pelvis", "calf_l": "thigh_l", "foot_l": "calf_l", "ball_l": "foot_l"},
    **{"thigh_r": "pelvis", "calf_r": "thigh_r", "foot_r": "calf_r", "ball_r": "foot_r"},
    **{"upperarm_l": "spine_02", "lowerarm_l": "upperarm_l", "hand_l": "lowerarm_l"},
    **{"upperarm_r": "spine_02", "lowerarm_r": "upperarm_r", "hand_r": "lowerarm_r"},
}


def _rig(tree: dict[str, str]) -> Skeleton:
    names = list(tree)
    return build_skeleton(Path("rig.bvh"), names, [names.index(above) if above else -1 for above in tree.values()])


@pytest.mark.parametrize("target", ["cmu31", "hdm05_31"])
def test_a_root_on_the_floor_is_no_root_of_acclaim(target: str) -> None:
    """The joint 'root' of Unreal and others is where root motion goes; in ASF files it lies in the body."""
    mapping = map_joints(_rig(UNREAL), get_skeleton(target))
    at = mapping.target.index
    assert mapping.status[at("root")] == "missing"
    assert mapping.weights[at("lfemur"), mapping.source.index("calf_l")] == 1


def test_roots_of_acclaim_are_one() -> None:
    whole = get_skeleton("cmu31")
    part = contract(whole, ["lfemur", "rfemur", "head", "lwrist"])
    for source, target in (
        (get_skeleton("hdm05_31"), whole),
        (part, whole),
        (whole, part),
        (part, get_skeleton("hdm05_31")),
    ):
        weights = map_joints(source, target, minimum=0.0).weights[target.index("root")]
        assert (weights[source.index("root")], weights.sum()) == (1, 1)


@pytest.mark.parametrize("ends", [True, False])
def test_names_that_mean_other_joints_are_not_trusted(shared_data: Path, ends: bool) -> None:
    """Acclaim's bones as joints at their starts, as amc2bvh programs write them: 'lfemur' is the hip, not the knee."""
    clip = shared_data / "cmu_asfamc" / "01" / "01_01.amc"
    starts, expected = (read(clip, joints=joints).slice_frames(0, 200, 20) for joints in ("starts", "ends"))
    acclaim = expected.skeleton
    at = [j for j in range(38) if j in starts.skeleton.parents]
    names = dict(zip(at, acclaim.joints, strict=True))
    free = [j for j in range(38) if j not in names] if ends else []
    names |= {j: f"{names[starts.skeleton.parents[j]]}_end" for j in free}
    kept = [*at, *free]
    tree = {names[j]: names.get(starts.skeleton.parents[j], "") for j in kept}
    moved = starts.replace(
        positions=starts.positions[:, :, kept],
        confidence=starts.confidence[:, :, kept],
        skeleton=_rig(tree),
        rotations=None,
        offsets=None,
    ).to_skeleton(acclaim)
    seen = moved.seen.all(axis=(0, 1))
    off = np.linalg.norm(moved.positions - expected.positions, axis=-1)[:, :, seen].max(axis=(0, 1))
    found = dict(zip((joint for joint, there in zip(acclaim.joints, seen, strict=True) if there), off, strict=True))
    # points that rigs tell by names alone: toes from their base, the neck from its own, the chest between shoulders
    assert max(found.pop(joint) for joint in ("ltoes", "rtoes", "lowerneck", "thorax")) < 0.11
    assert {"lhipjoint", "lfemur", "rtibia", "lclavicle", "rhumerus", "lwrist", "upperneck"} <= set(found)
    assert max(found.values()) < 1e-3


def test_own_landmarks_on_a_layouts_joints_are_heeded() -> None:
    """A layout of one's own is no part of the library's, though it has its name and joints."""
    layout = get_skeleton("h36m17")
    lower = {"nose": 0.5, "head": 0.5}
    own = replace(layout, landmarks={**layout.landmarks, "head": lower})
    row = map_joints(own, layout).weights[layout.index("head")]
    assert (row[layout.index("nose")], row[layout.index("head")]) == (0.5, 0.5)
    joints = ["left_wrist", "head", "pelvis"]
    stranger = replace(contract(get_skeleton("cmu38"), joints), name="mine", landmarks={})
    row = map_joints(get_skeleton("cmu38"), stranger).weights[stranger.index("head")]
    assert row[get_skeleton("cmu38").index("head_top")] == 1


def test_too_little_is_refused() -> None:
    hand = Skeleton.from_dict({"name": "hand", "joints": {"left_wrist": "", "left_thumb": "left_wrist"}})
    with pytest.raises(SkeletonError, match="only 6% of the joints of 'h36m17' can be had from 'hand'") as caught:
        map_joints(hand, get_skeleton("h36m17"))
    assert "your own joints (left_wrist, left_thumb), say what they stand for in a TOML file with [land" in str(
        caught.value
    )
    many = Skeleton.from_dict({"name": "rope", "joints": {f"j{i}": f"j{i - 1}" if i else "" for i in range(100)}})
    with pytest.raises(SkeletonError, match=r"j28, j29, \.\.\.\)"):
        map_joints(many, get_skeleton("h36m17"))


def test_wrong_joint_count_is_refused() -> None:
    with pytest.raises(DataError, match="have 18 joints, but skeleton 'coco17' has 17"):
        map_joints(get_skeleton("coco17"), get_skeleton("h36m17")).apply(np.zeros((1, 18, 2)))


def test_layouts_with_a_root_are_those_that_a_recording_can_be_mapped_to() -> None:
    source = get_skeleton("cmu31")
    seen = np.ones(31, dtype=bool)
    assert set(layouts_with_a_root(source, seen)[:2]) == {"cmu31", "hdm05_31"}
    seen[source.index("root")] = False
    found = layouts_with_a_root(source, seen)
    assert {"h36m17", "ntu25", "smpl22"} <= set(found)
    assert not {"cmu31", "hdm05_31"} & set(found)
    seen[source.index("lhipjoint")] = False
    assert "h36m17" not in layouts_with_a_root(source, seen)  # whose pelvis lies between both hips
    assert layouts_with_a_root(source, np.zeros(31, dtype=bool)) == ()
