"""From any 2D recording to the joints of a network: cleaned, bridged, mapped by name, with a report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.framing import DISTANCE_M, scale_of_pose
from kinegraph.inference.options import LiftOptions
from kinegraph.sequence import PER_FRAME, SkeletonSequence
from kinegraph.skeleton import JointMap, Skeleton, map_joints
from kinegraph.transforms.completion import complete_faces, complete_poses
from kinegraph.transforms.gaps import ASSUMED_FPS, fill_gaps, neighbours
from kinegraph.transforms.outliers import remove_spikes

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: people seen in fewer frames than this are a detector's ghosts, in a recording of at least ten times that length
GHOST_FRAMES = 5
#: share of the network's joints that must be there for a pose to be lifted
ENOUGH = 0.4
#: confidence given to joints that the layout does not have and the network infers
INFERRED = 0.25
#: Human3.6M's focal lengths, as a multiple of the image's side
FOCAL_SHARE = 1.145


@dataclass(frozen=True, kw_only=True)
class PreparedKeypoints:
    """A 2D recording on a network's skeleton.

    ``positions (people, frames, joints, 2)`` px are finite everywhere (guesses included), ``confidence`` (people,
    frames, joints) is what was seen or bridged, ``present (people, frames)`` says where there is a pose to lift,
    ``trust`` (people, frames, joints) is the confidence of the result: 0 where a joint stays missing.
    """

    positions: Floats
    confidence: Floats
    present: Mask
    trust: Floats
    mapping: JointMap
    people: tuple[int, ...]
    image_size: tuple[int, int]
    intrinsics: Floats
    size_known: bool
    notes: tuple[str, ...]


def prepare(sequence: SkeletonSequence, skeleton: Skeleton, options: LiftOptions) -> PreparedKeypoints:
    """Ready a 2D sequence for a network on ``skeleton``.

    Raises:
        DataError: the sequence is 3D, empty, or nobody in it is seen well enough.
        SkeletonError: its layout lacks too many of the network's joints.
        ConfigError: a camera whose image's size has to be known and is not (:func:`check_view`).
    """
    who = sequence.source or "the sequence"
    if sequence.dims != 2:
        raise DataError(
            f"{who}: found 3D joints ({sequence.space} space), expected 2D keypoints; it needs no lifting: "
            "use 'kinegraph convert' or 'kinegraph view'"
        )
    check_view(sequence, options)
    mapping = map_joints(sequence.skeleton, skeleton)
    notes = list(sequence.notes)
    sequence, image_size, size_known = in_pixels(sequence)
    sequence, people = _chosen(_confident(sequence, options.minimum_confidence), options.people, mapping)
    sequence = complete_faces(fill_gaps(remove_spikes(sequence), options.fill_s))
    positions, confidence = mapping.apply(sequence.positions, np.asarray(sequence.confidence))
    present, needed = _liftable(confidence, who)
    whole = np.asarray(present.any(axis=1))
    if not whole.all():
        notes.append(f"{int((~whole).sum())} people of whom no frame shows {needed} joints left out")
        people = [person for person, kept in zip(people, whole, strict=True) if kept]
        positions, confidence, present = positions[whole], confidence[whole], present[whole]
    notes += [n for n in sequence.notes if n not in notes]
    notes.append(f"mapped {mapping.source.name} -> {mapping.target.name}: {mapping.summary()}")
    confidence = np.where(present[..., None], confidence, 0.0)
    trust, told = _trust(confidence, present, mapping, options.fill_s, sequence.fps or ASSUMED_FPS)
    unseen = ~(trust[..., skeleton.root] > 0).any(axis=1)
    if unseen.any():
        # A rig hangs on its root, and the pose is relative to it anyway.
        trust[unseen, :, skeleton.root] = np.where(present[unseen], INFERRED, 0.0)
        told.append(
            f"the {skeleton.joints[skeleton.root]} is never seen: it is the network's guess, confidence {INFERRED}"
        )
    intrinsics, camera_note = _camera(positions, confidence > 0, skeleton, image_size, size_known, options)
    return PreparedKeypoints(
        positions=complete_poses(positions, confidence > 0, skeleton),
        confidence=confidence,
        present=present,
        trust=trust,
        mapping=mapping,
        people=tuple(people),
        image_size=image_size,
        intrinsics=intrinsics,
        size_known=size_known,
        notes=(*notes, *told, camera_note),
    )


def _chosen(sequence: SkeletonSequence, which: str, mapping: JointMap) -> tuple[SkeletonSequence, list[int]]:
    """The people to lift, and their numbers in the recording.

    Raises:
        DataError: nobody is seen.
    """
    people = _people(sequence, which, mapping)
    if not people:
        raise DataError(f"{sequence.source or 'the sequence'}: no person is seen in any frame; nothing to lift")
    if len(people) < sequence.people:
        why = "the main one" if which == "main" else f"the others are seen in fewer than {GHOST_FRAMES} frames"
        sequence = sequence.with_note(f"{len(people)} of {sequence.people} people lifted ({why})")
    return sequence.select_people(people), people


def _liftable(confidence: Floats, who: str) -> tuple[Mask, int]:
    """Where a pose (people, frames) has enough of the network's joints to be lifted, and how many are enough.

    Pose by pose: half a body is lifted, a stray limb is not.

    Raises:
        DataError: no pose has.
    """
    joints = confidence.shape[-1]
    needed = _needed(joints)
    present = (confidence > 0).sum(axis=-1) >= needed
    if not present.any():
        raise DataError(
            f"{who}: no frame shows the {needed} of {joints} joints that lifting needs; "
            "check the layout (--layout) and the detector's confidences"
        )
    return present, needed


def _needed(joints: int) -> int:
    """How many of a network's joints are enough of a pose."""
    return max(3, int(np.ceil(ENOUGH * joints)))


