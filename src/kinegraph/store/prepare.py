"""Turn any source of clips into a folder of shards: in parallel, in flat memory, and again after a kill.

Clips are dealt to shards by their number alone, so that the bytes written do not depend on how many processes work.
A shard is written whole, then a note of what it was made from; a later run keeps every shard whose note still holds.
A clip that cannot be read is listed with the reason in ``bad.csv`` and stops nothing. What was prepared gives way to
more, fewer or changed clips of the same source alone, never to those of another, nor to none at all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from kinegraph.atomic import write_csv, write_text
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.folder_lock import LOCK, folder_lock
from kinegraph.formats.tables.fields import skeleton_field
from kinegraph.naming import without_folder
from kinegraph.store.clip import ActionClip, ClipSource
from kinegraph.store.clip_store import MANIFEST, ClipStore, shard_name, write_manifest_text
from kinegraph.store.processes import in_processes, processes
from kinegraph.store.shard import DType, arrow, cast, write_shard

__all__ = ["BAD", "PreparedClips", "prepare_clips"]

BAD = "bad.csv"
_VERSION = "1"  # of what a source's reading means; a change makes earlier shards stale
_DIGEST = " sha256:"
_OURS = re.compile(r"shard-\d{5}\.(arrow|json)|\.shard-\d{5}\.[0-9a-f]+\.part\.(arrow|json)")


@dataclass(frozen=True)
class PreparedClips:
    """What was done.

    Attributes:
        store: the clips.
        bad: name and reason of each clip that was left out.
        kept: clips (read or bad) in shards of an earlier run that were still good.
    """

    store: ClipStore
    bad: tuple[tuple[str, str], ...]
    kept: int


def prepare_clips(
    source: ClipSource,
    out: Path | str,
    *,
    dtype: DType = "float32",
    workers: int | None = None,
    progress: bool = True,
    origin: Path | str | None = None,
) -> PreparedClips:
    """Read every clip once and write the folder that :class:`ClipStore` opens.

    Args:
        source: the clips.
        out: folder to write to; made if missing, continued if an earlier run was stopped.
        dtype: of the stored values; float16 halves the size (2 mm at 3 m).
        workers: processes; by default one for each core. 1 works in this process.
        progress: show a bar on standard error, where that is a terminal.
        origin: where the recordings are. Its name and a digest of its whole path (which a published folder need not
            tell) are kept beside the clips, so that those of another source never replace them.

    Raises:
        ConfigError: workers or dtype out of range.
        DataError: no clip can be read; the message gives the first reason, and ``bad.csv`` all of them. Clips that an
            earlier run prepared stay as they are.
        KinegraphError: the folder holds something else, clips of other recordings included, cannot be written, or
            another process prepares clips there.
    """
    if dtype not in ("float32", "float16"):
        raise ConfigError(f"dtype is {dtype!r}; expected float32 or float16")
    workers = processes(workers)
    arrow()
    with folder_lock(out) as folder:
        return _prepare(source, folder, dtype, workers, progress, origin)


def _prepare(
    source: ClipSource, folder: Path, dtype: DType, workers: int, progress: bool, origin: Path | str | None
) -> PreparedClips:
    """What :func:`prepare_clips` does, where nobody else writes to the folder."""
    held = _held(folder, source.dataset)
    stated = held.get("origin") if isinstance(held.get("origin"), str) else None
    place = None if origin is None else Path(origin).resolve()
    digest = None if place is None else _digest(place)
    at = None if origin is None else Path(origin)
    job = _Job(source, folder, dtype, at if at is None or at.is_dir() else at.parent)
    size = shard_size(len(source))
    ranges = [(start, min(start + size, len(source))) for start in range(0, len(source), size)]
    signatures = [_signature(source, dtype, start, stop) for start, stop in ranges]
    notes = [_note(folder, number, signature) for number, signature in enumerate(signatures)]
    todo = [number for number, note in enumerate(notes) if note is None]
    kept = sum(stop - start for number, (start, stop) in enumerate(ranges) if notes[number] is not None)
    if held and (digest is None or stated != digest):
        _refuse_others(source, folder, stated, place, any(notes))
    if held.get("complete") is True and not any(note["clips"] for note in notes if note is not None):
        _refuse_none(job)
    known = {"dataset": source.dataset}
    if digest or stated:
        known["origin"] = digest or stated or ""
    if todo:
        write_text(folder / MANIFEST, write_manifest_text({"complete": False, **known}))
    tasks = [(number, *ranges[number], signatures[number]) for number in todo]
    with tqdm(
        total=len(source), initial=kept, unit="clip", desc=source.dataset, disable=None if progress else True
    ) as bar:
        for (number, start, stop, _), note in in_processes(
            partial(_make, job), tasks, min(workers, max(len(tasks), 1))
        ):
            notes[number] = note
            bar.update(stop - start)
    return _finish(job, [note for note in notes if note is not None], kept, known)


def shard_size(clips: int) -> int:
    """Clips of a shard: few enough for parallel work, so many that a folder never has above 256 shards."""
    return max(16 if clips <= 1024 else 64, -(-clips // 256))


@dataclass(frozen=True)
class _Job:
    """What every process needs."""

    source: ClipSource
    folder: Path
    dtype: DType
    recordings: Path | None
    """The folder they are in."""

    def reason(self, error: Exception) -> str:
        """Why a clip cannot be used, on one line that does not tell where the recordings are."""
        if not isinstance(error, KinegraphError):
            line = f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
        else:
            line = str(error)
        if self.recordings is None:
            return line
        return without_folder(without_folder(line, self.recordings), self.recordings.resolve())


def _digest(path: Path) -> str:
    """What tells a path from others, without telling all of it."""
    return f"{path.name}{_DIGEST}{hashlib.sha256(str(path).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def _held(folder: Path, dataset: str) -> dict[str, Any]:
    """What the manifest of a folder states; empty where there is none, or a damaged one."""
    try:
        inside = list(folder.iterdir())
    except OSError as error:
        raise KinegraphError(f"cannot read the folder {folder}: {error.strerror or error}; choose another") from error
    if any(path.name not in (BAD, LOCK) for path in inside) and not (folder / MANIFEST).is_file():
        raise KinegraphError(f"{folder} holds other files and no prepared clips; choose an empty or new folder")
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        held = facts["dataset"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # nothing yet, or damaged: made anew
    if held != dataset:
        raise KinegraphError(f"{folder} holds clips of {held}, not of {dataset}; choose an empty or new folder")
    return dict(facts)


def _refuse_others(source: ClipSource, folder: Path, stated: str | None, place: Path | None, kept: bool) -> None:
    """Raises KinegraphError where a folder's clips, of another place or one that is not known, are not the source's.

    A source may have moved, and lost, won or changed clips since. Names alone do not tell two sources apart where both
    places are known (0.npz is in many): then a shard made from the same files must be there, or a clip must be alike.
    """
    there = _names(folder)
    own = {source.name(index): index for index in range(len(source))}
    shared = [name for name in own if name in there]
    if there and not shared:
        what = f"{_named(stated) or 'other recordings'} (first {min(there)}), none of them in {place or 'this source'}"
    elif there and stated and place and not kept and not _any_alike(source, folder, [own[name] for name in shared]):
        what = f"{_named(stated)}, and those of the same name in {place} are others"
    else:
        return
    raise KinegraphError(f"{folder} holds clips of {what}; choose an empty or new folder")


def _named(stated: str | None) -> str | None:
    """The name of the folder or file that a manifest states, without the digest of its path."""
    return stated and stated.partition(_DIGEST)[0]


def _names(folder: Path) -> set[str]:
    """Names of the clips in the shards of a folder, bad ones too, whether or not the preparation was finished."""
    pa = arrow()
    found: set[str] = set()
    for path in folder.iterdir():
        if not _OURS.fullmatch(path.name) or path.suffix != ".arrow":
            continue
        try:
            with pa.memory_map(str(path)) as mapped:
                reader = pa.ipc.open_file(mapped)
                for number in range(reader.num_record_batches):
                    column = reader.get_batch(number).column("name")
                    column.validate(full=True)
                    found.update(map(str, column.to_pylist()))
            found.update(str(name) for name, _ in json.loads(path.with_suffix(".json").read_text("utf-8"))["bad"])
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
            continue  # half written or damaged: made anew
    return found


def _any_alike(source: ClipSource, folder: Path, shared: list[int]) -> bool:
    """Whether one of three clips of the source that can be read is in the folder under its name, but for rounding."""
    try:
        store = ClipStore(folder)
    except KinegraphError:
        return True  # unfinished or damaged: nothing to be compared, and nothing whole to be lost
    rows = {name: row for row, name in enumerate(store.names)}
    compared = 0
    for index in dict.fromkeys([*shared[:: max(1, len(shared) // 3)], *shared]):  # from all over, then in order
        row = rows.get(source.name(index))
        try:
            clip = None if row is None else cast(source.read(index).check(), store.dtype).positions
        except Exception:  # however it is broken, it tells nothing
            continue
        if row is None or clip is None:
            continue
        other = store[row].positions
        if clip.shape == other.shape and np.allclose(clip, other, rtol=1e-3, atol=1e-3, equal_nan=True):
            return True
        compared += 1
        if compared == 3:
            break
    return False


def _refuse_none(job: _Job) -> None:
    """Raises DataError where no clip can be used: they would replace those that the folder holds."""
    first = ""
    for index in range(len(job.source)):
        try:
            _read(job, index)
        except Exception as error:
            first = first or f", first {job.source.name(index)}: {job.reason(error)}"
        else:
            return
    count = len(job.source)
    raise DataError(
        f"{job.source.dataset}: none of {count} clips can be used{first}; what {job.folder} holds stays as it is"
    )


def _signature(source: ClipSource, dtype: DType, start: int, stop: int) -> str:
    """What a shard is made from."""
    head = [_VERSION, dtype, source.dataset, skeleton_field(source.skeleton), source.fps, source.unit, source.space]
    digest = hashlib.sha256(json.dumps([*head, source.dims, source.people, source.classes]).encode())
    for index in range(start, stop):
        try:
            stamp = source.stamp(index)
        except KinegraphError:
            stamp = "gone"
        digest.update(json.dumps([source.name(index), stamp]).encode())
    return digest.hexdigest()


def _note(folder: Path, number: int, signature: str) -> dict[str, Any] | None:
    """The note of a shard that can be kept."""
    path = folder / shard_name(number)
    try:
        note = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(note, dict) and note.get("signature") == signature
    return note if same and path.is_file() and path.stat().st_size == note.get("bytes") else None


def _make(job: _Job, task: tuple[int, int, int, str]) -> dict[str, Any]:
    """Write one shard and its note."""
    number, start, stop, signature = task
    bad: list[tuple[str, str]] = []
    count = 0

    def clips() -> Iterator[ActionClip]:
        nonlocal count
        for index in range(start, stop):
            try:
                clip = _read(job, index)
            except Exception as error:  # a file can be broken in ways its reader does not know; the others go on
                bad.append((job.source.name(index), job.reason(error)))
            else:
                count += 1
                yield clip

    path = job.folder / shard_name(number)
    digest = write_shard(path, clips(), job.dtype)
    note = {"signature": signature, "clips": count, "digest": digest, "bytes": path.stat().st_size, "bad": bad}
    write_text(path.with_suffix(".json"), json.dumps(note))
    return note


def _read(job: _Job, index: int) -> ActionClip:
    """A clip as it is stored. Raises KinegraphError, or whatever its reader does, when it cannot be used."""
    source = job.source
    clip = cast(source.read(index).check(), job.dtype)
    if clip.positions.shape[2:] != (source.skeleton.num_joints, source.dims):
        raise DataError(
            f"{clip.name}: {clip.positions.shape[2]} joints in {clip.positions.shape[3]}D; expected "
            f"{source.skeleton.num_joints} in {source.dims}D, as {source.skeleton.name}"
        )
    if not -1 <= clip.label < len(source.classes):
        raise DataError(f"{clip.name}: label {clip.label}; expected 0 to {len(source.classes) - 1}")
    return clip


def _finish(job: _Job, notes: list[dict[str, Any]], kept: int, known: dict[str, Any]) -> PreparedClips:
    source, folder = job.source, job.folder
    bad = tuple((str(name), str(reason)) for note in notes for name, reason in note["bad"])
    clips = sum(note["clips"] for note in notes)
    if bad:
        write_csv(folder / BAD, ("clip", "reason"), bad)
    else:
        (folder / BAD).unlink(missing_ok=True)
    names = [shard_name(number) for number in range(len(notes))] if clips else []
    for path in folder.iterdir():  # of an earlier, larger preparation, or of a killed one
        if _OURS.fullmatch(path.name) and path.with_suffix(".arrow").name not in names:
            path.unlink(missing_ok=True)
    if not clips:  # only the list of reasons is left
        (folder / MANIFEST).unlink(missing_ok=True)
        first = f"; {folder / BAD} says why, first {bad[0][0]}: {bad[0][1]}" if bad else ""
        raise DataError(f"{source.dataset}: none of {len(source)} clips can be used{first}")
    facts: dict[str, Any] = {
        **known,
        "skeleton": skeleton_field(source.skeleton),
        "fps": source.fps,
        "unit": source.unit,
        "space": source.space,
        "dims": source.dims,
        "dtype": job.dtype,
        "classes": list(source.classes),
        "clips": clips,
        "bad": len(bad),
        "notes": list(source.notes),
        "shards": names,
    }
    head = [facts[key] for key in ("dataset", "skeleton", "fps", "unit", "space", "dims", "dtype", "classes")]
    digest = hashlib.sha256(json.dumps([head, [note["digest"] for note in notes]]).encode())
    facts = {"complete": True, "fingerprint": digest.hexdigest(), **facts}
    write_text(folder / MANIFEST, write_manifest_text(facts))
    return PreparedClips(ClipStore(folder), bad, kept)
