"""Lift many recordings, one after the other: constant memory, a progress bar, and a bad file stops nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.formats import detect, formats, write, write_format
from kinegraph.formats.openpose import frame_files
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.quick import lift
from kinegraph.sequence import SkeletonSequence

__all__ = ["LiftedFile", "find_recordings", "lift_files"]


@dataclass(frozen=True, kw_only=True)
class LiftedFile:
    """One recording done.

    Attributes:
        source: the file, or the folder of frames.
        sequence: the lifted motion; None where it failed.
        written: the files written, if a folder for them was named.
        error: what was wrong, in one line; None where nothing was.
    """

    source: Path
    sequence: SkeletonSequence | None = None
    written: tuple[Path, ...] = ()
    error: str | None = None


def find_recordings(folder: Path | str) -> list[Path]:
    """Every recording in a folder and those below it, in order of name: motion files, and folders of OpenPose frames.

    Raises:
        FormatError: no such folder.
        DataError: there is none.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FormatError(root, "no such folder; expected one with 2D recordings")
    suffixes = {suffix for info in formats() for suffix in info.suffixes if "2D" in info.holds}
    found: list[Path] = []

    def visit(place: Path) -> None:
        if _is_recording(place):
            found.append(place)
            return
        for item in sorted(place.iterdir()):
            if item.name.startswith("."):
                continue
            if item.is_dir() and not item.is_symlink():
                visit(item)
            elif item.is_file() and item.suffix.lower() in suffixes:
                found.append(item)

    visit(root)
    if not found:
        raise DataError(f"{root}: no recordings there; expected files that end in {', '.join(sorted(suffixes))}")
    return found


def _is_recording(folder: Path) -> bool:
    """Whether a folder is one recording, a file a frame."""
    if not frame_files(folder):
        return False
    try:
        return detect(folder) == "openpose"
    except KinegraphError:
        return False


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

    Only one recording is in memory at a time. One that cannot be read or lifted is reported in its result, and the
    next one follows.

    Args:
        sources: a folder (see :func:`find_recordings`), or paths.
        out: folder to write to, made if missing; folders below `sources` are kept. None writes nothing.
        to: suffix of the files written, which tells their format.
        model: a :class:`Lifter`, a weights folder or a hub id; the network of the package if None.
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
    suffix = to if to.startswith(".") else f".{to}"
    write_format(Path(f"x{suffix}"))
    network = model if isinstance(model, Lifter) else Lifter.from_pretrained(model)
    root = Path(sources) if isinstance(sources, str | Path) else None
    paths = find_recordings(root) if root is not None else [Path(path) for path in sources]  # type: ignore[union-attr]
    targets: list[Path | None] = [None] * len(paths)
    if out is not None:
        targets = _targets(paths, root, Path(out), suffix)
    return _each(paths, targets, network, progress, options)


def _each(
    paths: list[Path], targets: list[Path | None], network: Lifter, progress: bool, options: dict[str, Any]
) -> Iterator[LiftedFile]:
    from tqdm import tqdm

    bar = tqdm(total=len(paths), desc="lifting", unit="file", disable=not (progress and sys.stderr.isatty()))
    with bar:
        for path, target in zip(paths, targets, strict=True):
            bar.set_postfix_str(path.name[-30:], refresh=True)
            yield _one(path, target, network, options)
            bar.update()


def _one(path: Path, target: Path | None, network: Lifter, options: dict[str, Any]) -> LiftedFile:
    try:
        sequence = lift(path, model=network, **options)
        if target is None:
            return LiftedFile(source=path, sequence=sequence)
        target.parent.mkdir(parents=True, exist_ok=True)
        return LiftedFile(source=path, sequence=sequence, written=write(sequence, target))
    except ConfigError:
        raise  # a wrong option is wrong for every file
    except KinegraphError as error:
        return LiftedFile(source=path, error=str(error))
    except (OSError, MemoryError, ValueError, ArithmeticError) as error:
        # Not ours, yet it must not end a night's work; the name says what it was.
        return LiftedFile(source=path, error=f"{path}: {type(error).__name__}: {' '.join(str(error).split())}")


def _targets(paths: list[Path], root: Path | None, out: Path, suffix: str) -> list[Path | None]:
    """Where each result goes; two recordings of one name keep their own suffixes."""
    if out.exists() and not out.is_dir():
        raise KinegraphError(f"{out} is a file; expected a folder to write to")

    def inside(path: Path) -> Path:
        if root is not None and path != root:
            return path.relative_to(root)
        return Path(path.resolve().name)

    plain = [inside(path) if path.is_dir() else inside(path).with_suffix("") for path in paths]
    result: list[Path | None] = []
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
