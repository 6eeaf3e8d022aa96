"""Anyone's 3D recordings as motion clips: a folder of files in any format, with a folder for each action or without.

Every person of every file becomes a clip on one network skeleton at one rate, in the world (y up, floor at 0):
``trajectory`` is the root's place in metres, the root's channels its orientation. A window of it is made relative to
its last observed frame by :func:`kinegraph.transforms.heading.heading_relative`. Files that cannot be used are left
out with the reason, and never stop the rest.

Gaps of at most half a second are bridged; nothing is learned from longer ones. A person is cut where the root is unseen
for longer, and where a joint is on which the network's joints depend: each piece is a clip of its own. A joint that is
lost for most of a piece, or on which nothing depends, cuts nothing; the piece counts as one without it, as most frames
are kept so.

The free CMU recordings are the first use (mocap.cs.cmu.edu, created with funding from NSF EIA-0196217): a clip found
both as AMC and as BVH is used once, as AMC; CMU's BVH files begin with a calibration pose, whose six frames go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.axes import ground
from kinegraph.datasets.cmu_files import is_cmu_clip, named_subject, without_lead_in
from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.formats.any_source import read_source
from kinegraph.formats.walk import recording_suffixes, recordings_in
from kinegraph.naming import as_text, free_name
from kinegraph.sequence import SkeletonSequence, frames_within
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.gaps import LONGEST_GAP_S, fill_gaps, runs
from kinegraph.transforms.heading import mirror_features
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import at_rate, check_motion, posed_body
from kinegraph.transforms.position_features import PositionFeatures
from kinegraph.transforms.rig_match import body_skeleton

__all__ = ["Recordings", "Skipped", "file_name", "find_files", "load_recordings", "network_skeleton", "preference"]

Representation = Literal["expmap", "positions"]
Features = RotationFeatures | PositionFeatures
_STILL = ("hip_joint", "clavicle", "hand_index")  # never turn in CMU's skeletons
_NOISY = ("finger_base", "thumb_base")  # without markers of their own: CMU's angles jump by up to a radian a frame
_PREFERENCE = (".amc", ".bvh", ".npz", ".c3d", ".trc", ".csv", ".tsv", ".json", ".txt")


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, or (`whole` false) somebody or some time of it, and why."""

    path: Path
    reason: str
    whole: bool = True


@dataclass(frozen=True)
class Recordings:
    """`data`: the clips; `skipped`: what was left out; `files`: how many there were."""

    data: MotionData
    skipped: tuple[Skipped, ...]
    files: int = 0


class _Piece(NamedTuple):
    """A person from one frame to another."""

    name: str
    """What the clip is called after its file."""
    where: str
    """The same for a reader, to begin a reason with."""
    found: Features | str
    """Or why it cannot be used."""


class _Take(NamedTuple):
    """A piece that can be used, and where it is from."""

    name: str
    path: Path
    file: str
    """What its file is called (:func:`file_name`)."""
    action: str
    """Nothing where there is none."""
    features: Features


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
    """Motion files under a folder (:func:`recordings_in`); of one name in several formats, the one that says most.

    Raises:
        DataError: no such folder, or no file in it that could be motion.
    """
    root = Path(source)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; expected one of motion files")
    suffixes = recording_suffixes("3D")
    found: dict[tuple[str, str], Path] = {}
    for path in recordings_in(root, suffixes):
        if path == root:
            continue  # frames of 2D keypoints: a recording, and no folder of any
        # CMU's clips are the same wherever their folders stand; other names only within one folder.
        key = (path.stem, "" if is_cmu_clip(path) else str(path.parent))
        if key not in found or preference(path) < preference(found[key]):
            found[key] = path
    if not found:
        raise DataError(f"{root}: no motion files; expected some of {', '.join(sorted(suffixes))}")
    return sorted(found.values())


def file_name(path: Path, source: Path | str) -> str:
    """How a file of a folder is called: without its suffix, in which it may come again."""
    return as_text(path.relative_to(source).with_suffix("").as_posix())


