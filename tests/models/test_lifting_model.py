"""What lifters share after the network: residual, mirror and flip test, against loops over joints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.models.lifting_model import flip_tested, mirrored, with_residual
from kinegraph.skeleton import get_skeleton

SKELETON = get_skeleton("h36m17")
MIRROR = torch.tensor(SKELETON.mirror)


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    return "left_" + name[6:] if name.startswith("right_") else name


def _in_a_mirror(poses: np.ndarray) -> np.ndarray:
    found = np.empty_like(poses)
    for joint, name in enumerate(SKELETON.joints):
        found[..., joint, :] = poses[..., SKELETON.index(_other_side(name)), :]
        found[..., joint, 0] *= -1
    return found


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("target", [None, 0, 3, 4])
def test_the_residual_is_the_lifted_poses_own_xy(channels: int, target: int | None) -> None:
    output = torch.randn(6, 17, 3)
    inputs = torch.randn(6, 17, channels) if target is None else torch.randn(6, 5, 17, channels)
    found = with_residual(output, inputs, target or 0)
    for row in range(6):
        pose = inputs[row] if target is None else inputs[row, target]
        for joint in range(17):
            x, y, z = output[row, joint]
            assert found[row, joint].tolist() == [float(x + pose[joint, 0]), float(y + pose[joint, 1]), float(z)]


def test_the_residual_of_a_batch_of_sequences_is_frame_by_frame() -> None:
    output, inputs = torch.randn(2, 4, 17, 3), torch.randn(2, 4, 17, 2)
    apart = torch.stack([with_residual(output[:, t], inputs[:, t], 0) for t in range(4)], dim=1)
    assert torch.equal(with_residual(output, inputs, 0), apart)


@pytest.mark.parametrize("shape", [(17, 2), (4, 17, 3), (4, 5, 17, 3)])
def test_a_mirror_negates_x_and_exchanges_sides_by_name(shape: tuple[int, ...]) -> None:
    poses = torch.randn(shape)
    np.testing.assert_array_equal(mirrored(poses, MIRROR).numpy(), _in_a_mirror(poses.numpy()))


@pytest.mark.parametrize("frames", [1, 5])
def test_the_flip_test_is_the_mean_of_both_answers(frames: int) -> None:
    weight = torch.randn(frames * 17 * 2, 17 * 3)

    def answer(x: torch.Tensor) -> torch.Tensor:
        return (x.flatten(1) @ weight).unflatten(1, (17, 3))

    inputs = torch.randn(3, 17, 2) if frames == 1 else torch.randn(3, frames, 17, 2)
    other = _in_a_mirror(answer(torch.from_numpy(_in_a_mirror(inputs.numpy()))).numpy())
    found = flip_tested(answer, inputs, MIRROR)
    np.testing.assert_array_equal(found.numpy(), (answer(inputs).numpy() + other) / 2)
    assert not torch.equal(found, answer(inputs))
