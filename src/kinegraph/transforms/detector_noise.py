"""What a 2D keypoint detector does to the truth: jitter, outliers, swapped limbs, cut and missing joints.

The default is the `noisy` input of the free lifting benchmark: Gaussian jitter of a stated sigma in pixels, and
joints dropped independently with confidence 0. Its other fields add what detectors do on video: errors that last for
several frames, heavy tails, left and right legs or arms exchanged, and a confidence that falls as the error grows.
Everything is vectorised, and the generator passed in is the only source of randomness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from types import EllipsisType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.limbs import limb_pairs
from kinegraph.transforms.seen_box import seen_box

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

__all__ = ["DetectorNoise"]


@dataclass(frozen=True, kw_only=True)
class DetectorNoise:
    """A model of detector errors; every field is a strength, and 0 switches it off.

    Attributes:
        sigma_px: standard deviation of the jitter of each coordinate, px.
        drop: probability that a joint is not found: confidence 0, position NaN.
        outlier: probability that a joint is badly misplaced.
        outlier_px: standard deviation of such a misplacement, px, on top of the jitter.
        swap: probability that both legs, or both arms, are exchanged left for right.
        cut: probability that a straight image border hides all joints on its far side (at least one joint stays).
        correlation: how much of an error is left a frame later, 0 to below 1. It changes no marginal rate or sigma,
            only how long errors last: jitter, outliers, drops and swaps all persist.
        fading: how strongly confidence tells the error: it is multiplied by exp(-fading * error / sigma_px), and
            kept above 0.05 so that an uncertain joint stays a joint.

    Raises:
        ConfigError: a value outside its range.
    """

    sigma_px: float = 5.0
    drop: float = 0.05
    outlier: float = 0.0
    outlier_px: float = 30.0
    swap: float = 0.0
    cut: float = 0.0
    correlation: float = 0.0
    fading: float = 0.0

    def __post_init__(self) -> None:
        for name in ("drop", "outlier", "swap", "cut", "correlation"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"detector noise: {name} is {getattr(self, name)}; expected 0 <= {name} < 1")
        for name in ("sigma_px", "outlier_px", "fading"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"detector noise: {name} is {getattr(self, name)}; expected 0 or more")
        if self.fading and not self.sigma_px:
            raise ConfigError("detector noise: fading needs sigma_px above 0, the error it is measured in")

    def scaled(self, factor: float) -> DetectorNoise:
        """The same kind of noise, ``factor`` times as strong; probabilities stay at most 0.95.

        Raises:
            ConfigError: a negative factor.
        """
        if not 0 <= factor < float("inf"):
            raise ConfigError(f"detector noise: factor is {factor}; expected 0 or more")
        rates = {name: min(0.95, factor * getattr(self, name)) for name in ("drop", "outlier", "swap", "cut")}
        fading = self.fading if factor else 0.0
        return replace(
            self, sigma_px=factor * self.sigma_px, outlier_px=factor * self.outlier_px, fading=fading, **rates
        )

    def apply(
        self,
        keypoints_px: ArrayLike,
        confidence: ArrayLike,
        rng: np.random.Generator,
        *,
        skeleton: Skeleton | None = None,
        among: tuple[NDArray[np.int64], int] | None = None,
    ) -> tuple[Array, Array]:
        """Disturb keypoints.

        Args:
            keypoints_px: ``(..., frames, joints, 2)`` px, frames in time order; ``(joints, 2)`` is one frame. For
                frames that do not follow each other leave ``correlation`` at 0.
            confidence: ``(..., frames, joints)`` in 0..1; joints with 0 stay missing.
            rng: the source of randomness; an equal state gives equal noise.
            skeleton: the joints' sides and limbs; needed for ``swap``.
            among: where the keypoints are some of a batch: their places along its first axis, and its length. Random
                numbers are drawn for the whole batch, so that they are disturbed as they would be among the others.

        Returns:
            keypoints and confidence of the same shapes; NaN exactly where confidence is 0.

        Raises:
            DataError: the shapes do not fit, or ``swap`` lacks its skeleton.
        """
        points = np.array(keypoints_px, dtype=np.float64)
        score = np.array(confidence, dtype=np.float64)
        if points.ndim < 2 or points.shape[-1] != 2 or points.shape[:-1] != score.shape:
            raise DataError(
                f"detector noise: keypoints {points.shape} and confidence {score.shape}; expected (..., joints, 2) "
                "and (..., joints)"
            )
        single = points.ndim == 2
        if single:
            points, score = points[None], score[None]
        draws = _Draws(rng, among)
        truth, known = (points.copy() if self.fading else points), score > 0
        # A strength of 0 draws nothing, so the same seed under another configuration is other noise.
        if self.swap:
            self._exchange(points, score, draws, skeleton)
            if self.fading:
                # A joint seen in the place of a missing one errs from where it came from: nothing else is known there.
                truth = np.where(known[..., None], truth, points)
        if self.sigma_px:
            points += self.sigma_px * self._field(draws, points.shape, -3)
        if self.outlier:
            hit = self._event(draws, score.shape, self.outlier, -2)
            points[hit] += self.outlier_px * self._field(draws, points.shape, -3)[hit]
        if self.fading:
            off = points - truth
            error = np.where(score > 0, np.sqrt(off[..., 0] * off[..., 0] + off[..., 1] * off[..., 1]), 0.0)
            faded = score * np.exp(-self.fading * error / self.sigma_px)
            score = np.where(score > 0, np.maximum(faded, np.minimum(score, 0.05)), 0.0)
        if self.drop:
            score = np.where(self._event(draws, score.shape, self.drop, -2), 0.0, score)
        if self.cut:
            score = np.where(self._hidden(points, score, draws), 0.0, score)
        points[score == 0] = np.nan
        return (points[0], score[0]) if single else (points, score)

    def _field(self, draws: _Draws, shape: tuple[int, ...], time: int) -> Array:
        """Unit normal values, correlated along the axis ``time`` (negative index)."""
        values = draws.normal(shape)
        if self.correlation:
            frames = np.moveaxis(values, time, 0)  # a view: writing to it writes to values
            fresh = np.sqrt(1 - self.correlation**2)
            for frame in range(1, len(frames)):
                frames[frame] = self.correlation * frames[frame - 1] + fresh * frames[frame]
        return values

    def _event(self, draws: _Draws, shape: tuple[int, ...], rate: float, time: int) -> Mask:
        """Events of a marginal probability ``rate`` that last as the correlation says."""
        # A normal field below its quantile: the rate is exact whatever the correlation.
        return np.asarray(self._field(draws, shape, time) < NormalDist().inv_cdf(rate))

    def _exchange(self, points: Array, score: Array, draws: _Draws, skeleton: Skeleton | None) -> None:
        """Exchange legs and arms where that happens, in place."""
        if skeleton is None:
            raise DataError("detector noise: swap needs the skeleton, to know left from right; pass skeleton=")
        if skeleton.num_joints != score.shape[-1]:
            raise DataError(
                f"detector noise: {score.shape[-1]} joints, but layout '{skeleton.name}' has {skeleton.num_joints}"
            )
        limbs = limb_pairs(skeleton)
        for kind in ("legs", "arms"):
            order = np.arange(skeleton.num_joints)
            for left, right in limbs[kind]:
                order[left], order[right] = right, left
            event = self._event(draws, score.shape[:-1], self.swap, -1)
            points[event], score[event] = points[event][:, order], score[event][:, order]

    def _hidden(self, points: Array, score: Array, draws: _Draws) -> Mask:
        """Joints beyond a border that lies at a random height or side of a person; steady over a clip's frames."""
        clips = score.shape[:-2] if self.correlation else score.shape[:-1]
        event = draws.uniform(clips) < self.cut
        side = draws.integers(4, clips)
        depth = draws.uniform(clips)
        if self.correlation:
            frames = score.shape[:-1]
            event = np.broadcast_to(event[..., None], frames)
            side, depth = np.broadcast_to(side[..., None], frames), np.broadcast_to(depth[..., None], frames)
        hidden = np.zeros(score.shape, dtype=bool)
        points, score, side, depth = points[event], score[event], side[event], depth[event]
        low, high = seen_box(points, score > 0)
        axis = side % 2
        start = np.take_along_axis(low, axis[..., None], -1)[..., 0]
        end = np.take_along_axis(high, axis[..., None], -1)[..., 0]
        with np.errstate(invalid="ignore"):
            place = start + depth * (end - start)
        along = np.where(axis[..., None] == 0, points[..., 0], points[..., 1])
        beyond = np.where((side < 2)[..., None], along > place[..., None], along < place[..., None])
        hidden[event] = beyond
        return hidden


class _Draws:
    """Random numbers of some rows of a batch: drawn for all of them, kept for those."""

    def __init__(self, rng: np.random.Generator, among: tuple[NDArray[np.int64], int] | None) -> None:
        self.rng = rng
        # All of them by `...`: a single pose has no rows to slice.
        self.rows: NDArray[np.int64] | EllipsisType = ... if among is None else among[0]
        self.count = None if among is None else among[1]

    def normal(self, shape: tuple[int, ...]) -> Array:
        return self.rng.standard_normal(self._whole(shape))[self.rows]

    def uniform(self, shape: tuple[int, ...]) -> Array:
        return self.rng.random(self._whole(shape))[self.rows]

    def integers(self, below: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.rng.integers(below, size=self._whole(shape))[self.rows]
        return found

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self.count is None else (self.count, *shape[1:])