def load_recordings(
    sources: Sequence[Path | str],
    *,
    fps: float = 60.0,
    representation: Representation = "expmap",
    labels: Literal["folders", "none"] = "none",
    least_frames: int = 2,
) -> Recordings:
    """Read folders of recordings, as clips on :func:`network_skeleton`.

    A person of several in a file is called ``file#2``, and a piece of several between long gaps ``file, part 2``.

    Args:
        sources: folders, searched with their subfolders.
        fps: rate of the clips, Hz.
        representation: of the features.
        labels: ``"folders"``: the folder directly under a source names the action (files beside it have none).
        least_frames: clips with fewer, at `fps`, are skipped.

    Raises:
        ConfigError: a rate without sense.
        DataError: nothing usable is left; the message names the first reason.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ConfigError(f"recordings at {fps} frames a second: expected a positive number")
    network = network_skeleton(representation)
    files = [(Path(source), path) for source in sources for path in find_files(source)]
    takes: list[_Take] = []
    skipped: list[Skipped] = []
    for source, path in _once(files, skipped):
        within = path.relative_to(source).parts
        action = as_text(within[0]) if labels == "folders" and len(within) > 1 else ""
        stem = file_name(path, source)
        try:
            for piece in _read(path, network, fps, representation, least_frames):
                if isinstance(piece.found, str):
                    skipped.append(Skipped(path, piece.where + piece.found))
                else:
                    takes.append(_Take(stem + piece.name, path, stem, action, piece.found))
        except KinegraphError as error:
            skipped.append(Skipped(path, _line(error)))
    if not takes:
        first = f"; {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"recordings: none of {len(files)} files can be used{first}")
    read_from = {take.path for take in takes}
    left_out = tuple(replace(one, whole=one.path not in read_from) for one in skipped)
    return Recordings(_motion_data(takes, network, fps, representation), left_out, len(files))


def _once(files: Sequence[tuple[Path, Path]], skipped: list[Skipped]) -> Iterator[tuple[Path, Path]]:
    """Sources and their files, every CMU clip in one of them; those that come again are added to `skipped`."""
    taken: set[str] = set()
    for source, path in files:
        if is_cmu_clip(path):
            if path.stem in taken:
                skipped.append(Skipped(path, "the same CMU clip is in another source"))
                continue
            taken.add(path.stem)
        yield source, path


def _motion_data(takes: Sequence[_Take], network: Skeleton, fps: float, representation: Representation) -> MotionData:
    """Clips with names of their own, their features encoded together."""
    actions = tuple(sorted({take.action for take in takes if take.action}))
    clips, used = [], set[str]()
    for take, features in zip(takes, _encode([take.features for take in takes]), strict=True):
        unique = free_name(take.name, used, "{name} ({number})")
        used.add(unique)
        subject = named_subject(take.path)
        clips.append(
            MotionClip(
                features=features,
                action=actions.index(take.action) if take.action else -1,
                name=unique,
                subject=f"cmu{subject}" if subject else "",
                file=take.file,
            )
        )
    return MotionData(
        name="recordings",
        skeleton=network,
        fps=fps,
        representation=representation,
        actions=actions,
        clips=tuple(clips),
        mirror=partial(mirror_features, skeleton=network, representation=representation),
    )


def preference(path: Path) -> int:
    """Of one take in several files the one with the lowest number is read: AMC, whose body is the person's own."""
    suffix = path.suffix.lower()
    return _PREFERENCE.index(suffix) if suffix in _PREFERENCE else len(_PREFERENCE)


def _line(error: KinegraphError) -> str:
    return " ".join(str(error).split())


