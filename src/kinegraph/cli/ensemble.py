"""Fuse saved scores of several networks, with stated weights.

A network is trained on each stream of a skeleton (joint, bone, joint motion, bone motion), its scores of every test
clip are saved by 'kinegraph evaluate --save-scores', and here they are added with weights. Usual in the field (CTR-GCN,
PYSKL, HCSF): four streams with 0.6 0.6 0.4 0.4, or joint and bone with 1 1. The weights stand beside the number, and so
does the joint stream's own: a fused number compares with fused numbers alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinegraph.evaluation.recognition_result import RecognitionResult

HELP = "fuse saved scores of several networks"

EXAMPLES = """\
examples:
  for s in joint bone joint-motion bone-motion; do                   # one network for each stream, and its scores
    kinegraph train my_recipe.yaml --transform.stream $s --out runs/$s
    kinegraph evaluate runs/$s/best --protocol ntu60-xsub --data ntu60/ --save-scores $s.npz
  done
  kinegraph ensemble joint.npz bone.npz joint-motion.npz bone-motion.npz --weights 0.6 0.6 0.4 0.4
  kinegraph ensemble joint.npz bone.npz --of softmax --json two.json  # probabilities instead of logits, equal weights
  kinegraph ensemble joint.npz bone.npz --search joint_val.npz bone_val.npz

--search finds the weights on scores of validation clips (evaluate --split val), never on those that are reported."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("scores", nargs="+", metavar="SCORES.npz", help="of kinegraph evaluate --save-scores")
    parser.add_argument("--weights", nargs="+", type=float, metavar="W", help="one for each file (default: all 1)")
    parser.add_argument(
        "--of", choices=("logits", "softmax"), default="logits", help="what is added up: logits (default) or softmax"
    )
    parser.add_argument(
        "--search",
        nargs="*",
        metavar="VAL.npz",
        help="find the weights on these validation scores, one file for each; without a name the SCORES are such",
    )
    parser.add_argument("--save-scores", metavar="FILE.npz", help="save the fused scores")
    parser.add_argument(
        "--confusion", metavar="FILE", help="who is taken for whom: .png for a picture, .csv for a table"
    )
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON, unrounded")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def run(args: argparse.Namespace) -> int:
    """Fuse, count, say it."""
    from kinegraph.atomic import write_text
    from kinegraph.cli.clip_results import check_files, write_results
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.recognition_merge import SeedResults
    from kinegraph.evaluation.recognition_result import fuse
    from kinegraph.evaluation.recognition_tables import clip_report, joint_stream

    check_files(args)
    _keep_inputs(args)
    if len(args.scores) < 2:
        raise ConfigError(f"{len(args.scores)} file; an ensemble is of two or more")
    if args.weights is not None and args.search is not None:
        raise ConfigError("--weights states the weights, --search finds them; give one")
    if args.weights is not None and len(args.weights) != len(args.scores):
        raise ConfigError(f"--weights has {len(args.weights)} numbers for {len(args.scores)} files; give one each")
    results = _named([_load(name) for name in args.scores])
    weights, searched = _weights(args, results)
    fused = fuse(results, weights, of=args.of)
    groups = [SeedResults(label=result.label, results={0: result}) for result in (*results, fused)]
    content: dict[str, Any] = {
        **fused.to_json(),
        "weights": list(weights),
        "of": args.of,
        "searched_on": searched,
        "joint": joint_stream(groups),
        "streams": [result.to_json() for result in results],
    }
    print(clip_report(groups, markdown=args.markdown))
    print(f"fused: {fused.label} ({args.of}): top-1 {fused.top1:.1f}, top-5 {fused.top5:.1f}")
    if searched is not None:
        print(f"note: weights searched on {searched['clips']} validation clips ({searched['top1']:.1f} % there)")
    for line in write_results(groups[-1:], args.save_scores, args.confusion, groups[:-1]):
        print(line)
    if args.json:
        write_text(Path(args.json), json.dumps(content, indent=2) + "\n")
    return 0


def _keep_inputs(args: argparse.Namespace) -> None:
    """Raises ConfigError where what is to be written would take the place of scores that are read."""
    from kinegraph.errors import ConfigError

    targets = (("--save-scores", args.save_scores), ("--json", args.json), ("--confusion", args.confusion))
    for flag, target in targets:
        for read, names in (("SCORES", args.scores), ("--search", args.search or ())):
            for name in names:
                if target is not None and Path(target).resolve() == Path(name).resolve():
                    raise ConfigError(
                        f"{flag} {target} is one of {read} ({name}); the input is never overwritten. Name another file"
                    )


def _load(name: str) -> RecognitionResult:
    from kinegraph.evaluation.score_files import load_scores

    return load_scores(name)


def _named(results: Sequence[RecognitionResult]) -> list[RecognitionResult]:
    """Results whose labels differ: the stream is added where two are called the same."""
    from dataclasses import replace

    labels = [result.label for result in results]
    if len(set(labels)) < len(labels):
        labels = [f"{result.label} {result.info.get('stream') or ''}".strip() for result in results]
    return [replace(result, label=label) for result, label in zip(results, labels, strict=True)]


def _weights(
    args: argparse.Namespace, results: Sequence[RecognitionResult]
) -> tuple[list[float], dict[str, Any] | None]:
    """The weights, and what they were searched on."""
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.recognition_result import fuse
    from kinegraph.evaluation.score_fusion import search_weights

    if args.search is None:
        return args.weights or [1.0] * len(results), None
    validation = list(results)
    if args.search:
        if len(args.search) != len(results):
            raise ConfigError(
                f"--search has {len(args.search)} files for {len(results)} to fuse; give one each, in order"
            )
        validation = _named([_load(name) for name in args.search])
        for one, other in zip(results, validation, strict=True):
            if (one.info.get("model"), one.info.get("stream")) != (other.info.get("model"), other.info.get("stream")):
                raise ConfigError(
                    f"{one.label} is {one.info.get('model')} on {one.info.get('stream')}, its validation scores are "
                    f"{other.info.get('model')} on {other.info.get('stream')}; give the files in the same order"
                )
    weights = list(search_weights(validation, of=args.of))
    found = fuse(validation, weights, of=args.of)
    return weights, {"split": "val", "clips": len(found.labels), "top1": found.top1}
