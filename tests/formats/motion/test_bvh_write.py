"""BVH writing: what is written reads back as the same motion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.formats.export import absences, away, not_shown
from kinegraph.formats.motion import asf_amc, bvh, bvh_write
from kinegraph.formats.motion.bvh_write import strayed
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton

H36M = get_skeleton("h36m17")


def walker(frames: int = 40, seed: int = 0) -> np.ndarray:
    """A Human3.6M body (frames, 17, 3) whose joints all swing, y up, about 1.7 m tall."""
    rng = np.random.default_rng(seed)
    rest = {"hip": (0.13, 0, 0), "knee": (0, -0.44, 0), "ankle": (0, -0.43, 0), "spine": (0, 0.24, 0)}
    rest |= {"thorax": (0, 0.25, 0), "nose": (0, 0.1, 0.05), "head": (0, 0.12, 0), "shoulder": (0.15, 0, 0)}
    rest |= {"elbow": (0.28, 0, 0), "wrist": (0.25, 0, 0), "pelvis": (0, 0, 0)}
    offsets = np.array(
        [np.array(rest[j.split("_")[-1]]) * ([-1, 1, 1] if j.startswith("right") else [1, 1, 1]) for j in H36M.joints]
    )
    t = np.linspace(0, 2, frames)[:, None, None]
    turns = 0.7 * np.sin(rng.uniform(1, 4, (1, 17, 3)) * t + rng.uniform(0, 6, (1, 17, 3)))
    local = Rotation.from_rotvec(turns.reshape(-1, 3)).as_quat().reshape(frames, 17, 4)
    translations = np.tile(offsets, (frames, 1, 1))
    translations[:, 0] = np.concatenate((np.sin(t), 0.95 + 0 * t, t), axis=-1)[:, 0]
    return forward_kinematics(H36M.parents, local, translations)[0]


def sequence(positions: np.ndarray, **fields: object) -> SkeletonSequence:
    defaults: dict[str, object] = {"skeleton": H36M, "fps": 25.0, "up": "y"}
    return SkeletonSequence(positions=positions, **{**defaults, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["pelvis", "left_wrist", "head"])
def test_markers_without_a_tree_stay_where_they_are(tmp_path: Path, first: str) -> None:
    """TRC and C3D hang every point on the first: as bones, hip to wrist and the like would keep no length."""
    names = {"spine": "T8", "nose": "Nose", "head": "Tape"}  # two that say nothing, and the tree has to be found
    joints = [first, *(joint for joint in H36M.joints if joint != first)]
    shown = walker()[:, [H36M.index(joint) for joint in joints]]
    markers = Skeleton(name="m", joints=tuple(names.get(j, j) for j in joints), parents=(-1, *[0] * 16))
    bvh.write(sequence(shown, skeleton=markers), tmp_path / "m.bvh")
    back = bvh.read(tmp_path / "m.bvh", unit="cm")
    at = [back.skeleton.index(joint) for joint in markers.joints]
    np.testing.assert_allclose(back.positions[0][:, at], shown, atol=0.004)  # a pivot is added from 2 mm on
    assert back.skeleton.joints[back.skeleton.root] == markers.joints[0]


@st.composite
def posed_trees(draw: st.DrawFn) -> SkeletonSequence:
    """A random tree, joints in random order, with random rotations and offsets."""
    count = draw(st.integers(1, 9))
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, count)]
    order = draw(st.permutations(range(count)))
    place = {old: new for new, old in enumerate(order)}
    shuffled = [-1] * count
    for old, parent in enumerate(parents):
        shuffled[place[old]] = place[parent] if parent >= 0 else -1
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    rotations = Rotation.random(4 * count, rng).as_quat().reshape(4, count, 4)
    offsets = rng.normal(size=(count, 3))
    root = shuffled.index(-1)
    offsets[root] = 0
    translations = np.tile(offsets, (4, 1, 1))
    translations[:, root] = rng.normal(size=(4, 3))
    return SkeletonSequence(
        positions=forward_kinematics(shuffled, rotations, translations)[0][None],
        skeleton=Skeleton("tree", tuple(f"joint{j}" for j in range(count)), tuple(shuffled)),
        fps=draw(st.sampled_from([24.0, 29.97, 60.0, 120.0])),
        up="y",
        rotations=rotations[None],
        offsets=offsets,
    )


@given(posed_trees(), st.sampled_from(["m", "cm", "mm", "inch"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rotations_and_offsets_survive_a_round_trip(tmp_path: Path, given_: SkeletonSequence, unit: str) -> None:
    path = tmp_path / "x.bvh"
    bvh.write(given_, path, unit=unit)
    back = bvh.read(path, unit=unit)
    assert sorted(back.skeleton.joints) == sorted(given_.skeleton.joints)
    place = [back.skeleton.index(joint) for joint in given_.skeleton.joints]
    for joint, parent in zip(given_.skeleton.joints, given_.skeleton.parents, strict=True):
        expected = given_.skeleton.joints[parent] if parent >= 0 else None
        at = back.skeleton.parents[back.skeleton.index(joint)]
        assert (back.skeleton.joints[at] if at >= 0 else None) == expected
    assert given_.rotations is not None
    assert back.rotations is not None
    assert back.offsets is not None
    assert given_.offsets is not None
    assert back.fps == pytest.approx(given_.fps)
    np.testing.assert_allclose(back.positions[:, :, place], given_.positions, atol=2e-5)
    np.testing.assert_allclose(back.offsets[place], given_.offsets, atol=1e-6)
    same = np.abs((back.rotations[:, :, place] * given_.rotations).sum(-1))
    np.testing.assert_allclose(same, 1, atol=1e-9)


def test_positions_alone_survive_with_bones_of_one_length(tmp_path: Path) -> None:
    points = walker()
    written = bvh.write(sequence(points), tmp_path / "x.bvh")
    assert written == (tmp_path / "x.bvh",)
    back = bvh.read(tmp_path / "x.bvh")
    assert back.fps == 25
    assert any("unit cm guessed" in note for note in back.notes)
    mapped = back.to_skeleton(H36M)
    np.testing.assert_allclose(mapped.positions[0], points, atol=0.01)
    assert np.linalg.norm(mapped.positions[0] - points, axis=-1).mean() < 0.002
    assert set(back.skeleton.pairs) >= {("left_knee", "right_knee"), ("left_wrist", "right_wrist")}


def test_no_frame_is_far_off_where_bones_keep_their_lengths(tmp_path: Path) -> None:
    points = walker(frames=400)
    bone = points[:, H36M.index("left_shoulder")] - points[:, H36M.index("thorax")]
    bent = Rotation.from_rotvec([0.0, 0.0, 0.15]).apply(bone[200]) - bone[200]  # 2 cm, in one frame: 1 mm on average
    points[200, [H36M.index(f"left_{name}") for name in ("shoulder", "elbow", "wrist")]] += bent
    bvh.write(sequence(points), tmp_path / "x.bvh")
    back = bvh.read(tmp_path / "x.bvh").to_skeleton(H36M)
    assert np.linalg.norm(back.positions[0] - points, axis=-1).max() < 0.005
    assert strayed(sequence(points)) == not_shown(sequence(points), "bvh") == not_shown(sequence(points), "glb") == []


def test_what_was_written_is_not_posed_again_to_tell_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = walker()
    points[:, H36M.index("left_ankle")] *= np.linspace(1, 1.1, len(points))[:, None]
    given_ = sequence(points)
    expected = strayed(sequence(points)), strayed(sequence(points), pivots=False)
    assert all(expected)
    bvh.write(given_, tmp_path / "x.bvh")
    with monkeypatch.context() as patched:
        patched.delattr(bvh_write, "rotations_from_positions")
        assert strayed(given_) == expected[0]
    assert strayed(given_, pivots=False) == expected[1] != expected[0]


def test_how_far_joints_are_off_is_told(tmp_path: Path) -> None:
    points = walker()
    stretch = 0.04 * np.sin(np.linspace(0, 9, len(points)))[:, None]
    shin = points[:, H36M.index("left_ankle")] - points[:, H36M.index("left_knee")]
    points[:, H36M.index("left_ankle")] += stretch * shin / np.linalg.norm(shin, axis=-1, keepdims=True)
    given_ = sequence(points)
    bvh.write(given_, tmp_path / "x.bvh")
    back = bvh.read(tmp_path / "x.bvh").to_skeleton(H36M)
    off = np.linalg.norm(back.positions[0] - points, axis=-1).max() * 1000
    (note,) = not_shown(given_, "bvh")
    assert note == not_shown(given_, "glb")[0]
    assert note.startswith(f"bones keep one length here: joints are up to {off:.0f} mm (")
    assert note.endswith("from where they were; npz, CSV, TRC and C3D keep every position")
    assert not_shown(given_, "trc") == []
    holed = points.copy()
    holed[10:15, H36M.index("left_wrist")] = np.nan  # what is bridged was nowhere
    assert f"up to {off:.0f} mm" in strayed(sequence(holed))[0]
    assert "and siblings turn as one" in not_shown(given_, "bvh", pivots=False)[0]
    assert strayed(bvh.read(tmp_path / "x.bvh")) == []  # its own rotations


def test_without_pivots_the_joints_are_the_layouts_own(tmp_path: Path) -> None:
    loose = walker()
    loose[:, H36M.index("left_shoulder")] += 0.05 * np.sin(np.linspace(0, 9, len(loose)))[:, None]
    bvh.write(sequence(loose), tmp_path / "x.bvh", pivots=False)
    assert bvh.read(tmp_path / "x.bvh").skeleton == H36M
    bvh.write(sequence(loose), tmp_path / "y.bvh")
    assert any(joint.endswith("_pivot") for joint in bvh.read(tmp_path / "y.bvh").skeleton.joints)


@pytest.mark.parametrize(
    ("space", "up", "turn"),
    [
        ("camera", None, [[1, 0, 0], [0, -1, 0], [0, 0, -1]]),
        ("world", "z", [[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
        ("world", "y", np.eye(3)),
        ("world", None, np.eye(3)),
    ],
)
def test_every_space_is_written_y_up(tmp_path: Path, space: str, up: str | None, turn: object) -> None:
    points = walker()
    placed = points @ np.array(turn, dtype=float).T  # y up to the space's own axes
    if space == "camera":
        assert placed[0, H36M.index("head"), 1] < placed[0, H36M.index("left_ankle"), 1]  # y down
    bvh.write(sequence(placed, space=space, up=up), tmp_path / "x.bvh")
    back = bvh.read(tmp_path / "x.bvh").to_skeleton(H36M)
    np.testing.assert_allclose(back.positions[0], points, atol=0.01)


def test_own_rotations_are_turned_upright_too(tmp_path: Path) -> None:
    bvh.write(sequence(walker()), tmp_path / "x.bvh")
    flat = bvh.read(tmp_path / "x.bvh")
    to_z = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert flat.rotations is not None
    rotations = np.array(flat.rotations)
    root = Rotation.from_matrix(to_z) * Rotation.from_quat(rotations[0, :, 0])
    rotations[0, :, 0] = root.as_quat()
    tipped = flat.replace(positions=flat.positions @ to_z.T, rotations=rotations, up="z")
    bvh.write(tipped, tmp_path / "y.bvh")
    np.testing.assert_allclose(bvh.read(tmp_path / "y.bvh").positions, flat.positions, atol=1e-6)


def test_rotations_that_no_longer_fit_the_positions_are_not_trusted(tmp_path: Path) -> None:
    bvh.write(sequence(walker()), tmp_path / "x.bvh")
    read = bvh.read(tmp_path / "x.bvh")
    mirrored = read.replace(positions=read.positions * np.array([-1.0, 1, 1]))
    bvh.write(mirrored, tmp_path / "y.bvh")
    back = bvh.read(tmp_path / "y.bvh").to_skeleton(H36M)
    np.testing.assert_allclose(back.positions, mirrored.to_skeleton(H36M).positions, atol=0.01)


def test_gaps_are_bridged_and_joints_never_seen_left_out(tmp_path: Path) -> None:
    points = walker()
    holed = points.copy()
    holed[10:15, H36M.index("left_wrist")] = np.nan
    holed[:3] = np.nan  # nobody there yet
    holed[:, H36M.index("nose")] = np.nan  # head then hangs on thorax
    bvh.write(sequence(holed), tmp_path / "x.bvh")
    back = bvh.read(tmp_path / "x.bvh")
    assert "nose" not in back.skeleton.joints
    wrist = back.positions[0, :, back.skeleton.index("left_wrist")]
    np.testing.assert_allclose(wrist[15:], points[15:, H36M.index("left_wrist")], atol=0.01)
    assert np.abs(np.diff(wrist[9:16], axis=0)).max() < 0.2
    np.testing.assert_allclose(wrist[:3], wrist[[3, 3, 3]], atol=1e-4)


def test_several_people_are_one_file_each(tmp_path: Path) -> None:
    two = np.stack((walker(seed=1), walker(seed=2)))
    written = bvh.write(sequence(two), tmp_path / "x.bvh")
    assert [path.name for path in written] == ["x.bvh", "x_person2.bvh"]
    for person, path in enumerate(written):
        np.testing.assert_allclose(bvh.read(path).to_skeleton(H36M).positions[0], two[person], atol=0.01)


def test_who_is_never_seen_gets_no_file_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    three = np.stack((np.full_like(walker(), np.nan), walker(seed=1), np.full_like(walker(), np.nan)))
    given_ = sequence(three)
    assert bvh.write(given_, tmp_path / "x.bvh") == (tmp_path / "x_person2.bvh",)
    assert [path.name for path in tmp_path.iterdir()] == ["x_person2.bvh"]
    back = bvh.read(tmp_path / "x_person2.bvh").to_skeleton(H36M)
    np.testing.assert_allclose(back.positions[0], three[1], atol=0.01)
    expected = [f"person {number} is never seen and was left out" for number in (1, 3)]
    assert not_shown(given_, "bvh") == not_shown(given_, "glb") == not_shown(given_, "trc") == expected
    assert not_shown(given_, "npz") == away(given_, "bvh") == []
    with pytest.raises(DataError, match="nobody to write as BVH: no joint is seen in any frame"):
        bvh.write(given_.select_people([0, 2]), tmp_path / "y.bvh")
    rootless = three.copy()
    rootless[2] = walker()
    rootless[2, :, 0] = np.nan
    with pytest.raises(DataError, match="person 3: 'pelvis' is never seen"):
        bvh.write(sequence(rootless), tmp_path / "y.bvh")
    assert [path.name for path in tmp_path.iterdir()] == ["x_person2.bvh"]


def test_long_absences_are_told_and_gaps_are_not() -> None:
    points = np.stack([walker(frames=200)] * 2)
    points[0, 50:75] = np.nan  # 1 s at 25 a second: a gap
    points[1, :26] = np.nan
    points[1, 100:150, 1:] = np.nan  # the pelvis is there: not away
    points[1, 170:] = np.nan
    shown = sequence(points)
    assert [absences(shown, person) for person in (0, 1)] == [[], [(0, 25), (170, 199)]]
    assert away(shown, "bvh") == [
        "person 2 is away in frames 0-25, 170-199 and stands still there, or glides to where they return: "
        "bvh hides nobody"
    ]
    assert away(shown, "glb") == ["person 2 is away in frames 0-25, 170-199 and is hidden there"]
    assert away(shown, "trc") == []
    blinking = walker(frames=500)
    blinking[np.arange(500) % 50 > 1] = np.nan
    assert "98-99" not in away(sequence(blinking), "glb")[0]
    assert "2-49, 52-99, 102-149, 152-199, 202-249 and 5 spans more" in away(sequence(blinking), "glb")[0]


def test_what_is_slower_than_a_frame_a_second_is_read_with_its_rate_stated(tmp_path: Path) -> None:
    slow = sequence(walker(), fps=0.4)
    bvh.write(slow, tmp_path / "x.bvh")
    with pytest.raises(FormatError, match="'Frame Time:' is 2.5"):
        bvh.read(tmp_path / "x.bvh")
    assert bvh.read(tmp_path / "x.bvh", fps=0.4).fps == 0.4
    assert "a frame time of 2.5 s is not believed" in not_shown(slow, "bvh")[0]
    assert "--read fps=0.4" in not_shown(slow, "bvh")[0]
    assert not_shown(slow, "trc") == not_shown(slow.replace(fps=1.0), "bvh") == []


def test_bone_ends_are_written_as_end_sites_again(tmp_path: Path, shared_data: Path) -> None:
    original = bvh.read(shared_data / "cmu_bvh" / "02" / "02_03.bvh")
    bvh.write(original, tmp_path / "x.bvh")
    text = (tmp_path / "x.bvh").read_text()
    assert text.count("End Site") == original.joints - text.count("JOINT") - 1
    back = bvh.read(tmp_path / "x.bvh")
    assert back.skeleton.joints == original.skeleton.joints
    np.testing.assert_allclose(back.positions, original.positions, atol=1e-6)


def test_an_acclaim_clip_becomes_a_bvh_with_its_anatomy(tmp_path: Path, shared_data: Path) -> None:
    clip = asf_amc.read(shared_data / "cmu_asfamc" / "02" / "02_03.amc")
    bvh.write(clip, tmp_path / "x.bvh")
    back = bvh.read(tmp_path / "x.bvh")
    places = [back.skeleton.index(joint) for joint in clip.skeleton.joints]
    error = np.linalg.norm(back.positions[:, :, places] - clip.positions, axis=-1)
    assert error.mean() < 0.003
    assert error.max() < 0.012
    assert dict(back.skeleton.landmarks["left_knee"]) == {"lfemur": 1.0}  # the joint at the bone's end
    # 'thorax' is a joint of this rig and, elsewhere, a point between the shoulders: mapping back must not mix them
    assert np.linalg.norm(back.to_skeleton(clip.skeleton).positions - clip.positions, axis=-1).max() < 0.012


def test_acclaim_names_at_the_start_of_bones_are_told_apart(tmp_path: Path, shared_data: Path) -> None:
    # other converters hang 'lhipjoint' on the root's own place: there, 'ltibia' is where the knee is
    clip = asf_amc.read(shared_data / "cmu_asfamc" / "02" / "02_03.amc")
    bvh.write(clip, tmp_path / "x.bvh")
    lines = (tmp_path / "x.bvh").read_text().splitlines()
    for number, line in enumerate(lines):
        if line.split()[-1:] in (["lhipjoint"], ["rhipjoint"]):
            lines[number + 2] = "OFFSET 0 0 0"
    (tmp_path / "x.bvh").write_text("\n".join(lines))
    landmarks = bvh.read(tmp_path / "x.bvh").skeleton.landmarks
    assert dict(landmarks["left_knee"]) == {"ltibia": 1.0}
    assert dict(landmarks["left_wrist"]) == {"lhand": 1.0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fps": None}, "frame rate"),
        ({"unit": "px"}, "lift it first"),
        ({"space": "image", "up": None}, "lift it first"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, fields: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        bvh.write(sequence(walker(), **fields), tmp_path / "x.bvh")
    assert not list(tmp_path.iterdir())


def test_flat_rootless_and_misplaced_sequences_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2D"):
        bvh.write(sequence(walker()[..., :2]), tmp_path / "x.bvh")
    rootless = walker()
    rootless[:, 0] = np.nan
    with pytest.raises(DataError, match="'pelvis' is never seen"):
        bvh.write(sequence(rootless), tmp_path / "x.bvh")
    with pytest.raises(DataError, match="unit 'league' is unknown"):
        bvh.write(sequence(walker()), tmp_path / "x.bvh", unit="league")
    with pytest.raises(KinegraphError, match="does not exist"):
        bvh.write(sequence(walker()), tmp_path / "none" / "x.bvh")
    assert not list(tmp_path.iterdir())
