"""The procedural Kinect recordings as a folder of NTU ``.skeleton`` files, in layout, names and digits as real ones."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from kinegraph.atomic import write_text
from kinegraph.datasets.synthetic.kinect import KinectBody, KinectStage
from kinegraph.errors import KinegraphError
from kinegraph.skeleton import get_skeleton
from kinegraph.store.processes import in_processes, processes

__all__ = ["SETTINGS", "skeleton_text", "write_ntu"]

Array = NDArray[np.float64]

SETTINGS = "generated.json"
"""File in the folder that says what was asked for."""
_CHUNK = 25  # recordings that a process makes at a time
_PART = re.compile(r"\.S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}\.[0-9a-f]+\.part\.skeleton")
# of a Kinect v2: focal lengths and centres, pixels
_DEPTH, _COLOUR = (365.5, 257.0, 208.0), (1063.0, 960.0, 535.0)
_BODY = "25\n" + ("%.7g " * 11 + "%.0f\n") * 25


def write_ntu(
    stage: KinectStage, out: Path | str, *, workers: int | None = None, progress: bool = True
) -> tuple[int, int]:
    """Write the recordings, one file each; those that an earlier run has written are kept.

    Args:
        stage: the recordings.
        out: folder; made if missing, empty, or left by a run with the same settings that was stopped.
        workers: processes; by default one for each core.
        progress: show a bar on standard error, where that is a terminal.

    Returns:
        How many files were written and how many were there. The bytes do not depend on the number of processes.

    Raises:
        ConfigError: workers below 1.
        KinegraphError: the folder holds something else or cannot be written.
    """
    workers, folder = processes(workers), Path(out)
    there = _begin(folder, json.dumps(dataclasses.asdict(stage), indent=2) + "\n")
    todo = [index for index in range(stage.clips) if stage.stem(index) not in there]
    chunks = [todo[at : at + _CHUNK] for at in range(0, len(todo), _CHUNK)]
    kept = stage.clips - len(todo)
    with tqdm(total=stage.clips, initial=kept, unit="clip", desc="generate", disable=None if progress else True) as bar:
        for chunk, _ in in_processes(partial(_write, stage, folder), chunks, min(workers, max(len(chunks), 1))):
            bar.update(len(chunk))
    return len(todo), kept


def _begin(folder: Path, settings: str) -> set[str]:
    """Make the folder ready; names of the recordings that are there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = list(folder.iterdir())
        before = (folder / SETTINGS).read_text(encoding="utf-8") if (folder / SETTINGS).is_file() else None
        if inside and before != settings:
            reason = "other files" if before is None else f"recordings made with other settings ({SETTINGS})"
            raise KinegraphError(f"{folder} holds {reason}; choose an empty or new folder")
        for path in inside:
            if _PART.fullmatch(path.name):  # of a run that was killed
                path.unlink(missing_ok=True)
    except OSError as error:
        raise KinegraphError(f"cannot use the folder {folder}: {error.strerror or error}; choose another") from error
    write_text(folder / SETTINGS, settings)
    return {path.stem for path in inside if path.suffix == ".skeleton"}


def _write(stage: KinectStage, folder: Path, chunk: list[int]) -> None:
    for index in chunk:
        write_text(folder / f"{stage.stem(index)}.skeleton", skeleton_text(stage.bodies(index)))


def skeleton_text(bodies: list[KinectBody]) -> str:
    """The text of a recording; every number with the seven digits that NTU's have."""
    frames = len(bodies[0].positions)
    texts = [_lines(body) for body in bodies]
    parts = [f"{frames}\n"]
    for frame in range(frames):
        seen = [text[frame] for body, text in zip(bodies, texts, strict=True) if body.seen[frame]]
        parts += [f"{len(seen)}\n", *seen]
    return "".join(parts)


def _lines(body: KinectBody) -> list[str]:
    """The lines of a body in each frame."""
    skeleton = get_skeleton("ntu25")
    x, y, z = (body.positions[..., [axis]] for axis in range(3))
    depth, colour = (
        np.concatenate([centre + focal * x / z, middle - focal * y / z], axis=-1)
        for focal, centre, middle in (_DEPTH, _COLOUR)
    )
    rows = [body.positions, depth, colour, _orientations(body.positions), body.tracking[..., None]]
    numbers = np.concatenate(rows, axis=-1).reshape(len(x), -1)
    spine = body.positions[:, skeleton.index("thorax")] - body.positions[:, skeleton.index("pelvis")]
    lean = spine[:, [0, 2]] / np.maximum(np.linalg.norm(spine, axis=-1, keepdims=True), 1e-9)
    return [
        f"{body.identity} 0 1 1 1 1 0 {side:.7g} {ahead:.7g} 2\n" + _BODY % tuple(values)
        for (side, ahead), values in zip(lean.tolist(), numbers.tolist(), strict=True)
    ]


def _orientations(positions: Array) -> Array:
    """``(frames, 25, 4)`` w, x, y, z that turn the y axis into the bone from the parent; zeros where there is none."""
    skeleton = get_skeleton("ntu25")
    parents = np.array(skeleton.parents)
    bones = positions - positions[:, np.maximum(parents, 0)]
    bones /= np.maximum(np.linalg.norm(bones, axis=-1, keepdims=True), 1e-9)
    zeros = np.zeros(bones.shape[:-1])
    turns = np.stack([1 + bones[..., 1], bones[..., 2], zeros, -bones[..., 0]], axis=-1)
    turns /= np.maximum(np.linalg.norm(turns, axis=-1, keepdims=True), 1e-9)
    turns[:, parents < 0] = 0.0
    return np.asarray(turns)
