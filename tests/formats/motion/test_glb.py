"""GLB files, parsed back by a reader of their own: chunks, accessors, the rig, the skin and the animation."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.formats import read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

SIZES = {5126: (4, "<f4"), 5125: (4, "<u4"), 5123: (2, "<u2")}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Parsed:
    """What a strict reader makes of a GLB."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        magic, version, size = struct.unpack_from("<4sII", raw)
        assert (magic, version, size) == (b"glTF", 2, len(raw))
        length, kind = struct.unpack_from("<I4s", raw, 12)
        assert kind == b"JSON"
        assert length % 4 == 0
        self.document: dict[str, Any] = json.loads(raw[20 : 20 + length])
        size, kind = struct.unpack_from("<I4s", raw, 20 + length)
        assert kind == b"BIN\0"
        self.data = raw[28 + length :]
        assert len(self.data) == size == self.document["buffers"][0]["byteLength"]

    def array(self, index: int) -> np.ndarray:
        accessor = self.document["accessors"][index]
        view = self.document["bufferViews"][accessor["bufferView"]]
        item, dtype = SIZES[accessor["componentType"]]
        assert view["byteOffset"] % 4 == 0
        width = WIDTHS[accessor["type"]]
        assert view["byteLength"] == accessor["count"] * width * item
        raw = self.data[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        rows = np.frombuffer(raw, dtype=dtype).reshape(accessor["count"], width)
        if "min" in accessor:
            np.testing.assert_allclose(rows.min(axis=0), accessor["min"], rtol=1e-6)
            np.testing.assert_allclose(rows.max(axis=0), accessor["max"], rtol=1e-6)
        return rows

    def matrices(self, frame: int) -> dict[int, np.ndarray]:
        """Global 4x4 matrix of every node at a frame."""
        nodes = [dict(node) for node in self.document["nodes"]]
        for channel in self.document["animations"][0]["channels"]:
            sampler = self.document["animations"][0]["samplers"][channel["sampler"]]
            nodes[channel["target"]["node"]][channel["target"]["path"]] = self.array(sampler["output"])[frame]
        found: dict[int, np.ndarray] = {}

        def walk(index: int, above: np.ndarray) -> None:
            node = nodes[index]
            here = np.eye(4)
            x, y, z, w = np.asarray(node.get("rotation", (0, 0, 0, 1)), dtype=float)
            assert abs(x * x + y * y + z * z + w * w - 1) < 1e-5
            here[:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
            here[:3, 3] = node.get("translation", (0, 0, 0))
            found[index] = above @ here
            for child in node.get("children", ()):
                walk(child, found[index])

        for index in self.document["scenes"][0]["nodes"]:
            walk(index, np.eye(4))
        return found

    def node(self, name: str) -> int:
        return [node["name"] for node in self.document["nodes"]].index(name)


@pytest.fixture(scope="module")
def walk() -> SkeletonSequence:
    clip = SyntheticMotion(subjects=1, takes=1, seconds=0.6).clip(0, "walking", 0)
    return clip.to_skeleton(get_skeleton("h36m17"), minimum=0.4)


def test_joints_stand_where_they_stood(walk: SkeletonSequence, tmp_path: Path) -> None:
    assert walk.up == "z"  # the file is y up
    (path,) = write(walk, tmp_path / "walk.glb")
    parsed = Parsed(path)
    times = parsed.array(parsed.document["animations"][0]["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, np.arange(walk.frames) / walk.fps, atol=1e-6)
    for frame in (0, walk.frames // 2, walk.frames - 1):
        at = parsed.matrices(frame)
        x, y, z = np.moveaxis(walk.positions[0, frame], -1, 0)
        for j, name in enumerate(walk.skeleton.joints):
            here = at[parsed.node(name)][:3, 3]
            # limbs keep one length and their direction: a few millimetres in a body whose limbs keep theirs too
            np.testing.assert_allclose(here, [x[j], z[j], -y[j]], atol=0.012)


def test_the_skin_holds_every_limb_along_its_bone(walk: SkeletonSequence, tmp_path: Path) -> None:
    (path,) = write(walk, tmp_path / "walk.glb")
    parsed = Parsed(path)
    skin = parsed.document["skins"][0]
    inverse = parsed.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    frame = walk.frames // 3
    at = parsed.matrices(frame)
    posed, normals, faces, owner = [], [], [], []
    for primitive in parsed.document["meshes"][0]["primitives"]:
        points = parsed.array(primitive["attributes"]["POSITION"]).astype(float)
        joints = parsed.array(primitive["attributes"]["JOINTS_0"])[:, 0]
        assert (parsed.array(primitive["attributes"]["WEIGHTS_0"]).sum(axis=1) == 1).all()
        np.testing.assert_allclose(
            np.linalg.norm(parsed.array(primitive["attributes"]["NORMAL"]), axis=1), 1, atol=1e-5
        )
        assert joints.max() < len(skin["joints"])
        index = parsed.array(primitive["indices"])[:, 0].astype(int)
        assert index.max() < len(points)
        faces.append(index.reshape(-1, 3) + sum(map(len, posed)))
        move = np.stack([at[skin["joints"][j]] @ inverse[j] for j in range(len(inverse))])[joints]
        posed.append(np.einsum("nab,nb->na", move, np.c_[points, np.ones(len(points))])[:, :3])
        normals.append(np.einsum("nab,nb->na", move[:, :3, :3], parsed.array(primitive["attributes"]["NORMAL"])))
        owner.append(np.full(len(points), primitive["material"]))
    surface, outward, triangles, material = map(np.concatenate, (posed, normals, faces, owner))
    # Every bone's middle lies inside the surface: its nearest point is no further than a body is thick.
    for parent, child in walk.skeleton.bones:
        a = at[parsed.node(walk.skeleton.joints[parent])][:3, 3]
        b = at[parsed.node(walk.skeleton.joints[child])][:3, 3]
        assert np.linalg.norm(surface - (a + b) / 2, axis=1).min() < 0.16
    # Faces turn their front outward.
    a, b, c = surface[triangles].transpose(1, 0, 2)
    facing = np.einsum("nd,nd->n", np.cross(b - a, c - a), outward[triangles].sum(axis=1))
    assert (facing > 0).all()
    assert set(material) == {0, 1, 2}
    assert len(surface) < 5000


def test_people_and_bare_nodes(walk: SkeletonSequence, tmp_path: Path) -> None:
    pair = SkeletonSequence(
        np.concatenate([walk.positions, walk.positions + np.array([1.0, 0, 0])]), walk.skeleton, walk.fps, up="z"
    )
    (path,) = write(pair, tmp_path / "two.glb", limbs=False)
    document = Parsed(path).document
    assert not {"meshes", "skins", "materials"} & set(document)
    assert len(document["scenes"][0]["nodes"]) == 2
    names = [node["name"] for node in document["nodes"]]
    assert "pelvis.1" in names
    assert "pelvis.2" in names
    assert len(Parsed(write(pair, path)[0]).document["skins"]) == 2


@pytest.mark.parametrize("limbs", [True, False])
def test_who_is_away_is_hidden(walk: SkeletonSequence, tmp_path: Path, limbs: bool) -> None:
    points = np.concatenate([np.tile(walk.positions[:, :1], (1, 200, 1, 1))] * 3)
    points[1, :40] = np.nan  # shorter than a second at the rate of `walk`
    points[1, 60:150] = np.nan
    points[2] = np.nan
    three = walk.replace(
        **dict.fromkeys(("confidence", "rotations", "offsets", "uncertainty", "contact")), positions=points
    )
    parsed = Parsed(write(three, tmp_path / "three.glb", limbs=limbs)[0])
    assert {node["name"][-2:] for node in parsed.document["nodes"]} == {".1", ".2"}
    animation = parsed.document["animations"][0]
    scaled = [channel for channel in animation["channels"] if channel["target"]["path"] == "scale"]
    assert [channel["target"]["node"] for channel in scaled] == [parsed.node("pelvis.2")]
    sampler = animation["samplers"][scaled[0]["sampler"]]
    assert sampler["interpolation"] == "STEP"
    shown = np.ones((200, 3))
    shown[60:150] = 0
    np.testing.assert_array_equal(parsed.array(sampler["output"]), shown)
    assert len(parsed.array(sampler["input"])) == 200


def test_refusals(walk: SkeletonSequence, tmp_path: Path) -> None:
    flat = SkeletonSequence(np.ones((1, 2, 17, 2)), walk.skeleton, unit="px", space="image", fps=30)
    with pytest.raises(KinegraphError, match="is 2D and glb holds 3D; lift it first"):
        write(flat, tmp_path / "a.glb")
    with pytest.raises(DataError, match="needs a frame rate"):
        write(walk.replace(fps=None), tmp_path / "a.glb")
    with pytest.raises(DataError, match="nobody"):
        write(walk.replace(confidence=np.zeros(walk.confidence.shape)), tmp_path / "a.glb")
    assert not list(tmp_path.iterdir())
    (tmp_path / "a.glb").write_bytes(b"glTF")
    with pytest.raises(FormatError, match="only written; expected one of bvh"):
        read(tmp_path / "a.glb")


def test_convert_writes_it(walk: SkeletonSequence, tmp_path: Path) -> None:
    write(walk, tmp_path / "walk.npz")
    assert main(["convert", str(tmp_path / "walk.npz"), str(tmp_path / "walk.glb")]) == 0
    assert Parsed(tmp_path / "walk.glb").document["asset"]["version"] == "2.0"
