"""What tools write round the names of joints: a side, a tool's or a character's prefix, a suffix.

Sides are found by symmetry of the names themselves: a joint is left when exchanging ``l`` and ``r``, or ``left`` and
``right``, gives another joint. What most joints begin or end with is no part of their names: ``CC_Base_``,
``ValveBiped.Bip01_``, ``_JNT``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["PlainNames", "side_pairs"]

_SIDE_WORDS = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"), ("左", "右"))
_SIDE_LETTERS = (("l", "r"), ("L", "R"))


def _exchanges(name: str) -> list[tuple[str, str]]:
    """Ways to read `name` as a left joint: (right name, what is left without the side)."""
    found = []
    for left, right in _SIDE_WORDS:
        at = name.find(left)
        if at >= 0:
            found.append((name[:at] + right + name[at + len(left) :], name[:at] + name[at + len(left) :]))
    for left, right in _SIDE_LETTERS:
        for match in re.finditer(left, name):
            at = match.start()
            before, after = name[:at], name[at + 1 :]
            # a lone letter counts at the start or between separators: lThigh, L_Thigh, thigh_l, thigh.L
            opens = not before or not before[-1].isalnum()
            if opens:
                found.append((before + right + after, before + after))
    return found


def side_pairs(joints: Sequence[str]) -> dict[tuple[str, str], str]:
    """``(left, right)`` joint names -> the name without its side, for every joint whose mirror image exists."""
    present = set(joints)
    taken: set[str] = set()
    pairs: dict[tuple[str, str], str] = {}
    for joint in joints:
        for right, rest in _exchanges(joint):
            if right in present and right != joint and not {joint, right} & taken:
                pairs[joint, right] = rest
                taken |= {joint, right}
                break
    return pairs


_END = "_end"  # of a bone: another point than its joint
_MOST = 0.6  # share of the joints that begin or end with what is no part of their names
_FEWEST = 8  # joints from which that can be told
_SIDES = {"l", "r", "left", "right"}
_MIDDLE = "c"  # where VRoid has L and R


@dataclass(frozen=True)
class PlainNames:
    """Names without what is common to most joints, without separators and in lower case.

    Args:
        prefixes: of tools, taken away as often as one stands there.
        before: what most joints begin with, word by word.
        after: what most joints end with, from the last word on.
    """

    prefixes: tuple[str, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @classmethod
    def of(cls, joints: Sequence[str], prefixes: Sequence[str]) -> PlainNames:
        """Those of a file with these joints."""
        names = [_words(joint) for joint in joints if not joint.endswith(_END)]
        before, after = _common(names, 0), _common(names, -1)
        return cls(tuple(re.sub(r"[\W_]", "", prefix) for prefix in prefixes), before, after)

    def plain(self, name: str, *, middle: bool = False) -> str:
        """One name; an ``_end`` stays, as it names another point. A joint in the `middle` may say so, by a ``C``."""
        ends = name.endswith(_END)
        words = _words(name[: -len(_END)] if ends else name)
        for word in self.before:
            words = words[1:] if len(words) > 1 and words[0] == word else words
        for word in self.after:
            words = words[:-1] if len(words) > 1 and words[-1] == word else words
        if middle and len(words) > 1 and words[0] == _MIDDLE:
            words = words[1:]
        body = "".join(words)
        while short := next((p for p in self.prefixes if body.startswith(p) and len(body) > len(p)), ""):
            body = body[len(short) :]
        return body + (_END if ends else "")


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.rpartition(":")[2].lower())


def _common(names: Sequence[list[str]], at: int) -> tuple[str, ...]:
    """The words that most names begin (0) or end (-1) with; sides are none."""
    names = list(names)
    found: list[str] = []
    while len(names) >= _FEWEST:
        counted = Counter(words[at] for words in names if len(words) > 1)
        word, count = counted.most_common(1)[0] if counted else ("", 0)
        if count < _MOST * len(names) or word in _SIDES:
            break
        found.append(word)
        names = [(words[1:] if at == 0 else words[:-1]) if words[at] == word else words for words in names]
        names = [words for words in names if words]
    return tuple(found)
