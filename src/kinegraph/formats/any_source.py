"""A sequence from whatever a person has: a file, a folder, an array or a sequence, with what they say of it.

The Python API, the command line, the viewer and the data sets all read by :func:`read_source`; only what its options
are called in messages is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import ArrayLike

from kinegraph.errors import ConfigError
from kinegraph.formats import check_fps, detect, format_info, read_at_rate, read_options
from kinegraph.formats.arrays import load
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints, skeleton_names

__all__ = ["AcclaimJoints", "Called", "Source", "acclaim_joints_of", "read_source"]

Source = str | Path | SkeletonSequence | ArrayLike
AcclaimJoints = Literal["starts", "ends"]


def acclaim_joints_of(skeleton: Skeleton) -> AcclaimJoints:
    """Which joints of Acclaim clips (ASF/AMC, option ``joints``) show a skeleton more of its own: the starts of bones,
    as ``cmu38`` has them, or the ends, as HDM05's and CMU's raw layouts. Where both show as many, the ends."""
    lost = {
        joints: map_joints(get_skeleton(layout), skeleton, minimum=0.0).status.count("missing")
        for joints, layout in (("starts", "cmu38"), ("ends", "cmu31"))
    }
    return "ends" if lost["ends"] <= lost["starts"] else "starts"


@dataclass(frozen=True, kw_only=True)
class Called:
    """What the options of :func:`read_source` are called in messages; a layout's name follows its own at once."""

    skeleton: str = "skeleton="
    fps: str = "fps"


_PYTHON = Called()


def read_source(
    source: Source,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    dims: int | None = None,
    options: Mapping[str, Any] | None = None,
    acclaim_joints: AcclaimJoints = "starts",
    called: Called = _PYTHON,
) -> SkeletonSequence:
    """A sequence from whatever a person has.

    Args:
        source: a file or folder, a sequence, or an array ``(people, frames, joints, n)``, whose first axes may be
            left out, see :func:`kinegraph.formats.arrays.from_array`.
        skeleton: the layout of an array, or of a file that does not tell it; of a file that names its joints itself
            (BVH, TRC, C3D), a TOML or JSON file whose ``[landmarks]`` say what they stand for.
        fps: the rate, where `source` does not tell it; a recording at another rate is resampled to it.
        dims: 2 or 3: what the last axis of an array, in memory or in a file, is taken for.
        options: further ones of the file's reader or of :func:`kinegraph.formats.arrays.from_array`. Among them ``fps``
            states the rate `source` itself has; with both, it is resampled from that to the other. ``format`` names a
            file's format, if name and content do not tell it.
        acclaim_joints: where joints of AMC files lie, unless `options` say it: where bones start, with their rotations,
            so that limbs keep their length; or where they end (:func:`kinegraph.formats.motion.asf_amc.read`).
        called: what `skeleton` and `fps` are called where they are refused.

    Raises:
        ConfigError: a rate that is none, an option that the format lacks, or a layout that `source` tells itself.
        FormatError, DataError: see :func:`kinegraph.load`.
    """
    check_fps(fps, called.fps)
    given = dict(options or {})
    if isinstance(source, SkeletonSequence):
        own = given.pop("fps", source.fps)
        if source.fps not in (None, own):
            raise ConfigError(f"the sequence states {source.fps:g} fps itself; leave read={{'fps': {own}}} out")
        source = source.replace(fps=own)
        if skeleton is not None and source.skeleton != skeleton and source.skeleton.name != skeleton:
            raise ConfigError(f"the sequence's layout is '{source.skeleton.name}'; use to_skeleton() to change it")
        return load(source, fps=fps, **given)
    if not isinstance(source, str | Path):
        told = given if skeleton is None else {**given, "skeleton": skeleton}
        return load(load(source, **{"fps": fps, "dims": dims, **told}), fps=fps)
    name = given.pop("format", None) or detect(source)
    known = read_options(name)
    if name == "asf_amc":
        given.setdefault("joints", acclaim_joints)
    wanted = None
    if skeleton is not None:
        said = f"{called.skeleton}{skeleton.name if isinstance(skeleton, Skeleton) else skeleton}"
        own = format_info(name).names_joints
        if "skeleton" not in known or (own and not _tells_landmarks(skeleton)):
            raise ConfigError(f"{source}: {name} files name their joints themselves; leave {said} out")
        wanted = None if own else get_skeleton(skeleton)
        given["skeleton"] = skeleton
    if dims is not None and "dims" in known:
        given.setdefault("dims", dims)
    sequence = read_at_rate(source, name, fps, **given)
    if wanted is not None and sequence.skeleton.joints != wanted.joints:
        raise ConfigError(f"{source}: says itself that its layout is '{sequence.skeleton.name}'; leave {said} out")
    return sequence


def _tells_landmarks(skeleton: str | Skeleton) -> bool:
    """Whether it may say what the joints of a recording stand for: a file, or a skeleton of one's own."""
    if isinstance(skeleton, Skeleton):
        return bool(skeleton.landmarks) and skeleton.name not in skeleton_names()
    return skeleton not in skeleton_names() and Path(skeleton).suffix.lower() in (".toml", ".json")
