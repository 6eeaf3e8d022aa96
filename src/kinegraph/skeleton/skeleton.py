"""The skeleton: a frozen description from which every graph quantity is derived."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import write_text
from kinegraph.errors import SkeletonError, nearest
from kinegraph.naming import as_text
from kinegraph.skeleton import graph
from kinegraph.skeleton.parts import PARTS, default_parts

_KEYS = ("name", "title", "source", "joints", "pairs", "links", "parts", "landmarks")


@dataclass(frozen=True)
class Skeleton:
    """Joints, the tree that joins them, and what is left, right and which part of the body.

    Args:
        name: identifier, e.g. ``"h36m17"``.
        joints: joint names in the order of the data's joint axis; unique.
        parents: index of each joint's parent, ``-1`` for a root; any order, no cycles.
        pairs: ``(left, right)`` joint names that the body's mirror symmetry exchanges.
        links: further graph edges, as joint names, beyond the bones (they carry no bone length).
        parts: body part -> its joints, by name; any subset of :data:`PARTS`. A joint may stand in two parts.
        landmarks: anatomical point -> ``{own joint: weight}`` with weights that sum to 1. A joint that already
            bears the anatomical name need not be listed; if it is another point that bears it, ``{}`` says so. This
            is what :func:`~kinegraph.skeleton.map_joints` reads.
        title: one line for people.
        source: where the layout is defined.

    Raises:
        SkeletonError: empty or duplicate names, unknown joints, a cycle, or a graph in several pieces.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    landmarks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    title: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        def put(key: str, value: object) -> None:
            object.__setattr__(self, key, value)

        put("name", as_text(self.name))  # of skeletons of files the file's own
        put("title", as_text(self.title))
        put("joints", tuple(self.joints))
        put("parents", tuple(int(p) for p in self.parents))
        put("pairs", tuple((a, b) for a, b in self.pairs))
        put("links", tuple((a, b) for a, b in self.links))
        put("parts", MappingProxyType({k: _listed(v) for k, v in self.parts.items()}))
        put("landmarks", MappingProxyType({k: _weights(self.name, k, v) for k, v in self.landmarks.items()}))
        self._check()

    def _check(self) -> None:
        if not self.joints:
            raise SkeletonError(f"skeleton '{self.name}' has no joints; name at least one")
        if len(self.parents) != len(self.joints):
            raise SkeletonError(
                f"skeleton '{self.name}' has {len(self.joints)} joints and {len(self.parents)} parents; give one each"
            )
        if "" in self.joints:  # as a parent's name it means that there is none
            raise SkeletonError(f"skeleton '{self.name}': joint {self.joints.index('')} has an empty name; name it")
        twice = sorted({j for j in self.joints if self.joints.count(j) > 1})
        if twice:
            raise SkeletonError(f"skeleton '{self.name}' names {twice[0]!r} more than once; joint names are unique")
        for joint, parent in zip(self.joints, self.parents, strict=True):
            if not -1 <= parent < len(self.joints):
                raise SkeletonError(
                    f"skeleton '{self.name}': parent {parent} of '{joint}' is not among 0..{len(self.joints) - 1} or -1"
                )
        for start in range(len(self.joints)):
            node, steps = start, 0
            while node != -1 and steps <= len(self.joints):
                node, steps = self.parents[node], steps + 1
            if node != -1:
                raise SkeletonError(
                    f"skeleton '{self.name}': the chain of parents of '{self.joints[start]}' never ends; break it"
                )
        named = [*(j for pair in (*self.pairs, *self.links) for j in pair)]
        named += [j for members in self.parts.values() for j in members]
        named += [j for weights in self.landmarks.values() for j in weights]
        for joint in named:
            self.index(joint)
        unknown = [p for p in self.parts if p not in PARTS]
        if unknown:
            raise SkeletonError(
                f"skeleton '{self.name}': unknown part '{unknown[0]}'{nearest(unknown[0], PARTS)} "
                f"(parts: {', '.join(PARTS)})"
            )
        paired = [j for pair in self.pairs for j in pair]
        if len(paired) != len(set(paired)):
            raise SkeletonError(f"skeleton '{self.name}': a joint stands in two left/right pairs; one each at most")
        if np.any(self.hop_distances() < 0):
            raise SkeletonError(
                f"skeleton '{self.name}' falls into unconnected pieces; join its roots with parents or links"
            )

    def __hash__(self) -> int:
        return hash((self.name, self.joints, self.parents, self.links))

    def __reduce__(self) -> tuple[Any, ...]:
        # The read-only mappings cannot be pickled as they are, and data-loading processes and deepcopy pickle.
        return Skeleton.from_dict, (self.to_dict(),)

    # ---- joints ---------------------------------------------------------------------------------------------------

    @property
    def num_joints(self) -> int:
        """How many joints there are."""
        return len(self.joints)

    @property
    def roots(self) -> tuple[int, ...]:
        """Indices of the joints without a parent."""
        return tuple(i for i, p in enumerate(self.parents) if p == -1)

    @property
    def root(self) -> int:
        """Index of the (first) root joint."""
        return self.roots[0]

    def index(self, joint: str) -> int:
        """Index of a joint by name.

        Raises:
            SkeletonError: there is none of that name; the nearest is named.
        """
        try:
            return self.joints.index(joint)
        except ValueError:
            raise SkeletonError(f"skeleton '{self.name}' has no joint '{joint}'{nearest(joint, self.joints)}") from None

    def topological_order(self) -> tuple[int, ...]:
        """Joint indices with every parent before its children."""
        depth = [0] * self.num_joints
        for joint in range(self.num_joints):
            node = self.parents[joint]
            while node != -1:
                depth[joint] += 1
                node = self.parents[node]
        return tuple(sorted(range(self.num_joints), key=lambda j: (depth[j], j)))

    @property
    def mirror(self) -> tuple[int, ...]:
        """The permutation that exchanges left and right: ``mirrored = x[..., mirror, :]``."""
        order = list(range(self.num_joints))
        for left, right in self.pairs:
            a, b = self.index(left), self.index(right)
            order[a], order[b] = b, a
        return tuple(order)

    def landmark(self, name: str) -> NDArray[np.float64] | None:
        """Weights ``(joints,)`` that give an anatomical point as a mean of own joints; ``None`` if there is no way."""
        weights = np.zeros(self.num_joints)
        if name in self.landmarks:
            if not self.landmarks[name]:
                return None
            for joint, weight in self.landmarks[name].items():
                weights[self.index(joint)] = weight
        elif name in self.joints:
            weights[self.index(name)] = 1.0
        else:
            return None
        return weights

    @property
    def meanings(self) -> dict[str, str]:
        """Joint -> the anatomical point that it alone stands for, of joints that bear a rig's own names."""
        return meanings(self.landmarks)

    # ---- graph ----------------------------------------------------------------------------------------------------

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """``(parent, child)`` indices, in the order of the child."""
        return tuple((p, c) for c, p in enumerate(self.parents) if p != -1)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Undirected graph edges: the bones and the links."""
        return self.bones + tuple((self.index(a), self.index(b)) for a, b in self.links)

    def adjacency(self, *, self_loops: bool = False) -> NDArray[np.float64]:
        """Symmetric 0/1 adjacency ``(joints, joints)`` of bones and links."""
        matrix = graph.adjacency(self.num_joints, self.edges)
        return matrix + np.eye(self.num_joints) if self_loops else matrix

    def hop_distances(self) -> NDArray[np.int64]:
        """Shortest-path lengths ``(joints, joints)`` on the skeleton graph (HCSF section 2.1); -1 if unreachable."""
        return graph.hop_distances(graph.adjacency(self.num_joints, self.edges))

    def hop_mask(self, hop: int, *, within: bool = False) -> NDArray[np.bool_]:
        """Node pairs ``(joints, joints)`` at distance exactly ``hop``, or at most ``hop`` (self included)."""
        distances = self.hop_distances()
        mask: NDArray[np.bool_] = (distances <= hop) if within else (distances == hop)
        return mask

    def hop_counts(self) -> tuple[int, ...]:
        """How many ordered pairs stand at hop 0, 1, ... up to the diameter."""
        return tuple(int(n) for n in np.bincount(self.hop_distances().ravel()))

    def normalised_adjacency(self, kind: str = "row") -> NDArray[np.float64]:
        """``D^-1 A`` (``"row"``) or ``D^-1/2 A D^-1/2`` (``"symmetric"``), ``(joints, joints)``; A has self-loops."""
        return graph.normalise(self.adjacency(self_loops=True), kind)

    def polynomials(self, order: int, kind: str = "row") -> NDArray[np.float64]:
        """Powers 1..``order`` of the normalised adjacency ``(order, joints, joints)`` (Sym-GNN Eq. 3)."""
        return graph.powers(self.normalised_adjacency(kind), order)

    def line_graph(self) -> NDArray[np.float64]:
        """0/1 adjacency ``(bones, bones)``: two bones are joined when they share a joint (Sym-GNN section 5.5)."""
        return graph.line_graph(self.bones)

    # ---- files ----------------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain data that :meth:`from_dict` reads back to an equal skeleton."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "joints": {j: (self.joints[p] if p != -1 else "") for j, p in zip(self.joints, self.parents, strict=True)},
            "pairs": [list(p) for p in self.pairs],
            "links": [list(p) for p in self.links],
            "parts": {k: list(v) for k, v in self.parts.items()},
            "landmarks": {k: dict(v) for k, v in self.landmarks.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Skeleton:
        """Build from plain data: ``joints`` maps each joint to its parent's name (``""`` for a root).

        ``pairs`` may be left out when names begin with ``left_``/``right_``; ``parts`` when they are the usual
        anatomical ones (see :func:`~kinegraph.skeleton.parts.default_parts`).

        Raises:
            SkeletonError: a key is unknown or a value malformed.
        """
        name = str(data.get("name", "skeleton"))
        for key in data:
            if key not in _KEYS:
                raise SkeletonError(f"skeleton '{name}': unknown key '{key}'{nearest(str(key), _KEYS)}")
        joints = data.get("joints")
        if not isinstance(joints, Mapping) or not joints:
            raise SkeletonError(f"skeleton '{name}': 'joints' must map each joint to its parent, '' for the root")
        names = tuple(str(j) for j in joints)
        places = {**{joint: place for place, joint in enumerate(names)}, "": -1}
        parents = []
        for joint, parent in joints.items():
            if not isinstance(parent, str) or parent not in places:
                raise SkeletonError(
                    f"skeleton '{name}': parent '{parent}' of '{joint}' is not a joint{nearest(str(parent), names)}"
                )
            parents.append(places[parent])
        try:
            return cls(
                name=name,
                joints=names,
                parents=tuple(parents),
                pairs=tuple((str(a), str(b)) for a, b in data["pairs"]) if "pairs" in data else default_pairs(names),
                links=tuple((str(a), str(b)) for a, b in data.get("links", ())),
                parts=data["parts"] if "parts" in data else default_parts(names, parents),
                landmarks=data.get("landmarks", {}),
                title=str(data.get("title", "")),
                source=str(data.get("source", "")),
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise SkeletonError(f"skeleton '{name}' is malformed: {error}") from error

    def save(self, path: Path | str) -> None:
        """Write as JSON (``.json``); :meth:`load` reads it back.

        Raises:
            SkeletonError: the name ends otherwise, so that it would not be read as JSON.
        """
        if Path(path).suffix.lower() != ".json":
            raise SkeletonError(f"cannot write {path}: skeletons are written as JSON; give a name that ends in .json")
        write_text(path, json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> Skeleton:
        """Read a skeleton from TOML or JSON.

        Raises:
            SkeletonError: no such file, not TOML/JSON, a key that stands twice in one table, or not a skeleton.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
            as_json = path.suffix.lower() == ".json"
            data = json.loads(text, object_pairs_hook=_table) if as_json else tomllib.loads(text)
        except (OSError, ValueError, RecursionError) as error:
            raise SkeletonError(f"{path}: cannot be read as a skeleton (TOML or JSON): {error}") from error
        if not isinstance(data, dict):
            raise SkeletonError(f"{path}: a skeleton file holds one table with name, joints, ...")
        return cls.from_dict({"name": path.stem, **data})


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A table of a JSON file, whose keys stand once as in TOML; of two, Python would silently keep the second."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"{key!r} stands twice in one table; keep one")
        table[key] = value
    return table


