"""NTU RGB+D as a forecasting benchmark: the ten frames after forty (protocol ntu-pck; Sym-GNN 6.1.2, Table 4).

The paper trains on clips whose last ten frames are predicted from those before. Here every test clip with a body in
all of its last 50 frames, each joint tracked or inferred, gives one window: 40 frames in, 10 out, of the body that
moves most, relative to the first joint of the last observed frame. Files are read from the user's copy, see
:mod:`kinegraph.formats.motion.ntu_skeleton`; samples of NTU RGB+D 120 alone, which the two splits do not divide, are
left out.

The paper does not say which size its threshold of 0.05 refers to, nor whether frames were resampled: the size is a
named choice, :data:`NORMALISERS`, and numbers under different ones do not compare.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kinegraph.datasets import ntu
from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.datasets.recordings import Recordings, Skipped
from kinegraph.errors import DataError, KinegraphError, nearest
from kinegraph.formats.motion.ntu_skeleton import FPS, NtuName, parse_name, read_bodies
from kinegraph.formats.walk import recordings_in
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["BENCHMARKS", "HORIZON", "NORMALISERS", "OBSERVED", "body_size", "load"]

Array = NDArray[np.float64]

OBSERVED, HORIZON = 40, 10
BENCHMARKS = {"xsub": "ntu60-xsub", "xview": "ntu60-xview"}
"""Benchmark -> the protocol of recognition that divides the samples in the same way."""
NORMALISERS = ("torso", "box", "height", "metre")
"""What 0.05 is a share of: ``torso`` (thorax to pelvis), ``box`` (longest side of the box round the body), ``height``
(head to feet, along the bones), ``metre`` (one metre). Sizes are of the last observed frame."""


def load(source: Path | str, split: str = "test", *, benchmark: str = "xsub", progress: bool = False) -> Recordings:
    """Windows of one split, each a clip of 50 frames of 25 positions in metres; and the files that give none.

    Args:
        source: folder of ``*.skeleton`` files, at any depth.
        split: ``"train"`` or ``"test"``.
        benchmark: ``"xsub"`` or ``"xview"``.
        progress: show a bar on standard error.

    Raises:
        DataError: unknown split or benchmark, no such folder, or no usable recording.
    """
    if benchmark not in BENCHMARKS:
        raise DataError(
            f"no benchmark '{benchmark}'{nearest(benchmark, BENCHMARKS)}; there are {', '.join(BENCHMARKS)}"
        )
    if split not in ("train", "test"):
        raise DataError(f"no split '{split}' of NTU RGB+D; there are train and test")
    if not Path(source).is_dir():
        raise DataError(f"{source}: no such folder; expected one of .skeleton files")
    paths = recordings_in(Path(source), [".skeleton"])
    found, skipped = _samples(paths, benchmark, split)
    actions = tuple(f"A{number:03d}" for number in range(1, max((n.action for n, _ in found.values()), default=1) + 1))
    clips = []
    for name, path in tqdm(
        found.values(), desc=f"ntu {split}", unit="file", disable=None if progress else True, leave=False
    ):
        try:
            window = _window(read_bodies(path).seen)
        except KinegraphError as error:
            skipped.append(Skipped(path, " ".join(str(error).split())))
            continue
        if window is None:
            skipped.append(
                Skipped(path, f"no body with all its joints in each of the last {OBSERVED + HORIZON} frames")
            )
            continue
        features = window - window[OBSERVED - 1, 0]
        subject = f"P{name.performer:03d}"
        clips.append(MotionClip(features=features, action=name.action - 1, name=path.stem, subject=subject))
    if not clips:
        first = (
            f"; the first of {len(skipped)} left out: {skipped[0].path.name}: {skipped[0].reason}" if skipped else ""
        )
        raise DataError(
            f"{source}: no recording of {benchmark} {split} has all joints of a body in its last {OBSERVED + HORIZON} "
            f"frames; expected files like S001C001P001R001A001.skeleton{first}"
        )
    data = MotionData(
        name=f"ntu {benchmark} {split}",
        skeleton=get_skeleton("ntu25"),
        fps=FPS,
        representation="positions",
        actions=actions,
        clips=tuple(clips),
    )
    return Recordings(data, tuple(skipped), len(paths))


def _samples(paths: list[Path], benchmark: str, split: str) -> tuple[dict[str, tuple[NtuName, Path]], list[Skipped]]:
    """Files of a split by their names in capitals, and those that are of no split or there twice."""
    found: dict[str, tuple[NtuName, Path]] = {}
    skipped = []
    for path in paths:
        name, fault = parse_name(path.stem), ntu.name_fault(path.stem)
        if name is None or fault is not None:
            skipped.append(Skipped(path, fault or "its name says nothing"))
            continue
        beyond = _beyond(name)
        if beyond is not None:
            skipped.append(Skipped(path, beyond))
        elif ntu.trains(BENCHMARKS[benchmark], performer=name.performer, camera=name.camera) == (split == "train"):
            if path.stem.upper() in found:
                skipped.append(Skipped(path, f"the sample is there twice, also as {found[path.stem.upper()][1]}"))
            else:
                found[path.stem.upper()] = (name, path)
    return found, skipped


def _beyond(name: NtuName) -> str | None:
    """What makes a sample one of NTU RGB+D 120 alone."""
    for what, number, most in (
        ("performer", name.performer, ntu.PERFORMERS["ntu60"]),
        ("action", name.action, ntu.ACTIONS["ntu60"]),
    ):
        if number > most:
            return f"{what} {number} in its name is of NTU RGB+D 120; the benchmarks divide the {most} of the first set"
    return None


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
