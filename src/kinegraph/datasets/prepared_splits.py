"""Prepared lifting data: a folder with an npz a split and a manifest, written last, that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinegraph.atomic import write_text
from kinegraph.datasets.lifting_data import LiftingData, is_lifting_file
from kinegraph.errors import DataError, FormatError, KinegraphError

__all__ = ["SPLITS", "PreparedSplits", "is_prepared", "read_splits", "refuse_other", "write_splits"]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class PreparedSplits:
    """The three splits, by attribute or by name."""

    train: LiftingData
    val: LiftingData
    test: LiftingData

    def __getitem__(self, split: str) -> LiftingData:
        if split not in SPLITS:
            raise DataError(f"no split '{split}'; there are {', '.join(SPLITS)}")
        data: LiftingData = getattr(self, split)
        return data


def write_splits(splits: PreparedSplits, folder: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Write ``train.npz``, ``val.npz``, ``test.npz`` and, when they are complete, ``NAME.json``.

    Args:
        splits: what to write.
        folder: an existing folder.
        name: of the benchmark.
        facts: what the manifest says beside the number of poses and the fingerprint of every split.

    Raises:
        KinegraphError: the folder cannot be written, or holds another benchmark.
    """
    refuse_other(folder, name)
    manifest = folder / f"{name}.json"
    manifest.unlink(missing_ok=True)  # of an earlier preparation: it would vouch for files of two
    for split in SPLITS:
        splits[split].save(folder / f"{split}.npz")
    counted = {
        "poses": {split: len(splits[split]) for split in SPLITS},
        "fingerprints": {split: splits[split].fingerprint for split in SPLITS},
    }
    write_text(manifest, json.dumps({"name": name, **facts, **counted}, indent=2) + "\n")


def refuse_other(folder: Path, name: str) -> None:
    """Raises KinegraphError where a folder holds another benchmark, or files of one's own of the splits' names."""
    for path in sorted(folder.glob("*.json")):
        manifest = _manifest(path)
        if "fingerprints" in manifest and manifest.get("name") != name:
            raise KinegraphError(f"{folder} holds {manifest.get('name')}; choose an empty or new folder for {name}")
    if "fingerprints" in _manifest(folder / f"{name}.json"):
        return  # written by `write_splits`, whatever has become of the files since
    for path in (folder / f"{split}.npz" for split in SPLITS):
        if path.is_file() and not is_lifting_file(path):
            raise KinegraphError(f"{path} was not prepared, and would be overwritten; choose an empty or new folder")


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def is_prepared(folder: Path | str, name: str) -> bool:
    """Whether :func:`write_splits` has written all of that benchmark to the folder."""
    return (Path(folder) / f"{name}.json").is_file()


def read_splits(folder: Path | str, name: str) -> PreparedSplits:
    """Read what :func:`write_splits` wrote.

    Raises:
        DataError: it is no such folder.
        FormatError: a file of it is damaged, or is not the one that the manifest speaks of.
    """
    if not is_prepared(folder, name):
        raise DataError(f"{folder}: not prepared; run: kinegraph data prepare {name} --source RECORDINGS --out DIR")
    stated = _manifest(Path(folder) / f"{name}.json").get("fingerprints")
    found = {}
    for split in SPLITS:
        found[split] = LiftingData.load(path := Path(folder) / f"{split}.npz")
        if not isinstance(stated, dict) or stated.get(split) != found[split].fingerprint:
            raise FormatError(path, f"not the {split} split of which {name}.json speaks; prepare {name} again")
    return PreparedSplits(**found)
