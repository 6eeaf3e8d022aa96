"""A view like those of training, whatever the video shows.

A network that learnt from people four to six metres before a 1000 px camera is lost when a person fills the image or
stands small in a corner of it. ``person`` framing gives it what it knows: a virtual camera that turns to the person
and zooms until a metre of body is as many pixels as in training. Its poses are then turned back by the same ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton
from kinegraph.transforms.gaps import ASSUMED_FPS
from kinegraph.transforms.smoothing import gaussian_window, local_polynomial

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: the virtual camera: Human3.6M's focal length at 1000 px, a person five metres away
SIDE_PX = 1000
FOCAL_PX = 1145.0
DISTANCE_M = 5.0
PX_PER_M = FOCAL_PX / DISTANCE_M
#: px per metre, relative to the image's width, between which "auto" leaves the image as it is (4 to 6 m, with margin)
NEAR, FAR = 0.34, 0.15

#: lengths in metres of an adult of 1.70 m (Drillis and Contini, 1966, as shares of stature), between landmarks
LIMBS_M: dict[tuple[str, str], float] = {
    ("hip", "knee"): 0.245 * 1.7,
    ("knee", "ankle"): 0.246 * 1.7,
    ("shoulder", "elbow"): 0.186 * 1.7,
    ("elbow", "wrist"): 0.146 * 1.7,
}
TORSO_M = 0.288 * 1.7
_PIECE = 1024  # windows of frames looked at at once, which bounds the memory


@dataclass(frozen=True, kw_only=True)
class Framing:
    """Per frame, where the virtual camera looks: ``centre (frames, 2)`` px and ``px_per_m (frames,)`` of the image."""

    centre: Floats
    px_per_m: Floats

    def apply(self, keypoints_px: Floats) -> Floats:
        """Keypoints ``(frames, joints, 2)`` of the image as the virtual camera sees them, px of SIDE_PX."""
        return (keypoints_px - self.centre[:, None]) * (PX_PER_M / self.px_per_m)[:, None, None] + SIDE_PX / 2

    def turn_back(self, poses: Floats, intrinsics: Floats) -> Floats:
        """Poses ``(frames, joints, 3)`` of the virtual camera, relative to the root, in the real camera's axes."""
        ray = np.concatenate([(self.centre - intrinsics[2:]) / intrinsics[:2], np.ones((len(self.centre), 1))], axis=1)
        turned: Floats = np.einsum("fij,fkj->fki", look_along(ray), poses)
        return turned


def look_along(rays: Floats) -> Floats:
    """Rotations ``(n, 3, 3)`` that turn (0, 0, 1) to each ray ``(n, 3)`` by the shortest way; rays point forward."""
    z = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    # Rodrigues for the axis (0,0,1) x z = (-y, x, 0): sine and axis come in one product.
    x, y, c = z[:, 0], z[:, 1], z[:, 2]
    k = 1.0 / (1.0 + c)
    rows = [1 - k * x * x, -k * x * y, x, -k * x * y, 1 - k * y * y, y, -x, -y, c]
    return np.stack(rows, axis=1).reshape(-1, 3, 3)


def scale_of_pose(keypoints_px: Floats, seen: Mask, skeleton: Skeleton) -> Floats:
    """Pixels per metre of the body ``(frames,)`` in each frame alone; NaN where no limb is seen.

    Every limb seen is compared with an average adult's. Foreshortening only makes limbs shorter, so the second
    longest ratio of a frame counts, not the mean.
    """
    ratios = limb_scales(keypoints_px, seen, skeleton)
    if not len(ratios):
        # A skeleton of another kind: the diagonal of its box stands for a stature of 1.7 m.
        box = np.where(seen[..., None], keypoints_px, np.nan)
        diagonal = np.full(len(box), np.nan)
        some = seen.any(axis=1)
        diagonal[some] = np.linalg.norm(np.nanmax(box[some], axis=1) - np.nanmin(box[some], axis=1), axis=1)
        return diagonal / 1.7
    table = np.sort(np.where(np.isfinite(ratios), ratios, -1.0), axis=0)
    second = table[-2] if len(table) > 1 else table[-1]
    best = np.where(second > 0, second, table[-1])
    return np.where(best > 0, best, np.nan)


