"""`kinegraph export`: a network as ONNX or as a torch.export program, checked on real input before it is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from kinegraph import __version__
from kinegraph.atomic import atomic_path
from kinegraph.errors import ConfigError, KinegraphError
from kinegraph.export.checks import action_clip, lift_clip, motion_clip
from kinegraph.export.clips import plan_recognizer
from kinegraph.export.lifting import plan_lifter
from kinegraph.export.motion import plan_motion
from kinegraph.export.onnx_file import (
    Precision,
    check_installed,
    describe,
    load_run,
    quiet,
    reduce_precision,
    remedy,
    to_onnx,
)
from kinegraph.export.plan import Array, ExportPlan, Feed, Measure, Part, Run
from kinegraph.hub import is_hub_id, locate
from kinegraph.inference import Lifter
from kinegraph.inference.motion_window import baseline_of
from kinegraph.models import REGISTRY
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import find_folder, named
from kinegraph.weights import LoadedWeights, load_weights

__all__ = ["LARGEST_ERROR", "PRECISIONS", "SUFFIXES", "Exported", "Figure", "export", "find_weights", "plan_export"]

LARGEST_ERROR = 1e-4
"""In metres, radians, or as a share: beyond it a float32 export is wrong."""
SUFFIXES = (".onnx", ".pt2")
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8")


def _plan_lift(weights: LoadedWeights, recording: SkeletonSequence | None) -> ExportPlan:
    return plan_lifter(weights, lift_clip(weights, recording), Lifter(weights).fps)


PLANS: Mapping[str, Callable[[LoadedWeights, SkeletonSequence | None], ExportPlan]] = {
    "lift": _plan_lift,
    "motion": lambda weights, recording: plan_motion(weights, motion_clip(weights, recording)),
    "recognition": lambda weights, recording: plan_recognizer(weights, action_clip(weights, recording)),
}
"""How the networks of each task are exported."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One error, over all check cases.

    Attributes:
        label: of what.
        unit: of `mean` and `largest`.
        mean, largest: differences from PyTorch.
    """

    label: str
    unit: str
    mean: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        files: graphs, then the sidecar.
        model: name of the network.
        task: of its weights.
        precision: of the stored weights.
        checked_on: the check clip.
        cases: what it was checked with, in words.
        error: the largest difference of the float32 graph from PyTorch, in metres, radians or as a share.
        figures: errors of the file itself, which for fewer bits are their cost.
        sizes: bytes of each graph.
    """

    files: tuple[Path, ...]
    model: str
    task: str
    precision: Precision
    checked_on: str
    cases: tuple[str, ...]
    error: float
    figures: tuple[Figure, ...]
    sizes: tuple[int, ...] = field(default=())


def find_weights(name: str | Path) -> LoadedWeights:
    """Weights by folder, by id on the hub, or by the name of a network in the package.

    Raises:
        ConfigError: a model without weights, or no such name.
        FormatError: the folder is damaged.
    """
    text = str(name)
    if find_folder(name) is not None or is_hub_id(text):
        return load_weights(locate(name))
    if baseline_of(text) is not None:
        raise ConfigError(f"{text} has no weights: there is nothing to export; name a trained network's folder")
    if text.replace("-", "_") in REGISTRY:
        raise ConfigError(
            f"{text} is a kind of model; export a trained one: name its weights folder, or one {named(text)}"
        )
    raise ConfigError(f"no model '{text}'; expected a weights folder, or one {named(text)}")


def plan_export(weights: LoadedWeights, recording: SkeletonSequence | None = None) -> ExportPlan:
    """The graphs of a network and the inputs to check them by.

    Args:
        weights: of any task.
        recording: a recording to check on; None: the embedded procedural motion.

    Raises:
        ConfigError: there is nothing to export.
        DataError: the recording is of the wrong kind.
        SkeletonError: it lacks too many joints.
    """
    if weights.task not in PLANS:
        raise ConfigError(f"{weights.folder}: task {weights.task} is not exported; there are {', '.join(PLANS)}")
    return PLANS[weights.task](weights, recording)


