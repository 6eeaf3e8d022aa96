"""Pictures: what is in them, not only that they exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinegraph.errors import DataError, KinegraphError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize import Cell, write_filmstrip, write_grid
from kinegraph.visualize.projection import stage
from kinegraph.visualize.style import DARK, LEFT, LIGHT, RIGHT


def colour_places(path: Path, colour: tuple[int, int, int]) -> np.ndarray:
    """(row, column) of the pixels of exactly this colour, below the legend."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    places = np.argwhere((pixels == colour).all(axis=-1))
    return places[places[:, 0] > 60]


def test_a_filmstrip_has_a_row_per_sequence_and_both_sides(
    world: SkeletonSequence, image: SkeletonSequence, tmp_path: Path
) -> None:
    path = tmp_path / "strip.png"
    write_filmstrip(path, [("2D", image), ("3D", world)], frames=4, title="walk", subtitle="two rows")
    with Image.open(path) as picture:
        assert picture.size == (4 * 240 + 10, 54 + 2 * 270)
    left, right = colour_places(path, LEFT), colour_places(path, RIGHT)
    assert len(left) > 200
    assert len(right) > 200
    # Who faces the viewer has the left hand on the picture's right; each of the four pictures of the 3D row shows it.
    for column in range(4):
        x0 = 10 + column * 240
        low = left[(left[:, 0] > 330) & (left[:, 1] >= x0) & (left[:, 1] < x0 + 230)]
        other = right[(right[:, 0] > 330) & (right[:, 1] >= x0) & (right[:, 1] < x0 + 230)]
        assert low[:, 1].mean() > other[:, 1].mean()


@pytest.mark.parametrize("flat", [False, True])
def test_the_cell_with_the_caption_shows_people_as_large_as_the_others(
    world: SkeletonSequence, image: SkeletonSequence, tmp_path: Path, flat: bool
) -> None:
    given = image if flat else world
    still = given.replace(positions=np.repeat(given.positions[:, :1], 4, axis=1), confidence=None)
    write_filmstrip(tmp_path / "strip.png", [("still", still)], frames=4)
    pixels = np.asarray(Image.open(tmp_path / "strip.png").convert("RGB"))
    first, *others = (pixels[34 + 22 : 34 + 238, 10 + column * 240 : 240 + column * 240] for column in range(4))
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 5
    for other in others:  # but for a rounding at an edge
        np.testing.assert_allclose(other.astype(int), first.astype(int), atol=40)


def test_fewer_frames_than_asked(world: SkeletonSequence, tmp_path: Path) -> None:
    write_filmstrip(tmp_path / "one.png", [("", world.slice_frames(0, 1))], frames=6)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size[0] == 250


@pytest.mark.parametrize(
    ("name", "most", "remedy"),
    [("a.webp", 68, ", or .png"), ("a.jpg", 272, ", or .png"), ("a.png", 273, "")],
)
def test_a_strip_is_no_wider_than_its_format_holds(
    world: SkeletonSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int, remedy: str
) -> None:
    long = world.replace(positions=np.repeat(world.positions[:, :1], 300, axis=1), confidence=None)
    monkeypatch.setattr("kinegraph.visualize.stills.Canvas", None)  # said before anything is drawn
    with pytest.raises(DataError, match=rf"300 poses in a row are 72010 px wide; .* at most {most} \(view: --frames"):
        write_filmstrip(tmp_path / name, [("", long)], frames=300)
    with pytest.raises(DataError, match=rf"{most + 1} poses in a row .* --step\){remedy}$"):
        write_filmstrip(tmp_path / name, [("", long)], frames=most + 1)
    with pytest.raises(TypeError):  # as many as are offered go on to be drawn
        write_filmstrip(tmp_path / name, [("", long)], frames=most)
    with pytest.raises(DataError, match=r"250 rows of 5 poses are 1210 x 67534 px; expected at most .* a side"):
        write_filmstrip(tmp_path / name, [("", long)] * 250, frames=5)
    with pytest.raises(DataError, match="and 64 million in all"):
        write_filmstrip(tmp_path / name, [("", long)] * 60, frames=68)


