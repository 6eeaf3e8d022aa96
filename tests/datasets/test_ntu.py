"""NTU RGB+D for recognition: the splits to the number, lists of missing samples, who is kept."""

from __future__ import annotations

import numpy as np
import pytest
from action_files import ntu_text, write_ntu

from kinegraph.datasets.ntu import XSUB_60, XSUB_120, NtuSource, read_missing, trains
from kinegraph.errors import DataError, FormatError
from kinegraph.formats import read

NAMES = ["S001C002P003R001A049", "S002C001P001R002A001", "S018C003P045R001A060"]


def test_splits_are_the_published_ones() -> None:
    assert len(XSUB_60) == 20
    assert len(XSUB_120) == 53
    assert sorted(XSUB_60) == [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]
    assert sorted(XSUB_120 - XSUB_60) == [
        45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86,
        89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
    ]  # fmt: skip

    assert [camera for camera in (1, 2, 3) if trains("ntu60-xview", camera=camera)] == [2, 3]
    assert [setup for setup in range(1, 9) if trains("ntu120-xset", setup=setup)] == [2, 4, 6, 8]
    assert trains("ntu60-xsub", performer=38)
    assert trains("ntu60-xsub", performer=45) is False
    assert trains("ntu120-xsub", performer=45)
    assert trains("ntu120-xsub", performer=3) is False
    assert trains("ntu60-xsub", camera=2, setup=2) is None  # who it is, is not known


def test_names_labels_and_order(tmp_path) -> None:
    source = NtuSource(write_ntu(tmp_path / "a" / "b", NAMES))
    clips = list(source)
    assert [clip.name for clip in clips] == sorted(NAMES) == [source.name(n) for n in range(3)]
    first = clips[0]
    assert (first.label, first.subject, first.camera, first.setup) == (48, "P003", 2, 1)
    assert first.positions.shape == (1, 6, 25, 3)
    assert source.classes[48] == "A049"
    assert len(source.classes) == 60


def test_actions_beyond_sixty_belong_to_the_larger_set(tmp_path) -> None:
    folder = write_ntu(tmp_path, [*NAMES, "S018C001P045R001A061"])
    assert len(NtuSource(folder)) == 3
    assert NtuSource(folder).notes == ("1 samples left out: their actions are beyond the 60 of ntu60",)
    assert len(NtuSource(folder, "ntu120")) == 4


def test_missing_samples_are_left_out(tmp_path) -> None:
    folder = write_ntu(tmp_path / "data", NAMES)
    text = tmp_path / "missing.txt"
    text.write_text(
        "The following samples have no skeletons.\nThere are 2.\n\nS001C002P003R001A049\ns018c003p045r001a060 \n"
    )
    assert read_missing(text) == {"S001C002P003R001A049"}  # a name is written in capitals
    source = NtuSource(folder, missing=(text,))
    assert len(source) == 2
    assert "1 samples left out" in source.notes[0]
    text.write_text("nothing here\n")
    with pytest.raises(DataError, match="no sample names"):
        read_missing(text)


def test_a_joint_that_is_not_tracked_is_missing(tmp_path) -> None:
    """To a training clip as to a recording that is recognised."""
    path = write_ntu(tmp_path, NAMES[:1]) / f"{NAMES[0]}.skeleton"
    lines = path.read_text().splitlines()
    for at, state in ((4, "0"), (5, "1"), (4 + 2 * 28, "0")):  # joints 0 and 1 of the first frame, 0 of the third
        assert lines[at].endswith(" 2")
        lines[at] = f"{lines[at][:-1]}{state}"
    path.write_text("\n".join(lines) + "\n")
    clip, recording = NtuSource(tmp_path).read(0), read(path)
    seen = np.isfinite(clip.positions).all(axis=-1)
    assert np.argwhere(~seen).tolist() == [[0, 0, 0], [0, 2, 0]]
    np.testing.assert_array_equal(seen, recording.seen)
    np.testing.assert_allclose(clip.positions[seen], recording.positions[seen], rtol=1e-6)


def test_the_two_that_move_most_and_empty_frames(tmp_path) -> None:
    rng = np.random.default_rng(0)
    rest = rng.normal(size=(1, 25, 3))
    bodies = [rest + size * np.sin(np.arange(8))[:, None, None] for size in (0.0, 1.0, 0.3)]
    (tmp_path / "S001C001P001R001A001.skeleton").write_text(ntu_text(bodies, absent=(0, 7)))
    clip = NtuSource(tmp_path).read(0)
    np.testing.assert_allclose(clip.positions[0, 1:7], bodies[1][1:7], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(clip.positions[1, 1:7], bodies[2][1:7], rtol=1e-5, atol=1e-6)
    assert clip.present.tolist() == [[False, *[True] * 6, False]] * 2


def test_what_cannot_be_used_is_said(tmp_path) -> None:
    folder = write_ntu(tmp_path / "data", NAMES[:1])
    (folder / "walk.skeleton").write_text("0\n")
    (folder / "S001C001P001R001A001.skeleton").write_text("1\n0\n")
    (folder / "S001C001P001R001A002.skeleton").write_text("1\n1\n")
    source = NtuSource(folder)
    assert len(source) == 4
    with pytest.raises(DataError, match="no body in any frame"):
        source.read(0)
    with pytest.raises(FormatError, match="cut short"):
        source.read(1)
    with pytest.raises(DataError, match="walk.skeleton: mislabelled, its name is not SsssCcccPpppRrrrAaaa"):
        source.read(3)
    (folder / "x").mkdir()
    (folder / "x" / f"{NAMES[0]}.skeleton").write_text("1\n0\n")
    with pytest.raises(DataError, match="there twice"):
        NtuSource(folder)
    with pytest.raises(DataError, match="no data set 'ntu61'"):
        NtuSource(folder, "ntu61")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected files like S001C001P001R001A001"):
        NtuSource(tmp_path / "empty")
