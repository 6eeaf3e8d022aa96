"""Fit how far a network's results may be off, and store it beside its weights as calibration.json.

Lifting and forecasting weights; their results then carry 'uncertainty': per joint, what half of the errors and what
nine in ten are expected to stay below. It is fitted on recordings that the network did not learn from and checked on
subjects that it was not fitted on.

lifting      DIR as of the protocol mocap-lifting: recordings or prepared. Fitted on its validation split (as in the
             weights' recipe: the same choice of clips, procedural people where it had them), checked on the test split.
forecasting  DIR holds 3D recordings. With --held-out it is the folder that the network was trained on, of which the
             recordings held out then are used; it may have grown since, except for weights that keep no names of them.
             Procedural people are added. --check names a folder of other people.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.errors import ConfigError, DataError

if TYPE_CHECKING:
    from kinegraph.calibration.lifting import MeasuredErrors
    from kinegraph.inference.error_model import Calibration
    from kinegraph.inference.forecaster import Forecaster
    from kinegraph.inference.lifter import Lifter

HELP = "fit and check how far a network's results may be off"

EXAMPLES = """\
examples:
  kinegraph calibrate runs/hcsf/best --data prepared
  kinegraph calibrate lift --data prepared --only-check                  # what it states against what is true
  kinegraph calibrate runs/symgnn/best --data recordings --held-out --check ../shared/data/hdm05/test"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "model", metavar="M", help="a weights folder; with --only-check also a network's name or an id on the hub"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="recordings it did not learn from; not needed by --only-check of forecasting, which reads --check alone",
    )
    parser.add_argument(
        "--extra", type=Path, metavar="DIR", action="append", default=[], help="lifting: further CMU folder"
    )
    parser.add_argument("--held-out", action="store_true", help="forecasting: DIR is what it was trained on")
    parser.add_argument("--check", type=Path, metavar="DIR", help="forecasting: recordings of other people")
    parser.add_argument("--only-check", action="store_true", help="fit nothing: check the calibration there is")
    parser.add_argument(
        "--stills", action="store_true", help="with --only-check: lifting of single pictures, not videos"
    )
    parser.add_argument(
        "--size", type=int, metavar="N", help="about how many poses (8000) or forecasts (400) to fit on"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON with stable keys")


def run(args: argparse.Namespace) -> int:
    """Fit, store, check, print."""
    from kinegraph.calibration.forecasting import ForecastErrors
    from kinegraph.calibration.lifting import coverage
    from kinegraph.hub import CALIBRATION_FILE, locate
    from kinegraph.shipped import find_folder
    from kinegraph.weights import load_weights

    if args.size is not None and args.size < 50:
        raise ConfigError(f"--size {args.size}: expected 50 or more")
    if args.only_check or Path(args.model).is_dir():
        args.model = locate(args.model)
    elif find_folder(args.model) is not None:
        raise ConfigError(
            f"{args.model}: a network in the package, whose calibration would be overwritten; copy its folder, or "
            "check it with --only-check"
        )
    else:
        raise ConfigError(f"{args.model}: no such weights folder; the calibration is written beside the weights")
    task = load_weights(args.model).task
    if task not in ("lift", "motion"):
        raise ConfigError(f"{args.model}: {task} weights give scores, which need no estimate of an error in metres")
    if task == "lift" and (args.held_out or args.check is not None):
        raise ConfigError("--held-out and --check belong to forecasting; lifting is checked on the test split")
    if task == "motion" and args.extra:
        raise ConfigError(
            f"--extra {args.extra[0]} belongs to lifting; put all recordings of a forecaster under --data"
        )
    if args.stills and not (args.only_check and task == "lift"):
        raise ConfigError("--stills belongs to --only-check of lifting weights: calibrations are fitted on videos")
    if args.only_check and args.size is not None:
        raise ConfigError(
            f"--size {args.size} belongs to fitting, and --only-check fits nothing; leave one of them out"
        )
    if args.only_check and args.held_out:
        raise ConfigError(
            "--held-out belongs to fitting, and --only-check fits nothing: it checks all of --check DIR; leave one of "
            "them out"
        )
    if args.data is None and not (args.only_check and task == "motion"):
        raise ConfigError("--data DIR is missing: the recordings to calibrate on; name a folder of them")
    calibration, tables = _lifting(args) if task == "lift" else _forecasting(args)
    report = {name: coverage(calibration.tables[table], measured) for name, (table, measured) in tables.items()}
    for name, (_, measured) in tables.items():
        if isinstance(measured, ForecastErrors):
            report[name]["left_out"] = measured.without()
    if not args.only_check:
        about = {**calibration.about, "checked": {name: _brief(figures) for name, figures in report.items()}}
        calibration.about.update(about)
        calibration.save(args.model)
    if args.json:
        print(json.dumps({"model": str(args.model), "task": task, "about": calibration.about, "coverage": report}))
        return 0
    if not args.only_check:
        print(f"{args.model / CALIBRATION_FILE}: fitted on {calibration.about['fitted_on']}")
        _print_left_out(calibration.about)
    for name, figures in report.items():
        _print(name, figures)
    return 0


def _lifting(args: argparse.Namespace) -> tuple[Calibration, dict[str, tuple[str, MeasuredErrors]]]:
    from kinegraph.calibration.held_out import held_out_poses
    from kinegraph.calibration.lifting import calibrate_lifter, lift_errors
    from kinegraph.cli.render import Progress
    from kinegraph.datasets import mocap_lifting
    from kinegraph.inference.lifter import Lifter

    lifter = Lifter.from_pretrained(args.model)
    benchmark = mocap_lifting.load(args.data, args.extra)
    with Progress("lifting") as progress:
        if args.only_check:
            calibration = _there(lifter)
        else:
            data = held_out_poses(lifter, benchmark.val)
            calibration = calibrate_lifter(lifter, data, poses=args.size or 8000, progress=progress)
        tables = {}
        for name, flip in (("flip", True), ("plain", False)):
            label = f"{benchmark.test.name}, {'with' if flip else 'without'} flip test"
            label += ", single pictures" if args.stills else ""
            measured = lift_errors(lifter, benchmark.test, flip=flip, poses=4000, stills=args.stills, progress=progress)
            tables[label] = (name, measured)
    return calibration, tables


def _forecasting(args: argparse.Namespace) -> tuple[Calibration, dict[str, tuple[str, MeasuredErrors]]]:
    from kinegraph.calibration.forecasting import (
        calibrate_forecaster,
        forecast_errors,
        procedural_recordings,
    )
    from kinegraph.calibration.held_out import people_in
    from kinegraph.cli.render import Progress
    from kinegraph.inference.forecaster import Forecaster

    forecaster = Forecaster.from_pretrained(args.model)
    if args.only_check and args.check is None:
        raise ConfigError("--only-check needs --check DIR with recordings of other people")
    calibration = _there(forecaster) if args.only_check else None
    # what can be wrong about folders is found before the minutes of fitting: a check that fails would lose the fit
    check = None if args.check is None else people_in(args.check)
    own = [] if args.only_check else people_in(args.data, forecaster if args.held_out else None)
    tables: dict[str, tuple[str, MeasuredErrors]] = {}
    with Progress("forecasting") as progress:
        if check is not None:
            measured = forecast_errors(forecaster, check, windows=200, progress=progress)
            tables[str(args.check)] = ("motion", measured)
        if calibration is None:
            name = f"{args.data.resolve().name}{' (held out)' if args.held_out else ''} and procedural people"
            calibration = calibrate_forecaster(
                forecaster, [*own, *procedural_recordings()], windows=args.size or 400, name=name, progress=progress
            )
            if not {who for who, _ in own} & set(calibration.about["subjects"]):
                raise DataError(
                    f"{args.data}: none of {len(own)} recordings could be forecast and compared; "
                    f"{calibration.about['left_out']['first']}"
                )
    return calibration, tables


def _there(network: Lifter | Forecaster) -> Calibration:
    if network.calibration is None:
        raise ConfigError(f"{network.folder}: {network.uncalibrated}")
    return network.calibration


def _brief(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept beside the weights."""
    subjects = {name: [round(v, 3) for v in pair] for name, pair in figures["by_subject"].items()}
    return {"below": [round(v, 3) for v in figures["below"]], "by_subject": subjects, "poses": figures["poses"]}


def _print(name: str, figures: Mapping[str, Any]) -> None:
    from kinegraph.inference.error_model import QUANTILES

    print(f"{name}: {figures['poses']} poses, mean error {figures['mean_error_mm']:.1f} mm")
    shares = [f"{100 * q:.0f} %" for q in QUANTILES]
    print(f"  {'errors below the stated quantile':<34}" + "".join(f"{s:>8}" for s in shares))
    rows = {"all": figures["below"], **figures["by_subject"], **figures["by_joint"]}
    for label, pair in rows.items():
        print(f"  {label:<34}" + "".join(f"{100 * v:7.1f}%" for v in pair))
    stated = " and ".join(f"{v:.1f}" for v in figures["mean_stated_mm"])
    _print_left_out(figures, "  ")
    print(f"  stated on average {stated} mm; rank correlation of statement and error {figures['rank_correlation']:.2f}")


def _print_left_out(of: Mapping[str, Any], indent: str = "") -> None:
    left_out = of.get("left_out", {})
    if left_out.get("recordings"):
        print(f"{indent}recordings left out: {left_out['recordings']}; the first: {left_out['first']}")
