"""NTU RGB+D as a forecasting benchmark: the ten frames after forty (protocol ntu-pck; Sym-GNN 6.1.2, Table 4).

The paper trains on clips whose last ten frames are predicted from those before. Here every test clip with a body in
all of its last 50 frames, each joint tracked or inferred, gives one window: 40 frames in, 10 out, of the body that
moves most, relative to the first joint of the last observed frame. Files are read from the user's copy, see
:mod:`kinegraph.formats.ntu_skeleton`.

The paper does not say which size its threshold of 0.05 refers to, nor whether frames were resampled: the size is a
named choice, :data:`NORMALISERS`, and numbers under different ones do not compare.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.errors import DataError, nearest
from kinegraph.formats.ntu_skeleton import FPS, NtuName, parse_name, read_bodies
from kinegraph.formats.walk import recordings_in
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["BENCHMARKS", "HORIZON", "NORMALISERS", "OBSERVED", "XSUB_TRAIN", "body_size", "load"]

Array = NDArray[np.float64]

OBSERVED, HORIZON = 40, 10
XSUB_TRAIN = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
"""Performers of NTU RGB+D's cross-subject training part."""
BENCHMARKS: dict[str, Callable[[NtuName], bool]] = {
    "xsub": lambda name: name.performer in XSUB_TRAIN,
    "xview": lambda name: name.camera in (2, 3),
}
"""Benchmark -> whether a recording belongs to its training part."""
NORMALISERS = ("torso", "box", "height", "metre")
"""What 0.05 is a share of: ``torso`` (thorax to pelvis), ``box`` (longest side of the box round the body), ``height``
(head to feet, along the bones), ``metre`` (one metre). Sizes are of the last observed frame."""


def load(source: Path | str, split: str = "test", *, benchmark: str = "xsub") -> MotionData:
    """Windows of one split, each a clip of 50 frames of 25 positions in metres.

    Args:
        source: folder of ``*.skeleton`` files, at any depth.
        split: ``"train"`` or ``"test"``.
        benchmark: ``"xsub"`` or ``"xview"``.

    Raises:
        DataError: unknown split or benchmark, or no usable recording.
        FormatError: a damaged file.
    """
    if benchmark not in BENCHMARKS:
        raise DataError(
            f"no benchmark '{benchmark}'{nearest(benchmark, BENCHMARKS)}; there are {', '.join(BENCHMARKS)}"
        )
    if split not in ("train", "test"):
        raise DataError(f"no split '{split}' of NTU RGB+D; there are train and test")
    skeleton = get_skeleton("ntu25")
    found: dict[str, tuple[NtuName, Path]] = {}
    for path in recordings_in(Path(source), [".skeleton"]):
        name = parse_name(path.stem)
        if name is not None and BENCHMARKS[benchmark](name) == (split == "train"):
            found.setdefault(path.stem, (name, path))
    actions = tuple(f"A{number:03d}" for number in range(1, max((n.action for n, _ in found.values()), default=1) + 1))
    clips = []
    for stem, (name, path) in found.items():
        window = _window(read_bodies(path).seen)
        if window is not None:
            window = window - window[OBSERVED - 1, 0]
            clips.append(
                MotionClip(features=window, action=name.action - 1, name=stem, subject=f"P{name.performer:03d}")
            )
    if not clips:
        raise DataError(
            f"{source}: no recording of {benchmark} {split} has all joints of a body in its last {OBSERVED + HORIZON} "
            "frames; expected files like S001C001P001R001A001.skeleton"
        )
    return MotionData(
        name=f"ntu {benchmark} {split}",
        skeleton=skeleton,
        fps=FPS,
        representation="positions",
        actions=actions,
        clips=tuple(clips),
    )


def _window(positions: Array) -> Array | None:
    """The last 50 frames (50, 25, 3) of the body that moves most among those that are in all of them."""
    tail = positions[:, -(OBSERVED + HORIZON) :]
    whole = [person for person in tail if len(person) == OBSERVED + HORIZON and np.isfinite(person).all()]
    return max(whole, key=lambda person: float(person.var(axis=0).sum()), default=None)


def body_size(windows: Array, skeleton: Skeleton, normaliser: str) -> Array:
    """What the threshold is a share of, ``(N,)`` metres, from the last observed frame of ``(N, 50, 25, 3)``.

    Raises:
        DataError: unknown normaliser, or a body without extent.
    """
    if normaliser not in NORMALISERS:
        raise DataError(
            f"no normaliser '{normaliser}'{nearest(normaliser, NORMALISERS)}; there are {', '.join(NORMALISERS)}"
        )
    pose = windows[:, OBSERVED - 1]

    def length(*joints: str) -> Array:
        points = pose[:, [skeleton.index(joint) for joint in joints]]
        total: Array = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(axis=-1)
        return total

    if normaliser == "metre":
        return np.ones(len(windows))
    if normaliser == "torso":
        size = length("thorax", "spine", "pelvis")
    elif normaliser == "box":
        size = np.ptp(pose, axis=1).max(axis=-1)
    else:
        legs = [length(f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_foot") for side in ("left", "right")]
        size = length("head", "neck", "thorax", "spine", "pelvis") + (legs[0] + legs[1]) / 2
    if not (size > 0).all():
        raise DataError(f"recording {int(np.argmin(size))} has a body without extent; leave it out")
    return size
