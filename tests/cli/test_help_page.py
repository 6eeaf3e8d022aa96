"""Help pages fit the terminal, and their examples can be copied."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from kinegraph import cli
from kinegraph.cli.analyze import analyses
from kinegraph.cli.help_page import HelpPage, laid_out, wrapped

PAGES = (
    [],
    *([name] for name in cli.COMMANDS),
    *(["data", action] for action in ("list", "prepare", "generate")),
    *(["analyze", name] for name in analyses()),
)


def page(
    arguments: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert cli.main([*arguments, "--help"]) == 0
    return capsys.readouterr().out.splitlines()


def commands_of(lines: list[str]) -> list[list[str]]:
    """The words of every example, as a shell takes them: comments left out, lines joined after a backslash."""
    start = lines.index("examples:") + 1 if "examples:" in lines else len(lines)
    end = next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))
    joined = "\n".join(lines[start:end]).replace("\\\n", " ")
    return [words for row in joined.splitlines() if (words := shlex.split(row, comments=True))]


@pytest.mark.parametrize("arguments", PAGES, ids=" ".join)
def test_every_page_fits_80_columns_without_markup(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = page(arguments, 80, monkeypatch, capsys)
    long = [line for line in lines if len(line) > 80 and len(line.split()) > 1]  # one word cannot be broken
    assert not long
    assert not [line for line in lines if "`" in line or ":class:" in line]


@pytest.mark.parametrize("arguments", PAGES, ids=" ".join)
def test_examples_are_the_same_commands_at_every_width(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = commands_of(page(arguments, 120, monkeypatch, capsys))
    assert commands_of(page(arguments, 80, monkeypatch, capsys)) == commands
    assert commands_of(page(arguments, 50, monkeypatch, capsys)) == commands
    for words in commands:  # and what is said of them stands behind a #
        assert words[0] in {"kinegraph", "torchrun", "for", "done"}, words
        assert words[0] != "kinegraph" or words[1] in cli.COMMANDS, words


def test_a_page_is_as_wide_as_the_terminal_up_to_120(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 110 < max(map(len, page(["evaluate"], 120, monkeypatch, capsys))) <= 118
    assert page(["evaluate"], 400, monkeypatch, capsys) == page(["evaluate"], 120, monkeypatch, capsys)


def test_paragraphs_are_wrapped_and_lists_hang_below_their_terms() -> None:
    text = "One two three\nfour five.\n\nlist:\n  a      first second\n         third\n  long   fourth"
    assert laid_out(text, 22) == [
        "One two three four",
        "five.",
        "",
        "list:",
        "  a      first second",
        "         third",
        "  long   fourth",
    ]
    assert laid_out("  a   first second third", 18) == ["  a   first second", "      third"]
    assert laid_out("  a_long_name.png    what", 24) == ["  a_long_name.png", "      what"]


def test_examples_say_it_beside_where_all_fits_and_else_below() -> None:
    text = "examples:\n  run a   # one\n  run --long b  # two"
    assert laid_out(text, 40) == ["examples:", "  run a         # one", "  run --long b  # two"]
    assert laid_out(text, 20) == ["examples:", "  run a", "      # one", "  run --long b", "      # two"]


def test_long_commands_are_broken_before_options_and_keep_their_values() -> None:
    text = "examples:\n  run in.bvh --first one \\\n      --second 'two three' four"
    assert laid_out(text, 36) == ["examples:", "  run in.bvh --first one \\", "      --second 'two three' four"]
    assert laid_out(text, 60)[1:] == ["  run in.bvh --first one --second 'two three' four"]


def test_words_are_whole() -> None:
    assert wrapped("lift-temporal lift-causal", 18) == ["lift-temporal", "lift-causal"]
    assert wrapped("/a/path/that/is/longer/than/the/line", 12) == ["/a/path/that/is/longer/than/the/line"]
    assert wrapped("the hardest 5 %", 13) == ["the hardest", "5 %"]
    parser = argparse.ArgumentParser("x", formatter_class=lambda prog: HelpPage(prog, width=40))
    parser.add_argument("--model", help="one of lift, lift-causal, lift-temporal")
    assert not re.search(r"-\n", parser.format_help())
