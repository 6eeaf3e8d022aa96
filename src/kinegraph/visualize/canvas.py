"""A small painter over Pillow: bodies as thick lines sorted by depth, a ground grid with shadows, text.

Everything is drawn at twice the size and reduced once at the end, which gives smooth edges without an alpha channel.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.fonts import PILLOWS, dejavu, fonts_with, letters_of, warn_of_boxes
from kinegraph.skeleton import Skeleton
from kinegraph.visualize.projection import View
from kinegraph.visualize.style import LEFT, PEOPLE, RGB, RIGHT, Theme, blend, bone_sides, joint_sides, side_colour

Array = NDArray[np.float64]
Box = tuple[int, int, int, int]
OVERSAMPLE = 2
#: confidence below which a joint is drawn pale
DOUBT = 0.3
_PALE = 0.55


class Canvas:
    """A picture under construction; all coordinates are final pixels, boxes are (left, top, width, height)."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        from PIL import Image, ImageDraw

        self.width, self.height, self.theme = width, height, theme
        self._image: Any = Image.new("RGB", (width * OVERSAMPLE, height * OVERSAMPLE), theme.back)
        self._draw: Any = ImageDraw.Draw(self._image)
        self._missing: set[str] = set()

    def finish(self) -> Any:
        """The picture at its final size, as a Pillow image; warns of letters that no font has."""
        warn_of_boxes(self._missing)
        return self._image.reduce(OVERSAMPLE)

    def card(self, box: Box) -> None:
        """A panel's background."""
        x, y, w, h = (v * OVERSAMPLE for v in box)
        self._draw.rounded_rectangle((x, y, x + w, y + h), radius=8 * OVERSAMPLE, fill=self.theme.card)

    def rectangle(self, box: tuple[float, float, float, float], colour: RGB) -> None:
        """An outline one pixel wide; ``box`` is (left, top, right, bottom)."""
        self._draw.rectangle([v * OVERSAMPLE for v in box], outline=colour, width=OVERSAMPLE)

    def line(self, a: Array, b: Array, width: float, colour: RGB, *, ends: bool = True) -> None:
        """A line from `a` to `b`, (2,) each, with round ends or with none."""
        s, w = OVERSAMPLE, max(1, round(width * OVERSAMPLE))
        self._draw.line([(a[0] * s, a[1] * s), (b[0] * s, b[1] * s)], fill=colour, width=w)
        if ends and w > 3:
            self.dot(a, width / 2, colour)
            self.dot(b, width / 2, colour)

    def area(self, corners: Sequence[tuple[float, float]], colour: RGB) -> None:
        """A filled polygon."""
        self._draw.polygon([(x * OVERSAMPLE, y * OVERSAMPLE) for x, y in corners], fill=colour)

    def dot(self, at: Array, radius: float, colour: RGB) -> None:
        """A filled disc round `at`, (2,)."""
        s = OVERSAMPLE
        self._draw.ellipse(
            [(at[0] - radius) * s, (at[1] - radius) * s, (at[0] + radius) * s, (at[1] + radius) * s], fill=colour
        )

    def text(
        self, x: float, y: float, words: str, size: int = 14, colour: RGB | None = None, anchor: str = "la"
    ) -> None:
        """Text; ``anchor`` as in Pillow, of l, m, r and a, m (``la`` = left and top, ``ma`` = middle and top)."""
        s, colour = OVERSAMPLE, colour or self.theme.front
        words, pieces, missing = _in_fonts(words)
        self._missing |= missing
        font = _font(size * s)
        if all(path is None for _, path in pieces):
            self._draw.text((x * s, y * s), words, font=font, fill=colour, anchor=anchor)
            return
        # On the line that the usual font has, so that no letter of a name moves the others.
        above, below = font.getmetrics()
        place = x * s - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * self.text_width(words, size) * s
        line = y * s + {"a": above, "m": (above - below) / 2}[anchor[1]]
        for piece, path in pieces:
            font = _font(size * s, path)
            self._draw.text((place, line), piece, font=font, fill=colour, anchor="ls")
            place += float(font.getlength(piece))

    def text_width(self, words: str, size: int = 14) -> float:
        """Width of the text in pixels."""
        _, pieces, _ = _in_fonts(words)
        return sum(float(_font(size * OVERSAMPLE, path).getlength(piece)) for piece, path in pieces) / OVERSAMPLE


