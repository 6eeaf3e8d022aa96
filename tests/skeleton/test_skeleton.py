"""Skeletons: derived quantities against published constants and an independent breadth-first search."""

from __future__ import annotations

import copy
import json
import pickle
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph import Skeleton, get_skeleton, skeleton_names
from kinegraph.errors import SkeletonError
from kinegraph.skeleton import PARTS

JOINTS = {
    "h36m17": 17,
    "h36m17_tree": 17,
    "h36m32": 32,
    "coco17": 17,
    "openpose18": 18,
    "body25": 25,
    "halpe26": 26,
    "mediapipe33": 33,
    "ntu25": 25,
    "kinect20": 20,
    "cmu31": 31,
    "cmu38": 38,
    "hdm05_31": 31,
    "smpl22": 22,
    "smpl24": 24,
}


def test_all_layouts_are_there() -> None:
    assert {n: get_skeleton(n).num_joints for n in skeleton_names()} == JOINTS


def test_hcsf_graph_has_the_papers_pair_counts() -> None:
    assert get_skeleton("h36m17").hop_counts() == (17, 40, 54, 64, 62, 36, 16)


def test_diameters() -> None:
    assert len(get_skeleton("h36m17_tree").hop_counts()) - 1 == 8
    assert get_skeleton("h36m17_tree").hop_mask(1, within=True).sum() == 49
    assert len(get_skeleton("ntu25").hop_counts()) - 1 == 12


def test_ntu_bones_are_the_published_list() -> None:
    printed = (
        "(1,2)(2,21)(3,21)(4,3)(5,21)(6,5)(7,6)(8,7)(9,21)(10,9)(11,10)(12,11)(13,1)(14,13)(15,14)(16,15)(17,1)"
        "(18,17)(19,18)(20,19)(22,23)(23,8)(24,25)(25,12)"
    )
    expected = {tuple(int(x) - 1 for x in pair.split(",")) for pair in printed.strip("()").split(")(")}
    assert {(child, parent) for parent, child in get_skeleton("ntu25").bones} == expected
    assert get_skeleton("ntu25").root == 20


def test_cmu38_parents_are_the_protocols() -> None:
    printed = "-1 0 1 2 3 4 5 0 7 8 9 10 11 0 13 14 15 16 17 18 15 20 21 22 23 24 25 23 27 15 29 30 31 32 33 34 32 36"
    assert get_skeleton("cmu38").parents == tuple(int(x) for x in printed.split())


def test_openpose18_order() -> None:
    printed = (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
    )
    assert get_skeleton("openpose18").joints == tuple(printed.split())


def test_h36m32_keeps_the_17_joints_in_order() -> None:
    dropped = {4, 5, 9, 10, 11, 16, *range(20, 25), *range(28, 32)}
    kept = [j for i, j in enumerate(get_skeleton("h36m32").joints) if i not in dropped]
    assert tuple(kept) == get_skeleton("h36m17").joints


@pytest.mark.parametrize("name", sorted(JOINTS))
def test_layout_is_consistent(name: str) -> None:
    skeleton = get_skeleton(name)
    mirror = np.array(skeleton.mirror)
    assert (mirror[mirror] == np.arange(skeleton.num_joints)).all()
    assert len(skeleton.pairs) >= 6
    # The mirror image of the graph is the graph, and left and right parts mirror each other.
    adjacency = skeleton.adjacency()
    assert (adjacency[np.ix_(mirror, mirror)] == adjacency).all()
    assert set(skeleton.parts) == set(PARTS)
    assert {j for members in skeleton.parts.values() for j in members} == set(skeleton.joints)
    for part in PARTS:
        if part.startswith("left_"):
            reflected = {skeleton.joints[mirror[skeleton.index(j)]] for j in skeleton.parts[part]}
            assert reflected == set(skeleton.parts["right_" + part[5:]])
    assert pickle.loads(pickle.dumps(skeleton)) == copy.deepcopy(skeleton) == skeleton
    assert skeleton.title
    assert skeleton.source
    order = skeleton.topological_order()
    place = {joint: i for i, joint in enumerate(order)}
    assert all(place[p] < place[c] for p, c in skeleton.bones)


def _distances(skeleton: Skeleton) -> np.ndarray:
    """Breadth-first search from every joint, the slow and obvious way."""
    neighbours: dict[int, set[int]] = {i: set() for i in range(skeleton.num_joints)}
    for a, b in skeleton.edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    result = np.full((skeleton.num_joints,) * 2, -1)
    for start in range(skeleton.num_joints):
        queue = deque([(start, 0)])
        while queue:
            node, hop = queue.popleft()
            if result[start, node] == -1:
                result[start, node] = hop
                queue.extend((n, hop + 1) for n in neighbours[node])
    return result


