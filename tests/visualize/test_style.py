"""The palette is readable on both backgrounds, and sides follow names."""

from __future__ import annotations

import pytest

from kinegraph.errors import ConfigError
from kinegraph.skeleton import get_skeleton
from kinegraph.visualize.style import (
    BANDS,
    DARK,
    FORECAST,
    LEFT,
    LIGHT,
    OTHER,
    PEOPLE,
    RIGHT,
    bone_sides,
    contrast,
    joint_sides,
    theme,
)


def test_contrast_is_wcags() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", [LEFT, RIGHT, FORECAST, OTHER, *PEOPLE])
@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_body_colour_stands_out_from_both_backgrounds(colour: tuple[int, int, int], name: str) -> None:
    assert contrast(colour, theme(name).card) >= 3
    assert contrast(colour, theme(name).back) >= 3


def test_text_is_readable() -> None:
    for each in (LIGHT, DARK):
        assert contrast(each.front, each.back) >= 7
        assert contrast(each.soft, each.card) >= 4.5


@pytest.mark.parametrize("colour", BANDS)
def test_white_words_stand_on_every_band(colour: tuple[int, int, int]) -> None:
    assert contrast(colour, (255, 255, 255)) >= 4.5


def test_left_and_right_stay_apart_without_red_green_vision() -> None:
    # Deuteranopes tell colours by blue against yellow and by lightness: the blue channel must differ widely.
    assert abs(LEFT[2] - RIGHT[2]) > 150


def test_sides() -> None:
    body = get_skeleton("h36m17")
    sides = dict(zip(body.joints, joint_sides(body), strict=True))
    assert (sides["left_knee"], sides["right_wrist"], sides["spine"]) == ("l", "r", "c")
    bones = dict(zip(body.bones, bone_sides(body), strict=True))
    assert bones[body.index("pelvis"), body.index("left_hip")] == "l"
    assert bones[body.index("pelvis"), body.index("spine")] == "c"


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ConfigError, match="light"):
        theme("ligth")
