"""Error estimates and contact flags go where their joints go, and through files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinegraph as kg
from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence

SKELETON = kg.get_skeleton("h36m17")


def example() -> SkeletonSequence:
    """Two people, five frames; one joint missing, one without an estimate."""
    rng = np.random.default_rng(3)
    confidence = np.ones((2, 5, 17))
    confidence[0, 2, 4] = 0
    low = rng.uniform(0.01, 0.1, (2, 5, 17))
    uncertainty = np.stack([low, low * 2.5], axis=-1)
    uncertainty[1, 3, 6] = np.nan
    return SkeletonSequence(
        positions=rng.normal(size=(2, 5, 17, 3)),
        skeleton=SKELETON,
        fps=30,
        confidence=confidence,
        uncertainty=uncertainty,
        contact=rng.random((2, 5, 17)) < 0.3,
    )


def same(a: SkeletonSequence, b: SkeletonSequence) -> None:
    np.testing.assert_array_equal(a.uncertainty, b.uncertainty)
    np.testing.assert_array_equal(a.contact, b.contact)


def test_missing_joints_have_neither() -> None:
    sequence = example()
    assert sequence.uncertainty is not None
    assert sequence.contact is not None
    assert np.isnan(sequence.uncertainty[0, 2, 4]).all()
    assert not sequence.contact[0, 2, 4]
    with pytest.raises(ValueError, match="read-only"):
        sequence.uncertainty[0, 0, 0, 0] = 1


def test_people_and_frames_are_cut_alike() -> None:
    sequence = example()
    cut = sequence.select_people([1]).slice_frames(1, None, 2)
    assert sequence.uncertainty is not None
    assert sequence.contact is not None
    np.testing.assert_array_equal(cut.uncertainty, sequence.uncertainty[[1], 1::2])
    np.testing.assert_array_equal(cut.contact, sequence.contact[[1], 1::2])


def test_resampling_interpolates_the_estimate() -> None:
    sequence = example().select_people([1])
    doubled = sequence.resample(60)
    assert sequence.uncertainty is not None
    assert doubled.uncertainty is not None
    np.testing.assert_array_equal(doubled.uncertainty[:, ::2], sequence.uncertainty)
    half = (sequence.uncertainty[0, 0] + sequence.uncertainty[0, 1]) / 2
    np.testing.assert_allclose(doubled.uncertainty[0, 1], half)


def test_another_layout_takes_exact_joints_over() -> None:
    sequence = example()
    mapped = sequence.to_skeleton(kg.get_skeleton("coco17"), minimum=0.3)
    assert mapped.uncertainty is not None
    assert mapped.contact is not None
    assert sequence.uncertainty is not None
    assert sequence.contact is not None
    for name in ("left_knee", "right_wrist"):
        here, there = SKELETON.index(name), mapped.skeleton.index(name)
        np.testing.assert_array_equal(mapped.uncertainty[:, :, there], sequence.uncertainty[:, :, here])
        np.testing.assert_array_equal(mapped.contact[:, :, there], sequence.contact[:, :, here])
    gone = ~mapped.seen
    assert gone.any()
    assert np.isnan(mapped.uncertainty[gone]).all()
    assert not mapped.contact[gone].any()


@pytest.mark.parametrize("name", ["x.npz", "x.json", "x.csv", "x.tsv"])
def test_files_keep_them(name: str, tmp_path: Path) -> None:
    sequence = example()
    kg.save(sequence, tmp_path / name)
    same(kg.load(tmp_path / name), sequence)


@pytest.mark.parametrize("name", ["x.npz", "x.json", "x.csv"])
@pytest.mark.parametrize("gone", ["uncertainty", "contact"])
def test_files_keep_one_without_the_other(name: str, gone: str, tmp_path: Path) -> None:
    sequence = example().replace(**{gone: None})
    kg.save(sequence, tmp_path / name)
    same(kg.load(tmp_path / name), sequence)


def test_wide_tables_keep_them(tmp_path: Path) -> None:
    kg.save(example(), tmp_path / "x.csv", wide=True)
    same(kg.load(tmp_path / "x.csv"), example())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda u: u[:, :-1], "uncertainty has shape"),
        (lambda u: -u, "0 or more"),
        (lambda u: u[..., ::-1], "in that order"),
        (lambda u: u * np.inf, "0 or more"),
    ],
)
def test_nonsense_is_refused(change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=message):
        example().replace(uncertainty=change(example().uncertainty))


def test_contact_must_be_boolean() -> None:
    with pytest.raises(DataError, match="contact is float64"):
        example().replace(contact=np.zeros((2, 5, 17)))
