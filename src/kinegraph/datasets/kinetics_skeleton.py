"""Kinetics-skeleton (Yan et al., 2018): a JSON of OpenPose keypoints for each clip, the two best people kept.

``kinetics_train/*.json`` and ``kinetics_val/*.json`` with ``kinetics_train_label.json`` and ``kinetics_val_label.json``
beside them, which tell the class names and which clips have a skeleton at all; or any folder of such files.
"""

from __future__ import annotations

import re
from pathlib import Path

from kinegraph.errors import DataError
from kinegraph.formats.json_file import load_json, members
from kinegraph.formats.keypoints import kinetics
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, clip_of, stamp

__all__ = ["KineticsSource"]

_PARTS = ("train", "val")
_TAIL = 4096  # bytes at the end of a clip's file in which its label stands
_LABEL = re.compile(r'"label":\s*"((?:[^"\\]|\\.)*)"')
_INDEX = re.compile(r'"label_index":\s*(\d{1,5})\b')


class KineticsSource(ClipSource):
    """The clips of both parts, ordered by name.

    Args:
        source: the folder with ``kinetics_train`` and ``kinetics_val``, or one of JSON files.
        people: keep in every frame so many people, those with the highest scores.

    Raises:
        DataError: no such folder, or no clips in it.
    """

    dataset = "kinetics-skeleton"
    fps = kinetics.FPS
    dims = 2
    unit = "normalized"
    space = "image"

    def __init__(self, source: Path | str, people: int = 2) -> None:
        root = Path(source)
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; expected kinetics_train/ and kinetics_val/")
        self.people = people
        self.skeleton = get_skeleton("openpose18")
        names: dict[int, str] = {}
        items: list[tuple[str, Path, tuple[str, ...]]] = []
        without = 0
        parts = [(part, root / f"kinetics_{part}") for part in _PARTS if (root / f"kinetics_{part}").is_dir()]
        for part, folder in parts or [("", root)]:
            listed = _listed(root / f"kinetics_{part}_label.json", names) if part else {}
            for path in sorted(folder.glob("*.json")):
                if not listed.get(path.stem, True):
                    without += 1
                    continue
                items.append((f"{part}/{path.stem}" if part else path.stem, path, (part,) if part else ()))
                if not listed:
                    _name_in(path, names)
        if not items:
            raise DataError(f"{root}: no clips; expected kinetics_train/*.json and kinetics_val/*.json")
        self.items = tuple(items)
        self.classes = tuple(names.get(n, str(n)) for n in range(max(names, default=-1) + 1))
        self.notes = (f"{without} clips left out: nobody is seen in them",) if without else ()

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        return self.items[index][0]

    def stamp(self, index: int) -> str:
        return stamp(self.items[index][1])

    def read(self, index: int) -> ActionClip:
        """One clip, see :meth:`ClipSource.read`.

        Raises:
            DataError: an action that is none of the classes.
        """
        name, path, splits = self.items[index]
        data = load_json(path)
        label = kinetics.label_index(data, path)
        if label >= len(self.classes):
            raise DataError(f"{path}: label_index {label}; expected one of {len(self.classes)} classes")
        sequence = kinetics.from_json(data, path, best=self.people)
        return clip_of(sequence, name=name, label=label, keep_confidence=True, splits=splits)


def _listed(path: Path, names: dict[int, str]) -> dict[str, bool]:
    """Clip -> whether it has a skeleton; class names are added to `names`."""
    if not path.is_file():
        return {}
    found = {}
    for clip, entry in members(load_json(path), dict, path, "the file").items():
        members(entry, dict, path, f"clip {str(clip)[:40]}")
        found[str(clip)] = entry.get("has_skeleton") is not False
        if isinstance(entry.get("label"), str):
            names[kinetics.label_index(entry, path)] = entry["label"]
    return found


def _name_in(path: Path, names: dict[int, str]) -> None:
    """Add the class of one clip, from the end of its file, where writers put it."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _TAIL))
            tail = stream.read().decode("utf-8", "replace")
    except OSError:
        return  # reading the clip says so
    label, index = _LABEL.search(tail), _INDEX.search(tail)
    if index:
        names[int(index[1])] = label[1] if label else index[1]
