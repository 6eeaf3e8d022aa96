"""Turn any source of clips into a folder of shards: in parallel, in flat memory, and again after a kill.

Clips are dealt to shards by their number alone, so that the bytes written do not depend on how many processes work.
A shard is written whole, then a note of what it was made from; a later run keeps every shard whose note still holds.
A clip that cannot be read is listed with the reason in ``bad.csv`` and stops nothing.
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

from tqdm import tqdm

from kinegraph.atomic import write_csv, write_text
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.formats.fields import skeleton_field
from kinegraph.store.clip import ActionClip, ClipSource
from kinegraph.store.clip_store import MANIFEST, ClipStore, shard_name, write_manifest_text
from kinegraph.store.processes import in_processes, processes
from kinegraph.store.shard import DType, arrow, cast, write_shard

__all__ = ["BAD", "Prepared", "prepare_clips"]

BAD = "bad.csv"
_VERSION = "1"  # of what a source's reading means; a change makes earlier shards stale
_OURS = re.compile(r"shard-\d{5}\.(arrow|json)|\.shard-\d{5}\.[0-9a-f]+\.part\.(arrow|json)")


@dataclass(frozen=True)
class Prepared:
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
) -> Prepared:
    """Read every clip once and write the folder that :class:`ClipStore` opens.

    Args:
        source: the clips.
        out: folder to write to; made if missing, continued if an earlier run was stopped.
        dtype: of the stored values; float16 halves the size (2 mm at 3 m).
        workers: processes; by default one for each core. 1 works in this process.
        progress: show a bar on standard error.

    Raises:
        ConfigError: workers or dtype out of range.
        DataError: no clip can be read; the message gives the first reason, and ``bad.csv`` all of them.
        KinegraphError: the folder holds something else or cannot be written.
    """
    if dtype not in ("float32", "float16"):
        raise ConfigError(f"dtype is {dtype!r}; expected float32 or float16")
    workers = processes(workers)
    arrow()
    folder = _folder(Path(out), source.dataset)
    job = _Job(source, folder, dtype)
    size = shard_size(len(source))
    ranges = [(start, min(start + size, len(source))) for start in range(0, len(source), size)]
    signatures = [_signature(source, dtype, start, stop) for start, stop in ranges]
    notes = [_note(folder, number, signature) for number, signature in enumerate(signatures)]
    todo = [number for number, note in enumerate(notes) if note is None]
    kept = sum(stop - start for number, (start, stop) in enumerate(ranges) if notes[number] is not None)
    if todo:
        write_text(folder / MANIFEST, write_manifest_text({"complete": False, "dataset": source.dataset}))
    tasks = [(number, *ranges[number], signatures[number]) for number in todo]
    with tqdm(total=len(source), initial=kept, unit="clip", desc=source.dataset, disable=not progress) as bar:
        for (number, start, stop, _), note in in_processes(
            partial(_make, job), tasks, min(workers, max(len(tasks), 1))
        ):
            notes[number] = note
            bar.update(stop - start)
    return _finish(source, folder, dtype, [note for note in notes if note is not None], kept)


def shard_size(clips: int) -> int:
    """Clips of a shard: few enough for parallel work, so many that a folder never has above 256 shards."""
    return max(16 if clips <= 1024 else 64, -(-clips // 256))


@dataclass(frozen=True)
class _Job:
    """What every process needs."""

    source: ClipSource
    folder: Path
    dtype: DType


def _folder(folder: Path, dataset: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = list(folder.iterdir())
    except OSError as error:
        raise KinegraphError(f"cannot make the folder {folder}: {error.strerror or error}; choose another") from error
    if any(path.name != BAD for path in inside) and not (folder / MANIFEST).is_file():
        raise KinegraphError(f"{folder} holds other files and no prepared clips; choose an empty or new folder")
    try:
        held = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["dataset"]
    except (OSError, ValueError, KeyError, TypeError):
        return folder  # nothing yet, or damaged: made anew
    if held != dataset:
        raise KinegraphError(f"{folder} holds clips of {held}, not of {dataset}; choose an empty or new folder")
    return folder


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
                clip = cast(job.source.read(index).check(), job.dtype)
                if clip.positions.shape[2:] != (job.source.skeleton.num_joints, job.source.dims):
                    raise DataError(
                        f"{clip.name}: {clip.positions.shape[2]} joints in {clip.positions.shape[3]}D; expected "
                        f"{job.source.skeleton.num_joints} in {job.source.dims}D, as {job.source.skeleton.name}"
                    )
                if not -1 <= clip.label < len(job.source.classes):
                    raise DataError(f"{clip.name}: label {clip.label}; expected 0 to {len(job.source.classes) - 1}")
            except KinegraphError as error:
                bad.append((job.source.name(index), str(error)))
            except Exception as error:  # a file can be broken in ways its reader does not know; the others go on
                bad.append((job.source.name(index), f"{type(error).__name__}: {error}".replace("\n", " ")[:300]))
            else:
                count += 1
                yield clip

    path = job.folder / shard_name(number)
    digest = write_shard(path, clips(), job.dtype)
    note = {"signature": signature, "clips": count, "digest": digest, "bytes": path.stat().st_size, "bad": bad}
    write_text(path.with_suffix(".json"), json.dumps(note))
    return note


def _finish(source: ClipSource, folder: Path, dtype: DType, notes: list[dict[str, Any]], kept: int) -> Prepared:
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
        "dataset": source.dataset,
        "skeleton": skeleton_field(source.skeleton),
        "fps": source.fps,
        "unit": source.unit,
        "space": source.space,
        "dims": source.dims,
        "dtype": dtype,
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
    return Prepared(ClipStore(folder), bad, kept)
