"""GLB, the binary form of glTF 2.0: a rig, a body of simple limbs on it, and the motion as an animation.

Blender, three.js, Unity, Godot and every phone's viewer open it. Each person is a skin (Blender: an armature) whose
joints carry one tapered capsule a bone; left, right and centre have a material each. Rotations are those that BVH is
written with (`kinegraph.formats.motion.bvh_write`): the sequence's own, or made from its positions. Gaps are bridged in
time; who is away for more than a second is hidden, and who is never seen is left out.

Source: Khronos Group, glTF 2.0 specification, 4.4 (GLB), 3.7 (skins), 3.11 (animations), 3.5.3 (scale 0 hides a node).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import atomic_path
from kinegraph.formats.export import absences, check_metric, present
from kinegraph.formats.motion.bvh_write import Body, posed_body
from kinegraph.geometry.kinematics import topological_order
from kinegraph.geometry.limbs import anatomy, bone_radii, limb_mesh
from kinegraph.geometry.rotations import make_continuous
from kinegraph.sequence import SkeletonSequence

__all__ = ["write"]


_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_FLOAT, _UINT, _USHORT = 5126, 5125, 5123
_VERTICES, _INDICES = 34962, 34963
_KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
_CODES: dict[int, Any] = {_FLOAT: np.dtype("<f4"), _UINT: np.dtype("<u4"), _USHORT: np.dtype("<u2")}
# left blue, right orange, the centre grey, as in the pictures; linear light
_COLOURS = {"left": (0.034, 0.188, 0.686), "right": (0.730, 0.122, 0.008), "centre": (0.194, 0.223, 0.270)}

Array = NDArray[np.float64]


class _Buffer:
    """The binary chunk, its views and its accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: NDArray[Any], code: int = _FLOAT, *, target: int | None = None, bounds: bool = False) -> int:
        """Store rows of numbers; returns the accessor's index."""
        rows = np.ascontiguousarray(values, dtype=_CODES[code])
        rows = rows.reshape(len(rows), -1)
        self.data += b"\0" * (-len(self.data) % 4)
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": rows.nbytes}
        if target is not None:
            view["target"] = target
        self.data += rows.tobytes()
        self.views.append(view)
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": code,
            "count": len(rows),
            "type": _KINDS[rows.shape[1]],
        }
        if bounds:
            accessor |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write(sequence: SkeletonSequence, path: Path | str, *, limbs: bool = True) -> tuple[Path, ...]:
    """Write a sequence as GLB, all people in one file, metres, y up.

    Args:
        sequence: 3D, in metres. Camera space and z-up worlds are turned to y up.
        path: the file.
        limbs: also a body of simple limbs; without, bare nodes.

    Returns:
        The file written.

    Raises:
        DataError: the sequence is 2D, not in metres, has no frame rate, or a person's root is never seen.
        KinegraphError: the file cannot be written; nothing is left behind.
    """
    check_metric(sequence, "GLB", "m")
    rate = sequence.fps or 0.0
    people = present(sequence, "GLB")
    buffer = _Buffer()
    times = buffer.add(np.arange(sequence.frames) / rate, bounds=True)
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "kinegraph"},
        "scene": 0,
        "scenes": [{"nodes": []}],
        "nodes": [],
        "animations": [
            {"name": Path(sequence.origin or sequence.source).stem or "motion", "channels": [], "samplers": []}
        ],
    }
    if limbs:
        document |= {"materials": [_material(name, colour) for name, colour in _COLOURS.items()]}
        document |= {"meshes": [], "skins": []}
    for person in people:
        body = posed_body(sequence, person, True, False)
        _add_person(document, buffer, sequence, body, person, times, limbs)
    document |= {
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data) + -len(buffer.data) % 4}],
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(_packed(document, bytes(buffer.data)))
    return (Path(path),)


