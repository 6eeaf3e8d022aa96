"""Pictures of forecasts and timelines: how many poses, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.visualize import write_forecast


def person(frames: int, fps: float = 30.0, layout: str = "h36m17") -> SkeletonSequence:
    skeleton = get_skeleton(layout)
    pose = np.random.default_rng(0).normal(scale=0.4, size=(skeleton.num_joints, 3))
    walk = np.arange(frames)[:, None, None] * np.array([0.0, 0.0, 0.02])
    return SkeletonSequence((pose + walk)[None], skeleton, fps=fps, up="y")


@pytest.mark.parametrize(("frames", "rows"), [(30, 3), (3, 2), (600, 5), (1, 2)])
def test_a_still_grows_with_the_horizon_and_no_further(tmp_path: Path, frames: int, rows: int) -> None:
    """A row of what was observed; then every 100 ms six in a row, at most 24."""
    write_forecast(tmp_path / "p.png", person(40), person(frames))
    with Image.open(tmp_path / "p.png") as image:
        assert image.size[1] == 54 + rows * 230


def test_a_history_of_one_frame(tmp_path: Path) -> None:
    write_forecast(tmp_path / "p.png", person(1), person(10))
    write_forecast(tmp_path / "p.gif", person(1), person(10), person(4))
    assert (tmp_path / "p.gif").stat().st_size > 1000


def test_a_film_names_the_recordings_frames(tmp_path: Path) -> None:
    """It begins a second before the forecast, and says so."""
    write_forecast(tmp_path / "p.html", person(75), person(10))
    page = (tmp_path / "p.html").read_text()
    assert '"first":45,' in page
    assert '"first":0,' not in page


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    for future, step in ((person(5, fps=20), 0.1), (person(5, layout="cmu31"), 0.1), (person(5), 0.0)):
        with pytest.raises(DataError):
            write_forecast(tmp_path / "p.png", person(5), future, step_s=step)
    assert list(tmp_path.iterdir()) == []
