"""The layouts there are, one of them in full, or how one maps to another."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.skeleton import JointMap, Skeleton

HELP = "list skeleton layouts, show one, or show how one maps to another"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("name", nargs="?", help="a layout, or a TOML/JSON file with one's own")
    parser.add_argument("--map", metavar="OTHER", help="show how the joints of OTHER are got from those of NAME")
    parser.add_argument("--json", action="store_true", help="print JSON with stable keys instead of text")


def run(args: argparse.Namespace) -> int:
    """Print the list, the layout or the map."""
    from kinegraph.skeleton import get_skeleton, map_joints, skeleton_names

    if args.name is None:
        if args.map is not None:
            raise ConfigError("--map needs two layouts: kinegraph skeletons NAME --map OTHER")
        layouts = [get_skeleton(name) for name in skeleton_names()]
        if args.json:
            entries = [{"name": s.name, "joints": s.num_joints, "title": s.title, "source": s.source} for s in layouts]
            print(json.dumps({"skeletons": entries}, indent=2))
        else:
            width = max(len(s.name) for s in layouts)
            print("\n".join(f"{s.name:<{width}}  {s.num_joints:>3} joints  {s.title}" for s in layouts))
        return 0
    skeleton = get_skeleton(args.name)
    if args.map is not None:
        mapping = map_joints(skeleton, get_skeleton(args.map))
        print(json.dumps(_map_data(mapping), indent=2) if args.json else mapping.report())
    elif args.json:
        print(json.dumps(_data(skeleton), indent=2))
    else:
        print(_text(skeleton))
    return 0


def _data(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "name": skeleton.name,
        "title": skeleton.title,
        "source": skeleton.source,
        "joints": list(skeleton.joints),
        "parents": list(skeleton.parents),
        "pairs": [list(pair) for pair in skeleton.pairs],
        "links": [list(link) for link in skeleton.links],
        "parts": {part: list(joints) for part, joints in skeleton.parts.items()},
        "landmarks": {name: dict(weights) for name, weights in skeleton.landmarks.items()},
        "hop_counts": list(skeleton.hop_counts()),
    }


def _map_data(mapping: JointMap) -> dict[str, Any]:
    source, target = mapping.source, mapping.target
    return {
        "source": source.name,
        "target": target.name,
        "joints": [
            {
                "joint": joint,
                "status": status,
                "from": {source.joints[j]: float(w) for j, w in enumerate(weights) if w},
            }
            for joint, status, weights in zip(target.joints, mapping.status, mapping.weights, strict=True)
        ],
    }


def _text(skeleton: Skeleton) -> str:
    lines = [f"{skeleton.name}: {skeleton.title or 'no title'}"]
    if skeleton.source:
        lines.append(f"  source    {skeleton.source}")
    lines += [f"  joints    {skeleton.num_joints}, {len(skeleton.bones)} bones, {len(skeleton.links)} links", ""]
    for root in skeleton.roots:
        lines += _tree(skeleton, root, "  ", "")
    if skeleton.links:
        lines += ["", "  links     " + ", ".join(f"{a} - {b}" for a, b in skeleton.links)]
    lines += ["", "  pairs     " + (", ".join(f"{a} | {b}" for a, b in skeleton.pairs) or "none")]
    if skeleton.parts:
        lines.append("  parts")
        lines += [f"    {part:<16} {', '.join(joints)}" for part, joints in skeleton.parts.items()]
    if skeleton.landmarks:
        lines.append("  derived points")
        for name, weights in skeleton.landmarks.items():
            lines.append(
                f"    {name:<16} " + (" + ".join(f"{w:.3g} {joint}" for joint, w in weights.items()) or "none")
            )
    lines.append("  joint pairs at hop 0, 1, 2, ...: " + ", ".join(map(str, skeleton.hop_counts())))
    return "\n".join(lines)


def _tree(skeleton: Skeleton, joint: int, lead: str, branch: str) -> list[str]:
    """The joints below `joint`, one a line, drawn as a tree with their indices."""
    lines = [f"{lead}{branch}{skeleton.joints[joint]} ({joint})"]
    children = [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
    for child in children:
        lines += _tree(skeleton, child, below, "└─ " if child == children[-1] else "├─ ")
    return lines
