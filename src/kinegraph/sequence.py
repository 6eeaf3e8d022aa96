"""The one exchange type: positions of named joints over time, with everything needed to read them rightly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import DataError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.posing import bridge_gaps
from kinegraph.naming import as_text
from kinegraph.skeleton import JointMap, Skeleton, get_skeleton, map_joints

Unit = Literal["m", "px", "normalized"]
UNIT_NAMES: Mapping[Unit, str] = {"m": "metres", "px": "px", "normalized": "fractions of the image"}
"""Units as messages call them."""
Space = Literal["world", "camera", "image"]
Up = Literal["y", "z"]
NO_VIDEO = "the images are no video"
"""How a reader notes that its frames are unrelated images; a note stays through every format that keeps them."""
#: the arrays that have people and frames as their first axes
PER_FRAME = ("positions", "confidence", "rotations", "uncertainty", "contact")
_AGREE_M = 1e-3  # by which positions may differ from what rotations and offsets make
#: joints over all people and frames, 1.2 GB of positions: a file may claim 0.0001 fps, and resampling must not fill
#: the memory on its word
_MOST_VALUES = 50_000_000
#: by which seconds may fall short of a frame and reach it all the same: times and rates come rounded (to microseconds,
#: 0.033333 s a frame), and the frame they lose is the one that a network which looks back exactly so far lacks
_ROUNDING_S = 1e-5


def frames_within(seconds: float, fps: float) -> int:
    """Frames of an even rate that so many seconds hold, those at both ends included.

    Whoever asks whether a past is long enough asks this, and whoever then takes frames from it takes so many.
    """
    # a hundredth of a frame at most: at thousands a second microseconds are no rounding
    return int(np.floor(seconds * fps + min(_ROUNDING_S * fps, 0.01))) + 1


@dataclass(frozen=True, eq=False, repr=False)
class SkeletonSequence:
    """Joint positions of one or several people over time.

    ``positions`` are NaN exactly where ``confidence`` is 0: a missing joint never looks like a joint at the origin.
    A person who is absent in a frame has all joints missing there.

    Args:
        positions: ``(people, frames, joints, dims)`` with dims 2 or 3; ``(frames, joints, dims)`` means one person.
        skeleton: names and structure of the joint axis.
        fps: frames per second, ``None`` if unknown.
        unit: ``"m"`` (metres), ``"px"``, or ``"normalized"`` (fractions of the image, or of no stated size).
        space: ``"world"``; ``"camera"`` (x right, y down, z forward); ``"image"`` (x right, y down).
        up: which axis of world space points up; only there.
        confidence: ``(people, frames, joints)`` in 0..1; ``None`` means 1 wherever the position is finite.
        rotations: local joint rotations ``(people, frames, joints, 4)``, unit quaternions xyzw that turn the joint's
            space into its parent's; ``None`` when the recording has positions only.
        offsets: rest offset of each joint from its parent ``(joints, 3)`` in metres, the bones of ``rotations``.
        image_size: ``(width, height)`` in px for image space.
        label: what is done, if known.
        source: what it was read from, or is called: errors name it.
        notes: what was assumed or changed on the way, for people.
        uncertainty: how far each joint may be off, in the positions' unit ``(people, frames, joints, 2)``: half of the
            errors are expected below the first number, nine in ten below the second. NaN where there is no estimate;
            ``None`` when nothing was estimated. A lifted joint's is relative to the root, a forecast one's absolute.
        contact: ``(people, frames, joints)`` bool: which joints touch the floor; ``None`` when that was not looked for.
        origin: what it was made of, where the file that it was read from says so.

    Raises:
        DataError: shapes do not fit, a value is infinite, or a confidence is outside 0..1.
    """

    positions: NDArray[np.float64]
    skeleton: Skeleton
    fps: float | None = None
    unit: Unit = "m"
    space: Space = "world"
    up: Up | None = None
    confidence: NDArray[np.float64] | None = None
    rotations: NDArray[np.float64] | None = None
    offsets: NDArray[np.float64] | None = None
    image_size: tuple[int, int] | None = None
    label: str | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    uncertainty: NDArray[np.float64] | None = None
    contact: NDArray[np.bool_] | None = None
    origin: str = ""

    def __repr__(self) -> str:
        """One line: what it is, not its numbers."""
        who = f"{self.source}: " if self.source else ""
        people, frames = self.positions.shape[:2]
        rate = "at an unknown rate" if self.fps is None else f"at {self.fps:g} fps"
        where = f"{self.space}, {self.up} up" if self.up else self.space
        more = [name for name in ("rotations", "uncertainty", "contact") if getattr(self, name) is not None]
        more += [f"{len(self.notes)} notes"] if self.notes else []
        return (
            f"<SkeletonSequence {who}{people} {'person' if people == 1 else 'people'}, {frames} frames {rate}, "
            f"{self.skeleton.name}, {self.dims}D {self.unit} ({where}){'; with ' if more else ''}{', '.join(more)}>"
        )

    def __post_init__(self) -> None:
        def put(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        put("source", as_text(self.source))
        put("origin", as_text(self.origin))
        who = self.source or "sequence"
        positions = np.array(self.positions, dtype=np.float64)
        single = positions.ndim == 3
        if single:
            positions = positions[None]
        if positions.ndim != 4 or positions.shape[-1] not in (2, 3):
            raise DataError(
                f"{who}: positions have shape {np.shape(self.positions)}; expected (people, frames, joints, 2 or 3)"
            )
        if positions.shape[2] != self.skeleton.num_joints:
            raise DataError(
                f"{who}: positions have {positions.shape[2]} joints, but layout '{self.skeleton.name}' has "
                f"{self.skeleton.num_joints}; name the layout the file was made with"
            )
        finite = np.isfinite(positions).all(axis=-1)
        confidence = finite.astype(np.float64) if self.confidence is None else self._lead(self.confidence, single)
        if confidence.shape != positions.shape[:3]:
            raise DataError(f"{who}: confidence has shape {confidence.shape}; expected {positions.shape[:3]}")
        if not np.all((confidence >= 0) & (confidence <= 1)):
            raise DataError(f"{who}: a confidence is outside 0..1 or not a number; scale it, 0 means missing")
        bad = np.isinf(positions).any(axis=-1) | (~finite & (confidence > 0))
        if bad.any():
            person, frame, joint = (int(i) for i in np.argwhere(bad)[0])
            raise DataError(
                f"{who}: joint '{self.skeleton.joints[joint]}' of person {person} in frame {frame} is not finite "
                f"({positions[person, frame, joint].tolist()}); mark it missing with confidence 0"
            )
        positions[confidence == 0] = np.nan
        put("positions", positions)
        put("confidence", confidence)
        if self.fps is not None and not (np.isfinite(self.fps) and self.fps > 0):
            raise DataError(f"{who}: fps is {self.fps}; expected a positive number, or None if unknown")
        if self.unit not in ("m", "px", "normalized"):
            raise DataError(f"{who}: unit '{self.unit}' is unknown; choose m, px or normalized")
        if self.space not in ("world", "camera", "image"):
            raise DataError(f"{who}: space '{self.space}' is unknown; choose world, camera or image")
        if self.up is not None and (self.space != "world" or self.up not in ("y", "z")):
            raise DataError(f"{who}: up='{self.up}' in {self.space} space; only world space has an up axis, y or z")
        if self.image_size is not None and not (len(self.image_size) == 2 and min(self.image_size) >= 1):
            raise DataError(f"{who}: image_size is {self.image_size}; expected width and height in px, at least 1 each")
        if self.rotations is not None:
            rotations = self._lead(self.rotations, single)
            if rotations.shape != (*positions.shape[:3], 4):
                raise DataError(f"{who}: rotations have shape {rotations.shape}; expected {(*positions.shape[:3], 4)}")
            if not np.isfinite(rotations).all():
                raise DataError(f"{who}: a rotation is not finite")
            put("rotations", rotations)
        if self.offsets is not None:
            offsets = np.array(self.offsets, dtype=np.float64)
            if offsets.shape != (self.skeleton.num_joints, 3) or not np.isfinite(offsets).all():
                raise DataError(f"{who}: offsets must be finite, of shape ({self.skeleton.num_joints}, 3)")
            put("offsets", offsets)
        if self.uncertainty is not None:
            put("uncertainty", self._uncertain(self._lead(self.uncertainty, single), who))
        if self.contact is not None:
            contact = np.array(self.contact)
            contact = contact[None] if single else contact
            if contact.shape != positions.shape[:3] or contact.dtype != np.bool_:
                raise DataError(
                    f"{who}: contact is {contact.dtype} {contact.shape}; expected bool {positions.shape[:3]}"
                )
            put("contact", contact & finite)
        put("notes", tuple(self.notes))
        for array in (self.positions, self.confidence, self.rotations, self.offsets, self.uncertainty, self.contact):
            if array is not None:
                array.setflags(write=False)

    @staticmethod
    def _lead(array: ArrayLike, single: bool) -> NDArray[np.float64]:
        """Copy to float64 and add the people axis if the positions lacked it."""
        result = np.array(array, dtype=np.float64)
        return result[None] if single else result

    def _uncertain(self, quantiles: NDArray[np.float64], who: str) -> NDArray[np.float64]:
        """Checked quantiles of the error, NaN where the joint is missing."""
        expected = (*self.positions.shape[:3], 2)
        if quantiles.shape != expected:
            raise DataError(f"{who}: uncertainty has shape {quantiles.shape}; expected {expected}")
        low, high = quantiles[..., 0], quantiles[..., 1]
        if np.isinf(quantiles).any() or (quantiles < 0).any() or (low > high).any():
            raise DataError(
                f"{who}: uncertainty must hold, per joint, the error's 50 % and 90 % quantile: 0 or more, in that order"
            )
        return np.where(np.isnan(self.positions).any(axis=-1, keepdims=True), np.nan, quantiles)

    # ---- sizes ----------------------------------------------------------------------------------------------------

    @property
    def people(self) -> int:
        """Number of people."""
        return int(self.positions.shape[0])

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.positions.shape[1])

    @property
    def joints(self) -> int:
        """Number of joints."""
        return int(self.positions.shape[2])

    @property
    def dims(self) -> int:
        """2 or 3."""
        return int(self.positions.shape[3])

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame's start to the last one's end; ``None`` if the rate is unknown."""
        return None if self.fps is None else self.frames / self.fps

    @property
    def is_video(self) -> bool:
        """Whether the frames follow each other in time; no where the reader found pictures that are unrelated."""
        return not any(note.startswith(NO_VIDEO) for note in self.notes)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """``(people, frames, joints)``: which joints are there."""
        assert self.confidence is not None  # set in __post_init__
        mask: NDArray[np.bool_] = self.confidence > 0
        return mask

    @property
    def present(self) -> NDArray[np.bool_]:
        """``(people, frames)``: who is there at all."""
        return np.asarray(self.seen.any(axis=-1))

    @property
    def missing_share(self) -> float:
        """Share of the joints that are missing, over the frames in which their person is there; NaN of nobody."""
        return float(1 - self.seen[self.present].mean()) if self.present.any() else float("nan")

    @property
    def contact_share(self) -> float | None:
        """Share of the frames in which a person is there in which a joint of theirs touches the floor.

        NaN of nobody, and None where contact was not looked for.
        """
        if self.contact is None:
            return None
        return float(self.contact[self.present].any(axis=-1).mean()) if self.present.any() else float("nan")

    def is_posed(self, person: int) -> bool:
        """Whether somebody's positions are those that their rotations and offsets make, to a millimetre.

        They are not where a transform moved the positions alone, and where there are no rotations. Missing joints are
        not compared; a missing root is bridged in time.
        """
        if self.rotations is None or self.offsets is None or self.dims != 3 or len(self.skeleton.roots) != 1:
            return False
        root = self.positions[person][:, [self.skeleton.root]]
        if np.isnan(root).all():
            return False
        made = bridge_gaps(root) + self._from_root(self.rotations[person])
        return not bool((np.abs(made - self.positions[person]) > _AGREE_M).any())

    def _from_root(self, rotations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Joints from the root ``(frames, joints, 3)``, as rotations ``(frames, joints, 4)`` and offsets put them."""
        assert self.offsets is not None
        offsets = self.offsets.copy()
        offsets[self.skeleton.root] = 0.0
        return forward_kinematics(self.skeleton.parents, rotations, offsets)[0]

    # ---- derived sequences ----------------------------------------------------------------------------------------

    def replace(self, **changes: Any) -> SkeletonSequence:
        """A copy with some fields changed, checked anew."""
        return dataclass_replace(self, **changes)

    def _each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> dict[str, Any]:
        """Every array that has people and frames, changed alike; keyword arguments of :meth:`replace`."""
        arrays = {name: getattr(self, name) for name in PER_FRAME}
        return {name: None if array is None else change(array) for name, array in arrays.items()}

    def with_note(self, *notes: str) -> SkeletonSequence:
        """A copy with notes appended."""
        return self.replace(notes=(*self.notes, *notes))

    def select_people(self, people: Sequence[int]) -> SkeletonSequence:
        """Only the named people, in that order.

        Raises:
            DataError: there is no such person.
        """
        chosen = list(people)
        if any(not 0 <= p < self.people for p in chosen) or not chosen:
            raise DataError(
                f"{self.source or 'sequence'}: no person {chosen}; there are {self.people}, numbered from 0"
            )
        return self.replace(**self._each(lambda array: array[chosen]))

    def slice_frames(
        self, start: int | None = None, stop: int | None = None, step: int | None = None
    ) -> SkeletonSequence:
        """Frames ``start:stop:step``; a step divides the frame rate.

        Raises:
            DataError: nothing is left.
        """
        cut = slice(start, stop, step)
        if not range(self.frames)[cut]:
            raise DataError(f"{self.source or 'sequence'}: frames {start}:{stop}:{step} of {self.frames} are none")
        rate = None if self.fps is None else self.fps / abs(step or 1)
        return self.replace(**self._each(lambda array: array[:, cut]), fps=rate)

    def to_skeleton(self, target: str | Skeleton, *, minimum: float = 0.5) -> SkeletonSequence:
        """The same motion on another layout, joints matched by name; rotations and offsets are dropped.

        Args:
            target: the layout, or its name (:func:`kinegraph.get_skeleton`).
            minimum: share of the target's joints that must be found.

        Raises:
            SkeletonError: there is no such layout, or too few joints of it can be had.
        """
        target = get_skeleton(target)
        if target == self.skeleton:
            return self
        mapping: JointMap = map_joints(self.skeleton, target, minimum=minimum)
        positions, confidence = mapping.apply(self.positions, self.confidence)
        return self.replace(
            positions=positions,
            confidence=confidence,
            skeleton=target,
            rotations=None,
            offsets=None,
            uncertainty=None if self.uncertainty is None else _mapped_uncertainty(self.uncertainty, mapping.weights),
            contact=None if self.contact is None else _mapped_contact(self.contact, mapping.weights),
            notes=(*self.notes, f"mapped {self.skeleton.name} -> {target.name}: {mapping.summary()}"),
        )

    def resample(self, fps: float) -> SkeletonSequence:
        """At another frame rate: rotations along the shortest arc, positions linearly.

        Where rotations and offsets make the positions (:meth:`is_posed`), they do so afterwards: joints then go round
        their parents, bones keep their lengths, and only the root moves linearly. A new frame between two old ones has
        a joint only if both old frames have it.

        Raises:
            DataError: this sequence's rate is unknown, or the new one is not positive.
        """
        if self.fps is None:
            raise DataError(f"{self.source or 'sequence'}: the frame rate is unknown; state it (fps) before resampling")
        if not (np.isfinite(fps) and 0 < fps <= 10_000):
            raise DataError(f"cannot resample to {fps} fps; expected a positive number up to 10000")
        if fps == self.fps:
            return self
        last = self.frames - 1
        count = frames_within(last / self.fps, fps)
        if count * self.people * self.joints > _MOST_VALUES:
            raise DataError(
                f"{self.source or 'sequence'}: {self.frames} frames at {self.fps:g} fps would become {count} "
                f"at {fps:g}, which no memory holds; check the frame rate the file claims"
            )
        times = np.minimum(np.arange(count) * (self.fps / fps), last)
        before = np.floor(times).astype(int)
        share = times - before
        near = np.abs(share - np.round(share)) < 1e-9
        before = np.where(near, np.round(times).astype(int), before)
        share = np.where(near, 0.0, share)
        after = np.minimum(before + (share > 0), last)
        w = share[None, :, None]
        assert self.confidence is not None
        a, b = self.positions[:, before], self.positions[:, after]
        confidence = np.minimum(self.confidence[:, before], self.confidence[:, after])
        positions = np.where(w[..., None] == 0, a, (1 - w[..., None]) * a + w[..., None] * b)
        rotations = None if self.rotations is None else _slerp(self.rotations[:, before], self.rotations[:, after], w)
        for person in range(self.people):
            if self.rotations is not None and rotations is not None and self.is_posed(person):
                # The straight line cuts the corner of a turning limb; what it lacks is what it lacks from the root.
                old, new = self._from_root(self.rotations[person]), self._from_root(rotations[person])
                cut = new - _between(old[None], before, after, w)[0]
                positions[person] += np.where(w[0, ..., None] == 0, 0.0, cut)
        return self.replace(
            positions=positions,
            confidence=confidence,
            rotations=rotations,
            uncertainty=None
            if self.uncertainty is None
            else np.where(w[..., None] == 0, self.uncertainty[:, before], _between(self.uncertainty, before, after, w)),
            contact=None
            if self.contact is None
            else np.where(share[None, :, None] < 0.5, self.contact[:, before], self.contact[:, after]),
            fps=float(fps),
            notes=(*self.notes, f"resampled from {self.fps:g} to {fps:g} fps"),
        )


def _between(
    values: NDArray[np.float64], before: NDArray[np.int64], after: NDArray[np.int64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear interpolation of ``(people, frames, joints, n)`` with the share ``(1, frames, 1)`` of the later frame."""
    result: NDArray[np.float64] = (1 - share[..., None]) * values[:, before] + share[..., None] * values[:, after]
    return result


def _mapped_uncertainty(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantiles of weighted means of joints: the weighted mean of theirs, as if their errors went together."""
    used = weights != 0
    known = np.einsum("ts,pfsq->pftq", np.abs(weights), np.nan_to_num(values))
    lacking = np.einsum("ts,pfsq->pftq", used.astype(np.float64), np.isnan(values).astype(np.float64)) > 0
    return np.where(lacking | ~used.any(axis=1)[:, None], np.nan, known)


def _mapped_contact(values: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.bool_]:
    """A mean of joints touches the floor where all of them do."""
    used = weights != 0
    apart = np.einsum("ts,pfs->pft", used.astype(np.float64), (~values).astype(np.float64)) > 0
    result: NDArray[np.bool_] = ~apart & used.any(axis=1)
    return result


def _slerp(a: NDArray[np.float64], b: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spherical interpolation of unit quaternions ``(..., 4)`` along the shorter arc."""
    dot = np.sum(a * b, axis=-1)
    b = np.where(dot[..., None] < 0, -b, b)
    angle = np.arccos(np.clip(np.abs(dot), 0.0, 1.0))
    small = angle < 1e-6
    sine = np.where(small, 1.0, np.sin(angle))
    wa = np.where(small, 1 - share, np.sin((1 - share) * angle) / sine)[..., None]
    wb = np.where(small, share, np.sin(share * angle) / sine)[..., None]
    mixed = wa * a + wb * b
    result: NDArray[np.float64] = mixed / np.linalg.norm(mixed, axis=-1, keepdims=True)
    return result
