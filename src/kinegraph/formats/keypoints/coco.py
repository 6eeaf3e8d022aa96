"""COCO keypoint JSON: annotation files (COCO, Halpe, PoseTrack's) and lists of results.

Annotation file: ``{"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id", "keypoints":
[x0, y0, v0, ...]}], "categories": [{"keypoints": [names]}]}``. Visibility v: 0 not labelled, 1 labelled but hidden,
2 visible; they become confidence 0 (missing), 0.5 and 1. ``keypoint_scores`` beside the keypoints, and third values
that are not 0, 1 or 2, are confidences. ``track_id`` gives identities.

Results list: ``[{"image_id", "keypoints": [x0, y0, c0, ...], "score"}, ...]``, also with ``frame``, ``frame_id`` and
the like (:data:`kinegraph.formats.keypoints.people_json.FRAME_KEYS`) in its place, or without any for a single image.
AlphaPose writes the same with ``idx`` for identity: see :mod:`kinegraph.formats.keypoints.alphapose`.

Images are put in time order by their ``frame_id``, or by the number that ends their file name when all are of one
size and begin alike. Otherwise they are no video: each is a frame as listed, and the k-th person of one is not the
k-th of the next, which a note says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from kinegraph.atomic import write_text
from kinegraph.errors import DataError, FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout, layout_by_names
from kinegraph.formats.json_file import coordinates, load_json, members, number
from kinegraph.formats.keypoints.detections import (
    Detection,
    Floats,
    KeypointOptions,
    frame_number,
    frame_slots,
    make_detection,
    place_frames,
    to_sequence,
    unfold,
    valid_identity,
)
from kinegraph.formats.keypoints.people_json import stated_frame
from kinegraph.sequence import NO_VIDEO, SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["from_json", "read", "results", "write"]


_HIDDEN = 0.5


@dataclass
class _Image:
    key: int | str
    name: str = ""
    size: tuple[int, int] | None = None
    frame: int | None = None
    video: int | str | None = None
    people: list[Detection] = field(default_factory=list)


def read(
    path: Path, *, image: int | str | None = None, video: int | str | None = None, **options: Unpack[KeypointOptions]
) -> SkeletonSequence:
    """Read an annotation file or a list of results.

    Args:
        path: the JSON file.
        image: read only this image, by id or file name.
        video: read only the images of this ``video_id``; needed where a file holds several videos.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`.

    Returns:
        Image-space positions (people, frames, joints, 2) in px; ``image_size`` is set where all images share one.

    Raises:
        FormatError: not COCO keypoints, an unknown layout, annotations without their image, or coordinates that
            are not numbers.
    """
    path = Path(path)
    return from_json(load_json(path), path, image=image, video=video, **options)


def from_json(
    data: object,
    path: Path,
    *,
    image: int | str | None = None,
    video: int | str | None = None,
    **options: Unpack[KeypointOptions],
) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: no annotations with keypoints.
    """
    if isinstance(data, list):
        return results(data, path, image=image, **options)
    content = members(data, dict, path, "the file")
    for key in ("images", "annotations"):
        if key not in content:
            raise FormatError(
                path,
                f"no '{key}' among its keys ({', '.join(map(str, list(content)[:5])) or 'none'}); "
                "expected COCO annotations with images and annotations",
            )
    images = _images(members(content["images"], list, path, "'images'"), path)
    annotations = members(content["annotations"], list, path, "'annotations'")
    names = _category_names(content.get("categories"), path)
    rows: list[tuple[_Image, dict[str, Any], str]] = []
    for index, entry in enumerate(annotations):
        where = f"annotation {index}"
        members(entry, dict, path, where)
        if not entry.get("keypoints"):
            continue  # a box without keypoints
        owner = images.get(_key(entry.get("image_id"), path, f"{where}, image_id"))
        if owner is None:
            raise FormatError(path, f"{where} is of image {entry.get('image_id')!r}, which 'images' does not list")
        rows.append((owner, entry, where))
    if not rows:
        raise FormatError(
            path,
            f"none of {len(annotations)} annotations has keypoints; expected COCO keypoints, not boxes or captions",
        )
    layout = _fill(rows, names, path, options)
    chosen = _choose(list(images.values()), image, video, path)
    return _sequence(chosen, layout, path, options, sparse=False)


def results(
    data: list[Any], path: Path, *, image: int | str | None = None, **options: Unpack[KeypointOptions]
) -> SkeletonSequence:
    """People listed one by one with the image each is in, as COCO results and AlphaPose have them.

    Raises:
        FormatError: nobody, or an entry without keypoints.
    """
    images: dict[int | str, _Image] = {}
    rows: list[tuple[_Image, dict[str, Any], str]] = []
    named = any(isinstance(entry, dict) and _names_image(entry) for entry in data)
    for index, entry in enumerate(data):
        where = f"result {index}"
        members(entry, dict, path, where)
        if named and not _names_image(entry):
            raise FormatError(path, f"{where} names no image, and others do; expected image_id or frame for each")
        value = entry["image_id"] if "image_id" in entry else stated_frame(entry) if named else 0
        key = _key(value, path, f"{where}, image_id")
        owner = images.setdefault(key, _Image(key, str(key)))
        if entry.get("keypoints"):
            rows.append((owner, entry, where))
        elif not (named and "keypoints" in entry):  # null or empty: nobody was seen in that image
            raise FormatError(path, f"{where} has no keypoints; expected a list of people with image_id and keypoints")
    if not rows:
        raise FormatError(path, "an empty list of results; nothing to read. Check that the detector saw people")
    layout = _fill(rows, {}, path, options)
    notes: tuple[str, ...] = ()
    if not named:
        frames, notes = unfold(images[0].people)
        images = {n: _Image(n, str(n), people=people) for n, people in enumerate(frames)}
    return _sequence(_choose(list(images.values()), image, None, path), layout, path, options, sparse=True, told=notes)


def _names_image(entry: dict[str, Any]) -> bool:
    return "image_id" in entry or stated_frame(entry) is not None


def _key(value: object, path: Path, where: str) -> int | str:
    if type(value) is int or type(value) is str:
        return value
    raise FormatError(path, f"{where} is {str(value)[:40]!r}; expected a number or a file name")


def _images(entries: list[Any], path: Path) -> dict[int | str, _Image]:
    images: dict[int | str, _Image] = {}
    for index, entry in enumerate(entries):
        where = f"image {index}"
        members(entry, dict, path, where)
        key = _key(entry.get("id"), path, f"{where}, id")
        if key in images:
            raise FormatError(path, f"{where} has id {key!r}, as another before it; ids are unique")
        size = None
        if entry.get("width") is not None and entry.get("height") is not None:
            wide, high = (number(entry[k], path, f"{where}, {k}") for k in ("width", "height"))
            size = (int(wide), int(high)) if wide >= 1 and high >= 1 else None
        frame = entry.get("frame_id")
        video = entry.get("video_id", entry.get("vid_id"))
        images[key] = _Image(
            key,
            str(entry.get("file_name") or key),
            size,
            frame if type(frame) is int and 0 <= frame < 2**40 else None,
            video if isinstance(video, int | str) else None,
        )
    return images


def _category_names(categories: object, path: Path) -> dict[object, list[str]]:
    """Keypoint names by category id, where the file gives them."""
    if categories is None:
        return {}
    names: dict[object, list[str]] = {}
    for index, entry in enumerate(members(categories, list, path, "'categories'")):
        members(entry, dict, path, f"category {index}")
        given = entry.get("keypoints")
        identity = entry.get("id")
        if isinstance(given, list) and given and isinstance(identity, int | str):
            names[identity] = [str(name) for name in given]
    return names


def _fill(
    rows: Sequence[tuple[_Image, dict[str, Any], str]],
    names: dict[object, list[str]],
    path: Path,
    options: KeypointOptions,
) -> Skeleton:
    """Turn the entries into detections of their images; returns the layout, the same for all."""
    layout: Skeleton | None = None
    order: list[int] = []
    size = 0
    values: list[Floats] = []
    for _, entry, where in rows:
        flat = coordinates(entry["keypoints"], path, f"{where}, keypoints")
        if len(flat) % 3:
            raise FormatError(path, f"{where} has {len(flat)} numbers; expected x, y, v for each keypoint")
        if layout is None:
            size = len(flat)
            category = entry.get("category_id")
            called = names.get(category) if isinstance(category, int | str) else None
            if called is not None and 3 * len(called) == size:
                layout, order = layout_by_names(
                    called, path, f"category {category}", options.get("skeleton"), similar=True
                )
            else:
                layout = keypoint_layout(size // 3, path, where, options.get("skeleton"))
                order = list(range(layout.num_joints))
        elif len(flat) != size:
            raise FormatError(
                path,
                f"{where} has {len(flat) // 3} keypoints, those before have {size // 3}; expected one layout in a file",
            )
        values.append(flat.reshape(-1, 3))
    assert layout is not None  # rows are never empty
    third = np.concatenate([v[:, 2] for v in values])
    # 0, 1, 2 only: visibility. A list of 0 and 1 alone is visibility in annotations, and a score of 1 in results.
    flags = bool(np.isin(third, (0, 1, 2)).all()) and ("id" in rows[0][1] or bool((third == 2).any()))
    for (owner, entry, where), points in zip(rows, values, strict=True):
        confidence = np.where(points[:, 2] == 1, _HIDDEN, points[:, 2]) if flags else points[:, 2]
        if "keypoint_scores" in entry:
            scores = coordinates(entry["keypoint_scores"], path, f"{where}, keypoint_scores")
            if len(scores) != len(points):
                raise FormatError(
                    path, f"{where} has {len(scores)} keypoint_scores for {len(points)} keypoints; expected one each"
                )
            confidence = np.where(points[:, 2] > 0, scores, 0.0)
        owner.people.append(
            make_detection(points[order, :2], confidence[order], path, where, layout.joints, _identity(entry))
        )
    return layout


def _identity(entry: dict[str, Any]) -> int | None:
    return valid_identity(next((entry[key] for key in ("track_id", "idx", "person_id") if key in entry), None))


def _choose(images: list[_Image], image: int | str | None, video: int | str | None, path: Path) -> list[_Image]:
    if image is not None:
        chosen = [i for i in images if str(image) in (str(i.key), i.name)]
        if not chosen:
            raise FormatError(path, f"no image {image!r}; there are {len(images)}, the first is {images[0].name!r}")
        return chosen[:1]
    if video is not None:
        chosen = [i for i in images if str(i.video) == str(video)]
        if not chosen:
            raise FormatError(path, f"no image of video {video!r}; expected a video_id of the file")
        return chosen
    videos = list(dict.fromkeys(str(i.video) for i in images if i.video is not None))
    if len(videos) > 1:
        shown = ", ".join(videos[:4]) + (", ..." if len(videos) > 4 else "")
        raise FormatError(
            path,
            f"holds {len(videos)} videos ({shown}); read one at a time with "
            f"--read video={videos[0]} (video= in Python)",
        )
    return images


def _sequence(
    images: list[_Image],
    layout: Skeleton,
    path: Path,
    options: KeypointOptions,
    *,
    sparse: bool,
    told: tuple[str, ...] = (),
) -> SkeletonSequence:
    sizes = {i.size for i in images}
    numbers = _frame_numbers(images, sparse) if len(sizes) == 1 < len(images) else None
    frames, slots = place_frames(numbers, [i.people for i in images])
    notes = told
    if numbers is None and len(images) > 1:
        options = {"tracking": "order", **options}
        shown = ", ".join(i.name for i in images[:5])
        notes += (
            f"{NO_VIDEO}: each is a frame, and people are numbered anew in each",
            f"frames: {shown}" + (", ..." if len(images) > 5 else ""),
        )
    size = sizes.pop() if len(sizes) == 1 else None
    return to_sequence(frames, path, layout, options, slots=slots, image_size=size, notes=notes)


def _frame_numbers(images: list[_Image], sparse: bool) -> list[int] | None:
    """The frame number of each image, or None when they are no video."""
    if all(i.frame is not None for i in images):
        numbers = [i.frame for i in images if i.frame is not None]
    else:
        found = [(("", i.key) if type(i.key) is int and i.name == str(i.key) else frame_number(i.name)) for i in images]
        if any(f is None or f[1] > 2**40 for f in found) or len({f[0] for f in found if f}) != 1:
            return None
        numbers = [int(f[1]) for f in found if f is not None]
    slots = frame_slots(numbers)
    # Results omit images in which nobody was seen; annotation files list them, so gaps there mean single photographs.
    if slots is None or len(set(numbers)) != len(numbers) or slots.count > (20 if sparse else 4) * len(images) + 10:
        return None
    return numbers


def write(sequence: SkeletonSequence, path: Path) -> None:
    """Write a 2D sequence in px as COCO annotations, with ``track_id`` and ``keypoint_scores`` beside the flags.

    Raises:
        DataError: the sequence is not 2D in px.
        KinegraphError: the file cannot be written.
    """
    who = sequence.source or "the sequence"
    if sequence.dims != 2 or sequence.unit != "px":
        raise DataError(f"{who} is {sequence.dims}D in {sequence.unit}; COCO holds 2D in px. Write CSV, npz or JSON")
    assert sequence.confidence is not None
    size = {"width": sequence.image_size[0], "height": sequence.image_size[1]} if sequence.image_size else {}
    annotations: list[dict[str, Any]] = []
    for t in range(sequence.frames):
        for person in range(sequence.people):
            confidence = sequence.confidence[person, t]
            seen = confidence > 0
            if not seen.any():
                continue
            xy = np.nan_to_num(sequence.positions[person, t])
            low, high = xy[seen].min(axis=0), xy[seen].max(axis=0)
            flags = np.where(seen, 2, 0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": t,
                    "category_id": 1,
                    "track_id": person,
                    "iscrowd": 0,
                    "num_keypoints": int(seen.sum()),
                    "bbox": [*low.tolist(), *(high - low).tolist()],
                    "area": float(np.prod(high - low)),
                    "keypoints": [v for (x, y), f in zip(xy.tolist(), flags.tolist(), strict=True) for v in (x, y, f)],
                    "keypoint_scores": confidence.tolist(),
                }
            )
    skeleton = sequence.skeleton
    content = {
        "images": [{"id": t, "file_name": f"{t:012d}.jpg", "frame_id": t, **size} for t in range(sequence.frames)],
        "annotations": annotations,
        "categories": [
            {
                "id": 1,
                "name": "person",
                "keypoints": list(skeleton.joints),
                "skeleton": [[a + 1, b + 1] for a, b in skeleton.bones],
            }
        ],
    }
    write_text(path, json.dumps(content, separators=(",", ":")) + "\n")
