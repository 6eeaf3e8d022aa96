"""Somebody before a webcam, live: their 3D pose, what they do and what comes next.

    python examples/webcam.py --onnx rtmpose-m.onnx              # a webcam, and your own RTMPose file (one person)
    python examples/webcam.py --source keypoints/                # replays a file of keypoints at its rate

The webcam needs `opencv-python` (or any source of images of yours), the detector `onnxruntime`; a replay needs neither.
Any other detector does as well: whatever yields arrays (people, joints, 3) of x, y and confidence goes into
`kinegraph.live(...).run(source)`. RTMPose: Jiang et al., arXiv 2303.07399; its SimCC heads: Li et al., ECCV 2022.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kinegraph as kg
from kinegraph.errors import KinegraphError, require
from kinegraph.inference.live import Live, LiveInput, LiveResult, replay

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: mean and standard deviation of the colours (red, green, blue) that RTMPose was trained on
_MEAN, _DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
_PADDING = 1.25  # of the person's box


# ---- RTMPose --------------------------------------------------------------------------------------------------------


def decode_simcc(x: Floats, y: Floats, ratio: float = 2.0) -> tuple[Floats, Floats]:
    """Keypoints (joints, 2) in px of the crop, and scores (joints,), of SimCC's two rows of bins for every joint.

    Args:
        x: (joints, width * ratio) how likely each place across is; y: (joints, height * ratio) likewise down.
        ratio: bins to a pixel.
    """
    places = np.stack([x.argmax(axis=-1), y.argmax(axis=-1)], axis=-1) / ratio
    scores = np.minimum(x.max(axis=-1), y.max(axis=-1))
    return places, np.clip(scores, 0.0, 1.0)


def crop(image: Image, box: Floats, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """A box of an image at `size` (width, height), black beyond the image, and its (left, top, px per px).

    Args:
        image: (height, width, 3).
        box: left, top, right, bottom in px; it is widened to the shape of `size` and by a margin.
    """
    width, height = size
    centre = (box[:2] + box[2:]) / 2
    scale = max((box[2] - box[0]) / width, (box[3] - box[1]) / height, 1e-3) * _PADDING
    left, top = centre - np.array(size) * scale / 2
    across, down = left + (np.arange(width) + 0.5) * scale - 0.5, top + (np.arange(height) + 0.5) * scale - 0.5
    x, y = np.floor(across).astype(int), np.floor(down).astype(int)
    wx, wy = (across - x)[None, :, None], (down - y)[:, None, None]

    def at(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Floats:
        inside = ((rows >= 0) & (rows < image.shape[0]))[:, None] & ((columns >= 0) & (columns < image.shape[1]))[None]
        picked = image[np.clip(rows, 0, image.shape[0] - 1)[:, None], np.clip(columns, 0, image.shape[1] - 1)[None]]
        found: Floats = np.where(inside[..., None], picked, 0).astype(np.float64)
        return found

    upper = (1 - wx) * at(y, x) + wx * at(y, x + 1)
    lower = (1 - wx) * at(y + 1, x) + wx * at(y + 1, x + 1)
    return (1 - wy) * upper + wy * lower, np.array([left, top, scale])


class RtmPose:
    """One person's keypoints with an RTMPose ONNX file of yours; the box follows them from frame to frame."""

    def __init__(self, path: Path | str) -> None:
        runtime = require("onnxruntime", extra="export", purpose="an RTMPose file")
        try:
            self._session: Any = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # of onnxruntime's own kinds: no such file, not ONNX, an operator it lacks
            raise KinegraphError(f"{path}: cannot be read as ONNX ({' '.join(str(error).split())[:200]})") from error
        given = self._session.get_inputs()[0]
        if len(self._session.get_outputs()) != 2 or len(given.shape) != 4:
            raise KinegraphError(
                f"{path}: expected RTMPose's form: an image (batch, 3, height, width) in, two SimCC rows of bins out"
            )
        self._name = given.name
        self.size = tuple(v if isinstance(v, int) else d for v, d in zip(given.shape[3:1:-1], (192, 256), strict=True))
        self._box: Floats | None = None

    def __call__(self, image: Image) -> Floats:
        """(1, joints, 3) x, y, confidence of a picture (height, width, 3) in red, green, blue."""
        height, width = image.shape[:2]
        box = np.array([0.0, 0.0, width, height]) if self._box is None else self._box
        piece, (left, top, scale) = crop(image, box, self.size)
        tensor = ((piece - _MEAN) / _DEVIATION).transpose(2, 0, 1)[None].astype(np.float32)
        x, y = self._session.run(None, {self._name: tensor})
        places, scores = decode_simcc(x[0].astype(np.float64), y[0].astype(np.float64))
        points = places * scale + [left, top]
        sure = points[scores > 0.3]
        self._box = np.concatenate([sure.min(axis=0), sure.max(axis=0)]) if len(sure) > 3 else None
        return np.concatenate([points, scores[:, None]], axis=-1)[None]


