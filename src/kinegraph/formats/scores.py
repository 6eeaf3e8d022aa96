"""Confidences as programs write them: shares of one, and what detectors overshoot it by."""

from __future__ import annotations

__all__ = ["MOST", "USUAL", "told_cut"]

MOST = 10.0
"""Above this a confidence is no overshoot of 1: per cent, or another number in its place."""
USUAL = 1.25
"""Heat maps overshoot 1 up to here (AlphaPose's reach 1.1), which needs no word; SimCC (RTMPose) goes beyond."""


def told_cut(highest: float) -> tuple[str, ...]:
    """A note of confidences that were cut to 1, by the highest of them; none where it is a heat map's overshoot."""
    if highest <= USUAL:
        return ()
    return (
        f"confidences up to {highest:.3g} were cut to 1: right where they overshoot it, as RTMPose's do; of another "
        "scale, such as out of 10, divide them first",
    )
