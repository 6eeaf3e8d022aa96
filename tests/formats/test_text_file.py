"""Lines of motion files in any encoding; joint names beyond ASCII go there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph.errors import FormatError
from kinegraph.formats import read, write
from kinegraph.formats.text_file import read_lines, split_lines
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

BVH = """HIERARCHY
ROOT hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT NAME
  {
    OFFSET 0 40 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 20 0
    }
  }
}
MOTION
Frames: 1
Frame Time: 0.04
0 90 0 0 0 0 10 0 0
"""


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
def test_lines_end_where_files_end_them(lines: list[str]) -> None:
    for end in ("\n", "\r\n", "\r"):
        assert split_lines("".join(line + end for line in [*lines, "last"])) == [*lines, "last"]
        assert split_lines(end.join([*lines, "last"])) == [*lines, "last"]


@pytest.mark.parametrize("name", ["HÅnd", "Hüfte", "腰", "全ての親", "Ã…", "spine"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_joint_names_in_utf8(tmp_path: Path, name: str, encoding: str, end: str) -> None:
    path = tmp_path / "walk.bvh"
    path.write_bytes(BVH.replace("NAME", name).replace("\n", end).encode(encoding))
    sequence = read(path)
    assert sequence.skeleton.joints[1] == name
    again = tmp_path / "again.bvh"
    write(sequence, again)
    back = read(again)
    assert back.skeleton.joints == sequence.skeleton.joints
    np.testing.assert_allclose(back.positions, sequence.positions, atol=1e-6)


@pytest.mark.parametrize(("encoding", "name"), [("latin-1", "Hüfte"), ("cp932", "腰"), ("gbk", "腰")])
def test_other_encodings_are_read_with_odd_names(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / "walk.bvh"
    path.write_bytes(BVH.replace("NAME", name).encode(encoding))
    sequence = read(path)
    np.testing.assert_array_equal(sequence.positions, read_from(tmp_path, "spine").positions)
    assert (sequence.skeleton.joints[1] == name) == (encoding == "latin-1")


def read_from(folder: Path, name: str) -> SkeletonSequence:
    (folder / "plain.bvh").write_text(BVH.replace("NAME", name))
    return read(folder / "plain.bvh")


@pytest.mark.parametrize("byte", [0x85, 0xA0])
def test_no_byte_of_a_name_breaks_it(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "walk.bvh"
    path.write_bytes(BVH.encode().replace(b"NAME", b"a\xfe" + bytes([byte]) + b"b"))
    assert read(path).skeleton.joints[1] == "aþ_b"


@pytest.mark.parametrize("stem", ["Åsa", "腰", "två ord"])
def test_a_trc_file_of_any_name_is_read_back(tmp_path: Path, stem: str) -> None:
    """Its first line is its own name, which no letter may cut in two."""
    markers = Skeleton("m", ("HÅnd", "fot"), (-1, 0))
    sequence = SkeletonSequence(np.arange(12.0).reshape(1, 2, 2, 3), markers, fps=50, up="y")
    path = tmp_path / f"{stem}.trc"
    write(sequence, path)
    back = read(path)
    assert back.skeleton.joints == markers.joints
    np.testing.assert_allclose(back.positions, sequence.positions, atol=1e-5)


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r\n", "\u2003\n".encode()])
def test_nothing_is_an_empty_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    with pytest.raises(FormatError, match="the file is empty; expected text"):
        read_lines(path, "text")
