"""2D keypoints to 3D joints with a trained network: NumPy in, NumPy out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.datasets.window_pace import frames_apart, paced_windows, training_rate
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.hub import Pretrained, locate
from kinegraph.inference.answers import finite
from kinegraph.inference.doubts import doubts
from kinegraph.inference.error_model import read_calibration
from kinegraph.inference.framing import DISTANCE_M, FAR, FOCAL_PX, NEAR, SIDE_PX, frame_person, scale_of_pose
from kinegraph.inference.lift_features import LIFT_FEATURES, lift_features
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import ASSUMED_SIZE, bone_lengths, make_rigid, place_root
from kinegraph.inference.preparation import PreparedKeypoints, check_view, in_pixels, main_of_each, prepare
from kinegraph.models.lifting_model import mirrored, with_residual
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import default_weights
from kinegraph.skeleton import Skeleton, map_joints
from kinegraph.transforms.gaps import ASSUMED_FPS, runs
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.smoothing import OneEuro, gaussian_window, smooth_array
from kinegraph.weights import LoadedWeights, load_weights

if TYPE_CHECKING:
    from kinegraph.inference.live.lifter import LiftStream

Floats = NDArray[np.float64]

_FOLLOW_S = 0.05  # over which keypoints are smoothed before they have speeds


class Lifter(Pretrained):
    """Lift 2D recordings with one trained network.

    Args:
        weights: what :func:`kinegraph.weights.load_weights` returns.

    Raises:
        ConfigError: weights of another kind of network.

    Example:
        >>> lifter = Lifter.from_pretrained("runs/hcsf/best")           # doctest: +SKIP
        >>> motion = lifter.lift(kinegraph.load("keypoints/"))          # doctest: +SKIP
        >>> motion.positions.shape, motion.space, motion.unit           # doctest: +SKIP
        ((1, 441, 17, 3), 'camera', 'm')
    """

    def __init__(self, weights: LoadedWeights) -> None:
        if not isinstance(weights.transform, LiftingTransform):
            raise ConfigError(f"{weights.folder} holds a network for {weights.task}; a Lifter takes lifting weights")
        self.weights = weights
        self.model = weights.model.eval()
        self.name = weights.model_name
        self.skeleton: Skeleton = weights.skeleton
        self.transform: LiftingTransform = weights.transform
        self.frames = int(getattr(weights.model, "frames", 1))
        self.target = int(getattr(weights.model, "target", self.frames // 2))
        self.fps = training_rate(weights.metadata)
        self.folder = weights.folder
        self.calibration, self.uncalibrated = read_calibration(
            weights.folder, weights.sha256, "lift", ("flip", "plain"), LIFT_FEATURES
        )

    @classmethod
    def from_pretrained(cls, folder: Path | str | None = None, *, revision: str | None = None) -> Lifter:
        """Read a weights folder, or fetch one from the hub; without either, the package's `lift-temporal`.

        Args:
            folder: a folder, a network of the package by name (``"lift-causal"``), or an id ``owner/name`` on the
                Hugging Face hub (extra `hub`).
            revision: branch, tag or commit on the hub.

        Raises:
            FormatError: the folder is missing or damaged.
            KinegraphError: the network does not lift, none is given and this installation ships none, or the hub is
                not reached.
        """
        chosen = default_weights("lift") if folder is None else folder
        if chosen is None:
            raise KinegraphError(
                "this installation ships no lifting weights; train some ('kinegraph train "
                "lift_hcsf_synthetic_metric') and name their folder with --model"
            )
        return cls(load_weights(locate(chosen, revision), task="lift"))

    def report(self, skeleton: Skeleton) -> str:
        """Which of the network's joints a layout has exactly, derived or not at all, for people."""
        return map_joints(skeleton, self.skeleton).report()

    def lift(
        self,
        sequence: SkeletonSequence,
        options: LiftOptions | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> SkeletonSequence:
        """3D joints of every person of a 2D recording.

        Args:
            sequence: 2D keypoints in any layout, px or normalised.
            options: see :class:`LiftOptions`; its defaults if None.
            progress: called with (poses done, poses in all).

        Returns:
            Positions ``(people, frames, joints, 3)`` in metres on the network's skeleton, camera space (x right, y
            down, z forward), with the root where it is estimated to stand or at the origin. Joints that could not
            be seen for long, and people who are away, have confidence 0. ``notes`` say what was assumed, and
            ``uncertainty`` how far each joint may be off relative to the root, if the weights are calibrated.

        Raises:
            DataError: not 2D, or nobody to lift.
            SkeletonError: the layout lacks too many of the network's joints.
        """
        return self.lift_and_follow(sequence, options, progress=progress)[0]

    def lift_and_follow(
        self,
        sequence: SkeletonSequence,
        options: LiftOptions | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[SkeletonSequence, Floats | None]:
        """As :meth:`lift`, and how fast every joint of a video moves in the image.

        Returns:
            The lifted sequence, and speeds across the line of sight ``(people, frames, joints)``, m/s: those of the
            keypoints, smoothed over 50 ms, at the depth where the person stands. None for single pictures.

        Raises:
            DataError, SkeletonError: as :meth:`lift`.
        """
        options = options or LiftOptions()
        asked = doubts(sequence) if sequence.dims == 2 else ()
        if options.stills and sequence.frames * sequence.people > 1:
            lifted = self._stills(sequence, options, progress)
            return lifted.replace(notes=tuple(dict.fromkeys((*asked, *lifted.notes)))), None
        lifted, features, across = self._video(sequence, options, progress)
        lifted = lifted.replace(notes=(*asked, *lifted.notes))
        if self.calibration is None:
            return lifted.with_note(self.uncalibrated), across
        table = self.calibration.tables["flip" if options.flip else "plain"]
        lifted = lifted.replace(uncertainty=table.quantiles(features, table.rows(self.skeleton.joints))).with_note(
            "uncertainty: half of the errors relative to the root are expected below the first number, nine in ten "
            "below the second"
        )
        return lifted, across

    def lift_with_features(
        self,
        sequence: SkeletonSequence,
        options: LiftOptions,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[SkeletonSequence, Floats]:
        """As :meth:`lift` of a video, without an estimate of the error but with what such an estimate goes by.

        Returns:
            The lifted sequence, and features ``(people, frames, joints, features)``; see
            :func:`kinegraph.inference.lift_features.lift_features`.
        """
        return self._video(sequence, options, progress)[:2]

    def _video(
        self, sequence: SkeletonSequence, options: LiftOptions, progress: Callable[[int, int], None] | None
    ) -> tuple[SkeletonSequence, Floats, Floats]:
        """The lifted sequence, what an estimate of its errors goes by, and how fast joints move in the image."""
        sequence = _at_a_rate(sequence)
        fps = sequence.fps or ASSUMED_FPS
        ready = prepare(sequence, self.skeleton, options)
        people, frames, joints = ready.trust.shape
        notes = list(ready.notes)
        positions = np.full((people, frames, joints, 3), np.nan)
        features = np.full((people, frames, joints, len(LIFT_FEATURES)), np.nan)
        total, done = int(ready.present.sum()), 0
        framings = set()
        for person in range(people):
            poses, spread, framing = self._poses(ready, person, options, fps)
            framings.add(framing)
            features[person] = lift_features(spread, ready.confidence[person], ready.positions[person], self.skeleton)
            positions[person] = self._finish(poses, ready, person, options, fps)
            done += int(ready.present[person].sum())
            if progress is not None:
                progress(done, total)
        notes.append(
            f"lifted by {self.name} ({self.transform.target} target, {self.frames} frame"
            + ("s" if self.frames > 1 else "")
            + (", flip test)" if options.flip else ")")
            + f", view of the {' and the '.join(sorted(framings))}"
        )
        notes.append(f"{ASSUMED_SIZE}: one camera cannot tell a near child from a far giant")
        if options.one_euro and frames > 1:
            notes.append("smoothed (one-euro, causal)")
        elif options.smooth_s > 0 and frames > 1:
            notes.append(f"smoothed (zero phase, sigma {options.smooth_s * 1000:.0f} ms)")
        if options.rigid:
            notes.append("one length per limb over the clip, left and right alike")
        notes.append(
            "root placed before the camera so that the pose falls on its keypoints"
            if options.root == "estimated"
            else "positions are relative to the root"
        )
        lifted = SkeletonSequence(
            positions=positions,
            skeleton=self.skeleton,
            fps=sequence.fps,
            unit="m",
            space="camera",
            confidence=ready.trust,
            label=sequence.label,
            source=sequence.source,
            notes=tuple(dict.fromkeys(notes)),
        )
        return lifted, features, _across(ready, positions, fps)

    def stream(self, skeleton: str | Skeleton, **settings: Any) -> LiftStream:
        """This lifter fed one frame at a time; settings of :class:`kinegraph.inference.live.lifter.LiftStream`."""
        from kinegraph.inference.live.lifter import LiftStream

        return LiftStream(self, skeleton, **settings)

    def _stills(
        self, sequence: SkeletonSequence, options: LiftOptions, progress: Callable[[int, int], None] | None
    ) -> SkeletonSequence:
        """Every person of every picture for themselves; who shows too little is missing."""
        notes = dict.fromkeys(sequence.notes)
        if sequence.fps is None:
            sequence = sequence.replace(fps=ASSUMED_FPS)
            told = f"pictures have no frame rate: {ASSUMED_FPS:g} a second stated, for files of motion that need one"
            notes[told] = None
        if options.people == "main" and sequence.people > 1:
            mapping = map_joints(sequence.skeleton, self.skeleton)
            sequence, note = main_of_each(sequence, mapping, options.minimum_confidence)
            notes[note] = None
        positions = np.full((sequence.people, sequence.frames, self.skeleton.num_joints, 3), np.nan)
        confidence = np.zeros(positions.shape[:3])
        uncertainty = np.full((*positions.shape[:3], 2), np.nan)
        if sequence.image_size is None and sequence.dims == 2 and sequence.seen.any():
            # One camera for all of them: each by itself would be put in the middle of an image of its own.
            sequence, options, note = self._one_camera(sequence, options)
            notes[note] = None
        places = np.argwhere(sequence.present)
        refused: DataError | None = None
        for done, (person, frame) in enumerate(places, 1):
            one = sequence.slice_frames(int(frame), int(frame) + 1).select_people([int(person)])
            try:
                lifted = self.lift(one, options)
            except DataError as error:
                refused = error
                continue
            positions[person, frame], confidence[person, frame] = (
                lifted.positions[0, 0],
                np.asarray(lifted.confidence)[0, 0],
            )
            if lifted.uncertainty is not None:
                uncertainty[person, frame] = lifted.uncertainty[0, 0]
            # What differs from picture to picture (counts, sizes, focal lengths) would fill pages.
            notes |= dict.fromkeys(n for n in lifted.notes if not any(c.isdigit() for c in n.replace("h36m17", "")))
            if progress is not None:
                progress(done, len(places))
        kept = [p for p in range(sequence.people) if confidence[p].any()]
        if not kept:
            raise refused or DataError(f"{sequence.source or 'the sequence'}: no person is seen in any frame")
        notes[f"{int((confidence > 0).any(axis=-1).sum())} of {len(places)} people in pictures lifted one by one"] = (
            None
        )
        return SkeletonSequence(
            positions=positions[kept],
            skeleton=self.skeleton,
            fps=sequence.fps,
            unit="m",
            space="camera",
            confidence=confidence[kept],
            uncertainty=uncertainty[kept] if self.calibration is not None else None,
            label=sequence.label,
            source=sequence.source,
            notes=tuple(notes),
        )

    def _one_camera(
        self, sequence: SkeletonSequence, options: LiftOptions
    ) -> tuple[SkeletonSequence, LiftOptions, str]:
        """The image size and focal length that all people of a recording without a stated size share."""
        check_view(sequence, options)
        said = sequence.notes
        sequence, size, _ = in_pixels(sequence)
        note = "; ".join(n for n in sequence.notes if n not in said)
        mapping = map_joints(sequence.skeleton, self.skeleton)
        positions, confidence = mapping.apply(sequence.positions, np.asarray(sequence.confidence))
        scale = scale_of_pose(
            positions.reshape(-1, *positions.shape[2:]), confidence.reshape(-1, len(mapping.status)) > 0, self.skeleton
        )
        focal = options.focal_px
        if focal is None and np.isfinite(scale).any():
            focal = float(np.nanmedian(scale)) * DISTANCE_M
        note = f"{note}; people about {DISTANCE_M:g} m away"
        framing = "person" if options.framing == "auto" else options.framing
        sequence = sequence.replace(image_size=size, notes=said)
        return sequence, replace(options, framing=framing, focal_px=focal), note

    # ---- the network ----------------------------------------------------------------------------------------------

    def _poses(
        self, ready: PreparedKeypoints, person: int, options: LiftOptions, fps: float
    ) -> tuple[Floats, Floats, str]:
        """Root-relative poses (frames, joints, 3) in camera axes, metres; NaN where the person is away.

        Also how far the answers for the pose and its mirror image are apart (frames, joints), metres.
        """
        present, keypoints = ready.present[person], ready.positions[person]
        seen = ready.confidence[person] > 0
        framing = (
            None
            if self._image_suits(ready, person, options)
            else frame_person(keypoints, seen, present, self.skeleton, fps)
        )
        if framing is None:
            shown, size, intrinsics = keypoints, ready.image_size, ready.intrinsics
        else:
            shown, size = framing.apply(keypoints), (SIDE_PX, SIDE_PX)
            intrinsics = np.array([FOCAL_PX, FOCAL_PX, SIDE_PX / 2, SIDE_PX / 2])
        # A network without a confidence channel cannot be told that a joint is a guess: it takes it as seen.
        told = ready.confidence[person] if self.transform.confidence else np.ones_like(ready.confidence[person])
        inputs = self.transform.encode_inputs(shown, told, np.array(size))
        output = np.full((2, *keypoints.shape[:2], 3), np.nan)
        for start, stop in runs(present):
            output[:, start:stop] = self._run(inputs[start:stop], options, fps)

        def decoded(values: Floats) -> Floats:
            if self.transform.target != "pixel":
                return self.transform.decode(values)
            depth = np.full(len(values), DISTANCE_M) if framing is not None else self._depth(keypoints, seen, ready)
            absolute = self.transform.decode(values, intrinsics, np.array(size), depth)
            return absolute - absolute[:, self.skeleton.root, None]

        poses, spread = decoded(output.mean(axis=0)), np.zeros(keypoints.shape[:2])
        if options.flip:
            spread = np.linalg.norm(decoded(output[0]) - decoded(output[1]), axis=-1)
        if framing is not None:
            poses = framing.turn_back(poses, ready.intrinsics)
        return poses, spread, "image" if framing is None else "person"

    def _image_suits(self, ready: PreparedKeypoints, person: int, options: LiftOptions) -> bool:
        """Whether the network sees the image itself, or a view that follows the person."""
        if options.framing != "auto":
            return options.framing == "image"
        if not ready.size_known or self.transform.normalise != "screen":
            return False
        scale = (
            scale_of_pose(ready.positions[person], ready.confidence[person] > 0, self.skeleton) / ready.image_size[0]
        )
        scale = scale[ready.present[person] & np.isfinite(scale)]
        return bool(len(scale) and np.percentile(scale, 10) >= FAR and np.percentile(scale, 90) <= NEAR)

    def _depth(self, keypoints: Floats, seen: NDArray[np.bool_], ready: PreparedKeypoints) -> Floats:
        """Root depth (frames,) of an average adult of this size in the image: one a clip, one pose tells little."""
        scale = scale_of_pose(keypoints, seen, self.skeleton)
        scale = scale[np.isfinite(scale) & (scale > 0)]
        depth = float(ready.intrinsics[0] / np.percentile(scale, 80)) if len(scale) else DISTANCE_M
        return np.full(len(keypoints), depth)

    def _run(self, inputs: NDArray[np.float32], options: LiftOptions, fps: float) -> Floats:
        """Network outputs (2, n, joints, 3), residual added, for consecutive encoded poses (n, joints, channels).

        The second is the answer for the mirror image, turned back; without the flip test, the first again.
        """
        pace = frames_apart(fps, self.fps)
        windows = paced_windows(np.zeros(len(inputs)), self.frames, pace, self.target)
        mirror = torch.tensor(self.skeleton.mirror)
        outputs, others = [], []
        with torch.inference_mode():
            for start in range(0, len(inputs), options.batch):
                rows = slice(start, start + options.batch)
                batch = torch.from_numpy(
                    windows.of(inputs, rows) if self.frames > 1 else np.ascontiguousarray(inputs[rows])
                )
                answer = self._answer(batch)
                outputs.append(answer)
                others.append(mirrored(self._answer(mirrored(batch, mirror)), mirror) if options.flip else answer)
        return finite(torch.stack([torch.cat(outputs), torch.cat(others)]).double().numpy(), self.folder)

    def _answer(self, batch: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.model(batch)
        return with_residual(output, batch, self.target) if self.transform.residual else output

    # ---- after the network ------------------------------------------------------------------------------------------

    def _finish(self, poses: Floats, ready: PreparedKeypoints, person: int, options: LiftOptions, fps: float) -> Floats:
        """Smooth, make rigid and place one person's poses (frames, joints, 3); NaN where joints stay missing."""
        present, trust = ready.present[person], ready.trust[person]
        steadied = options.smooth_s > 0 and not options.one_euro and len(poses) > 1
        kernel = gaussian_window(options.smooth_s * fps) if steadied else None
        if options.one_euro and len(poses) > 1:
            live = OneEuro(fps=fps)
            poses = np.stack([live.step(pose) for pose in poses])
        elif kernel is not None:
            # Guessed joints count too, a little: a limb must stay in one piece until it is cut out at the end.
            weights = np.where(present[:, None], np.maximum(trust, 0.05), 0.0)
            poses = smooth_array(poses[None], weights[None], kernel, 2)[0]
        if options.rigid:
            there = np.flatnonzero(present)
            lengths = bone_lengths(poses[there], trust[there], self.skeleton)
            # Zero-phase smoothing looks at the frames around already; who wants none of it gets none.
            rate = fps if options.smooth_s > 0 and not options.one_euro else None
            fitted = np.full(poses.shape, np.nan)
            for start, stop in runs(present):
                fitted[start:stop] = make_rigid(poses[start:stop], lengths, self.skeleton, rate)
            poses = fitted
        if options.root == "estimated":
            weights = np.where(present[:, None], ready.confidence[person], 0.0)
            root = place_root(np.nan_to_num(poses), ready.positions[person], weights, ready.intrinsics, fps)
            if kernel is not None:  # x and y follow from each frame's keypoints alone, and tremble with them
                root = smooth_array(root[None, :, None], present[None, :, None].astype(np.float64), kernel, 2)[0, :, 0]
            poses = poses + root[:, None]
        return np.where((trust > 0)[..., None], poses, np.nan)


def _across(ready: PreparedKeypoints, positions: Floats, fps: float) -> Floats:
    """Speeds of keypoints in the image (people, frames, joints), m/s at the depth of the lifted positions."""
    if positions.shape[1] < 2:
        return np.zeros(positions.shape[:3])
    there = np.broadcast_to(ready.present[..., None], positions.shape[:3]).astype(np.float64)
    slow = smooth_array(ready.positions, there, gaussian_window(_FOLLOW_S * fps), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # frames in which nobody is there
        depth = np.nanmedian(positions[..., 2], axis=-1)
    moves = np.gradient(slow, axis=1) * fps * depth[..., None, None] / ready.intrinsics[:2]
    return np.asarray(np.linalg.norm(moves, axis=-1))


def _at_a_rate(sequence: SkeletonSequence) -> SkeletonSequence:
    """The sequence with a frame rate, assumed where it has none."""
    if sequence.fps is not None:
        return sequence
    return sequence.replace(fps=ASSUMED_FPS).with_note(
        f"frame rate unknown: {ASSUMED_FPS:g} frames a second assumed; state it with --fps (fps= in Python)"
    )
