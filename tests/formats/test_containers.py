"""Our npz, JSON and CSV: what is written comes back exactly, and foreign arrays and tables are read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.formats import read, write
from kinegraph.formats.arrays import load
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton

_OWN = Skeleton("own", ("hüfte", "kopf"), (-1, 0), source="a test")


def _sequence(kind: str) -> SkeletonSequence:
    rng = np.random.default_rng(1)
    if kind == "flat":  # 2 people in an image, some of it missing
        confidence = np.where(rng.random((2, 5, 17)) < 0.3, 0.0, rng.random((2, 5, 17)))
        confidence[1, 2] = 0
        return SkeletonSequence(
            positions=rng.normal(size=(2, 5, 17, 2)) * 1e3,
            skeleton=get_skeleton("coco17"),
            fps=29.97,
            unit="px",
            space="image",
            confidence=confidence,
            image_size=(640, 480),
            label="walk, then run",
            source="x.mp4",
            notes=("first", 'second "quoted": yes'),
        )
    if kind == "solid":  # with rotations, a skeleton of one's own
        quaternions = rng.normal(size=(1, 4, 2, 4))
        return SkeletonSequence(
            positions=rng.normal(size=(1, 4, 2, 3)),
            skeleton=_OWN,
            fps=120.0,
            up="z",
            rotations=quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True),
            offsets=rng.normal(size=(2, 3)),
            source="y",
        )
    return SkeletonSequence(rng.normal(size=(1, 1, 17, 3)), get_skeleton("h36m17"), space="camera", source="z")


def _same(a: SkeletonSequence, b: SkeletonSequence, *, rotations: bool = True) -> None:
    """`a`, read from a file, is `b`, which was written to it."""
    np.testing.assert_array_equal(a.positions, b.positions)
    np.testing.assert_array_equal(a.confidence, b.confidence)
    for name in ("rotations", "offsets") if rotations else ():
        first, second = getattr(a, name), getattr(b, name)
        assert (first is None) == (second is None)
        if first is not None:
            np.testing.assert_array_equal(first, second)
    for name in ("skeleton", "fps", "unit", "space", "up", "image_size", "label", "notes"):
        assert getattr(a, name) == getattr(b, name), name
    assert a.origin == b.source


@pytest.mark.parametrize("kind", ["flat", "solid", "plain"])
@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_every_field_comes_back(tmp_path: Path, kind: str, suffix: str) -> None:
    first = _sequence(kind)
    write(first, tmp_path / f"a.{suffix}")
    _same(read(tmp_path / f"a.{suffix}"), first)


@pytest.mark.parametrize("suffix", ["npz", "json", "csv"])
def test_errors_name_the_file_that_was_read_and_its_origin_is_kept(tmp_path: Path, suffix: str) -> None:
    """What a file says it was made of is no file of whoever reads it."""
    (tmp_path / "new").mkdir()
    first, second = tmp_path / f"a.{suffix}", tmp_path / "new" / f"b.{suffix}"
    write(_sequence("flat").replace(source="/home/me/clips/x.mp4"), first)
    write(read(first), second)
    again = read(second)
    assert (again.source, again.origin) == (str(second), "x.mp4")
    with pytest.raises(DataError, match=rf"^{second}: no person \[7\]"):
        again.select_people([7])
    with pytest.raises(KinegraphError, match=f"^{second}: fps is 0"):
        read(second, fps=0)


@pytest.mark.parametrize("kind", ["flat", "solid", "plain"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_tables_keep_positions_exactly(tmp_path: Path, kind: str, wide: bool, suffix: str) -> None:
    first = _sequence(kind)
    write(first, tmp_path / f"a.{suffix}", wide=wide)
    _same(read(tmp_path / f"a.{suffix}"), first, rotations=False)


def test_npz_needs_no_pickle_and_opens_with_numpy_alone(tmp_path: Path) -> None:
    write(_sequence("solid"), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert {a: arrays[a].shape for a in arrays} == {
            "kinegraph": (),
            "meta": (),
            "positions": (1, 4, 2, 3),
            "confidence": (1, 4, 2),
            "rotations": (1, 4, 2, 4),
            "offsets": (2, 3),
        }
        assert json.loads(str(arrays["meta"]))["skeleton"]["joints"] == {"hüfte": "", "kopf": "hüfte"}


def test_json_is_json_with_null_for_missing(tmp_path: Path) -> None:
    write(_sequence("flat"), tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text(), parse_constant=lambda text: pytest.fail(text))
    assert content["skeleton"] == "coco17"
    assert content["people"][1]["positions"][2] == [None] * 17


def test_fps_of_a_container_can_be_replaced(tmp_path: Path) -> None:
    for suffix in ("npz", "json", "csv"):
        write(_sequence("flat"), tmp_path / f"a.{suffix}")
        assert read(tmp_path / f"a.{suffix}", fps=5).fps == 5


@pytest.mark.parametrize("people", [[0, 1], [1]])
@pytest.mark.parametrize("suffix", ["npz", "json", "csv"])
def test_somebody_who_is_away_all_the_time(tmp_path: Path, suffix: str, people: list[int]) -> None:
    """A stretch of a 2D clip in which one person, or all, are not seen: still 2D."""
    sequence = _sequence("flat").slice_frames(2, 3).select_people(people)
    assert not sequence.seen[-1].any()
    write(sequence, tmp_path / f"a.{suffix}")
    back = read(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(back.positions, sequence.positions)
    assert (back.unit, back.space) == ("px", "image")


# ---- arrays of others -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "expected"), [((4, 17, 3), (1, 4)), ((2, 4, 17, 3), (2, 4)), ((4, 51), (1, 4))])
def test_foreign_arrays(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.savez(tmp_path / "a.npz", positions=array, other=np.arange(3))
    np.save(tmp_path / "a.npy", array)
    for path in (tmp_path / "a.npz", tmp_path / "a.npy"):
        with pytest.raises(FormatError, match=r"--read skeleton=NAME \(skeleton= in Python\)"):
            read(path)
        sequence = read(path, skeleton="h36m17", fps=50, space="camera")
        assert (sequence.people, sequence.frames, sequence.space, sequence.fps) == (*expected, "camera", 50)
        np.testing.assert_array_equal(sequence.positions.ravel(), array.ravel())
        assert sequence.notes == ("the unit is not in the file: taken as metres",)


def test_nested_dictionaries_by_path(tmp_path: Path) -> None:
    data = {"S1": {"Walking 1": np.ones((3, 17, 3)), "Eating": np.zeros((2, 17, 3))}}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(data, dtype=object))
    path = tmp_path / "data_3d_h36m.npz"
    assert read(path, key="positions_3d/S1/Walking 1", skeleton="h36m17", unit="m").frames == 3
    for key, match in ((None, "'S1'"), ("positions_3d/S1", "'Walking 1', 'Eating'"), ("positions_3d/S9", "no 'S9'")):
        with pytest.raises(FormatError, match=match):
            read(path, key=key, skeleton="h36m17")


def test_foreign_nan_is_missing_and_infinity_refused(tmp_path: Path) -> None:
    array = np.ones((2, 17, 3))
    array[0, 3, 1] = np.nan
    np.save(tmp_path / "a.npy", array)
    sequence = read(tmp_path / "a.npy", skeleton="h36m17")
    assert not sequence.seen[0, 0, 3]
    array[1, 4] = np.inf
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(FormatError, match=r"a.npy: .*not finite"):
        read(tmp_path / "a.npy", skeleton="h36m17")


@pytest.mark.parametrize("case", ["zeros", "fractions", "confidence", "millimetres"])
def test_an_array_means_the_same_in_memory_and_in_a_file(tmp_path: Path, case: str) -> None:
    array = np.random.default_rng(0).uniform(0.1, 0.9, (5, 17, 2))
    options: dict[str, object] = {"skeleton": "coco17", "fps": 30}
    if case == "zeros":
        array *= 500
        array[:, 3] = 0
    if case == "confidence":
        array = np.concatenate((array * 500, np.full((5, 17, 1), 0.25)), axis=-1)
        options["dims"] = 2
    if case == "millimetres":
        array = np.random.default_rng(0).uniform(0, 1800, (5, 17, 3))
        options |= {"skeleton": "h36m17", "unit": "mm"}
    np.save(tmp_path / "a.npy", array)
    memory, file = load(array, **options), read(tmp_path / "a.npy", **options)
    np.testing.assert_array_equal(memory.positions, file.positions)
    np.testing.assert_array_equal(memory.confidence, file.confidence)
    assert (memory.unit, memory.space, memory.dims) == (file.unit, file.space, file.dims)
    assert memory.notes == file.notes
    if case == "zeros":
        assert not memory.seen[:, :, 3].any()
    if case == "millimetres":
        assert memory.unit == "m"
        assert memory.positions.max() < 1.8


def test_confidences_beside_keypoints(tmp_path: Path) -> None:
    """Detectors' own arrays: keypoints and scores apart, the scores a little above 1."""
    points = np.random.default_rng(0).uniform(0, 500, (2, 6, 17, 2))
    points[0, 0, 0] = 0.0  # seen there, says its score
    scores = np.full((2, 6, 17), 0.3)
    scores[1, 2, 3], scores[0, 4, 5] = 0.0, 1.2
    path = tmp_path / "a.npz"
    np.savez(path, keypoints=points, scores=scores, other=np.ones(3))
    sequence = read(path, skeleton="coco17")
    np.testing.assert_array_equal(sequence.confidence, np.minimum(scores, 1))
    assert sequence.seen[0, 0, 0]
    assert not sequence.seen[1, 2, 3]
    assert sequence.notes[0] == "confidences from 'scores'; those above 1 cut"
    with pytest.raises(FormatError, match=r"'other' has shape \(3,\); expected \(2, 6, 17\)"):
        read(path, skeleton="coco17", confidence="other")
    with pytest.raises(FormatError, match="no 'sure' beside"):
        read(path, skeleton="coco17", confidence="sure")
    annotation = {"keypoint": points, "keypoint_score": scores[..., None], "label": 3}  # a clip of PYSKL's
    (tmp_path / "clip.pkl").write_bytes(pickle.dumps(annotation))
    np.testing.assert_array_equal(read(tmp_path / "clip.pkl", skeleton="coco17").confidence, sequence.confidence)