def _trust(confidence: Floats, present: Mask, mapping: JointMap, fill_s: float, fps: float) -> tuple[Floats, list[str]]:
    """Confidence (people, frames, joints) of the result, and notes on what is guessed and what stays missing.

    Args:
        confidence: (people, frames, joints) of what was seen or bridged.
        present: (people, frames) where there is a pose to lift.
        mapping: says which joints the layout lacks.
        fill_s: longest gap that is guessed, seconds.
        fps: of the recording.
    """
    seen, last = confidence > 0, confidence.shape[1] - 1
    absent = np.array([status == "missing" for status in mapping.status])
    trust = confidence.copy()
    trust[..., absent] = np.where(present, INFERRED, 0.0)[..., None]
    # At the ends of a recording nothing bridges a gap; a short one is guessed from the pose beside it.
    before, after = neighbours(seen)
    near = int(fill_s * fps + 1e-9)
    opening = (before < 0) & (after <= min(near, last))
    closing = (after > last) & (before >= max(0, last - near))
    guessed = ~seen & present[..., None] & (opening | closing)
    trust = np.where(guessed, np.maximum(trust, INFERRED), trust)
    notes = []
    lost = int((present[..., None] & ~seen & ~guessed)[..., ~absent].sum())
    if lost:
        notes.append(f"{lost} joints in gaps longer than {fill_s:g} s stay missing")
    if absent.any():
        notes.append(f"joints the layout lacks are the network's guess, confidence {INFERRED}")
    return trust, notes


def _camera(
    positions: Floats,
    seen: Mask,
    skeleton: Skeleton,
    image_size: tuple[int, int],
    size_known: bool,
    options: LiftOptions,
) -> tuple[Floats, str]:
    """As :func:`camera`, by the size of the people and by where they are if the image's size is not known."""
    if size_known:
        return camera(image_size, options)
    scales = np.concatenate([scale_of_pose(p, s, skeleton) for p, s in zip(positions, seen, strict=True)])
    flat = positions[seen]
    return camera(image_size, options, _median(scales), np.stack([flat.min(axis=0), flat.max(axis=0)]))


def camera(
    image_size: tuple[int, int], options: LiftOptions, px_per_m: float | None = None, extent: Floats | None = None
) -> tuple[Floats, str]:
    """Intrinsics ``(4,)`` = fx, fy, cx, cy in px and a note that says where they come from.

    Args:
        image_size: width and height in px.
        options: may state the focal length or the field of view.
        px_per_m: pixels per metre of body, given where the size of the image is not known: people are then taken to
            stand as far away as in training, because the keypoints' own extent would bring them far too near.
        extent: ``(2, 2)`` lowest and highest x, y of all keypoints, given likewise; the camera looks at its middle.
    """
    width, height = image_size
    centre = [width / 2, height / 2] if extent is None else list(extent.mean(axis=0))
    where = "centre of the image" if extent is None else "centre of what the keypoints span"
    if options.centre_px is not None:
        centre, where = list(options.centre_px), "centre as given"
    if options.focal_px is not None:
        focal, how = options.focal_px, "as given"
    elif options.fov_deg is not None:
        focal = width / 2 / np.tan(np.deg2rad(options.fov_deg) / 2)
        how = f"from a field of view of {options.fov_deg:g} degrees"
    elif px_per_m is not None:
        focal, how = px_per_m * DISTANCE_M, f"assumed: people about {DISTANCE_M:g} m away; --focal states it"
    else:
        focal, how = FOCAL_SHARE * max(width, height), "assumed, as in Human3.6M; --focal or --fov states it"
    return np.array([focal, focal, *centre]), f"focal length {focal:.0f} px ({how}), {where}"


