"""Results are kept as the settings say; the address and the limits are sane."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import ConfigError, DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.serve import ServeSettings
from kinegraph.serve.downloads import FORMATS, packed
from kinegraph.serve.results import Results
from kinegraph.skeleton import get_skeleton
from kinegraph.visualize.analysis import Analysis


def analysis(name: str = "a", people: int = 1) -> Analysis:
    rng = np.random.default_rng(1)
    rest = rng.normal(size=(people, 1, 17, 3))
    positions = rest + 0.01 * rng.normal(size=(people, 12, 17, 3))
    return Analysis(name=name, solid=SkeletonSequence(positions, get_skeleton("h36m17"), fps=25, up="y"))


def test_the_oldest_goes_and_so_does_what_nobody_looks_at() -> None:
    now = [0.0]
    results = Results(2, 100.0, clock=lambda: now[0])
    first, second = results.add(analysis("1")), results.add(analysis("2"))
    now[0] = 60.0
    assert results.get(first.id) is first  # looked at: young again
    third = results.add(analysis("3"))
    assert results.get(second.id) is None
    assert len(results) == 2
    now[0] = 155.0
    assert results.get(third.id) is third
    now[0] = 161.0
    assert results.get(first.id) is None
    assert results.drop(third.id)
    assert not results.drop(third.id)
    assert len(results) == 0
    assert len({first.id, second.id, third.id}) == 3


def test_too_many_bytes_push_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(10, 100.0)
    first = results.add(analysis())
    monkeypatch.setattr("kinegraph.serve.results.MOST_BYTES", int(1.5 * first.size))
    second = results.add(analysis())
    assert results.get(first.id) is None
    assert results.get(second.id) is second


@pytest.mark.parametrize("suffix", FORMATS)
def test_downloads(suffix: str, tmp_path: Path) -> None:
    data, name, media = packed(analysis("walk.json"), suffix, "3d", tmp_path)
    assert name == f"walk.{suffix}"
    assert media == FORMATS[suffix]
    assert len(data) > 500
    if suffix != "html":
        from kinegraph.formats import formats, read

        if next(f for f in formats() if f".{suffix}" in f.suffixes).reads:
            (tmp_path / f"again.{suffix}").write_bytes(data)
            assert read(tmp_path / f"again.{suffix}").frames == 12


def test_people_come_in_an_archive(tmp_path: Path) -> None:
    data, name, media = packed(analysis("two", people=2), "bvh", "3d", tmp_path)
    assert (name, media) == ("two_bvh.zip", "application/zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["two.bvh", "two_person2.bvh"]


def test_the_forecast_too(tmp_path: Path) -> None:
    one = analysis("walk")
    assert one.solid is not None
    both = Analysis(name="walk", solid=one.solid, forecast=one.solid.slice_frames(0, 5))
    data, name, _ = packed(both, "json", "whole", tmp_path)
    assert name == "walk_whole.json"
    (tmp_path / "w.json").write_bytes(data)
    from kinegraph.formats import read

    assert read(tmp_path / "w.json").frames == 17
    assert both.ghosts[0].start == pytest.approx(12 / 25)


def test_what_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'exe'; choose bvh"):
        packed(analysis(), "exe", "3d", tmp_path)
    with pytest.raises(ConfigError, match="no part '4d'"):
        packed(analysis(), "csv", "4d", tmp_path)
    with pytest.raises(DataError, match="no 2d"):
        packed(analysis(), "csv", "2d", tmp_path)


def test_settings() -> None:
    assert ServeSettings().loopback
    assert not ServeSettings(host="0.0.0.0").loopback
    assert ServeSettings(upload_mb=2).upload_bytes == 2 * 2**20
    with pytest.raises(ConfigError, match="--port 70000"):
        ServeSettings(port=70000)
    for wrong in ({"upload_mb": 0}, {"upload_mb": 9999}, {"waiting": 0}, {"keep_s": 0.0}, {"forecast_s": 99.0}):
        with pytest.raises(ConfigError):
            ServeSettings(**wrong)  # type: ignore[arg-type]