def test_sizes_no_body_has_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).uniform(0, 600, (5, 17, 3)))
    with pytest.raises(FormatError, match=r"a\.npy: a pose of the array spans 5\d\d; .*unit='mm'.* dims=2"):
        read(tmp_path / "a.npy", skeleton="coco17")
    with pytest.raises(FormatError, match="expected confidences in 0..1"):
        read(tmp_path / "a.npy", skeleton="coco17", dims=2)
    np.save(tmp_path / "flat.npy", np.ones((5, 17, 2)))
    with pytest.raises(FormatError, match="2D, and its unit stated as mm"):
        read(tmp_path / "flat.npy", skeleton="coco17", unit="mm")


def test_a_container_of_other_dimensions_than_asked_for(tmp_path: Path) -> None:
    write(_sequence("flat"), tmp_path / "a.npz")
    assert read(tmp_path / "a.npz", dims=2).dims == 2
    with pytest.raises(FormatError, match="found 2D joints, expected 3D"):
        read(tmp_path / "a.npz", dims=3)


@pytest.mark.parametrize("suffix", ["npy", "pkl", "pickle"])
def test_what_is_only_read_is_not_written(tmp_path: Path, suffix: str) -> None:
    """NumPy and pickle would not know our container, and neither should we."""
    for format in (None, "npz"):
        with pytest.raises(ConfigError, match=r"npz"):
            write(_sequence("flat"), tmp_path / f"a.{suffix}", format)
    assert not list(tmp_path.iterdir())