@cache
def _font(size: int, path: Path | None = None) -> Any:
    """Pillow's own font, or that of a file."""
    from PIL import ImageFont

    if path is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(path), size)  # Pillow 10 takes no Path


@lru_cache(maxsize=1000)
def _in_fonts(words: str) -> tuple[str, list[tuple[str, Path | None]], set[str]]:
    """The text as drawn, its pieces, each with its font (None: Pillow's own), and the letters that no font has."""
    words = unicodedata.normalize("NFC", words)  # some systems spell out accents in the names of files
    letters = letters_of(words)
    if letters <= PILLOWS:
        return words, [(words, None)], set()
    fonts = fonts_with(letters)
    # A word of two fonts looks torn: where DejaVu has what the usual font lacks, it is for all that it has.
    own = dejavu() if any(fonts.get(letter) == dejavu() for letter in letters - PILLOWS) else None
    pieces: list[tuple[str, Path | None]] = []
    for letter in words:
        path = own
        if letter in letters and not (own is None and letter in PILLOWS):
            path = fonts.get(letter, own)
        elif not letter.isascii() and pieces:
            path = pieces[-1][1]  # what is not seen joins what it stands beside
        if pieces and pieces[-1][1] == path:
            pieces[-1] = (pieces[-1][0] + letter, path)
        else:
            pieces.append((letter, path))
    return words, pieces, letters - PILLOWS - fonts.keys()


def paint_ground(canvas: Canvas, box: Box, view: View, ground: float, cell: float) -> None:
    """A square grid at height ``ground`` (display space), fading with distance from the view's centre."""
    left, top, width, height = box
    reach = max(4, int(np.ceil(1.5 * view.radius / cell)))
    cx, cz = round(view.centre[0] / cell), round(view.centre[2] / cell)
    index = np.arange(-reach, reach + 1)
    grid = np.stack(np.meshgrid((cx + index) * cell, (cz + index) * cell, indexing="ij"), axis=-1)
    points = np.stack([grid[..., 0], np.full(grid.shape[:2], ground), grid[..., 1]], axis=-1)
    xy, depth, _ = view.project(points, width, height)
    xy += np.array([left, top])
    fade = 1 - np.hypot(index[:, None], index[None, :]) / (reach + 0.5)
    inside = (
        (xy[..., 0] > left + 2)
        & (xy[..., 0] < left + width - 2)
        & (xy[..., 1] > top + 2)
        & (xy[..., 1] < top + height - 2)
    )
    inside &= depth > 0.1 * view.radius
    for i in range(len(index)):
        for k in range(len(index)):
            for ni, nk in ((i + 1, k), (i, k + 1)):
                if ni >= len(index) or nk >= len(index) or not (inside[i, k] and inside[ni, nk]):
                    continue
                strength = min(fade[i, k], fade[ni, nk])
                if strength > 0:
                    canvas.line(
                        xy[i, k], xy[ni, nk], 1, blend(canvas.theme.card, canvas.theme.line, min(1.0, 1.6 * strength))
                    )


def paint_scene(
    canvas: Canvas,
    box: Box,
    points: Array,
    confidence: Array,
    skeleton: Skeleton,
    view: View,
    *,
    size: float,
    ground: float | None,
    cell: float,
    ghost: Array | None = None,
) -> None:
    """Draw people ``points`` (people, joints, 3), in display space, into ``box``.

    ``ghost`` (people, joints, 3) is drawn first in a pale neutral colour: the truth behind an estimate.
    NaN joints and the bones that end in them are left out; joints under confidence 0.3 are pale.
    """
    left, top, width, height = box
    offset = np.array([left, top], dtype=np.float64)
    thickness = 0.017 * size
    if ground is not None:
        paint_ground(canvas, box, view, ground, cell)
        flat = points.copy()
        flat[..., 1] = ground
        shadow, _, scale = view.project(flat, width, height)
        for person in range(len(points)):
            for a, b in skeleton.bones:
                if np.isfinite(points[person, [a, b]]).all():
                    canvas.line(
                        shadow[person, a] + offset,
                        shadow[person, b] + offset,
                        max(1.0, thickness * scale[person, a]),
                        _shadow(canvas.theme),
                    )
    if ghost is not None:
        at, _, scale = view.project(ghost, width, height)
        for person in range(len(ghost)):
            for a, b in skeleton.bones:
                if np.isfinite(ghost[person, [a, b]]).all():
                    canvas.line(
                        at[person, a] + offset,
                        at[person, b] + offset,
                        max(2.0, 1.3 * thickness * scale[person, a]),
                        _ghost(canvas.theme),
                    )
    at, depth, scale = view.project(points, width, height)
    at = at + offset
    marks: list[tuple[float, int, int, int]] = []
    for person in range(len(points)):
        present = np.isfinite(points[person]).all(axis=-1)
        marks += [
            (float(depth[person, [a, b]].mean()), person, a, b) for a, b in skeleton.bones if present[a] and present[b]
        ]
        marks += [(float(depth[person, j]) - 0.2 * thickness, person, int(j), -1) for j in np.flatnonzero(present)]
    bones = dict(zip(skeleton.bones, bone_sides(skeleton), strict=True))
    joints = joint_sides(skeleton)
    for _, person, a, b in sorted(marks, reverse=True):
        stroke = max(1.8, thickness * float(scale[person, a]))
        if b < 0:
            _joint(canvas, at[person, a], stroke, joints[a], person, float(confidence[person, a]))
        else:
            _bone(
                canvas,
                at[person, a],
                at[person, b],
                stroke,
                bones[a, b],
                person,
                float(confidence[person, [a, b]].min()),
            )
    if len(points) > 1:
        for person in range(len(points)):
            present = np.isfinite(points[person]).all(axis=-1)
            if present.any():
                head = at[person, present][at[person, present][:, 1].argmin()]
                canvas.text(head[0], head[1] - 20, str(person + 1), 13, canvas.theme.soft, "ma")


