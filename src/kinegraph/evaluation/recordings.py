"""Protocol ``recordings``: forecasts of anybody's own recordings, beside what came.

From moments every half second of each recording, what was seen until then goes to the forecaster as a user would give
it, and its joints of the second after are compared with the recording's: at the very instants, between frames on the
straight line from one to the next. All methods get the same moments with the same past, and only recordings, people and
joints count that every one of them forecasts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.recordings import file_name
from kinegraph.datasets.seen_clips import marks_in
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.evaluation.provenance import names_seen, weights_info
from kinegraph.evaluation.tables import text_table
from kinegraph.formats.any_source import read_source
from kinegraph.inference.forecaster import Forecaster
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.posed_body import at_rate

__all__ = [
    "PROTOCOL",
    "TIMES_MS",
    "LeftOut",
    "RecordingsResult",
    "compare_recordings",
    "recordings_table",
]

PROTOCOL = "recordings"
TIMES_MS = (100, 200, 400, 600, 800, 1000)
_BEHIND_S, _EVERY_S = 1.5, 0.5
_FPS = 30.0

Array = NDArray[np.float64]


class LeftOut(NamedTuple):
    """A recording that does not count."""

    file: str
    reason: str
    model: str = ""
    """Which method cannot forecast it; empty where none could."""

    @property
    def told(self) -> str:
        """Why, and of which file."""
        return self.reason if self.file in self.reason else f"{self.file}: {self.reason}"

    @classmethod
    def of(cls, file: str, error: KinegraphError, model: str = "") -> LeftOut:
        """For an error, on one line."""
        return cls(file, " ".join(str(error).split()), model)


@dataclass(frozen=True, kw_only=True)
class RecordingsResult:
    """One method on a folder of recordings. Millimetres, mean over joints, moments, then recordings.

    Attributes:
        label: the method.
        error_mm: at each of `TIMES_MS`, joints in the world: the path of the body counts.
        pose_mm: the same relative to the root.
        moments: forecasts in all.
        files: the recordings that count: those that this method, and those it is compared with, could use.
        behind_s: how much of the past is given, seconds.
        skipped: the other recordings.
        notes: what to know beside the numbers: which of the recordings trained the network.
    """

    label: str
    error_mm: tuple[float, ...]
    pose_mm: tuple[float, ...]
    moments: int
    files: tuple[str, ...]
    behind_s: float
    skipped: tuple[LeftOut, ...] = field(default=())
    notes: tuple[str, ...] = ()

    @property
    def recordings(self) -> int:
        """How many recordings count."""
        return len(self.files)

    def to_json(self) -> dict[str, Any]:
        """Unrounded numbers with stable keys."""
        return {
            "protocol": PROTOCOL,
            "model": self.label,
            "unit": "mm",
            "times_ms": list(TIMES_MS),
            "error": list(self.error_mm),
            "pose": list(self.pose_mm),
            "moments": self.moments,
            "recordings": self.recordings,
            "files": list(self.files),
            "behind_s": self.behind_s,
            "skipped": [one._asdict() for one in self.skipped],
            "notes": list(self.notes),
        }


def compare_recordings(
    models: Sequence[str],
    files: Sequence[Path],
    *,
    source: Path | str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[RecordingsResult]:
    """Measure forecasters on the same moments of the same recordings.

    A recording that one of them cannot use counts for none. All are given 1.5 s of the past, or as much as the one that
    looks back longest needs.

    Args:
        models: weights folders, networks by name, or baselines.
        files: 3D recordings of two and a half seconds or more. That a network learnt from some is noted, as far as its
            weights know their names.
        source: the folder in which the files have their names; by default each file's own.
        progress: called with (recordings done, recordings in all).

    Returns:
        A result for each of `models`.

    Raises:
        DataError: no recording could be used; the message has the first reason.
        ConfigError: no models.
        KinegraphError: there is no such model.
    """
    if not models:
        raise ConfigError(f"{PROTOCOL}: no model to measure; name one or more")
    methods = {model: Forecaster.from_pretrained(model) for model in models}
    longest = max((one.network.observed_s for one in methods.values() if one.network is not None), default=0.0)
    errors: list[Array] = []
    used: list[str] = []
    skipped: list[LeftOut] = []
    moments = 0
    for done, file in enumerate(files, 1):
        try:
            found: Array | LeftOut = _of_recording(methods, file, longest)
        except KinegraphError as error:
            found = LeftOut.of(file.name, error)
        if isinstance(found, LeftOut):
            skipped.append(found)
        else:
            errors.append(found.mean(axis=0))
            used.append(str(file))
            moments += len(found)
        if progress is not None:
            progress(done, len(files))
    if not errors:
        by = f" by each of {len(methods)} methods" if len(methods) > 1 else ""
        whose = f"'{skipped[0].model}' cannot forecast " if skipped and skipped[0].model else ""
        first = f"; {whose}{skipped[0].told}" if skipped else ""
        raise DataError(f"{PROTOCOL}: none of {len(files)} recordings can be forecast and compared{by}{first}")
    mean = dict(zip(methods, np.mean(errors, axis=0), strict=True))
    return [
        RecordingsResult(
            label=model,
            error_mm=tuple(mean[model][:, 0].tolist()),
            pose_mm=tuple(mean[model][:, 1].tolist()),
            moments=moments,
            files=tuple(used),
            behind_s=max(_BEHIND_S, longest),
            skipped=tuple(skipped),
            notes=tuple(_leaks(model, methods[model], [Path(file) for file in used], source)),
        )
        for model in models
    ]


def _leaks(label: str, method: Forecaster, files: Sequence[Path], source: Path | str | None) -> list[str]:
    """A remark where a network learnt from recordings that count, as far as it can be known."""
    weights = method.weights
    if weights is None or str((weights_info(weights)["trained_on"] or {}).get("name")) != PROTOCOL:
        return []
    seen = names_seen(weights)["seen"]
    if not seen:
        return [f"{label} does not say which recordings trained it: these may be among them"]
    both = sum(marks_in(seen, [file_name(file, file.parent if source is None else source) for file in files]))
    if not both:
        return []
    return [f"{both} of these {len(files)} recordings trained {label} (by their names): no test of anything"]


def _of_recording(methods: dict[str, Forecaster], file: Path, longest: float) -> Array | LeftOut:
    """(moments, methods, times, 2) mm: error in the world and relative to the root, mean over the joints seen.

    Or whose fault it is that there is none.
    """
    motion = read_source(file)
    fps = motion.fps
    if fps is None:
        raise DataError(f"{file.name}: no frame rate; convert it with --fps, and take the result")
    if fps > 2 * _FPS:  # more frames cost more and measure nothing more
        fps /= round(fps / _FPS)
        motion = at_rate(motion, fps)
    behind = max(round(_BEHIND_S * fps), int(np.ceil(longest * fps - 1e-9)) + 1)
    ahead = int(np.ceil(TIMES_MS[-1] / 1000 * fps - 1e-9))
    if motion.frames < behind + ahead:
        seconds, least = motion.frames / fps, max(_BEHIND_S, longest) + TIMES_MS[-1] / 1000
        raise DataError(f"{file.name}: {seconds:.1f} s; expected {least:.3g} s or more")
    found = []
    for now in range(behind, motion.frames - ahead + 1, max(1, round(_EVERY_S * fps))):
        past, came = motion.slice_frames(now - behind, now), motion.positions[:, now - 1 : now + ahead]
        each = []
        for model, method in methods.items():
            try:
                each.append(_apart(method.forecast(past, ahead / fps), came, motion.skeleton.root))
            except KinegraphError as error:
                return LeftOut.of(file.name, error, model if len(methods) > 1 else "")
        apart = np.stack(each)
        # a joint that one method leaves out counts for none
        apart = np.where(np.isfinite(apart).all(axis=0), apart, np.nan)
        if not np.isfinite(apart).any(axis=(2, 4)).all():
            raise DataError(f"{file.name}: nobody is seen where the forecast is compared; fill its gaps first")
        found.append(1000 * np.nanmean(apart, axis=(2, 4)))
    return np.moveaxis(np.asarray(found, dtype=np.float64), 2, 3)


def _apart(future: SkeletonSequence, came: Array, root: int) -> Array:
    """(2, people, times, joints) m: how far a forecast is from what came, in the world and relative to the root.

    Args:
        future: from the frame after the last observed one.
        came: (people, 1 + frames, joints, 3) m, from the last observed frame.
        root: joint.
    """
    assert future.fps is not None
    said = np.concatenate([came[:, :1], future.positions], axis=1)
    said, came = (_at_times(path, future.fps) for path in (said, came))
    errors = np.stack([said - came, (said - said[:, :, [root]]) - (came - came[:, :, [root]])])
    apart: Array = np.linalg.norm(errors, axis=-1)
    return apart


def _at_times(path: Array, fps: float) -> Array:
    """(people, times, joints, 3): where a path (people, frames, joints, 3) from now on is after each of `TIMES_MS`."""
    frame = np.array(TIMES_MS) / 1000 * fps
    frame = np.where(np.isclose(frame, np.round(frame), rtol=0, atol=1e-6), np.round(frame), frame)
    before, after = np.floor(frame).astype(int), np.ceil(frame).astype(int)
    share = (frame - before)[:, None, None]
    return np.where(share > 0, (1 - share) * path[:, before] + share * path[:, after], path[:, before])


def recordings_table(results: Sequence[RecordingsResult], *, markdown: bool = False) -> str:
    """Models in rows, times in columns; both errors.

    Raises:
        ConfigError: no results.
        DataError: they are of different recordings or moments, so that a table would mislead.
    """
    if not results:
        raise ConfigError("nothing to tabulate")
    first = results[0]
    for other in results[1:]:
        if (first.files, first.moments, first.behind_s) != (other.files, other.moments, other.behind_s):
            raise DataError(
                f"{first.label} was measured on {_measured(first)}, {other.label} on {_measured(other)}, which are not "
                "the same: such numbers do not belong in one table; measure them together, by compare_recordings()"
            )
    head = ["", *(f"{ms} ms" for ms in TIMES_MS)]
    blocks = []
    for title, key in (("joints in the world, mm", "error_mm"), ("relative to the root, mm", "pose_mm")):
        rows = [[result.label, *(f"{value:.1f}" for value in getattr(result, key))] for result in results]
        blocks.append(f"{title}\n{text_table(head, rows, markdown=markdown)}")
    lines = [f"{PROTOCOL}: {_measured(first)}"]
    for model in dict.fromkeys(one.model for one in first.skipped):
        of_it = [one for one in first.skipped if one.model == model]
        whose = f", which '{model}' cannot forecast and which count for no method" if model else ""
        lines.append(f"left out: {len(of_it)}{whose}; the first: {of_it[0].told}")
    lines += [f"note: {note}" for note in dict.fromkeys(note for result in results for note in result.notes)]
    return "\n\n".join(["\n".join(lines), *blocks])


def _measured(result: RecordingsResult) -> str:
    return (
        f"{result.moments} forecasts from {result.recordings} recordings, each from {result.behind_s:.3g} s of the past"
    )
