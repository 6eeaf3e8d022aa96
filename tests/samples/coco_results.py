"""A video's detections as the results list of COCO's tools write it, for what reads it without the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kinegraph.serve.sample import walking

SIZE, FPS = (1280, 720), 30


def write_results(path: Path, *, beside_px: float = 0.0, lost: bool = False) -> None:
    """A second of somebody who walks past, one detection a frame at 30 a second.

    Args:
        path: JSON to write.
        beside_px: how far from the middle of the image.
        lost: keypoints are missing: an ear for a while, a wrist in a short gap, an ankle in a long one and a knee at
            the end.
    """
    keypoints = walking(1.2).resample(FPS).positions[0] + [beside_px, 0.0]
    sure = np.random.default_rng(0).uniform(0.3, 1.0, keypoints.shape[:2])
    there = np.isfinite(keypoints[..., 0])  # the generator's body has no eyes
    keypoints, sure = np.where(there[..., None], keypoints, 0.0), np.where(there, sure, 0.0)
    if lost:
        names = list(walking(0.1).skeleton.joints)
        for joint, start, stop in (
            ("left_ear", 3, 9), ("right_wrist", 5, 12), ("left_ankle", 8, 30), ("right_knee", -3, None)
        ):  # fmt: skip
            sure[start:stop, names.index(joint)] = 0.05  # under what counts
    found = [
        {"image_id": frame, "category_id": 1, "keypoints": np.column_stack([xy, c]).ravel().tolist(), "score": 0.9}
        for frame, (xy, c) in enumerate(zip(keypoints, sure, strict=True))
    ]
    path.write_text(json.dumps(found[::-1]), encoding="utf-8")  # their order says nothing
