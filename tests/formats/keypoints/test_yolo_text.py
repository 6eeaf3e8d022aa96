"""YOLO's label files: a folder of them, one alone, and what is no label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kinegraph.datasets.folder import recording_stamp
from kinegraph.errors import ConfigError, FormatError, KinegraphError
from kinegraph.formats import detect, read
from kinegraph.formats.walk import recordings_in
from kinegraph.sequence import SkeletonSequence

_TALL = np.stack([0.3 + 0.02 * (np.arange(17) % 2), 0.1 + 0.04 * np.arange(17)], axis=1)


def _line(x: float, *after: float, third: float | None = 0.75, joints: int = 17) -> str:
    points = np.add(np.resize(_TALL, (joints, 2)), (x, 0))
    rows = points if third is None else np.column_stack([points, np.full(joints, third)])
    return " ".join(f"{value:g}" for value in (0, 0.5, 0.5, 0.2, 0.7, *rows.ravel(), *after)) + "\n"


def _folder(folder: Path, frames: dict[int, str], name: str = "video") -> Path:
    folder.mkdir(exist_ok=True)
    for number, text in frames.items():
        (folder / f"{name}_{number}.txt").write_text(text)
    return folder


def _confidence(sequence: SkeletonSequence) -> NDArray[np.float64]:
    assert sequence.confidence is not None
    return sequence.confidence


def test_a_video_with_numbers_of_people(tmp_path: Path) -> None:
    """Frames 1 to 12, by number and not by name; none for frame 7, in which nobody was seen."""
    frames = {n: _line(n / 100, 0.9, 4) + _line(0.5 + n / 100, 0.8, 2) for n in range(1, 13) if n != 7}
    folder = _folder(tmp_path / "labels", frames)
    assert detect(folder) == "yolo_text"
    sequence = read(folder, fps=25)
    assert (sequence.people, sequence.frames, sequence.skeleton.name) == (2, 12, "coco17")
    assert (sequence.unit, sequence.space, sequence.fps) == ("normalized", "image", 25)
    expected = np.where(np.arange(1, 13) == 7, np.nan, np.arange(1, 13) / 100)
    np.testing.assert_allclose(sequence.positions[0, :, 0, 0], 0.8 + expected)  # number 2
    np.testing.assert_allclose(sequence.positions[1, :, 0, 0], 0.3 + expected)
    assert (_confidence(sequence)[sequence.seen] == 0.75).all()
    assert "frame 0 is frame 1 of the video" in sequence.notes
    pixels = read(folder, image_size=(200, 100))
    assert (pixels.unit, pixels.image_size) == ("px", (200, 100))
    np.testing.assert_allclose(pixels.positions, sequence.positions * [200, 100])
    with pytest.raises(ConfigError, match="image_size is"):
        read(folder, image_size=(0, 100))


@pytest.mark.parametrize("third", [0.75, None])
@pytest.mark.parametrize("after", [(), (0.93,), (3,), (0.93, 3)])
def test_columns_that_may_be_there(tmp_path: Path, third: float | None, after: tuple[float, ...]) -> None:
    path = tmp_path / "a.txt"
    path.write_text(_line(0.1, *after, third=third))
    assert detect(path) == "yolo_text"
    sequence = read(path)
    assert (sequence.people, sequence.frames) == (1, 1)
    np.testing.assert_allclose(sequence.positions[0, 0], np.add(_TALL, (0.1, 0)))
    assert (_confidence(sequence) == (1.0 if third is None else third)).all()


def test_other_keypoints_need_a_skeleton(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(_line(0.1, joints=26))
    with pytest.raises(FormatError, match=r"line 1 has 83 columns; expected 39 or 56 .* pass skeleton="):
        read(path)
    assert read(path, skeleton="halpe26").skeleton.name == "halpe26"


def test_labels_for_training_have_visibilities(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(_line(0.1, third=2) + _line(0.5, third=1))
    np.testing.assert_array_equal(_confidence(read(path))[:, 0, 0], [1, 0.5])


def test_empty_files_are_frames_with_nobody(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "labels", {1: "", 2: _line(0.1), 3: "\n"})
    (folder / "classes.txt").write_text("person\n")
    sequence = read(folder)
    np.testing.assert_array_equal(sequence.seen.any(axis=(0, 2)), [False, True, False])
    with pytest.raises(FormatError, match="no people in 1 frame"):
        read(folder / "video_1.txt", format="yolo_text")


def test_two_clips_are_read_one_at_a_time(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "labels", {1: _line(0.1)}, "a")
    _folder(folder, {1: _line(0.2), 2: _line(0.2)}, "b")
    with pytest.raises(FormatError, match="frames of 2 clips"):
        read(folder)
    assert read(folder, clip="b").frames == 2
    with pytest.raises(FormatError, match="leave clip out"):
        read(folder / "b_1.txt", clip="b")


def test_searching_a_folder_finds_labels_as_one_recording(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "labels", {1: _line(0.1), 2: _line(0.1)})
    assert recordings_in(tmp_path, [".npz"]) == [folder]
    stamp = recording_stamp(folder)
    _folder(folder, {3: _line(0.1)})
    assert recording_stamp(folder) != stamp


def test_bad(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text, match in (
        ("0 0.5 0.5 0.2 0.7\n", r"line 1 has 5 columns; expected 39 or 56 \(class, box and 17 keypoints\)"),
        (_line(0.1) + _line(0.1).replace("0.75", "nan"), "line 2 holds what is no number"),
        (_line(0.1) + _line(400), "line 2 holds 400.32; expected fractions"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=match):
            read(path)
    with pytest.raises(FormatError, match="without text files"):
        read(_folder(tmp_path / "none", {}), format="yolo_text")
    with pytest.raises(FormatError, match="only 2 frames are there"):
        read(_folder(tmp_path / "sparse", {1: _line(0.1), 10**9: _line(0.1)}))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["", "x", "nan", "1e99", "\n", "7", "-"])))
)
def test_damage_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, str]]) -> None:
    words = (_line(0.1, 0.9, 1) + _line(0.5, 0.8, 2)).split(" ")
    for where, word in edits:
        words[int(where * len(words))] = word
    folder = _folder(tmp_path_factory.mktemp("damaged") / "labels", {1: " ".join(words), 2: _line(0.2)})
    try:
        sequence = read(folder)
    except KinegraphError as error:
        lines = str(error).splitlines()
    else:
        lines = []
        assert np.isfinite(sequence.positions[sequence.seen]).all()
    assert len(lines) < 2