def check_view(sequence: SkeletonSequence, options: LiftOptions) -> None:
    """Refuse a stated camera where it means nothing without the image's size, and nobody knows that.

    A field of view is of the image's width: keypoints in px span less than it, by any factor. Fractions of the image
    have no px to measure a focal length, a centre or a calibration in, and no shape of the image either.

    Raises:
        ConfigError: says what is needed.
    """
    if sequence.image_size is not None:
        return
    who, state = sequence.source or "the sequence", "--read image_size=1280x720 (in Python read={'image_size': ...})"
    if options.fov_deg is not None and sequence.unit == "px":
        raise ConfigError(
            f"{who}: a field of view of {options.fov_deg:g} degrees needs the width of the image, which is not stated; "
            f"add {state}, or give the focal length in px instead"
        )
    told = [
        f"{name} of {value:g} {unit}"
        for name, value, unit in (
            ("a focal length", options.focal_px, "px"),
            ("a field of view", options.fov_deg, "degrees"),
        )
        if value is not None
    ]
    told += ["a centre in px"] if options.centre_px is not None else []
    if told and sequence.unit == "normalized":
        raise ConfigError(
            f"{who}: normalised keypoints with {' and '.join(told)} need the size of the image, which is not stated; "
            f"add {state}, or image_size to the extrinsics file"
        )


def _median(values: Floats) -> float | None:
    """Median of the positive values; None where there is none."""
    good = values[np.isfinite(values) & (values > 0)]
    return float(np.median(good)) if len(good) else None


def in_pixels(sequence: SkeletonSequence) -> tuple[SkeletonSequence, tuple[int, int], bool]:
    """The sequence in px, the image's size, and whether the size is known."""
    size = sequence.image_size
    if sequence.unit == "normalized":
        width, height = size or (1000, 1000)
        note = f"normalised coordinates scaled to {width} x {height} px"
        scaled = sequence.positions * np.array([width, height], dtype=np.float64)
        return (
            sequence.replace(positions=scaled, unit="px", notes=(*sequence.notes, note)),
            (width, height),
            size is not None,
        )
    if size is not None:
        return sequence, size, True
    if not sequence.seen.any():
        return sequence, (1, 1), False
    size, note = spanned_size(sequence)
    return sequence.with_note(note), size, False


def spanned_size(sequence: SkeletonSequence) -> tuple[tuple[int, int], str]:
    """Width and height in px that reach as far as the keypoints, for an image whose size nobody states; and a note."""
    width, height = (int(np.ceil(max(float(v), 1.0))) for v in np.max(sequence.positions[sequence.seen], axis=0))
    return (width, height), f"image size not stated: {width} x {height} px assumed, what the keypoints span"


def _confident(sequence: SkeletonSequence, minimum: float) -> SkeletonSequence:
    confidence = np.asarray(sequence.confidence)
    doubtful = (confidence > 0) & (confidence < minimum)
    if not doubtful.any():
        return sequence
    note = f"{int(doubtful.sum())} keypoints with a confidence under {minimum:g} taken as missing"
    return sequence.replace(
        confidence=np.where(doubtful, 0.0, confidence), rotations=None, notes=(*sequence.notes, note)
    )


def main_of_each(
    pictures: SkeletonSequence, mapping: JointMap, minimum_confidence: float = 0.0
) -> tuple[SkeletonSequence, str]:
    """One person, the largest of each picture, who need not be the same one in two of them; and a note that says so.

    Args:
        pictures: 2D.
        mapping: to the network's joints: of those who show enough of them to be lifted, if anybody does.
        minimum_confidence: keypoints under it count as missing.
    """
    frames = np.arange(pictures.frames)
    sure = _confident(pictures, minimum_confidence)
    largest = [_people(sure.slice_frames(t, t + 1), "main", mapping) for t in frames.tolist()]
    who = np.array([people[0] if people else 0 for people in largest])
    arrays = {name: getattr(pictures, name) for name in PER_FRAME}
    chosen = {name: array[who, frames][None] for name, array in arrays.items() if array is not None}
    return pictures.replace(**chosen), f"the largest of up to {pictures.people} people in each picture"


def _people(sequence: SkeletonSequence, which: str, mapping: JointMap) -> list[int]:
    """Indices of the people to lift, in order; the main one is one of those who can be lifted, if anybody can."""
    frames = sequence.present.sum(axis=1)
    fewest = GHOST_FRAMES if sequence.frames >= 10 * GHOST_FRAMES else 1
    kept = [int(p) for p in np.flatnonzero(frames >= fewest)] or [int(p) for p in np.flatnonzero(frames > 0)]
    if which == "all" or len(kept) < 2:
        return kept
    faced = complete_faces(sequence)
    _, confidence = mapping.apply(faced.positions, np.asarray(faced.confidence))
    able = ((confidence > 0).sum(axis=-1) >= _needed(confidence.shape[-1])).any(axis=1)
    kept = [p for p in kept if able[p]] or kept

    def weight(person: int) -> float:
        seen = sequence.seen[person]
        shown = np.where(seen[..., None], sequence.positions[person], np.nan)[seen.any(axis=-1)]
        return float(np.linalg.norm(np.nanmax(shown, axis=1) - np.nanmin(shown, axis=1), axis=-1).sum())

    return [max(kept, key=weight)]
