"""`kinegraph skeletons`: the list, one layout, a map."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinegraph.cli import main
from kinegraph.skeleton import get_skeleton, map_joints, skeleton_names


def _output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["skeletons", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _output(capsys).splitlines()
    assert [line.split()[0] for line in lines] == list(skeleton_names())
    found = json.loads(_output(capsys, "--json"))["skeletons"]
    assert {s["name"]: s["joints"] for s in found} == {n: get_skeleton(n).num_joints for n in skeleton_names()}


def test_one_layout(capsys: pytest.CaptureFixture[str]) -> None:
    text = _output(capsys, "h36m17")
    assert "joint pairs at hop 0, 1, 2, ...: 17, 40, 54, 64, 62, 36, 16" in text
    for index, joint in enumerate(get_skeleton("h36m17").joints):
        assert f"{joint} ({index})" in text
    assert "left_wrist | right_wrist" in text
    found = json.loads(_output(capsys, "h36m17", "--json"))
    assert found["joints"] == list(get_skeleton("h36m17").joints)
    assert found["parents"] == list(get_skeleton("h36m17").parents)
    assert found["hop_counts"] == [17, 40, 54, 64, 62, 36, 16]


def test_a_map(capsys: pytest.CaptureFixture[str]) -> None:
    expected = map_joints(get_skeleton("body25"), get_skeleton("h36m17"))
    assert _output(capsys, "body25", "--map", "h36m17").strip() == expected.report()
    found = json.loads(_output(capsys, "body25", "--map", "h36m17", "--json"))
    assert [j["status"] for j in found["joints"]] == list(expected.status)
    assert found["joints"][0] == {"joint": "pelvis", "status": "exact", "from": {"pelvis": 1.0}}


def test_ones_own_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\n[joints]\nhip = ""\nspine = "hip"\nhead = "spine"\n')
    assert "└─ spine (1)" in _output(capsys, str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["coco71"], "did you mean 'coco17'"),
        (["--map", "h36m17"], "--map needs two layouts"),
        (["no.toml"], "cannot be read as a skeleton"),
    ],
)
def test_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["skeletons", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
