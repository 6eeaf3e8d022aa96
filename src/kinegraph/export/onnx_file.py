"""ONNX: writing a graph, storing its weights in fewer bits, running it with onnxruntime."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from kinegraph.errors import KinegraphError, require
from kinegraph.export.plan import Array, Feed, Part, Run

__all__ = ["Precision", "check_installed", "describe", "load_run", "reduce_precision", "remedy", "to_onnx"]

Precision = Literal["fp32", "fp16", "bf16", "int8"]
_PURPOSE = "exporting to ONNX"
_SMALL = 256  # values; halving fewer saves nothing
_TORCH = (2, 8)
"""The first PyTorch that exports every network here; 2.7 exports lifters alone, 2.6 these alone and as .pt2 alone."""


def check_installed() -> None:
    """Refuse where the packages are missing.

    Raises:
        MissingExtraError: one of them is; the message names the extra.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, extra="export", purpose=_PURPOSE)


def remedy(otherwise: str = "") -> str:
    """What may help where a network cannot be exported, to end its message with: a newer PyTorch, or `otherwise`."""
    version = torch.__version__.partition("+")[0]
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers >= _TORCH:
        return otherwise
    return f"; PyTorch {version} is too old for some networks: install {'.'.join(map(str, _TORCH))} or newer"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The exporters' own remarks kept from the user's terminal; errors still come."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "root", "")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def to_onnx(part: Part, program: torch.export.ExportedProgram) -> Any:
    """The graph as an ONNX model in memory, its axes named.

    Raises:
        KinegraphError: the exporter does not know one of its operations, or onnxruntime does it wrong.
    """
    try:
        with quiet(), torch.no_grad():
            made = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=[port.name for port in part.inputs],
                output_names=[port.name for port in part.outputs],
            )
    except Exception as error:
        cause: BaseException = (
            error  # the innermost names the operation; what wraps it is advice to PyTorch's developers
        )
        while cause.__cause__ is not None:
            cause = cause.__cause__
        line = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise KinegraphError(f"this network cannot be written as ONNX ({line}){remedy('; try OUT.pt2')}") from error
    assert made is not None
    model = made.model_proto
    _refuse_racing_sums(model)
    _name_axes(model, part)
    model.producer_name = "kinegraph"
    return model


def _refuse_racing_sums(model: Any) -> None:
    """Sums into places that indices name: onnxruntime's threads add to one place at once, and some is lost (1.32)."""
    for node in _nodes(model.graph.node, *(function.node for function in model.functions)):
        if any(attribute.name == "reduction" and attribute.s not in (b"", b"none") for attribute in node.attribute):
            raise KinegraphError(
                f"this network sums into indexed places ({node.op_type}; index_add, scatter_add), which onnxruntime "
                "does wrong on several threads; sum by a product with a matrix of zeros and ones, or try OUT.pt2"
            )


def _nodes(*lists: Iterable[Any]) -> Iterator[Any]:
    """All nodes, those in the branches and loops of others too."""
    for node in itertools.chain(*lists):
        yield node
        for attribute in node.attribute:
            yield from _nodes(*(graph.node for graph in (attribute.g, *attribute.graphs)))


def describe(model: Any, facts: str) -> None:
    """Put `facts` (JSON) among a model's metadata."""
    model.metadata_props.add(key="kinegraph", value=facts)


def _name_axes(model: Any, part: Part) -> None:
    """Free axes by the names of the ports, in place of the tracer's symbols."""
    names: dict[str, str] = {}
    for value, port in zip(model.graph.input, part.inputs, strict=True):
        for axis, wanted in zip(value.type.tensor_type.shape.dim, port.axes, strict=True):
            if axis.dim_param and isinstance(wanted, str):
                names.setdefault(axis.dim_param, wanted)

    def renamed(text: str) -> str:
        return re.sub(r"[A-Za-z_]\w*", lambda word: names.get(word[0], word[0]), text)

    for value in (*model.graph.input, *model.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_param = renamed(axis.dim_param)
    del model.graph.value_info[:]  # shapes within the graph, by the old names; nobody needs them
    # where in the source each node came from: of no use to whoever runs it, and it names the exporter's folders
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def reduce_precision(model: Any, precision: Precision) -> Any:
    """The model with smaller weights: half precision at rest (computing stays float32), or int8 matrix products."""
    if precision == "fp32":
        return model
    return _quantised(model) if precision == "int8" else _halved(model, precision)


def _halved(model: Any, precision: Precision) -> Any:
    import copy

    import onnx
    from onnx import helper, numpy_helper

    result = copy.deepcopy(model)
    kind = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.BFLOAT16
    casts = []
    for tensor in result.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != onnx.TensorProto.FLOAT or values.size < _SMALL:
            continue
        name = tensor.name
        rounded = torch.from_numpy(values.copy()).to(torch.float16 if precision == "fp16" else torch.bfloat16)
        raw = rounded.view(torch.int16).numpy().tobytes()
        tensor.CopyFrom(helper.make_tensor(f"{name}.{precision}", kind, list(values.shape), raw, raw=True))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def _quantised(model: Any) -> Any:
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, quiet():
        plain, folded, small = (str(Path(folder) / f"{name}.onnx") for name in ("plain", "folded", "small"))
        onnx.save(model, plain)
        # Weights that the graph works out of constants become constants, which alone can be quantised.
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = folded
        options.log_severity_level = 3
        onnxruntime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
        stacks, matrices = _products(onnx.load(folded))
        # onnxruntime has no scales by channel for stacks of matrices: those get one scale each, single ones many
        for source, target, names, by_channel in ((folded, plain, matrices, True), (plain, small, stacks, False)):
            if not names:
                shutil.copyfile(source, target)
                continue
            quantize_dynamic(
                source,
                target,
                op_types_to_quantize=["MatMul", "Gemm"],
                # a Gemm becomes a product and a sum, of names made from its own, before its product is looked up
                nodes_to_quantize=[*names, *(f"{name}_MatMul" for name in names)],
                weight_type=QuantType.QInt8,
                per_channel=by_channel,
            )
        result = onnx.load(small)
    for entry in model.metadata_props:
        if entry.key not in {known.key for known in result.metadata_props}:
            result.metadata_props.add(key=entry.key, value=entry.value)
    return result


def _products(model: Any) -> tuple[list[str], list[str]]:
    """Names of the nodes that multiply by constant stacks of matrices, and by constant matrices."""
    axes = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    found = [(node.name, axes.get(node.input[1], 0)) for node in products]
    return [name for name, count in found if count > 2], [name for name, count in found if count == 2]


def load_run(model: Any, threads: int = 1) -> Run:
    """Run an ONNX model (in memory, or a path) with onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    outputs = [value.name for value in session.get_outputs()]
    kinds = {value.name: np.bool_ if value.type == "tensor(bool)" else np.float32 for value in session.get_inputs()}

    def run(feed: Feed) -> dict[str, Array]:
        given: dict[str, Array] = {name: np.ascontiguousarray(feed[name], dtype=kind) for name, kind in kinds.items()}
        return dict(zip(outputs, session.run(None, given), strict=True))

    return run
