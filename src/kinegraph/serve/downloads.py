"""Results as files: what `kinegraph convert` would write, or the player in one page."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from kinegraph.errors import ConfigError, DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.analysis import Analysis

__all__ = ["FORMATS", "WHATS", "packed"]

#: suffix -> media type of what can be had
FORMATS = {
    "bvh": "text/plain; charset=utf-8",
    "trc": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "glb": "model/gltf-binary",
    "npz": "application/octet-stream",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
}
WHATS = ("3d", "2d", "forecast", "whole")


def packed(analysis: Analysis, suffix: str, what: str, folder: Path) -> tuple[bytes, str, str]:
    """A file of an analysis.

    Args:
        analysis: the result.
        suffix: one of `FORMATS`.
        what: ``3d``, ``2d``, ``forecast``, or ``whole`` for the 3D with the forecast after it.
        folder: an empty folder to write in.

    Returns:
        The bytes, a file name and a media type; several files of one recording (BVH, TRC: one a person) come as .zip.

    Raises:
        ConfigError: no such format or part.
        DataError: the result has no such part.
        KinegraphError: the format cannot hold it.
    """
    from kinegraph.formats import write

    if suffix not in FORMATS:
        raise ConfigError(f"nothing is written as '{suffix[:20]}'; choose {', '.join(FORMATS)}")
    stem = Path(analysis.name).stem or "motion"
    if suffix == "html":
        from kinegraph.visualize import player_html

        page = player_html(
            analysis.panels, title=analysis.name, notes=analysis.notes, ghosts=analysis.ghosts, bands=analysis.bands
        )
        return page.encode(), f"{stem}.html", FORMATS[suffix]
    sequence = _part(analysis, what)
    named = f"{stem}{'' if what == '3d' else '_' + what}.{suffix}"
    written = write(sequence, folder / named)
    if len(written) == 1:
        return written[0].read_bytes(), named, FORMATS[suffix]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in written:
            bundle.write(path, path.name)
    return archive.getvalue(), f"{Path(named).stem}_{suffix}.zip", "application/zip"


def _part(analysis: Analysis, what: str) -> SkeletonSequence:
    if what not in WHATS:
        raise ConfigError(f"no part '{what[:20]}'; choose {', '.join(WHATS)}")
    solid, forecast = analysis.solid, analysis.forecast
    if what == "whole" and solid is not None and forecast is not None:
        from kinegraph.inference.forecaster import join

        return join(solid, forecast)
    part = {"3d": solid, "2d": analysis.flat, "forecast": forecast}.get(what)
    if part is None:
        raise DataError(f"{analysis.name} has no {what} to write")
    return part
