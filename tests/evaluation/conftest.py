"""A small data set with a known geometry, and methods whose errors can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.evaluation import LiftingMethod
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform


@pytest.fixture
def data() -> LiftingData:
    """Three clips of two actions, unequal in number; image 1000 x 1002, principal point off the centre."""
    rng = np.random.default_rng(0)
    lengths = (4, 3, 5)
    poses = sum(lengths)
    camera = rng.uniform(-0.8, 0.8, size=(poses, 17, 3))
    camera[..., 2] += rng.uniform(3, 6, size=(poses, 1))
    lens = np.tile([1145.0, 1143.8, 512.5, 515.5], (poses, 1))
    pixels = lens[:, None, :2] * camera[..., :2] / camera[..., 2:] + lens[:, None, 2:]
    clip = np.repeat([0, 1, 2], lengths)
    return LiftingData(
        name="known/test",
        skeleton=get_skeleton("h36m17"),
        keypoints_px=pixels,
        confidence=np.ones((poses, 17)),
        camera_m=camera,
        intrinsics=lens,
        image_size=np.tile([1000.0, 1002.0], (poses, 1)),
        clip=clip,
        action=(clip == 2).astype(int),
        subject=np.zeros(poses),
        clip_names=("a", "b", "c"),
        action_names=("walk", "sit", "never"),
        subject_names=("s",),
        fps=50.0,
    )


class Remembers:
    """Answers the encoded truth plus a constant: a lifter whose error is known."""

    def __init__(self, data: LiftingData, transform: LiftingTransform, error: float = 0.0) -> None:
        self.transform, self.error = transform, error
        self.inputs = torch.from_numpy(transform.encode_inputs(data.keypoints_px, data.confidence, data.image_size))
        self.targets = torch.from_numpy(transform.encode_targets(data.camera_m, data.intrinsics, data.image_size))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        rows = [int((self.inputs - pose).abs().sum(dim=(1, 2)).argmin()) for pose in x]
        y = self.targets[rows].clone()
        if self.transform.residual:
            y[..., :2] -= x[..., :2]
        y[..., 1:, 2] += self.error  # depth of every joint but the root
        return y


@pytest.fixture
def remembering(data):
    def make(target: str, error: float = 0.0, label: str = "remembers") -> LiftingMethod:
        transform = LiftingTransform(target=target)
        return LiftingMethod(label=label, model=Remembers(data, transform, error), transform=transform)

    return make
