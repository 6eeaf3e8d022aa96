"""Moving pictures: GIF with Pillow, MP4 with ffmpeg (the extra ``video``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.errors import DataError, require
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.canvas import Canvas, body_colours
from kinegraph.visualize.motion import DEFAULT_FPS
from kinegraph.visualize.projection import stage
from kinegraph.visualize.stills import GAP, Cell, draw_cell, header, moment
from kinegraph.visualize.style import Theme, theme

#: GIF delays are whole hundredths of a second and browsers slow anything under 2; 25 a second is exact
GIF_FPS = 25.0
MP4_FPS = 30.0
_COLOURS = 128  # of a GIF
_PIECE = 50  # frames of a GIF that are in memory at once, 2 s


def write_animation(
    path: Path | str,
    sequences: Sequence[tuple[str, SkeletonSequence]],
    *,
    title: str = "",
    theme_name: str = "light",
    cell_size: tuple[int, int] = (420, 420),
    spin_deg_s: float = 0.0,
    ghosts: Sequence[SkeletonSequence | None] = (),
    start_s: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Sequences side by side on one clock, in real time, as ``.gif`` or ``.mp4``.

    A recording faster or slower than the film (25 frames a second in GIF, 30 in MP4) is shown at the right speed by
    taking the nearest frame; a shorter sequence holds its last.

    Args:
        path: ends in ``.gif`` or ``.mp4``.
        sequences: (caption, sequence) pairs, 2D or 3D.
        title: line at the top.
        theme_name: ``light`` or ``dark``.
        cell_size: width and height of one panel in px.
        spin_deg_s: how fast the view turns about the vertical, degrees a second.
        ghosts: for each sequence the truth to draw pale behind it, frame by frame and as long, or None.
        start_s: seconds into their recordings at which the sequences begin; the frames named are of these.
        progress: called with (frames done, frames in all).

    Raises:
        DataError: the suffix is neither, or there is nothing to draw.
        MissingExtraError: MP4 without the extra ``video``.
        KinegraphError: the path cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".gif", ".mp4"):
        raise DataError(f"cannot write {path}: an animation ends in .gif or .mp4")
    if not sequences:
        raise DataError("nothing to draw: no sequence")
    ffmpeg = require("imageio_ffmpeg", extra="video", purpose="writing MP4") if suffix == ".mp4" else None
    rate = GIF_FPS if suffix == ".gif" else MP4_FPS
    behind = [*ghosts, *[None] * (len(sequences) - len(ghosts))]
    pictures = _pictures(sequences, behind, rate, title, theme_name, cell_size, spin_deg_s, start_s, progress)
    with atomic_path(path) as temporary:
        if ffmpeg is None:
            _gif(pictures, theme(theme_name), temporary)
        else:
            _mp4(ffmpeg, pictures, temporary)


def _pictures(
    sequences: Sequence[tuple[str, SkeletonSequence]],
    ghosts: Sequence[SkeletonSequence | None],
    rate: float,
    title: str,
    theme_name: str,
    cell_size: tuple[int, int],
    spin_deg_s: float,
    start_s: float,
    progress: Callable[[int, int], None] | None,
) -> Iterator[Any]:
    from dataclasses import replace

    width, height = cell_size
    columns = len(sequences)
    stages = [stage(s) if s.dims == 3 else None for _, s in sequences]
    seconds = max(s.frames / (s.fps or DEFAULT_FPS) for _, s in sequences)
    total = max(1, round(seconds * rate))
    # H.264 wants even sides.
    across, down = columns * (width + GAP) + GAP, 34 + height + GAP
    across, down = across + across % 2, down + down % 2
    for index in range(total):
        canvas = Canvas(across, down, theme(theme_name))
        header(canvas, title)
        for c, ((caption, sequence), set_up, ghost) in enumerate(zip(sequences, stages, ghosts, strict=True)):
            frame = min(int(index / rate * (sequence.fps or DEFAULT_FPS) + 0.5), sequence.frames - 1)
            if set_up is not None and spin_deg_s:
                turned = set_up.view.azimuth + np.deg2rad(spin_deg_s) * index / rate
                set_up = replace(set_up, view=replace(set_up.view, azimuth=float(turned)))
            note = moment(sequence, frame, start_s)
            cell = Cell(sequence=sequence, frame=frame, caption=caption, stage=set_up, note=note, ghost=ghost)
            draw_cell(canvas, (GAP + c * (width + GAP), 34, width, height), cell)
        if progress is not None:
            progress(index + 1, total)
        yield canvas.finish()


def _gif(pictures: Iterator[Any], colours: Theme, path: Path) -> None:
    """Written a piece at a time: Pillow keeps every frame of a file until it has the last.

    The pieces have one palette, so that all but the first do without the head; and a piece begins with a whole picture,
    so that it needs nothing from the one before.
    """
    from PIL import Image

    first = next(pictures)
    palette = _palette(first, colours)
    shown = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in chain([first], pictures))
    loop: dict[str, Any] = {"loop": 0}
    with path.open("wb") as file:
        while piece := list(islice(shown, _PIECE)):
            part = BytesIO()
            piece[0].save(
                part,
                format="GIF",
                save_all=True,
                append_images=piece[1:],
                duration=round(1000 / GIF_FPS),
                optimize=False,
                **loop,
            )
            data = part.getvalue()
            # 6 bytes of name, 7 of screen (the fifth says how many colours) and the colours; at the end, ";"
            file.write(data[0 if loop else 13 + 3 * 2 ** (data[10] % 8 + 1) : -1])
            loop = {}
        file.write(b";")


def _palette(first: Any, colours: Theme) -> Any:
    """One palette for all frames, as an image: a palette each would make the background flicker.

    The first frame gives the colours of letters and the ground; who comes later brings colours that it does not have.
    """
    from PIL import Image

    fixed = [colours.back, colours.card, colours.front, colours.soft, colours.line, *body_colours(colours)]
    found = first.quantize(_COLOURS - len(fixed), method=Image.Quantize.MEDIANCUT).getpalette()
    near = np.array(found[: 3 * (_COLOURS - len(fixed))]).reshape(-1, 3)
    # Pillow looks colours up in steps of 4: one beside a fixed colour would be taken for it.
    apart = np.abs(near[:, None] - np.array(fixed)).max(axis=-1).min(axis=1) >= 8
    chosen = np.concatenate([np.array(fixed), near[apart]])
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.pad(chosen, ((0, _COLOURS - len(chosen)), (0, 0)), mode="edge").ravel().tolist())
    return palette


def _mp4(ffmpeg: Any, pictures: Iterator[Any], path: Path) -> None:
    first = next(pictures)
    writer = ffmpeg.write_frames(
        str(path),
        first.size,
        fps=MP4_FPS,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        quality=7,
        macro_block_size=2,
        ffmpeg_log_level="error",
        output_params=["-movflags", "+faststart"],
    )
    writer.send(None)
    try:
        writer.send(first.tobytes())
        for picture in pictures:
            writer.send(picture.tobytes())
    finally:
        writer.close()
