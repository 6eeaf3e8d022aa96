"""An Acclaim body as other formats see it: joints where bones begin, each with its bone's rotation.

In ASF a bone turns about its start, and the bones that start in one point turn each on its own. So a joint for every
bone's start, and one for the end of every bone that none follows, is all it takes: for the 30 bones of CMU and HDM05
these are the 38 joints of the layout ``cmu38``, whose rotations are those of the motion-prediction text files
(measured: every one-axis joint has the same axis there, and all global rotations agree within the BVH release's noise).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.formats.joints.rig import build_skeleton, known_layout
from kinegraph.formats.motion.asf import AsfSkeleton
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import make_continuous, matrix_to_quaternion
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["start_names", "start_rig"]

Array = NDArray[np.float64]


def start_rig(body: AsfSkeleton, local: Array, root: Array) -> tuple[Skeleton, Array, Array, Array]:
    """The rig of bone starts.

    Args:
        body: the ASF skeleton.
        local: (frames, bones, 3, 3) rotation of each bone against its parent bone, in the axes of the rest pose.
        root: (frames, 3) metres.

    Returns:
        Skeleton, positions (frames, joints, 3), local rotations (frames, joints, 4) xyzw, rest offsets (joints, 3).
    """
    ends = [j for j in range(len(body.bones)) if not any(bone.parent == j for bone in body.bones)]
    names = start_names(body)
    parents = [bone.parent for bone in body.bones] + ends
    offsets = np.zeros((len(names), 3))
    for joint, parent in enumerate(parents):
        if parent > 0:  # the root's vector is its place, not a bone
            offsets[joint] = body.bones[parent].vector
    rotations = np.zeros((len(local), len(names), 4))
    rotations[..., 3] = 1.0
    rotations[:, : len(body.bones)] = matrix_to_quaternion(local)
    order = list(range(len(names)))
    layout = get_skeleton("cmu38")
    if set(names) == set(layout.joints):
        order = [names.index(joint) for joint in layout.joints]
        skeleton = layout
    else:
        skeleton = build_skeleton(body.path, names, parents)
    rotations, offsets = make_continuous(rotations[:, order]), offsets[order]
    translations = np.tile(offsets, (len(local), 1, 1))
    translations[:, skeleton.root] = root
    return skeleton, forward_kinematics(skeleton.parents, rotations, translations)[0], rotations, offsets


def start_names(body: AsfSkeleton) -> list[str]:
    """Names of the bones' starts, then of the free ends: those of ``cmu38`` for the bones of CMU and HDM05."""
    bones = [bone.name for bone in body.bones]
    parents = [bone.parent for bone in body.bones]
    free = [j for j in range(len(bones)) if j not in parents]
    if known_layout(bones, parents, "cmu31") is None:
        return bones + [f"{bones[j]}_end" for j in free]
    # cmu38 lists the same bones in the same order, each free end behind the bone that it ends
    layout, acclaim = get_skeleton("cmu38"), get_skeleton("cmu31")
    inner = [joint for index, joint in enumerate(layout.joints) if index in layout.parents]
    name = dict(zip(acclaim.joints, inner, strict=True))
    end = {layout.joints[p]: layout.joints[j] for j, p in enumerate(layout.parents) if j not in layout.parents}
    return [name[bone] for bone in bones] + [end[name[bones[j]]] for j in free]
