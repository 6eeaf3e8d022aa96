"""What ``kinegraph train --list`` and ``--fields`` print: the shipped recipes, and the fields of a recipe."""

from __future__ import annotations

import re

from kinegraph.cli.help_page import wrapped
from kinegraph.config import read_yaml
from kinegraph.training.recipe import TASKS, field_table, find_recipe, recipe_names

__all__ = ["field_lines", "recipe_lines"]

_SENTENCE = re.compile(r".*?\.(?= [A-Z]|$)")
"""The first of a text; "et al. 2021" and "1e-4" end none."""


def recipe_lines(width: int | None) -> list[str]:
    """The shipped recipes, each with the first sentence of its first comment, task by task.

    Args:
        width: columns of a page for people, with a heading for each task and long sentences wrapped; None: one line a
            recipe, its name, task and sentence in columns, for programs.
    """
    rows = [_recipe(name) for name in recipe_names()]
    rows.sort(key=lambda row: list(TASKS).index(row[1]))
    names, tasks = (max(len(row[n]) for row in rows) for n in (0, 1))
    if width is None:
        return [f"{name:<{names}}  {task:<{tasks}}  {text}".rstrip() for name, task, text in rows]
    lines: list[str] = []
    for task in TASKS:
        lines += [*([""] if lines else []), f"task: {task}"]
        column = 2 + max(len(name) for name, of, _ in rows if of == task) + 2
        for name, _, text in (row for row in rows if row[1] == task):
            lines += wrapped(text, width, f"  {name:<{column - 2}}", " " * column)
    return lines


def field_lines(width: int) -> list[str]:
    """Every field of the recipe of each task with its default, and below it, wrapped, what it is."""
    lines: list[str] = []
    for task, recipe in TASKS.items():
        lines.append(f"task: {task}")
        for field, default, text in field_table(recipe):
            lines.append(f"{field}{f' = {default}' if default else ''}")
            lines += wrapped(text.replace("`", "'"), width, "    ")
    return lines


def _recipe(name: str) -> tuple[str, str, str]:
    """Its name, its task and the first sentence of its first comment."""
    path = find_recipe(name)
    comment: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    text = " ".join(" ".join(comment).split()).replace("`", "'")
    found = _SENTENCE.match(text)
    return name, read_yaml(path).get("task", "lift"), found[0] if found else text
