"""The `noisy` input of the lifting benchmarks: the exact 2D with detector errors of a stated kind and seed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from kinegraph.datasets.assemble import clip_rng
from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.transforms.detector_noise import DetectorNoise

BENCHMARK_NOISE = DetectorNoise(sigma_px=5.0, drop=0.05)
"""Gaussian jitter of 5 px (in an image 1000 px wide) on each coordinate; one joint in twenty not found."""
SEED = 7


def with_detector_noise(data: LiftingData, noise: DetectorNoise = BENCHMARK_NOISE, seed: int = SEED) -> LiftingData:
    """``data`` with its keypoints disturbed; the 3D truth is untouched.

    Every clip has its own generator, derived from ``seed`` and the clip's name, so a subset of the clips has the
    noise it has in the whole. The result's name states the noise, and its fingerprint covers it.

    Args:
        data: exact or detected keypoints.
        noise: what is done to them.
        seed: of all randomness.
    """
    keypoints, confidence = np.empty_like(data.keypoints_px), np.empty_like(data.confidence)
    bounds = np.flatnonzero(np.diff(data.clip, prepend=-1, append=-1))
    for start, stop in pairwise(bounds):
        rng = clip_rng(seed, f"noise/{data.clip_names[data.clip[start]]}")
        keypoints[start:stop], confidence[start:stop] = noise.apply(
            data.keypoints_px[start:stop], data.confidence[start:stop], rng, skeleton=data.skeleton
        )
    return data.replace(name=f"{data.name} ({describe(noise)})", keypoints_px=keypoints, confidence=confidence)


def describe(noise: DetectorNoise) -> str:
    """``"noise sigma 5 px, drop 0.05"`` and whatever else is switched on."""
    text = f"noise sigma {noise.sigma_px:g} px, drop {noise.drop:g}"
    for key in ("outlier", "swap", "cut", "correlation", "fading"):
        if getattr(noise, key):
            text += f", {key} {getattr(noise, key):g}"
    return text
