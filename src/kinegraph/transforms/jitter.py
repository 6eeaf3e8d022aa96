"""How much a recording trembles from frame to frame, and the smoothing that a forecast of it gains from."""

from __future__ import annotations

from math import comb
from numbers import Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import make_continuous
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.smoothing import gaussian_window, smooth, smooth_array

__all__ = ["Smooth", "check_smooth", "jitter", "smoothing_s", "with_less_jitter"]

Floats = NDArray[np.float64]
Smooth = Literal["auto"] | float

_ORDER = 5  # of the differences: at 30 Hz of a motion they leave little, of white noise 16 times what it is
_FEWEST = 60  # differences, below which nothing is measured
_SLOWEST_HZ = 24.0  # below it, fast motion looks like jitter
_LEAST_M = 1.5e-3  # at 30 Hz; optical recordings, a run among them, have up to 1 mm
_AT_HZ = 30.0
_FRAMES_OF_A_MM = 1.45  # width at 1 mm and 30 Hz; the one that helps forecasts most grows with the root of the jitter
_LONGEST_S = 0.2
_MOST_S = 1.0


def check_smooth(value: object) -> None:
    """Raises ConfigError for a smoothing that is none: expected ``"auto"``, or 0 to 1 seconds."""
    stated = not isinstance(value, bool) and isinstance(value, Real | np.integer | np.floating)
    if value == "auto" or (stated and 0 <= float(value) <= _MOST_S):  # type: ignore[arg-type]
        return
    raise ConfigError(f"smooth is {value!r}; expected 'auto', 0 for none, or seconds up to {_MOST_S:g}")


def jitter(positions: Floats) -> float:
    """Standard deviation, in the positions' unit, of what is independent from frame to frame on each axis.

    From differences of the fifth order, in which smooth motion all but vanishes, by their median over joints and
    frames; 0 where too few frames follow each other without a gap.

    Args:
        positions: (frames, joints, dims), NaN where missing.
    """
    if len(positions) <= _ORDER:
        return 0.0
    differences = np.abs(np.diff(positions, n=_ORDER, axis=0))
    known = differences[np.isfinite(differences)]
    if len(known) < _FEWEST:
        return 0.0
    gain = np.sqrt(sum(comb(_ORDER, i) ** 2 for i in range(_ORDER + 1)))
    return float(np.median(known) / 0.6745 / gain)


def smoothing_s(jitter_m: float, fps: float) -> float:
    """Seconds, the standard deviation of the window, by which a forecast gains most of positions that tremble so.

    0 for what optical recordings have too, and below 24 frames a second. Found by measurement: docs/forecasting.md.
    """
    at_30 = jitter_m * np.sqrt(_AT_HZ / fps)
    if fps < _SLOWEST_HZ or at_30 < _LEAST_M:
        return 0.0
    return float(min(_FRAMES_OF_A_MM * np.sqrt(at_30 / 1e-3) / _AT_HZ, _LONGEST_S))


def with_less_jitter(sequence: SkeletonSequence, choice: Smooth) -> tuple[SkeletonSequence, tuple[str, ...]]:
    """One person's recording smoothed, and notes of it; as it is where nothing is to be done.

    By a local polynomial of second degree, at the end from the past alone. Of recordings with rotations the
    rotations and the root's path are smoothed, and bones keep their length.

    Args:
        sequence: 3D in metres, at a known rate.
        choice: ``"auto"``, or seconds.
    """
    assert sequence.fps is not None
    found = jitter(sequence.positions[0])
    sigma_s = smoothing_s(found, sequence.fps) if choice == "auto" else float(choice)
    if not sigma_s * sequence.fps > 0:
        return sequence, ()
    measured = f"jitter of {1000 * found:.1f} mm measured: " if choice == "auto" else ""
    notes = (f"{measured}smoothed over {1000 * sigma_s:.0f} ms before forecasting (smooth 0 leaves it)",)
    if not sequence.is_posed(0):
        return smooth(sequence, sigma_s), notes
    assert sequence.rotations is not None
    assert sequence.offsets is not None
    window, root = gaussian_window(sigma_s * sequence.fps), sequence.skeleton.root
    turned = make_continuous(sequence.rotations[0])[None]
    turned = smooth_array(turned, np.ones(turned.shape[:3]), window, 2)
    turned /= np.linalg.norm(turned, axis=-1, keepdims=True)
    seen = sequence.seen[:, :, [root]].astype(np.float64)
    path = smooth_array(sequence.positions[:, :, [root]], seen, window, 2)
    offsets = np.tile(sequence.offsets, (sequence.frames, 1, 1))
    offsets[:, root] = path[0, :, 0]
    positions = forward_kinematics(sequence.skeleton.parents, turned[0], offsets)[0]
    positions[~sequence.seen[0]] = np.nan
    return sequence.replace(positions=positions[None], rotations=turned), notes
