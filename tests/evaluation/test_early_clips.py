"""Curves of early recognition: each share is what evaluating on so much of every clip gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clip_methods import linear_weights
from PIL import Image

from kinegraph.datasets.open_clips import synthetic_clips
from kinegraph.errors import ConfigError
from kinegraph.evaluation.clip_recognition import evaluate_clips, load_clip_method
from kinegraph.evaluation.clip_views import ClipView
from kinegraph.evaluation.early_clips import EarlyCurve, draw_early, early_curve, early_report
from kinegraph.evaluation.recognition_merge import MethodGroup, group_methods

PROTOCOL = "synthetic-recognition"


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> MethodGroup:
    weights = linear_weights(tmp_path_factory.mktemp("runs") / "lin", "joint")
    [found] = group_methods([load_clip_method(weights)], PROTOCOL)
    return found


@pytest.fixture(scope="module")
def curve(group: MethodGroup) -> EarlyCurve:
    return early_curve(group, synthetic_clips(), PROTOCOL, ratios=(1.0, 0.2))


def test_each_share_is_evaluated_on_so_much_of_every_clip(group: MethodGroup, curve: EarlyCurve) -> None:
    [[method]] = group.seeds.values()
    clips = synthetic_clips()
    found = {ratio: evaluate_clips(method, clips, PROTOCOL, view=ClipView(observed=ratio)) for ratio in (0.2, 1.0)}
    assert list(curve.rows) == [0.2, 1.0]
    assert [row.mean("top1") for row in curve.rows.values()] == [one.top1 for one in found.values()]
    assert curve.area == pytest.approx((found[0.2].top1 + found[1.0].top1) / 2)
    assert found[1.0].top1 == evaluate_clips(method, clips, PROTOCOL).top1 > found[0.2].top1
    content = curve.to_json()
    assert (content["observed"], content["mean_top1"]) == ([0.2, 1.0], curve.area)
    assert content["top5"] == [one.top5 for one in found.values()]


def test_the_table_has_a_column_for_each_share(curve: EarlyCurve) -> None:
    lines = early_report([curve]).splitlines()
    assert lines[0].startswith(f"{PROTOCOL} | early recognition, percent of 72 clips | test split")
    assert lines[1].split()[-3:] == ["20", "100", "mean"]
    row = next(line.split() for line in lines if line.startswith(curve.label))
    assert row[1:] == [f"{value:.1f}" for value in (*curve.to_json()["top1"], curve.area)]
    assert not any("the first 20 %" in line for line in lines)  # it is the header's


def test_the_picture_has_a_curve_in_its_colour(curve: EarlyCurve, tmp_path: Path) -> None:
    draw_early([curve], tmp_path / "e.png")
    pixels = np.asarray(Image.open(tmp_path / "e.png").convert("RGB")).reshape(-1, 3).astype(int)
    assert (np.abs(pixels - [0x34, 0x78, 0xD8]).max(axis=1) < 3).sum() > 200


@pytest.mark.parametrize(
    ("ratios", "message"),
    [((), "ratios none: expected each once"), ((0.5, 0.5), "each once"), ((0.5, 1.5), "observed share 1.5")],
)
def test_shares_that_are_none_are_refused(group: MethodGroup, ratios: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        early_curve(group, synthetic_clips(), PROTOCOL, ratios=ratios)
