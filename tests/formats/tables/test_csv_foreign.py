"""Tables of other programs: their columns, joints, people, times, units and zeros."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph.errors import FormatError, KinegraphError
from kinegraph.formats import read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

COCO = get_skeleton("coco17").joints
MEDIAPIPE = get_skeleton("mediapipe33").joints
FLAT = np.random.default_rng(0).uniform(50, 400, (6, 17, 2)).round(1)  # frames, joints, 2


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    path.write_text("\n".join(",".join(map(str, line)) for line in (header, *rows)) + "\n")
    return path


def _wide(
    path: Path, points: np.ndarray, names: Sequence[str], kinds: Sequence[str], **first: Sequence[object]
) -> Path:
    """A row a frame: columns of `first`, then those of each joint."""
    header = [*first, *(f"{name}_{kind}" for name in names for kind in kinds)]
    rows = [[*(column[t] for column in first.values()), *points[t].ravel()] for t in range(len(points))]
    return _write(path, header, rows)


def _scored(points: np.ndarray, score: float) -> np.ndarray:
    return np.concatenate([points, np.full((*points.shape[:-1], 1), score)], axis=-1)


def _surest(sequence: SkeletonSequence) -> float:
    assert sequence.confidence is not None
    return float(sequence.confidence.max())


# ---- columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", ["frame_id", "frame_idx", "frame_index", "frame_number", "image_id", "Frame Number"])
@pytest.mark.parametrize("kind", ["conf", "c", "prob", "likelihood", "score", "visibility"])
def test_frames_and_confidences_by_other_names(tmp_path: Path, frame: str, kind: str) -> None:
    path = _wide(tmp_path / "a.csv", _scored(FLAT, 0.25), COCO, ("x", "y", kind), **{frame: [3, 4, 5, 6, 8, 9]})
    sequence = read(path)
    assert (sequence.frames, sequence.notes[0]) == (7, "frame 0 is frame 3 of the video")
    np.testing.assert_array_equal(sequence.positions[0, [0, 1, 2, 3, 5, 6]], FLAT)
    assert _surest(sequence) == 0.25
    assert not any("not read" in note for note in sequence.notes)


@pytest.mark.parametrize(("person", "labels"), [("person_id", (7, 9)), ("track_id", (1, 2)), ("track", ("t_1", "t_0"))])
@pytest.mark.parametrize("by_person", [False, True])
@pytest.mark.parametrize("timed", [False, True])
def test_people_by_other_names(
    tmp_path: Path, person: str, labels: tuple[object, object], by_person: bool, timed: bool
) -> None:
    """Whatever they are called, they are people, and no further frames."""
    order = [(t, k) for k in (0, 1) for t in range(6)] if by_person else [(t, k) for t in range(6) for k in (0, 1)]
    header = [person, *(["time"] if timed else []), *(f"{n}.{a}" for n in COCO for a in "xy")]
    rows = [[labels[k], *([t / 50] if timed else []), *(FLAT[t] + 1000 * k).ravel()] for t, k in order]
    sequence = read(_write(tmp_path / "a.csv", header, rows))
    assert sequence.positions.shape == (2, 6, 17, 2)
    assert sequence.fps == (50 if timed else None)
    np.testing.assert_array_equal(sequence.positions, np.stack([FLAT, FLAT + 1000]))


def test_sleaps_own_columns(tmp_path: Path) -> None:
    header = ["track", "frame_idx", "instance.score", *(f"{n}.{k}" for n in COCO for k in ("x", "y", "score"))]
    rows = [[f"track_{k}", t, 0.9, *_scored(FLAT[t] + k, 0.5).ravel()] for k in (0, 1) for t in range(6)]
    sequence = read(_write(tmp_path / "a.csv", header, rows))
    assert (sequence.people, sequence.frames, _surest(sequence)) == (2, 6, 0.5)
    assert "people track_0, track_1 of the table, counted from 0 here" in sequence.notes
    assert "columns not read: instance.score" in sequence.notes


@pytest.mark.parametrize("joint", ["keypoint", "landmark", "bodypart", "keypoint_name", "Joint Name"])
def test_long_tables_by_other_names(tmp_path: Path, joint: str) -> None:
    rows = [[t, n, i, *FLAT[t, i], 0.5] for t in range(6) for i, n in enumerate(COCO)]
    path = _write(tmp_path / "a.csv", ["frame", joint, "keypoint_id", "x", "y", "conf"], rows)
    sequence = read(path)
    np.testing.assert_array_equal(sequence.positions[0], FLAT)
    assert _surest(sequence) == 0.5
    assert "columns not read: keypoint_id" in sequence.notes


def test_a_joint_that_stands_twice_names_the_columns_that_were_not_read(tmp_path: Path) -> None:
    rows = [[0, who, n, 1, 2] for who in "ab" for n in COCO]
    path = _write(tmp_path / "a.csv", ["frame", "who", "joint", "x", "y"], rows)
    with pytest.raises(FormatError, match=r"stands twice; expected once\. Is one of who the person"):
        read(path)


def test_axes_may_stand_first(tmp_path: Path) -> None:
    header = [f"{axis}_{name}" for name in COCO for axis in "xy"]
    named = read(_write(tmp_path / "a.csv", header, [list(pose.ravel()) for pose in FLAT]))
    np.testing.assert_array_equal(named.positions[0], FLAT)
    header = ["class", *(f"{axis}{i}" for i in range(1, 18) for axis in "xyv")]
    path = _write(tmp_path / "b.csv", header, [["wave", *_scored(pose, 0.5).ravel()] for pose in FLAT])
    with pytest.raises(FormatError, match=r"numbers are taken in its order \(with 17 joints: coco17, h36m17"):
        read(path)
    numbered = read(path, skeleton="coco17")
    np.testing.assert_array_equal(numbered.positions[0], FLAT)
    assert "joints 1 to 17 taken in the order of 'coco17'" in numbered.notes
    assert "columns not read: class" in numbered.notes


def test_numbered_joints_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(17)
    rows = [[t, i, *FLAT[t, i]] for t in range(6) for i in order]
    path = _write(tmp_path / "a.csv", ["frame", "joint", "x", "y"], rows)
    np.testing.assert_array_equal(read(path, skeleton="coco17").positions[0], FLAT)


def test_frames_by_the_names_of_their_pictures(tmp_path: Path) -> None:
    rows = [[f"clip/img_{t + 5:04d}.PNG", *FLAT[t].ravel()] for t in range(6)]
    path = _write(tmp_path / "a.csv", ["image_id", *(f"{n}_{a}" for n in COCO for a in "xy")], rows)
    sequence = read(path)
    np.testing.assert_array_equal(sequence.positions[0], FLAT)
    assert "frame 0 is frame 5 of the video" in sequence.notes
    path.write_text(path.read_text().replace("img_0007.PNG", "img.PNG"))
    with pytest.raises(FormatError, match=r"line 4, image_id is 'clip/img\.PNG'; expected a number"):
        read(path)


# ---- header rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("people", [1, 2])
def test_deeplabcut(tmp_path: Path, people: int) -> None:
    columns = [(who, name, kind) for who in range(people) for name in COCO for kind in ("x", "y", "likelihood")]
    lines = [["scorer", *("resnet" for _ in columns)]]
    if people > 1:
        lines.append(["individuals", *(f"mouse{who}" for who, _, _ in columns)])
    lines += [["bodyparts", *(name for _, name, _ in columns)], ["coords", *(kind for _, _, kind in columns)]]
    rows = [[t, *np.stack([_scored(FLAT[t] + who, 0.75) for who in range(people)]).ravel()] for t in range(6)]
    path = _write(tmp_path / "a.csv", lines[0], [*lines[1:], *rows])
    sequence = read(path)
    np.testing.assert_array_equal(sequence.positions, [FLAT + who for who in range(people)])
    np.testing.assert_array_equal(sequence.confidence, 0.75)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("scorer,a,a\nbodyparts,nose,nose\n0,1,2\n1,2,3\n", "expected DeepLabCut's scorer, bodyparts, coords"),
        ("scorer,a,a\nbodyparts,nose,nose\ncoords,u,v\n0,1,2\n", "expected x, y and likelihood"),
        ("scorer,a,a\n", "header rows 'scorer'"),
        ("Format Version,1.23,Take Name,T\n\n,,Bone,Bone\n", "OptiTrack Motive, which is not read.*Export C3D or BVH"),
        ("1.5,2.5,3.5\n1,2,3\n", "line 1 holds numbers; expected a header"),
        ("frame;nose_x;nose_y\n0;1,5;2,5\n", "'1,5'; expected a number with a decimal point"),
        ("time,joint,x,y\nnoon,nose,1,x\n", "line 2, y is 'x'"),
        ("frame,conf,joint,x\n0,1,nose,1\n", "no column 'y'"),
    ],
)
def test_headers_that_are_none(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FormatError, match=match):
        read(tmp_path / "a.csv")


# ---- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "times", "fps"),
    [
        ("time", [f"{t / 30:.3f}" for t in range(6)], 30),
        ("time", [f"{t / 29.97:.6f}" for t in range(6)], 29.97),
        ("Timestamp", [t * 1000 / 60 for t in range(6)], 60),
        ("timestamp", [1.7e9 + t / 25 for t in range(6)], 25),
        ("time", [0, 1, 2, 3, 4, 5], None),  # seconds, ms and frame numbers alike
        ("time", [0, 0.02, 0.04, 0.9, 0.92, 0.94], None),
        ("time", ["12:00:00", "12:00:01", "12:00:02", "12:00:03", "12:00:04", "12:00:05"], None),
        ("time", [5, 4, 3, 2, 1, 0], None),
    ],
)
def test_the_rate_that_times_say(tmp_path: Path, column: str, times: list[object], fps: float | None) -> None:
    path = _wide(tmp_path / "a.csv", FLAT, COCO, "xy", frame=range(6), **{column: times})
    sequence = read(path)
    if fps is None:
        assert sequence.fps is None
        assert any(note.startswith(f"no frame rate read from '{column}'") for note in sequence.notes)
    else:
        assert sequence.fps == pytest.approx(fps, rel=1e-5)
        assert any(f"a second from '{column}'" in note for note in sequence.notes)
    assert read(path, fps=12).fps == 12


def test_times_of_every_other_frame(tmp_path: Path) -> None:
    path = _wide(tmp_path / "a.csv", FLAT, COCO, "xy", frame=range(0, 12, 2), time=[t / 15 for t in range(6)])
    assert read(path).fps == 15
    assert read(path, fps=30).fps == 15  # of the video, of which every other frame is there


# ---- zeros, units, axes ---------------------------------------------------------------------------------------------


def test_zeros_are_missing_where_no_confidence_says_otherwise(tmp_path: Path) -> None:
    points = FLAT.copy()
    points[2, 9] = 0
    sequence = read(_wide(tmp_path / "a.csv", points, COCO, "xy"))
    assert (np.argwhere(~sequence.seen) == [[0, 2, 9]]).all()
    assert any("(0, 0) taken as missing" in note for note in sequence.notes)
    assert read(_wide(tmp_path / "b.csv", _scored(points, 0.5), COCO, ("x", "y", "conf"))).seen.all()


def test_a_marker_at_the_origin_is_missing_and_a_pelvis_that_stays_there_is_not(tmp_path: Path) -> None:
    joints = get_skeleton("h36m17").joints
    points = np.random.default_rng(0).normal(size=(6, 17, 3)).round(3)
    points[2, 9] = 0
    sequence = read(_wide(tmp_path / "a.csv", points, joints, "xyz"))
    assert (np.argwhere(~sequence.seen) == [[0, 2, 9]]).all()
    assert "joints at exactly (0, 0, 0) taken as missing, as marker systems mean it" in sequence.notes
    points[:, 0] = 0
    points[4] = 0  # nobody there
    centred = read(_wide(tmp_path / "b.csv", points, joints, "xyz"))
    assert centred.seen[0, [0, 1, 2, 3, 5], 0].all()
    assert not centred.seen[0, 4].any()
    points[1, 0] = 1  # once elsewhere: zeros are gaps
    assert centred.seen.sum() - 5 == read(_wide(tmp_path / "c.csv", points, joints, "xyz")).seen.sum() - 1


def _standing(scale: float) -> np.ndarray:
    """A person of MediaPipe's landmarks who walks, z up: (frames, 33, 3)."""
    heights = {"hip": 0.92, "knee": 0.5, "ankle": 0.09, "heel": 0.03, "foot": 0.02, "shoulder": 1.44, "elbow": 1.2}
    pose = np.array([[0.1, 0.0, next((h for n, h in heights.items() if n in joint), 1.6)] for joint in MEDIAPIPE])
    pose[:, 0] *= [1 if "left" in joint else -1 if "right" in joint else 0 for joint in MEDIAPIPE]
    return np.stack([pose + np.array([0, 0.01 * t, 0]) for t in range(6)]) * scale


