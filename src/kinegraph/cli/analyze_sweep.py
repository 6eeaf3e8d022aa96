"""`analyze sweep` and the papers' sweeps: train every variant of a recipe, measure, one table and one picture."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json

if TYPE_CHECKING:
    from kinegraph.sweeps.sweep import Sweep

__all__ = ["ANALYSES"]

_COMMON = """
Every variant is trained with every seed into DIR/<variant>/seed_<seed>, then measured under the protocol (and, where
a motion network recognises and the data are CMU's, under cmu-8; of a protocol of several folds, hdm05-11-one, every
fold is trained and the figures are their mean). Runs that are finished are kept; Ctrl-C loses nothing, the
same command goes on. The table has the mean over seeds and, of several, the standard deviation; the picture lies in
DIR. Any field of the recipe can be set for all variants: --trainer.steps 500 --model.width 0.125."""

_CLIPS = """\
examples:
  kinegraph analyze {name} recognize_hcsf_hdm05 --protocol hdm05-11-one --data ../shared/data --out sweeps/{name}
  kinegraph analyze {name} recognize_hcsf_ntu --protocol ntu60-xview --data ntu60 --out sweeps/{name} --seeds 0 1 2"""

_EXAMPLE = """\
examples:
  kinegraph analyze {name} symgnn_cmu_cpu {more}--protocol {protocol} --data ../shared/data --out sweeps/{name}
  kinegraph analyze {name} symgnn_cmu_cpu {more}--protocol {protocol} --data ../shared/data --out sweeps/{name} \\
      --seeds 0 1 2 --trainer.threads 1 --json {name}.json"""


class _Preset(NamedTuple):
    """One of the papers' sweeps, as the command line has it."""

    line: str
    text: str
    takes_values: bool = False
    """Other values than the paper's."""

    @property
    def table(self) -> str:
        """Where the paper has it."""
        return self.line.partition(":")[0].removeprefix("HCSF ")


_PRESETS = {
    "noisy-targets": _Preset(
        "Table 9: recognition beside a share of shuffled futures",
        "Does forecasting help recognition, and how many wrong futures does it bear? A share of the training windows "
        "gets\nthe future of another (augment.shuffle_targets 0, 0.1, 0.2, 0.5, 0.7, 1), beside a network without the "
        "forecasting\nhead. All checkpoints are chosen by recognition.",
        takes_values=True,
    ),
    "noisy-labels": _Preset(
        "Table 10: forecasting beside a share of shuffled labels",
        "Does recognition help forecasting, and how many wrong labels does it bear? A share of the training windows "
        "carries\nanother's action (augment.shuffle_labels 0, 0.1, 0.2, 0.3, 0.5, 1), beside a network without the "
        "recognition head.",
        takes_values=True,
    ),
    "graphs": _Preset(
        "Tables 11, 12: only J-S, only J-A, only P, all; gamma 1 to 4",
        "Which graphs matter: joint-scale structural ones alone (J-S), actional ones alone (J-A), the part scale "
        "alone (P),\nand all together, with 1 to 4 orders (gamma).",
    ),
    "lambda-act": _Preset(
        "Fig. 10: weight of the actional against the structural graphs",
        "How much weight should actional graphs have beside structural ones? model.lambda_act 0, 0.1, ... 1.",
        takes_values=True,
    ),
    "differences": _Preset(
        "Tables 13, 14: positions, velocities, accelerations",
        "Which orders of motion differences help: model.differences 0; 0, 1; 0, 1, 2. Each is a branch of its own.",
    ),
    "streams": _Preset(
        "Table 15: a network on joints, one on bones, both",
        "Joints against bones: one network each; the third row is the sum of their scores, 0.5 and 0.5.\n"
        "(One network of both: sweep --vary model.stream joint bone dual.)",
    ),
    "iterations": _Preset(
        "Fig. 8: error against speed over K passes in graph inference",
        "Passes K between joints and edges before the actional graph is read off (model.iterations 0 to 4): the error "
        "at\n400 ms against the frames generated in 20 ms on this machine, batch of 1.",
        takes_values=True,
    ),
}
_CLIP_PRESETS = {
    "clip-streams": _Preset(
        "HCSF suppl. Table 4: joints, bones, their motions, all",
        "One network of each stream (transform.stream joint, bone, joint-motion, bone-motion); two more rows are the "
        "mean\nsoftmax scores of joint and bone, and of all four.",
    ),
    "squeeze": _Preset(
        "HCSF suppl. Table 5: squeeze ratio d, three graphs",
        "How fast the width may fall from hop to hop: model.squeeze 1, 1/2, 1/4, 1/8, 1/16 with a static graph "
        "(Static-G), a\nlearned one (Dynamic-M), and one computed from each clip as well (Dynamic-A).",
        takes_values=True,
    ),
    "hops": _Preset(
        "HCSF suppl. Table 6: 1, 5, 7-hop, MixHop, MS-Hop, HCSF",
        "HCSF beside networks that take all nodes within 1, 5 or 7 hops, or several ranges side by side (MixHop) or "
        "averaged\n(MS-Hop), each with the three graphs.",
    ),
    "graph-frames": _Preset(
        "HCSF suppl. Table 7: frames under the dynamic graph",
        "Frames, stride and dilation under the temporal convolutions from which Dynamic-A's graph is computed.",
    ),
}


