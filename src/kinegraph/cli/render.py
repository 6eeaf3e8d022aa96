"""What `lift` and `view` share: a picture of sequences, its kind told by the suffix, and a line of progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinegraph.cli.options import check_place
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.sequence import SkeletonSequence

PICTURES = (".png", ".jpg", ".webp")
ANIMATIONS = (".gif", ".mp4")
SUFFIXES = (*PICTURES, *ANIMATIONS, ".html")
_CELLS = 24  # of a bar


def check_picture(path: Path, flag: str) -> None:
    """Refuse what cannot be drawn or written, before any work is done.

    Raises:
        ConfigError: no such kind of picture, or no such place (:func:`check_place`).
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{flag} {path}: nothing is drawn to '{path.suffix}'; expected {', '.join(SUFFIXES)}")
    check_place(flag, path)


def draw(
    path: Path,
    sequences: Sequence[tuple[str, SkeletonSequence]],
    *,
    title: str,
    theme: str = "light",
    frames: int = 6,
    spin_deg_s: float = 0.0,
    start_s: float = 0.0,
) -> None:
    """Write a filmstrip, an animation or a player, by the suffix of ``path``."""
    from kinegraph.visualize import write_animation, write_filmstrip, write_player

    suffix = path.suffix.lower()
    if suffix == ".html":
        write_player(path, sequences, title=title, start_s=start_s)
    elif suffix in PICTURES:
        notes = f"{sequences[-1][1].people} people" if sequences[-1][1].people > 1 else ""
        write_filmstrip(path, sequences, frames=frames, title=title, subtitle=notes, theme_name=theme, start_s=start_s)
    else:
        with Progress("drawing") as progress:
            write_animation(
                path,
                sequences,
                title=title,
                theme_name=theme,
                spin_deg_s=spin_deg_s,
                start_s=start_s,
                progress=progress,
            )


class Progress:
    """One line on the terminal that counts; silent where nobody watches.

    Args:
        what: is done.
        after_s: seconds of silence before the first line.
    """

    def __init__(self, what: str, after_s: float = 0.0) -> None:
        self.what, self.after_s = what, after_s
        self.begun = time.monotonic()
        self.shown = False

    def __call__(self, done: int, total: int) -> None:
        """Show ``done`` of ``total``, and the time that is left."""
        spent = time.monotonic() - self.begun
        if spent < self.after_s or not sys.stderr.isatty():
            return
        self.shown = True
        full = round(_CELLS * done / max(total, 1))
        left = f", {spent / done * (total - done):.0f} s left" if self.after_s and 0 < done < total else ""
        sys.stderr.write(f"\r{self.what} {'█' * full}{'░' * (_CELLS - full)} {done}/{total}{left}\033[K")
        sys.stderr.flush()

    def __enter__(self) -> Callable[[int, int], None]:
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
