"""PYSKL's annotation pickles (Duan et al., 2022): one file for a data set, its splits inside.

``{'split': {name: [frame_dir]}, 'annotations': [{frame_dir, label, total_frames, keypoint (M,T,V,C), keypoint_score
(M,T,V) for 2D, img_shape}]}``. Nothing but NumPy and built-in types is unpickled, and arrays stay in the file until
their clip is read, so that memory does not grow with it.

3D keypoints are metres (NTU's Kinect frame; a person who is all zeros in a frame is absent). 2D keypoints are px and
become fractions of the image where the annotations state its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.ntu import ACTIONS
from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import layouts_of
from kinegraph.formats.lazy_pickle import LazyArray, load_lazily
from kinegraph.formats.motion.ntu_skeleton import parse_name
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, absent, stamp

__all__ = ["PysklSource", "layout_of"]

_LAYOUTS = {(25, 3): "ntu25", (17, 2): "coco17", (18, 2): "openpose18", (25, 2): "body25"}
_FPS = 30.0
_SETUPS_60 = 17
"""Setups of NTU RGB+D 60; those of 120 go on from there."""


class PysklSource(ClipSource):
    """The annotations of one file, in its order.

    Args:
        source: the pickle.
        skeleton: layout of the joints, where their number does not say it: 25 in 3D are NTU's, 17 in 2D COCO's.

    Raises:
        FormatError: not such a file, or it asks for something that is no plain data.
    """

    dataset = "pyskl"
    fps = _FPS

    def __init__(self, source: Path | str, skeleton: Skeleton | None = None) -> None:
        self.path = Path(source)
        content = load_lazily(self.path)
        splits: Mapping[Any, Any] = {}
        if isinstance(content, dict):
            splits = content.get("split") or {}
            content = content.get("annotations")
        if not isinstance(content, list) or not content or not all(isinstance(item, dict) for item in content):
            raise FormatError(self.path, "no list of annotations; expected {'split': ..., 'annotations': [...]}")
        self.annotations: tuple[Mapping[Any, Any], ...] = tuple(content)
        self.names = tuple(_unique(str(item.get("frame_dir", n)) for n, item in enumerate(content)))
        self._splits = self._members(splits)
        there = {str(item.get("frame_dir", n)) for n, item in enumerate(content)}
        unknown = [name for name in self._splits if name not in there]
        if unknown:
            self.notes = (f"{len(unknown)} names of the splits have no annotation, e.g. {unknown[0][:60]}",)
        joints, dims = self._first()
        self.dims = dims
        self.skeleton = layout_of(joints, dims, self.path, skeleton)
        self._sized = self.dims == 2 and any(self._size(item) is not None for item in self.annotations)
        self.unit = "m" if dims == 3 else "normalized" if self._sized else "px"
        self.space = "world" if dims == 3 else "image"
        labels = [self._label(n) for n in range(len(content))]
        count = max(labels) + 1
        if (whole := self._ntu_actions(labels)) > count:
            self.notes += (f"{whole} classes, NTU's (by the names of its clips), though the labels end at {count - 1}",)
            count = whole
        self.classes = tuple(f"A{n + 1:03d}" if dims == 3 and joints == 25 else str(n) for n in range(count))
        self._stamp = stamp(self.path)

    def _ntu_actions(self, labels: Sequence[int]) -> int:
        """How many actions NTU's data set has, where every name and label is of it, in part or as a whole; else 0."""
        known = [parse_name(name) for name in self.names]
        if not all(one is not None and label in (-1, one.action - 1) for one, label in zip(known, labels, strict=True)):
            return 0
        later = max(labels) >= ACTIONS["ntu60"] or any(one.setup > _SETUPS_60 for one in known if one is not None)
        return ACTIONS["ntu120" if later else "ntu60"]

    def _members(self, splits: object) -> dict[str, tuple[str, ...]]:
        if not isinstance(splits, dict) or not all(isinstance(names, list | tuple) for names in splits.values()):
            raise FormatError(self.path, "'split' is no dictionary of lists; expected {name: [frame_dir, ...]}")
        found: dict[str, list[str]] = {}
        for split, names in splits.items():
            for name in names:
                found.setdefault(str(name), []).append(str(split))
        return {name: tuple(dict.fromkeys(parts)) for name, parts in found.items()}

    def _first(self) -> tuple[int, int]:
        """Joints and dims of the first annotation that has any."""
        for item in self.annotations:
            keypoint = item.get("keypoint")
            if isinstance(keypoint, LazyArray | np.ndarray) and len(keypoint.shape) == 4:
                return keypoint.shape[2], keypoint.shape[3]
        raise FormatError(self.path, "no annotation has a 'keypoint' array (people, frames, joints, 2 or 3)")

    def _label(self, index: int) -> int:
        label = self.annotations[index].get("label", -1)
        if not isinstance(label, int | np.integer) or isinstance(label, bool) or not -1 <= label < 100_000:
            raise FormatError(
                self.path,
                f"annotation {index} ({self.names[index]}) has label {str(label)[:40]!r}; expected a number from 0",
            )
        return int(label)

    @staticmethod
    def _size(item: Mapping[Any, Any]) -> tuple[float, float] | None:
        """Width and height."""
        shape = item.get("img_shape")
        if (
            not isinstance(shape, tuple | list)
            or len(shape) != 2
            or not all(isinstance(v, int | np.integer) for v in shape)
        ):
            return None
        return (float(shape[1]), float(shape[0])) if min(shape) > 0 else None

    def __len__(self) -> int:
        return len(self.annotations)

    def name(self, index: int) -> str:
        return self.names[index]

    def stamp(self, index: int) -> str:
        return self._stamp

    def read(self, index: int) -> ActionClip:
        """One clip, see :meth:`ClipSource.read`.

        Raises:
            FormatError: keypoints, scores or a size of other shapes than the annotations' own.
        """
        item, name = self.annotations[index], self.names[index]
        positions = self._array(item, "keypoint", name)
        if positions is None or positions.ndim != 4 or positions.shape[2:] != (self.skeleton.num_joints, self.dims):
            found = None if positions is None else positions.shape
            raise FormatError(
                self.path,
                f"{name}: keypoint {found}; expected (people, frames, {self.skeleton.num_joints}, {self.dims}) of "
                f"'{self.skeleton.name}'",
            )
        score = self._array(item, "keypoint_score", name)
        confidence = None
        if score is not None:
            if score.shape != positions.shape[:3]:
                raise FormatError(self.path, f"{name}: keypoint_score {score.shape}; expected {positions.shape[:3]}")
            confidence = np.clip(np.nan_to_num(score.astype(np.float32)), 0.0, 1.0)
            positions = np.where((confidence > 0)[..., None], positions.astype(np.float32), np.nan)
        else:
            positions = absent(positions.astype(np.float32))
        if self._sized:
            size = self._size(item)
            if size is None:
                raise FormatError(self.path, f"{name}: no img_shape, which other annotations have; expected (h, w)")
            positions = (positions / np.array(size)).astype(np.float32)
        known = parse_name(name)
        return ActionClip(
            name=name,
            label=self._label(index),
            positions=positions.astype(np.float32),
            confidence=confidence,
            subject=f"P{known.performer:03d}" if known else "",
            camera=known.camera if known else 0,
            setup=known.setup if known else 0,
            splits=self._splits.get(str(item.get("frame_dir", index)), ()),
        ).check()

    def _array(self, item: Mapping[Any, Any], key: str, name: str) -> NDArray[Any] | None:
        value = item.get(key)
        if value is None:
            return None
        array = value.load() if isinstance(value, LazyArray) else value
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise FormatError(self.path, f"{name}: '{key}' is {type(value).__name__}; expected an array of numbers")
        return array


def layout_of(joints: int, dims: int, path: Path, skeleton: Skeleton | None = None) -> Skeleton:
    """The stated layout, or the one that the number of joints says. Raises FormatError when neither fits."""
    if skeleton is not None:
        if skeleton.num_joints != joints:
            raise FormatError(
                path,
                f"clips of {joints} joints; layout '{skeleton.name}' has {skeleton.num_joints}. Name the right one",
            )
        return skeleton
    if (joints, dims) not in _LAYOUTS:
        known = ", ".join(f"{name} ({n} in {d}D)" for (n, d), name in _LAYOUTS.items())
        raise FormatError(
            path, f"clips of {joints} joints in {dims}D ({layouts_of(joints)}); expected {known}, or a skeleton by name"
        )
    return get_skeleton(_LAYOUTS[joints, dims])


def _unique(names: Iterable[str]) -> Iterable[str]:
    """Names told apart by ``#2`` where they repeat."""
    count: dict[str, int] = {}
    for name in names:
        count[name] = count.get(name, 0) + 1
        yield name if count[name] == 1 else f"{name}#{count[name]}"
