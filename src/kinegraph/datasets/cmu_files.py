"""How a file of CMU's motion capture database is known, and what its BVH conversion begins with.

Data: mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kinegraph.sequence import SkeletonSequence

__all__ = ["is_cmu_clip", "named_subject", "without_lead_in"]

_NAME = re.compile(r"(\d{2,3})_\d{2,3}")  # SUBJECT_CLIP
_BVH_LEAD_IN = 6  # frames


def named_subject(path: Path) -> str | None:
    """The subject that a name like CMU's tells, "01" of 01_05.bvh; None of any other name."""
    match = _NAME.fullmatch(path.stem)
    return match[1] if match else None


def is_cmu_clip(path: Path) -> bool:
    """Whether a file is a clip of CMU's: 01_05 in the folder 01. Takes of one's own may be numbered so, elsewhere."""
    return path.parent.name == named_subject(path)


def without_lead_in(sequence: SkeletonSequence, path: Path) -> SkeletonSequence:
    """What was read from `path` without the calibration pose and the jump out of it that CMU's BVH files begin with.

    CMU's are known by their names, in whatever folder, and by a root that in the first frame is not turned at all, as
    nobody stands when a recording begins. Other files stay whole.
    """
    if path.suffix.lower() != ".bvh" or named_subject(path) is None or sequence.rotations is None:
        return sequence
    root = sequence.rotations[:, 0, sequence.skeleton.root]
    calibrates = np.allclose(np.abs(root[:, 3]), 1.0, rtol=0.0, atol=1e-12)
    return sequence.slice_frames(_BVH_LEAD_IN) if calibrates and sequence.frames > _BVH_LEAD_IN else sequence
