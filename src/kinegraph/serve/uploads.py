"""Uploads on disk: names made harmless, archives unpacked within limits.

Nothing of an upload's own name decides where it is written: every upload has a folder of its own with a random name,
and inside it only the last part of the given name, stripped to harmless characters.
"""

from __future__ import annotations

import re
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kinegraph.errors import DataError, FormatError
from kinegraph.sequence import SkeletonSequence

__all__ = ["MOST_JOINTS", "MOST_PEOPLE", "check_extent", "harmless_name", "recording_in", "upload_folder"]

MOST_JOINTS = 256
MOST_PEOPLE = 30
_SLOWEST = 20.0  # frames a second that a recording is counted as, if it has fewer
_FASTEST = 1000.0
_FAR = 1e7  # metres or pixels
_LONGEST = 80
_LONGEST_BYTES = 160  # file systems take 255, and a file that is written has a longer name until it is whole
_HEAD, _HEAD_BYTES = 50, 100  # of these, before the number of a frame: OpenPose puts 27 characters behind
_MOST_ENTRIES = 20_000
_COPY = 2**20


def harmless_name(given: str) -> str:
    """The last part of a path as a file name: letters, digits, space and ``._-()+``.

    At most 80 characters and 160 bytes; a suffix is kept.
    """
    last = re.split(r"[\\/]", given)[-1]
    clean = re.sub(r"[^\w .()+-]", "_", last).strip(" .")
    stem, dot, suffix = clean.rpartition(".")
    ending = dot + suffix
    if not dot or len(suffix.encode()) >= 12:
        stem, ending = clean, ""
    kept = stem[: _LONGEST - len(ending)].encode()[: _LONGEST_BYTES - len(ending.encode())]
    return kept.decode(errors="ignore") + ending or "recording"  # the last bytes may be half of a letter


def _entry_name(given: str) -> str:
    """A harmless name for a file of an archive. What is too long is cut before the number, not behind it.

    The cut is the same whatever the number: frames of one video keep one beginning, and differ as they did.
    """
    stem, dot, suffix = re.split(r"[\\/]", given)[-1].rpartition(".")
    found = re.fullmatch(r"(.*?)(\d+\D*)", stem, re.DOTALL)
    if found is not None and len(found[1]) > _HEAD:
        head = found[1][:_HEAD].encode(errors="ignore")[:_HEAD_BYTES].decode(errors="ignore")
        stem = f"{head}_{found[2]}"  # digits that the cut lays bare are none of the number
    return harmless_name(stem + dot + suffix)


@contextmanager
def upload_folder(root: Path) -> Iterator[Path]:
    """A fresh folder under `root` that is gone afterwards, whatever happens."""
    folder = root / f"upload-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def recording_in(path: Path, limit: int) -> Path:
    """The recording that an upload is: the file itself, or what a .zip holds, unpacked beside it.

    A .zip may hold OpenPose frames (one JSON a frame), an AMC with its ASF, or one file of any other kind.

    Args:
        path: the upload.
        limit: most bytes that an archive may unpack to (.zip and .npz).

    Raises:
        FormatError: a damaged archive, one that unpacks to too much, or one that is not one recording.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with _opened(path) as archive:
            _check_size(path, archive.infolist(), limit)
        return path
    if suffix != ".zip":
        return path
    folder = path.with_name("unpacked")
    folder.mkdir(mode=0o700)
    with _opened(path) as archive:
        entries = [e for e in archive.infolist() if not e.is_dir() and not _ignored(e.filename)]
        _check_size(path, entries, limit)
        left = limit
        for entry in entries:
            left -= _unpack(path, archive, entry, folder / _entry_name(entry.filename), left)
    path.unlink()
    return _the_recording(path, folder)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FormatError(path, f"is no sound archive ({str(error)[:80]}); pack it again, without a password") from None


def _check_size(path: Path, entries: list[zipfile.ZipInfo], limit: int) -> None:
    if len(entries) > _MOST_ENTRIES:
        raise FormatError(path, f"holds {len(entries)} files; expected at most {_MOST_ENTRIES}")
    total = sum(entry.file_size for entry in entries)
    if total > limit:
        raise FormatError(path, f"unpacks to {total / 2**20:.0f} MiB; expected at most {limit / 2**20:.0f}")


def _ignored(name: str) -> bool:
    """What an archiver adds of its own."""
    return name.lower().startswith("__macosx/") or name.rsplit("/", 1)[-1].startswith(".")


def _unpack(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Write one entry; the bytes are counted as they come, because a header may lie."""
    if target.exists():
        raise FormatError(path, f"holds two files called '{target.name}'; expected one recording")
    done = 0
    with archive.open(entry) as source, target.open("xb") as sink:
        while chunk := source.read(_COPY):
            done += len(chunk)
            if done > limit:
                raise FormatError(path, f"unpacks to more than it says at '{target.name}'; pack it again")
            sink.write(chunk)
    return done


