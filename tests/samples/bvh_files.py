"""BVH files of any hierarchy, and where their joints are by SciPy."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


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
