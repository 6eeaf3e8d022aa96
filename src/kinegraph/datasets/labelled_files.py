"""Which labelled files a user has: a folder for each class, or a CSV index.

Folders: ``<source>/<class>/**/file``, and a folder of OpenPose frames is one clip as a file is; with
``<source>/train/<class>/`` and ``<source>/test/<class>/`` (or ``val``) the parts are kept apart, without them a fifth
of every class tests. A folder that ``kinegraph data prepare`` wrote holds no recordings. Index: a CSV with the columns
``file`` and ``label`` and, where known, ``split`` (train, val or test), ``subject``, ``camera``, ``setup``; files are
named relative to it, inside its folder; links may lead out of it, as in class folders. Commas, semicolons or tabs stand
between the columns.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kinegraph.errors import DataError
from kinegraph.formats import read
from kinegraph.formats.walk import recording_suffixes, recordings_in
from kinegraph.naming import as_text
from kinegraph.store.clip_store import FORMAT, MANIFEST
from kinegraph.store.prepare import BAD

__all__ = ["LabelledFile", "files_by_class", "indexed_files"]

_PARTS = ("train", "val", "test")
_MEANT = {"train": "training", "val": "validation valid validate", "test": "testing tests"}
_LOOKED_AT = 3  # files of a folder, to know whether recordings are in it
_MOST_ROWS = 10_000_000
_COLUMNS = ("file", "label")
_SEPARATORS = ",;\t"

_Classes = dict[str, list[Path]]


@dataclass(frozen=True)
class LabelledFile:
    """One file and what is known of it.

    Attributes:
        name: of the clip: the path relative to the source.
        path: the file, or a folder of OpenPose frames.
        label: name of its class.
        splits: the part it is in; empty where none is stated.
        subject: who is seen, as the index names them.
        camera: number of the camera; 0 unknown.
        setup: number of the setup; 0 unknown.
    """

    name: str
    path: Path
    label: str
    splits: tuple[str, ...] = ()
    subject: str = ""
    camera: int = 0
    setup: int = 0


def files_by_class(root: Path) -> tuple[list[LabelledFile], tuple[str, ...]]:
    """Files under class folders, and what is to be said of them.

    Raises:
        DataError: prepared clips instead of recordings, no files, or files that would be in no part.
    """
    if _is_prepared(root):
        raise DataError(f"{root}: prepared clips already; use it as --data, or name the folder of the recordings")
    suffixes = recording_suffixes()
    names = [folder.name for folder in _folders(root)]
    given = [part for part in _PARTS if part in names] if "train" in names else []  # a class may well be called "test"
    inside = {part: _classes(root / part, suffixes) for part in given}
    others = _classes(root, suffixes, without=given)
    parts, notes = _parts(root, inside, others, suffixes)
    found = []
    for part in parts or [""]:
        for label, paths in (inside[part] if part else _classes(root, suffixes, known=others)).items():
            for path in paths:
                name = as_text(path.relative_to(root).as_posix())
                found.append(LabelledFile(name, path, as_text(label), (part,) if part else ()))
    if not found:
        raise DataError(f"{root}: no labelled files; expected <class>/<file>, or an index.csv with file and label")
    return found, notes


def _parts(
    root: Path, inside: Mapping[str, _Classes], others: _Classes, suffixes: Collection[str]
) -> tuple[list[str], tuple[str, ...]]:
    """The parts that are in use (none: every folder is a class), and what is left out beside them.

    Raises:
        DataError: recordings that would be in no part, or folders that were meant as parts.
    """
    if not inside:
        return _no_misnamed_parts(root, others), ()
    loose = {part: count for part in inside if (count := _loose(root / part, suffixes))}
    alone = list(inside) == ["train"] and not any(map(_meant, others))
    if alone and others and (loose or not inside["train"]):
        return [], ()  # a class called "train"
    for part in loose:
        if not inside[part]:
            raise DataError(
                f"{root}: {part} holds files and no class folders; expected {part}/<class>/<file>. Where {part} is a "
                "class, write an index.csv with file and label"
            )
    notes = [f"{root / part}: {count} files are in no class folder and left out" for part, count in loose.items()]
    stray = [name for name, paths in others.items() if _any_readable(paths)]
    if stray:
        renamed = [f"rename {name} to {_meant(name)}" for name in stray if _meant(name)]
        moved = [name for name in stray if not _meant(name)]
        if moved:
            renamed.append(f"move {_listed(moved)} into a part, or elsewhere")
        raise DataError(
            f"{root}: {_listed(stray)} hold{'s' if len(stray) == 1 else ''} recordings beside the part"
            f"{'s' if len(inside) > 1 else ''} {_listed(inside)}, and would be in none; {'; '.join(renamed)}; or write "
            "an index.csv"
        )
    notes += [f"{root / name}: in no part, and nothing in it can be read; left out" for name in others]
    return list(inside), tuple(notes)


def _no_misnamed_parts(root: Path, others: _Classes) -> list[str]:
    """No parts. Raises DataError where two folders seem to be some, under other names and with the same classes."""
    meant = {name: part for name in others if (part := _meant(name) or (name if name in _PARTS else ""))}
    below = {name: {folder.name for folder in _folders(root / name)} for name in meant}
    for train in (name for name, part in meant.items() if part == "train"):
        for other in (name for name, part in meant.items() if part != "train"):
            if below[train] & below[other]:
                wrong = [f"{name} to {meant[name]}" for name in (train, other) if name != meant[name]]
                raise DataError(
                    f"{root}: {train} and {other} seem to be parts, as both hold {min(below[train] & below[other])}/; "
                    f"rename {' and '.join(wrong)}. Where they are classes, write an index.csv with file and label"
                )
    return []


def _meant(name: str) -> str:
    """The part that a folder of nearly its name was meant to be; "" none."""
    if name in _PARTS:
        return ""
    return next((p for p, also in _MEANT.items() if name.lower() in (p, *also.split())), "")


def _listed(names: Collection[str]) -> str:
    """Names, of many the first ones."""
    shown = ", ".join(list(names)[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _folders(place: Path) -> list[Path]:
    return sorted(item for item in place.iterdir() if item.is_dir() and not item.name.startswith("."))


def _classes(
    place: Path, suffixes: Collection[str], without: Collection[str] = (), known: _Classes | None = None
) -> _Classes:
    """Folder -> recordings in it, of those that have any; what is `known` is not looked for again."""
    found: _Classes = {}
    for folder in _folders(place):
        if folder.name in without:
            continue
        ready = (known or {}).get(folder.name)
        paths = list(_recordings(folder, suffixes)) if ready is None else ready
        if paths:
            found[folder.name] = paths
    return found


def _recordings(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """The recordings in a folder, without what prepared folders in it hold."""
    prepared: dict[Path, bool] = {}
    for path in recordings_in(folder, suffixes):
        place = path if path.is_dir() else path.parent
        places = [place, *(above for above in place.parents if above.is_relative_to(folder))]
        for one in places:
            if one not in prepared:
                prepared[one] = _is_prepared(one)
        if not any(prepared[one] for one in places):
            yield path


def _is_prepared(folder: Path) -> bool:
    """Whether `kinegraph data prepare` wrote this folder: clips, or only the list of what cannot be read."""
    for name, begins in ((MANIFEST, f'"{FORMAT}"'), (BAD, "clip,reason\n")):
        try:
            with (folder / name).open("rb") as stream:
                if begins.encode() in stream.read(200):
                    return True
        except OSError:
            continue
    return False


def _loose(folder: Path, suffixes: Collection[str]) -> int:
    """Files that lie in the folder itself."""
    return sum(
        item.is_file() and item.suffix.lower() in suffixes and not item.name.startswith(".")
        for item in folder.iterdir()
    )


def _any_readable(paths: list[Path]) -> bool:
    """Whether files are recordings: the suffixes of some formats are those of lists and settings too."""
    for path in paths[:_LOOKED_AT]:
        try:
            read(path)
        except Exception:  # of whatever kind: it is not read
            continue
        return True
    return False


def indexed_files(path: Path) -> list[LabelledFile]:
    """Rows of a CSV index.

    Raises:
        DataError: not a CSV with the columns, a row without file or label, a file twice or outside, no rows.
    """
    root = Path(os.path.abspath(path.parent))
    roots = (root, root.resolve())  # a whole path may name the folder either way
    found: list[LabelledFile] = []
    taken: set[Path] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter=_separator(stream.readline()))
            stream.seek(0)
            columns = reader.fieldnames = [_plain(name) for name in reader.fieldnames or []]
            if not set(_COLUMNS) <= set(columns):
                raise DataError(
                    f"{path}: columns {', '.join(columns)[:80] or 'none'}; expected at least file and label, with "
                    "commas, semicolons or tabs between"
                )
            for row in reader:
                line = reader.line_num
                name, label = (row["file"] or "").strip(), (row["label"] or "").strip()
                if not name or not label:
                    raise DataError(f"{path}: line {line} has no {'label' if name else 'file'}; fill it in")
                file = Path(os.path.normpath(root / name))
                if not any(file.is_relative_to(one) for one in roots):
                    raise DataError(
                        f"{path}: line {line}, '{name[:60]}' lies outside {root}; put the index above the files"
                    )
                content = file.resolve()
                if content in taken:  # however it is spelt: it would train and test
                    raise DataError(f"{path}: line {line}, '{name[:60]}' stands twice; expected one row for each file")
                taken.add(content)
                split = (row.get("split") or "").strip().lower()
                if split and split not in _PARTS:
                    raise DataError(
                        f"{path}: line {line}, split is '{split[:20]}'; expected {', '.join(_PARTS)}, or nothing"
                    )
                found.append(
                    LabelledFile(
                        name,
                        file,
                        label,
                        (split,) if split else (),
                        (row.get("subject") or "").strip(),
                        _count(row.get("camera"), path, line, "camera"),
                        _count(row.get("setup"), path, line, "setup"),
                    )
                )
                if len(found) > _MOST_ROWS:
                    raise DataError(f"{path}: more than {_MOST_ROWS:,} rows; expected an index of files")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV ({error}); expected UTF-8 with file,label") from None
    if not found:
        raise DataError(f"{path}: no rows; expected a file and a label on each")
    return found


def _separator(head: str) -> str:
    """What stands between the columns: tables of many countries have semicolons."""
    fits = (
        one for one in _SEPARATORS if set(_COLUMNS) <= set(map(_plain, next(csv.reader([head], delimiter=one), [])))
    )
    return next(fits, _SEPARATORS[0])


def _plain(heading: str) -> str:
    """A heading as it is looked for, however it is spaced and capitalised."""
    return heading.strip().lower()


def _count(text: str | None, path: Path, line: int, column: str) -> int:
    text = (text or "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise DataError(f"{path}: line {line}, {column} is '{text[:20]}'; expected a number from 1, or nothing")
    return int(text)
