"""Motion files of every kind to and from :class:`~kinegraph.sequence.SkeletonSequence`.

:func:`read` tells the format by the file's name and content; :func:`write` by the name. Each format is one module of
``motion`` (mocap), ``keypoints`` (detectors) or ``tables`` (arrays, CSV, our JSON) with ``read`` and, where the format
allows it, ``write``; it is imported when it is first needed. ``joints`` knows what joints are called elsewhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError, as_path, nearest
from kinegraph.formats.json_file import load_json
from kinegraph.formats.sniff import json_format, looks_like
from kinegraph.sequence import SkeletonSequence

__all__ = [
    "FormatInfo",
    "check_fps",
    "detect",
    "format_info",
    "formats",
    "read",
    "read_at_rate",
    "read_options",
    "write",
    "write_format",
    "write_options",
]


@dataclass(frozen=True)
class FormatInfo:
    """A format: what it is called, how its files end, and whether it can be read and written."""

    name: str
    group: str
    """The package of its module, here."""
    title: str
    suffixes: tuple[str, ...]
    writes: bool = True
    holds: str = "2D or 3D"
    module: str = ""
    """Of what name its module is, where that is not its own."""
    reads: bool = True
    one_person: bool = False
    """A file holds one person; further ones get files of their own (:func:`kinegraph.formats.export.person_paths`)."""
    read_only: tuple[str, ...] = ()
    """Those of its suffixes that are read and never written."""
    assumes_up: bool = False
    """It does not state which axis is up; where the body stands along another, that is noted."""
    names_joints: bool = False
    """A file names its joints itself; a layout only says what they stand for, and need not be given."""

    @property
    def written(self) -> tuple[str, ...]:
        """How files end that are written."""
        return tuple(suffix for suffix in self.suffixes if self.writes and suffix not in self.read_only)

    @property
    def path(self) -> str:
        """The module's full name."""
        return f"{__name__}.{self.group}.{self.module or self.name}"


_FORMATS = {
    info.name: info
    for info in (
        FormatInfo(
            "bvh",
            "motion",
            "Biovision hierarchy: skeleton and joint rotations",
            (".bvh",),
            holds="3D",
            one_person=True,
            assumes_up=True,
            names_joints=True,
        ),
        FormatInfo(
            "asf_amc", "motion", "Acclaim skeleton (ASF) and motion (AMC)", (".amc", ".asf"), writes=False, holds="3D"
        ),
        *(
            FormatInfo(
                name,
                "motion",
                f"{title}: marker or joint positions",
                (f".{name}",),
                holds="3D",
                one_person=True,
                assumes_up=True,
                names_joints=True,
            )
            for name, title in (("trc", "Track row column"), ("c3d", "C3D"))
        ),
        FormatInfo("glb", "motion", "binary glTF: rig, limbs and animation", (".glb",), holds="3D", reads=False),
        FormatInfo(
            "expmap_text",
            "motion",
            "exponential maps of CMU or Human3.6M, rows of numbers",
            (".txt",),
            holds="3D",
            one_person=True,
        ),
        FormatInfo("ntu_skeleton", "motion", "NTU RGB+D Kinect bodies", (".skeleton",), writes=False, holds="3D"),
        FormatInfo(
            "npz",
            "tables",
            "NumPy arrays; ours lossless",
            (".npz", ".npy", ".pkl", ".pickle"),
            read_only=(".npy", ".pkl", ".pickle"),
        ),
        FormatInfo("csv", "tables", "table, long or wide", (".csv", ".tsv"), module="csv_table"),
        FormatInfo("json", "tables", "kinegraph motion, readable JSON", (".json",), module="json_pose"),
        FormatInfo("openpose", "keypoints", "OpenPose JSON, a file or a folder of frames", (".json",), holds="2D"),
        FormatInfo("coco", "keypoints", "COCO keypoints: annotations or results", (".json",), holds="2D"),
        FormatInfo("alphapose", "keypoints", "AlphaPose results", (".json",), writes=False, holds="2D"),
        FormatInfo("mmpose", "keypoints", "mmpose predictions", (".json",), writes=False, holds="2D"),
        FormatInfo("ultralytics", "keypoints", "ultralytics (YOLO-pose) results", (".json",), writes=False, holds="2D"),
        FormatInfo(
            "yolo_text",
            "keypoints",
            "ultralytics labels (save_txt), a file or a folder of frames",
            (".txt",),
            writes=False,
            holds="2D",
        ),
        FormatInfo(
            "movenet", "keypoints", "MoveNet, PoseNet (TensorFlow.js) poses", (".json",), writes=False, holds="2D"
        ),
        FormatInfo("mediapipe", "keypoints", "MediaPipe Pose landmarks", (".json",)),
        FormatInfo("kinetics", "keypoints", "Kinetics-skeleton clips", (".json",), writes=False, holds="2D"),
    )
}
_WRITE_BY_SUFFIX = {".json": "json"}
"""Several formats end in .json; by name alone it is ours that is written."""