@pytest.mark.parametrize(("unit", "scale"), [("cm", 100.0), ("mm", 1000.0)])
@pytest.mark.parametrize("said", ["option", "comment"])
def test_unit_and_up_can_be_said(tmp_path: Path, unit: str, scale: float, said: str) -> None:
    path = _wide(tmp_path / "a.csv", _standing(scale), MEDIAPIPE, "xyz")
    with pytest.raises(FormatError, match=rf"a pose of the table spans \d+; .* of this size it would be {unit}"):
        read(path)
    options: dict[str, str] = {"unit": unit, "up": "z"}
    if said == "comment":
        path.write_text(f"# unit: {unit}\n# up: z\n{path.read_text()}")
        options = {}
    sequence = read(path, **options)
    assert (sequence.unit, sequence.up) == ("m", "z")
    np.testing.assert_allclose(sequence.positions[0], _standing(1.0))


def test_the_size_is_checked_where_joints_are_missing_too(tmp_path: Path) -> None:
    path = _wide(tmp_path / "a.csv", np.where(np.arange(33)[:, None] == 5, np.nan, _standing(1000)), MEDIAPIPE, "xyz")
    with pytest.raises(FormatError, match="spans 15"):
        read(path)


def test_two_dimensions_of_three_are_those_of_the_image_alone(tmp_path: Path) -> None:
    """Whoever lifts asks for 2D: what is 3D is not lifted from its x and y."""
    solid = _wide(tmp_path / "a.csv", _standing(1.0), MEDIAPIPE, "xyz")
    world = _wide(tmp_path / "w.csv", _of_world(), MEDIAPIPE, "xyz")
    ours = tmp_path / "ours.csv"
    write(read(solid), ours)
    for path in (solid, world, ours):
        with pytest.raises(FormatError, match="found 3D joints, expected 2D; what is 3D needs no lifting"):
            read(path, dims=2)
    lying = _in_image()[..., [1, 0, 2]]
    lying[..., 1] -= 0.6  # partly outside
    image = read(_wide(tmp_path / "c.csv", lying, MEDIAPIPE, "xyz"), dims=2)
    assert (image.dims, image.unit) == (2, "normalized")
    with pytest.raises(FormatError, match="found 2D joints, expected 3D"):
        read(_wide(tmp_path / "b.csv", FLAT, COCO, "xy"), dims=3)


