"""How a help page is set: paragraphs to the terminal's width, lists under their terms, commands that can be copied."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from typing import Any

__all__ = ["HelpPage", "laid_out", "page_width", "wrapped"]

_WIDEST = 120
"""Columns; longer lines are hard to read, however wide the terminal."""

_ROW = re.compile(r"( *\S+(?: \S+)* {2,})(\S.*)")
_TOKEN = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")


def page_width() -> int:
    """Columns of a page: the terminal's, 80 where there is none (a pipe), what ``COLUMNS`` says before either."""
    return min(shutil.get_terminal_size().columns, _WIDEST) - 2  # argparse, too, leaves two free


def wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of a text, broken at spaces alone: names, options and paths stay whole, whatever hyphens they have.

    Args:
        text: what to break; runs of white space count as one space.
        width: columns of a line, of which a word alone may take more.
        first: what the first line begins with.
        rest: what the others begin with; None: as the first.
    """
    whole = re.sub(r"(?<=[0-9]) %", "\u00a0%", " ".join(text.split()))  # a number keeps its per cent
    lines = textwrap.wrap(
        whole,
        max(width, 11),
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\u00a0", " ") for line in lines]


def laid_out(text: str, width: int) -> list[str]:
    """The lines of a description or epilog.

    Blank lines part its stanzas. Lines at the left margin are a paragraph. A term and its text two or more spaces
    behind it are a row of a list, whose text may go on in lines that begin below it. What stands indented under
    ``examples:`` is commands, each with what ``  # `` says of it.

    Args:
        text: as it stands in the source, where lines may be of any length.
        width: columns of a line; what is one word may take more.
    """
    lines: list[str] = []
    for stanza in re.split(r"\n[ \t]*\n", text.strip("\n")):
        rows = stanza.splitlines()
        if lines:
            lines.append("")
        if rows[0].strip() == "examples:":
            lines += [rows[0], *_examples(rows[1:], width)]
        else:
            lines += _prose(rows, width)
    return lines


def _prose(rows: list[str], width: int) -> list[str]:
    """Paragraphs and lists of one stanza."""
    lines: list[str] = []
    paragraph: list[str] = []
    while rows:
        row, *rows = rows
        found = _ROW.fullmatch(row)
        if not found and not row.startswith(" "):
            paragraph.append(row)
            continue
        lines += wrapped(" ".join(paragraph), width)
        paragraph = []
        if not found:
            lines += wrapped(row, width, " " * _indent(row))
            continue
        head, words = found[1], [found[2]]
        while rows and _indent(rows[0]) == len(head):
            words.append(rows.pop(0))
        if len(head) > width // 2:  # no room beside it
            lines.append(head.rstrip())
            head = " " * (_indent(head) + 4)
        lines += wrapped(" ".join(words), width, head, " " * len(head))
    return lines + wrapped(" ".join(paragraph), width)


def _examples(rows: list[str], width: int) -> list[str]:
    """Commands, what is said of them in a column where that fits for all of them, else below each."""
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(rows)).splitlines()
    pairs = [(command.rstrip(), said.strip()) for command, _, said in (row.partition("  # ") for row in joined)]
    column = max((len(command) for command, said in pairs if said), default=0)
    beside = all(column + 4 + len(said) <= width for _, said in pairs if said)
    lines: list[str] = []
    for command, said in pairs:
        if said and beside:
            lines.append(f"{command:<{column}}  # {said}")
            continue
        lines += _copyable(command, width)
        lines += wrapped(said, width, " " * (_indent(command) + 4) + "# ")
    return lines


def _copyable(command: str, width: int) -> list[str]:
    """A command in as many lines as it needs, as a shell reads it: broken before options, each with its values."""
    if len(command) <= width:
        return [command]
    indent = " " * _indent(command)
    pieces: list[str] = []
    for token in _TOKEN.findall(command):
        fits = pieces and len(f"{indent}    {pieces[-1]} {token} \\") <= width
        if fits and not token.startswith("-"):
            pieces[-1] += f" {token}"
        else:
            pieces.append(token)
    lines = [indent + pieces[0]]
    for piece in pieces[1:]:
        if len(f"{lines[-1]} {piece} \\") <= width:
            lines[-1] += f" {piece}"
        else:
            lines[-1] += " \\"
            lines.append(f"{indent}    {piece}")
    return lines


def _indent(row: str) -> int:
    return len(row) - len(row.lstrip(" "))


class HelpPage(argparse.HelpFormatter):
    """argparse's page with descriptions and epilogs as :func:`laid_out` sets them, and no word broken at a hyphen."""

    def __init__(self, prog: str, **options: Any) -> None:
        options.setdefault("width", page_width())
        super().__init__(prog, **options)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line if line else "" for line in laid_out(text, width))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)
