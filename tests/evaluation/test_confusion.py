"""Confusion matrices written: every count in the table, and the percent of its row in the picture."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from kinegraph.errors import ConfigError
from kinegraph.evaluation.confusion import write_confusion


def content(classes: int, **more: Any) -> dict[str, Any]:
    """Half of every class is taken for the next one."""
    counts = np.eye(classes, dtype=int) * 6 + np.roll(np.eye(classes, dtype=int), 1, axis=1) * 6
    return {
        "classes": [f"class {index}" for index in range(classes)],
        "confusion": counts.tolist(),
        "protocol": "somewhere",
        "model": "net",
        "top1": 50.0,
        **more,
    }


def test_the_table_has_every_count(tmp_path: Path) -> None:
    given = content(4)
    write_confusion(given, tmp_path / "c.CSV")
    with (tmp_path / "c.CSV").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["true \\ predicted", *given["classes"]]
    for row, name, counts in zip(rows[1:], given["classes"], given["confusion"], strict=True):
        assert row == [name, *map(str, counts)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved, as they are then."""
    found: list[Figure] = []
    save = Figure.savefig

    def remembered(figure: Figure, *arguments: Any, **options: Any) -> None:
        found.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", remembered)
    return found


def test_cells_show_the_percent_of_their_row(tmp_path: Path, drawn: list[Figure]) -> None:
    given = content(5)
    given["confusion"][0] = [1, 0, 0, 0, 3]
    given["confusion"][1] = [0] * 5  # nobody did it
    write_confusion(given, tmp_path / "c.png")
    axes = drawn[0].axes[0]
    expected = np.zeros((5, 5))
    for row, counts in enumerate(given["confusion"]):
        for column, count in enumerate(counts):
            expected[row, column] = 100 * count / sum(counts) if sum(counts) else 0
    np.testing.assert_allclose(axes.images[0].get_array(), expected)
    written = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    assert written == {(row, col): f"{expected[row, col]:.0f}" for row, col in zip(*np.nonzero(expected), strict=True)}
    assert [label.get_text() for label in axes.get_yticklabels()] == given["classes"]
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"


def test_of_many_classes_the_worst_ten_cells_are_ringed(tmp_path: Path, drawn: list[Figure]) -> None:
    given = content(40)
    for row in range(12):  # ever more of them are taken for the one after the next
        given["confusion"][row][(row + 2) % 40] = 20 + 10 * row
    write_confusion(given, tmp_path / "c.png")
    axes = drawn[0].axes[0]
    assert not axes.texts
    ringed = {(round(ring.get_y() + 0.5), round(ring.get_x() + 0.5)) for ring in axes.patches}
    assert ringed == {(row, row + 2) for row in range(2, 12)}


def test_a_fused_result_states_the_joint_stream_and_other_files_are_refused(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    write_confusion(content(3), tmp_path / "one.png")
    write_confusion(content(3, joint={"top1": 40.0}), tmp_path / "fused.png")
    one, fused = (figure.axes[0].get_title(loc="left") for figure in drawn)
    assert one == "net: somewhere, top-1 50.0 %"
    assert fused == f"{one}\njoint stream alone: top-1 40.0 %"
    with pytest.raises(ConfigError, match=r"c\.gif: a confusion matrix is written as \.csv or \.png"):
        write_confusion(content(3), tmp_path / "c.gif")
    assert not (tmp_path / "c.gif").exists()
