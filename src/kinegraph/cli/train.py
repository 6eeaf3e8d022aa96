"""Train a network from a recipe: a YAML file, or the name of one shipped with the package.

Any field can be set on the command line: --optim.lr 3e-4 --trainer.epochs 20 --model.channels 64.
Ctrl-C stops cleanly after the current step; the same command with --resume continues exactly where it was, and so
does one after a crash or a kill, from the last checkpoint. A resumed run may get a greater length
(--trainer.steps) under the schedules constant, exponential and steps without warmup; the others follow from it.
Its data may have moved (--data.source); other data are refused.
"""

from __future__ import annotations

import argparse
import sys

HELP = "train a network from a recipe"
EXTRA_ARGUMENTS = True

EXAMPLES = """\
examples:
  kinegraph train --list                                  # the recipes shipped with the package
  kinegraph train --fields                                # every field of a recipe, explained
  kinegraph train lift_hcsf_synthetic_pixel               # on data it makes itself
  kinegraph train lift_hcsf_mocap_pixel --data.source ../shared/data --out runs/hcsf
  kinegraph train symgnn_cmu_cpu --data.source ../shared/data
  kinegraph train recognize_hcsf_hdm05 --data.source ../shared/data
  torchrun --nproc-per-node 4 -m kinegraph train recognize_hcsf_ntu --data.source ntu60    # on four GPUs
  kinegraph train my_recipe.yaml --optim.lr 3e-4 --trainer.steps 20000
  kinegraph train my_recipe.yaml --resume                 # go on after Ctrl-C, a crash or a kill

The run folder holds best/ (weights, chosen on the validation split), last.ckpt, log.csv, tensorboard/, recipe.yaml
and run.json."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    # RECIPE is found among the unknown arguments: argparse would take the value of an override for it.
    parser.usage = "kinegraph train RECIPE [--field.sub value ...] [--resume]"
    parser.add_argument("--resume", action="store_true", help="continue the run in the recipe's folder")
    parser.add_argument("--list", action="store_true", help="list the shipped recipes (in a pipe one a line) and stop")
    parser.add_argument("--fields", action="store_true", help="explain every field of a recipe and stop")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> int:
    """Train from a recipe, or list the recipes or their fields."""
    from kinegraph.cli.help_page import page_width
    from kinegraph.errors import ConfigError, require
    from kinegraph.training.recipe import load_recipe

    if args.list or args.fields:
        if args.unknown:
            raise ConfigError(f"found {args.unknown[0]!r}, but --list and --fields take nothing else")
        from kinegraph.cli.train_listing import field_lines, recipe_lines

        if args.list:
            print("\n".join(recipe_lines(page_width() if sys.stdout.isatty() else None)))
        if args.fields:
            print("\n".join(field_lines(page_width())))
        return 0
    name, overrides = _split(args.unknown)
    if name is None:
        raise ConfigError("which recipe? give a YAML file or a shipped one's name ('kinegraph train --list')")
    recipe = load_recipe(name, overrides)
    require("lightning", extra="train", purpose="training")
    from kinegraph.training.run import train

    result = train(recipe, resume=args.resume, quiet=args.quiet)
    if result.status == "interrupted":
        raise KeyboardInterrupt(
            f"stopped at step {result.step} of {result.steps}; the same command with --resume continues"
        )
    if not result.leader:
        return 0
    best = f"{result.monitor.label.split()[0]} {result.monitor.show(result.best)} at step {result.best_step}"
    size = f"{result.parameters:,} parameters, {result.seconds:.0f} s"
    print(f"{result.status} at step {result.step}: {best}, {size}\nweights: {result.weights}")
    return 0


def _split(extra: list[str]) -> tuple[str | None, list[str]]:
    """The recipe and the overrides: the recipe is the one argument that is neither a flag nor a flag's value."""
    name, overrides, rest = None, [], list(extra)
    while rest:
        argument = rest.pop(0)
        if argument.startswith("--"):
            overrides.append(argument)
            if "=" not in argument and rest:
                overrides.append(rest.pop(0))
        elif name is None:
            name = argument
        else:
            overrides.append(argument)  # said to be no override when they are read
    return name, overrides
