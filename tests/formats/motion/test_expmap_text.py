"""Exponential-map text: what is read, what is refused, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.formats import detect, read, write
from kinegraph.formats.export import not_shown
from kinegraph.formats.motion.expmap_text import read_matrix, rest_offsets
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton


def save(path, values, delimiter=","):
    np.savetxt(path, values, delimiter=delimiter, fmt="%.9g")
    return path


@pytest.fixture
def rows():
    values = np.random.default_rng(0).normal(size=(6, 117)) * 0.4
    values[:, :3] *= 30
    return values


@pytest.mark.parametrize("delimiter", [",", " ", ", ", "\t"])
def test_reads_what_numpy_reads(tmp_path, rows, delimiter):
    path = save(tmp_path / "a.txt", rows, delimiter)
    np.testing.assert_array_equal(read_matrix(path), np.loadtxt(path, delimiter=delimiter.strip() or None))
    assert detect(path) == "expmap_text"


def test_a_pose_of_zeros_is_the_rest_pose(tmp_path):
    values = np.zeros((3, 117))
    values[:, :3] = [1.0, 2.0, 3.0]
    sequence = read(save(tmp_path / "a.txt", values))
    unit = 0.0254 / 0.45
    assert (sequence.skeleton.name, sequence.fps, sequence.unit, sequence.up) == ("cmu38", 120, "m", "y")
    hip = sequence.positions[0, 0, sequence.skeleton.index("left_hip")]
    np.testing.assert_allclose(hip, np.array([1 + 1.65674, 2 - 1.80282, 3 + 0.62477]) * unit)
    np.testing.assert_allclose(sequence.offsets, rest_offsets("cmu38"))
    np.testing.assert_allclose(sequence.rotations[..., 3], 1)
    left, right = (hip, sequence.positions[0, 0, sequence.skeleton.index("right_hip")])
    assert left[0] > right[0]


def test_a_bent_knee_moves_the_shin_alone(tmp_path):
    """A file angle about x is minus that of the rotation: -90 degrees swing the shin forward (z)."""
    rig = get_skeleton("cmu38")
    values = np.zeros((1, 117))
    values[0, 3 + 3 * rig.index("left_knee")] = np.pi / 2
    bent = read(save(tmp_path / "a.txt", values)).positions[0, 0]
    rest = read(save(tmp_path / "b.txt", np.zeros((1, 117)))).positions[0, 0]
    knee, ankle = rig.index("left_knee"), rig.index("left_ankle")
    np.testing.assert_allclose(bent[knee], rest[knee])
    shin, old = bent[ankle] - bent[knee], rest[ankle] - rest[knee]
    np.testing.assert_allclose(shin, [old[0], old[2], -old[1]], atol=1e-8)  # nine digits in the file


def test_human36m_and_options(tmp_path):
    path = save(tmp_path / "a.txt", np.zeros((2, 99)), " ")
    sequence = read(path)
    assert (sequence.skeleton.name, sequence.fps) == ("h36m32", 50)
    points = dict(zip(sequence.skeleton.joints, sequence.positions[0, 0], strict=True))
    np.testing.assert_allclose(np.linalg.norm(points["right_knee"] - points["right_hip"]), 0.442894612)
    assert points["left_hip"][0] > points["right_hip"][0]
    assert points["head"][1] > points["pelvis"][1] > points["left_ankle"][1]
    assert read(path, fps=25, up="z").up == "z"
    assert read(path, fps=25).fps == 25
    np.testing.assert_allclose(read(path, unit=0.002).positions, 2 * sequence.positions)
    for options in ({"fps": 0.0}, {"unit": -1.0}, {"up": "x"}):
        with pytest.raises(FormatError):
            read(path, **options)


def test_written_and_read_again(tmp_path, rows):
    path = save(tmp_path / "a.txt", rows)
    first = read(path)
    write(first, tmp_path / "b.txt")
    second = read(tmp_path / "b.txt")
    np.testing.assert_allclose(second.positions, first.positions, atol=1e-8)
    turned = first.replace(
        positions=first.positions[..., [2, 0, 1]],
        rotations=None,
        up="z",
    )
    with pytest.raises(DataError, match="cmu38 without rotations"):
        write(turned, tmp_path / "c.txt")
    other = SkeletonSequence(np.zeros((1, 2, 17, 3)), get_skeleton("h36m17"), fps=30)
    with pytest.raises(KinegraphError, match="h36m17"):
        write(other, tmp_path / "d.txt")
    assert not (tmp_path / "d.txt").exists()


def test_a_z_up_world_is_turned_on_writing(tmp_path, rows):
    from kinegraph.geometry.rotations import quaternion_multiply

    first = read(save(tmp_path / "a.txt", rows))
    half = np.array([np.sin(np.pi / 4), 0, 0, np.cos(np.pi / 4)])  # y up to z up
    rotations = np.array(first.rotations)
    rotations[:, :, 0] = quaternion_multiply(half, rotations[:, :, 0])
    positions = first.positions[..., [0, 2, 1]] * [1, -1, 1]
    write(first.replace(positions=positions, rotations=rotations, up="z"), tmp_path / "b.txt")
    np.testing.assert_allclose(read(tmp_path / "b.txt").positions, first.positions, atol=1e-8)


def test_rotations_that_no_longer_make_the_positions_are_not_written(tmp_path, rows):
    first = read(save(tmp_path / "a.txt", rows))
    moved = np.array(first.positions)
    moved[:, :, first.skeleton.index("head")] += 0.01
    with pytest.raises(DataError, match="person 1: the rotations do not make the positions.*: write BVH"):
        write(first.replace(positions=moved), tmp_path / "b.txt")
    with pytest.raises(DataError, match="cmu38 without offsets"):
        write(first.replace(offsets=None), tmp_path / "b.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_who_is_never_seen_gets_no_file_and_people_count_from_one(tmp_path, rows):
    first = read(save(tmp_path / "a.txt", rows))
    positions = np.stack([np.full_like(first.positions[0], np.nan), *np.repeat(first.positions, 2, axis=0)])
    three = first.replace(positions=positions, confidence=None, rotations=np.repeat(first.rotations, 3, axis=0))
    written = write(three, tmp_path / "b.txt")
    assert written == (tmp_path / "b_person2.txt", tmp_path / "b_person3.txt")
    np.testing.assert_allclose(read(written[1]).positions, first.positions, atol=1e-8)
    assert not_shown(three, "expmap_text") == ["person 1 is never seen and was left out"]
    positions[2, 0] = np.nan
    with pytest.raises(DataError, match="person 3 has frames without a root"):
        write(three.replace(positions=positions, confidence=None), tmp_path / "c.txt")
    with pytest.raises(DataError, match="nobody to write as exponential-map text"):
        write(three.select_people([0]), tmp_path / "c.txt")
    assert not list(tmp_path.glob("c*"))


def line(count, value="0.5"):
    return ",".join([value] * count)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(116) + "\n", "line 1: 116 columns; expected 117 (cmu38) or 99 (h36m32)"),
        (line(117) + "\n" + line(60) + "\n", "line 2: 60 columns where line 1 has 117"),
        (line(117) + "\n\n" + line(116) + ",nan\n", "line 3, column 117: found 'nan'"),
        (line(117) + "\n" + line(116) + ",1e999\n", "line 2, column 117"),
        (line(115) + ",,0.5\n", "line 1, column 116: found ''"),
        (line(115) + ",1 2,0.5\n", "line 1, column 116: found '1 2'"),
        (line(116) + ",1_0\n", "line 1, column 117: found '1_0'"),
        (line(116) + ",x\n", "found 'x', expected a finite number"),
        (line(117, "1e200") + "\n", "line 1, column 1: 1e+200 is far too large"),
        (line(117) + "\n" + line(110) + ",5e7" * 7 + "\n", "line 2, column 111: 5e+07 is far too large"),
        ("\n\n", "empty"),
        (line(117) + "\0\n", "binary data"),
    ],
)
def test_damage_is_named(tmp_path, text, message):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(FormatError) as error:
        read(path, format="expmap_text")
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_only_such_text_is_taken_for_it(tmp_path):
    (tmp_path / "a.dat").write_text(line(99) + "\n")
    assert detect(tmp_path / "a.dat") == "expmap_text"
    (tmp_path / "b.dat").write_text(line(98) + "\n")
    with pytest.raises(FormatError, match="no format"):
        detect(tmp_path / "b.dat")
    (tmp_path / "c.txt").write_text("walk 1 2 3\n")
    with pytest.raises(FormatError, match="4 columns"):
        read(tmp_path / "c.txt")


CELLS = st.sampled_from(["0", "-1.5", "1e3", "nan", "", "x", ".", "-", "1e400", "0x1", "1,2", " 3 "])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    width=st.sampled_from([98, 99, 117]),
    damage=st.lists(st.tuples(st.integers(0, 350), CELLS), max_size=3),
    tail=st.text(max_size=20),
)
def test_anything_is_read_or_refused_in_one_line(tmp_path, width, damage, tail):
    cells = ["0.25"] * (3 * width)
    for place, cell in damage:
        cells[place % len(cells)] = cell
    text = "\n".join(",".join(cells[i : i + width]) for i in range(0, len(cells), width)) + "\n" + tail
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        message = f"finite: {np.isfinite(read(path, format='expmap_text').positions).all()}"
    except FormatError as error:
        message = str(error)
    assert len(message.splitlines()) == 1
    assert message != "finite: False"