def limb_scales(keypoints_px: Floats, seen: Mask, skeleton: Skeleton) -> Floats:
    """Pixels per metre of each limb and the trunk ``(limbs, frames)``, by an average adult's; NaN where it is not seen.

    Args:
        keypoints_px: ``(frames, joints, 2)``.
        seen: ``(frames, joints)``.
        skeleton: of the keypoints; limbs that it does not have are left out.
    """
    ratios = []
    pairs = [(f"{side}_{a}", f"{side}_{b}", m) for (a, b), m in LIMBS_M.items() for side in ("left", "right")]
    for first, second, metres in [*pairs, ("pelvis", "thorax", TORSO_M)]:
        wa, wb = skeleton.landmark(first), skeleton.landmark(second)
        if wa is None or wb is None:
            continue
        there = seen[:, (wa != 0) | (wb != 0)].all(axis=1)
        length = np.linalg.norm(np.einsum("j,fjd->fd", wa - wb, np.where(seen[..., None], keypoints_px, 0.0)), axis=1)
        ratios.append(np.where(there, length / metres, np.nan))
    return np.stack(ratios) if ratios else np.zeros((0, len(keypoints_px)))


def frame_person(keypoints_px: Floats, seen: Mask, present: Mask, skeleton: Skeleton, fps: float | None) -> Framing:
    """Follow one person: centre on the root, zoom to the body's scale, both slower than any limb moves.

    Args:
        keypoints_px: ``(frames, joints, 2)``, finite everywhere.
        seen: ``(frames, joints)``.
        present: ``(frames,)``; other frames take the nearest one's view.
        skeleton: of the network.
        fps: frames per second.
    """
    rate = fps or ASSUMED_FPS
    scale = np.where(present, scale_of_pose(keypoints_px, seen, skeleton), np.nan)
    # The longest ratio within half a second either way: somebody lying or crouching has few limbs in full view.
    half = max(1, round(0.5 * rate))
    padded = np.pad(scale, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    upper = np.concatenate([_upper(windows[at : at + _PIECE], half) for at in range(0, max(1, len(windows)), _PIECE)])
    upper = np.where(np.isfinite(upper) & (upper > 0), upper, np.nan)
    fallback = float(np.nanmedian(upper)) if np.isfinite(upper).any() else 1.0
    slow = _slow(upper[:, None], np.isfinite(upper), 0.3 * rate)[:, 0]
    centre = _slow(keypoints_px[:, skeleton.root], present, 0.1 * rate)
    return Framing(centre=_held(centre), px_per_m=np.maximum(np.where(np.isfinite(slow), slow, fallback), 1e-6))


def _upper(windows: Floats, half: int) -> Floats:
    """The longest but a sixth of each window (n, 2 half + 1), or the longest if that many are not there."""
    filled = np.where(np.isfinite(windows), windows, -np.inf)
    upper = np.sort(filled, axis=1)[:, -max(1, half // 3) :].min(axis=1)
    longest: Floats = np.where(np.isfinite(upper), upper, filled.max(axis=1))
    return longest


def _slow(values: Floats, valid: Mask, sigma: float) -> Floats:
    kernel = gaussian_window(sigma)
    weights = np.repeat(valid.astype(np.float64)[:, None], values.shape[1], axis=1)
    return local_polynomial(values, weights, kernel, 1)


def _held(values: Floats) -> Floats:
    good = np.flatnonzero(np.isfinite(values).all(axis=1))
    if not len(good):
        return np.zeros_like(values)
    frames = np.arange(len(values))
    after = np.searchsorted(good, frames).clip(max=len(good) - 1)
    before = (after - 1).clip(min=0)
    nearest = np.where(frames - good[before] <= np.abs(good[after] - frames), good[before], good[after])
    result: Floats = values[nearest]
    return result
