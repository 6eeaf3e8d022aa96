"""Colours: one for each side of the body, readable on white and on black, and apart for the colour-blind.

Left is blue and right is orange, the pair that stays apart under every common colour deficiency. Each has a
contrast of at least 3:1 (WCAG 1.4.11, graphics) with both backgrounds; ``tests/visualize/test_style.py`` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass

from kinegraph.errors import ConfigError, nearest
from kinegraph.skeleton import Skeleton

RGB = tuple[int, int, int]

LEFT: RGB = (52, 120, 216)
RIGHT: RGB = (222, 98, 22)
#: The centre of the body, by person: the first is grey, so that one person alone is left, right and neutral.
PEOPLE: tuple[RGB, ...] = (
    (122, 130, 142),
    (34, 148, 88),
    (158, 88, 196),
    (182, 110, 42),
    (20, 144, 160),
    (206, 80, 120),
)
#: a forecast's ghost, whole; and the second of two recordings laid over each other
FORECAST: RGB = (140, 92, 230)
OTHER: RGB = (16, 138, 128)
#: bands of actions on a timeline, by class; white text stands on them
BANDS: tuple[RGB, ...] = (
    (62, 104, 178),
    (178, 88, 62),
    (42, 124, 96),
    (138, 84, 160),
    (146, 104, 34),
    (32, 120, 144),
    (176, 70, 108),
    (92, 112, 52),
)


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of everything that is not a body."""

    name: str
    back: RGB
    front: RGB
    soft: RGB
    card: RGB
    line: RGB


LIGHT = Theme(
    name="light",
    back=(255, 255, 255),
    front=(29, 36, 48),
    soft=(91, 101, 117),
    card=(245, 247, 250),
    line=(201, 208, 218),
)
DARK = Theme(
    name="dark", back=(18, 22, 29), front=(230, 234, 240), soft=(154, 165, 181), card=(25, 31, 40), line=(51, 60, 73)
)


def theme(name: str) -> Theme:
    """The theme called ``light`` or ``dark``; anything else is a :class:`ConfigError`."""
    themes = {t.name: t for t in (LIGHT, DARK)}
    if name not in themes:
        raise ConfigError(f"unknown theme '{name}'; choose light or dark{nearest(name, themes)}")
    return themes[name]


def joint_sides(skeleton: Skeleton) -> list[str]:
    """``"l"``, ``"r"`` or ``"c"`` for every joint, from the skeleton's left/right pairs."""
    left = {pair[0] for pair in skeleton.pairs}
    right = {pair[1] for pair in skeleton.pairs}
    return ["l" if name in left else "r" if name in right else "c" for name in skeleton.joints]


def bone_sides(skeleton: Skeleton) -> list[str]:
    """The side of every bone in ``skeleton.bones``: its child's, so a clavicle or a hip takes the limb's colour."""
    sides = joint_sides(skeleton)
    return [sides[child] for _, child in skeleton.bones]


def side_colour(side: str, person: int = 0) -> RGB:
    """Colour of a side letter; the centre's depends on the person."""
    return {"l": LEFT, "r": RIGHT}.get(side, PEOPLE[person % len(PEOPLE)])


def blend(colour: RGB, other: RGB, amount: float) -> RGB:
    """``colour`` moved towards ``other`` by ``amount`` in 0..1."""
    r, g, b = (round(a * (1 - amount) + c * amount) for a, c in zip(colour, other, strict=True))
    return (r, g, b)


def contrast(first: RGB, second: RGB) -> float:
    """WCAG 2 contrast ratio of two sRGB colours, from 1 to 21."""

    def luminance(colour: RGB) -> float:
        linear = [c / 255 / 12.92 if c <= 10.31475 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def css(colour: RGB) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
