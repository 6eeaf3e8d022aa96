"""Rotations and headings in torch, as graphs that export: what :mod:`kinegraph.transforms.heading` does in NumPy.

Quaternions (..., 4) are xyzw, exponential maps (..., 3) in radians with the sign of the CMU text files: minus the
rotation vector.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.transforms.heading import WIDTH_M, body_root

__all__ = ["Heading", "continuous", "quaternion_of", "rotation_vector"]

_TINY = 1e-9


def quaternion_of(vector: Tensor) -> Tensor:
    """Unit quaternions ``(..., 4)`` xyzw of rotation vectors ``(..., 3)``, radians."""
    half = torch.linalg.vector_norm(vector, dim=-1, keepdim=True) / 2
    near = half < 1e-3  # the series is exact to float32 there, and the division is not
    share = torch.where(near, 0.5 - half.square() / 12, torch.sin(half) / (2 * torch.where(near, 1.0, half)))
    return torch.cat((vector * share, torch.cos(half)), dim=-1)


def rotation_vector(quaternion: Tensor) -> Tensor:
    """Rotation vectors ``(..., 3)``, radians, of unit quaternions ``(..., 4)`` xyzw, of at most half a turn."""
    q = torch.where(quaternion[..., 3:] < 0, -quaternion, quaternion)
    sine = torch.linalg.vector_norm(q[..., :3], dim=-1, keepdim=True)
    near = sine < 1e-6
    scale = torch.where(near, 2.0, 2 * torch.atan2(sine, q[..., 3:]) / torch.where(near, 1.0, sine))
    return q[..., :3] * scale


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """The rotation that applies b, then a: products of quaternions ``(..., 4)`` xyzw."""
    ax, ay, az, aw = a.unbind(-1)
    bx, by, bz, bw = b.unbind(-1)
    parts = (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )
    return torch.stack(parts, dim=-1)


def about_y(turn: Tensor, vector: Tensor) -> Tensor:
    """Vectors ``(..., 3)`` turned by quaternions ``(..., 4)`` about y: (0, s, 0, c) with s = sin(yaw / 2)."""
    s, c = turn[..., 1], turn[..., 3]
    sine, cosine = 2 * s * c, c * c - s * s
    x, y, z = vector.unbind(-1)
    return torch.stack((cosine * x + sine * z, y, cosine * z - sine * x), dim=-1)


def continuous(expmap: Tensor) -> Tensor:
    """The same rotations (batch, frames, joints, 3) without jumps of a turn, at most half a turn in the last frame.

    :func:`kinegraph.transforms.heading.continuous_expmap` for ``anchor=-1``. Going back from the last frame, each
    takes that of its two names which is nearer to the frame after it. What is nearer is worked out for all frames at
    once, for both names of the frame after; only the choice itself goes frame by frame.
    """
    angle = torch.linalg.vector_norm(expmap, dim=-1, keepdim=True)
    turning = angle > _TINY
    unit = expmap / torch.where(turning, angle, 1.0)
    angle = torch.where(turning, angle - 2 * math.pi * torch.floor((angle + math.pi) / (2 * math.pi)), 0.0)
    first = unit * angle
    second = first - torch.sign(angle) * (2 * math.pi) * unit

    def nearer(after: Tensor) -> Tensor:
        to_second = (second[:, :-1] - after[:, 1:]).square().sum(-1)
        return to_second < (first[:, :-1] - after[:, 1:]).square().sum(-1)

    after_first, after_second = nearer(first), nearer(second)
    chosen = [torch.zeros_like(after_first[:, 0])]
    for frame in range(expmap.shape[1] - 2, -1, -1):
        was = chosen[-1]
        chosen.append((was & after_second[:, frame]) | (~was & after_first[:, frame]))
    picked = torch.stack(chosen[::-1], dim=1)
    return torch.where(picked[..., None], second, first)


class Heading(nn.Module):
    """World features relative to place and heading of their last frame, and back.

    Args:
        skeleton: of the features; has a trajectory.
        representation: ``"expmap"`` or ``"positions"``.

    Attributes:
        is_path, is_root: (joints, 1) bool, which joint is the trajectory and which the body's root.
        across: (hops, joints), left minus right joints of the pairs at each number of hops from that root.
        level: (3,), 1 along the ground and 0 up.
    """

    is_path: Tensor
    is_root: Tensor
    across: Tensor
    level: Tensor

    def __init__(self, skeleton: Skeleton, representation: str) -> None:
        super().__init__()
        self.expmap = representation == "expmap"
        self.path, self.root = skeleton.index(TRAJECTORY), body_root(skeleton)
        joints = torch.arange(skeleton.num_joints)[:, None]
        self.register_buffer("is_path", joints == self.path)
        self.register_buffer("is_root", joints == self.root)
        self.register_buffer("level", torch.tensor([1.0, 0.0, 1.0]))
        self.register_buffer("across", _across(skeleton))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Relative features (batch, frames, joints, 3), the place (batch, 3) and the turn (batch, 4) they stand at."""
        place = x[:, -1, self.path] * self.level
        path = x[:, :, self.path] - place[:, None]
        if self.expmap:
            turned = quaternion_of(-x[:, :, self.root])
            turn = _level_turn(turned[:, -1, 1], turned[:, -1, 3])
            back = (turn * turn.new_tensor([1.0, -1.0, 1.0, 1.0]))[:, None]
            root = -rotation_vector(multiply(back.expand_as(turned), turned))
            x = continuous(torch.where(self.is_root, root[:, :, None], x))
            return torch.where(self.is_path, about_y(back, path)[:, :, None], x), place, turn
        turn = self._facing(x[:, -1])
        back = (turn * turn.new_tensor([1.0, -1.0, 1.0, 1.0]))[:, None, None]
        return about_y(back, torch.where(self.is_path, path[:, :, None], x)), place, turn

    def back(self, x: Tensor, place: Tensor, turn: Tensor) -> Tensor:
        """World features of relative ones (batch, frames, joints, 3); the root turned by at most half a turn."""
        turn = turn[:, None]
        if self.expmap:
            turned = quaternion_of(-x[:, :, self.root])
            root = -rotation_vector(multiply(turn.expand_as(turned), turned))
            path = about_y(turn, x[:, :, self.path]) + place[:, None]
            return torch.where(self.is_path, path[:, :, None], torch.where(self.is_root, root[:, :, None], x))
        x = about_y(turn[:, :, None], x)
        return torch.where(self.is_path, x + place[:, None, None], x)

    def _facing(self, frame: Tensor) -> Tensor:
        """Heading of poses (batch, joints, 3): the left side, of the first pairs of joints that span a width."""
        sides = torch.einsum("hj,bjc->bhc", self.across, frame)
        across = sides[:, -1]
        for hop in range(sides.shape[1] - 2, -1, -1):
            wide = torch.linalg.vector_norm(sides[:, hop], dim=-1, keepdim=True) > WIDTH_M
            across = torch.where(wide, sides[:, hop], across)
        yaw = torch.atan2(-across[:, 2], across[:, 0]) / 2
        return _level_turn(torch.sin(yaw), torch.cos(yaw))


def _across(skeleton: Skeleton) -> Tensor:
    """(hops, joints): left minus right joints of the pairs at each number of hops from the body's root."""
    hops = skeleton.hop_distances()[body_root(skeleton)]
    pairs = [(skeleton.index(a), skeleton.index(b)) for a, b in skeleton.pairs]
    levels = sorted({int(hops[a]) for a, _ in pairs}) or [0]
    sums = np.zeros((len(levels), skeleton.num_joints), dtype=np.float32)
    for a, b in pairs:
        sums[levels.index(int(hops[a])), [a, b]] += [1.0, -1.0]
    return torch.from_numpy(sums)


def _level_turn(sine: Tensor, cosine: Tensor) -> Tensor:
    """Quaternions about y; the identity where both are 0."""
    length = torch.sqrt(sine.square() + cosine.square())
    there = length > _TINY
    length = torch.where(there, length, 1.0)
    zero = torch.zeros_like(sine)
    return torch.stack((zero, sine / length, zero, torch.where(there, cosine / length, 1.0)), dim=-1)
