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


def test_one_pose_is_drawn_at_one_place_in_its_row(tmp_path):
    clip = SyntheticMotion(subjects=1, takes=1, seconds=0.1).clip(0, "standing", 0)
    pose = clip.positions[0][0][:, [0, 2, 1]] * [1, 1, -1]
    still = np.stack([pose] * 2)
    write_pose_strip(
        tmp_path / "still.png",
        clip.skeleton,
        pose,
        still,
        {"model": still},
        instants=["80 ms", "160 ms"],
        cell_size=(110, 120),
    )
    pixels = np.asarray(Image.open(tmp_path / "still.png").convert("RGB"))
    for top in (34, 34 + 130):  # the truth, and a model with its name below the first pose alone
        first, *others = (pixels[top + 22 : top + 98, 10 + k * 120 : 120 + k * 120] for k in range(3))
        for other in others:
            np.testing.assert_array_equal(other, first)
