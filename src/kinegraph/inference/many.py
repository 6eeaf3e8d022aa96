"""Many recordings, one after the other: constant memory, a progress bar, and a bad file stops nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError, as_path, nearest
from kinegraph.formats import formats, read_options, write, write_format
from kinegraph.formats.export import not_shown, person_paths
from kinegraph.formats.walk import recording_suffixes, recordings_in
from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.horizon import check_horizon
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.quick import check_stated, forecast, lift, lift_settings, recognize
from kinegraph.inference.recognizer import Recognition, Recognizer
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.jitter import check_smooth

__all__ = ["LiftedFile", "RecognizedFile", "find_recordings", "forecast_files", "lift_files", "recognize_files"]

Holds = Literal["2D", "3D"]
_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True)
class LiftedFile:
    """One recording lifted, or forecast.

    Attributes:
        source: the file, or the folder of frames.
        sequence: the lifted or future motion; None where it failed.
        written: the files written, if a folder for them was named.
        notes: who is not in those files, or is shown in them while they are away; what was assumed about the motion
            is in the notes of `sequence`.
        error: what was wrong, in one line; None where nothing was.
    """

    source: Path
    sequence: SkeletonSequence | None = None
    written: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class RecognizedFile:
    """One recording recognised.

    Attributes:
        source: the file, or the folder of frames.
        actions: who does what when; None where it failed.
        error: what was wrong, in one line; None where nothing was.
    """

    source: Path
    actions: Recognition | None = None
    error: str | None = None


def find_recordings(folder: Path | str, holds: Holds = "2D") -> list[Path]:
    """Every recording in a folder and those below it, in order of name: motion files, and folders of OpenPose frames.

    Args:
        folder: where.
        holds: ``"2D"`` for files of formats that can hold keypoints, ``"3D"`` for motion too.

    Raises:
        FormatError: no such folder.
        DataError: there is none.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FormatError(root, f"no such folder; expected one with {'2D ' if holds == '2D' else ''}recordings")
    wanted = ("2D",) if holds == "2D" else ("2D", "3D")
    suffixes = recording_suffixes(*wanted) - {".txt"}  # of expmaps, or of anything
    found = recordings_in(root, suffixes)
    if not found:
        raise DataError(f"{root}: no recordings there; expected files that end in {', '.join(sorted(suffixes))}")
    return found


def lift_files(
    sources: Path | str | Iterable[Path | str],
    out: Path | str | None = None,
    *,
    to: str = ".bvh",
    model: Lifter | Path | str | None = None,
    progress: bool = True,
    **options: Any,
) -> Iterator[LiftedFile]:
    """Lift recordings one by one, as the results are asked for.

    Only one recording is in memory at a time. One that cannot be read or lifted, or that an option does not suit, is
    reported in its result, and the next one follows.

    Args:
        sources: a folder (see :func:`find_recordings`), or paths.
        out: folder to write to, made if missing; folders below `sources` are kept. None writes nothing.
        to: suffix of the files written, which tells their format.
        model: as of :func:`kinegraph.lift`.
        progress: show a bar on the terminal's error stream.
        options: as of :func:`kinegraph.lift`.

    Yields:
        one result a recording, in order.

    Raises:
        ConfigError: options that are wrong for all of them.
        FormatError: no such folder.

    Example:
        >>> for done in kinegraph.lift_files("detections/", "lifted/"):               # doctest: +SKIP
        ...     print(done.source, done.error or done.written)
    """
    network = model if isinstance(model, Lifter) else Lifter.from_pretrained(model)  # one that is not there fails now
    named = None if model is None else network
    _, options["extrinsics"] = lift_settings(**{key: value for key, value in options.items() if key != "read"})
    _check_read(options.get("read"))
    return _written(sources, out, to, "2D", "lifting", progress, lambda path: lift(path, model=named, **options))


def recognize_files(
    sources: Path | str | Iterable[Path | str],
    *,
    model: Recognizer | Path | str | None = None,
    progress: bool = True,
    **options: Any,
) -> Iterator[RecognizedFile]:
    """What is done in recordings, one by one as in :func:`lift_files`; 2D ones are lifted first.

    Args:
        sources: a folder (see :func:`find_recordings`), or paths.
        model: a :class:`Recognizer`, a weights folder or a hub id; the network of the package if None.
        progress: show a bar on the terminal's error stream.
        options: as of :func:`kinegraph.recognize`.

    Yields:
        one result a recording, in order.

    Raises:
        ConfigError: options that are wrong for all of them.
        FormatError: no such folder.
    """
    network = model if isinstance(model, Recognizer) else Recognizer.from_pretrained(model)
    network.check(options.get("stride_s"), options.get("window_s"))
    options = _checked_motion(options)
    paths, _ = _paths(sources, "3D")
    results = _each(paths, lambda path: recognize(path, model=network, **options), "recognising", progress)
    return (RecognizedFile(source=path, actions=found, error=error) for path, found, error in results)


def forecast_files(
    sources: Path | str | Iterable[Path | str],
    seconds: float,
    out: Path | str | None = None,
    *,
    to: str = ".bvh",
    model: Forecaster | Path | str | None = None,
    progress: bool = True,
    **options: Any,
) -> Iterator[LiftedFile]:
    """How recordings go on, one by one as in :func:`lift_files`; 2D ones are lifted first.

    Args:
        sources: a folder (see :func:`find_recordings`), or paths.
        seconds: how far, above 0 and at most 60.
        out: folder to write to, as of :func:`lift_files`.
        to: suffix of the files written.
        model: a :class:`Forecaster`, a weights folder, a hub id or a baseline's name; the network of the package if
            None.
        progress: show a bar on the terminal's error stream.
        options: as of :func:`kinegraph.forecast`.

    Yields:
        one result a recording, in order.

    Raises:
        ConfigError: options that are wrong for all of them.
        FormatError: no such folder.
    """
    network = model if isinstance(model, Forecaster) else Forecaster.from_pretrained(model)
    check_horizon(seconds)
    check_smooth(options.get("smooth", "auto"))
    options = _checked_motion(options)
    return _written(
        sources, out, to, "3D", "forecasting", progress, lambda path: forecast(path, seconds, model=network, **options)
    )


