"""Datasets: what there is, and preparing one for fast starts.

`prepare` reads the recordings once and writes arrays that load in well under a second.
"""

from __future__ import annotations

import argparse

HELP = "list datasets, or prepare one for training and evaluation"

EXAMPLES = """\
examples:
  kinegraph data list
  kinegraph data prepare mocap-lifting --source ../shared/data --out prepared/
  kinegraph data prepare mocap-lifting --source ../shared/data --extra cmu_more/ --out prepared/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="list|prepare")
    commands.add_parser("list", help="what there is, under which licence, and which files it needs")
    prepare = commands.add_parser("prepare", help="turn recordings into arrays that load at once")
    prepare.add_argument("name", metavar="NAME", help="a dataset of `kinegraph data list`")
    prepare.add_argument("--source", metavar="DIR", required=True, help="folder of the recordings")
    prepare.add_argument("--extra", metavar="DIR", action="append", default=[], help="further CMU folder (repeatable)")
    prepare.add_argument("--out", metavar="DIR", required=True, help="folder to write to; made if missing")


def run(args: argparse.Namespace) -> int:
    """List the datasets, or prepare one."""
    from kinegraph.datasets import DATASETS, dataset_info

    if args.action == "list":
        for info in DATASETS.values():
            print(f"{info.name}\n    {info.title}\n    files: {info.files}\n    licence: {info.licence}")
            print(f"    cite: {info.citation}")
        return 0
    from kinegraph.datasets import mocap_lifting
    from kinegraph.errors import ConfigError

    info = dataset_info(args.name)
    if not info.prepare:
        ready = ", ".join(name for name, other in DATASETS.items() if other.prepare)
        raise ConfigError(f"{info.name} is used as it is and needs no preparing (what can be prepared: {ready})")
    benchmark = mocap_lifting.prepare(args.source, args.out, args.extra)
    for split in mocap_lifting.SPLITS:
        data = benchmark[split]
        print(f"{split:<6} {len(data):>8,} poses  {len(data.clip_names):>5,} clips  {data.fingerprint[:12]}")
    print(f"wrote {args.out}; use it as --data {args.out}, or data.source in a recipe")
    return 0
