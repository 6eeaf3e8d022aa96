"""What counts as a recording in a folder, and that links are followed once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.datasets.ntu import NtuSource
from kinegraph.datasets.recordings import find_files
from kinegraph.errors import FormatError
from kinegraph.formats import write
from kinegraph.formats.walk import recordings_in
from kinegraph.inference.many import find_recordings


def names(folder: Path, *suffixes: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in recordings_in(folder, suffixes)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A recording here, one in a folder that is kept elsewhere, and one in a folder of that."""
    for place in ("data", "disk/deep", "data/.cache"):
        (tmp_path / place).mkdir(parents=True)
        write(
            kg.load(np.ones((2, 17, 3)), skeleton="h36m17", fps=30), tmp_path / place / f"{place.strip('/.')[-1]}.npz"
        )
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "disk", target_is_directory=True)
    return tmp_path / "data"


def test_linked_folders_are_searched_by_everything_that_searches_folders(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    both = ["a.npz", "linked/deep/p.npz"]
    assert names(data, ".npz") == both
    assert [path.relative_to(data).as_posix() for path in find_recordings(data, "3D")] == both
    assert [path.relative_to(data).as_posix() for path in find_files(data)] == both
    assert main(["info", str(data), "--json"]) == 0
    assert [entry["file"] for entry in json.loads(capsys.readouterr().out)["files"]] == both
    (data.parent / "disk" / "S001C001P001R001A001.skeleton").write_text("")
    assert len(NtuSource(data)) == 1


def test_no_folder_is_searched_twice_and_circles_end(data: Path) -> None:
    (data / "again").symlink_to(data.parent / "disk" / "deep", target_is_directory=True)
    (data / "here").symlink_to(data, target_is_directory=True)
    (data.parent / "disk" / "up").symlink_to(data.parent, target_is_directory=True)
    assert names(data, ".npz") == ["a.npz", "again/p.npz"]
    # Under its own name where it has one, so that a link changes nothing about what was there before.
    (data / "zoo").mkdir()
    (data / "a.npz").rename(data / "zoo" / "a.npz")
    (data / "alias").symlink_to(data / "zoo", target_is_directory=True)
    assert names(data, ".npz") == ["again/p.npz", "zoo/a.npz"]
    assert names(data / "alias", ".npz") == ["a.npz"]


def test_frames_are_one_recording_and_a_link_to_nowhere_is_named(data: Path) -> None:
    flat = kg.load(np.full((3, 17, 2), 9.0), skeleton="coco17", unit="px")
    write(flat, data / "clip", format="openpose")
    (data / "gone.npz").symlink_to(data / "nothing.npz")
    assert names(data, ".npz", ".json") == ["a.npz", "clip", "gone.npz", "linked/deep/p.npz"]
    assert names(data / "clip", ".json") == ["."]
    with pytest.raises(FormatError, match="no such file"):
        kg.load(data / "gone.npz")


def test_a_folder_that_cannot_be_listed_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by a stand-in: root, as whom tests may run, may enter every folder."""
    real, closed = Path.iterdir, data / "linked"

    def refuses(self: Path) -> object:
        if self == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", refuses)
    assert names(data, ".npz") == ["a.npz", "linked"]
    with pytest.raises(FormatError, match="Permission denied"):
        kg.load(closed)
    with pytest.raises(FormatError, match=f"{closed}: cannot be read"):
        recordings_in(closed, [".npz"])
