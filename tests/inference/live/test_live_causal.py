"""A real causal network, fed frame by frame, is its own answer for the recording up to that frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from lifting_people import BODY, keypoints, motion

from kinegraph.inference import Lifter, LiftOptions
from kinegraph.inference.live.lifter import LiveLiftOptions
from kinegraph.models import build
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import LoadedWeights

PLAIN = {"rigid": False, "root": "relative", "framing": "image"}


def hcsf(fps: float, **options: object) -> Lifter:
    """A tiny HCSF over 9 moments, its last one lifted, at `fps` moments a second; every parameter has a say."""
    torch.manual_seed(0)
    given = {"in_channels": 3, "channels": 8, "frames": 9, "causal": True, **options}
    model = build("hcsf", BODY, given).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.3 * torch.randn_like(value))
    return Lifter(
        LoadedWeights(
            model=model,
            model_name="hcsf",
            skeleton=BODY,
            transform=LiftingTransform(normalise="box", confidence=True),
            metadata={"fps": fps},
            task="lift",
            folder=Path("tiny"),
        )
    )


# at the network's rate, at twice it, and between: its moments then fall between frames
@pytest.mark.parametrize(("rate", "fps"), [(30.0, 30.0), (15.0, 30.0), (25.0, 30.0)])
@pytest.mark.parametrize("fast", [False, True])
def test_hcsf_live_is_hcsf_on_the_recording(rate: float, fps: float, fast: bool) -> None:
    own = hcsf(rate)
    assert (own.frames, own.target) == (9, 8)
    given = keypoints(motion(36, walk_m=1.0), fps=fps)
    whole = own.lift(given, LiftOptions(fill_s=0.0, smooth_s=0.0, **PLAIN)).positions[0]  # type: ignore[arg-type]
    options = LiveLiftOptions(hold_s=0.0, one_euro=False, **PLAIN)  # type: ignore[arg-type]
    stream = own.stream("h36m17", fps=fps, image_size=(1000, 1000), options=options, fast=fast)
    live = np.stack([stream.push(frame).positions[0] for frame in given.positions[0]])
    assert np.abs(live - whole).max() < 1e-5
    still = np.abs(whole - whole[:1]).max()
    assert still > 1e-2  # and the answer is not the same all the time


def test_joints_lost_within_the_window_and_the_filter_of_live_use() -> None:
    """Against the recording up to each moment: windows that reach back to when more was seen."""
    own = hcsf(30.0)
    sure = np.ones((1, 24, 17))
    sure[:, 8:, [BODY.index("left_wrist"), BODY.index("left_elbow")]] = 0
    sure[:, 15:, BODY.index("pelvis")] = 0
    given = keypoints(motion(24, walk_m=1.0), confidence=sure[0])
    frames = np.concatenate([given.positions[0], sure[0, ..., None]], axis=-1)
    options = LiveLiftOptions(hold_s=0.0, **PLAIN)  # type: ignore[arg-type]
    stream = own.stream("h36m17", fps=30, image_size=(1000, 1000), options=options)
    live = [stream.push(frame).positions[0] for frame in frames]
    recorded = LiftOptions(fill_s=0.0, one_euro=True, **PLAIN)  # type: ignore[arg-type]
    for last in (5, 9, 14, 17, 23):
        upto = own.lift(given.slice_frames(0, last + 1), recorded).positions[0, -1]
        np.testing.assert_allclose(live[last], upto, atol=1e-5)
    assert np.isnan(live[-1][BODY.index("left_wrist")]).all()
