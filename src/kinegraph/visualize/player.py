"""A player in one HTML file: no library, no request to anywhere, opened from disk by any browser.

The page draws on a canvas; joints travel as 16-bit steps in base64, so a thousand frames of one 17-joint person take
about 0.14 MB in 3D and 0.23 MB with the 2D beside it. A step is 1/65000 of the scene: 0.15 mm in a room of ten metres.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import write_text
from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.projection import image_box, pose_size, stage, to_display
from kinegraph.visualize.style import LEFT, PEOPLE, RIGHT, bone_sides, css, joint_sides

#: frame rate used where a sequence has none
DEFAULT_FPS = 30.0
#: a screen shows no more; faster recordings are thinned to the nearest whole divisor
SCREEN_FPS = 60.0
MISSING = -32768


def player_html(sequences: Sequence[tuple[str, SkeletonSequence]], *, title: str, notes: Sequence[str] = ()) -> str:
    """The page as text.

    Args:
        sequences: (caption, sequence) pairs, one panel each, played on one clock; 2D and 3D may be mixed, and all
            3D panels turn together. Of unequal lengths, a shorter one holds its last frame.
        title: heading of the page.
        notes: lines shown under "help"; the sequences' own notes follow.

    Raises:
        DataError: no sequence, no frame, or a sequence without any joint present.
    """
    if not sequences:
        raise DataError("a player needs at least one sequence")
    panels = [_panel(caption, sequence) for caption, sequence in sequences]
    lines = list(notes)
    for caption, sequence in sequences:
        lines += [f"{caption}: {note}" if len(sequences) > 1 else note for note in sequence.notes]
        if sequence.fps is None and sequence.frames > 1:
            lines.append(f"{caption}: the file states no frame rate; played at {DEFAULT_FPS:g} frames a second")
    motion = {
        "title": title,
        "panels": panels,
        "notes": list(dict.fromkeys(lines)),
        "follow": any(panel.pop("follow") for panel in panels),
        "colours": {"l": css(LEFT), "r": css(RIGHT), "people": [css(c) for c in PEOPLE]},
    }
    # "<" inside JSON may not close the script element it stands in.
    data = json.dumps(motion, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    assets = files("kinegraph.visualize") / "assets"
    style = (assets / "style.css").read_text("utf-8")
    for name, colour in (("LEFT", LEFT), ("RIGHT", RIGHT), ("CENTRE", PEOPLE[0])):
        style = style.replace(f"@{name}@", css(colour))
    page = (assets / "page.html").read_text("utf-8")
    page = page.replace("@STYLE@", style.strip()).replace("@SCRIPT@", (assets / "player.js").read_text("utf-8").strip())
    # The user's own words come last, so that a placeholder inside them stays text.
    head, data_slot, tail = page.partition("@DATA@")
    escaped = html.escape(title)
    return head.replace("@TITLE@", escaped) + data + tail if data_slot else page


def write_player(
    path: Path | str, sequences: Sequence[tuple[str, SkeletonSequence]], *, title: str, notes: Sequence[str] = ()
) -> None:
    """Write :func:`player_html` to ``path``, whole or not at all."""
    write_text(path, player_html(sequences, title=title, notes=notes))


def _panel(caption: str, sequence: SkeletonSequence) -> dict[str, Any]:
    if sequence.frames == 0 or sequence.people == 0:
        raise DataError(f"{caption}: nothing to play: {sequence.people} people, {sequence.frames} frames")
    fps = sequence.fps or DEFAULT_FPS
    stride = max(1, round(fps / SCREEN_FPS))
    flat = sequence.dims == 2
    points = np.asarray(sequence.positions, dtype=np.float64) if flat else to_display(sequence)
    points = np.moveaxis(points, 0, 1)[::stride]  # (frames, people, joints, dims)
    trust = np.moveaxis(np.asarray(sequence.confidence), 0, 1)[::stride]
    present = np.isfinite(points).all(axis=-1)
    panel: dict[str, Any] = {
        "title": caption,
        "dims": sequence.dims,
        "unit": sequence.unit,
        "fps": fps / stride,
        "first": 0,
        "stride": stride,
        "frames": len(points),
        "people": sequence.people,
        "joints": list(sequence.skeleton.joints),
        "bones": [[int(a), int(b)] for a, b in sequence.skeleton.bones],
        "sides": bone_sides(sequence.skeleton),
        "jointSides": joint_sides(sequence.skeleton),
        "follow": False,
        "centre": [0.0, 0.0, 0.0],
    }
    if flat:
        panel |= {"frame": image_box(sequence), "thickness": 0.017 * pose_size(sequence)}
    else:
        set_up = stage(sequence)
        panel |= {
            "centre": list(set_up.view.centre),
            "radius": set_up.view.radius,
            "azimuth": set_up.view.azimuth,
            "ground": set_up.ground,
            "cell": set_up.cell,
            "thickness": 0.017 * set_up.size,
            "follow": set_up.follow,
        }
    shown = points[present] if present.any() else np.zeros((1, sequence.dims))
    low, high = shown.min(axis=0), shown.max(axis=0)
    step = max(float((high - low).max()) / 65000.0, 1e-9)
    origin = (low + high) / 2
    steps = np.full(points.shape, MISSING, dtype="<i2")
    steps[present] = np.rint((points[present] - origin) / step).astype("<i2")
    panel |= {"origin": origin.tolist(), "step": step, "data": base64.b64encode(steps.tobytes()).decode("ascii")}
    if (trust[present] < 1).any():
        # A present joint never rounds down to "not there".
        levels = np.where(present, np.clip(np.rint(trust * 255), 1, 255), 0).astype(np.uint8)
        panel["confidence"] = base64.b64encode(levels.tobytes()).decode("ascii")
    return panel
