"""The webcam example with a detector's ONNX file, run by onnxruntime on pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from lifting_people import keypoints, motion
from simcc_file import picture, write_detector

import kinegraph as kg

pytest.importorskip("onnx", reason="extra 'export'")
pytest.importorskip("onnxruntime", reason="extra 'export'")
SIZE = (640, 480)


@pytest.fixture(scope="module")
def webcam() -> ModuleType:
    spec = importlib.util.spec_from_file_location("webcam_example", Path(__file__).parents[3] / "examples/webcam.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "rtmpose.onnx"
    write_detector(path)
    return path


def walk(frames: int) -> np.ndarray:
    """(frames, 17, 2) px in a picture of 640 x 480: somebody on COCO's joints, who goes to the right."""
    body = keypoints(motion(frames)).to_skeleton(kg.get_skeleton("coco17"), minimum=0.4).positions[0]
    spread = np.where(np.isfinite(body), body, np.nan)
    spread = spread - np.nanmean(spread, axis=(0, 1)) + np.linspace(250, 390, frames)[:, None, None] * [1, 0] + [0, 240]
    face = [i for i, joint in enumerate(kg.get_skeleton("coco17").joints) if "eye" in joint or "ear" in joint]
    spread[:, face] = np.nan  # discs on discs would hide each other
    return spread


def test_its_answer_is_where_the_joints_are(webcam: ModuleType, detector_file: Path) -> None:
    detect, points = webcam.RtmPose(detector_file), walk(4)
    assert detect.size == (192, 256)
    for frame, truth in enumerate(points):
        found = detect(picture(truth, SIZE))
        assert found.shape == (1, 17, 3)
        there = np.isfinite(truth[:, 0])
        off = np.linalg.norm(found[0, there, :2] - truth[there], axis=-1)
        # the whole picture in 192 x 256 at first: 4 px to one; then the box is the person's
        assert off.max() < (4.5 if frame == 0 else 2.5), off
        assert (found[0, there, 2] > 0.3).all()
        assert (found[0, ~there, 2] < 0.1).all()
    left, _, right, _ = detect._box
    assert left > 150
    assert right < 500


def test_who_is_gone_is_looked_for_everywhere(webcam: ModuleType, detector_file: Path) -> None:
    detect, points = webcam.RtmPose(detector_file), walk(2)
    detect(picture(points[0] - [150, 0], SIZE))
    assert detect._box is not None
    assert (detect(np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8))[..., 2] < 0.1).all()
    assert detect._box is None
    found = detect(picture(points[1] + [150, 0], SIZE))
    there = np.isfinite(points[1, :, 0])
    assert np.linalg.norm(found[0, there, :2] - points[1, there] - [150, 0], axis=-1).max() < 6


def test_from_pictures_to_three_dimensions(
    webcam: ModuleType, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = iter([picture(points, SIZE) for points in walk(7)])  # the first is for their size
    assert webcam.main(["--onnx", str(detector_file), "--every", "1"], images=images) == 0
    shown = capsys.readouterr().out
    assert shown.count("person 0 at") == 6
    assert "6 frames" in shown


def test_a_file_that_is_no_detector_is_refused(
    webcam: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx
    from onnx import TensorProto, helper

    (tmp_path / "x.onnx").write_bytes(b"nothing")
    picture_of = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    same = helper.make_tensor_value_info("same", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["same"])], "other", [picture_of], [same])
    other = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(other, str(tmp_path / "other.onnx"))
    for name, said in (("x", "cannot be read"), ("none", "cannot be read"), ("other", "SimCC")):
        assert webcam.main(["--onnx", str(tmp_path / f"{name}.onnx")], images=iter([])) == 2
        error = capsys.readouterr().err
        assert f"{name}.onnx" in error
        assert said in error
        assert error.count("\n") == 1