def _packed(document: dict[str, Any], data: bytes) -> bytes:
    """The two chunks, each padded to four bytes: the JSON with spaces, the binary with zeros."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    size = 12 + 8 + len(text) + 8 + len(data)
    head = struct.pack("<III", _MAGIC, _VERSION, size) + struct.pack("<II", len(text), _JSON)
    return head + text + struct.pack("<II", len(data), _BIN) + data


def _material(name: str, colour: tuple[float, float, float]) -> dict[str, Any]:
    return {
        "name": name,
        "pbrMetallicRoughness": {"baseColorFactor": [*colour, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.55},
    }


def _add_person(
    document: dict[str, Any],
    buffer: _Buffer,
    sequence: SkeletonSequence,
    body: Body,
    person: int,
    times: int,
    limbs: bool,
) -> None:
    nodes, animation = document["nodes"], document["animations"][0]
    first = len(nodes)
    suffix = f".{person + 1}" if sequence.people > 1 else ""
    root = body.parents.index(-1)
    for joint, name in enumerate(body.joints):
        offset = body.root[0] if joint == root else body.offsets[joint]
        node: dict[str, Any] = {"name": name + suffix, "translation": offset.tolist()}
        node["rotation"] = _unit(body.rotations[:1, joint])[0].tolist()
        children = [first + child for child, parent in enumerate(body.parents) if parent == joint]
        if children:
            node["children"] = children
        nodes.append(node)
    document["scenes"][0]["nodes"].append(first + root)

    def animate(joint: int, path: str, values: Array, interpolation: str = "LINEAR") -> None:
        animation["samplers"].append({"input": times, "output": buffer.add(values), "interpolation": interpolation})
        animation["channels"].append(
            {"sampler": len(animation["samplers"]) - 1, "target": {"node": first + joint, "path": path}}
        )

    animate(root, "translation", body.root)
    hidden = absences(sequence, person)
    if hidden:
        scale = np.ones((len(body.root), 3))
        for begin, end in hidden:
            scale[begin : end + 1] = 0.0
        animate(root, "scale", scale, "STEP")
    for joint in range(len(body.joints)):
        if joint in body.parents:  # a leaf carries no limb and moves nothing
            animate(joint, "rotation", _unit(make_continuous(body.rotations[:, joint])))
    if not limbs:
        return
    rest = _rest_positions(body)
    primitives = _primitives(buffer, sequence, body, rest)
    if not primitives:
        return
    inverse = np.tile(np.eye(4), (len(rest), 1, 1))
    inverse[:, 3, :3] = -rest  # column-major: the translation is the last row as stored
    document["skins"].append(
        {
            "name": f"person{suffix}",
            "skeleton": first + root,
            "joints": [first + joint for joint in range(len(rest))],
            "inverseBindMatrices": buffer.add(inverse.reshape(len(rest), 16)),
        }
    )
    document["meshes"].append({"name": f"limbs{suffix}", "primitives": primitives})
    nodes.append(
        {"name": f"body{suffix}", "mesh": len(document["meshes"]) - 1, "skin": len(document["skins"]) - 1},
    )
    document["scenes"][0]["nodes"].append(len(nodes) - 1)


def _unit(quaternions: Array) -> Array:
    """Of length 1 to the last bit of a float32, as the specification asks."""
    result: Array = quaternions / np.linalg.norm(quaternions, axis=-1, keepdims=True)
    return result


def _rest_positions(body: Body) -> Array:
    """Joints (joints, 3) of the rig at rest, the root at the origin."""
    rest = np.zeros((len(body.joints), 3))
    for joint in topological_order(body.parents):
        if body.parents[joint] >= 0:
            rest[joint] = rest[body.parents[joint]] + body.offsets[joint]
    return rest


def _primitives(buffer: _Buffer, sequence: SkeletonSequence, body: Body, rest: Array) -> list[dict[str, Any]]:
    """One primitive a material: every bone's capsule, bound to the joint that turns it."""
    skeleton = sequence.skeleton
    named = dict(zip(skeleton.joints, anatomy(skeleton), strict=True))
    sides = {name: "left" for name, _ in skeleton.pairs} | {name: "right" for _, name in skeleton.pairs}
    stature = float(np.ptp(rest[:, 1]))
    parts: dict[str, list[tuple[Array, Array, NDArray[np.int64], int]]] = {name: [] for name in _COLOURS}
    for joint, name in enumerate(body.joints):
        parent, length = body.parents[joint], float(np.linalg.norm(body.offsets[joint]))
        if parent < 0 or length < 1e-4 or name not in named:
            continue
        near, far = bone_radii(named[name], stature, length)
        parts[sides.get(name, "centre")].append((*limb_mesh(rest[parent], rest[joint], near, far), parent))
    primitives = []
    for material, (_, limbs) in enumerate(parts.items()):
        if not limbs:
            continue
        counts = [len(points) for points, *_ in limbs]
        firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        joints = np.zeros((sum(counts), 4))
        joints[:, 0] = np.repeat([joint for *_, joint in limbs], counts)
        weights = np.zeros_like(joints)
        weights[:, 0] = 1.0
        faces = np.concatenate([faces + first for (_, _, faces, _), first in zip(limbs, firsts, strict=True)])
        attributes = {
            "POSITION": buffer.add(np.concatenate([p for p, *_ in limbs]), target=_VERTICES, bounds=True),
            "NORMAL": buffer.add(np.concatenate([n for _, n, *_ in limbs]), target=_VERTICES),
            "JOINTS_0": buffer.add(joints, _USHORT, target=_VERTICES),
            "WEIGHTS_0": buffer.add(weights, target=_VERTICES),
        }
        indices = buffer.add(faces.reshape(-1, 1), _UINT, target=_INDICES)
        primitives.append({"attributes": attributes, "indices": indices, "material": material})
    return primitives
