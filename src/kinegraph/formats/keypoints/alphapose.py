"""AlphaPose results, in its three forms.

``default``: a list ``[{"image_id": "12.jpg", "keypoints": [x0, y0, c0, ...], "score", "idx"}, ...]``, as COCO results;
``open`` and ``cmu``: an object with one entry per image, ``{"12.jpg": {"people": [{"pose_keypoints_2d": [...]}]}}`` or
``{"12.jpg": {"bodies": [{"joints": [...]}]}}``. AlphaPose's confidences can exceed 1 and are cut there. ``idx`` is
the identity where tracking was on (each person of an image then has their own); people are followed by their
distance otherwise. Images in which nobody was seen are absent from the file and come back as missing frames.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from kinegraph.errors import FormatError
from kinegraph.formats.json_file import load_json, members
from kinegraph.formats.keypoints import coco
from kinegraph.formats.keypoints.detections import KeypointOptions
from kinegraph.sequence import SkeletonSequence

__all__ = ["from_json", "read"]


def read(path: Path, *, image: int | str | None = None, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read AlphaPose results; arguments, result and errors as in :func:`kinegraph.formats.keypoints.coco.read`."""
    path = Path(path)
    return from_json(load_json(path), path, image=image, **options)


def from_json(
    data: object, path: Path, *, image: int | str | None = None, **options: Unpack[KeypointOptions]
) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: no results of AlphaPose.
    """
    if isinstance(data, list):
        return coco.results(data, path, image=image, **options)
    entries: list[dict[str, Any]] = []
    for name, content in members(data, dict, path, "the file").items():
        where = f"image {name[:40]!r}"
        members(content, dict, path, where)
        people = content.get("people", content.get("bodies"))
        if people is None:
            raise FormatError(path, f"{where} has neither 'people' nor 'bodies'; expected AlphaPose results")
        for index, person in enumerate(members(people, list, path, where)):
            members(person, dict, path, f"{where}, person {index}")
            keypoints = person.get("pose_keypoints_2d", person.get("joints"))
            entries.append({**person, "image_id": name, "keypoints": keypoints})
    return coco.results(entries, path, image=image, **options)
