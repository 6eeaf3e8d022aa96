"""BVH files of any hierarchy, and where their joints are by SciPy; bodies with the names of a rig, and root motion."""

from __future__ import annotations

import re

import numpy as np
from scipy.spatial.transform import Rotation

MIXAMO = {
    **{"pelvis": "Hips", "lower_back": "Spine", "spine": "Spine1", "thorax": "Spine2", "neck_base": "Neck"},
    **{"neck": "Neck1", "head": "Head", "head_top": "HeadTop_End"},
    **{
        f"{side}_{joint}": side.title() + name
        for side in ("left", "right")
        for joint, name in {
            **{"hip_joint": "HipSide", "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "toe_base": "ToeBase"},
            **{"toe": "Toe_End", "clavicle": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"},
        }.items()
    },
}
"""Names of cmu38's joints in a rig of another tool."""
_MOVES = "Xposition Yposition Zposition"
ROOT_MOTION = ("still", "travels", "on the hips")


def as_text(parents: list[int], channels: list[list[str]], offsets: np.ndarray, values: np.ndarray) -> str:
    def joint(index: int) -> str:
        below = "".join(joint(c) for c, p in enumerate(parents) if p == index)
        kind = "ROOT" if parents[index] < 0 else "JOINT"
        listed = f"CHANNELS {len(channels[index])} {' '.join(channels[index])}"
        below = below or "End Site\n{\nOFFSET 0 1 0\n}\n"
        return f"{kind} j{index}\n{{\nOFFSET {' '.join(map(repr, offsets[index].tolist()))}\n{listed}\n{below}}}\n"

    rows = "\n".join(" ".join(map(repr, row)) for row in values.tolist())
    return f"HIERARCHY\n{joint(0)}MOTION\nFrames: {len(values)}\nFrame Time: 0.01\n{rows}\n"


def walked(channels: list[list[str]], values: np.ndarray, offsets: np.ndarray, parents: list[int]) -> np.ndarray:
    """Positions (frames, joints, 3) by SciPy, in the file's unit."""
    starts = np.cumsum([0, *map(len, channels)])
    positions = np.zeros((len(values), len(parents), 3))
    for frame, row in enumerate(values):
        turns: list[Rotation] = []
        for joint, parent in enumerate(parents):
            place, turn = offsets[joint].copy(), Rotation.identity()
            for name, value in zip(channels[joint], row[starts[joint] : starts[joint + 1]], strict=True):
                if name.endswith("position"):
                    place["XYZ".index(name[0])] = value
                else:
                    turn = turn * Rotation.from_euler(name[0].lower(), value, degrees=True)
            if parent >= 0:
                place = positions[frame, parent] + turns[parent].apply(place)
                turn = turns[parent] * turn
            positions[frame, joint] = place
            turns.append(turn)
    return positions


def renamed(text: str, names: dict[str, str]) -> str:
    """A BVH file with other names for its joints."""
    return re.sub(r"(ROOT|JOINT) (\S+)", lambda found: f"{found[1]} {names.get(found[2], found[2])}", text)


def under_a_root(text: str, kind: str, beside: dict[str, np.ndarray] | None = None) -> str:
    """The same motion with a joint ``Root`` above the file's root, which has six channels and lies at OFFSET 0.

    Args:
        text: a BVH file.
        kind: of `ROOT_MOTION`: the new root stands still, it travels over the ground below the hips, or it lies on
            them and they turn under it.
        beside: further joints that hang on the new root -> their places (frames, 3) against it.
    """
    head, motion = text.split("MOTION\n")
    count, rate, *lines = motion.strip().splitlines()
    rows = np.array([line.split() for line in lines], dtype=float)
    hips, rest = rows[:, :6].copy(), rows[:, 6:]
    root = np.zeros_like(hips)
    if kind == "travels":
        root[:, [0, 2]], hips[:, [0, 2]] = hips[:, [0, 2]], 0.0
    elif kind == "on the hips":
        root[:, :3], hips[:, :3] = hips[:, :3], 0.0
    found = re.search(rf"CHANNELS 6 ({_MOVES}) (\S+ \S+ \S+)", head)
    assert found is not None
    channels = f"CHANNELS 6 {_MOVES} {found[2]}"
    further = "".join(
        f"JOINT {name}\n{{\nOFFSET 0 0 0\n{channels}\nEnd Site\n{{\nOFFSET 0 1 0\n}}\n}}\n" for name in beside or {}
    )
    body = head.replace("HIERARCHY\n", "").replace("ROOT", "JOINT", 1)
    more = [np.concatenate((places, np.zeros_like(places)), axis=1) for places in (beside or {}).values()]
    table = np.concatenate([root, hips, rest, *more], axis=1)
    values = "\n".join(" ".join(map(repr, row)) for row in table.tolist())
    tree = f"HIERARCHY\nROOT Root\n{{\nOFFSET 0 0 0\n{channels}\n{body}{further}}}\n"
    return f"{tree}MOTION\n{count}\n{rate}\n{values}\n"
