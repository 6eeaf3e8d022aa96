"""The networks in the package: each is a folder of weights, and its name stands for it wherever a folder is taken.

Light on purpose: it knows names and places, and reads nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kinegraph.errors import nearest

__all__ = ["FOLDER", "default_help", "default_weights", "find_folder", "model_help", "named", "shipped"]

FOLDER = Path(__file__).resolve().parent / "weights_data"
"""Where they lie."""
_CONFIG = "config.json"

Use = Literal["lift", "pictures", "live", "recognize", "forecast"]
_DEFAULTS: dict[Use, tuple[str, ...]] = {
    "lift": ("lift-temporal", "lift"),
    "pictures": ("lift", "lift-temporal"),
    "live": ("lift-causal", "lift"),
    "recognize": ("recognize", "forecast"),
    "forecast": ("forecast",),
}
"""What does the work where nobody names a network: the first of these that is there."""


def shipped() -> dict[str, Path]:
    """Name -> folder of every network in the package, in order of name."""
    if not FOLDER.is_dir():
        return {}
    return {place.name: place for place in sorted(FOLDER.iterdir()) if (place / _CONFIG).is_file()}


def default_weights(use: Use) -> Path | None:
    """The folder of the network that does this where none is named; None if the package ships none for it."""
    there = shipped()
    return next((there[name] for name in _DEFAULTS[use] if name in there), None)


def default_help(use: Use) -> str:
    """``default: lift-temporal``, for the help of an option."""
    place = default_weights(use)
    return f"default: {'none in this installation' if place is None else place.name}"


def find_folder(name: Path | str) -> Path | None:
    """The path itself if something is there, else the folder of the network in the package of that name, else None."""
    place = Path(name)
    return place if place.exists() else shipped().get(str(name))


def model_help(*more: str) -> str:
    """What a network may be named by, with those that there are, then `more`; for the help of an option."""
    return "; ".join((f"weights folder, hub id or a network by name ({named()})", *more)).replace("%", "%%")


def named(name: Path | str = "") -> str:
    """``in the package: forecast, lift``, for messages; with the one that `name` may have meant."""
    there = shipped()
    if not there:
        return "in the package: none"
    return f"in the package: {', '.join(there)}{nearest(str(name), there)}"