# ---- sources --------------------------------------------------------------------------------------------------------


def webcam(number: int = 0) -> Iterator[Image]:
    """Pictures (height, width, 3), red, green, blue, of a webcam."""
    try:
        import cv2
    except ImportError as error:
        raise KinegraphError("a webcam needs the package 'opencv-python': pip install opencv-python") from error
    camera = cv2.VideoCapture(number)
    if not camera.isOpened():
        raise KinegraphError(f"no webcam {number} is found; name another with --camera, or replay a file with --source")
    try:
        while True:
            there, picture = camera.read()
            if not there:
                return
            yield picture[..., ::-1]
    finally:
        camera.release()


def detected(images: Iterator[Image], detector: Callable[[Image], Floats]) -> Iterator[LiveInput]:
    """Keypoints of pictures, at the time that each was taken: a detector takes its own time."""
    for image in images:
        taken = time.monotonic()
        yield LiveInput(detector(image), taken)


def paced(source: Iterator[LiveInput]) -> Iterator[LiveInput]:
    """A recording's moments when they are due."""
    start = time.monotonic()
    for moment in source:
        wait = (moment.time or 0.0) - (time.monotonic() - start)
        if wait > 0:
            time.sleep(wait)
        yield moment


# ---- what is shown --------------------------------------------------------------------------------------------------


def line(result: LiveResult, spent_s: float) -> str:
    """A moment in a line: who is where, what they do, and where their root will be."""
    parts = [f"{result.time:8.2f} s  {spent_s * 1e3:5.1f} ms"]
    for person in result.people:
        root = person.positions[result.skeleton.root]
        text = f"person {person.id} at ({root[0]:+.2f}, {root[2]:+.2f}) m"
        if person.actions:
            text += f", {person.actions[0][0]} {person.actions[0][1]:.0%}"
        if person.forecast is not None:
            x, _, z = person.forecast.positions[0, -1, result.skeleton.root]
            text += f", in {person.forecast.duration:.1f} s at ({x:+.2f}, {z:+.2f})"
        parts.append(text)
    return "  ".join(parts)


def show(pipeline: Live, source: Iterator[LiveInput], *, seconds: float | None, every: int) -> int:
    """Run it and print; how many moments there were."""
    count, first = 0, None
    for moment in source:
        start = time.perf_counter()
        result = pipeline.push(*moment)
        spent = time.perf_counter() - start
        first = result.time if first is None else first
        if count % every == 0:
            print(line(result, spent), flush=True)
        count += 1
        if seconds is not None and result.time - first >= seconds:
            break
    for note in pipeline.notes:
        print(f"note: {note}")
    return count


def main(
    argv: Sequence[str] | None = None,
    *,
    detector: Callable[[Image], Floats] | None = None,
    images: Iterator[Image] | None = None,
) -> int:
    """The example; `detector` and `images` stand in for RTMPose and the webcam."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="a file or folder of 2D keypoints to replay, instead of a webcam")
    parser.add_argument("--no-wait", action="store_true", help="replay as fast as it goes")
    parser.add_argument("--onnx", type=Path, help="RTMPose file for pictures of the webcam")
    parser.add_argument("--camera", type=int, default=0, help="number of the webcam")
    parser.add_argument("--lifter", help="a weights folder or a network of the package (default: as kinegraph.live)")
    parser.add_argument("--skeleton", default="coco17", help="layout of the detector's keypoints")
    parser.add_argument("--fps", type=float, default=30.0, help="nominal rate of the webcam, or of a file without one")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--every", type=int, default=15, help="print every so many frames")
    given = parser.parse_args(argv)
    try:
        if given.source is not None:
            sequence = kg.load(given.source)
            fps = sequence.fps or given.fps
            moments = replay(sequence.replace(fps=fps))
            pipeline = kg.live(
                sequence.skeleton,
                fps=fps,
                image_size=sequence.image_size,
                unit="normalized" if sequence.unit == "normalized" else "px",
                lifter=given.lifter,
            )
            source = moments if given.no_wait else paced(moments)
        else:
            if detector is None:
                if given.onnx is None:
                    raise KinegraphError(
                        "pictures need a detector: --onnx rtmpose.onnx; or replay a file with --source"
                    )
                detector = RtmPose(given.onnx)
            images = webcam(given.camera) if images is None else images
            # The first picture tells the size of all, and no more: it is seconds old when the networks are ready.
            first = next(images, None)
            if first is None:
                raise KinegraphError("no picture came; is the camera in use elsewhere?")
            height, width = first.shape[:2]
            source = detected(images, detector)
            pipeline = kg.live(given.skeleton, fps=given.fps, image_size=(width, height), lifter=given.lifter)
        count = show(pipeline, source, seconds=given.seconds, every=max(1, given.every))
    except KinegraphError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    print(f"{count} frames")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
