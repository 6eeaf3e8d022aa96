"""NTU .skeleton: several bodies, empty frames, 64-bit identities, exact numbers, and damage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph.errors import FormatError
from kinegraph.formats import detect, read
from kinegraph.formats.motion.ntu_skeleton import parse_name, read_bodies

FIRST, SECOND = 72057594037931101, 72057594037931102  # equal as float64


def body(identity, points, state=2):
    lines = [f"{identity} 0 1 1 0 0 0 0.0276 -0.0574 2", "25"]
    lines += [f"{p[0]} {p[1]} {p[2]} 277.4 191.8 1036.2 519.1 -0.2 0.05 0.96 -0.12 {state}" for p in points]
    return lines


def write(path, frames):
    """`frames`: for each frame a list of (identity, points (25, 3) of numbers or words, state)."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for identity, points, state in bodies:
            lines += body(identity, points, state)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def recording(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(5, 25, 3)).round(7)
    frames = [
        [],
        [(SECOND, points[0], 2)],
        [(SECOND, points[1], 1), (FIRST, points[2], 2)],
        [(FIRST, points[3], 0), (SECOND, points[4], 2)],
        [],
    ]
    return write(tmp_path / "S001C002P003R001A049.skeleton", frames), points


def test_bodies_are_told_apart_by_all_64_bits(recording):
    path, points = recording
    found = read_bodies(path)
    assert found.identities == (SECOND, FIRST)
    assert float(FIRST) == float(SECOND)
    np.testing.assert_array_equal(found.positions[0, 1:4], [points[0], points[1], points[4]])
    np.testing.assert_array_equal(found.positions[1, 2:4], points[2:4])
    assert np.isnan(found.positions[:, [0, 4]]).all()
    assert found.tracking[:, :, 0].tolist() == [[-1, 2, 1, 2, -1], [-1, -1, 2, 0, -1]]


def test_as_a_sequence(recording):
    path, points = recording
    assert detect(path) == "ntu_skeleton"
    sequence = read(path)
    assert (sequence.people, sequence.frames, sequence.fps, sequence.label) == (2, 5, 30.0, "A049")
    assert sequence.skeleton.name == "ntu25"
    assert sequence.confidence[0, :, 3].tolist() == [0, 1, 0.5, 1, 0]
    assert not sequence.seen[1, 3].any()  # state 0
    np.testing.assert_array_equal(sequence.positions[1, 2], points[2])


def test_name():
    name = parse_name("x/S017C003P020R002A060")
    assert (name.setup, name.camera, name.performer, name.replication, name.action) == (17, 3, 20, 2, 60)
    assert parse_name("walking") is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.one_of(
            st.floats(-1e6, 1e6).map(repr),
            st.floats(-9, 9).map(lambda v: f"{v:.7g}"),
            st.sampled_from(["1e-05", "-2.5E-3", "+3", "5.", ".5", "-0", "0.12345678901234567890", "007"]),
        ),
        min_size=75,
        max_size=75,
    ),
    separator=st.sampled_from([" ", "  ", "\t"]),
    ending=st.sampled_from(["\n", "\r\n", " \n"]),
)
def test_numbers_have_the_bits_that_float_gives(tmp_path, words, separator, ending):
    points = np.array(words).reshape(25, 3)
    text = "\n".join(["1", "1", *body(FIRST, points)])
    text = text.replace("191.8 ", "191.8" + separator).replace("\n", ending) + ending
    path = tmp_path / "a.skeleton"
    path.write_bytes(text.encode())
    expected = np.array([[float(word) for word in row] for row in points])
    got = read_bodies(path).positions[0, 0]
    assert got.tobytes() == expected.tobytes()


def damaged(path, change):
    lines = write(path, [[(FIRST, np.full((25, 3), 0.5), 2)], [(FIRST, np.full((25, 3), 0.25), 2)]]).read_text()
    path.write_text("\n".join(change(lines.split("\n"))))
    return path


def put(place, text):
    def change(lines):
        lines[place] = text
        return lines

    return change


ROW = "0.5 0.5 0.5 277.4 191.8 1036.2 519.1 -0.2 0.05 0.96 -0.12"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(0, "3"), "ends after line"),
        (put(0, "1"), "expected 29 for 1 frames"),
        (put(0, "x"), "line 1: the number of frames is 'x'"),
        (put(0, "9" * 5000), "line 1"),
        (put(1, "7"), "line 2: the number of bodies is '7', expected 0 to 6"),
        (put(2, "1 2 3"), "line 3: 3 fields of a body, expected 10"),
        (put(2, "-5 0 1 1 0 0 0 0.0276 -0.0574 2"), "line 3: the body's identity is '-5'"),
        (put(3, "24"), "line 4: the number of joints is '24' (smpl24), expected 25 (ntu25)"),
        (put(3, "23"), "line 4: the number of joints is '23' (no layout of ours), expected 25 (ntu25)"),
        (put(3, "20"), "line 4: the number of joints is '20' (kinect20), expected 25 (ntu25)"),
        (put(5, ROW), "line 6: 11 numbers of a joint, expected 12"),
        (put(5, ROW.replace(" 0.05", "  0.05")), "line 6: 11 numbers of a joint"),
        (put(5, ROW + " 2 2"), "line 6: 13 numbers"),
        (put(5, "nan" + ROW[3:] + " 2"), "line 6: found 'nan'"),
        (put(5, "1e9999" + ROW[3:] + " 2"), "line 6: found '1e9999'"),
        (put(5, "1_0" + ROW[3:] + " 2"), "line 6: found '1_0'"),
        (put(5, ROW + " 3"), "line 6: the tracking state is '3', expected 0 to 2"),
        (put(5, ROW + " 22"), "line 6: the tracking state is '22'"),
        (lambda lines: lines[:20], "ends after line 20"),
        (lambda lines: lines[:5] + lines[6:], "found '72057594037931101 0 1"),
    ],
)
def test_damage_is_named(tmp_path, change, message):
    path = damaged(tmp_path / "a.skeleton", change)
    with pytest.raises(FormatError) as error:
        read(path)
    assert message in str(error.value)
    assert len(str(error.value)) < 400


def test_twice_the_same_body_and_nobody(tmp_path):
    points = np.zeros((25, 3))
    with pytest.raises(FormatError, match="stands twice in frame 0"):
        read(write(tmp_path / "a.skeleton", [[(FIRST, points, 2), (FIRST, points, 2)]]))
    with pytest.raises(FormatError, match="no body in any frame"):
        read(write(tmp_path / "b.skeleton", [[], []]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 57), text=st.text(max_size=30), cut=st.integers(0, 58))
def test_anything_is_read_or_refused(tmp_path, place, text, cut):
    path = tmp_path / "a.skeleton"
    damaged(path, lambda lines: put(min(place, len(lines) - 1), text)(lines)[: cut or None])
    try:
        message = f"{read(path).frames} frames"
    except FormatError as error:
        message = str(error)
    assert len(message.splitlines()) == 1
