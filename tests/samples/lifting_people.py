"""A person who can be measured, and a network whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import kinegraph as kg
from kinegraph.inference import Lifter
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import LoadedWeights

BODY = get_skeleton("h36m17")
# Pelvis at the origin, metres, y up, facing +z.
POSE = {
    "pelvis": (0, 0, 0),
    "right_hip": (-0.12, 0, 0),
    "right_knee": (-0.13, -0.42, 0.02),
    "right_ankle": (-0.13, -0.84, -0.02),
    "left_hip": (0.12, 0, 0),
    "left_knee": (0.13, -0.42, 0.02),
    "left_ankle": (0.13, -0.84, -0.02),
    "spine": (0, 0.25, 0),
    "thorax": (0, 0.49, 0),
    "nose": (0, 0.58, 0.1),
    "head": (0, 0.72, 0.04),
    "left_shoulder": (0.17, 0.46, 0),
    "left_elbow": (0.25, 0.15, -0.05),
    "left_wrist": (0.27, -0.08, 0.1),
    "right_shoulder": (-0.17, 0.46, 0),
    "right_elbow": (-0.26, 0.15, 0.02),
    "right_wrist": (-0.28, -0.08, 0.15),
}
INTRINSICS = np.array([1145.0, 1145.0, 500.0, 500.0])


def motion(frames: int = 60, depth: float = 5.0, pitch_deg: float = 0.0, walk_m: float = 0.0) -> np.ndarray:
    """Camera-space truth (frames, 17, 3): somebody facing the camera who swings the arms; the camera looks down."""
    pose = np.array([POSE[j] for j in BODY.joints], dtype=float)
    poses = np.repeat(pose[None], frames, axis=0)
    for side, sign in (("left", 1), ("right", -1)):
        shoulder = BODY.index(f"{side}_shoulder")
        angle = sign * 0.6 * np.sin(np.arange(frames) / 30 * 2 * math.pi)
        for part in ("elbow", "wrist"):
            joint = BODY.index(f"{side}_{part}")
            arm = poses[:, joint] - poses[:, shoulder]
            c, s = np.cos(angle), np.sin(angle)
            poses[:, joint] = poses[:, shoulder] + np.stack(
                [arm[:, 0], c * arm[:, 1] - s * arm[:, 2], s * arm[:, 1] + c * arm[:, 2]], -1
            )
    poses[..., 2] += np.linspace(0, walk_m, frames)[:, None]
    # Facing +z is facing a camera that looks along -z of this world; its x is then our x, its y ours turned over.
    world = poses - [0, 0, depth]
    a = math.radians(pitch_deg)
    right, down, forward = (
        np.array([1.0, 0, 0]),
        np.array([0, -math.cos(a), math.sin(a)]),
        np.array([0, -math.sin(a), -math.cos(a)]),
    )
    return np.stack([world @ right, world @ down, world @ forward], axis=-1)


def project(points: np.ndarray, intrinsics: np.ndarray = INTRINSICS) -> np.ndarray:
    return points[..., :2] / points[..., 2:] * intrinsics[:2] + intrinsics[2:]


def keypoints(truth: np.ndarray, **changes: Any) -> SkeletonSequence:
    given: dict[str, Any] = {"fps": 30.0, "unit": "px", "space": "image", "image_size": (1000, 1000), "source": "clip"}
    return SkeletonSequence(project(truth), BODY, **{**given, **changes})


class Oracle(nn.Module):
    """Answers from what it sees by a function given to it."""

    def __init__(self, answer: Callable[[torch.Tensor], torch.Tensor], frames: int = 1) -> None:
        super().__init__()
        self.answer, self.frames = answer, frames
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x.clone())
        return self.answer(x)


def lifter(
    answer: Callable[[torch.Tensor], torch.Tensor],
    *,
    frames: int = 1,
    metadata: dict[str, Any] | None = None,
    **transform: Any,
) -> Lifter:
    model = Oracle(answer, frames)
    return Lifter(
        LoadedWeights(
            model=model,
            model_name="oracle",
            skeleton=BODY,
            transform=LiftingTransform(**transform),
            metadata=metadata or {},
            task="lift",
            folder=Path("oracle"),
        )
    )


def flat_person(x: torch.Tensor) -> torch.Tensor:
    """The keypoints themselves, as a flat body at the scale of the metric target (screen, 5 m, Human3.6M's focal)."""
    centre = x if x.ndim == 3 else x[:, x.shape[1] // 2]
    xy = centre[..., :2] - centre[..., :1, :2]
    metres = xy * 500 / 229.0
    return torch.cat([metres, torch.zeros_like(metres[..., :1])], dim=-1) / 0.3


def write_mixed_folder(place: Path) -> Path:
    """Three good recordings, one a folder of frames and one further down; two bad; a note beside them."""
    (place / "deep").mkdir(parents=True)
    walk = keypoints(motion()).slice_frames(0, 8)
    kg.save(walk, place / "a.npz")
    kg.save(walk.to_skeleton(kg.get_skeleton("body25"), minimum=0.3), place / "b", "openpose")
    (place / "c.csv").write_text("this is no table\n")
    kg.save(walk, place / "deep" / "d.json")
    kg.save(kg.load(np.zeros((4, 17, 3)), skeleton="h36m17"), place / "e.npz")
    (place / "notes.md").write_text("about these recordings")
    return place
