"""Datasets: what there is, preparing one for fast starts, and generating one where none is at hand.

'prepare' reads the recordings once and writes arrays that load in well under a second. For recognition it writes shards
of clips: in parallel, with what cannot be read listed in bad.csv. 'generate ntu' writes procedural motion as NTU
.skeleton files, to try the commands for NTU RGB+D without it. Ctrl-C or a kill loses nothing: run the same again.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kinegraph.cli.options import is_given

if TYPE_CHECKING:
    from kinegraph.datasets.clip_sources import SourceOptions
    from kinegraph.datasets.prepared_splits import PreparedSplits

HELP = "list datasets, prepare one for training and evaluation, or generate one"

EXAMPLES = """\
examples:
  kinegraph data list
  kinegraph data prepare mocap-lifting --source ../shared/data --out prepared/
  kinegraph data prepare mocap-lifting --source ../shared/data --extra cmu_more/ --out prepared/
  kinegraph data prepare hdm05-11 --source ../shared/data --out prepared/hdm05
  kinegraph data prepare ntu60 --source nturgb+d_skeletons/ --missing missing_skeletons.txt --out prepared/ntu60
  kinegraph data prepare folder --source my_clips/ --skeleton coco17 --fps 30 --out prepared/mine
  kinegraph data generate ntu --clips 5000 --out generated/ntu"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="list|prepare|generate")
    text = "what there is, under which licence, and which files it needs"
    commands.add_parser("list", help=text, description=_sentence(text))
    text = "turn recordings into arrays that load at once"
    prepare = commands.add_parser("prepare", help=text, description=_sentence(text))
    prepare.add_argument("name", metavar="NAME", help="a dataset of 'kinegraph data list'")
    prepare.add_argument("--source", metavar="PATH", required=True, help="folder of the recordings, or the one file")
    prepare.add_argument("--extra", metavar="DIR", action="append", default=[], help="further CMU folder (repeatable)")
    prepare.add_argument("--out", metavar="DIR", required=True, help="folder to write to; made if missing")
    clips = prepare.add_argument_group("recognition")
    clips.add_argument(
        "--missing", metavar="FILE", action="append", default=[], help="ntu60, ntu120: list of samples to leave out"
    )
    clips.add_argument(
        "--skeleton", metavar="NAME", help="folder, pyskl: layout of the clips (default: as in the files)"
    )
    clips.add_argument(
        "--fps", type=float, metavar="N", help="folder: frame rate of the clips (default: the first file's)"
    )
    clips.add_argument(
        "--image-size", metavar="WxH", help="folder: size of the image in px, for 2D files that do not state it"
    )
    clips.add_argument("--people", type=int, metavar="N", help="at most so many people in a clip (default 2)")
    clips.add_argument("--float16", action="store_true", help="half the size; 2 mm at 3 m")
    clips.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    clips.add_argument("--quiet", action="store_true", help="show no progress")
    text = "write procedural motion in the files of a dataset"
    generate = commands.add_parser("generate", help=text, description=_sentence(text))
    generate.add_argument("name", metavar="NAME", choices=["ntu"], help="ntu: .skeleton files of NTU RGB+D")
    generate.add_argument("--clips", type=int, metavar="N", required=True, help="number of files; three show one scene")
    generate.add_argument("--out", metavar="DIR", required=True, help="folder to write to; made if missing")
    generate.add_argument("--seed", type=int, metavar="N", default=0, help="of everything (default 0)")
    generate.add_argument("--subjects", type=int, metavar="N", help="performers, 3 to 40 (default 40)")
    generate.add_argument("--actions", type=int, metavar="N", help="the first N of 33 actions (default all)")
    generate.add_argument("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    generate.add_argument("--quiet", action="store_true", help="show no progress")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def run(args: argparse.Namespace) -> int:
    """List the datasets, prepare or generate one."""
    from kinegraph.datasets import DATASETS, dataset_info

    if args.action == "list":
        for info in DATASETS.values():
            print(f"{info.name}\n    {info.title}\n    files: {info.files}\n    licence: {info.licence}")
            print(f"    cite: {info.citation}")
        return 0
    if args.action == "generate":
        return _generate(args)
    from kinegraph.datasets.clip_sources import SOURCES
    from kinegraph.errors import ConfigError

    info = dataset_info(args.name)
    if not info.prepare:
        ready = ", ".join(name for name, other in DATASETS.items() if other.prepare)
        raise ConfigError(f"{info.name} is used as it is and needs no preparing (what can be prepared: {ready})")
    if info.name in SOURCES:
        return _clips(info.name, args)
    for name in ("missing", "skeleton", "fps", "image-size", "people", "float16", "workers"):
        if is_given(getattr(args, name.replace("-", "_"))):
            raise ConfigError(f"--{name} says nothing about {info.name}; leave it out")
    return _own_lifting(args) if info.name == "mocap-folder" else _lifting(args)


def _own_lifting(args: argparse.Namespace) -> int:
    from kinegraph.datasets import mocap_folder
    from kinegraph.errors import ConfigError

    if args.extra:
        raise ConfigError("--extra says nothing about mocap-folder; put all recordings below one folder")
    own = mocap_folder.prepare(args.source, args.out)
    _print_splits(own)
    if own.bad:
        print(f"{len(own.bad):,} recordings cannot be used: {args.out}/bad.csv says why; the first: {own.bad[0][1]}")
    print(f"wrote {args.out}; use it as --data {args.out}, or data.source with data.name mocap-folder in a recipe")
    return 0


def _generate(args: argparse.Namespace) -> int:
    from kinegraph.datasets.synthetic.kinect import KinectStage
    from kinegraph.datasets.synthetic.ntu_files import write_ntu

    said = {name: getattr(args, name) for name in ("subjects", "actions") if getattr(args, name) is not None}
    stage = KinectStage(clips=args.clips, seed=args.seed, **said)
    written, kept = write_ntu(stage, args.out, workers=args.workers, progress=not args.quiet)
    names = [stage.name(index) for index in range(stage.clips)]
    actions, people = len({name.action for name in names}), len({name.performer for name in names})
    print(f"{written + kept:,} recordings, {actions} actions, {people} performers")
    if kept:
        print(f"{kept:,} of them were there from an earlier run")
    print(f"wrote {args.out}; go on with kinegraph data prepare ntu60 --source {args.out} --out DIR")
    return 0


def _lifting(args: argparse.Namespace) -> int:
    from kinegraph.datasets import mocap_lifting

    benchmark = mocap_lifting.prepare(args.source, args.out, args.extra)
    _print_splits(benchmark)
    print(f"wrote {args.out}; use it as --data {args.out}, or data.source in a recipe")
    return 0


def _print_splits(splits: PreparedSplits) -> None:
    from kinegraph.datasets.prepared_splits import SPLITS

    for name in SPLITS:
        data = splits[name]
        print(f"{name:<6} {len(data):>8,} poses  {len(data.clip_names):>5,} clips  {data.fingerprint[:12]}")


def _clips(name: str, args: argparse.Namespace) -> int:
    from kinegraph.datasets.action_splits import OWN
    from kinegraph.datasets.class_counts import class_lines
    from kinegraph.datasets.clip_sources import open_source
    from kinegraph.errors import ConfigError
    from kinegraph.store import prepare_clips

    if args.extra:
        raise ConfigError(f"--extra says nothing about {name}; leave it out")
    source = open_source(name, args.source, _options(args))
    for note in source.notes:
        print(note)
    done = prepare_clips(
        source,
        args.out,
        dtype="float16" if args.float16 else "float32",
        workers=args.workers,
        progress=not args.quiet,
        origin=args.source,
    )
    store = done.store
    print(
        f"{len(store):,} clips, {int(store.frames.sum()):,} frames, {len(store.classes)} classes, "
        f"{store.skeleton.name}, {store.dtype}, {store.fingerprint[:12]}"
    )
    if name == OWN:
        print("\n".join(class_lines(store, OWN)))
    if done.kept:
        print(f"{done.kept:,} clips were there from an earlier run")
    if done.bad:
        print(f"{len(done.bad):,} clips could not be read: {args.out}/bad.csv says why; the first: {done.bad[0][1]}")
    print(f"wrote {args.out}; use it as --data {args.out}, or data.source in a recipe")
    return 0


def _options(args: argparse.Namespace) -> SourceOptions:
    from kinegraph.cli.options import size
    from kinegraph.datasets.clip_sources import SourceOptions

    return SourceOptions(
        missing=tuple(args.missing),
        skeleton=args.skeleton,
        fps=args.fps,
        people=args.people,
        image_size=None if args.image_size is None else size(args.image_size, "--image-size"),
    )
