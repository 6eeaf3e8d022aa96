"""A recogniser that can be seen through: it tells how fast one joint moves along each axis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinegraph.inference.clip_window import ClipNetwork
from kinegraph.models.recognition_model import RecognitionModel
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import PreNormalise

LAYOUT = get_skeleton("h36m17")
#: one for each axis, and none
ACTIONS = ("sideways", "upwards", "forwards", "still")
FPS = 30.0


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    channels: int = 3
    classes: int = 4
    people: int = 1
    sharpness: float = 200.0


class Probe(RecognitionModel):
    """Score of an axis: mean path along it per frame of the right wrist, over the first person's frames; ``seen`` keeps
    the shapes of all inputs."""

    def __init__(self, skeleton: Skeleton, config: ProbeConfig) -> None:
        super().__init__(skeleton, config)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        self.check_input(x, mask)
        assert mask is not None
        self.seen.append(x)
        wrist = x[:, 0, :, self.skeleton.index("right_wrist")]
        both = (mask[:, 0, 1:] & mask[:, 0, :-1]).unsqueeze(-1)
        path = ((wrist[:, 1:] - wrist[:, :-1]).abs() * both).sum(dim=1) / both.sum(dim=1).clamp(min=1)
        scores = torch.cat([path, torch.full_like(path[:, :1], 0.01)], dim=1)
        return self.config.sharpness * scores[:, [*range(self.channels), -1]]


def probe(
    *,
    people: int = 1,
    dims: int = 3,
    sampling: str = "all",
    frames: int = 32,
    clip_frames: int | None = 30,
    fps: float | None = FPS,
    unit: Any = "m",
    convention: str = "none",
    actions: tuple[str, ...] | None = None,
    skeleton: Skeleton = LAYOUT,
    sharpness: float = 200.0,
) -> ClipNetwork:
    """A network of a second's windows."""
    names = actions or (ACTIONS if dims == 3 else (*ACTIONS[:2], "still"))
    transform = ClipTransform(
        prenormalise=PreNormalise(convention=convention),  # type: ignore[arg-type]
        sampling=sampling,  # type: ignore[arg-type]
        frames=frames,
        people=people,
        dims=dims,
        fps=fps,
        unit=unit,
        clip_frames=clip_frames,
        actions=names,
    )
    config = ProbeConfig(channels=dims, classes=len(names), people=people, sharpness=sharpness)
    return ClipNetwork(Probe(skeleton, config).eval(), "probe", skeleton, transform, Path("probe"))


def waver(
    *moves: tuple[str, float], fps: float = FPS, place: float = 0.0, size: float = 0.2, held: bool = False
) -> np.ndarray:
    """Positions (frames, 17, 3), y up, of somebody who stands and waves a wrist along an axis for some seconds each, or
    holds it out there."""
    rng = np.random.default_rng(0)
    pose = rng.normal(scale=0.3, size=(LAYOUT.num_joints, 3)) + np.array([place, 1.0, 0.0])
    parts = []
    for action, seconds in moves:
        motion = np.tile(pose, (round(seconds * fps), 1, 1))
        if action != "still":
            swing = size if held else size * np.sin(2 * np.pi * 2 * np.arange(len(motion)) / fps)
            motion[:, LAYOUT.index("right_wrist"), ACTIONS.index(action)] += swing
        parts.append(motion)
    return np.concatenate(parts)


def recording(*people: np.ndarray, fps: float = FPS, **fields: Any) -> SkeletonSequence:
    """A sequence of people; y up unless said."""
    fields = {"up": "y", "source": "day.npz", **fields}
    return SkeletonSequence(np.stack(people), LAYOUT, fps=fps, **fields)