def export(
    weights: LoadedWeights,
    out: Path | str,
    *,
    precision: Precision = "fp32",
    recording: SkeletonSequence | None = None,
    limit: float = LARGEST_ERROR,
    progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Write a network as ``OUT.onnx`` or ``OUT.pt2`` and ``OUT.onnx.json`` (or ``OUT.pt2.json``) beside it.

    A recurrent forecaster is two graphs: OUT observes and gives its state, ``OUT_step`` makes one frame of it. All
    files appear together, and only if the graphs give what PyTorch gives.

    Args:
        weights: see :func:`find_weights`.
        out: its suffix tells the format.
        precision: of the stored weights: ``fp16`` and ``bf16`` halve the file, ``int8`` stores matrices in a quarter
            and multiplies them in integers. ONNX only.
        recording: to check on; None: the embedded procedural motion.
        limit: the largest error of the float32 graph.
        progress: called with (steps done, steps in all).

    Raises:
        ConfigError: another suffix, or a precision that the format does not have.
        MissingExtraError: the extra `export` is not installed.
        KinegraphError: the graphs differ from PyTorch by more than `limit`, or OUT cannot be written.
    """
    out = Path(out)
    check_target(out, precision)
    plan = plan_export(weights, recording)
    total = 2 * len(plan.parts) + 1
    done = iter(range(1, total + 1))

    def step() -> None:
        if progress is not None:
            progress(next(done), total)

    names = [out.with_name(f"{out.stem}_{p.name}{out.suffix}") if p.name else out for p in plan.parts]
    sidecar = out.with_name(out.name + ".json")
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(path)) for path in (*names, sidecar)]
        exact: dict[str, Run] = {}
        written: dict[str, Run] = {}
        graphs: list[Any] = []
        for part, path in zip(plan.parts, temporary, strict=False):
            program = trace(part)
            step()
            if out.suffix == ".onnx":
                model = to_onnx(part, program)
                exact[part.name] = written[part.name] = load_run(model)
                if precision != "fp32":
                    model = reduce_precision(model, precision)
                    written[part.name] = load_run(model)
                graphs.append(model)
            else:
                with quiet():
                    torch.export.save(program, path)
                    exact[part.name] = written[part.name] = _program_run(part, torch.export.load(path))
                graphs.append(program)
            step()
        error, label, figures = compare(plan, exact)
        if not error < limit:
            raise KinegraphError(
                f"{weights.model_name}: the exported graph differs from PyTorch by {error:.2g} ({label}), expected "
                f"less than {limit:g}; nothing was written"
            )
        if precision != "fp32":
            _, _, figures = compare(plan, written)
        step()
        facts = _facts(weights, plan, precision, [path.name for path in names])
        facts["check"] = {
            "on": plan.checked_on,
            "cases": [case.label for case in plan.cases],
            "largest_error_float32": error,
            "errors": [vars(figure) for figure in figures],
        }
        text = json.dumps(facts, indent=1, allow_nan=False)
        for graph, path in zip(graphs, temporary, strict=False):
            _write(graph, path, text)
        temporary[-1].write_text(text + "\n", encoding="utf-8")
        sizes = tuple(path.stat().st_size for path in temporary[:-1])
    return Exported(
        files=(*names, sidecar),
        model=weights.model_name,
        task=weights.task,
        precision=precision,
        checked_on=plan.checked_on,
        cases=tuple(case.label for case in plan.cases),
        error=error,
        figures=figures,
        sizes=sizes,
    )


def _write(graph: Any, path: Path, facts: str) -> None:
    """An ONNX model or a program of torch.export as a file, with what is known of it inside."""
    if isinstance(graph, torch.export.ExportedProgram):
        with quiet():
            torch.export.save(graph, path, extra_files={"kinegraph.json": facts})
        return
    describe(graph, facts)
    path.write_bytes(graph.SerializeToString())


def check_target(out: Path, precision: str) -> None:
    """Refuse what cannot be written, before any work is done.

    Raises:
        ConfigError: suffix or precision.
        MissingExtraError: ONNX without its packages.
        KinegraphError: the folder is missing or cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise ConfigError(f"OUT {out}: '{out.suffix}' is no export format; expected {' or '.join(SUFFIXES)}")
    if precision not in PRECISIONS:
        raise ConfigError(f"--precision {precision}: expected {', '.join(PRECISIONS)}")
    if out.suffix == ".pt2" and precision != "fp32":
        raise ConfigError(f"--precision {precision} is for ONNX; a .pt2 keeps float32 weights")
    with suppress(_WritableError), atomic_path(out):
        raise _WritableError
    if out.suffix == ".onnx":
        check_installed()


class _WritableError(Exception):
    """OUT could be written; leaves without writing it."""


def trace(part: Part) -> torch.export.ExportedProgram:
    """A graph of torch.export; an axis with a name keeps its length free.

    Raises:
        KinegraphError: the network does something that cannot be traced, or fixes an axis that should be free.
    """
    from torch.export import Dim

    shapes = tuple({axis: Dim.AUTO for axis, name in enumerate(p.axes) if isinstance(name, str)} for p in part.inputs)
    try:
        with quiet(), torch.no_grad():
            program = torch.export.export(part.module, part.example, dynamic_shapes=_shapes(part.module, shapes))
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise KinegraphError(f"this network cannot be traced ({line}){remedy()}") from error
    users = set(program.graph_signature.user_inputs)
    values = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in users]
    for port, value in zip(part.inputs, values, strict=True):
        for axis, name in enumerate(port.axes):
            if isinstance(name, str) and isinstance(value.shape[axis], int):
                raise KinegraphError(f"the exporter fixed the axis '{name}' of '{port.name}' at {value.shape[axis]}")
    # What the tracer saw in the strides of its example (no batch of one, no single answer) it makes a condition of
    # every call. The answers do not depend on it: every case of the plan runs on the program as it was read back.
    if getattr(program, "_guards_code", None):  # torch before 2.9 keeps none
        program._guards_code = []
    return program


