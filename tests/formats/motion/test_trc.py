"""TRC: a file as OpenSim writes it, round trips, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.formats.motion import trc
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

H36M = get_skeleton("h36m17")
FILE = (
    "PathFileType\t4\t(X/Y/Z)\tsubject.trc\n"
    "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
    "60.00\t60.00\t3\t2\tmm\t60.00\t1\t3\n"
    "Frame#\tTime\tR.ASIS\t\t\tL.ASIS\t\t\n"
    "\t\tX1\tY1\tZ1\tX2\tY2\tZ2\n"
    "\n"
    "1\t0.000\t1000\t2000\t3000\t-1.5\t0\t2.5\t\n"
    "2\t0.017\t\t\t\t4\t5\t6\n"
    "3\t0.033\t7\t8\t9\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "m.trc"
    path.write_text(FILE)
    return path


def test_markers_in_metres_with_blanks_missing(file: Path) -> None:
    sequence = trc.read(file)
    assert sequence.skeleton.joints == ("R.ASIS", "L.ASIS")
    assert (sequence.fps, sequence.unit, sequence.up) == (60, "m", "y")
    nan = np.nan
    expected = [
        [[1, 2, 3], [-0.0015, 0, 0.0025]],
        [[nan] * 3, [0.004, 0.005, 0.006]],
        [[0.007, 0.008, 0.009], [nan] * 3],
    ]
    np.testing.assert_allclose(sequence.positions[0], expected, atol=1e-12)
    assert sequence.seen[0].tolist() == [[True, True], [False, True], [True, False]]
    file.write_text(FILE.replace("\tmm\t", "\tm\t"))
    assert trc.read(file, up="z").positions[0, 0, 0, 0] == 1000


@pytest.mark.parametrize(
    ("word", "metres"),
    [
        ("meter", 1),
        ("Metres", 1),
        ("MM", 0.001),
        ("millimetre", 0.001),
        ("centimeters", 0.01),
        ("inches", 0.0254),
        ("ft", 0.3048),
    ],
)
def test_units_in_words(file: Path, word: str, metres: float) -> None:
    file.write_text(FILE.replace("\tmm\t", f"\t{word}\t"))
    assert trc.read(file).positions[0, 0, 0, 0] == pytest.approx(1000 * metres)


def test_counts_with_a_point_and_what_is_blank_in_the_header(file: Path) -> None:
    expected = trc.read(file).positions
    file.write_text(FILE.replace("60.00\t1\t3\n", "60.00\t1\t\n").replace("\t3\t2\tmm", "\t3.00\t2.\tmm"))
    np.testing.assert_array_equal(trc.read(file).positions, expected)
    file.write_text(FILE.replace("OrigDataRate\t", "Orig Data Rate\t").replace("NumFrames\tNum", " NumFrames\tNum"))
    np.testing.assert_array_equal(trc.read(file).positions, expected)


def many(markers: dict[str, list[str]]) -> str:
    """A file of these markers, each "x y z" frame by frame."""
    frames = len(next(iter(markers.values())))
    lines = FILE.splitlines()[:2]
    lines.append(f"60\t60\t{frames}\t{len(markers)}\tm\t60\t1\t{frames}")
    lines += ["Frame#\tTime\t" + "\t\t\t".join(markers), "\tXYZ", ""]
    rows = zip(*markers.values(), strict=True)
    lines += [f"{i}\t{i / 60}\t" + "\t".join("\t".join(at.split()) for at in row) for i, row in enumerate(rows)]
    return "\n".join(lines)


def test_a_marker_at_zero_was_not_seen(file: Path) -> None:
    file.write_text(many({"A": ["0 0 0", "1 2 3"], "B": ["0.000 -0.0 0.00000", "0 0 0"], "C": ["0 0 1", "1e-9 0 0"]}))
    read = trc.read(file)
    assert read.seen[0].tolist() == [[False, False, True], [True, False, True]]
    assert read.notes == ("3 points at 0, 0, 0 exactly taken as not seen (A, B)",)


@pytest.mark.parametrize("root", ["Hip", "pelvis", "root"])
def test_a_root_from_which_the_body_is_told_stays_at_zero(file: Path, root: str) -> None:
    file.write_text(many({root: ["0 0 0", "0 0 0"], "B": ["1 1 1", "0 0 0"]}))
    assert trc.read(file).seen[0].tolist() == [[True, True], [True, False]]
    file.write_text(many({root: ["0 0 0", "1 1 1"], "B": ["1 1 1", "2 2 2"]}))
    assert trc.read(file).seen[0].tolist() == [[False, True], [True, True]]
    file.write_text(many({root: ["0 0 0", "0 0 0"], "B": ["0 0 0", "0 0 0"]}))
    assert not trc.read(file).seen.any()
    file.write_text(many({root: ["0 0 0", "0 0 0"], "B": ["0 0 0", "0 0 0"], "C": ["1 1 1", "2 2 2"]}))
    assert trc.read(file).seen[0].tolist() == [[True, False, True]] * 2


def test_a_layouts_root_at_zero_comes_back(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(1, 5, 17, 3))
    points[:, :, [H36M.root, H36M.index("left_hip")]] = 0  # a bone of no length, as in Acclaim's rigs
    trc.write(SkeletonSequence(positions=points, skeleton=H36M, fps=30, up="y"), tmp_path / "x.trc")
    np.testing.assert_allclose(trc.read(tmp_path / "x.trc").positions, points, atol=1e-6)


@given(seed=st.integers(0, 2**31), unit=st.sampled_from(["mm", "m"]), holes=st.floats(0, 0.9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path: Path, seed: int, unit: str, holes: float) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(1, 5, 17, 3))
    points[rng.random((1, 5, 17)) < holes] = np.nan
    given_ = SkeletonSequence(positions=points, skeleton=H36M, fps=29.97, up="y")
    trc.write(given_, tmp_path / "x.trc", unit=unit)
    back = trc.read(tmp_path / "x.trc")
    assert back.skeleton == H36M  # the names are a layout's, so its tree comes back
    assert back.fps == pytest.approx(29.97)
    np.testing.assert_allclose(back.positions, points, atol=1e-6)


def test_camera_space_is_turned_upright_and_people_are_kept_apart(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(2, 4, 17, 3))
    written = trc.write(SkeletonSequence(positions=points, skeleton=H36M, fps=30, space="camera"), tmp_path / "x.trc")
    assert [path.name for path in written] == ["x.trc", "x_person2.trc"]
    np.testing.assert_allclose(trc.read(written[1]).positions[0], points[1] * [1, -1, -1], atol=1e-6)
    with pytest.raises(DataError, match="2D"):
        trc.write(SkeletonSequence(positions=points[..., :2], skeleton=H36M, fps=30), tmp_path / "y.trc")
    assert not (tmp_path / "y.trc").exists()


def test_who_is_never_seen_gets_no_file(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(3, 4, 17, 3))
    points[[0, 2]] = np.nan
    shown = SkeletonSequence(positions=points, skeleton=H36M, fps=30, up="y")
    assert trc.write(shown, tmp_path / "x.trc") == (tmp_path / "x_person2.trc",)
    assert [path.name for path in tmp_path.iterdir()] == ["x_person2.trc"]
    np.testing.assert_allclose(trc.read(tmp_path / "x_person2.trc").positions[0], points[1], atol=1e-6)
    with pytest.raises(DataError, match="nobody to write as TRC"):
        trc.write(shown.select_people([0, 2]), tmp_path / "y.trc")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PathFileType", "PathType", "not a TRC marker file"),
        ("\t3\t2\tmm", "\t3\t4\tmm", "NumMarkers is 4, but line 4 names 2"),
        ("\t3\t2\tmm", "\t9999999999\t2\tmm", "NumFrames is 9999999999, found 3"),
        ("\t3\t2\tmm", "\t-3\t2\tmm", "NumFrames needs a whole number, found '-3'"),
        ("\tmm\t", "\tparsec\t", "Units is 'parsec'"),
        ("60.00\t60.00\t3", "0\t60.00\t3", "DataRate needs a positive"),
        ("60.00\t60.00\t3", "60.00\t3", "7 values for the 8 names"),
        ("L.ASIS", "R.ASIS", "line 4: 'R.ASIS' stands 2 times; expected marker names, each once"),
        ("60.00\t60.00\t3\t", "60.00\t60.00\t3.5\t", "NumFrames needs a whole number, found '3.5'"),
        ("\t5\t6", "\tfive\t6", "line 8: coordinate 5 is 'five'"),
        ("\t5\t6", "\tinf\t6", "line 8: coordinate 5 is 'inf'"),
        ("\t5\t6", "\t5\t6\t7\t8", "line 8: 8 coordinates for 2 markers"),
        ("3\t0.033\t7\t8\t9\n", "", "NumFrames is 3, found 2 rows; the file is cut short"),
    ],
)
def test_damage_is_named(file: Path, old: str, new: str, message: str) -> None:
    assert old in FILE
    file.write_text(FILE.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        trc.read(file)


def said_of(path: Path) -> str:
    """The error of a damaged file, or "" if it is read; any other exception fails the test."""
    try:
        trc.read(path)
    except KinegraphError as error:
        return str(error)
    return ""


@given(at=st.integers(0, len(FILE)), noise=st.binary(max_size=20), drop=st.integers(0, 80))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_other_error_ever_escapes(file: Path, at: int, noise: bytes, drop: int) -> None:
    data = bytearray(FILE.encode())
    data[at : at + drop] = noise
    file.write_bytes(data)
    assert "\n" not in said_of(file)