# ---- tables of others -----------------------------------------------------------------------------------------------


def test_a_foreign_long_table(tmp_path: Path) -> None:
    joints = get_skeleton("coco17").joints
    rows = ["Frame;Joint;X;Y;Score"] + [f"{t};{j};{t + i};2.5;0.5" for t in (0, 2) for i, j in enumerate(joints)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    sequence = read(tmp_path / "a.csv", fps=10)
    assert (sequence.skeleton.name, sequence.frames, sequence.unit, sequence.fps) == ("coco17", 3, "px", 10)
    np.testing.assert_array_equal(sequence.positions[0, 2, :, 0], 2 + np.arange(17))
    assert not sequence.seen[0, 1].any()
    assert any("taken as px" in note for note in sequence.notes)


def test_a_foreign_table_that_quotes_everything(tmp_path: Path) -> None:
    """As R's write.csv does, header and all."""
    joints = get_skeleton("coco17").joints
    rows = ['"frame","person","joint","x","y","confidence"'] + [f'"0","0","{j}","1","2","0.5"' for j in joints]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    sequence = read(tmp_path / "a.csv")
    assert sequence.positions.shape == (1, 1, 17, 2)
    assert (sequence.confidence == 0.5).all()
    wide = ",".join(f'"{j}_{axis}"' for j in joints for axis in "xy")
    (tmp_path / "a.csv").write_text(wide + "\n" + ",".join(map(str, range(34))) + "\n")
    np.testing.assert_array_equal(read(tmp_path / "a.csv").positions[0, 0].ravel(), np.arange(34))


@pytest.mark.parametrize(
    ("frames", "people", "count", "fps", "notes"),
    [
        ((0, 1, 2), (0, 1), 3, 30, ()),
        (
            (1, 2, 3),
            (1, 2),
            3,
            30,
            ("frame 0 is frame 1 of the video", "people 1, 2 of the table, counted from 0 here"),
        ),
        ((5000, 5001), (101, 205), 2, 30, ("frame 0 is frame 5000 of", "people 101, 205 of the table")),
        ((0, 5, 10), (0, 1), 3, 6, ("one frame in 5 of the video is there",)),
        ((0, 1, 4), (0, 2), 5, 30, ("2 frames are not there", "people 0, 2 of the table")),
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_people_and_frames_of_others_may_bear_any_number(
    tmp_path: Path,
    frames: tuple[int, ...],
    people: tuple[int, ...],
    count: int,
    fps: float,
    notes: tuple[str, ...],
    wide: bool,
) -> None:
    joints = get_skeleton("coco17").joints
    if wide:
        header = "frame,person," + ",".join(f"{j}_x,{j}_y" for j in joints)
        rows = [f"{t},{who}," + ",".join(f"{t + 7},{who}" for _ in joints) for t in frames for who in people]
    else:
        header = "frame,person,joint,x,y"
        rows = [f"{t},{who},{j},{t + 7},{who}" for t in frames for who in people for j in joints]
    (tmp_path / "a.csv").write_text("\n".join(["# fps: 30", header, *rows]))
    sequence = read(tmp_path / "a.csv")
    assert sequence.positions.shape == (len(people), count, 17, 2)
    assert sequence.fps == fps
    shown = [t for t in range(count) if sequence.seen[:, t].all()]
    np.testing.assert_array_equal(sequence.positions[0, shown, 0, 0] - 7, frames)
    np.testing.assert_array_equal(sequence.positions[:, 0, 0, 1], people)
    assert len(sequence.notes) == len(notes) + 1
    for note in notes:
        assert any(found.startswith(note) for found in sequence.notes)
    assert read(tmp_path / "a.csv", fps=60).fps == 2 * fps


def test_our_own_tables_keep_frames_and_people_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "# skeleton: coco17\n# people: 3\n# frames: 9\nframe,person,joint,x,y\n4,1,nose,1,2\n"
    )
    sequence = read(tmp_path / "a.csv")
    assert (sequence.people, sequence.frames) == (3, 9)
    assert sequence.seen[1, 4, 0]
    assert sequence.seen.sum() == 1
    (tmp_path / "a.csv").write_text("# skeleton: coco17\n# people:\n# frames:\nframe,joint,x,y\n0,nose,1,2\n")
    sequence = read(tmp_path / "a.csv")
    assert (sequence.people, sequence.frames) == (1, 1)


def test_a_foreign_wide_table_in_another_order(tmp_path: Path) -> None:
    joints = [j.replace("_", " ").title() for j in get_skeleton("h36m17").joints[::-1]]
    header = ",".join(f"{j}_{axis}" for j in joints for axis in "xyz")
    rows = [",".join(f"{v / 10}" for v in range(51)), ",".join(["1"] * 51)]
    (tmp_path / "a.csv").write_text("\n".join([header, *rows]) + "\n")
    sequence = read(tmp_path / "a.csv", skeleton="h36m17")
    assert sequence.positions.shape == (1, 2, 17, 3)
    np.testing.assert_array_equal(sequence.positions[0, 0, 16], [0, 0.1, 0.2])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("frame,joint,x,y\n", "header without rows"),
        ("# fps: 50\n", "comments but no table"),
        ("a,b\n1,2\n", "expected frame,person,joint"),
        ("joint,x,y\nnose,1,2\n", "no column 'frame'"),
        ("frame,joint,x,y\n0,nose,1\n", "line 2 has 3 cells, the header 4"),
        ("# fps: fast\nframe,joint,x,y\n", "line 1, fps is 'fast'"),
        ("# skeleton: coco18\nframe,joint,x,y\n0,nose,1,2\n", "'coco18' is none of"),
        ("# skeleton: coco17\nframe,joint,x,y\n0,nose,1,abc\n", "line 3, y is 'abc'"),
        ("# skeleton: coco17\nframe,joint,x,y\n0,nose,1,inf\n", "line 3, y is 'inf'"),
        ("# skeleton: coco17\nframe,joint,x,y\n-1,nose,1,2\n", "frame is '-1'"),
        ("# skeleton: coco17\nframe,joint,x,y\n0,nose,1,2\n999999999,nose,1,2\n", "2 frames with numbers from 0 to 9"),
        ("# skeleton: coco17\n# frames: 999999999\nframe,joint,x,y\n0,nose,1,2\n", "check the frame"),
        ("# skeleton: coco17\n# people: x\nframe,joint,x,y\n0,nose,1,2\n", "line 2, people is 'x'"),
        ("# skeleton: coco17\nframe,person,joint,x,y\n7,3,nose,1,\n", "'nose' of person 3 in frame 7 lacks"),
        ("# skeleton: coco17\nframe,joint,x,y\n0,nase,1,2\n", "'nase' is not of the skeleton"),
        ("# skeleton: coco17\nframe,joint,x,y\n0,nose,1,2\n0,nose,1,2\n", "stands twice"),
        ("# skeleton: coco17\nframe,joint,x,y\n0,nose,1,\n", "lacks a coordinate"),
        (
            "# skeleton: coco17\nframe,joint,x,y,score\n0,nose,1,2,7\n",
            "joint 'nose' of person 0 in frame 0 has confidence 7; expected 0 to 1",
        ),
        ("frame,joint,x,y\n0,thumb,1,2\n", "no known layout"),
        ('# skeleton: {"joints": 3}\nframe,joint,x,y\n0,a,1,2\n', "must map each joint"),
    ],
)
def test_bad_tables_name_line_and_value(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=match) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