def _read(path: Path, network: Skeleton, fps: float, representation: Representation, least: int) -> Iterator[_Piece]:
    """Every person of a file, each in as many pieces as long gaps leave.

    Raises:
        KinegraphError: none can be had.
    """
    sequence = read_source(path)
    check_motion(sequence)
    sequence = without_lead_in(sequence, path)
    if not sequence.seen.all():
        sequence = fill_gaps(sequence, LONGEST_GAP_S)
    there = np.flatnonzero(sequence.seen[:, :, sequence.skeleton.root].any(axis=1))
    if not len(there):
        raise DataError(f"{path}: nobody is seen")
    needed = _needed(sequence.skeleton, network, representation)
    for number, person in enumerate(there, start=1):
        who = "" if len(there) == 1 else f"#{number}"
        one = sequence.select_people([int(person)])
        pieces = _pieces(one, needed)
        if not pieces:
            reason = f"some joint is in a gap of over {LONGEST_GAP_S} s in every frame; fill the gaps first"
            yield _Piece(who, who and f"{who}: ", reason)
            continue
        floor = _floor(one)
        for place, (start, stop, lost) in enumerate(pieces, start=1):
            several = len(pieces) > 1
            where = f"{who}{' ' * bool(who)}frames {start + 1} to {stop}" if several else who
            yield _Piece(
                f"{who}, part {place}" if several else who,
                where and f"{where}: ",
                _features(one.slice_frames(start, stop), lost, network, fps, representation, floor, least),
            )


def _features(
    piece: SkeletonSequence,
    lost: NDArray[np.bool_],
    network: Skeleton,
    fps: float,
    representation: Representation,
    floor: float,
    least: int,
) -> Features | str:
    """Of a person without long gaps but in the `lost` joints; or why there are none."""
    rate = piece.fps or fps
    count = piece.frames if rate == fps else frames_within((piece.frames - 1) / rate, fps)
    if count < least:
        return f"{count} frames at {fps:g} a second, {least} are needed"
    if (piece.seen & lost).any():
        assert piece.confidence is not None  # set by the sequence itself
        gone = np.where(lost[:, None], np.nan, piece.positions), np.where(lost, 0.0, piece.confidence)
        piece = piece.replace(positions=gone[0], confidence=gone[1])
    try:
        body = posed_body(piece).at_rate(fps)
        if representation == "expmap":
            return RotationFeatures(body, network, None, floor)
        return PositionFeatures(at_rate(piece, fps), body, network, None, floor)
    except KinegraphError as error:
        return _line(error)


def _needed(skeleton: Skeleton, network: Skeleton, representation: Representation) -> NDArray[np.bool_]:
    """Joints of a recording (joints,) on which the network's depend.

    Those that they are, or lie between, and those above, which carry them; for rotations those next below too, which
    say where a bone points.
    """
    needed: NDArray[np.bool_] = np.any(map_joints(skeleton, body_skeleton(network), minimum=0.0).weights != 0, axis=0)
    parents = np.array(skeleton.parents)
    below = (parents >= 0) & needed[parents]
    for joint in reversed(skeleton.topological_order()):
        if needed[joint] and parents[joint] >= 0:
            needed[parents[joint]] = True
    return needed | below if representation == "expmap" else needed


def _pieces(one: SkeletonSequence, needed: NDArray[np.bool_]) -> list[tuple[int, int, NDArray[np.bool_]]]:
    """A person's stretches without long gaps: first frame, the one after the last, and which joints count as lacking.

    Args:
        one: a person whose short gaps are filled.
        needed: (joints,) whose gaps cut.
    """
    seen, found = one.seen[0], []
    longest = int(np.floor(LONGEST_GAP_S * (one.fps or 0.0) + 1e-9))
    for start, stop in runs(seen[:, one.skeleton.root]):
        gap = np.zeros((stop - start, one.joints), dtype=bool)
        for joint in np.flatnonzero(~seen[start:stop].all(axis=0)):
            for first, last in runs(~seen[start:stop, joint]):
                gap[first:last, joint] = last - first > longest
        lost = np.where(needed, gap.mean(axis=0) > 0.5, gap.any(axis=0))
        found += [(start + first, start + last, lost) for first, last in runs(~np.any(gap & ~lost, axis=1))]
    return found


def _floor(one: SkeletonSequence) -> float:
    """Height of the ground under a person, of all their pieces alike."""
    present = np.flatnonzero(one.seen[0, :, one.skeleton.root])
    return float(ground(one.slice_frames(int(present[0]), int(present[-1]) + 1))[0])


def _encode(codecs: Sequence[Features]) -> list[NDArray[np.float64]]:
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
