"""GIF and MP4: real time, several panels, errors."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinegraph.errors import DataError, MissingExtraError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize import animation, write_animation
from kinegraph.visualize.style import DARK, LEFT, LIGHT, PEOPLE, RIGHT, Theme


def test_a_gif_plays_in_real_time(world: SkeletonSequence, image: SkeletonSequence, tmp_path: Path) -> None:
    path = tmp_path / "walk.gif"
    seen: list[tuple[int, int]] = []
    fast = world.replace(fps=50.0)  # 20 frames: 0.4 s; the other panel lasts 0.8 s
    write_animation(
        path,
        [("2D", image), ("3D", fast)],
        title="walk",
        cell_size=(160, 160),
        progress=lambda a, b: seen.append((a, b)),
    )
    with Image.open(path) as gif:
        assert gif.size == (2 * 170 + 10, 34 + 170)
        total = 0
        frames = []
        for index in range(gif.n_frames):
            gif.seek(index)
            total += gif.info["duration"]
            frames.append(np.asarray(gif.convert("RGB")))
    # Pillow merges equal frames, never time.
    assert total == 800
    assert seen[-1] == (20, 20)
    assert not np.array_equal(frames[0], frames[-1])


def shown(path: Path) -> list[np.ndarray]:
    """The pictures of a GIF, one every 40 ms."""
    with Image.open(path) as gif:
        assert gif.info["loop"] == 0
        pictures = []
        for index in range(gif.n_frames):
            gif.seek(index)
            pictures += [np.asarray(gif.convert("RGB"))] * round(gif.info["duration"] / 40)
    return pictures


def test_a_long_gif_is_written_in_pieces_and_plays_as_one(
    world: SkeletonSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow keeps the frames it is given, 5 MB a second of film; so it must be given few."""
    still = np.repeat(world.positions[:, -1:], 25, axis=1)  # a piece of which all frames are one
    long = world.replace(positions=np.concatenate([world.positions, still], axis=1), confidence=None)
    written: list[int] = []
    monkeypatch.setattr(animation, "_PIECE", 7)

    def look(done: int, total: int) -> None:
        written.append(sum(path.stat().st_size for path in tmp_path.iterdir()))

    write_animation(tmp_path / "pieces.gif", [("", long)], cell_size=(160, 160), progress=look)
    assert written[0] == 0
    assert 0 < written[15] < written[-1]
    monkeypatch.setattr(animation, "_PIECE", 1000)
    write_animation(tmp_path / "whole.gif", [("", long)], cell_size=(160, 160))
    pieces, whole = shown(tmp_path / "pieces.gif"), shown(tmp_path / "whole.gif")
    assert len(pieces) == len(whole) == 45
    np.testing.assert_array_equal(pieces, whole)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_who_comes_later_keeps_their_colour(colours: Theme, world: SkeletonSequence, tmp_path: Path) -> None:
    """A GIF has one palette; it must not be that of whoever is there at first."""
    points = np.concatenate([world.positions[:, :3] + [0.8 * place, 0, 0] for place in range(len(PEOPLE))])
    points[1:, 0] = np.nan
    late = world.replace(positions=points, confidence=None)
    write_animation(tmp_path / "late.gif", [("", late)], theme_name=colours.name, cell_size=(900, 420))
    with Image.open(tmp_path / "late.gif") as gif:
        gif.seek(0)
        assert gif.convert("RGB").getpixel((2, 80)) == colours.back
        gif.seek(gif.n_frames - 1)
        last = gif.convert("RGB")
    assert last.getpixel((2, 80)) == colours.back
    shown = np.asarray(last)[60:].reshape(-1, 3)
    for colour in (LEFT, RIGHT, *PEOPLE):
        assert (shown == colour).all(axis=1).sum() >= 20, colour


def test_spin_turns_the_view(world: SkeletonSequence, tmp_path: Path) -> None:
    still = world.replace(positions=np.repeat(world.positions[:, :1], world.frames, axis=1))
    for name, spin in (("still", 0.0), ("spin", 90.0)):
        write_animation(
            tmp_path / f"{name}.gif", [("", still.slice_frames(0, 5))], cell_size=(120, 120), spin_deg_s=spin
        )
    sizes = {n: (tmp_path / f"{n}.gif").stat().st_size for n in ("still", "spin")}
    assert sizes["spin"] > sizes["still"]


def test_mp4_holds_the_frames(world: SkeletonSequence, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")
    path = tmp_path / "walk.mp4"
    write_animation(path, [("", world)], cell_size=(161, 160))
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert count == 24  # 20 frames at 25 a second are 0.8 s, 24 frames at 30
    assert seconds == pytest.approx(0.8, abs=0.05)


def test_errors(world: SkeletonSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"\.gif or \.mp4"):
        write_animation(tmp_path / "a.avi", [("", world)])
    with pytest.raises(DataError, match="no sequence"):
        write_animation(tmp_path / "a.gif", [])
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r"kinegraph\[video\]"):
        write_animation(tmp_path / "a.mp4", [("", world)])
    assert list(tmp_path.iterdir()) == []
