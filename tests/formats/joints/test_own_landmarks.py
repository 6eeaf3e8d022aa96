"""A file with [landmarks] says what the joints of a recording stand for, in every format that names them itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kinegraph as kg
from kinegraph.errors import FormatError, KinegraphError, SkeletonError
from kinegraph.formats.joints.own_landmarks import with_landmarks
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton

H36M = get_skeleton("h36m17")
STRANGE = [f"bone{chr(97 + i)}" for i in range(17)]  # names that say nothing
TOLD = "[landmarks]\n" + "".join(
    f'{joint} = ["{own}"]\n' for joint, own in zip(H36M.joints, STRANGE, strict=True) if joint != "pelvis"
)


@pytest.fixture
def told(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(TOLD + "pelvis = { bonea = 0.5, boneh = 0.5 }\n")
    return file


def recording() -> SkeletonSequence:
    layout = Skeleton(name="strange", joints=tuple(STRANGE), parents=H36M.parents)
    points = np.random.default_rng(0).normal(size=(1, 4, 17, 3))
    return SkeletonSequence(positions=points, skeleton=layout, fps=30, up="y")


@pytest.mark.parametrize("name", ["x.bvh", "x.trc", "x.c3d"])
def test_in_every_format(tmp_path: Path, told: Path, name: str) -> None:
    if name.endswith("c3d"):
        pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    kg.save(recording(), tmp_path / name)
    with pytest.raises(SkeletonError, match=r"\[landmarks\].*--layout FILE") as caught:
        kg.load(tmp_path / name).to_skeleton("h36m17")
    assert "bonea, " in str(caught.value)
    read = kg.load(tmp_path / name, skeleton=str(told))
    mapped = read.to_skeleton("h36m17")
    assert mapped.seen.all()
    index = [read.skeleton.joints.index(joint) for joint in STRANGE]
    np.testing.assert_allclose(mapped.positions[:, :, 1:], read.positions[:, :, index[1:]])
    np.testing.assert_allclose(mapped.positions[:, :, 0], read.positions[:, :, [index[0], index[7]]].mean(axis=2))
    assert STRANGE[H36M.index("left_knee")] in read.skeleton.parts["left_thigh"]


def test_what_is_left_out_stays_as_the_names_say(tmp_path: Path) -> None:
    own = Skeleton(name="a", joints=("a", "b"), parents=(-1, 0), landmarks={"pelvis": {"a": 1}, "neck": {"a": 1}})
    (tmp_path / "x.toml").write_text('pairs = [["a", "b"]]\n[landmarks]\nneck = ["b"]\n')
    changed = with_landmarks(Path("x.bvh"), own, tmp_path / "x.toml")
    assert dict(changed.landmarks["neck"]) == {"b": 1}
    assert dict(changed.landmarks["pelvis"]) == {"a": 1}
    assert changed.pairs == (("a", "b"),)
    assert with_landmarks(Path("x.bvh"), own, changed).landmarks == changed.landmarks
    assert with_landmarks(Path("x.bvh"), own, None) is own


def test_a_point_may_be_the_plain_name_of_its_joint(tmp_path: Path) -> None:
    own = Skeleton(name="a", joints=("Hips", "b"), parents=(-1, 0))
    (tmp_path / "x.toml").write_text('[landmarks]\npelvis = "Hips"\n')
    assert dict(with_landmarks(Path("x.bvh"), own, tmp_path / "x.toml").landmarks["pelvis"]) == {"Hips": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"names its joints itself.*name a TOML file with \[landmarks\]"),
        ("landmarks = 3\n", r"names its joints itself"),
        ('[landmarks]\nneck = ["c"]\n', r"x\.bvh: has no joint 'c', which \[landmarks\] of .*; it has a, b"),
        ('[landmarks]\nneck = "ab"\n', r"x\.bvh: has no joint 'ab', which \[landmarks\] of .*; it has a, b"),
        ("[landmarks]\nneck = 3\n", r"\[landmarks\] of .* do not fit"),
        ("[landmarks]\nneck = { a = 0.5 }\n", r"do not fit.*sum to 0\.5, not 1"),
        ('pairs = 3\n[landmarks]\nneck = ["a"]\n', r"do not fit"),
        ('pairs = [["a"]]\n[landmarks]\nneck = ["a"]\n', r"do not fit"),
        ("[landmarks\n", r"cannot be read as a skeleton"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    own = Skeleton(name="a", joints=("a", "b"), parents=(-1, 0))
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(KinegraphError, match=message) as caught:
        with_landmarks(Path("x.bvh"), own, tmp_path / "x.toml")
    assert "\n" not in str(caught.value)


def test_names_of_layouts_are_no_landmarks() -> None:
    own = Skeleton(name="a", joints=("a", "b"), parents=(-1, 0))
    with pytest.raises(FormatError, match="the layout coco17 does not say what they stand for"):
        with_landmarks(Path("x.bvh"), own, "coco17")
    with pytest.raises(SkeletonError, match="no skeleton 'coco71'"):
        with_landmarks(Path("x.bvh"), own, "coco71")
