"""The one-line API: `kinegraph.lift`, `recognize` and `forecast` on a path, a sequence or an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, nearest
from kinegraph.formats import check_fps
from kinegraph.formats.any_source import Source, read_source
from kinegraph.inference.contact import with_contact, with_planted_feet
from kinegraph.inference.extrinsics import Extrinsics, by_extrinsics, load_extrinsics, square_pixels
from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.motion_window import notes_that_hold
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import upright
from kinegraph.inference.recognizer import Recognition, Recognizer
from kinegraph.inference.stature import checked_heights, scaled_to_height
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import default_weights, find_folder
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.foot_lock import NOT_PLANTED
from kinegraph.transforms.jitter import Smooth, check_smooth
from kinegraph.transforms.posed_body import check_video

__all__ = [
    "are_pictures",
    "as_motion",
    "check_stated",
    "forecast",
    "into_world",
    "lift",
    "lift_settings",
    "lifter_for",
    "recognize",
]

Progress = Callable[[int, int], None]
_Network = TypeVar("_Network", Lifter, Recognizer, Forecaster)

_networks: dict[tuple[str, str, tuple[tuple[str, int], ...]], Any] = {}


def lift(
    source: Source,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    model: Lifter | Path | str | None = None,
    space: Literal["world", "camera"] = "world",
    height_m: float | Sequence[float] | None = None,
    extrinsics: Extrinsics | Path | str | None = None,
    plant_feet: bool = False,
    read: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **choices: Any,
) -> SkeletonSequence:
    """2D keypoints to 3D joints in metres.

    Args:
        source: a file or folder of any 2D format, a 2D sequence, or an array ``(people, frames, joints, n)``,
            ``(frames, joints, n)`` or ``(joints, n)`` with n = 2 (x, y) or 3 (x, y, confidence).
        skeleton: layout of an array (``"coco17"``), or of a file that does not tell it.
        fps: frames per second, where `source` does not tell it; else it is resampled to them.
        model: a :class:`Lifter`, a weights folder or a hub id; if None, the package's network for videos, or its one
            for single pictures.
        space: ``"world"``: y up, the floor at 0 (``root="relative"``: the root at the origin, and no floor);
            ``"camera"``: x right, y down, z forward.
        height_m: how tall they stand, one number or one a person; gives the metric scale.
        extrinsics: where the camera stands, or a JSON file that says so (:func:`load_extrinsics`); without it, gravity
            and floor are taken from the people (:func:`upright`).
        plant_feet: feet that touch the floor keep their places there: the body's path follows them smoothly, and hips,
            knees and ankles make up for the rest (:func:`.plant_feet`). For videos, in the world.
        read: further options of the file's reader or of an array, e.g. ``{"image_size": (1920, 1080)}``.
        progress: called with (poses done, poses in all).
        choices: fields of :class:`LiftOptions`, e.g. ``people="main"`` or ``fov_deg=60``.

    Returns:
        ``(people, frames, joints, 3)`` on the network's skeleton; ``notes`` say what was assumed, ``uncertainty`` how
        far each joint may be off, if the network was calibrated; ``contact``, in the world, which feet are down.

    Raises:
        DataError: 3D input, or nobody to lift.
        ConfigError: an unknown or impossible option.
        FormatError: a file that cannot be read.

    Example:
        >>> import kinegraph as kg
        >>> walk = kg.lift("keypoints/")                                              # doctest: +SKIP
        >>> walk = kg.lift(detections, skeleton="coco17", fps=30, people="main")      # doctest: +SKIP
    """
    options, camera = lift_settings(
        skeleton=skeleton,
        fps=fps,
        space=space,
        height_m=height_m,
        extrinsics=extrinsics,
        plant_feet=plant_feet,
        **choices,
    )
    keypoints = read_source(source, skeleton=skeleton, fps=fps, dims=2, options=read)
    if camera is not None and camera.image_size is not None and keypoints.image_size is None:
        keypoints = keypoints.replace(image_size=camera.image_size)
    told = options.focal_px is not None or options.fov_deg is not None
    if camera is not None and camera.intrinsics is not None and told:
        keypoints = keypoints.with_note("the calibration's intrinsics not used: another focal length was stated")
    elif camera is not None and camera.intrinsics is not None:
        if keypoints.image_size is not None and camera.image_size not in (None, keypoints.image_size):
            stated, camera = camera.image_size, camera.with_image(keypoints.image_size)
            keypoints = keypoints.with_note(
                f"the calibration's intrinsics scaled from images of {stated[0]} x {stated[1]} px to those of "
                f"{keypoints.image_size[0]} x {keypoints.image_size[1]} px"
            )
        assert camera.intrinsics is not None  # scaled, not lost
        focal, _, *middle = camera.intrinsics.tolist()
        x, y = options.centre_px or middle
        keypoints, squeeze = square_pixels(keypoints, camera.intrinsics)
        options = replace(options, focal_px=focal, centre_px=(x, y * squeeze))
    if not options.stills and not keypoints.is_video:
        options = replace(options, stills=True)  # the reader of COCO files knows it
    lifted, across = lifter_for(keypoints, model, stills=options.stills).lift_and_follow(
        keypoints, options, progress=progress
    )
    if height_m is not None:
        lifted, scale = scaled_to_height(lifted, height_m, stills=options.stills)
        across = None if across is None else across * scale
    if space == "camera":
        if camera is not None:
            lifted = lifted.with_note("extrinsics not used: the result stays in camera space")
        return lifted
    sized = height_m is not None
    world = into_world(
        lifted, camera, sized=sized, stills=options.stills, relative=options.root == "relative", across=across
    )
    if not plant_feet:
        return world
    if options.stills:
        return world.with_note(NOT_PLANTED + "single pictures, in which nothing slides")
    return with_planted_feet(world, camera, sized=sized)


def check_stated(skeleton: str | Skeleton | None = None, fps: float | None = None) -> None:
    """Raises ConfigError or SkeletonError for a layout or a rate that there is for no recording."""
    check_fps(fps)
    if skeleton is not None:
        get_skeleton(skeleton)


def lift_settings(
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    space: str = "world",
    height_m: float | Sequence[float] | None = None,
    extrinsics: Extrinsics | Path | str | None = None,
    plant_feet: bool = False,
    **choices: Any,
) -> tuple[LiftOptions, Extrinsics | None]:
    """The options of :func:`lift` as far as they are right or wrong whatever the recording is.

    Returns:
        The lifter's options, and the camera.

    Raises:
        ConfigError, SkeletonError, FormatError: one that is wrong for every recording.
    """
    if space not in ("world", "camera"):
        raise ConfigError(f"space is '{space}'; choose world or camera")
    known = [field.name for field in fields(LiftOptions)]
    for name in choices:
        if name not in known:
            raise ConfigError(f"lift has no option '{name}'{nearest(name, known)} (options: {', '.join(known)})")
    check_stated(skeleton, fps)
    if height_m is not None:
        checked_heights(height_m)
    camera = load_extrinsics(extrinsics) if isinstance(extrinsics, str | Path) else extrinsics
    options = LiftOptions(**{name: value for name, value in choices.items() if value is not None})
    if plant_feet and (space == "camera" or options.root == "relative"):
        which = "space='camera' (--space)" if space == "camera" else "root='relative' (--root)"
        raise ConfigError(
            f"plant_feet keeps feet in their places in the world, and {which} has no floor; leave one out"
        )
    if plant_feet and options.stills:
        raise ConfigError("plant_feet keeps feet in their places in a video, and stills are none; leave one out")
    return options, camera


def into_world(
    lifted: SkeletonSequence,
    camera: Extrinsics | None = None,
    *,
    sized: bool = False,
    stills: bool = False,
    relative: bool = False,
    across: NDArray[np.float64] | None = None,
) -> SkeletonSequence:
    """Camera space to the world, by extrinsics or by gravity, with the feet that touch the floor.

    Args:
        lifted: 3D in camera space.
        camera: where the camera stands, if it is known.
        sized: the people have their stated height.
        stills: the frames are single pictures.
        relative: positions are relative to the root: the axes turn, and nobody stands on a floor.
        across: how fast joints move in the image (people, frames, joints), m/s (:meth:`.Lifter.lift_and_follow`).
    """
    if camera is None:
        world = upright(lifted, stills=stills, relative=relative)
    else:
        world, scale = by_extrinsics(lifted, camera, sized=sized, stills=stills, relative=relative)
        across = None if across is None else across * scale  # measured at the size before
    return world if stills or relative else with_contact(world, camera, sized=sized, across=across)


def recognize(
    source: Source,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    model: Recognizer | Path | str | None = None,
    lifter: Lifter | Path | str | None = None,
    read: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    stride_s: float | None = None,
    window_s: float | None = None,
) -> Recognition:
    """What the people in a recording do; 2D keypoints are lifted first, unless the network was trained on them.

    Args:
        source: as of :func:`lift`, or 3D: a motion file, a sequence, or an array ``(..., joints, 3)`` in metres.
        skeleton: layout of an array, or of a file that does not tell it.
        fps: frames per second, where `source` does not tell it; else it is resampled to them.
        model: a :class:`Recognizer`, a weights folder or a hub id; the network of the package if None.
        lifter: likewise, of the network that lifts 2D keypoints first.
        read: further options of the file's reader or of an array; ``{"dims": 2}`` for x, y and confidence.
        progress: called with (windows done, windows in all).
        stride_s: seconds from window to window.
        window_s: seconds of a window, for recognisers of clips; None takes the length of a training clip.

    Returns:
        Scores by person and over time; ``top()`` names the best, ``people[0].segments`` says what is done when.
        ``notes`` say what was assumed.

    Raises:
        DataError: shorter than the network's window, or no motion.
        ConfigError, FormatError: see :func:`lift`.
    """
    network = _network(Recognizer, model)
    flat = network.dims == 2
    dims = 2 if flat and "dims" not in (read or {}) else None
    joints = network.acclaim_joints
    motion = read_source(source, skeleton=skeleton, fps=fps, dims=dims, options=read, acclaim_joints=joints)
    motion = motion if flat else as_motion(motion, lifter)
    result = network.recognize(motion, stride_s=stride_s, window_s=window_s, progress=progress)
    return replace(result, notes=tuple(dict.fromkeys([*notes_that_hold(motion.notes), *result.notes])))


def forecast(
    source: Source,
    seconds: float,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    model: Forecaster | Path | str | None = None,
    lifter: Lifter | Path | str | None = None,
    smooth: Smooth = "auto",
    read: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> SkeletonSequence:
    """How the motion goes on; 2D keypoints are lifted first.

    Args:
        source: as of :func:`recognize`; arrays are ``(..., joints, n)``.
        seconds: how far, above 0 and at most 60.
        skeleton: layout of an array, or of a file that does not tell it.
        fps: frames per second, where `source` does not tell it; else it is resampled to them.
        model: a :class:`Forecaster`, a weights folder, a hub id or a baseline's name; the network of the package if
            None.
        lifter: a :class:`Lifter`, a weights folder or a hub id, of the network that lifts 2D keypoints first.
        smooth: ``"auto"`` smooths who trembles more than optical recordings do, by what is measured, with a note; or
            seconds, 0 for none (:meth:`.Forecaster.predict`).
        read: further options of the file's reader or of an array; ``{"dims": 2}`` for x, y and confidence.
        progress: called with (frames done, frames in all).

    Returns:
        The frames after the last one, on the same joints, axes and rate. ``notes`` say what was assumed,
        ``uncertainty`` how far each joint may be off, if the network was calibrated.

    Raises:
        DataError: too short a history, or a horizon without sense.
        ConfigError, FormatError: see :func:`lift`; a smoothing that is none.
    """
    check_smooth(smooth)
    motion = as_motion(read_source(source, skeleton=skeleton, fps=fps, options=read), lifter)
    return _network(Forecaster, model).forecast(motion, seconds, smooth=smooth, progress=progress)


def as_motion(
    sequence: SkeletonSequence, lifter: Lifter | Path | str | None = None, *, progress: Progress | None = None
) -> SkeletonSequence:
    """3D motion as it is; 2D keypoints lifted into the world, gravity and floor taken from the people.

    Args:
        sequence: 2D or 3D.
        lifter: a :class:`Lifter`, a weights folder or a hub id; the network of the package if None.
        progress: called with (poses done, poses in all).

    Raises:
        DataError: single pictures, which hold no motion; nobody to lift.
    """
    check_video(sequence)
    if sequence.dims == 3:
        return sequence
    lifted, across = lifter_for(sequence, lifter).lift_and_follow(sequence, progress=progress)
    return into_world(lifted, across=across)


def lifter_for(
    keypoints: SkeletonSequence, model: Lifter | Path | str | None = None, *, stills: bool = False
) -> Lifter:
    """The network that lifts a recording: the one named, else the package's for videos or for single pictures.

    Args:
        keypoints: what is to be lifted.
        model: a :class:`Lifter`, a weights folder, a hub id, or None.
        stills: the frames are said to be single pictures; one frame, and what a reader calls no video, are so anyway.
    """
    if model is None:
        model = default_weights("pictures" if stills or are_pictures(keypoints) else "lift")
    return _network(Lifter, model)


def are_pictures(keypoints: SkeletonSequence) -> bool:
    """Whether a recording holds one frame, or frames that its reader calls no video."""
    return keypoints.frames == 1 or not keypoints.is_video


def _network(kind: type[_Network], model: _Network | Path | str | None) -> _Network:
    """The network itself, or one read from a folder, once as long as the folder does not change."""
    if isinstance(model, kind):
        return model
    if model is not None and not isinstance(model, str | Path):
        raise ConfigError(f"model is a {type(model).__name__}; expected a {kind.__name__}, a weights folder or an id")
    place = None if model is None else find_folder(model)  # a name may stand for another folder by now
    # All of it: a calibration is added to weights that are there.
    held = sorted(place.iterdir()) if place is not None and place.is_dir() else []
    named = str(model if place is None else place.resolve())
    key = (kind.__name__, named, tuple((file.name, file.stat().st_mtime_ns) for file in held))
    if key not in _networks:
        if len(_networks) >= 8:
            _networks.pop(next(iter(_networks)))
        _networks[key] = kind.from_pretrained(model)
    found: _Network = _networks[key]
    return found