def _checked_motion(options: dict[str, Any]) -> dict[str, Any]:
    """Options of what takes motion: one that is wrong for every recording is refused, and the lifter read once."""
    check_stated(options.get("skeleton"), options.get("fps"))
    _check_read(options.get("read"))
    lifter = options.get("lifter")
    if lifter is None or isinstance(lifter, Lifter):
        return options
    return {**options, "lifter": Lifter.from_pretrained(lifter)}


def _check_read(options: Mapping[str, Any] | None) -> None:
    """Refuse a reader's option that no format has; one that only some have is told of the files of the others."""
    given = dict(options or {})
    format = given.pop("format", None)
    names = [info.name for info in formats()] if format is None else [format]
    known = sorted({key for name in names for key in read_options(name)})
    for name in given:
        if name not in known:
            raise ConfigError(
                f"nothing is read with the option '{name}'{nearest(name, known)} (options: {', '.join(known)})"
            )


def _written(
    sources: Path | str | Iterable[Path | str],
    out: Path | str | None,
    to: str,
    holds: Holds,
    doing: str,
    progress: bool,
    make: Callable[[Path], SkeletonSequence],
) -> Iterator[LiftedFile]:
    """Motion made of every recording, and written if there is a folder for it."""
    suffix = to if to.startswith(".") else f".{to}"
    format = write_format(Path(f"x{suffix}"))
    apart = next(info.one_person for info in formats() if info.name == format)
    paths, root = _paths(sources, holds)
    targets = {} if out is None else dict(zip(paths, _targets(paths, root, Path(out), suffix), strict=True))

    def made(path: Path) -> LiftedFile:
        sequence = make(path)
        if path not in targets:
            return LiftedFile(source=path, sequence=sequence)
        for further in person_paths(targets[path], sequence.people)[1:] if apart else ():
            taken = next((other for other, target in targets.items() if target == further), None)
            if taken is not None:
                raise DataError(
                    f"{path}: a further person would take the place of {taken}'s result; rename one of them"
                )
        targets[path].parent.mkdir(parents=True, exist_ok=True)
        written = write(sequence, targets[path])
        notes = tuple(note for note in not_shown(sequence, format) if note not in sequence.notes)
        return LiftedFile(source=path, sequence=sequence, written=written, notes=notes)

    return (done or LiftedFile(source=path, error=error) for path, done, error in _each(paths, made, doing, progress))


def _paths(sources: Path | str | Iterable[Path | str], holds: Holds) -> tuple[list[Path], Path | None]:
    """The recordings, and the folder they were found in."""
    if isinstance(sources, str | Path):
        return find_recordings(sources, holds), Path(sources)
    if not isinstance(sources, Iterable):
        raise ConfigError(f"found {type(sources).__name__} {sources!r}; expected a folder, or paths")
    return [as_path(path, "a recording") for path in sources], None


def _each(
    paths: list[Path], work: Callable[[Path], _Result], doing: str, progress: bool
) -> Iterator[tuple[Path, _Result | None, str | None]]:
    """Every recording with what the work gives, or with what was wrong with it."""
    from tqdm import tqdm

    with tqdm(total=len(paths), desc=doing, unit="file", disable=None if progress else True) as bar:
        for path in paths:
            bar.set_postfix_str(path.name[-30:], refresh=True)
            yield path, *_guarded(path, work)
            bar.update()


def _guarded(path: Path, work: Callable[[Path], _Result]) -> tuple[_Result | None, str | None]:
    # What is wrong for every file was refused before the first one was read.
    try:
        return work(path), None
    except KinegraphError as error:
        said = str(error)
        return None, said if str(path) in said else f"{path}: {said.removeprefix(f'{path.name}: ')}"
    except (OSError, MemoryError, ValueError, ArithmeticError) as error:
        # Not ours, yet it must not end a night's work; the name says what it was.
        return None, f"{path}: {type(error).__name__}: {' '.join(str(error).split())}"


def _targets(paths: list[Path], root: Path | None, out: Path, suffix: str) -> list[Path]:
    """Where each result goes; two recordings of one name keep their own suffixes."""
    if out.exists() and not out.is_dir():
        raise KinegraphError(f"{out} is a file; expected a folder to write to")

    def inside(path: Path) -> Path:
        if root is not None and path != root:
            return path.relative_to(root)
        return Path(path.resolve().name)

    plain = [inside(path) if path.is_dir() else inside(path).with_suffix("") for path in paths]
    result: list[Path] = []
    for path, name in zip(paths, plain, strict=True):
        stem = inside(path) if plain.count(name) > 1 else name
        target = out / stem.with_name(stem.name + suffix)
        if target.exists() and target.resolve() == path.resolve():
            raise ConfigError(f"{path} would be overwritten by its own result; name another folder")
        result.append(target)
    twice = {target for target in result if result.count(target) > 1}
    if twice:
        raise ConfigError(f"{sorted(map(str, twice))[0]} would be written twice; give recordings different names")
    return result
