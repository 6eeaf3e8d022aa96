"""What is shown of a recording is what the library makes of it: `kinegraph.lift`, with its contacts and its notes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lifting_people import keypoints, motion

import kinegraph as kg
from kinegraph.errors import DataError
from kinegraph.visualize.analysis import Analysis, Analyst


@pytest.fixture(scope="module")
def analyst() -> Analyst:
    return Analyst(0.5)


def made(analyst: Analyst, flat: kg.SkeletonSequence) -> kg.SkeletonSequence:
    found = analyst.analyse(flat, "k")
    assert found.flat is flat
    assert found.solid is not None, found.notes
    return found.solid


def test_a_video_is_lifted_as_lift_does(analyst: Analyst) -> None:
    flat = keypoints(motion())
    solid, expected = made(analyst, flat), kg.lift(flat)
    np.testing.assert_allclose(solid.positions, expected.positions, atol=1e-6)
    assert expected.contact is not None
    assert expected.contact.any()
    np.testing.assert_array_equal(solid.contact, expected.contact)
    assert solid.notes == expected.notes


def test_single_pictures_have_the_network_of_pictures_unless_another_is_named(analyst: Analyst) -> None:
    flat = keypoints(motion(1))
    solid, expected = made(analyst, flat), kg.lift(flat)
    np.testing.assert_allclose(solid.positions, expected.positions, atol=1e-6)
    assert (solid.notes, solid.contact) == (expected.notes, None)
    named = made(Analyst(lifter="lift-temporal"), flat)
    np.testing.assert_allclose(named.positions, kg.lift(flat, model="lift-temporal").positions, atol=1e-6)
    assert np.abs(named.positions - solid.positions).max() > 1e-3


def test_a_page_of_everything_holds_what_lift_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinegraph.cli import main

    flat = keypoints(motion())
    kg.save(flat, tmp_path / "k.npz")
    shown: list[Analysis] = []
    analyse = Analyst.analyse

    def kept(self: Analyst, sequence: kg.SkeletonSequence, name: str) -> Analysis:
        shown.append(analyse(self, sequence, name))
        return shown[0]

    monkeypatch.setattr(Analyst, "analyse", kept)
    assert main(["view", str(tmp_path / "k.npz"), "--full", "--out", str(tmp_path / "k.html")]) == 0
    assert shown[0].solid is not None
    np.testing.assert_array_equal(shown[0].solid.contact, kg.lift(tmp_path / "k.npz").contact)


def test_nothing_to_show_is_refused(analyst: Analyst) -> None:
    flat = keypoints(motion(3))
    nobody = flat.replace(positions=np.full_like(flat.positions, np.nan), confidence=None)
    with pytest.raises(DataError, match="no joint is present"):
        analyst.analyse(nobody, "k")
