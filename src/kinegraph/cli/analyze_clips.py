"""`analyze early`: how soon recognisers of clips know the action."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json

__all__ = ["ANALYSES"]


def _add_early(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="M", help="weights of recognisers of clips; folds and seeds merge")
    parser.add_argument("--protocol", required=True, help="e.g. ntu60-xsub, hdm05-11-one, synthetic-recognition")
    parser.add_argument("--data", metavar="DIR", help="folder of the prepared clips, or of the recordings")
    parser.add_argument("--ratios", nargs="+", type=float, metavar="R", help="shares that are seen (0.1 to 1)")
    parser.add_argument("--split", default="test", help="test (default), val or train")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--batch", type=int, default=32, help="clips at once (default 32)")
    add_report_arguments(parser)


def _early(args: argparse.Namespace) -> int:
    from kinegraph.cli.protocols import check_device
    from kinegraph.datasets.open_clips import open_clips
    from kinegraph.evaluation.clip_recognition import load_clip_method
    from kinegraph.evaluation.early_clips import RATIOS, draw_early, early_curve, early_report
    from kinegraph.evaluation.recognition_merge import group_methods

    check_device(args.device)
    groups = group_methods([load_clip_method(name, device=args.device) for name in args.models], args.protocol)
    clips = open_clips(args.data, args.protocol, progress=True)
    curves = [
        early_curve(
            group,
            clips,
            args.protocol,
            ratios=args.ratios or RATIOS,
            part=args.split,
            batch=args.batch,
            progress=True,
        )
        for group in groups
    ]
    print(early_report(curves, markdown=args.markdown))
    contents = [curve.to_json() for curve in curves]
    write_json(args.json, contents[0] if len(contents) == 1 else {"protocol": args.protocol, "results": contents})
    if args.out:
        path = Path(args.out) / "early.png"
        draw_early(curves, path)
        print(f"wrote {path}")
    return 0


ANALYSES = {
    "early": AnalyzeCommand(
        help="recognisers of clips: accuracy from the first 10 to 100 % of each clip",
        description="How soon is the action known? Each test clip's first 10, 20, ... 100 % of frames, sampled to the "
        "frames that the network\ntakes; nothing is trained anew. (early-recognition trains motion networks that "
        "forecast the rest.)",
        examples="examples:\n"
        "  kinegraph analyze early runs/hcsf/best runs/agcn/best --protocol ntu60-xsub --data ntu60/ --out pictures/\n"
        "  kinegraph analyze early runs/one_*/best --protocol hdm05-11-one --data ../shared/data --ratios 0.25 0.5 1",
        add_arguments=_add_early,
        run=_early,
    ),
}