def test_themes_differ_in_their_background(world: SkeletonSequence, tmp_path: Path) -> None:
    for theme in (LIGHT, DARK):
        path = tmp_path / f"{theme.name}.png"
        write_filmstrip(path, [("", world)], frames=1, theme_name=theme.name)
        with Image.open(path) as picture:
            assert picture.convert("RGB").getpixel((2, 80)) == theme.back


def test_the_ghost_is_drawn_behind(world: SkeletonSequence, tmp_path: Path) -> None:
    wrong = world.replace(positions=world.positions + np.array([0.3, 0, 0]))
    shared = stage(world)
    write_grid(tmp_path / "plain.png", [[Cell(sequence=wrong, stage=shared)]])
    write_grid(
        tmp_path / "ghost.png", [[Cell(sequence=wrong, stage=shared, ghost=world, caption="HCSF", note="31.4 mm")]]
    )
    plain, ghost = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("plain", "ghost"))
    assert plain.shape == ghost.shape
    assert (plain != ghost).any(axis=-1).sum() > 500


def test_the_view_goes_with_the_walker_where_there_is_no_truth(world: SkeletonSequence, tmp_path: Path) -> None:
    """A forecast's truth begins with the forecast: what is observed before is shown as it is without one."""
    far = world.positions + np.linspace(0, 6, world.frames)[:, None, None] * [1.0, 0, 0]
    walk, late = world.replace(positions=far), far.copy()
    late[:, :10] = np.nan
    shared, truth = stage(walk), walk.replace(positions=late, confidence=None)
    assert shared.follow
    pictures = []
    for ghost in (None, truth):
        write_grid(tmp_path / "p.png", [[Cell(sequence=walk, frame=2, stage=shared, ghost=ghost)]])
        pictures.append((tmp_path / "p.png").read_bytes())
    assert pictures[0] == pictures[1]
    # where there is a truth the view goes with it, not with what was forecast
    write_grid(tmp_path / "p.png", [[Cell(sequence=world, frame=19, stage=shared, ghost=truth)]])
    assert not len(colour_places(tmp_path / "p.png", LEFT))


def test_missing_people_and_frames(world: SkeletonSequence, tmp_path: Path) -> None:
    confidence = np.ones(world.confidence.shape)
    confidence[:, 0] = 0
    half = world.replace(confidence=confidence)
    write_grid(tmp_path / "half.png", [[Cell(sequence=half, frame=0), Cell(sequence=half, frame=1)]])
    assert (tmp_path / "half.png").exists()
    with pytest.raises(DataError, match="no frame 99"):
        write_grid(tmp_path / "no.png", [[Cell(sequence=world, frame=99)]])
    with pytest.raises(DataError, match="no cells"):
        write_grid(tmp_path / "no.png", [])
    with pytest.raises(DataError, match="at least 1"):
        write_filmstrip(tmp_path / "no.png", [("", world)], frames=0)
    assert not (tmp_path / "no.png").exists()


def test_paths_that_cannot_be_written_leave_nothing(world: SkeletonSequence, tmp_path: Path) -> None:
    with pytest.raises(KinegraphError, match="does not exist"):
        write_filmstrip(tmp_path / "none" / "a.png", [("", world)], frames=1)
    with pytest.raises(DataError, match="png"):
        write_filmstrip(tmp_path / "a.xyz", [("", world)], frames=1)
    assert list(tmp_path.iterdir()) == []


def test_who_is_left_of_the_image_stays_in_their_own_cell(image: SkeletonSequence, tmp_path: Path) -> None:
    middle = np.nanmean(image.positions, axis=(0, 1, 2))
    write_filmstrip(
        tmp_path / "x.png", [("", image.replace(positions=image.positions - middle + [-250, 300]))], frames=3
    )
    found = colour_places(tmp_path / "x.png", LEFT)[:, 1]
    assert all(((found >= 10 + 240 * cell) & (found < 240 + 240 * cell)).sum() > 20 for cell in range(3))
    assert ((found - 10) % 240 < 230).all()
