"""A small body with rotations that the tests move, and tiny networks on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kinegraph.formats.motion.expmap_text import rest_offsets
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import expmap_to_quaternion, quaternion_multiply
from kinegraph.inference.motion_window import MotionNetwork
from kinegraph.models import build
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.motion import MotionTransform

LAYOUT = get_skeleton("cmu38")
TURNING = tuple(joint for index, joint in enumerate(LAYOUT.joints) if index in LAYOUT.parents)


def walker(
    seconds: float = 2.0, fps: float = 60.0, *, seed: int = 0, yaw: float = 0.3, speed: float = 1.2, people: int = 1
) -> SkeletonSequence:
    """Somebody on the cmu38 rig who goes on over the ground and swings every joint smoothly; rotations kept."""
    bodies = [_walker(seconds, fps, seed + person, yaw, speed) for person in range(people)]
    return SkeletonSequence(
        positions=np.stack([positions for positions, _ in bodies]),
        skeleton=LAYOUT,
        fps=fps,
        up="y",
        rotations=np.stack([rotations for _, rotations in bodies]),
        offsets=rest_offsets("cmu38"),
        source="walker",
    )


def _walker(seconds: float, fps: float, seed: int, yaw: float, speed: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * fps) + 1) / fps
    swing = rng.normal(scale=0.3, size=(LAYOUT.num_joints, 3))
    phase = rng.uniform(0, 6, size=(LAYOUT.num_joints, 3))
    maps = swing * np.sin(2 * np.pi * times[:, None, None] + phase)
    still = [i for i in range(LAYOUT.num_joints) if LAYOUT.joints[i] not in TURNING]
    maps[:, still] = 0
    maps[:, 0] *= 0.2
    rotations = expmap_to_quaternion(maps)
    facing = expmap_to_quaternion(np.array([0.0, yaw, 0.0]))
    rotations[:, 0] = quaternion_multiply(facing, rotations[:, 0])
    translations = np.tile(rest_offsets("cmu38"), (len(times), 1, 1))
    path = np.stack([np.sin(yaw) * times, np.zeros_like(times), np.cos(yaw) * times], axis=1) * speed
    translations[:, 0] = path + np.array([seed * 1.0, 0.95, 0.0])
    return forward_kinematics(LAYOUT.parents, rotations, translations)[0], rotations


def turned(sequence: SkeletonSequence, yaw: float, shift: np.ndarray) -> SkeletonSequence:
    """The recording made elsewhere: turned about y, then moved."""
    turn = expmap_to_quaternion(np.array([0.0, yaw, 0.0]))
    c, s = np.cos(yaw), np.sin(yaw)
    matrix = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    rotations = None
    if sequence.rotations is not None:
        rotations = sequence.rotations.copy()
        rotations[:, :, sequence.skeleton.root] = quaternion_multiply(turn, rotations[:, :, sequence.skeleton.root])
    return sequence.replace(positions=sequence.positions @ matrix.T + shift, rotations=rotations)


def body(representation: str = "expmap", *, trajectory: bool = True) -> Skeleton:
    """A network skeleton of a dozen joints."""
    names = ["pelvis", "spine", "thorax", "neck", "head"]
    names += [
        f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow")
    ]
    return contract(LAYOUT, names, trajectory=trajectory)


def network(
    *,
    model: str = "symgnn",
    representation: str = "expmap",
    root: str = "heading",
    fps: float = 30.0,
    observed: int = 12,
    horizon: int = 6,
    actions: tuple[str, ...] = (),
    skeleton: Skeleton | None = None,
    seed: int = 0,
) -> MotionNetwork:
    """An untrained network with a transform fit for it."""
    torch.manual_seed(seed)
    joints = skeleton or body(representation, trajectory=root == "heading")
    options: dict[str, object] = {"observed": observed, "horizon": horizon}
    if model == "symgnn":
        options |= {"classes": len(actions), "width": 0.05, "agim_width": 8, "iterations": 1, "differences": (0,)}
        options |= {"parts": False}
    built = build(model, joints, options).eval()
    scale = np.full((joints.num_joints, 3), 0.5)
    transform = MotionTransform(
        representation=representation,  # type: ignore[arg-type]
        root=root,  # type: ignore[arg-type]
        fps=fps,
        observed=observed,
        horizon=horizon,
        mean=tuple((0.01, -0.02, 0.03) for _ in range(joints.num_joints)),
        scale=tuple(tuple(row) for row in scale.tolist()),
        actions=actions,
    )
    return MotionNetwork(built, model, joints, transform, {}, Path("untrained"))  # type: ignore[arg-type]


def with_a_stretching_shin() -> SkeletonSequence:
    """Somebody who walks, as positions alone, whose left shin is up to 5 cm longer or shorter than it was."""
    body = walker()
    positions = body.positions.copy()
    below = [body.skeleton.index(joint) for joint in ("left_ankle", "left_toe_base", "left_toe")]
    positions[:, :, below, 1] += 0.05 * np.sin(2 * np.pi * np.arange(body.frames) / 60)[:, None]
    return body.replace(positions=positions, rotations=None, offsets=None)


def bone_lengths(sequence: SkeletonSequence) -> np.ndarray:
    """(people, frames, bones) metres."""
    parents, children = np.array(sequence.skeleton.bones).T
    bones = sequence.positions[:, :, children] - sequence.positions[:, :, parents]
    return np.asarray(np.linalg.norm(bones, axis=-1))
