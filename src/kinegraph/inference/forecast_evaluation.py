"""Protocol ``recordings``: forecasts of anybody's own recordings, beside what came.

From moments every half second of each recording, what was seen until then goes to the forecaster as a user would give
it, and its joints of the second after are compared with the recording's. All methods get the same moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.evaluation.tables import text_table
from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.quick import read_source
from kinegraph.transforms.posed_body import at_rate

__all__ = ["PROTOCOL", "TIMES_MS", "RecordingsResult", "evaluate_recordings", "recordings_table"]

PROTOCOL = "recordings"
TIMES_MS = (100, 200, 400, 600, 800, 1000)
_BEHIND_S, _EVERY_S = 1.5, 0.5
_FPS = 30.0

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RecordingsResult:
    """One method on a folder of recordings. Millimetres, mean over joints, moments, then recordings.

    Attributes:
        label: the method.
        error_mm: at each of `TIMES_MS`, joints in the world: the path of the body counts.
        pose_mm: the same relative to the root.
        moments: forecasts in all.
        recordings: recordings that could be used.
        skipped: (file, reason) of the others.
    """

    label: str
    error_mm: tuple[float, ...]
    pose_mm: tuple[float, ...]
    moments: int
    recordings: int
    skipped: tuple[tuple[str, str], ...] = field(default=())

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
            "skipped": [{"file": file, "reason": reason} for file, reason in self.skipped],
        }


def evaluate_recordings(
    model: str, files: Sequence[Path], *, progress: Callable[[int, int], None] | None = None
) -> RecordingsResult:
    """Measure a forecaster.

    Args:
        model: weights folder, network by name, or a baseline.
        files: 3D recordings that it did not learn from, of two and a half seconds or more.
        progress: called with (recordings done, recordings in all).

    Raises:
        DataError: no recording could be used; the message has the first reason.
        ConfigError: there is no such model.
    """
    forecaster = Forecaster.from_pretrained(model)
    absolute: list[Array] = []
    relative: list[Array] = []
    skipped: list[tuple[str, str]] = []
    moments = 0
    for done, file in enumerate(files, 1):
        try:
            found = _of_recording(forecaster, file)
        except KinegraphError as error:
            skipped.append((file.name, " ".join(str(error).split())))
        else:
            absolute.append(found[..., 0].mean(axis=0))
            relative.append(found[..., 1].mean(axis=0))
            moments += len(found)
        if progress is not None:
            progress(done, len(files))
    if not absolute:
        first = f"; {skipped[0][1]}" if skipped else ""
        raise DataError(f"{PROTOCOL}: none of {len(files)} recordings can be forecast and compared{first}")
    return RecordingsResult(
        label=model,
        error_mm=tuple(np.mean(absolute, axis=0).tolist()),
        pose_mm=tuple(np.mean(relative, axis=0).tolist()),
        moments=moments,
        recordings=len(absolute),
        skipped=tuple(skipped),
    )


def _of_recording(forecaster: Forecaster, file: Path) -> Array:
    """(moments, times, 2) mm: error in the world and relative to the root, mean over the joints seen."""
    motion = read_source(file)
    fps = motion.fps
    if fps is None:
        raise DataError(f"{file.name}: no frame rate; convert it with --fps, and take the result")
    if fps > 2 * _FPS:  # more frames cost more and measure nothing more
        fps /= round(fps / _FPS)
        motion = at_rate(motion, fps)
    behind, ahead = round(_BEHIND_S * fps), round(TIMES_MS[-1] / 1000 * fps)
    if motion.frames < behind + ahead:
        seconds = motion.frames / fps
        raise DataError(f"{file.name}: {seconds:.1f} s; expected {_BEHIND_S + TIMES_MS[-1] / 1000:g} s or more")
    found = []
    root = motion.skeleton.root
    at = [max(1, round(ms / 1000 * fps)) - 1 for ms in TIMES_MS]
    for now in range(behind, motion.frames - ahead + 1, max(1, round(_EVERY_S * fps))):
        future = forecaster.forecast(motion.slice_frames(now - behind, now), ahead / fps)
        said, came = future.positions[:, at], motion.positions[:, now : now + ahead][:, at]
        errors = np.stack([said - came, (said - said[:, :, [root]]) - (came - came[:, :, [root]])])
        apart = np.linalg.norm(errors, axis=-1)  # (2, people, times, joints)
        if not np.isfinite(apart).any(axis=(1, 3)).all():
            raise DataError(f"{file.name}: nobody is seen where the forecast is compared; fill its gaps first")
        found.append(1000 * np.nanmean(apart, axis=(1, 3)))
    return np.moveaxis(np.asarray(found, dtype=np.float64), 1, 2)


def recordings_table(results: Sequence[RecordingsResult], *, markdown: bool = False) -> str:
    """Models in rows, times in columns; both errors."""
    if not results:
        raise ConfigError("nothing to tabulate")
    head = ["", *(f"{ms} ms" for ms in TIMES_MS)]
    blocks = []
    for title, key in (("joints in the world, mm", "error_mm"), ("relative to the root, mm", "pose_mm")):
        rows = [[result.label, *(f"{value:.1f}" for value in getattr(result, key))] for result in results]
        blocks.append(f"{title}\n{text_table(head, rows, markdown=markdown)}")
    first = results[0]
    told = f"{PROTOCOL}: {first.moments} forecasts from {first.recordings} recordings"
    if first.skipped:
        told += f"; {len(first.skipped)} left out, the first: {first.skipped[0][1]}"
    return "\n\n".join([told, *blocks])