def test_fractions_of_the_image(tmp_path: Path) -> None:
    sequence = read(_wide(tmp_path / "a.csv", FLAT / 640, COCO, "xy"))
    assert sequence.unit == "normalized"


# ---- MediaPipe ------------------------------------------------------------------------------------------------------


def _in_image() -> np.ndarray:
    """The walker as MediaPipe's landmarks in the image: x, y as fractions, z from the hips."""
    world = _standing(1.0)
    return np.stack([0.5 + 0.4 * world[..., 0], 0.9 - 0.4 * world[..., 2], 0 * world[..., 1]], axis=-1)


def _of_world() -> np.ndarray:
    world = _standing(1.0)
    return np.stack([world[..., 0], 0.92 - world[..., 2], 0 * world[..., 0]], axis=-1)


@pytest.mark.parametrize("spelling", ["ours", "official", "upper", "prefix"])
def test_mediapipes_landmarks_in_the_image_are_2d(tmp_path: Path, spelling: str) -> None:
    names = [name.replace("left_mouth", "mouth_left").replace("right_mouth", "mouth_right") for name in MEDIAPIPE]
    names = {
        "ours": list(MEDIAPIPE),
        "official": names,
        "upper": [name.upper() for name in names],
        "prefix": [f"body_{name}" for name in names],
    }[spelling]
    sequence = read(_wide(tmp_path / "a.csv", _scored(_in_image(), 0.5), names, ("x", "y", "z", "visibility")))
    assert (sequence.skeleton.name, sequence.dims, sequence.unit) == ("mediapipe33", 2, "normalized")
    np.testing.assert_array_equal(sequence.positions[0], _in_image()[..., :2])
    assert any("landmarks in the image" in note for note in sequence.notes)
    assert read(tmp_path / "a.csv", dims=2).dims == 2
    with pytest.raises(FormatError, match=r"the table is 2D, and its unit stated as mm"):
        read(tmp_path / "a.csv", dims=2, unit="mm")


