"""What `kinegraph.load` and `kinegraph.save` make of arrays and sequences."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from moving_people import walker, with_a_stretching_shin

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.formats.export import WrittenOtherwiseWarning, not_shown


def test_a_3d_array_is_metres_in_the_world() -> None:
    array = np.random.default_rng(0).normal(size=(5, 17, 3))
    got = kg.load(array, skeleton="h36m17", fps=30)
    np.testing.assert_array_equal(got.positions[0], array)
    assert (got.unit, got.space, got.fps, got.people) == ("m", "world", 30, 1)


def test_two_numbers_are_pixels_and_small_ones_fractions() -> None:
    points = np.random.default_rng(0).uniform(0.1, 0.9, (2, 5, 17, 2))
    assert kg.load(points * 1000, skeleton="coco17").unit == "px"
    got = kg.load(points, skeleton="coco17")
    assert got.unit == "normalized"
    assert any("fractions of the image" in note for note in got.notes)


def test_x_y_and_confidence() -> None:
    array = np.random.default_rng(0).uniform(0.2, 1, (5, 17, 3)) * [900, 900, 1]
    array[2, 3] = 0
    got = kg.load(array, skeleton="coco17", dims=2)
    np.testing.assert_array_equal(got.confidence[0], array[..., 2])
    assert not got.seen[0, 2, 3]
    np.testing.assert_array_equal(got.positions[0, 0], array[0, :, :2])


def test_who_forgets_that_the_third_number_is_a_confidence_is_told() -> None:
    array = np.random.default_rng(0).uniform(0.2, 1, (5, 17, 3)) * [900, 900, 1]
    with pytest.raises(DataError, match=r"x, y and confidence: state dims=2, of recognize and forecast read=\{'dims'"):
        kg.load(array, skeleton="coco17")


def test_zero_zero_and_nan_are_missing() -> None:
    points = np.full((4, 17, 2), 300.0)
    points[1, 5], points[2, 6] = 0, np.nan
    got = kg.load(points, skeleton="coco17")
    assert {tuple(map(int, at)) for at in np.argwhere(~got.seen[0])} == {(1, 5), (2, 6)}
    assert any("(0, 0)" in note for note in got.notes)


def test_one_pose_is_one_frame() -> None:
    assert kg.load(np.full((17, 2), 300.0), skeleton="coco17").frames == 1


@pytest.mark.parametrize(
    ("array", "options", "message"),
    [
        (np.zeros((5, 17, 3)), {}, "name its layout"),
        (np.zeros((5, 16, 3)), {"skeleton": "h36m17"}, "16 joints"),
        (np.zeros((5, 17, 4)), {"skeleton": "h36m17"}, "has shape"),
        (np.zeros(17), {"skeleton": "h36m17"}, "has shape"),
        (np.arange(51.0).reshape(1, 17, 3) * 100, {"skeleton": "h36m17"}, "millimetres: state unit='mm'"),
        (np.full((5, 17, 3), 7.0), {"skeleton": "coco17", "dims": 2}, "expected confidences"),
        (np.zeros((5, 17, 3)), {"skeleton": "h36m17", "fsp": 3}, "did you mean 'fps'"),
        (np.zeros((5, 17, 2)), {"skeleton": "h36m17", "dims": 3}, "expected three coordinates"),
        (np.zeros((5, 17, 3)), {"skeleton": "h36m17", "format": "npz"}, "belongs to a file"),
    ],
)
def test_what_is_refused(array: np.ndarray, options: dict[str, object], message: str) -> None:
    with pytest.raises(KinegraphError, match=message.replace("(", r"\(")):
        kg.load(array, **options)


def test_a_sequence_comes_back_and_learns_its_rate() -> None:
    sequence = kg.load(np.zeros((4, 17, 3)), skeleton="h36m17")
    assert kg.load(sequence) is sequence
    assert kg.load(sequence, fps=25).fps == 25
    assert kg.load(kg.load(sequence, fps=25), fps=50).frames == 7
    with pytest.raises(ConfigError, match="knows its unit"):
        kg.load(sequence, unit="m")


def test_a_sequence_is_saved_at_another_rate(tmp_path: Path) -> None:
    sequence = kg.load(np.zeros((4, 17, 3)), skeleton="h36m17")
    kg.save(sequence, tmp_path / "a.npz", fps=25)  # it states none
    kg.save(sequence.replace(fps=25.0), tmp_path / "b.npz", fps=50)
    found = [kg.load(tmp_path / name) for name in ("a.npz", "b.npz")]
    assert [(one.fps, one.frames) for one in found] == [(25, 4), (50, 7)]


def test_an_array_is_saved_with_its_layout(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(5, 17, 3))
    assert kg.save(array, tmp_path / "x.npz", skeleton="h36m17", fps=30) == (tmp_path / "x.npz",)
    np.testing.assert_array_equal(kg.load(tmp_path / "x.npz").positions[0], array)
    with pytest.raises(ConfigError, match="name its layout"):
        kg.save(array, tmp_path / "y.npz")


def test_confidence_of_another_shape() -> None:
    with pytest.raises(DataError, match="confidence has shape"):
        kg.load(np.zeros((5, 17, 3)), skeleton="h36m17", confidence=np.ones((4, 17)))


@pytest.mark.parametrize(("scale", "unit"), [(100, "cm"), (1000, "mm")])
def test_the_remedy_for_other_units_is_one(scale: float, unit: str, tmp_path: Path) -> None:
    """Whatever the message says to state is taken where it says it."""
    array = scale * np.random.default_rng(0).uniform(-1, 1, (30, 17, 3))
    with pytest.raises(KinegraphError) as caught:
        kg.forecast(array, 0.1, skeleton="h36m17", fps=30)
    assert len(str(caught.value).splitlines()) == 1
    for remedy in (f"state unit='{unit}', of", f"read={{'unit': '{unit}'}}", f"--read unit={unit}"):
        assert remedy in str(caught.value)
    future = kg.forecast(array, 0.1, model="zero-velocity", skeleton="h36m17", fps=30, read={"unit": unit})
    assert np.abs(future.positions).max() < 2
    assert np.abs(kg.load(array, skeleton="h36m17", unit=unit).positions).max() <= 1
    np.save(tmp_path / "a.npy", array)
    said = [word for option in (f"unit={unit}", "skeleton=h36m17", "fps=30") for word in ("--read", option)]
    assert main(["convert", str(tmp_path / "a.npy"), str(tmp_path / "b.npz"), *said]) == 0
    np.testing.assert_allclose(kg.load(tmp_path / "b.npz").positions[0], array / scale)


@pytest.mark.parametrize("suffix", ["bvh", "glb"])
def test_what_a_file_shows_otherwise_is_warned_of(tmp_path: Path, suffix: str) -> None:
    body = with_a_stretching_shin()
    with pytest.warns(
        WrittenOtherwiseWarning, match=r"x\.\w+: bones keep one length here: joints are up to \d\d mm"
    ) as told:
        kg.save(body, tmp_path / f"x.{suffix}")
    assert [Path(one.filename).name for one in told] == [Path(__file__).name]  # the line that saves, not ours
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kg.save(body, tmp_path / "x.npz")
        kg.save(walker(), tmp_path / f"x.{suffix}")
        (note,) = not_shown(body, suffix)
        kg.save(body.with_note(note), tmp_path / f"x.{suffix}")  # who has it already is told nothing new


def test_who_is_left_out_of_a_file_is_warned_of(tmp_path: Path) -> None:
    pair = walker(people=2)
    positions = pair.positions.copy()
    positions[1] = np.nan
    gone = pair.replace(positions=positions, confidence=None)
    with pytest.warns(WrittenOtherwiseWarning, match=r"x\.trc: person 2 is never seen and was left out"):
        kg.save(gone, tmp_path / "x.trc")
    with pytest.warns(WrittenOtherwiseWarning, match="siblings turn as one: joints are up to"):
        kg.save(with_a_stretching_shin(), tmp_path / "x.bvh", pivots=False)
    slow = walker(fps=60.0).replace(fps=0.5)
    with pytest.warns(WrittenOtherwiseWarning, match="a frame time of 2 s is not believed"):
        kg.save(slow, tmp_path / "slow.bin", "bvh")
