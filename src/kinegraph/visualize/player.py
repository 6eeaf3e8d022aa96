"""A player in one HTML file: no library, no request to anywhere, opened from disk by any browser.

The page is put together from the parts in ``assets``. It draws on a canvas, limbs shaded as the cylinders they are;
its security policy names the hash of its own script and style, so nothing else in it can run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from kinegraph.atomic import write_text
from kinegraph.naming import as_text
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.motion import Band, Ghost, motion
from kinegraph.visualize.style import FORECAST, LEFT, OTHER, PEOPLE, RIGHT, css

__all__ = ["page_html", "player_html", "write_player"]

_PARTS = ("begin", "data", "shade", "scene3d", "scene2d", "controls", "timeline", "player")
_SLOTS = ("ASIDE", "TOOLS", "OPTIONS", "KEYS", "DIALOGS")


def player_html(
    sequences: Sequence[tuple[str, SkeletonSequence]],
    *,
    title: str,
    notes: Sequence[str] = (),
    ghosts: Sequence[Ghost] = (),
    bands: Sequence[Band] = (),
    start_s: float = 0.0,
) -> str:
    """The page as text.

    Args:
        sequences: (caption, sequence) pairs, one panel each, played on one clock; 2D and 3D may be mixed, and all
            3D panels turn together. Of unequal lengths, a shorter one holds its last frame.
        title: heading of the page.
        notes: lines shown under "help"; the sequences' own notes follow.
        ghosts: forecasts, drawn in a tint of their own in the panels they belong to.
        bands: actions for the timeline.
        start_s: seconds into their recordings at which the sequences begin, see :func:`~.motion.motion`.

    Raises:
        DataError: no sequence, no frame, a sequence without any joint present, or a ghost that does not fit.
    """
    played = motion(sequences, title=title, notes=notes, ghosts=ghosts, bands=bands, start_s=start_s)
    # "<" inside JSON may not close the script element it stands in.
    data = json.dumps(played, separators=(",", ":"), ensure_ascii=True).replace("<", "\\u003c")
    page = page_html(title=title, script=_asset("alone.js"))
    # The user's own words come last, so that a placeholder inside them stays text.
    before, _, after = page.partition("@MOTION@")
    return f'{before}<script type="application/json" id="motion">{data}</script>{after}'


def write_player(
    path: Path | str,
    sequences: Sequence[tuple[str, SkeletonSequence]],
    *,
    title: str,
    notes: Sequence[str] = (),
    ghosts: Sequence[Ghost] = (),
    bands: Sequence[Band] = (),
    start_s: float = 0.0,
) -> None:
    """Write :func:`player_html` to ``path``, whole or not at all."""
    write_text(path, player_html(sequences, title=title, notes=notes, ghosts=ghosts, bands=bands, start_s=start_s))


def page_html(
    *,
    title: str,
    script: str,
    style: str = "",
    slots: Mapping[str, str] | None = None,
    policy: Mapping[str, str] | None = None,
) -> str:
    """The player's page with a script that says what to show; ``@MOTION@`` is left for data.

    Args:
        title: heading, plain text.
        script: JavaScript run after the player's own.
        style: CSS after the player's own.
        slots: HTML for the places of the page that an application may fill (`_SLOTS`).
        policy: further directives of the page's content security policy, e.g. ``{"connect-src": "'self'"}``.
    """
    code = "\n".join([*(_asset(f"{part}.js") for part in _PARTS), script])
    sheet = f"{_asset('style.css')}\n{style}"
    colours = {"LEFT": LEFT, "RIGHT": RIGHT, "CENTRE": PEOPLE[0], "FORECAST": FORECAST, "OTHER": OTHER}
    for name, colour in colours.items():
        sheet = sheet.replace(f"@{name}@", css(colour))
    rules = {
        "default-src": "'none'",
        "script-src": _hash(code),
        "style-src": _hash(sheet),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        **(policy or {}),
    }
    page = _asset("page.html")
    given: dict[str, Any] = {**dict.fromkeys(_SLOTS, ""), **(slots or {})}
    given |= {"CSP": "; ".join(f"{k} {v}" for k, v in rules.items()), "STYLE": sheet, "SCRIPT": code}
    for name, text in given.items():
        page = page.replace(f"@{name}@", text)
    # The data's place is kept from a title that spells it.
    before, _, after = page.partition("@MOTION@")
    escaped = html.escape(as_text(title))
    return f"{before.replace('@TITLE@', escaped)}@MOTION@{after}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return text_of(files("kinegraph.visualize") / "assets" / name)


def text_of(part: Traversable) -> str:
    """The text of a part of a page, without the blanks at its ends."""
    return part.read_text("utf-8").strip()