def test_mediapipes_world_landmarks_are_in_camera_space(tmp_path: Path) -> None:
    path = _wide(tmp_path / "a.csv", _of_world(), MEDIAPIPE, "xyz")
    sequence = read(path)
    assert (sequence.space, sequence.unit) == ("camera", "m")
    assert any("world landmarks" in note for note in sequence.notes)
    upright = read(_wide(tmp_path / "b.csv", _of_world() * [1, -1, -1], MEDIAPIPE, "xyz"))
    assert upright.space == "world"
    assert read(path, up="y").up == "y"  # whoever says so knows


# ---- joints ---------------------------------------------------------------------------------------------------------


def test_a_part_of_a_layout(tmp_path: Path) -> None:
    path = _wide(tmp_path / "a.csv", FLAT[:, 5:], COCO[5:], "xy")
    named = read(path, skeleton="coco17")
    assert not named.seen[0, :, :5].any()
    np.testing.assert_array_equal(named.positions[0, :, 5:], FLAT[:, 5:])
    assert any("5 joints of the layout are not in the table" in note for note in named.notes)
    loose = read(path)
    assert loose.skeleton.joints == COCO[5:]
    assert any("points without bones" in note for note in loose.notes)


def test_more_than_a_layout(tmp_path: Path) -> None:
    points = np.concatenate([FLAT, FLAT[:, :1]], axis=1)
    sequence = read(_wide(tmp_path / "a.csv", points, [*COCO, "bbox"], "xy"))
    np.testing.assert_array_equal(sequence.positions[0], FLAT)
    assert "left out, as no joints of 'coco17': bbox (1 in all)" in sequence.notes
    prefixed = read(_wide(tmp_path / "b.csv", points, [*(f"kp_{name}" for name in COCO), "bbox"], "xy"))
    np.testing.assert_array_equal(prefixed.positions[0], FLAT)


# ---- damage ---------------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from([
    "frame", "frame_id", "person", "track", "time", "joint", "keypoint", "x", "y", "z", "conf", "nose_x", "nose_y",
    "x1", "y1", "scorer", "bodyparts", "coords", "individuals", "", "error50", "Format Version", "left_eye.x", "v",
])  # fmt: skip
_CELLS = st.sampled_from(["0", "1", "2.5", "-1", "nan", "", "x", "inf", "nose", "1e300", "9" * 20, "track_1", "0.5"])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_header_gives_a_sequence_or_our_own_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    header = data.draw(st.lists(_NAMES, min_size=1, max_size=8))
    row = st.lists(_CELLS | _NAMES, min_size=len(header), max_size=len(header))
    rows = data.draw(st.lists(row, max_size=5))
    path = _write(tmp_path_factory.mktemp("any") / "a.csv", header, rows)
    with contextlib.suppress(KinegraphError):
        sequence = read(path, skeleton=data.draw(st.sampled_from([None, "coco17"])))
        assert np.isfinite(sequence.positions[sequence.seen]).all()