# ---- damaged containers ---------------------------------------------------------------------------------------------


def _edit(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"version": 9}, "version 9; expected 1"),
        ({"skeleton": "body25"}, "'joints' are not those of skeleton 'body25'"),
        ({"skeleton": {"joints": {"a": "b"}}}, "parent 'b' of 'a'"),
        ({"skeleton": {"joints": {str(i): "" for i in range(3000)}}}, "3000 joints"),
        ({"fps": -1}, "fps is -1"),
        ({"fps": "x"}, "'fps' is 'x'"),
        ({"unit": "furlong"}, "unit 'furlong' is unknown"),
        ({"people": []}, "no people"),
        ({"people": [{"positions": [[None] * 17]}, {"positions": []}]}, "expected as many for each"),
        ({"people": [{"positions": [[None] * 16]}]}, "16 joints; expected 17"),
        ({"people": [{"positions": [[[1, 2]] * 17], "confidence": [[1] * 16]}]}, r"not of shape \(1, 17\)"),
        ({"people": [{"positions": [[[1, 2]] * 17], "confidence": [[7] * 17]}]}, "outside 0..1"),
        ({"image_size": [1]}, "'image_size' has 1 numbers"),
        ({"notes": [3]}, "a note is 3"),
    ],
)
def test_bad_json(tmp_path: Path, changes: dict[str, object], match: str) -> None:
    path = tmp_path / "a.json"
    write(_sequence("flat"), path)
    _edit(path, **changes)
    with pytest.raises(FormatError, match=match) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kinegraph": np.int64(2)}, "version 2; expected 1"),
        ({"meta": np.array("{")}, "'meta' is null"),
        ({"meta": np.array("{}")}, "names no skeleton"),
        ({"positions": np.array(["a"])}, "expected an array of numbers"),
        ({"positions": np.zeros((17, 2))}, "expected 4 axes"),
        ({"positions": np.full((2, 5, 17, 2), np.nan)}, "not finite"),
        ({"confidence": np.zeros((1, 2))}, "confidence has shape"),
        ({"positions": np.zeros((2, 0, 17, 2)), "confidence": np.zeros((2, 0, 17))}, "0 frames"),
    ],
)
def test_bad_npz(tmp_path: Path, changes: dict[str, np.ndarray], match: str) -> None:
    path = tmp_path / "a.npz"
    write(_sequence("flat"), path)
    with np.load(path) as arrays:
        content = {**arrays, **changes}
    np.savez(path, **content)
    with pytest.raises(FormatError, match=match) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "a.npz"
    with pytest.raises(KinegraphError, match="does not exist"):
        write(_sequence("flat"), target)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "left/positions"}, "its key is positions, not left/positions; leave key out"),
        ({"skeleton": "h36m17"}, r"its skeleton is 'coco17', not 'h36m17'; leave skeleton \(--layout\) out"),
        ({"unit": "m"}, "its unit is px, not m; leave unit out"),
        ({"space": "world"}, "its space is image, not world; leave space out"),
        ({"up": "y"}, "only world space has an up axis"),
    ],
)
def test_what_contradicts_our_npz_is_refused(tmp_path: Path, options: dict[str, str], message: str) -> None:
    flat = SkeletonSequence(
        np.ones((1, 4, 17, 2)), get_skeleton("coco17"), fps=30, unit="px", space="image", source="mine"
    )
    write(flat, tmp_path / "a.npz")
    with pytest.raises(KinegraphError, match=message):
        read(tmp_path / "a.npz", **options)
    _same(read(tmp_path / "a.npz", key="positions", skeleton="coco17", unit="px", space="image"), flat)


