"""Tables: cells under their headers, and numbers that do not belong in one are kept apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.evaluation.lifting import LiftingResult, evaluate_lifting
from kinegraph.evaluation.tables import check_comparable, headline, lifting_comparison, lifting_report, text_table


@pytest.fixture
def result(data, remembering) -> LiftingResult:
    return evaluate_lifting(remembering("metric", 0.1, label="one"), data, "h36m-metric", flip_test=False)


def test_columns_stand_below_each_other() -> None:
    header, rows = ["method", "mm", "parameters"], [["a", "1.0", "12"], ["longer name", "100.0", "1,234,567,890"]]
    lines = text_table(header, rows).splitlines()
    assert set(lines[1]) == {"-"}
    assert len(lines[1]) == max(map(len, lines))
    for line, cells in zip([lines[0], *lines[2:]], [header, *rows], strict=True):
        assert line.split("  ")[0].strip() == cells[0]
        end = 0
        for column, cell in enumerate(cells):
            width = max(len(row[column]) for row in [header, *rows])
            place = line[end : end + width]
            assert place == (cell.ljust(width) if column == 0 else cell.rjust(width))
            end += width + 2
        assert not line[end:]
    marked = text_table(header, rows, markdown=True).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in marked]
    assert [cells[0], *cells[2:]] == [header, *rows]
    assert cells[1][0].startswith(":-")
    assert all(cell.endswith("-:") for cell in cells[1][1:])
    assert text_table(["a"], []).splitlines() == ["a", "-"]


def test_a_report_has_every_action_and_the_average(result: LiftingResult) -> None:
    lines = lifting_report(replace(result, notes=("mind this",))).splitlines()
    assert lines[0] == f"one: {headline(result)}"
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["action"][0] == "MPJPE"
    for action, error in result.per_action["mpjpe_mm"].items():
        assert rows[action][0] == f"{error:.1f}"
    assert rows["average"][0] == f"{np.mean(list(result.per_action['mpjpe_mm'].values())):.1f}"
    assert lines[-1] == "note: mind this"


def test_a_comparison_has_a_line_for_each_and_says_a_note_once(result: LiftingResult) -> None:
    one = replace(result, notes=("mind this",), info={"parameters": 12345, "train_seconds": 30})
    two = replace(one, label="two", mpjve_mm=None, info={"train_seconds": 7200})
    lines = lifting_comparison([one, two]).splitlines()
    assert lines[0] == headline(one)
    rows = {line.split()[0]: line.split()[1:] for line in lines[3:]}
    assert rows["one"][0] == rows["two"][0] == f"{result.mpjpe_mm:.1f}"
    assert rows["one"][-3:] == ["12,345", "30", "s"]
    assert rows["two"][-4:] == ["-", "-", "2.0", "h"]
    assert lines.count("note: mind this") == 1
    for seconds, said in ((89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")):
        assert lifting_comparison([replace(one, notes=(), info={"train_seconds": seconds})]).endswith(f"  {said}")


def test_numbers_that_do_not_belong_together_are_refused(result: LiftingResult) -> None:
    with pytest.raises(DataError, match="nothing to compare"):
        lifting_comparison([])
    for key, value in (
        ("protocol", "3dhp"),
        ("target", "pixel"),
        ("input", "noisy"),
        ("split", "val"),
        ("flip_test", True),
    ):
        other = replace(result, label="other", **{key: value})
        with pytest.raises(DataError, match=f"one has {key} .*, other {value}: such numbers do not belong"):
            lifting_comparison([result, other])
        check_comparable([result, other])  # nothing is asked of it
    elsewhere = replace(result, label="other", data={**result.data, "fingerprint": "0"})
    with pytest.raises(DataError, match="one and other were measured on different data"):
        check_comparable([result, result, elsewhere])