def _add_common(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    if several:
        parser.add_argument(
            "recipes", metavar="RECIPE", nargs="+", help="first: YAML files, or shipped recipes (recognize_...)"
        )
    else:
        parser.add_argument(
            "recipe", metavar="RECIPE", help="first: a YAML file, or a shipped recipe (symgnn_..., recognize_...)"
        )
    parser.add_argument("--protocol", help="e.g. cmu-euler-64, cmu-8, hdm05-11-one, ntu60-xview")
    parser.add_argument("--data", metavar="DIR", help="folder of the protocol's files, and the recipe's data.source")
    parser.add_argument("--out", metavar="DIR", help="folder of the runs and the picture")
    parser.add_argument("--seeds", metavar="N", type=int, nargs="+", default=[0], help="seeds of every variant (0)")
    parser.add_argument("--folds", metavar="N", type=int, nargs="+", help="of a protocol that has several (all)")
    parser.add_argument("--only", metavar="V", nargs="+", help="these variants alone; see --list")
    parser.add_argument("--split", default="test", help="test (default), or val")
    parser.add_argument("--list", action="store_true", help="list the variants and stop; takes no --protocol and --out")
    parser.add_argument("--quiet", action="store_true", help="show no training progress")
    add_report_arguments(parser, out=False)


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vary", required=True, nargs="+", metavar=("FIELD", "V"), help="a field of the recipe and its values"
    )
    _add_common(parser)


def _add_preset(parser: argparse.ArgumentParser, *, values: bool) -> None:
    if values:
        parser.add_argument("--values", nargs="+", metavar="V", help="in place of the paper's values")
    _add_common(parser)


def _add_early(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ratios", nargs="+", type=float, metavar="R", help="observed shares (0.1 to 0.9)")
    parser.add_argument("--strategies", nargs="+", metavar="S", help="among 10, all, none (default: all three)")
    _add_common(parser)


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--streams",
        nargs="+",
        default=["joint", "bone"],
        metavar="S",
        help="a network for each: joint, bone, joint-motion, bone-motion (default: joint bone)",
    )
    parser.add_argument(
        "--missing-joints",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="measure again with this share of every test clip's joints taken away",
    )
    _add_common(parser, several=True)


def _run_sweep(args: argparse.Namespace) -> int:
    from kinegraph.config import parse_value
    from kinegraph.errors import ConfigError
    from kinegraph.sweeps.sweep import vary

    field, *values = args.vary
    if not values:
        raise ConfigError(f"--vary {field}: the values are missing; write --vary {field} V1 V2 ...")
    return _run(args, vary(field.removeprefix("--"), [parse_value(value) for value in values]))


def _run_preset(args: argparse.Namespace, *, name: str) -> int:
    from kinegraph.sweeps.hcsf_presets import RECOGNITION_PRESETS
    from kinegraph.sweeps.symgnn_presets import PRESETS

    values = getattr(args, "values", None)
    make = {**PRESETS, **RECOGNITION_PRESETS}[name]
    return _run(args, make() if values is None else make([_number(value) for value in values]))


def _number(text: str) -> object:
    """A value of the command line; 1/8 is 0.125."""
    from kinegraph.config import parse_value

    above, slash, below = text.partition("/")
    if slash and above.isdigit() and below.isdigit() and int(below):
        return int(above) / int(below)
    return parse_value(text)


def _run_early(args: argparse.Namespace) -> int:
    from kinegraph.sweeps.early_recognition import RATIOS, STRATEGIES, early_recognition

    return _run(args, early_recognition(args.ratios or RATIOS, args.strategies or tuple(STRATEGIES)))


def _run_compare(args: argparse.Namespace) -> int:
    from kinegraph.sweeps.recipe_comparison import compare

    return _run(args, compare(args.recipes, args.streams, args.missing_joints))