def paint_image(
    canvas: Canvas,
    box: Box,
    points: Array,
    confidence: Array,
    skeleton: Skeleton,
    *,
    frame: tuple[float, float, float, float],
    view: tuple[float, float, float, float],
    size: float,
) -> None:
    """Draw people ``points`` (people, joints, 2), y down, into ``box``.

    ``frame`` is the image's outline, and ``view`` what fits into the box: it, and who is outside the image.
    """
    left, top, width, height = box
    x0, y0, x1, y1 = view
    scale = min((width - 12) / (x1 - x0), (height - 12) / (y1 - y0))
    middle = np.array([left + width / 2, top + height / 2])
    at = middle + (points - np.array([(x0 + x1) / 2, (y0 + y1) / 2])) * scale
    corners = middle + (np.array(frame).reshape(2, 2) - np.array([(x0 + x1) / 2, (y0 + y1) / 2])) * scale
    canvas.rectangle(tuple(corners.ravel()), canvas.theme.line)
    stroke = float(np.clip(0.017 * size * scale, 1.8, 8))
    sides, joints = bone_sides(skeleton), joint_sides(skeleton)
    for person in range(len(points)):
        present = np.isfinite(points[person]).all(axis=-1)
        for (a, c), side in zip(skeleton.bones, sides, strict=True):
            if present[a] and present[c]:
                _bone(
                    canvas, at[person, a], at[person, c], stroke, side, person, float(confidence[person, [a, c]].min())
                )
        for j in np.flatnonzero(present):
            _joint(canvas, at[person, j], stroke, joints[j], person, float(confidence[person, j]))


def _bone(canvas: Canvas, a: Array, b: Array, stroke: float, side: str, person: int, confidence: float) -> None:
    # A rim in the background's colour keeps crossing limbs apart.
    canvas.line(a, b, stroke + 2, canvas.theme.card, ends=False)
    canvas.line(a, b, stroke, _shade(canvas, side, person, confidence))


def _joint(canvas: Canvas, at: Array, stroke: float, side: str, person: int, confidence: float) -> None:
    canvas.dot(at, 0.72 * stroke, _shade(canvas, side, person, confidence))
    if stroke > 3:
        canvas.dot(at, 0.3 * stroke, canvas.theme.card)


def _shade(canvas: Canvas, side: str, person: int, confidence: float) -> RGB:
    return blend(side_colour(side, person), canvas.theme.card, _PALE if confidence < DOUBT else 0.0)


def _shadow(theme: Theme) -> RGB:
    return blend(theme.card, theme.line, 0.85)


def _ghost(theme: Theme) -> RGB:
    return blend(theme.card, theme.soft, 0.35)


def body_colours(theme: Theme) -> list[RGB]:
    """Every colour that people may take, whoever comes, with their pale tints and the steps of smooth edges."""
    steps = (0.0, 0.25, _PALE, 0.75)
    bodies = [blend(colour, theme.card, step) for step in steps for colour in (LEFT, RIGHT, *PEOPLE)]
    return [*bodies, _shadow(theme), _ghost(theme)]
