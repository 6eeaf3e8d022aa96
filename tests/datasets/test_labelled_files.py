"""Which labelled files there are: class folders, parts beside them, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from action_files import recordings

from kinegraph.datasets.labelled_files import files_by_class, indexed_files
from kinegraph.errors import DataError


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("train/x/a.npz", "bus/a.npz", "car/a.npz"),
            r"bus, car hold recordings beside the part train, .* none; move bus, car into a part, or elsewhere; or",
        ),
        (("train/x/a.npz", "test/x/a.npz", "bus/y/a.npz"), r"bus holds recordings beside the parts train, test"),
        (("train/x/a.npz", "validation/x/a.npz"), r"in none; rename validation to val; or write an index.csv"),
        (("train/x/a.npz", "valid/x/a.npz", "Test/x/a.npz"), r"rename Test to test; rename valid to val;"),
        (("train/x/a.npz", "Test/x/a.npz", "bus/a.npz"), r"rename Test to test; move bus into a part"),
        (("train/a.npz", "test/a.npz"), r"train holds files and no class folders; expected train/<class>/<file>"),
        (("train/x/a.npz", "test/a.npz"), r"test holds files and no class folders; expected test/<class>/<file>"),
        (("train/a.npz",), r"train holds files and no class folders"),
        (("Train/x/a.npz", "Test/x/a.npz"), r"both hold x/; rename Train to train and Test to test. Where they are"),
        (("training/x/a.npz", "val/x/a.npz"), r"both hold x/; rename training to train. Where they are classes"),
    ],
)
def test_folders_beside_parts_are_not_ignored(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    recordings(tmp_path, *names)
    with pytest.raises(DataError, match=message) as caught:
        files_by_class(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("names", "classes", "parts"),
    [
        (("train/x/a.npz", "test/x/a.npz", "val/y/a.npz"), ("x", "y"), {"train", "test", "val"}),
        (("train/a.npz", "bus/a.npz", "train/1950/a.npz"), ("bus", "train"), set()),
        (("test/a.npz", "val/a.npz"), ("test", "val"), set()),
        (("Training/monday/a.npz", "Test/a.npz"), ("Test", "Training"), set()),
    ],
)
def test_parts_and_classes_called_alike(
    tmp_path: Path, names: tuple[str, ...], classes: tuple[str, ...], parts: set[str]
) -> None:
    files, notes = files_by_class(recordings(tmp_path, *names))
    assert (sorted({file.label for file in files}), len(files), notes) == (sorted(classes), len(names), ())
    assert {part for file in files for part in file.splits} == parts


def test_an_empty_folder_called_train_is_no_part(tmp_path: Path) -> None:
    recordings(tmp_path, "bus/a.npz")
    (tmp_path / "train").mkdir()
    files, _ = files_by_class(tmp_path)
    assert [file.label for file in files] == ["bus"]


def test_what_is_beside_parts_and_no_recording_is_said(tmp_path: Path) -> None:
    recordings(tmp_path, "train/x/a.npz", "test/x/a.npz")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "camera.json").write_text('{"camera": 1}')
    (tmp_path / "train" / "list.csv").write_text("a,b\n")
    files, notes = files_by_class(tmp_path)
    assert [file.name for file in files] == ["train/x/a.npz", "test/x/a.npz"]
    assert notes == (
        f"{tmp_path / 'train'}: 1 files are in no class folder and left out",
        f"{tmp_path / 'notes'}: in no part, and nothing in it can be read; left out",
    )


@pytest.mark.parametrize("between", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_an_index_of_any_countrys_spreadsheet(tmp_path: Path, between: str, mark: str) -> None:
    rows = [("label", "file", "split"), ("run, fast; far", "a.npz", "train"), ("nod", "b.npz", "")]
    lines = [between.join(f'"{cell}"' for cell in row) for row in rows]
    (tmp_path / "index.csv").write_text(mark + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    found = indexed_files(tmp_path / "index.csv")
    assert [(file.name, file.label, file.splits) for file in found] == [
        ("a.npz", "run, fast; far", ("train",)),
        ("b.npz", "nod", ()),
    ]


def test_headings_however_they_are_spaced_and_capitalised(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("File; Label ;SPLIT\na.npz;nod;train\n")
    (found,) = indexed_files(tmp_path / "index.csv")
    assert (found.name, found.label, found.splits) == ("a.npz", "nod", ("train",))


@pytest.mark.parametrize("text", ["file|label\na.npz|x\n", "", "path;label\na.npz;x\n"])
def test_an_index_without_its_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError, match="expected at least file and label, with commas, semicolons or tabs between"):
        indexed_files(tmp_path / "index.csv")


def test_an_index_follows_links_as_class_folders_do(tmp_path: Path) -> None:
    recordings(tmp_path / "elsewhere", "a.npz", "more/b.npz")
    source = tmp_path / "source"
    (source / "x").mkdir(parents=True)
    (source / "x" / "one.npz").symlink_to(tmp_path / "elsewhere" / "a.npz")
    (source / "y").symlink_to(tmp_path / "elsewhere" / "more")
    (by_folder, _), index = files_by_class(source), source / "index.csv"
    index.write_text("file,label\nx/one.npz,x\n./y/../y/b.npz,y\n")
    found = indexed_files(index)
    assert [(file.path, file.label) for file in found] == [(file.path, file.label) for file in by_folder]
    linked = tmp_path / "linked"
    linked.symlink_to(source)
    assert len(indexed_files(linked / "index.csv")) == 2
    index.write_text(f"file,label\n{source / 'x' / 'one.npz'},x\n")
    assert len(indexed_files(index)) == len(indexed_files(linked / "index.csv")) == 1
    for outside in ("../elsewhere/a.npz", "y/../../elsewhere/a.npz", str(tmp_path / "elsewhere" / "a.npz")):
        index.write_text(f"file,label\n{outside},x\n")
        with pytest.raises(DataError, match=r"line 2, '.*' lies outside .*source; put the index above the files"):
            indexed_files(index)
    (source / "again.npz").symlink_to(tmp_path / "elsewhere" / "a.npz")
    index.write_text("file,label\nx/one.npz,x\nagain.npz,x\n")
    with pytest.raises(DataError, match="'again.npz' stands twice"):
        indexed_files(index)