def _run(args: argparse.Namespace, sweep: Sweep) -> int:
    from kinegraph.errors import ConfigError, require
    from kinegraph.sweeps.pictures import draw_sweep
    from kinegraph.sweeps.runs import plan_sweep, run_sweep
    from kinegraph.sweeps.sweep import shown, sweep_report

    if args.only:
        sweep = sweep.only(args.only)
    recipe = getattr(args, "recipe", None)
    if args.list:
        # Variants that cannot be are refused here too.
        chosen = {"protocol": args.protocol, "data": args.data, "seeds": args.seeds, "folds": args.folds}
        plan_sweep(sweep, recipe, args.unknown, **chosen)
        for variant in sweep.variants:
            changes = ", ".join(f"{field} {shown(value)}" for field, value in variant.changes.items())
            print(f"{variant.name}\n    {changes}")
        return 0
    missing = [f"--{name}" for name in ("protocol", "out") if getattr(args, name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing; only --list does without"
        )
    require("lightning", extra="train", purpose="training")
    result = run_sweep(
        sweep,
        recipe,
        args.unknown,
        protocol=args.protocol,
        data=args.data,
        out=args.out,
        seeds=args.seeds,
        folds=args.folds,
        split=args.split,
        quiet=args.quiet,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(sweep_report(result, markdown=args.markdown))
    write_json(args.json, result.to_json())
    for path in draw_sweep(result, args.out):
        print(f"wrote {path}")
    return 0


def _example(name: str, more: str = "", protocol: str = "cmu-euler-64") -> str:
    return _EXAMPLE.format(name=name, more=more, protocol=protocol)


ANALYSES = {
    "compare": AnalyzeCommand(
        help="recipes of recognisers side by side on your clips: streams, fused, joints missing",
        description="Which recogniser is best on these clips? Every recipe is trained in every stream; one more row "
        "each sums the\nscores of its streams: joint and bone count 1 and 1; with motions 0.6, 0.6, 0.4, 0.4, as "
        f"CTR-GCN and PYSKL have it.\n{_COMMON}\nSeveral shells may work on one --out, each with other --seeds, "
        "--folds or --only; the whole command\nthen makes the table.",
        examples="""\
examples:
  kinegraph analyze compare recognize_hcsf_hdm05 recognize_stgcnpp_hdm05 recognize_linear_hdm05 \\
      --protocol folder --data clips --out compare                                          # on your own clips
  kinegraph analyze compare recognize_hcsf_hdm05 recognize_ctrgcn_hdm05 --missing-joints 0.2 --seeds 0 1 2 \\
      --protocol hdm05-11-one --data hdm05 --out compare""",
        add_arguments=_add_compare,
        run=_run_compare,
        overrides=True,
    ),
    "sweep": AnalyzeCommand(
        help="train variants of a recipe and measure them: any field, any values",
        description=f"One field of a recipe varied.\n{_COMMON}",
        examples=_example("sweep", "--vary model.gamma 1 2 3 4 "),
        add_arguments=_add_sweep,
        run=_run_sweep,
        overrides=True,
    ),
    **{
        name: AnalyzeCommand(
            help=f"sweep, {preset.line}",
            description=f"{preset.text}\n(Li et al., Sym-GNN, TPAMI 2021, {preset.table}.)\n{_COMMON}",
            examples=_example(name),
            add_arguments=partial(_add_preset, values=preset.takes_values),
            run=partial(_run_preset, name=name),
            overrides=True,
        )
        for name, preset in _PRESETS.items()
    },
    **{
        name: AnalyzeCommand(
            help=f"sweep, {preset.line}",
            description=f"{preset.text}\n(Zeng et al., HCSF, ICCV 2021, {preset.table}.)\n{_COMMON}",
            examples=_CLIPS.format(name=name),
            add_arguments=partial(_add_preset, values=preset.takes_values),
            run=partial(_run_preset, name=name),
            overrides=True,
        )
        for name, preset in _CLIP_PRESETS.items()
    },
    "early-recognition": AnalyzeCommand(
        help="sweep, Fig. 9: the action from the first frames, forecasting 10, all or none",
        description="Recognition from the first 10 to 90 % of a window of 50 frames, by networks that forecast 10 "
        "frames, all the rest of\nthe window, or nothing: one training for each ratio and strategy.\n"
        f"(Li et al., Sym-GNN, TPAMI 2021, Fig. 9.)\n{_COMMON}",
        examples=_example("early-recognition", protocol="cmu-8"),
        add_arguments=_add_early,
        run=_run_early,
        overrides=True,
    ),
}
