"""A detector in RTMPose's form (SimCC heads, mmdeploy's names and shapes) that can be seen through: joint k is where
the picture has colour k."""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np

MEAN, DEVIATION = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def colours(count: int) -> np.ndarray:
    """(count, 3) bright colours, red, green, blue, of 0 to 255."""
    found = [colorsys.hsv_to_rgb(k / count, 1.0, 1.0 if k % 2 else 0.8) for k in range(count)]
    return np.round(255 * np.array(found))


def write_detector(path: Path, joints: int = 17, size: tuple[int, int] = (192, 256)) -> None:
    """An ONNX file: ``input`` (batch, 3, height, width) normalised; ``simcc_x`` (batch, joints, 2 width), ``simcc_y``.

    Each pixel's likeness to each colour, summed down and across; two bins a pixel, as RTMPose has them.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    width, height = size
    wanted = ((colours(joints) - MEAN) / DEVIATION).astype(np.float32)
    constants = {
        "wanted": wanted[None, :, :, None, None],
        "sharp": np.float32(-8.0),
        "share": np.float32(0.2),
        "apart": np.array([1], dtype=np.int64),
        "channel": np.array([2], dtype=np.int64),
        "down": np.array([2], dtype=np.int64),
        "across": np.array([3], dtype=np.int64),
        "none": np.array([], dtype=np.float32),
        "bins": np.array([1, 1, 2], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input", "apart"], ["one"]),
        helper.make_node("Sub", ["one", "wanted"], ["off"]),
        helper.make_node("Mul", ["off", "off"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "channel"], ["distance"], keepdims=0),
        helper.make_node("Mul", ["distance", "sharp"], ["scaled"]),
        helper.make_node("Exp", ["scaled"], ["likeness"]),
        helper.make_node("ReduceSum", ["likeness", "down"], ["columns"], keepdims=0),
        helper.make_node("ReduceSum", ["likeness", "across"], ["rows"], keepdims=0),
    ]
    for name, given in (("simcc_x", "columns"), ("simcc_y", "rows")):
        nodes.append(helper.make_node("Mul", [given, "share"], [f"{name}_1"]))
        nodes.append(helper.make_node("Resize", [f"{name}_1", "none", "bins"], [name], mode="linear"))
    graph = helper.make_graph(
        nodes,
        "simcc",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, height, width])],
        [
            helper.make_tensor_value_info("simcc_x", TensorProto.FLOAT, ["batch", joints, 2 * width]),
            helper.make_tensor_value_info("simcc_y", TensorProto.FLOAT, ["batch", joints, 2 * height]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def picture(points: np.ndarray, size: tuple[int, int], radius: float = 7.0) -> np.ndarray:
    """(height, width, 3) uint8: a disc of its colour at each of the points (joints, 2); NaN draws none."""
    width, height = size
    image = np.zeros((height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    for point, colour in zip(points, colours(len(points)), strict=True):
        if np.isfinite(point).all():
            image[(x - point[0]) ** 2 + (y - point[1]) ** 2 <= radius**2] = colour
    return image
