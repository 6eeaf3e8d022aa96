"""The strip of poses: a row for the truth and one for each model, and a ghost where they part."""

from __future__ import annotations

import numpy as np
from PIL import Image

from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.visualize import write_pose_strip


def test_rows_and_ghosts(tmp_path):
    clip = SyntheticMotion(subjects=1, takes=1, seconds=0.5).clip(0, "waving", 0)
    poses = clip.positions[0][:, :, [0, 2, 1]] * [1, 1, -1] if clip.up == "z" else clip.positions[0]
    truth = poses[2:5]
    pictures = []
    for shift in (0.0, 0.3):
        path = tmp_path / f"{shift}.png"
        write_pose_strip(
            path,
            clip.skeleton,
            poses[0],
            truth,
            {"model": truth + np.array([shift, 0, 0]), "other": truth},
            instants=["80 ms", "160 ms", "240 ms"],
            notes={"model": ["1 mm", "2 mm", "3 mm"]},
            title="waving",
            subtitle="here",
            cell_size=(110, 170),
        )
        pictures.append(np.asarray(Image.open(path).convert("RGB")).astype(int))
    first, second = pictures
    assert first.shape == second.shape
    assert first.shape[:2] == (54 + 3 * 180, 4 * 120 + 10)
    changed = np.abs(first - second).sum(axis=-1) > 0
    top, middle, bottom = (changed[54 + k * 180 : 54 + (k + 1) * 180] for k in range(3))
    assert not top.any()
    assert not bottom.any()
    assert middle[:, 130:].any()
    assert not middle[:, :120].any()  # the last observed pose is the same
