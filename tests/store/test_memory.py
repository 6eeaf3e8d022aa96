"""Clips in memory: as the source has them, the damaged ones named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import DataError, FormatError
from kinegraph.skeleton import get_skeleton
from kinegraph.store import ActionClip, ClipSource, MemoryClips


class Some(ClipSource):
    """Three clips; those of `damaged` cannot be read."""

    dataset, fps, classes = "some", 30.0, ("a", "b")

    def __init__(self, damaged: tuple[int, ...] = (), shift: float = 0.0) -> None:
        self.skeleton = get_skeleton("h36m17")
        self.damaged, self.shift = damaged, shift

    def __len__(self) -> int:
        return 3

    def name(self, index: int) -> str:
        return f"clip{index}"

    def stamp(self, index: int) -> str:
        return "1"

    def read(self, index: int) -> ActionClip:
        if index in self.damaged:
            raise FormatError(Path(f"{self.name(index)}.amc"), "cut off")
        positions = np.full((1, 4 + index, 17, 3), index + self.shift)
        return ActionClip(
            name=self.name(index), label=index % 2, positions=positions, subject=f"P{index}", camera=index
        )


def test_what_is_known_of_all_and_each_by_number() -> None:
    clips = MemoryClips(Some(), "folder")
    assert clips.names == ("clip0", "clip1", "clip2")
    assert clips.subjects == ("P0", "P1", "P2")
    assert not clips.bad
    np.testing.assert_array_equal(clips.labels, [0, 1, 0])
    np.testing.assert_array_equal(clips.frames, [4, 5, 6])
    np.testing.assert_array_equal(clips.cameras, [0, 1, 2])
    assert clips[2].positions.shape == (1, 6, 17, 3)
    with pytest.raises(DataError, match="no clip 3"):
        clips[3]
    assert clips.fingerprint == MemoryClips(Some(), "elsewhere").fingerprint
    assert clips.fingerprint != MemoryClips(Some(shift=1e-3), "folder").fingerprint


CHANGES = (
    {"splits": ("train",)},
    {"subject": "P9"},
    {"camera": 7},
    {"setup": 3},
    {"label": 1},
    {"name": "other"},
    {"confidence": np.ones((1, 4, 17))},
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_the_fingerprint_covers_all_that_is_known_of_a_clip(change: dict[str, object]) -> None:
    """Else a sweep takes a network for one trained on today's training part."""

    class Changed(Some):
        def read(self, index: int) -> ActionClip:
            clip = super().read(index)
            return dataclasses.replace(clip, **change) if index == 0 else clip  # type: ignore[arg-type]

    assert MemoryClips(Changed(), "folder").fingerprint != MemoryClips(Some(), "folder").fingerprint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "others"),
        ("fps", 25.0),
        ("unit", "normalized"),
        ("classes", ("b", "a")),
        ("skeleton", dataclasses.replace(get_skeleton("h36m17"), links=())),
    ],
)
def test_the_fingerprint_covers_what_is_known_of_all_clips(field: str, value: object) -> None:
    source = Some()
    setattr(source, field, value)
    assert MemoryClips(source, "folder").fingerprint != MemoryClips(Some(), "folder").fingerprint


def test_damaged_clips_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    clips = MemoryClips(Some((1,)), "folder", progress=True)
    assert clips.names == ("clip0", "clip2")
    assert clips.bad[0][0] == "clip1"
    assert "folder: 1 of 3 clips left out, first clip1:" in capsys.readouterr().err
    with pytest.raises(DataError, match="no clip of some can be read .*cut off"):
        MemoryClips(Some((0, 1, 2)), "folder")