@given(st.data())
def test_derived_matrices_on_random_trees(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 12))
    parents = [-1] + [data.draw(st.integers(0, i - 1)) for i in range(1, n)]
    skeleton = Skeleton("random", tuple(f"j{i}" for i in range(n)), tuple(parents))
    distances = _distances(skeleton)
    assert (skeleton.hop_distances() == distances).all()
    for hop in range(4):
        assert (skeleton.hop_mask(hop) == (distances == hop)).all()
        assert (skeleton.hop_mask(hop, within=True) == (distances <= hop)).all()
    with_self = skeleton.adjacency(self_loops=True)
    row = skeleton.normalised_adjacency("row")
    np.testing.assert_allclose(row.sum(axis=1), 1.0)
    symmetric = skeleton.normalised_adjacency("symmetric")
    degree = with_self.sum(axis=1)
    np.testing.assert_allclose(symmetric, with_self / np.sqrt(np.outer(degree, degree)))
    powers = skeleton.polynomials(3)
    np.testing.assert_allclose(powers[2], row @ row @ row)
    bones = skeleton.bones
    line = skeleton.line_graph()
    for i, a in enumerate(bones):
        for j, b in enumerate(bones):
            assert line[i, j] == (i != j and len({*a, *b}) == 3)
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_own_skeleton_from_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dog{suffix}"
    if suffix == ".json":
        path.write_text('{"joints": {"hip": "", "left_paw": "hip", "right_paw": "hip"}}')
    else:
        path.write_text('[joints]\nhip = ""\nleft_paw = "hip"\nright_paw = "hip"\n')
    dog = get_skeleton(path)
    assert dog.name == "dog"
    assert dog.parents == (-1, 0, 0)
    assert dog.mirror == (0, 2, 1)
    dog.save(tmp_path / "again.json")
    with pytest.raises(SkeletonError, match=r"ends in \.json"):
        dog.save(tmp_path / "again.toml")  # it would not be read as one
    assert Skeleton.load(tmp_path / "again.json") == dog


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"joints": {"a": "", "b": "c"}}, "parent 'c' of 'b' is not a joint"),
        ({"joints": {"a": "b", "b": "a"}}, "never ends"),
        ({"joints": {"a": "", "b": ""}}, "unconnected"),
        ({"joints": {}}, "must map"),
        ({"joint": {"a": ""}}, "unknown key 'joint'; did you mean 'joints'"),
        ({"joints": {"a": ""}, "parts": {"hed": ["a"]}}, "unknown part 'hed'; did you mean 'head'"),
        ({"joints": {"a": ""}, "pairs": [["a", "b"]]}, "has no joint 'b'"),
        ({"joints": {"a": "", "b": "a", "c": "a"}, "pairs": [["a", "b"], ["b", "c"]]}, "two left/right pairs"),
        ({"joints": {"a": ""}, "landmarks": {"pelvis": {"a": 0.5}}}, "sum to 0.5"),
        ({"joints": {"a": ""}, "landmarks": {"p": {"a": float("nan")}}}, "landmark 'p' weighs 'a' with nan"),
        ({"joints": {"a": "", "b": "a"}, "landmarks": {"p": {"a": 1.0, "b": float("inf")}}}, "weighs 'b' with inf"),
        ({"joints": {"": "", "b": ""}}, "joint 0 has an empty name"),
        ({"joints": {"a": ""}, "pairs": [["a"]]}, "malformed"),
    ],
)
def test_malformed_skeletons_are_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(SkeletonError, match=message):
        Skeleton.from_dict(data)


def test_a_joint_that_a_file_names_twice_is_refused(tmp_path: Path) -> None:
    twice = '{"joints": {"a": "", "b": "a", "c": "b", "b": "c"}}'
    path = tmp_path / "own.json"
    path.write_text(twice)
    with pytest.raises(SkeletonError, match=r"own\.json.*'b' stands twice in one table; keep one"):
        Skeleton.load(path)
    path = path.with_suffix(".toml")
    path.write_text('[joints]\na = ""\nb = "a"\nc = "b"\nb = "c"\n')
    with pytest.raises(SkeletonError, match=r"own\.toml: cannot be read"):
        Skeleton.load(path)


def test_a_joint_without_a_name_is_refused_at_once() -> None:
    with pytest.raises(SkeletonError, match="joint 0 has an empty name; name it"):
        Skeleton("x", ("", "b"), (-1, 0))  # as a parent "" means none: no file and no copy could hold it


def test_a_name_from_a_file_that_is_no_utf8_is_spelt_out() -> None:
    skeleton = Skeleton("d\udce4nce", ("a",), (-1,), title="from d\udce4nce.bvh")
    assert (skeleton.name, skeleton.title) == (r"d\udce4nce", r"from d\udce4nce.bvh")


def test_what_a_rigs_joints_stand_for() -> None:
    landmarks = {"left_hip": {"LThigh": 1.0}, "pelvis": {"LThigh": 0.5, "RThigh": 0.5}, "nose": {}}
    rig = Skeleton("rig", ("LThigh", "RThigh"), (-1, 0), landmarks=landmarks)
    assert rig.meanings == {"LThigh": "left_hip"}


def test_one_joint_may_stand_alone_where_several_may_be_listed(tmp_path: Path) -> None:
    """As people write it in TOML; letter by letter it would name joints that nobody has, or "a" and "b"."""
    (tmp_path / "x.toml").write_text(
        'joints = { ab = "", a = "ab", b = "ab" }\nparts = { head = "ab" }\nlandmarks = { pelvis = "ab" }\n'
    )
    found = get_skeleton(tmp_path / "x.toml")
    assert dict(found.landmarks["pelvis"]) == {"ab": 1.0}
    assert found.parts["head"] == ("ab",)


def test_unknown_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SkeletonError, match="did you mean 'h36m17'"):
        get_skeleton("h36m-17")
    with pytest.raises(SkeletonError, match="did you mean 'left_knee'"):
        get_skeleton("coco17").index("left_kne")
    broken = tmp_path / "x.toml"
    broken.write_text("joints = [")
    with pytest.raises(SkeletonError, match="cannot be read"):
        get_skeleton(broken)
    with pytest.raises(SkeletonError, match="cannot be read"):
        get_skeleton(tmp_path / "absent.json")
