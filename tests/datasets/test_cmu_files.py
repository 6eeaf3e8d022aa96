"""CMU's files are known by their names and their calibration pose; nobody else's lose frames to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from moving_people import walker

import kinegraph as kg
from kinegraph.datasets.cmu_files import is_cmu_clip, named_subject, without_lead_in


@pytest.mark.parametrize(
    ("path", "subject", "clip"),
    [
        ("01/01_05.bvh", "01", True),
        ("127/127_38.amc", "127", True),
        ("02/01_05.bvh", "01", False),  # somebody's second session, say
        ("take_01/01_05.bvh", "01", False),
        ("01/1_5.bvh", None, False),
        ("01/01_05_edited.bvh", None, False),
        ("walk/take.bvh", None, False),
    ],
)
def test_names(path: str, subject: str | None, clip: bool) -> None:
    assert named_subject(Path(path)) == subject
    assert is_cmu_clip(Path(path)) is clip


def test_a_take_numbered_as_cmus_stays_whole(tmp_path: Path) -> None:
    """CMU's files begin with a pose in which not even the root is turned; a recording does not."""
    kg.save(walker(seed=2), tmp_path / "01_02.bvh")
    own = kg.load(tmp_path / "01_02.bvh")
    assert without_lead_in(own, tmp_path / "01_02.bvh") is own
    assert own.rotations is not None
    rest = own.rotations.copy()
    rest[:, 0] = (0.0, 0.0, 0.0, 1.0)
    calibrated = own.replace(rotations=rest)
    assert without_lead_in(calibrated, tmp_path / "01_02.bvh").frames == own.frames - 6
    assert without_lead_in(calibrated, tmp_path / "take.bvh") is calibrated
    short = calibrated.slice_frames(0, 6)
    assert without_lead_in(short, tmp_path / "01_02.bvh") is short
