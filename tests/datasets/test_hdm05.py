"""HDM05-11: the counts of the published set, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.datasets.hdm05 import CLASSES, Hdm05Source
from kinegraph.errors import DataError


def test_the_published_set(shared_data) -> None:
    source = Hdm05Source(shared_data)
    parts = [item[4] for item in source.items]
    assert (parts.count("train"), parts.count("test"), source.notes) == (189, 99, ())
    assert {item[3] for item in source.items if item[4] == "train"} == {"bd", "bk", "dg"}
    assert {item[3] for item in source.items if item[4] == "test"} == {"mm", "tr"}
    assert {item[2] for item in source.items} == set(range(len(CLASSES)))
    assert len({source.name(n) for n in range(288)}) == 288
    upper = next(n for n in range(288) if source.items[n][0].suffix == ".AMC")
    clip = source.read(upper)
    assert clip.positions.shape[0::2] == (1, 31)
    assert clip.positions.dtype == np.float32
    assert np.isfinite(clip.positions).all()


def test_a_subject_in_the_wrong_part(tmp_path) -> None:
    (tmp_path / "train" / "1").mkdir(parents=True)
    (tmp_path / "train" / "1" / "HDM_mm_sit_001_120.amc").touch()
    with pytest.raises(DataError, match="'mm' is no subject of train"):
        Hdm05Source(tmp_path)
    with pytest.raises(DataError, match="no HDM05 here"):
        Hdm05Source(tmp_path / "train")
