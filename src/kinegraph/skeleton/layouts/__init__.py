"""The layouts that come with the package, one TOML file each, and a user's own by path."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from kinegraph.errors import SkeletonError, as_path, nearest
from kinegraph.skeleton.skeleton import Skeleton


@cache
def skeleton_names() -> tuple[str, ...]:
    """Names of the built-in layouts."""
    return tuple(sorted(p.name.removesuffix(".toml") for p in files(__name__).iterdir() if p.name.endswith(".toml")))


@cache
def _builtin(name: str) -> Skeleton:
    return Skeleton.load(Path(str(files(__name__) / f"{name}.toml")))


def get_skeleton(name: str | Path | Skeleton) -> Skeleton:
    """A built-in layout by name, one read from a TOML/JSON file by path, or the skeleton itself.

    Raises:
        SkeletonError: neither a layout nor a file; the nearest layout is named.
    """
    if isinstance(name, Skeleton):
        return name
    if isinstance(name, str) and name in skeleton_names():
        return _builtin(name)
    path = as_path(name, "a layout's name, a file or a Skeleton")
    if path.suffix.lower() in (".toml", ".json"):
        return Skeleton.load(path)
    raise SkeletonError(
        f"no skeleton '{name}'{nearest(str(name), skeleton_names())} (layouts: {', '.join(skeleton_names())}; "
        f"or the path of a .toml or .json file)"
    )
