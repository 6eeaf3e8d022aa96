"""Names that nobody bears yet."""

from __future__ import annotations

from kinegraph.naming import free_name


def test_the_first_name_that_is_not_taken() -> None:
    assert free_name("hand", set()) == "hand"
    assert free_name("hand", ["hand"]) == "hand_2"
    assert free_name("hand", {"hand", "hand_2", "hand_4"}) == "hand_3"
    assert free_name("run {2}", {"run {2}"}, "{name} ({number})") == "run {2} (2)"