def formats() -> tuple[FormatInfo, ...]:
    """Every format there is."""
    return tuple(_FORMATS.values())


def read(path: str | Path, format: str | None = None, **options: Any) -> SkeletonSequence:
    """Read a motion file, or a folder of OpenPose frames.

    Args:
        path: the file or folder.
        format: name of the format (see :func:`formats`); found out from name and content if not given.
        options: what the format's own ``read`` takes, e.g. ``fps`` or ``skeleton``; see :func:`read_options`.

    Raises:
        FormatError: the file is missing, damaged, or in no format there is.
        ConfigError: an unknown format, or an option that the format does not have.
    """
    path = Path(path)
    data: object = None
    if format is None:
        format, data = _detect(path)
    with _may_be_refused(path):
        if not path.exists():
            raise FormatError(path, "no such file; check the path")
    info = format_info(format)
    if not info.reads:
        able = ", ".join(i.name for i in formats() if i.reads)
        raise FormatError(path, f"{info.title} is only written; expected one of {able}")
    module = _load(info)
    _check_options(info, options, read_options(info.name), "read")
    with _may_be_refused(path):
        if data is not None:
            result: SkeletonSequence = module.from_json(data, path, **options)
        else:
            result = module.read(path, **options)
        if info.assumes_up and "up" not in options:
            from kinegraph.formats.stance import upright

            result = upright(result)
    return result


def read_at_rate(
    path: str | Path, format: str | None = None, rate: float | None = None, /, **options: Any
) -> SkeletonSequence:
    """As :func:`read`, then at a frame rate: resampled to it where reading gives one, stated where it gives none.

    Args:
        path: the file or folder.
        format: name of the format; found out from name and content if None.
        rate: frames per second of the result; None leaves what reading gives.
        options: of the format's reader. Among them ``fps`` states the recording's own rate, whatever `rate` is: of
            ``fps=25`` and a rate of 50, a recording of 25 frames a second comes back at 50.

    Raises:
        ConfigError, FormatError: see :func:`read` and :func:`check_fps`.
        DataError: resampled, the recording would fill the memory.
    """
    check_fps(rate)
    name = format or detect(path)
    sequence = read(path, name, **options)
    if rate is None:
        return sequence
    if sequence.fps is not None:
        return sequence.resample(rate)
    if "fps" in read_options(name):
        # The reader knows what the rate applies to: a file may hold one frame in five of the video.
        return read(path, name, **{**options, "fps": rate})
    return sequence.replace(fps=rate)


def check_fps(fps: float | None, called: str = "fps") -> None:
    """Raises ConfigError, which begins with what the option is `called`, for a stated rate that is none."""
    if fps is not None and not 0 < fps <= 10_000:
        raise ConfigError(f"{called} {fps:g} is no frame rate; expected a number above 0, up to 10000")


def write(sequence: SkeletonSequence, path: str | Path, format: str | None = None, **options: Any) -> tuple[Path, ...]:
    """Write a sequence; the file appears whole or not at all.

    Args:
        sequence: what to write.
        path: the file; its suffix tells the format. ``.json`` is our own JSON unless `format` says otherwise.
        format: name of the format, e.g. "openpose" to write a folder of frames.
        options: what the format's own ``write`` takes; see :func:`write_options`.

    Returns:
        What was written: `path`, and for formats of one person a file (BVH) the further ones.

    Raises:
        ConfigError: an unknown format or option, or one that cannot be written.
        DataError: the sequence cannot be held by the format (2D where 3D is needed).
        KinegraphError: the file cannot be written.
    """
    path = as_path(path, "the file to write")
    if format is None:
        format = write_format(path)
    info = format_info(format)
    if not info.writes:
        able = ", ".join(i.name for i in formats() if i.writes)
        raise ConfigError(f"cannot write {path}: {info.title} is only read; expected one of {able}")
    if path.suffix.lower() in info.read_only:
        raise ConfigError(f"cannot write {path}: {info.name} is written to {', '.join(info.written)}; rename it")
    module = _load(info)
    _check_options(info, options, write_options(info.name), "written")
    if info.holds != "2D or 3D" and info.holds != f"{sequence.dims}D":
        hint = (
            "lift it first (kinegraph lift), or write CSV, npz or JSON"
            if sequence.dims == 2
            else "write another format"
        )
        raise DataError(
            f"cannot write {path}: {sequence.source or 'the sequence'} is {sequence.dims}D and "
            f"{info.name} holds {info.holds}; {hint}"
        )
    try:
        written = module.write(sequence, path, **options)
    except OSError as error:
        raise KinegraphError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    return tuple(written) if written else (path,)


def detect(path: str | Path) -> str:
    """Name of the format a file or folder is in, by name and content. Raises FormatError when it is none."""
    return _detect(Path(path))[0]


