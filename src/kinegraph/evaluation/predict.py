"""Run a lifter over a split: encode, (mirror,) predict, decode to camera-space metres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.window_pace import frames_apart, paced_windows, training_rate
from kinegraph.errors import SkeletonError
from kinegraph.evaluation.methods import named_weights
from kinegraph.evaluation.provenance import names_seen, weights_info
from kinegraph.models.lifting_model import flip_tested, with_residual
from kinegraph.shipped import find_folder
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.lifting import LiftingTransform

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LiftingMethod:
    """Something that lifts, and what is known about it.

    Attributes:
        label: its name in tables.
        model: ``(B, J, C) -> (B, J, 3)``, or ``(B, F, J, C) -> (B, J, 3)``.
        transform: what the model sees and answers.
        skeleton: its joints; None takes any.
        frames: length of the window; 1 for a single frame.
        step: distance between neighbouring window frames, in frames of the data.
        rate: moments a second in the windows of training, at which windows of other data are cut; None keeps `step`.
        target: which frame of the window is lifted; the centre if None.
        info: seed, checkpoint choice, parameters, ...: printed and saved with every number.
        seen: names of one's own recordings that it was trained and chosen on, as
            :func:`kinegraph.datasets.seen_clips.marks_of` keeps them; empty where they are not known.
        trained: of these, the ones it was trained on.
        input: the 2D that it was trained on (`data.input` of its recipe); None where that is not known.
        noise: whether training added noise to it.
    """

    label: str
    model: Callable[[Tensor], Tensor]
    transform: LiftingTransform
    skeleton: Skeleton | None = None
    frames: int = 1
    step: int = 1
    rate: float | None = None
    target: int | None = None
    info: dict[str, Any] = field(default_factory=dict)
    seen: str = ""
    trained: str = ""
    input: str | None = None
    noise: bool = False


BASELINES = ("flat",)
"""Methods that need no training. ``flat``: every joint at the root's depth, on the ray of its keypoint (pixel)."""


def load_lifting_method(name: str | Path, label: str | None = None) -> LiftingMethod:
    """A method from weights by name, or a baseline; see :func:`kinegraph.evaluation.methods.named_weights`."""
    if str(name) == "flat" and find_folder(name) is None:
        # Output 0 is "no correction to xy, no depth": the residual adds the input.
        transform = LiftingTransform(target="pixel")
        return LiftingMethod(
            label=label or "flat", model=lambda x: x.new_zeros((*x.shape[:-1], 3)), transform=transform
        )
    weights, label = named_weights(name, "lifting", label, BASELINES)
    assert isinstance(weights.transform, LiftingTransform)  # of the task
    recipe = weights.metadata.get("recipe") or {}
    return LiftingMethod(
        label=label,
        model=weights.model,
        transform=weights.transform,
        skeleton=weights.skeleton,
        frames=int(getattr(weights.model, "frames", 1)),
        step=int((recipe.get("data") or {}).get("step", 1)),
        rate=training_rate(weights.metadata),
        target=getattr(weights.model, "target", None),
        info=weights_info(weights),
        input=(recipe.get("data") or {}).get("input"),
        noise=bool((recipe.get("augment") or {}).get("noise")),
        **names_seen(weights),
    )


def pace_in(method: LiftingMethod, data: LiftingData) -> float:
    """Frames of the data between two moments of a temporal lifter's window: as far apart in time as in training."""
    return frames_apart(data.fps, method.rate) if method.rate else float(method.step)


@torch.no_grad()
def predict(
    method: LiftingMethod, data: LiftingData, *, flip_test: bool = True, batch: int = 2048, device: str = "cpu"
) -> Array:
    """Lift every pose.

    Args:
        method: the lifter.
        data: keypoints, and for the pixel-space target the *true* intrinsics and root depths it is granted.
        flip_test: average with the prediction from the mirrored input, as the papers do.
        batch: poses at once.
        device: where the model runs.

    Returns:
        (N, J, 3) metres: absolute camera space for ``pixel``, relative to the root for ``metric``.

    Raises:
        SkeletonError: the model has other joints than the data.
    """
    if method.skeleton is not None and method.skeleton.joints != data.skeleton.joints:
        raise SkeletonError(
            f"{method.label} lifts the joints of '{method.skeleton.name}', {data.name} has those of "
            f"'{data.skeleton.name}'; prepare the data on the model's layout"
        )
    transform = method.transform
    inputs = transform.encode_inputs(data.keypoints_px, data.confidence, data.image_size)
    windows = None
    if method.frames > 1:
        windows = paced_windows(data.clip, method.frames, pace_in(method, data), method.target)
    mirror = torch.tensor(data.skeleton.mirror, device=device)
    if isinstance(method.model, nn.Module):
        method.model.eval().to(device)

    def answer(x: Tensor) -> Tensor:
        output = method.model(x)
        if not transform.residual:
            return output
        return with_residual(output, x, method.frames // 2 if method.target is None else method.target)

    outputs = []
    for start in range(0, len(data), batch):
        part = slice(start, start + batch)
        x = inputs[part] if windows is None else windows.of(inputs, part)
        poses = torch.from_numpy(x).to(device)
        y = flip_tested(answer, poses, mirror) if flip_test else answer(poses)
        outputs.append(y.to("cpu", torch.float64).numpy())
    truth = data.camera_m.astype(np.float64)
    return np.asarray(
        transform.decode(
            np.concatenate(outputs),
            intrinsics=data.intrinsics,
            image_size=data.image_size,
            root_depth_m=truth[:, transform.root, 2],
        )
    )
