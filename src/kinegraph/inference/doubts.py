"""What about 2D keypoints does not look as stated or assumed: asked in the first notes, since it costs the most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.inference.framing import limb_scales
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names
from kinegraph.transforms.gaps import ASSUMED_FPS

__all__ = ["doubts"]

Floats = NDArray[np.float64]

_FEWEST = 10  # frames of which anything is said
#: A layout is doubted where limbs' lengths are further from an adult's than this (RMS of the logarithm, of the longest
#: that each is seen) and another one with as many joints makes that less than this share. Of 113 clips of HDM05 and CMU
#: seen from twelve sides, with 5 or 20 px of noise, none is doubted as what it is; 95 to 100 % are of COCO's keypoints
#: taken for Human3.6M's and the other way round.
_ODD, _BETTER = 0.3, 0.6
_LIMBS = 6  # that must be seen
_LOOKED_AT = 2000  # poses at most, evenly taken
_LYING = np.cos(np.deg2rad(60))
_THROUGHOUT, _FEWEST_S = 0.98, 1.0  # share of frames, seconds
_MANY, _BODIES = 10, 0.25  # people; metres between one and the next


def doubts(sequence: SkeletonSequence) -> tuple[str, ...]:
    """Questions to whoever gave 2D keypoints, the gravest first; none where nothing is odd.

    A doubt needs the content itself as evidence: limbs of another layout's proportions, people who never rise, people
    of whom each stands in the next, fractions of an image of unknown shape.
    """
    square = _square(sequence)
    if sequence.unit == "normalized":
        size = np.array(sequence.image_size or (1, 1), dtype=np.float64)
        sequence = sequence.replace(positions=sequence.positions * size, unit="px")
    layout = _layout(sequence)
    # Who is not a person as read says nothing of which way is up.
    found = [layout, _axes(sequence), None if layout else _up(sequence), square]
    return tuple(note for note in found if note is not None)


def _layout(sequence: SkeletonSequence) -> str | None:
    own = _strangeness(sequence, sequence.skeleton)
    if own is None or own < _ODD:
        return None
    others = [get_skeleton(name) for name in skeleton_names()]
    known = {
        other.name: strange
        for other in others
        if other.num_joints == sequence.skeleton.num_joints and (strange := _strangeness(sequence, other)) is not None
    }
    best = min(known, key=lambda name: known[name], default=None)
    if best is None or known[best] > _BETTER * own:
        return None
    return (
        f"these do not look like {sequence.skeleton.name} keypoints, whose limbs would be of odd lengths; as {best} "
        f"they look like a person: is the layout right? --layout {best} (skeleton='{best}' in Python) states it"
    )


def _strangeness(sequence: SkeletonSequence, skeleton: Skeleton) -> float | None:
    """How far the limbs' lengths are from an adult's, joints taken for those of a layout; None where few are seen."""
    seen = sequence.seen.reshape(-1, sequence.skeleton.num_joints)
    points = sequence.positions.reshape(*seen.shape, 2)
    if seen.any(axis=1).sum() < _FEWEST:
        return None
    some = np.unique(np.linspace(0, len(seen) - 1, min(len(seen), _LOOKED_AT)).astype(int))
    scales = limb_scales(points[some], seen[some], skeleton)
    scales = np.where(scales > 0, scales, np.nan)
    scales = scales[np.isfinite(scales).sum(axis=1) >= _FEWEST]
    if len(scales) < _LIMBS:
        return None
    scales = scales[:, np.isfinite(scales).any(axis=0)]
    # In units of the body in each frame, so that people near and far count alike; foreshortened limbs do not count.
    longest = np.log(np.nanpercentile(scales / np.nanmedian(scales, axis=0), 90, axis=1))
    return float(np.sqrt(np.mean((longest - np.median(longest)) ** 2)))


def _axes(sequence: SkeletonSequence) -> str | None:
    """Whether people and frames are likely to have changed places: each of many people stands in the next."""
    people, frames = sequence.people, sequence.frames
    if people < _MANY or people < 2 * frames or not sequence.is_video:
        return None
    both = sequence.seen[1:] & sequence.seen[:-1]
    if not both.any():
        return None
    apart = np.linalg.norm(np.diff(np.where(sequence.seen[..., None], sequence.positions, np.nan), axis=0), axis=-1)
    flat = sequence.seen.reshape(-1, sequence.skeleton.num_joints)
    scales = limb_scales(sequence.positions.reshape(*flat.shape, 2), flat, sequence.skeleton)
    scale = float(np.nanmedian(scales)) if np.isfinite(scales).any() else 0.0
    if scale <= 0 or np.median(apart[both]) > _BODIES * scale:
        return None
    return (
        f"{people} people in {frames} frame{'s' if frames > 1 else ''}, each where the next one is: are the first two "
        "axes (frames, people)? expected (people, frames, joints, n), which array.swapaxes(0, 1) gives"
    )


def _up(sequence: SkeletonSequence) -> str | None:
    """Whether everybody lies or hangs head down in nearly every frame of a video."""
    low, high = (sequence.skeleton.landmark(name) for name in ("pelvis", "thorax"))
    if low is None or high is None or not sequence.is_video:
        return None
    there = sequence.seen[..., (low != 0) | (high != 0)].all(axis=-1)
    if there.sum() < max(_FEWEST, _FEWEST_S * (sequence.fps or ASSUMED_FPS)):
        return None
    trunk = np.einsum("j,pfjd->pfd", high - low, np.where(sequence.seen[..., None], sequence.positions, 0.0))[there]
    upward = -trunk[:, 1] / np.maximum(np.linalg.norm(trunk, axis=1), 1e-12)
    if np.mean(upward < _LYING) < _THROUGHOUT:
        return None
    if np.median(upward) < -_LYING:
        return "everybody hangs head down throughout: does y point up in these keypoints? if so, give height - y for y"
    right = float(np.median(trunk[:, 0])) > 0
    turned = "(y, width - x)" if right else "(height - y, x)"
    return (
        f"everybody lies throughout, the head to the {'right' if right else 'left'}: is the image rotated? if so, turn "
        f"it, or give {turned} for (x, y)"
    )


def _square(sequence: SkeletonSequence) -> str | None:
    if sequence.unit != "normalized" or sequence.image_size is not None:
        return None
    return (
        "the image is taken to be square, as its size is not stated: of an image of 16:9 joints are then about a tenth "
        "of a metre further off than stated; --read image_size=1280x720 (read={'image_size': (1280, 720)} in Python) "
        "states it"
    )
