"""One shard: some hundred clips as an Arrow IPC file, and reading any of them from a map of it.

A row is a clip: name, label, subject, camera, setup, splits, people, frames, and flattened positions and confidence.
Rows come in batches of a few megabytes, so that neither writing nor reading holds more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import atomic_path
from kinegraph.errors import DataError, FormatError, require
from kinegraph.store.clip import ActionClip

__all__ = ["DType", "Rows", "clip_digest", "open_shard", "write_shard"]

DType = Literal["float32", "float16"]
_BATCH_CLIPS, _BATCH_VALUES = 32, 2**21
_PURPOSE = "a folder of prepared clips"


def arrow() -> Any:
    """pyarrow. Raises MissingExtraError, which names the extra."""
    require("pyarrow.ipc", extra="store", purpose=_PURPOSE)
    return require("pyarrow", extra="store", purpose=_PURPOSE)


def _schema(dtype: DType) -> Any:
    pa = arrow()
    value = pa.float16() if dtype == "float16" else pa.float32()
    return pa.schema(
        [
            ("name", pa.string()),
            ("label", pa.int32()),
            ("subject", pa.string()),
            ("camera", pa.int32()),
            ("setup", pa.int32()),
            ("splits", pa.string()),
            ("people", pa.int32()),
            ("frames", pa.int32()),
            ("positions", pa.large_list(value)),
            ("confidence", pa.large_list(value)),
        ]
    )


def cast(clip: ActionClip, dtype: DType) -> ActionClip:
    """A clip in the stored type. Raises DataError when a coordinate does not fit it."""
    with np.errstate(over="ignore"):
        positions = np.ascontiguousarray(clip.positions, dtype=dtype)
    if np.isinf(positions).any():
        raise DataError(f"{clip.name}: a coordinate is too large for {dtype}; store float32")
    confidence = None if clip.confidence is None else np.ascontiguousarray(clip.confidence, dtype=dtype)
    return replace(clip, positions=positions, confidence=confidence)


def clip_digest(clip: ActionClip) -> bytes:
    """SHA-256 of everything a stored clip holds."""
    known = [clip.name, clip.label, clip.subject, clip.camera, clip.setup, clip.splits, clip.positions.shape]
    digest = hashlib.sha256(json.dumps([*known, str(clip.positions.dtype)]).encode())
    # every NaN is written with the same bits: which one an array held says nothing
    for array in (clip.positions, clip.confidence):
        if array is not None:
            digest.update(np.where(np.isnan(array), array.dtype.type(np.nan), array).tobytes())
    return digest.digest()


def write_shard(path: Path, clips: Iterable[ActionClip], dtype: DType) -> str:
    """Write clips as one file, which appears whole or not at all.

    Args:
        path: the file.
        clips: read one after the other; all on one skeleton.
        dtype: of positions and confidence.

    Returns:
        SHA-256 of the content as hexadecimal digits, the same whatever machine wrote it.

    Raises:
        KinegraphError: the file cannot be written.
    """
    pa, schema = arrow(), _schema(dtype)
    digest = hashlib.sha256()
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        batch: list[ActionClip] = []
        values = 0
        for clip in clips:
            digest.update(clip_digest(clip))
            batch.append(clip)
            values += clip.positions.size
            if len(batch) == _BATCH_CLIPS or values >= _BATCH_VALUES:
                writer.write_batch(_to_batch(batch, schema, dtype))
                batch, values = [], 0
        if batch:
            writer.write_batch(_to_batch(batch, schema, dtype))
    return digest.hexdigest()


def _to_batch(clips: list[ActionClip], schema: Any, dtype: DType) -> Any:
    pa = arrow()

    def ragged(arrays: list[NDArray[np.floating]]) -> Any:
        offsets = np.concatenate([[0], np.cumsum([array.size for array in arrays])]).astype(np.int64)
        flat = np.concatenate([array.reshape(-1) for array in arrays]).astype(dtype, copy=False)
        flat = np.where(np.isnan(flat), flat.dtype.type(np.nan), flat)
        return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(flat, from_pandas=False))

    none = np.zeros(0, dtype=dtype)
    plain = [
        pa.array([clip.name for clip in clips], pa.string()),
        pa.array([clip.label for clip in clips], pa.int32()),
        pa.array([clip.subject for clip in clips], pa.string()),
        pa.array([clip.camera for clip in clips], pa.int32()),
        pa.array([clip.setup for clip in clips], pa.int32()),
        pa.array([json.dumps(clip.splits) for clip in clips], pa.string()),
        pa.array([clip.people for clip in clips], pa.int32()),
        pa.array([clip.frames for clip in clips], pa.int32()),
    ]
    positions = ragged([clip.positions for clip in clips])
    confidence = ragged([none if clip.confidence is None else clip.confidence for clip in clips])
    return pa.RecordBatch.from_arrays([*plain, positions, confidence], schema=schema)


@dataclass(frozen=True, eq=False)
class Rows:
    """The clips of one batch, as views of the mapped file.

    Attributes:
        known: column -> list or array of what is small.
        positions, confidence: flat values of all clips, ``(values,)``.
        starts, sure: where each clip's positions and confidence begin, ``(clips + 1,)``.
    """

    known: dict[str, Any]
    positions: NDArray[np.floating]
    confidence: NDArray[np.floating]
    starts: NDArray[np.int64]
    sure: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def clip(self, row: int, joints: int, dims: int) -> ActionClip:
        """One clip; its arrays are read-only views."""
        shape = (int(self.known["people"][row]), int(self.known["frames"][row]), joints)
        begin, end = int(self.sure[row]), int(self.sure[row + 1])
        return ActionClip(
            name=self.known["name"][row],
            label=int(self.known["label"][row]),
            positions=self.positions[self.starts[row] : self.starts[row + 1]].reshape(*shape, dims),
            confidence=self.confidence[begin:end].reshape(shape) if end > begin else None,
            subject=self.known["subject"][row],
            camera=int(self.known["camera"][row]),
            setup=int(self.known["setup"][row]),
            splits=self.known["splits"][row],
        )


def open_shard(path: Path, joints: int, dims: int, dtype: DType) -> list[Rows]:
    """Map a shard. The file must stay as it is while its clips are used.

    Raises:
        FormatError: damaged, of another type, or with values that do not fit the shapes it states.
    """
    pa = arrow()
    try:
        with pa.memory_map(str(path)) as mapped:
            reader = pa.ipc.open_file(mapped)
            if not reader.schema.equals(_schema(dtype)):
                raise FormatError(
                    path, f"columns {', '.join(reader.schema.names)[:100]}; expected a shard of {dtype} clips"
                )
            batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
            for batch in batches:
                batch.validate(full=True)
        return [_rows(batch, path, joints, dims) for batch in batches]
    except (pa.ArrowException, ValueError) as error:
        raise FormatError(path, f"not a readable shard ({str(error)[:120]}); prepare the data again") from None
    except OSError as error:
        raise FormatError(path, f"cannot be read ({str(error)[:120]}); prepare the data again") from None


def _rows(batch: Any, path: Path, joints: int, dims: int) -> Rows:
    if any(column.null_count for column in batch.columns):
        raise FormatError(path, "holds nulls; expected whole clips. Prepare the data again")
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    known: dict[str, Any] = {name: columns[name].to_pylist() for name in ("name", "subject")}
    known |= {name: columns[name].to_numpy() for name in ("label", "camera", "setup", "people", "frames")}
    known["splits"] = [tuple(map(str, json.loads(text))) for text in columns["splits"].to_pylist()]
    flat, starts = {}, {}
    for name in ("positions", "confidence"):
        starts[name] = columns[name].offsets.to_numpy()
        flat[name] = columns[name].values.to_numpy(zero_copy_only=True)
    expected = known["people"].astype(np.int64) * known["frames"] * joints
    lengths, sure = np.diff(starts["positions"]), np.diff(starts["confidence"])
    if (known["people"] < 1).any() or (known["frames"] < 1).any() or (lengths != expected * dims).any():
        raise FormatError(
            path, f"a clip's values do not fill its shape of {joints} joints in {dims}D; prepare it again"
        )
    if ((sure != expected) & (sure != 0)).any():
        raise FormatError(path, "a clip's confidence does not fit its shape; prepare the data again")
    return Rows(known, flat["positions"], flat["confidence"], starts["positions"], starts["confidence"])