def write_format(path: str | Path) -> str:
    """Name of the format that is written to a path by its suffix. Raises ConfigError when there is none."""
    path = Path(path)
    suffix = path.suffix.lower()
    fitting = [i.name for i in formats() if suffix in i.written]
    format = _WRITE_BY_SUFFIX.get(suffix) or next(iter(fitting), None)
    if format is None:
        known = ", ".join(sorted({s for i in formats() for s in i.written[:1]}))
        raise ConfigError(
            f"cannot write {path}: nothing is written to {suffix or 'a name without suffix'}; expected {known}, "
            "or a format by name"
        )
    return format


def read_options(format: str) -> dict[str, Any]:
    """The options that reading a format takes: name -> type."""
    info = format_info(format)
    return _options(_load(info).read) if info.reads else {}


def write_options(format: str) -> dict[str, Any]:
    """The options that writing a format takes: name -> type."""
    info = format_info(format)
    return _options(_load(info).write) if info.writes else {}


def _options(function: Callable[..., Any]) -> dict[str, Any]:
    from kinegraph.formats.keypoints.detections import KeypointOptions

    types = get_type_hints(function)
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found.update(get_type_hints(KeypointOptions))
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            found[name] = types[name]
    return found


def _check_options(info: FormatInfo, options: dict[str, Any], known: Iterable[str], done: str) -> None:
    for name in options:
        if name not in known:
            there = ", ".join(known) or "none"
            raise ConfigError(
                f"{info.name} is not {done} with the option '{name}'{nearest(name, known)} (options: {there})"
            )


def format_info(name: str) -> FormatInfo:
    """A format by name. Raises ConfigError when there is none; the nearest is named."""
    try:
        return _FORMATS[name]
    except KeyError:
        raise ConfigError(f"no format '{name}'{nearest(name, _FORMATS)} (formats: {', '.join(_FORMATS)})") from None


def _load(info: FormatInfo) -> ModuleType:
    return import_module(info.path)


@contextmanager
def _may_be_refused(path: Path) -> Iterator[None]:
    """Raises FormatError where the system does not let `path` be read, or has too little memory for it."""
    try:
        yield
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error}); check the path") from None
    except MemoryError:
        raise FormatError(path, "needs more memory than there is; expected a smaller recording. Split it") from None


def _detect(path: Path) -> tuple[str, object]:
    """The format and, for JSON, the value already read."""
    with _may_be_refused(path):
        return _detected(path)


def _detected(path: Path) -> tuple[str, object]:
    if path.is_dir():
        return _folder(path), None
    if not path.exists():
        raise FormatError(path, "no such file; check the path")
    if not path.is_file():  # a look at what it holds would take that from the reader
        raise FormatError(path, "is a pipe or a device, which can be read only once; save it to a file first")
    suffix = path.suffix.lower()
    by_content = looks_like(path)
    fitting = [i.name for i in formats() if suffix in i.suffixes]
    by_suffix = by_content if by_content in fitting else next(iter(fitting), None)
    if suffix == ".json" or (by_suffix is None and by_content == "json"):
        data = load_json(path)
        return json_format(data, path), data
    if by_suffix is not None and by_content is not None and by_suffix != by_content:
        raise FormatError(
            path, f"ends in {suffix} but holds {by_content}; rename it, or name the format if that is meant"
        )
    found = by_suffix or by_content
    if found is None:
        known = ", ".join(sorted({s for i in formats() if i.reads for s in i.suffixes}))
        raise FormatError(path, f"ends in {suffix or 'no suffix'} and looks like no format there is; expected {known}")
    return found, None


def _looks_like_a_frame(path: Path) -> bool:
    """Whether a file is an OpenPose frame by its content or, where that tells nothing, by its name."""
    try:
        data = load_json(path)
        return data not in (None, [], {}) and json_format(data, path) == "openpose"
    except FormatError:
        if path.stem.endswith("_keypoints"):
            return True  # a damaged frame, which reading will name
        raise


def _folder(path: Path) -> str:
    from kinegraph.formats.keypoints.frame_folder import folder_format
    from kinegraph.formats.keypoints.openpose import frame_files

    frames = frame_files(path)
    if frames and _looks_like_a_frame(frames[0]):
        return "openpose"
    other = folder_format(path)
    if other is not None:
        return other
    found: dict[str, int] = {}
    for file in path.iterdir():
        if file.is_file() and not file.name.startswith("."):
            found[file.suffix.lower()] = found.get(file.suffix.lower(), 0) + 1
    shown = ", ".join(f"{n} {suffix or 'without suffix'}" for suffix, n in sorted(found.items())[:6])
    raise FormatError(
        path,
        f"a folder with {shown or 'no files'}; expected a file, or a folder of OpenPose frames (*_keypoints.json) or "
        "YOLO's labels (NAME_1.txt, ...). `kinegraph info` lists what is in a folder",
    )