def meanings(landmarks: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Joint -> the anatomical point that it alone stands for; see :attr:`Skeleton.meanings`."""
    return {joint: point for point, weights in landmarks.items() if len(weights) == 1 for joint in weights}


def _listed(joints: str | Iterable[str]) -> tuple[str, ...]:
    """Joints listed; one may stand alone, as people write it in TOML."""
    return (joints,) if isinstance(joints, str) else tuple(joints)


def _weights(skeleton: str, landmark: str, value: Mapping[str, float] | Sequence[str]) -> Mapping[str, float]:
    """Accept a joint, a list of them (their mean) or joint -> weight: numbers that, if there are any, sum to 1."""
    if isinstance(value, Mapping):
        weights = {str(k): float(v) for k, v in value.items()}
    else:
        joints = _listed(value)
        weights = {str(j): 1.0 / len(joints) for j in joints}
    for joint, weight in weights.items():
        if not math.isfinite(weight):
            raise SkeletonError(
                f"skeleton '{skeleton}': landmark '{landmark}' weighs '{joint}' with {weight}; give a finite number"
            )
    if weights and abs(sum(weights.values()) - 1.0) > 1e-6:
        raise SkeletonError(
            f"skeleton '{skeleton}': the weights of landmark '{landmark}' sum to {sum(weights.values()):g}, not 1"
        )
    return MappingProxyType(weights)


def default_pairs(joints: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Left/right pairs of joints named ``left_x`` and ``right_x``."""
    names = list(joints)
    return tuple((n, "right_" + n[5:]) for n in names if n.startswith("left_") and "right_" + n[5:] in names)
