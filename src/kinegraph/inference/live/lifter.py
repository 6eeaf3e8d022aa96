"""Lifting while it happens: keypoints of one moment in, 3D of that moment out.

Each answer knows nothing but the present and the past, and equals what :meth:`Lifter.lift` gives for the last frame of
the recording up to now, where that does not look ahead (one-euro filter or none, limbs and root as the network gives
them). Steady limbs, the view that follows a person and their distance are learnt on the way instead of from the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from kinegraph.datasets.window_pace import blended, frames_apart
from kinegraph.errors import ConfigError, DataError
from kinegraph.formats.keypoints.tracking import ORDINARY_FPS, Tracker
from kinegraph.inference.answers import finite
from kinegraph.inference.framing import DISTANCE_M, FAR, FOCAL_PX, NEAR, SIDE_PX, Framing, scale_of_pose
from kinegraph.inference.live.frames import Clock, Id, read_frame
from kinegraph.inference.live.person import PersonState
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import make_rigid
from kinegraph.inference.preparation import ENOUGH, INFERRED, camera
from kinegraph.inference.traced import Forward, traced
from kinegraph.models.lifting_model import mirrored, with_residual
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints
from kinegraph.transforms.completion import face_pairs, share_faces
from kinegraph.transforms.gaps import ASSUMED_FPS, LONGEST_GAP_S
from kinegraph.transforms.image_units import checked_size

if TYPE_CHECKING:
    from kinegraph.inference.lifter import Lifter

__all__ = ["LiftStream", "LiftedFrame", "LiveLiftOptions"]

Floats = NDArray[np.float64]
_RECORDED = 2  # people for whom the network is recorded; for more it runs as it is


@dataclass(frozen=True, kw_only=True)
class LiveLiftOptions:
    """How keypoints are lifted live.

    Args:
        flip: average the network's answers for the pose and its mirror image.
        hold_s: a joint that was seen no longer ago than this is guessed, with a low confidence; else it is missing.
        minimum_confidence: keypoints under it count as missing.
        one_euro: smooth with the causal one-euro filter.
        rigid: limbs of one length, learnt over the last poses.
        root: ``"estimated"`` before the camera, ``"relative"`` at the origin.
        framing: as of :class:`LiftOptions`; ``"image"`` needs the image's size.
        focal_px: of the camera, as of :class:`LiftOptions`.
        fov_deg: likewise.
        centre_px: likewise.
        away_s: who is not seen for longer is forgotten.

    Raises:
        ConfigError: a value outside its range.
    """

    flip: bool = True
    hold_s: float = 0.5
    minimum_confidence: float = 0.1
    one_euro: bool = True
    rigid: bool = True
    root: Literal["estimated", "relative"] = "estimated"
    framing: Literal["auto", "image", "person"] = "auto"
    focal_px: float | None = None
    fov_deg: float | None = None
    centre_px: tuple[float, float] | None = None
    away_s: float = 1.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.hold_s) and self.hold_s >= 0):
            raise ConfigError(f"live lift: hold_s is {self.hold_s}; expected seconds, 0 or more")
        if not (np.isfinite(self.away_s) and self.away_s > 0):
            raise ConfigError(f"live lift: away_s is {self.away_s}; expected seconds, above 0")
        self.camera()  # checks what the two have in common

    def camera(self) -> LiftOptions:
        """What it shares with recordings."""
        return LiftOptions(
            fill_s=self.hold_s,
            minimum_confidence=self.minimum_confidence,
            root=self.root,
            framing=self.framing,
            focal_px=self.focal_px,
            fov_deg=self.fov_deg,
            centre_px=self.centre_px,
        )


class LiftedFrame(NamedTuple):
    """One moment, lifted."""

    time: float
    """Seconds."""
    ids: tuple[Id, ...]
    """Of the people who could be lifted."""
    positions: Floats
    """(people, joints, 3) metres, camera space: x right, y down, z forward; NaN where missing."""
    confidence: Floats
    """(people, joints)."""


class LiftStream:
    """A lifter fed one frame at a time; made by :meth:`Lifter.stream`.

    A network over a window of past frames (``causal`` weights) looks at its moments in time, whatever the frames' rate;
    one that was trained to look ahead too takes the last pose for those to come, as at the end of a recording.

    Args:
        lifter: the network.
        skeleton: layout of the keypoints, or its name.
        fps: nominal rate; frames without a stated time come at it.
        image_size: width and height, px; None assumes people about 5 m away, and keeps that until :meth:`reset`.
        unit: ``"px"`` or ``"normalized"`` (fractions of the image).
        options: see :class:`LiveLiftOptions`.
        fast: record the network's operations for speed (a second at the start); the numbers are the same to 1e-5.

    Attributes:
        skeleton: of the result.
        notes: what was assumed so far.

    Raises:
        ConfigError: an unknown unit, or options that need the image's size without it.
        DataError: normalised keypoints without it, or a size that is none.
    """

    def __init__(
        self,
        lifter: Lifter,
        skeleton: str | Skeleton,
        *,
        fps: float = ASSUMED_FPS,
        image_size: tuple[int, int] | None = None,
        unit: Literal["px", "normalized"] = "px",
        options: LiveLiftOptions | None = None,
        fast: bool = False,
    ) -> None:
        self.lifter, self.options, self.fps = lifter, options or LiveLiftOptions(), float(fps)
        self._clock = Clock(self.fps)
        self.layout = get_skeleton(skeleton)
        self.skeleton = lifter.skeleton
        self.mapping = map_joints(self.layout, self.skeleton)
        if unit not in ("px", "normalized"):
            raise ConfigError(f"stream: unit is '{unit}'; choose px or normalized")
        image_size = None if image_size is None else checked_size(image_size, "stream")
        if unit == "normalized" and image_size is None:
            raise DataError("stream: normalised keypoints need the image's size: image_size=(width, height)")
        if image_size is None and self.options.fov_deg is not None:
            raise ConfigError("stream: a field of view needs the image's size: image_size=(width, height); or focal_px")
        if image_size is None and self.options.framing == "image":
            raise ConfigError(
                "stream: the framing is image, whose size is not stated; give image_size=(width, height), or the "
                "framing person, which needs none"
            )
        self.image_size, self.unit = image_size, unit
        self._absent = np.array([status == "missing" for status in self.mapping.status])
        self._needed = max(3, int(np.ceil(ENOUGH * self.skeleton.num_joints)))
        self._used = [np.flatnonzero(row) for row in self.mapping.weights]
        self._faces = face_pairs(self.layout)
        self._mirror = torch.tensor(self.skeleton.mirror)
        self._moments = self._window_moments()
        self._forward: dict[int, Forward] = {}
        if fast and isinstance(lifter.model, torch.nn.Module):
            window = () if lifter.frames == 1 else (lifter.frames,)
            tail = (*window, self.skeleton.num_joints, lifter.transform.channels)
            for people in range(1, _RECORDED + 1):
                rows = 2 * people if self.options.flip else people
                self._forward[rows] = traced(lifter.model, lambda model, x: model(x), (rows, *tail))
        self.reset()

    def reset(self) -> None:
        """Forget everybody and everything learnt on the way."""
        self._clock = Clock(self.fps)
        # Who is in the very next frame was not away, however slow the stream.
        self._tracker = Tracker(away=max(self.options.away_s, 1.5 / self.fps) * ORDINARY_FPS)
        self._people: dict[Id, PersonState] = {}
        self._intrinsics: Floats | None = None
        self._image: bool | None = None
        self.notes: tuple[str, ...] = ()
        if self.image_size is not None:
            self._intrinsics, note = camera(self.image_size, self.options.camera())
            self.notes = (note,)

    def push(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> LiftedFrame:
        """Lift the people of one moment.

        Args:
            people: ``(people, joints, 2)``, or 3 with confidences, or one person ``(joints, ...)``; None for nobody.
                NaN or a confidence of 0 is a missing joint.
            time: seconds, after the frame before; None: at the nominal rate.
            ids: who is who; a tracker says it if None.

        Raises:
            DataError: another shape, a time that goes back, or values that are none.
        """
        moment = self._clock.tick(time)
        frame = read_frame(moment, people, ids, self.layout.num_joints, 2, self.layout.name)
        names = tuple(self._tracker.step(list(frame.positions), moment)) if ids is None else frame.ids
        self._people = {i: one for i, one in self._people.items() if moment - one.time <= self.options.away_s}
        points, sure = self._cleaned(frame.positions, frame.confidence)
        rows = np.flatnonzero((sure > 0).sum(axis=1) >= self._needed)
        if not len(rows):
            empty = np.zeros((0, self.skeleton.num_joints, 3))
            return LiftedFrame(moment, (), empty, empty[..., 0])
        chosen = tuple(names[row] for row in rows)
        points, sure = points[rows], sure[rows]
        seen = sure > 0
        states = [self._person(name) for name in chosen]
        since = np.stack([state.since for state in states])
        held = ~seen & ~self._absent & (moment - since <= self.options.hold_s + 1e-9)
        root = self.skeleton.root
        held[:, root] |= ~seen[:, root] & np.isinf(since[:, root])  # never seen: a guess, as in recordings
        trust = np.where(seen, sure, np.where(held | self._absent, INFERRED, 0.0))
        points = np.stack([state.complete(p, s) for state, p, s in zip(states, points, seen, strict=True)])
        if self._intrinsics is None:
            self._assume_camera(points, seen)
        poses = self._poses(moment, states, points, sure)
        positions = np.stack(
            [self._finished(moment, *each) for each in zip(states, poses, points, sure, trust, strict=True)]
        )
        for state, there in zip(states, seen, strict=True):
            state.since[there] = moment
            state.time = moment
        return LiftedFrame(moment, chosen, positions, trust)

    def _person(self, name: Id) -> PersonState:
        if name not in self._people:
            self._people[name] = PersonState(self.skeleton, self.fps, turn=len(self._people))
        return self._people[name]

    # ---- before the network ------------------------------------------------------------------------------------

    def _cleaned(self, positions: Floats, confidence: Floats) -> tuple[Floats, Floats]:
        """Keypoints (people, joints, 2) px and confidence (people, joints) of the network's joints."""
        sure = np.where(confidence < self.options.minimum_confidence, 0.0, confidence)
        points = positions.copy()
        if self.unit == "normalized":
            points = points * np.array(self.image_size, dtype=np.float64)
        share_faces(points, sure, self._faces)
        mapped = self.mapping.weights @ np.where((sure > 0)[..., None], points, 0.0)
        result = np.zeros(mapped.shape[:2])
        for row, used in enumerate(self._used):
            if len(used):
                result[:, row] = sure[:, used].min(axis=1)
        return mapped, result

    def _assume_camera(self, points: Floats, seen: NDArray[np.bool_]) -> None:
        """The image's size is not known: the first people are taken to stand as far away as in training."""
        scale = scale_of_pose(points, seen, self.skeleton)
        good = scale[np.isfinite(scale) & (scale > 0)]
        flat = points[seen]
        extent = np.stack([flat.min(axis=0), flat.max(axis=0)])
        width, height = (max(1, int(np.ceil(v))) for v in extent[1])
        self._intrinsics, note = camera(
            (width, height), self.options.camera(), float(np.median(good)) if len(good) else None, extent
        )
        self.notes = (*self.notes, f"image size not stated: {note}")

    def _window_moments(self) -> Floats:
        """Seconds before now (frames,) at which the network's window looks."""
        pace = frames_apart(self.fps, self.lifter.fps)
        offsets: Floats = np.minimum(np.arange(self.lifter.frames) - self.lifter.target, 0) * pace / self.fps
        return offsets

    def _suits(self, scale: float) -> bool:
        """Whether the network sees the image itself; it stays with a view until that is clearly the wrong one."""
        if self.options.framing != "auto":
            return self.options.framing == "image"
        if self.image_size is None or self.lifter.transform.normalise != "screen":
            return False
        share, slack = scale / self.image_size[0], 1.1
        if self._image is None:
            self._image = FAR <= share <= NEAR
        elif self._image:
            self._image = FAR / slack <= share <= NEAR * slack
        else:
            self._image = FAR * slack <= share <= NEAR / slack
        return self._image

    # ---- the network -------------------------------------------------------------------------------------------

    def _poses(self, moment: float, states: list[PersonState], points: Floats, sure: Floats) -> Floats:
        """Root-relative poses (people, joints, 3), metres, camera axes."""
        lifter, transform = self.lifter, self.lifter.transform
        assert self._intrinsics is not None
        views = [state.follow(moment, p, s > 0) for state, p, s in zip(states, points, sure, strict=True)]
        framing = Framing(centre=np.stack([c for c, _ in views]), px_per_m=np.array([s for _, s in views]))
        image = np.array([self._suits(scale) for _, scale in views])
        size = np.array(self.image_size or (1, 1), dtype=np.float64)
        shown, sizes = points, np.tile(size, (len(points), 1))
        intrinsics = np.tile(self._intrinsics, (len(points), 1))
        if not image.all():
            shown = np.where(image[:, None, None], points, framing.apply(points))
            sizes = np.where(image[:, None], sizes, float(SIDE_PX))
            virtual = np.array([FOCAL_PX, FOCAL_PX, SIDE_PX / 2, SIDE_PX / 2])
            intrinsics = np.where(image[:, None], intrinsics, virtual)
        told = sure if transform.confidence else np.ones_like(sure)
        inputs = transform.encode_inputs(shown, told, sizes)
        if lifter.frames > 1:
            inputs = np.stack([self._window(moment, state, x) for state, x in zip(states, inputs, strict=True)])
        output = self._answer(torch.from_numpy(np.ascontiguousarray(inputs)))
        if transform.target == "pixel":
            depth = np.where(image, self._intrinsics[0] / framing.px_per_m, DISTANCE_M)
            absolute = transform.decode(output, intrinsics, sizes, depth)
            poses = absolute - absolute[:, self.skeleton.root, None]
        else:
            poses = transform.decode(output)
        if not image.all():
            poses = np.where(image[:, None, None], poses, framing.turn_back(poses, self._intrinsics))
        return poses

    def _window(self, moment: float, state: PersonState, now: NDArray[np.float32]) -> NDArray[np.float32]:
        """Encoded poses (frames, joints, channels) of the window's moments, between frames blended, the first held."""
        past = state.inputs
        if past and moment - past[-1][0] > max(LONGEST_GAP_S, 1.5 / self.fps) + 1e-9:
            past.clear()
        past.append((moment, now))
        while len(past) > 2 and past[1][0] <= moment + self._moments[0] - 1e-6:
            past.popleft()
        times = np.array([t for t, _ in past])
        wanted = moment + self._moments
        after = np.minimum(np.searchsorted(times, wanted - 1e-6), len(times) - 1)
        before = np.where((np.abs(times[after] - wanted) < 1e-6) | (after == 0), after, after - 1)
        apart = np.where(after > before, times[after] - times[before], 1.0)
        w = np.where(after > before, (wanted - times[before]) / apart, 0.0).astype(np.float32)
        poses = np.stack([x for _, x in past])
        return blended(poses[before], poses[after], w)

    def _answer(self, batch: torch.Tensor) -> Floats:
        """Network outputs (people, joints, 3), residual added, averaged with the mirror image's."""
        both = torch.cat([batch, mirrored(batch, self._mirror)]) if self.options.flip else batch
        with torch.inference_mode():
            output: torch.Tensor = self._forward.get(len(both), self.lifter.model)(both)
            if self.lifter.transform.residual:
                output = with_residual(output, both, self.lifter.target)
            if self.options.flip:
                own, other = output.chunk(2)
                output = (own.double() + mirrored(other, self._mirror).double()) / 2
        return finite(output.double().numpy(), self.lifter.folder)

    # ---- after the network -------------------------------------------------------------------------------------

    def _finished(
        self, moment: float, state: PersonState, pose: Floats, points: Floats, sure: Floats, trust: Floats
    ) -> Floats:
        """One person's joints (joints, 3): smoothed, rigid, placed; NaN where they stay missing."""
        assert self._intrinsics is not None
        if self.options.one_euro:
            pose = state.smooth(moment, pose)
        if self.options.rigid:
            pose = make_rigid(pose[None], state.limbs(pose, trust), self.skeleton)[0]
        if self.options.root == "estimated":
            rays = (points - self._intrinsics[2:]) / self._intrinsics[:2]
            pose = pose + state.place(moment, pose, rays, sure)
        return np.where((trust > 0)[:, None], pose, np.nan)