def _the_recording(path: Path, folder: Path) -> Path:
    files = sorted(folder.iterdir())
    kinds = {file.suffix.lower() for file in files}
    if not files:
        raise FormatError(path, "holds no files; expected one recording")
    if len(files) == 1:
        if files[0].suffix.lower() == ".zip":
            raise FormatError(path, "holds another archive; expected a recording")
        return files[0]
    if kinds == {".json"}:
        frames = folder.with_name(path.stem or "frames")
        folder.rename(frames)
        return frames
    motions = [file for file in files if file.suffix.lower() != ".asf"]
    if len(motions) == 1 and kinds == {".asf", ".amc"}:
        return motions[0]
    found = f"{len(files)} files ({', '.join(sorted(kinds))})"
    raise FormatError(path, f"holds {found}; expected JSON frames, an AMC with its ASF, or one recording")


def check_extent(sequence: SkeletonSequence, limit: int, name: str) -> None:
    """Refuse what would keep the networks busy for long, or means no body.

    Networks see recordings at some thirty frames a second, so a few frames at a rate of one an hour are as long as
    many frames.

    Args:
        sequence: what was read.
        limit: most people times frames, at the file's rate and at 20 frames a second alike.
        name: what the recording is called.

    Raises:
        DataError: it is longer, has more than `MOST_JOINTS` joints or `MOST_PEOPLE` people, or stands where no camera
            sees.
    """
    frames, people, joints = sequence.frames, sequence.people, sequence.skeleton.num_joints
    remedy = "cut it, or use 'kinegraph view'"
    if frames * people > limit:
        raise DataError(
            f"{name}: {frames} frames of {people} people are {frames * people}; the viewer takes {limit}: {remedy}"
        )
    if sequence.fps is not None and frames * people * _SLOWEST / sequence.fps > limit:
        raise DataError(
            f"{name}: {frames} frames of {people} people at {sequence.fps:.3g} a second last "
            f"{frames * people / sequence.fps:.0f} s together; the viewer takes {limit / _SLOWEST:.0f} s: {remedy}"
        )
    if sequence.fps is not None and sequence.fps > _FASTEST:
        raise DataError(f"{name}: {sequence.fps:.6g} frames a second; expected {_FASTEST:g} at most. Check its rate")
    if people > MOST_PEOPLE:
        raise DataError(f"{name}: {people} people; the viewer takes {MOST_PEOPLE}: {remedy}")
    if joints > MOST_JOINTS:
        raise DataError(f"{name}: {joints} joints; the viewer takes {MOST_JOINTS}: use 'kinegraph view'")
    farthest = float(np.nanmax(np.abs(sequence.positions), initial=0.0))
    if farthest > _FAR:
        raise DataError(f"{name}: a joint stands at {farthest:.3g} {sequence.unit}; expected a body. Check its unit")
