"""Less jitter: a zero-phase local polynomial for recordings, and the one-euro filter for live use.

Neither crosses a gap that is longer than its own window, and neither invents a joint: missing stays missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import ASSUMED_FPS

Floats = NDArray[np.float64]
_PIECE = 1024  # frames smoothed at once


def gaussian_window(sigma: float) -> Floats:
    """Weights ``(2 h + 1,)`` of a Gaussian cut at 3 sigma, in frames; at least one frame on either side."""
    half = max(1, int(np.ceil(3 * sigma)))
    return np.asarray(np.exp(-0.5 * (np.arange(-half, half + 1) / max(sigma, 1e-6)) ** 2))


def local_polynomial(values: Floats, weights: Floats, kernel: Floats, degree: int) -> Floats:
    """Weighted least-squares polynomial in a sliding window, evaluated at its centre.

    With equal weights and a flat kernel this is the Savitzky-Golay filter (Analytical Chemistry 36, 1964); unlike
    it, a frame counts by its confidence, missing frames count nothing, and the ends need no padding. Where too few
    frames are seen for ``degree``, a lower one is used, down to the plain weighted mean.

    Args:
        values: ``(frames, series)``; ignored where the weight is 0 (may be NaN there).
        weights: ``(frames, series)``, 0 = missing.
        kernel: ``(2 h + 1,)`` positive weights of the window.
        degree: 0, 1, 2 or 3.

    Returns:
        ``(frames, series)``; NaN where no frame of the window is seen.
    """
    frames = len(values)
    half = len(kernel) // 2
    filled = np.where(weights > 0, np.nan_to_num(values), 0.0)
    # Time in windows, not frames, keeps the normal equations well scaled.
    offsets = np.arange(-half, half + 1) / max(half, 1)
    moments = np.zeros((2 * degree + 1, *values.shape))
    right = np.zeros((degree + 1, *values.shape))
    count = np.zeros(values.shape)
    for shift, (offset, k) in enumerate(zip(offsets, kernel, strict=True)):
        delta = shift - half
        to, of = slice(max(0, -delta), min(frames, frames - delta)), slice(max(0, delta), min(frames, frames + delta))
        if to.start >= to.stop:
            continue
        w = k * weights[of]
        count[to] += weights[of] > 0
        for power in range(2 * degree + 1):
            moments[power, to] += w * offset**power
        for power in range(degree + 1):
            right[power, to] += w * offset**power * filled[of]
    result = np.full(values.shape, np.nan)
    for order in range(degree + 1):
        # An order needs one frame more than its degree; with exactly that many it would only interpolate.
        able = count > (order + 1 if order else 0)
        if not able.any():
            break
        system = np.stack([moments[i : i + order + 1][:, able] for i in range(order + 1)])  # (o+1, o+1, n)
        answer = np.linalg.solve(
            np.moveaxis(system, -1, 0) + 1e-12 * np.eye(order + 1),
            np.moveaxis(right[: order + 1][:, able], -1, 0)[..., None],
        )
        result[able] = answer[:, 0, 0]
    return result


def smooth(sequence: SkeletonSequence, sigma_s: float = 0.05, *, degree: int = 2) -> SkeletonSequence:
    """Zero-phase smoothing: a Gaussian-weighted local polynomial, confidences as weights.

    Args:
        sequence: 2D or 3D; missing joints stay missing.
        sigma_s: standard deviation of the window in seconds (at 30 frames a second where the rate is unknown); the
            window is cut at 3 sigma. 0 returns the sequence unchanged.
        degree: of the polynomial, 0 (Gaussian mean) to 3; 2 keeps peaks of fast movements that a mean would flatten.

    Raises:
        DataError: a ``sigma_s`` that is negative or not finite, or a degree outside 0..3.
    """
    if not (np.isfinite(sigma_s) and sigma_s >= 0):
        raise DataError(f"smoothing sigma is {sigma_s} s; expected a finite number, 0 or more")
    if degree not in (0, 1, 2, 3):
        raise DataError(f"smoothing degree is {degree}; choose 0, 1, 2 or 3")
    sigma = sigma_s * (sequence.fps or ASSUMED_FPS)
    half = int(np.ceil(3 * sigma))
    if sigma < 1e-9 or half == 0 or sequence.frames < 2:
        return sequence
    positions = smooth_array(sequence.positions, np.asarray(sequence.confidence), gaussian_window(sigma), degree)
    note = f"smoothed (zero phase, sigma {sigma_s * 1000:.0f} ms, degree {degree})"
    return sequence.replace(positions=positions, rotations=None, notes=(*sequence.notes, note))


def smooth_array(positions: Floats, confidence: Floats, kernel: Floats, degree: int) -> Floats:
    """:func:`local_polynomial` on ``(people, frames, joints, dims)`` with weights ``(people, frames, joints)``."""
    people, frames, joints, dims = positions.shape
    series = np.moveaxis(positions, 1, 0).reshape(frames, -1)
    weights = np.repeat(np.moveaxis(confidence, 1, 0).reshape(frames, -1), dims, axis=1)
    # Piece by piece, each with the frames beside it that its windows reach: the same numbers in bounded memory.
    half, pieces = len(kernel) // 2, []
    for start in range(0, frames, _PIECE):
        low, stop = max(0, start - half), min(start + _PIECE, frames)
        reach = slice(low, min(frames, stop + half))
        found = local_polynomial(series[reach], weights[reach], kernel, degree)
        pieces.append(found[start - low : stop - low])
    smoothed = np.concatenate(pieces) if pieces else series
    smoothed = np.where(weights > 0, smoothed, np.nan)
    return np.moveaxis(smoothed.reshape(frames, people, joints, dims), 0, 1)


@dataclass(kw_only=True)
class OneEuro:
    """The one-euro filter (Casiez et al., CHI 2012), causal, for any array, one frame at a time.

    The cut-off rises with speed: slow parts lose their jitter, fast parts their lag.

    Args:
        fps: frames per second.
        min_cutoff_hz: cut-off at rest.
        beta: how much the cut-off rises with speed, Hz per (unit / second).
        derivative_cutoff_hz: cut-off of the speed estimate.

    Raises:
        DataError: a value outside its range.
    """

    fps: float
    min_cutoff_hz: float = 1.5
    beta: float = 3.0
    derivative_cutoff_hz: float = 1.0
    _value: Floats | None = field(default=None, init=False, repr=False)
    _speed: Floats | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("fps", "min_cutoff_hz", "derivative_cutoff_hz"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise DataError(f"one-euro filter: {name} is {getattr(self, name)}; expected a positive number")
        if not (np.isfinite(self.beta) and self.beta >= 0):
            raise DataError(f"one-euro filter: beta is {self.beta}; expected a finite number, 0 or more")

    def step(self, value: Floats) -> Floats:
        """The next frame ``(...)``, filtered, in its own unit; every frame has the first one's shape.

        NaN entries pass through, and a joint that comes back starts afresh.
        """
        value = np.asarray(value, dtype=np.float64)
        if self._value is None or self._speed is None:
            self._value, self._speed = value.copy(), np.zeros_like(value)
            return value.copy()
        known = np.isfinite(self._value)
        raw = np.where(known, (value - np.where(known, self._value, 0.0)) * self.fps, 0.0)
        raw = np.nan_to_num(raw)
        self._speed = self._speed + self._share(np.asarray(self.derivative_cutoff_hz)) * (raw - self._speed)
        share = self._share(self.min_cutoff_hz + self.beta * np.abs(self._speed))
        moved = np.where(known, self._value + share * (value - self._value), value)
        self._value = np.where(np.isfinite(value), moved, np.nan)
        self._speed = np.where(np.isfinite(value), self._speed, 0.0)
        return self._value.copy()

    def _share(self, cutoff_hz: Floats) -> Floats:
        rate = 2 * np.pi * cutoff_hz / self.fps
        result: Floats = rate / (rate + 1)
        return result


def one_euro(sequence: SkeletonSequence, *, min_cutoff_hz: float = 1.5, beta: float = 3.0) -> SkeletonSequence:
    """A whole sequence through :class:`OneEuro`, as live use would see it (causal, so it lags a little).

    ``beta`` is per unit of the sequence: about 3 in metres, 0.01 in pixels.

    Raises:
        DataError: ``min_cutoff_hz`` is not a positive number, or ``beta`` negative.
    """
    fps = sequence.fps or ASSUMED_FPS
    live = OneEuro(fps=fps, min_cutoff_hz=min_cutoff_hz, beta=beta)
    positions = np.empty_like(sequence.positions)
    for t in range(sequence.frames):
        positions[:, t] = live.step(sequence.positions[:, t])
    note = f"smoothed (one-euro, {min_cutoff_hz:g} Hz, beta {beta:g})"
    return sequence.replace(positions=positions, rotations=None, notes=(*sequence.notes, note))
