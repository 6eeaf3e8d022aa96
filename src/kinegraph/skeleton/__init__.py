"""Skeletons as data: names, parents, left/right, parts; hops, bones, symmetry and mappings follow from them."""

from kinegraph.skeleton.contraction import TRAJECTORY, contract
from kinegraph.skeleton.layouts import get_skeleton, skeleton_names
from kinegraph.skeleton.mapping import JointMap, map_joints
from kinegraph.skeleton.parts import PARTS
from kinegraph.skeleton.skeleton import Skeleton

__all__ = ["PARTS", "TRAJECTORY", "JointMap", "Skeleton", "contract", "get_skeleton", "map_joints", "skeleton_names"]