def _shapes(module: torch.nn.Module, shapes: tuple[Any, ...]) -> Any:
    """Dynamic shapes in the form that a signature asks for: of ``*args`` they are one nested tuple."""
    import inspect

    parameters = list(inspect.signature(module.forward).parameters.values())
    for index, parameter in enumerate(parameters):
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return (*shapes[:index], tuple(shapes[index:]))
    return shapes


def _program_run(part: Part, program: torch.export.ExportedProgram) -> Run:
    module = program.module()

    def run(feed: Feed) -> dict[str, Array]:
        given = [torch.from_numpy(np.ascontiguousarray(feed[port.name])) for port in part.inputs]
        with torch.no_grad():
            found = module(*given)
        found = found if isinstance(found, tuple) else (found,)
        return {port.name: value.detach().numpy() for port, value in zip(part.outputs, found, strict=True)}

    return run


def compare(plan: ExportPlan, runs: Mapping[str, Run]) -> tuple[float, str, tuple[Figure, ...]]:
    """Largest error in base units and where it is, and the figures of every measure over all cases."""
    worst, where = 0.0, ""
    collected: dict[Measure, list[Array]] = {measure: [] for measure in plan.measures}
    for case in plan.cases:
        found = plan.answer(runs, case)
        for measure in plan.measures:
            gap = measure.differences(found, case.expected)
            collected[measure].append(gap.reshape(-1))
            largest = float(np.nanmax(gap)) if np.isfinite(gap).all() else float("inf")
            if largest >= worst:
                worst, where = largest, f"{measure.label}, {case.label}"
    figures = []
    for measure, parts in collected.items():
        values = np.concatenate(parts) * measure.factor
        mean, largest = float(values.mean()), float(values.max())
        figures.append(Figure(label=measure.label, unit=measure.unit, mean=mean, largest=largest))
    return worst, where, tuple(figures)


def _facts(weights: LoadedWeights, plan: ExportPlan, precision: Precision, names: list[str]) -> dict[str, Any]:
    """The sidecar, but for the check."""
    parts = [
        {
            "file": name,
            "inputs": [port.describe() for port in part.inputs],
            "outputs": [port.describe() for port in part.outputs],
        }
        for name, part in zip(names, plan.parts, strict=True)
    ]
    skeleton = weights.skeleton
    return cast(
        dict[str, Any],
        {
            "kinegraph": __version__,
            "model": weights.model_name,
            "task": weights.task,
            "weights_sha256": weights.sha256,
            "precision": precision,
            "graphs": parts,
            "skeleton": skeleton.name,
            "joints": list(skeleton.joints),
            "parents": list(skeleton.parents),
            **plan.facts,
        },
    )
