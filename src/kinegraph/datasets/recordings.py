"""Anyone's 3D recordings as motion clips: a folder of files in any format, with a folder for each action or without.

Every person of every file becomes a clip on one network skeleton at one rate, in the world (y up, floor at 0):
``trajectory`` is the root's place in metres, the root's channels its orientation. A window of it is made relative to
its last observed frame by :func:`kinegraph.transforms.heading.heading_relative`. Files that cannot be used are left
out with the reason, and never stop the rest.

The free CMU recordings are the first use (mocap.cs.cmu.edu, created with funding from NSF EIA-0196217): a clip found
both as AMC and as BVH is used once, as AMC; CMU's BVH files begin with a calibration pose, whose six frames go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.cmu_files import is_cmu_clip, named_subject, without_lead_in
from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.formats import formats, read
from kinegraph.formats.export import y_up
from kinegraph.naming import free_name
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.gaps import fill_gaps
from kinegraph.transforms.heading import mirror_features
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import at_rate, check_motion, posed_body
from kinegraph.transforms.position_features import PositionFeatures

__all__ = ["Recordings", "Skipped", "file_name", "find_files", "load_recordings", "network_skeleton"]

Representation = Literal["expmap", "positions"]
_STILL = ("hip_joint", "clavicle", "hand_index")  # never turn in CMU's skeletons
_NOISY = ("finger_base", "thumb_base")  # without markers of their own: CMU's angles jump by up to a radian a frame
_PREFERENCE = (".amc", ".bvh", ".npz", ".c3d", ".trc", ".csv", ".tsv", ".json", ".txt")


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Recordings:
    """`data`: the clips; `skipped`: what was left out."""

    data: MotionData
    skipped: tuple[Skipped, ...]


def network_skeleton(representation: Representation = "expmap") -> Skeleton:
    """The joints of CMU's skeleton that a network for anybody's motion needs, with the trajectory before them.

    ``expmap``: those that turn, hands as one piece; ``positions``: those that lie in different places.
    """
    layout = get_skeleton("cmu38")
    inner = [joint for index, joint in enumerate(layout.joints) if index in layout.parents]
    if representation == "expmap":
        return contract(layout, [j for j in inner if not j.endswith(_STILL + _NOISY)], trajectory=True)
    onto = ("hip_joint", "clavicle", "finger_base", "thumb_base", "neck_base", "lower_back")
    return contract(layout, [j for j in layout.joints if not j.endswith(onto)], trajectory=True)


def find_files(source: Path | str) -> list[Path]:
    """Motion files under a folder, ordered; of one name in several formats in one tree, the one that says most.

    Raises:
        DataError: no such folder, or no file in it that could be motion.
    """
    root = Path(source)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; expected one of motion files")
    suffixes = {suffix for info in formats() if info.reads and "3D" in info.holds for suffix in info.suffixes} - {
        ".asf"
    }
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in suffixes or not path.is_file() or path.name.startswith("."):
            continue
        # CMU's clips are the same wherever their folders stand; other names only within one folder.
        key = (path.stem, "" if is_cmu_clip(path) else str(path.parent))
        if key not in found or _rank(path) < _rank(found[key]):
            found[key] = path
    if not found:
        raise DataError(f"{root}: no motion files; expected some of {', '.join(sorted(suffixes))}")
    return sorted(found.values())


def file_name(path: Path, source: Path | str) -> str:
    """How a file of a folder is called: without its suffix, in which it may come again."""
    return path.relative_to(source).with_suffix("").as_posix()


def load_recordings(
    sources: Sequence[Path | str],
    *,
    skeleton: Skeleton | None = None,
    fps: float = 60.0,
    representation: Representation = "expmap",
    labels: Literal["folders", "none"] = "none",
    least_frames: int = 2,
    name: str = "recordings",
    keep: Callable[[Path], bool] | None = None,
    read_options: dict[str, Any] | None = None,
) -> Recordings:
    """Read folders of recordings.

    Args:
        sources: folders, searched with their subfolders.
        skeleton: network skeleton with a trajectory; :func:`network_skeleton` by default.
        fps: rate of the clips, Hz.
        representation: of the features.
        labels: ``"folders"``: the folder directly under a source names the action (files beside it have none).
        least_frames: clips with fewer, at `fps`, are skipped.
        name: of the data.
        keep: which files to read.
        read_options: handed to every reader that has them (``fps``, ``skeleton``).

    Raises:
        ConfigError: a skeleton without trajectory, or a rate without sense.
        DataError: nothing usable is left; the message names the first reason.
    """
    network = skeleton or network_skeleton(representation)
    if not (np.isfinite(fps) and fps > 0):
        raise ConfigError(f"recordings at {fps} frames a second: expected a positive number")
    if network.num_joints < 3 or network.roots != (0,) or "trajectory" not in network.joints:
        raise ConfigError(f"skeleton '{network.name}' has no trajectory; contract(..., trajectory=True) adds it")
    files = [(Path(source), path) for source in sources for path in find_files(source) if keep is None or keep(path)]
    skipped: list[Skipped] = []
    people: list[tuple[str, str, str, Path, RotationFeatures | PositionFeatures]] = []
    taken: set[str] = set()
    for source, path in files:
        if is_cmu_clip(path):
            if path.stem in taken:
                skipped.append(Skipped(path, "the same CMU clip is in another source"))
                continue
            taken.add(path.stem)
        folder = path.relative_to(source).parts[0] if len(path.relative_to(source).parts) > 1 else ""
        action = folder if labels == "folders" else ""
        try:
            codecs = _read(path, network, fps, representation, read_options or {})
        except KinegraphError as error:
            skipped.append(Skipped(path, " ".join(str(error).split())))
            continue
        for person, codec in enumerate(codecs):
            if len(codec.body.root) < least_frames:
                reason = f"{len(codec.body.root)} frames at {fps:g} a second, {least_frames} are needed"
                skipped.append(Skipped(path, reason))
                continue
            stem = file_name(path, source)
            people.append((stem if len(codecs) == 1 else f"{stem}#{person + 1}", stem, action, path, codec))
    if not people:
        first = f"; {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"{name}: none of {len(files)} files can be used{first}")
    actions = tuple(sorted({action for _, _, action, _, _ in people if action}))
    features = _encode([codec for *_, codec in people])
    clips, used = [], set[str]()
    for (clip, stem, action, path, _), array in zip(people, features, strict=True):
        unique = free_name(clip, used, "{name} ({number})")
        used.add(unique)
        subject = named_subject(path)
        clips.append(
            MotionClip(
                features=array,
                action=actions.index(action) if action else -1,
                name=unique,
                subject=f"cmu{subject}" if subject else "",
                file=stem,
            )
        )
    data = MotionData(
        name=name,
        skeleton=network,
        fps=fps,
        representation=representation,
        actions=actions,
        clips=tuple(clips),
        mirror=partial(mirror_features, skeleton=network, representation=representation),
    )
    return Recordings(data, tuple(skipped))


def _rank(path: Path) -> int:
    suffix = path.suffix.lower()
    return _PREFERENCE.index(suffix) if suffix in _PREFERENCE else len(_PREFERENCE)


def _read(
    path: Path, network: Skeleton, fps: float, representation: Representation, options: dict[str, Any]
) -> list[RotationFeatures | PositionFeatures]:
    """Every person of a file."""
    from kinegraph.formats import detect
    from kinegraph.formats import read_options as known_options

    name = detect(path)
    given = {key: value for key, value in options.items() if key in known_options(name)}
    if name == "asf_amc":
        given["joints"] = "starts"
    sequence = read(path, format=name, **given)
    check_motion(sequence)
    sequence = without_lead_in(sequence, path)
    if not sequence.seen.all():
        sequence = fill_gaps(sequence)
    codecs: list[RotationFeatures | PositionFeatures] = []
    for person in range(sequence.people):
        one = sequence.select_people([person])
        if not one.seen[0, :, one.skeleton.root].any():
            continue
        codecs.append(_person(one, network, fps, representation))
    if not codecs:
        raise DataError(f"{path}: nobody is seen")
    return codecs


def _person(
    one: SkeletonSequence, network: Skeleton, fps: float, representation: Representation
) -> RotationFeatures | PositionFeatures:
    present = np.flatnonzero(one.seen[0, :, one.skeleton.root])
    one = one.slice_frames(int(present[0]), int(present[-1]) + 1)
    heights = (one.positions[0] @ y_up(one).T)[..., 1]
    lowest = np.where(np.isfinite(heights), heights, np.inf).min(axis=-1)
    floor = float(np.quantile(lowest[np.isfinite(lowest)], 0.01))
    body = posed_body(one).at_rate(fps)
    if representation == "expmap":
        return RotationFeatures(body, network, None, floor)
    return PositionFeatures(at_rate(one, fps), body, network, None, floor)


def _encode(codecs: Sequence[RotationFeatures | PositionFeatures]) -> list[NDArray[np.float64]]:
    """Features of all clips; a joint that a recording lacks stands at the mean of those that have it."""
    network = codecs[0].network
    total, count = np.zeros((network.num_joints, 3)), np.zeros((network.num_joints, 1))
    encoded = [codec.encode() for codec in codecs]
    for codec, features in zip(codecs, encoded, strict=True):
        there = np.array([joint not in codec.missing for joint in network.joints])
        total[there] += features.sum(axis=0)[there]
        count[there] += len(features)
    mean = total / np.maximum(count, 1)
    for index, codec in enumerate(codecs):
        if codec.missing:
            encoded[index] = codec.with_mean(mean).encode()
    return encoded
