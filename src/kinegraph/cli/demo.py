"""The whole road on data made on the spot: generate motion, train three networks, measure, lift, draw.

Nothing is downloaded. A few minutes on two cores; the folder then holds

  index.html          the pictures and tables on one page
  lifted.png          poses of people never seen in training: 2D, each network's answer over the truth, error in mm
  hardest.png         the poses that are hardest for FCN, the same way
  error_histogram.png, hardest_poses.png    the hard-pose analysis
  player.html         a clip to turn and play: 2D, truth, lifted
  lifted.bvh          the same clip for Blender and others
  table.txt, table.json, hard_poses.txt     the numbers
  runs/               the trained networks: kinegraph lift --model DIR/runs/hcsf/best
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kinegraph.errors import KinegraphError

if TYPE_CHECKING:
    from kinegraph.cli.demo_steps import DemoPlan

HELP = "everything on data it makes itself: train, measure, lift, draw"

EXAMPLES = """\
examples:
  kinegraph demo                     # into ./demo, a few minutes
  kinegraph demo --out /tmp/look --seed 3
  kinegraph demo --quick             # seconds: the same road with hardly any training"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="where to put it (default ./demo)"
    )
    parser.add_argument("--quick", action="store_true", help="hardly any training: seconds, and poor poses")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, batches and dropout (default 0)")


def run(args: argparse.Namespace) -> int:
    """Go the whole road."""
    from kinegraph.errors import require
    from kinegraph.seeds import check_seed

    check_seed(args.seed, "--seed")
    require("lightning", extra="train", purpose="the demo's training")
    out: Path = args.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinegraphError(
            f"cannot write to {out}: {error.strerror or error}; choose another place with --out"
        ) from None

    from kinegraph.cli import demo_steps

    started = time.monotonic()
    plan: DemoPlan = demo_steps.QUICK if args.quick else demo_steps.FULL

    def say(words: str) -> None:
        print(f"[{time.monotonic() - started:5.0f} s] {words}", file=sys.stderr, flush=True)

    say("making motion: people who walk, jump, throw, lie down ... before four cameras each")
    data = demo_steps.make_data(plan)
    say(f"{len(data.train):,} poses to train on, {len(data.test):,} of other people to test on")
    methods = {}
    for number, (label, model) in enumerate(plan.models.items(), 1):
        say(f"training {label} ({number} of {len(plan.models)}): {plan.steps[label]} steps of {plan.batch} poses")
        methods[label] = demo_steps.train_network(plan, label, model, data, out / "runs", args.seed)
    say("measuring on the people held out")
    results = demo_steps.measure(methods, data, args.seed)
    table, hard = demo_steps.write_tables(results, out)
    say("lifting a clip as `kinegraph lift` does, drawing")
    demo_steps.draw_everything(methods, results, data, hard, out)
    say("done")
    print(table)
    print(f"\nlook at {(out / 'index.html').resolve()}")
    for name in demo_steps.PICTURES:
        print(f"        {(out / name).resolve()}")
    return 0
