"""Acclaim clips as rigs of bone starts: the same points as the bones' ends, with rotations that make them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import FormatError
from kinegraph.formats.motion import asf_amc, bvh
from kinegraph.formats.motion.asf import read_asf
from kinegraph.formats.motion.asf_rig import start_names
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.skeleton import get_skeleton

ASF = """:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name trunk
    direction 0 1 0
    length 5
    axis 0 0 30 XYZ
    dof rx ry rz
  end
  begin
    id 2
    name larm
    direction 1 0 0
    length 3
    axis 0 20 0 XYZ
    dof rx
  end
  begin
    id 3
    name rarm
    direction -1 0 0
    length 3
    axis 0 -20 0 XYZ
    dof rz
  end
:hierarchy
  begin
    root trunk
    trunk larm rarm
  end
"""
AMC = ":FULLY-SPECIFIED\n:DEGREES\n" + "".join(
    f"{n}\nroot {n} 2 3 10 {n * 5} 0\ntrunk {n} 20 -{n}\nlarm {n * 9}\nrarm -{n * 7}\n" for n in range(1, 6)
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "me.asf").write_text(ASF)
    path = tmp_path / "me_01.amc"
    path.write_text(AMC)
    return path


def test_any_acclaim_body(clip: Path, tmp_path: Path) -> None:
    """Two bones that start in one point and turn each on its own: no rotation of a shared joint could say it."""
    ends, starts = asf_amc.read(clip), asf_amc.read(clip, joints="starts")
    assert starts.skeleton.joints == ("root", "trunk", "larm", "rarm", "larm_end", "rarm_end")
    for bone, point in (("trunk", "larm"), ("trunk", "rarm"), ("larm", "larm_end"), ("rarm", "rarm_end")):
        a = ends.positions[0, :, ends.skeleton.index(bone)]
        np.testing.assert_allclose(starts.positions[0, :, starts.skeleton.index(point)], a, atol=1e-12)
    assert starts.rotations is not None
    assert starts.offsets is not None
    translations = np.tile(starts.offsets, (starts.frames, 1, 1))
    translations[:, 0] = starts.positions[0, :, 0]
    posed = forward_kinematics(starts.skeleton.parents, starts.rotations[0], translations)[0]
    np.testing.assert_allclose(posed, starts.positions[0], atol=1e-12)
    bvh.write(starts, tmp_path / "me.bvh")
    again = bvh.read(tmp_path / "me.bvh", unit="cm")
    for index, joint in enumerate(starts.skeleton.joints):  # BVH lists them limb by limb
        point = again.positions[0, :, again.skeleton.index(joint)]
        np.testing.assert_allclose(point, starts.positions[0, :, index], atol=1e-6)


def test_bones_of_cmu_are_cmu38(shared_data: Path) -> None:
    body = read_asf(shared_data / "cmu_asfamc" / "02" / "02.asf")
    names = dict(zip((bone.name for bone in body.bones), start_names(body), strict=False))
    expected = {"root": "pelvis", "lfemur": "left_hip", "ltibia": "left_knee", "lowerback": "lower_back"}
    expected |= {"upperback": "spine", "lowerneck": "neck_base", "rhumerus": "right_shoulder", "rwrist": "right_wrist"}
    expected |= {
        "lhand": "left_finger_base",
        "lfingers": "left_hand_index",
        "lthumb": "left_thumb_base",
        "head": "head",
    }
    assert expected.items() <= names.items()
    assert set(start_names(body)) == set(get_skeleton("cmu38").joints)


def test_wrong_choice(clip: Path) -> None:
    with pytest.raises(FormatError, match="'ends' or 'starts'"):
        asf_amc.read(clip, joints="middles")  # type: ignore[arg-type]
