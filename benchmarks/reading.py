"""NTU .skeleton text: this library's reader beside two that go line by line, on generated recordings.

The recordings are procedural motion before a Kinect, with the digits that real ones have.

``records`` keeps every field of every joint by name and then fills an array, as the readers that are published with
recognition networks do; ``lean`` converts each line's numbers and keeps three. All three give the same positions.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import ms, table
from kinegraph.datasets.synthetic.kinect import KinectBody, KinectStage
from kinegraph.datasets.synthetic.ntu_files import skeleton_text
from kinegraph.formats.motion.ntu_skeleton import read_bodies

Array = NDArray[np.float64]
_BODY = ("id", "clipped", "left", "left_state", "right", "right_state", "restricted", "lean_x", "lean_y", "state")
_JOINT = ("x", "y", "z", "depth_x", "depth_y", "color_x", "color_y", "qw", "qx", "qy", "qz", "state")


def write_recording(path: Path, people: int, frames: int) -> Path:
    """A recording in which everybody is seen in every frame, as the readers that go line by line want it."""
    stage = KinectStage(clips=3, actions=1)
    bodies = []
    for camera in range(people):  # one person, as two sensors see it, stands in for two people
        body = stage.bodies(camera, frames)[0]
        seen = np.ones(frames, dtype=bool)
        bodies.append(KinectBody(identity=2**56 + camera, positions=body.positions, tracking=body.tracking, seen=seen))
    path.write_text(skeleton_text(bodies))
    return path


def lean(path: Path) -> Array:
    """Line by line, numbers converted as they come."""
    with path.open() as stream:
        frames = int(stream.readline())
        found: dict[int, Array] = {}
        for frame in range(frames):
            for _ in range(int(stream.readline())):
                identity = int(stream.readline().split()[0])
                body = found.setdefault(identity, np.full((frames, 25, 3), np.nan))
                for joint in range(int(stream.readline())):
                    body[frame, joint] = [float(word) for word in stream.readline().split()][:3]
    return np.stack(list(found.values()))


def records(path: Path) -> Array:
    """Line by line into dictionaries, then into an array."""
    frames = []
    with path.open() as stream:
        for _ in range(int(stream.readline())):
            bodies = []
            for _ in range(int(stream.readline())):
                words = stream.readline().split()
                body: dict[str, float] = {name: float(word) for name, word in zip(_BODY, words, strict=True)}
                joints = []
                for _ in range(int(stream.readline())):
                    words = stream.readline().split()
                    joints.append({name: float(word) for name, word in zip(_JOINT, words, strict=True)})
                bodies.append((body, joints))
            frames.append(bodies)
    positions = np.full((max(map(len, frames)), len(frames), 25, 3), np.nan)
    for frame, bodies in enumerate(frames):
        for person, (_, joints) in enumerate(bodies):
            for place, joint in enumerate(joints):
                positions[person, frame, place] = [joint["x"], joint["y"], joint["z"]]
    return positions


def best_of(readers: dict[str, Callable[[Path], object]], path: Path, seconds: float) -> dict[str, float]:
    """Best CPU seconds of each reader; they take turns, so that a neighbour's burst of work falls on all."""
    best = dict.fromkeys(readers, float("inf"))
    end = time.monotonic() + seconds
    while time.monotonic() < end or float("inf") in best.values():
        for name, read in readers.items():
            for _ in range(1 if name in ("lean", "records") else 3):  # the quick one pays less for a cold cache
                start = time.process_time()
                read(path)
                best[name] = min(best[name], time.process_time() - start)
    return best


def main(arguments: argparse.Namespace) -> None:
    """Print the table."""
    print("## Reading NTU .skeleton text (CPU ms a file, best of many turns)\n")
    readers: dict[str, Callable[[Path], object]] = {"records": records, "lean": lean, "ours": read_bodies}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = ((1, 80), (2, 80), (1, 300), (2, 300))
        files = [
            write_recording(Path(folder) / f"{people}_{frames}.skeleton", people, frames) for people, frames in sizes
        ]
        # all are read before any is timed: then the process has the memory that reading a data set takes
        for path in files:
            ours = read_bodies(path).positions
            if not (np.array_equal(ours, lean(path)) and np.array_equal(ours, records(path))):
                raise SystemExit("the readers disagree: the comparison would mean nothing")
        for (people, frames), path in zip(sizes, files, strict=True):
            best = best_of(readers, path, arguments.seconds)
            rows.append(
                (
                    f"{people} x {frames} frames, {path.stat().st_size / 1e3:.0f} kB",
                    ms(best["ours"]),
                    f"{ms(best['records'])} ({best['records'] / best['ours']:.1f}x)",
                    f"{ms(best['lean'])} ({best['lean'] / best['ours']:.1f}x)",
                )
            )
    table(("recording", "Kinegraph", "line by line, records", "line by line, lean"), rows)
