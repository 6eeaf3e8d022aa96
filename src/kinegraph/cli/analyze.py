"""Analyses: more than one number about trained networks, as tables, JSON and pictures.

Of lifting: where methods fail, and how steady they are on your own videos. Of motion: the ablations of the Sym-GNN
paper, trained and measured by one command each (sweeps), and what a trained network does: under noise, action by
action, pose by pose.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

HELP = "hard poses, the papers' ablations, robustness, stability, learned graphs"
EXTRA_ARGUMENTS = True

EXAMPLES = """\
examples:
  kinegraph analyze hard-poses runs/*/best --protocol synthetic-lifting
  kinegraph analyze sweep symgnn_cmu_cpu --vary model.gamma 1 2 3 --protocol cmu-euler-64 --data DIR --out sweeps/gamma
  kinegraph analyze stability runs/symgnn_cmu_cpu/best --data DIR --out pictures/

'kinegraph analyze ANALYSIS --help' explains one."""

_MODULES = (
    "analyze_hard_poses",
    "analyze_missing",
    "analyze_people",
    "analyze_steadiness",
    "analyze_sweep",
    "analyze_network",
    "analyze_clips",
)


@dataclass(frozen=True, kw_only=True)
class AnalyzeCommand:
    """One subcommand."""

    help: str
    """One line for the list."""
    description: str
    examples: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    overrides: bool = False
    """Takes ``--field.sub value`` of a recipe, as ``args.unknown``."""


def analyses() -> dict[str, AnalyzeCommand]:
    """Every analysis by name, in the order of the help."""
    found: dict[str, AnalyzeCommand] = {}
    for name in _MODULES:
        found |= import_module(f"kinegraph.cli.{name}").ANALYSES
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    there = analyses()
    width = max(map(len, there))
    lines = [f"  {name:<{width}}  {analysis.help}" for name, analysis in there.items()]  # argparse would break them
    parser.description = f"{parser.description}\n\nanalyses:\n" + "\n".join(lines)
    parser.usage = "kinegraph analyze ANALYSIS ..."
    commands = parser.add_subparsers(dest="analysis", required=True, metavar="ANALYSIS", prog="kinegraph analyze")
    for name, analysis in there.items():
        sub = commands.add_parser(
            name,
            description=analysis.description.strip(),
            epilog=analysis.examples,
            allow_abbrev=False,
        )
        analysis.add_arguments(sub)


def run(args: argparse.Namespace) -> int:
    """Run one analysis."""
    from kinegraph.atomic import made_folder
    from kinegraph.cli.options import check_place, keep_input
    from kinegraph.errors import ConfigError

    analysis = analyses()[args.analysis]
    if args.unknown and not analysis.overrides:
        found = " ".join(args.unknown)
        raise ConfigError(f"unrecognized arguments: {found} (see 'kinegraph analyze {args.analysis} --help')")
    if getattr(args, "list", False):  # writes nothing
        return analysis.run(args)
    # A place that nothing can be written to is said before minutes of work.
    with made_folder(args.out) if getattr(args, "out", None) else nullcontext():
        check_place("--json", args.json)
        for source in (*getattr(args, "recordings", ()), getattr(args, "data", None)):
            if source and args.json:
                keep_input(Path(source), Path(args.json), "--json")
        return analysis.run(args)