def test_which_way_is_up_can_be_said(tmp_path: Path) -> None:
    write(SkeletonSequence(np.ones((1, 4, 17, 3)), get_skeleton("h36m17")), tmp_path / "a.npz")
    assert read(tmp_path / "a.npz", up="z").up == "z"
    write(read(tmp_path / "a.npz", up="z"), tmp_path / "a.npz")
    with pytest.raises(KinegraphError, match="its up is z, not y"):
        read(tmp_path / "a.npz", up="y")


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_the_size_of_the_image_can_be_said(tmp_path, suffix) -> None:
    points = np.random.default_rng(0).uniform(0, 400, (1, 4, 17, 2))
    flat = SkeletonSequence(points, get_skeleton("coco17"), fps=30, unit="px", space="image")
    path = tmp_path / f"a.{suffix}"
    write(flat, path)
    assert read(path).image_size is None
    sized = read(path, image_size=(640, 480))
    assert (sized.image_size, sized.fps) == ((640, 480), 30)
    np.savez(tmp_path / "foreign.npz", keypoints=points)
    assert read(tmp_path / "foreign.npz", skeleton="coco17", image_size=(640, 480)).image_size == (640, 480)
    with pytest.raises(KinegraphError, match=r"image_size is \(0, 480\); expected width and height in px"):
        read(path, image_size=(0, 480))
