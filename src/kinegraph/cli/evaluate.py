"""Measure trained weights under a named protocol.

M is a weights folder (of 'kinegraph train': <run>/best), a hub id or a baseline's name. Several give one table.

lifting      synthetic-lifting, mocap-lifting, mocap-folder, h36m-pixel, h36m-metric, 3dhp. A table never mixes the
             targets 'pixel' (absolute camera space, true root depth and intrinsics granted) and 'metric'
             (root-relative metres).
forecasting  cmu-euler-64, cmu-euler-std, cmu-mpjpe, h36m-euler, ntu-pck. Printed numbers stand below, in a block that
             says what they were had under. recordings: a folder of your own 3D recordings, in mm.
recognition  ntu60-xsub, ntu60-xview, ntu120-xsub, ntu120-xset, hdm05-11, hdm05-11-one, kinetics-skeleton, folder,
             everyday, synthetic-recognition, cmu-8, or a split that prepared clips name (xsub of PYSKL's xsub_train).
             Every clip counts once. Weights of one recipe are one row: folds are merged (hdm05-11-one: the mean of
             five), seeds averaged. cmu-8 counts windows of networks of motion, and clips of networks of clips. With
             --fuse the weighted mean of the models' logits is measured too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kinegraph.cli.evaluate_clips import CLIP_ONLY, add_clip_arguments
from kinegraph.cli.options import check_place, keep_input
from kinegraph.cli.protocols import add_protocol_arguments, batch_of, check_device, refuse, results_of
from kinegraph.shipped import model_help

HELP = "measure weights under a named protocol"

EXAMPLES = """\
examples:
  kinegraph evaluate runs/hcsf/best --protocol synthetic-lifting
  kinegraph evaluate runs/hcsf/best --protocol mocap-lifting --data ../shared/data --input exact --json hcsf.json
  kinegraph evaluate runs/*/best --protocol mocap-lifting --data prepared/ --target metric --markdown
  kinegraph evaluate runs/lcn/best --protocol h36m-pixel --data h36m/ --input cpn_ft_h36m_dbb
  kinegraph evaluate flat --protocol synthetic-lifting      # the no-depth baseline (pixel)
  kinegraph evaluate zero-velocity --protocol cmu-euler-64 --data ../shared/data
  kinegraph evaluate runs/symgnn/best zero-velocity --protocol cmu-euler-64 --data ../shared/data --json symgnn.json
  kinegraph evaluate runs/joint/best runs/bone/best --protocol cmu-8 --data ../shared/data --fuse 0.5 0.5
  kinegraph evaluate runs/hcsf/best --protocol synthetic-recognition --confusion who.png --json hcsf.json
  kinegraph evaluate runs/one_*/best --protocol hdm05-11-one --data ../shared/data --missing-joints 0.2
  kinegraph evaluate runs/joint/best --protocol ntu60-xsub --data ntu60/ --save-scores joint.npz --views 10"""

_LIFTING_ONLY = ("target", "extra", "input", "no_flip", "keep_s11_directions")
_NTU_ONLY = ("normaliser", "ntu_split")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    parser.add_argument(
        "models",
        nargs="+",
        metavar="M",
        help=model_help("or a baseline: flat, zero-velocity, constant-velocity"),
    )
    add_protocol_arguments(parser)
    parser.add_argument(
        "--fuse", metavar="W", nargs="+", type=float, help="recognition: one weight for each model's logits"
    )
    parser.add_argument(
        "--mirror-test", action="store_true", help="forecasting, clips: average with the answer to the mirror image"
    )
    parser.add_argument("--normaliser", metavar="NAME", help="ntu-pck: the size that 0.05 refers to (default torso)")
    parser.add_argument(
        "--ntu-split",
        metavar="NAME",
        help="ntu-pck: xsub or xview (default: that the weights were trained on, or xsub)",
    )
    add_clip_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON, unrounded")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def _task(args: argparse.Namespace) -> str:
    """lifting, forecasting, windows or clips."""
    from kinegraph.datasets.action_splits import PROTOCOLS as CLIPS
    from kinegraph.errors import ConfigError, nearest
    from kinegraph.evaluation.forecasting_protocols import FORECAST_PROTOCOLS
    from kinegraph.evaluation.lifting import LIFTING_PROTOCOLS
    from kinegraph.evaluation.recognition import RECOGNITION_PROTOCOLS
    from kinegraph.store.clip_store import MANIFEST

    protocol: str = args.protocol
    if protocol in RECOGNITION_PROTOCOLS and protocol in CLIPS:
        return _windows_or_clips(args)
    tasks: dict[str, Iterable[str]] = {
        "lifting": LIFTING_PROTOCOLS,
        "forecasting": FORECAST_PROTOCOLS,
        "recordings": ("recordings",),
        "clips": CLIPS,
    }
    for task, protocols in tasks.items():
        if protocol in protocols:
            return task
    if args.data and (Path(args.data) / MANIFEST).is_file():
        return "clips"  # prepared clips may name splits of their own
    known = [name for protocols in tasks.values() for name in protocols]
    raise ConfigError(f"unknown protocol '{protocol}'{nearest(protocol, known)} (protocols: {', '.join(known)})")


def _windows_or_clips(args: argparse.Namespace) -> str:
    """What the weights are of decides what is counted."""
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.methods import task_named

    found = {name: task_named(name) for name in args.models}
    tasks = {name: task for name, task in found.items() if task is not None}
    of_clips = [name for name, task in tasks.items() if task == "recognition"]
    if of_clips and len(of_clips) < len(tasks):
        other = next(name for name in tasks if name not in of_clips)
        raise ConfigError(
            f"{of_clips[0]} recognises clips, {other} windows: their numbers do not belong in one table; evaluate them "
            "apart"
        )
    return "clips" if of_clips else "windows"


def run(args: argparse.Namespace) -> int:
    """Measure the models and print their tables."""
    from kinegraph.atomic import write_text
    from kinegraph.evaluation.processes import is_first

    check_place("--json", args.json)  # before minutes of work, and before anything else is written
    task = _task(args)
    if task not in ("windows", "clips"):
        refuse(args, ("fuse",), "recognition protocols")
    if task != "lifting":
        refuse(args, _LIFTING_ONLY, "lifting protocols")
    if task not in ("forecasting", "clips"):
        refuse(args, ("mirror_test",), "forecasting protocols and clips")
    if task != "clips":
        refuse(args, CLIP_ONLY, "recognition of clips")
    if args.protocol != "ntu-pck":
        refuse(args, _NTU_ONLY, "ntu-pck")
    measure = {
        "lifting": _lifting,
        "forecasting": _forecasting,
        "recordings": _recordings,
        "windows": _windows,
        "clips": _clips,
    }[task]
    text, content = measure(args)
    if not is_first():
        return 0
    print(text)
    if args.json:
        write_text(Path(args.json), json.dumps(content, indent=2) + "\n")
    return 0


def _lifting(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    from kinegraph.evaluation.tables import lifting_comparison, lifting_report

    results = results_of(args)
    if len(results) == 1:
        return lifting_report(results[0], markdown=args.markdown), results[0].to_json()
    contents = [result.to_json() for result in results]
    return lifting_comparison(results, markdown=args.markdown), {"protocol": args.protocol, "results": contents}


def _forecasting(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    from kinegraph.evaluation.forecasting import benchmark_of, evaluate_forecast, load_forecast_method
    from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
    from kinegraph.evaluation.motion_tables import forecast_comparison, forecast_report

    batch = batch_of(args, "motion")
    check_device(args.device)
    methods = [load_forecast_method(name, batch=batch, device=args.device) for name in args.models]
    benchmark = benchmark_of(methods, args.ntu_split) if args.protocol == "ntu-pck" else None
    protocols = {}
    for method in methods:  # cmu-mpjpe gives angles to a model of angles
        key = method.representation if args.protocol == "cmu-mpjpe" else None
        if key not in protocols:
            protocols[key] = load_forecast_protocol(
                args.protocol,
                args.data,
                split=args.split,
                representation=key,
                benchmark=benchmark,
                normaliser=args.normaliser,
                progress=True,
            )
    results = [
        evaluate_forecast(
            method,
            protocols[method.representation if args.protocol == "cmu-mpjpe" else None],
            mirror_test=args.mirror_test,
        )
        for method in methods
    ]
    if len(results) == 1:
        return forecast_report(results[0], markdown=args.markdown), results[0].to_json()
    contents = [result.to_json() for result in results]
    return forecast_comparison(results, markdown=args.markdown), {"protocol": args.protocol, "results": contents}


def _recordings(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    from kinegraph.cli.render import Progress
    from kinegraph.datasets.recordings import find_files
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.recordings import compare_recordings, recordings_table

    if args.data is None:
        raise ConfigError("protocol recordings needs a folder of 3D recordings: --data DIR")
    if args.split != "test" or args.batch is not None:
        raise ConfigError("protocol recordings has neither splits nor batches; leave --split and --batch out")
    check_device(args.device)
    if args.device != "cpu":
        raise ConfigError("protocol recordings runs on the cpu; leave --device out")
    files = find_files(args.data)
    for file in files if args.json else ():
        keep_input(file, Path(args.json), "--json")
    with Progress("forecasting", after_s=1.0) as progress:
        results = compare_recordings(args.models, files, source=args.data, progress=progress)
    contents = [result.to_json() for result in results]
    content = contents[0] if len(contents) == 1 else {"protocol": args.protocol, "results": contents}
    return recordings_table(results, markdown=args.markdown), content


def _windows(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.motion_tables import recognition_report
    from kinegraph.evaluation.recognition import evaluate_recognition, fuse, load_recognition_method

    batch = batch_of(args, "motion")
    check_device(args.device)
    if args.fuse is not None and len(args.fuse) != len(args.models):
        raise ConfigError(f"--fuse has {len(args.fuse)} weights for {len(args.models)} models; give one each")
    methods = [load_recognition_method(name, batch=batch, device=args.device) for name in args.models]
    results = [evaluate_recognition(method, args.protocol, args.data, split=args.split) for method in methods]
    contents = [result.to_json() for result in results]
    if args.fuse is not None:
        fused = fuse(results, args.fuse)
        content = {**fused.to_json(), "fuse": args.fuse, "streams": contents}
        return recognition_report([*results, fused], markdown=args.markdown), content
    content = contents[0] if len(results) == 1 else {"protocol": args.protocol, "results": contents}
    return recognition_report(results, markdown=args.markdown), content


def _clips(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    from kinegraph.cli.evaluate_clips import evaluate_clip_models

    batch_of(args, "clips")
    check_device(args.device)
    return evaluate_clip_models(args)
